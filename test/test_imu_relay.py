# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers are found in messages of any type, and the real relay publishes them as Imu."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from geometry_msgs.msg import AccelStamped, PoseArray, PoseWithCovarianceStamped
from node_process import Wearer, ros_process, stamps_of
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Imu
from std_msgs.msg import Float64MultiArray, Int64
from visualization_msgs.msg import Marker, MarkerArray

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.ros.field_path import FieldError, end_type, message_type, parse_path
from sspinnpose_ros.ros.imu_mapping import STANDARD_GRAVITY, ImuMapping, imu_mapping

pytestmark = pytest.mark.ros

ARRAY_FILE = Path(__file__).parents[1] / 'config' / 'drivers' / 'number_array.yaml'
numbers = st.floats(-1e4, 1e4)


def mapping(message: Any, **changed: Any) -> ImuMapping:
    values: dict[str, Any] = {
        'key': '',
        'specific_force': [f'accel.linear.{axis}' for axis in 'xyz'],
        'specific_force_unit': 'm/s^2',
        'specific_force_factor': 1.0,
        'angular_rate': [f'accel.angular.{axis}' for axis in 'xyz'],
        'angular_rate_unit': 'rad/s',
        'angular_rate_factor': 1.0,
        'stamp': 'header.stamp',
        'stamp_unit': 'ns',
    }
    return imu_mapping(message=message, **{**values, **changed})


def accel(values: list[float], *, stamp_ns: int = 0) -> AccelStamped:
    message = AccelStamped()
    linear, angular = message.accel.linear, message.accel.angular
    linear.x, linear.y, linear.z, angular.x, angular.y, angular.z = values
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    return message


@given(
    st.lists(numbers, min_size=6, max_size=6),
    st.permutations(range(3)),
    st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3),
)
def test_axes_can_be_exchanged_and_turned(
    values: list[float], order: list[int], signs: list[int]
) -> None:
    turned = list(zip(order, signs, strict=True))
    axes = [f'{"-" if sign < 0 else ""}accel.linear.{"xyz"[k]}' for k, sign in turned]
    sample = mapping(AccelStamped, specific_force=axes).sample(accel(values))
    assert sample[:3].tolist() == [sign * values[k] for k, sign in turned]
    assert sample[3:].tolist() == values[3:]


@given(st.lists(numbers, min_size=6, max_size=6))
def test_units_become_si(values: list[float]) -> None:
    sample = mapping(
        AccelStamped,
        specific_force_unit='mg',
        angular_rate_unit='deg/s',
        angular_rate_factor=1 / 16.4,
    ).sample(accel(values))
    np.testing.assert_allclose(sample[:3], 1e-3 * STANDARD_GRAVITY * np.array(values[:3]))
    np.testing.assert_allclose(sample[3:], np.radians(np.array(values[3:])) / 16.4)


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_stamps_stay_exact(time_ns: int) -> None:
    assert mapping(AccelStamped).stamp_ns(accel([0.0] * 6, stamp_ns=time_ns)) == time_ns
    assert mapping(AccelStamped, stamp='').stamp_ns(accel([0.0] * 6)) is None
    path = {'specific_force': ['data'] * 3, 'angular_rate': ['data'] * 3, 'stamp': 'data'}
    assert mapping(Int64, **path).stamp_ns(Int64(data=time_ns)) == time_ns
    micro = mapping(Int64, **path, stamp_unit='us').stamp_ns(Int64(data=time_ns // 1000))
    assert micro == time_ns // 1000 * 1000
    with pytest.raises(FieldError, match='since 1970'):
        mapping(Int64, **path).stamp_ns(Int64(data=-1 - time_ns))


def test_entries_of_arrays_are_found_by_number_and_by_name() -> None:
    message = MarkerArray()
    for name, x in (('B4', 1.5), ('9F', 2.5)):
        message.markers.append(Marker(ns=name))
        message.markers[-1].scale.x = x
    path = parse_path('markers[ns=9F].scale.x')
    assert end_type(path, message=MarkerArray) == 'double'
    assert path.number(message) == 2.5
    assert parse_path('-markers[0].scale.x').number(message) == -1.5
    with pytest.raises(FieldError, match=r'no entry whose ns is A0, there are B4, 9F'):
        parse_path('markers[ns=A0].scale.x').number(message)
    with pytest.raises(FieldError, match=r'holds 2 entries, expected at least 6'):
        parse_path('markers[2+3].scale.x').number(message)
    fixed = parse_path('pose.covariance[7]')
    assert end_type(fixed, message=PoseWithCovarianceStamped) == 'double'
    assert fixed.number(PoseWithCovarianceStamped()) == 0.0


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'specific_force': ['accel.linear.x']}, ('specific_force has 1 paths', 'expected three')),
        (
            {'specific_force': ['accel.liner.x'] * 3},
            ('Accel has no field liner', 'linear, angular', 'accel.liner.x'),
        ),
        ({'angular_rate': ['accel.linear'] * 3}, ('leads to a geometry_msgs/Vector3', 'a number')),
        ({'angular_rate': ['header.frame_id'] * 3}, ('leads to a string', 'angular_rate')),
        ({'angular_rate': ['accel.linear.x.y'] * 3}, ('behind a double', 'shorten it before y')),
        ({'angular_rate': ['accel.linear[0].x'] * 3}, ('no array', 'square brackets')),
        ({'angular_rate': ['accel..x'] * 3}, ("'accel..x' is none", 'such as')),
        ({'angular_rate': ['{key}.x'] * 3}, ('wants a key', 'imu.<sensor>.key')),
        ({'stamp': 'header'}, ('leads to a std_msgs/Header', 'a time or a number')),
    ],
    ids=str,
)
def test_a_mapping_that_cannot_be_is_refused(
    changed: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(FieldError) as caught:
        mapping(AccelStamped, **changed)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_array_without_an_index_is_refused() -> None:
    with pytest.raises(FieldError, match=r'poses is an array, .* such as poses\[0\]'):
        end_type(parse_path('poses.position.x'), message=PoseArray)
    with pytest.raises(FieldError, match='entries of poses have no field id'):
        end_type(parse_path('poses[id=3].position.x'), message=PoseArray)


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('Imu', "'Imu', expected one such as sensor_msgs/msg/Imu"),
        ('no_such_msgs/msg/Imu', 'expected the package no_such_msgs beside'),
        ('sensor_msgs/msg/Emu', 'sensor_msgs has no message Emu'),
    ],
)
def test_a_type_that_is_not_there_is_refused(name: str, words: str) -> None:
    with pytest.raises(FieldError, match=words):
        message_type(name)


# The real node


@pytest.fixture
def listener(domain: int) -> Iterator[Wearer]:
    with closing(Wearer(domain, namespace='/relayed')) as wearer:
        for sensor in SENSORS:
            wearer.listen(f'imu/{sensor}/data_raw', Imu, qos_profile_sensor_data)
        yield wearer


def values_of(message: Imu) -> list[float]:
    force, rate = message.linear_acceleration, message.angular_velocity
    return [force.x, force.y, force.z, rate.x, rate.y, rate.z]


def test_one_message_with_all_sensors_becomes_seven(domain: int, listener: Wearer) -> None:
    data = [0.1 * k - 2.0 for k in range(6 * len(SENSORS))]
    publisher = listener.node.create_publisher(Float64MultiArray, 'imu/all', 10)
    arguments = ('--params-file', str(ARRAY_FILE), '-r', '__ns:=/relayed')
    with ros_process('imu_relay', domain, {}, *arguments) as relay:
        listener.wait_for(publisher.get_subscription_count, 'the relay')

        def answered() -> bool:
            publisher.publish(Float64MultiArray(data=data))
            return all(listener.received[f'imu/{sensor}/data_raw'] for sensor in SENSORS)

        before = listener.node.get_clock().now().nanoseconds
        listener.wait_for(answered, 'an Imu of every sensor')
        for row, sensor in enumerate(SENSORS):
            message = listener.received[f'imu/{sensor}/data_raw'][-1]
            given = np.array(data[6 * row : 6 * row + 6])
            expected = given * ([STANDARD_GRAVITY] * 3 + [math.pi / 180.0] * 3)
            np.testing.assert_allclose(values_of(message), expected)
            assert message.header.frame_id == f'imu_{sensor}'
            assert message.orientation_covariance[0] == -1.0
            assert stamps_of([message])[0] >= before
        # What is too short is named, and the rest still goes through.
        publisher.publish(Float64MultiArray(data=[7.0] * 12))
        listener.wait_for(lambda: 'foot_l: data of a message holds 12' in relay.log, 'the warning')
        thigh = listener.received['imu/thigh_r/data_raw']
        listener.wait_for(
            lambda: values_of(thigh[-1])[0] == pytest.approx(7.0 * STANDARD_GRAVITY), 'the thigh'
        )
    assert relay.process.returncode == 0, relay.log
    assert 'Traceback' not in relay.log


def test_a_topic_for_each_sensor_keeps_its_stamps(domain: int, listener: Wearer) -> None:
    parameters = {
        'type': 'geometry_msgs/msg/AccelStamped',
        'sensors': '[shank_r, foot_r]',
        'specific_force': '["-accel.linear.y", "accel.linear.x", "accel.linear.z"]',
        'angular_rate': '["-accel.angular.y", "accel.angular.x", "accel.angular.z"]',
        'imu.shank_r.input': 'strap_3',
        'imu.foot_r.input': 'strap_7',
    }
    publishers = {
        sensor: listener.node.create_publisher(AccelStamped, topic, 10)
        for sensor, topic in (('shank_r', 'strap_3'), ('foot_r', 'strap_7'))
    }
    stamp_ns = 1_700_000_000_123_456_789
    with ros_process('imu_relay', domain, parameters, '-r', '__ns:=/relayed') as relay:
        for publisher in publishers.values():
            listener.wait_for(publisher.get_subscription_count, 'the relay')

        def answered() -> bool:
            for row, publisher in enumerate(publishers.values()):
                values = [10.0 * row + k for k in range(6)]
                publisher.publish(accel(values, stamp_ns=stamp_ns))
            return all(listener.received[f'imu/{sensor}/data_raw'] for sensor in publishers)

        listener.wait_for(answered, 'an Imu of both')
        for row, sensor in enumerate(publishers):
            message = listener.received[f'imu/{sensor}/data_raw'][-1]
            x, y, z, p, q, r = (10.0 * row + k for k in range(6))
            assert values_of(message) == [-y, x, z, -q, p, r]
            assert stamps_of([message])[0] == stamp_ns
    assert relay.process.returncode == 0, relay.log


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'type': 'xio_msgs/msg/Inertial'}, ('xio_msgs/msg/Inertial is not installed',)),
        ({'type': 'std_msgs/msg/Int64'}, ('Int64 has no field linear_acceleration',)),
        (
            {f'imu.{sensor}.input': 'all' for sensor in SENSORS},
            (
                'pelvis and thigh_r are both read from the same fields of /bad/all',
                'imu.thigh_r.key',
            ),
        ),
        ({'imu.foot_l.output': 'imu/foot_r/data_raw'}, ('both published on', 'imu.foot_l.output')),
        ({'imu.foot_l.input': 'imu/foot_l/data_raw'}, ('is an input and the output of foot_l',)),
        ({'angular_rate_factor': 0.0}, ('angular_rate_factor is 0',)),
        ({'specific_force_unit': 'feet'}, ("'feet'", 'one of m/s^2, g, mg')),
        ({'specific_force': '[]'}, ('specific_force is empty', 'a list of texts')),
        ({'sensor': '[pelvis]'}, ('There is no parameter sensor', 'perhaps sensors')),
    ],
    ids=str,
)
def test_what_cannot_be_ends_in_one_sentence(
    domain: int, given: dict[str, object], words: tuple[str, ...]
) -> None:
    with ros_process('imu_relay', domain, given, '-r', '__ns:=/bad') as process:
        assert process.wait() == 1, process.log
    assert 'Traceback' not in process.log
    (line,) = [line for line in process.lines if 'FATAL' in line]
    assert all(word in line for word in words), line
