# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold messages against the numbers they carry."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of messages runs')

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import WrenchStamped
from made_recordings import SUBJECT
from node_process import write_model
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.typesys import get_typestore
from sensor_msgs.msg import Imu, JointState
from visualization_msgs.msg import Marker

from sspinnpose_ros.bags.imu_bag_writer import TYPES
from sspinnpose_ros.bags.imu_cdr import MalformedImuError
from sspinnpose_ros.bags.status_cdr import StatusCdr
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import JOINTS, SEGMENTS, SENSORS
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.skeleton import resting_poses, sensor_poses, sole_poses
from sspinnpose_ros.core.subject import subject_from_mapping
from sspinnpose_ros.ros.conversions import (
    JointStateMessage,
    SkeletonMessage,
    TFMessage,
    UncertaintyMessage,
    WrenchMessages,
    WrenchSigmaMessages,
    set_stamp,
    stamp_ns,
    transform_message,
)
from sspinnpose_ros.ros.imu_message import read_imu
from sspinnpose_ros.ros.markers import METRES_PER_NEWTON, Markers

pytestmark = pytest.mark.ros

STAMP_NS = 1_700_000_000_123_456_789


@pytest.fixture(scope='module')
def estimator(tmp_path_factory: pytest.TempPathFactory) -> Estimator:
    import yaml

    folder: Path = write_model(tmp_path_factory.mktemp('conversions') / 'model')
    return Estimator(
        model=load_model(folder),
        subject=subject_from_mapping(yaml.safe_load(SUBJECT)),
        mounting=aligned_mounting(),
    )


@pytest.fixture
def estimate(estimator: Estimator) -> Estimate:
    generator = np.random.default_rng(5)
    imu = generator.normal(size=(7, 6))
    imu[:, 1] += 9.81
    state = estimator.initial_state()
    for index in range(5):
        frame = Frame(time_s=0.01 * index, imu=imu, present=np.ones(7, dtype=bool))
        state, estimate = estimator.step(state, frame)
    return estimate


def imu_message(*, frame_id: str = '') -> Imu:
    message = Imu()
    set_stamp(message.header.stamp, STAMP_NS)
    message.header.frame_id = frame_id
    force, rate = message.linear_acceleration, message.angular_velocity
    force.x, force.y, force.z = 1.0, 2.0, 3.0
    rate.x, rate.y, rate.z = 4.0, 5.0, 6.0
    message.orientation_covariance[0] = -1.0
    return message


@pytest.mark.parametrize('length', range(18))
def test_imu_messages_are_read_from_their_bytes(length: int) -> None:
    reading = read_imu(serialize_message(imu_message(frame_id='x' * length)))
    assert reading.stamp_ns == STAMP_NS
    assert reading.sample.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert reading.has_force
    assert reading.has_rate


def test_absent_measurements_are_told() -> None:
    message = imu_message()
    message.linear_acceleration_covariance[0] = -1.0
    assert not read_imu(serialize_message(message)).has_force
    message = imu_message()
    message.angular_velocity_covariance[0] = -1.0
    assert not read_imu(serialize_message(message)).has_rate


def test_other_bytes_are_refused() -> None:
    whole = serialize_message(imu_message())
    wrong = [whole[:length] for length in (0, 3, 4, 11, 15, 16, 100, len(whole) - 1)]
    wrong += [whole + b'\0' * 8, b'\0\1\0\0' + b'\xff' * 400, serialize_message(JointState())]
    for raw in wrong:
        with pytest.raises(MalformedImuError):
            read_imu(raw)


@pytest.mark.parametrize('nanoseconds', [0, 1, 999_999_999, 10**9, STAMP_NS])
def test_stamps_survive(nanoseconds: int) -> None:
    message = Imu()
    set_stamp(message.header.stamp, nanoseconds)
    assert stamp_ns(message.header.stamp) == nanoseconds


def test_joint_states_hold_the_estimate(estimate: Estimate) -> None:
    owner = JointStateMessage()
    message = deserialize_message(owner.serialize(estimate, STAMP_NS), JointState)
    assert stamp_ns(message.header.stamp) == STAMP_NS
    assert list(message.name) == list(JOINTS)
    assert list(message.position) == estimate.q[3:].tolist()
    assert list(message.velocity) == estimate.qd[3:].tolist()
    assert list(message.effort) == estimate.effort.tolist()
    assert len(owner.serialize(estimate, STAMP_NS)) == len(serialize_message(message))
    later = deserialize_message(owner.serialize(estimate, STAMP_NS + 10**9), JointState)
    assert stamp_ns(later.header.stamp) == STAMP_NS + 10**9


@pytest.mark.parametrize('nanoseconds', [-1, -5 * 10**9 + 3, -(2**31) * 10**9, 2**31 * 10**9 - 1])
def test_estimates_have_stamps_on_any_clock(estimate: Estimate, nanoseconds: int) -> None:
    message = deserialize_message(JointStateMessage().serialize(estimate, nanoseconds), JointState)
    assert stamp_ns(message.header.stamp) == nanoseconds


def test_wrenches_hold_the_estimate(estimate: Estimate) -> None:
    raw = WrenchMessages(frame_prefix='anna/').serialize(estimate, STAMP_NS)
    messages = [deserialize_message(each, WrenchStamped) for each in raw]
    for side, message, row in zip('rl', messages, estimate.sole_wrench, strict=True):
        assert stamp_ns(message.header.stamp) == STAMP_NS
        assert message.header.frame_id == f'anna/sole_{side}'
        force, torque = message.wrench.force, message.wrench.torque
        assert [force.x, force.y, force.z] == [row[0], 0.0, row[1]]
        assert [torque.x, torque.y, torque.z] == [0.0, row[2], 0.0]


def test_sigmas_hold_the_estimate(estimate: Estimate) -> None:
    raw = UncertaintyMessage().serialize(estimate, STAMP_NS)
    message = deserialize_message(raw, JointState)
    assert stamp_ns(message.header.stamp) == STAMP_NS
    assert list(message.name) == list(JOINTS)
    assert list(message.position) == estimate.angle_sigma.tolist()
    assert list(message.effort) == estimate.effort_sigma.tolist()
    assert not message.velocity
    # A strict reader takes no byte too many, and rclpy writes some.
    read = get_typestore(TYPES).deserialize_cdr(raw, 'sensor_msgs/msg/JointState')
    assert read.effort.tolist() == estimate.effort_sigma.tolist()  # type: ignore[attr-defined]
    messages = [
        deserialize_message(each, WrenchStamped)
        for each in WrenchSigmaMessages(world_frame='anna/odom').serialize(estimate, STAMP_NS)
    ]
    for message, row in zip(messages, estimate.ground_force_sigma.tolist(), strict=True):
        assert stamp_ns(message.header.stamp) == STAMP_NS
        assert message.header.frame_id == 'anna/odom'
        force, torque = message.wrench.force, message.wrench.torque
        assert [force.x, force.z] == row
        assert np.isnan([force.y, torque.x, torque.y, torque.z]).all()


def matrix(transform: object) -> np.ndarray:
    """Return the homogeneous matrix of a geometry_msgs/Transform."""
    t, r = transform.translation, transform.rotation  # type: ignore[attr-defined]
    x, y, z, w = r.x, r.y, r.z, r.w
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), t.x],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w), t.y],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), t.z],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


@pytest.mark.skipif(TFMessage is None, reason='tf2_msgs is not installed')
def test_frames_are_where_the_kinematics_puts_them(
    estimator: Estimator, estimate: Estimate
) -> None:
    body = estimator.body
    owner = SkeletonMessage(
        resting=resting_poses(body=body),
        world_frame='odom',
        frame_prefix='',
        with_joints=True,
    )
    moving = deserialize_message(owner.serialize(estimate, STAMP_NS), TFMessage).transforms
    fixed = [transform_message(pose, frame_prefix='') for pose in sole_poses(body=body)]
    world = {'odom': np.eye(4)}
    for each in (*moving, *fixed):
        world[each.child_frame_id] = world[each.header.frame_id] @ matrix(each.transform)
    assert {stamp_ns(each.header.stamp) for each in moving} == {STAMP_NS}
    motion = kinematics(body=body, q=estimate.q, qd=estimate.qd, qdd=estimate.qdd)
    for row, segment in enumerate(SEGMENTS):
        np.testing.assert_allclose(
            world[segment][[0, 2], 3], motion.position[row], atol=1e-12, err_msg=segment
        )
        # The forward axis of the segment in world axes.
        np.testing.assert_allclose(
            world[segment][[0, 2], 0], [motion.cos[row], motion.sin[row]], atol=1e-12
        )
    points = contact_points(body=body, motion=motion)
    for side, name in enumerate('rl'):
        # Force at heel and toe, summed about the sole's origin, must be the wrench that is sent.
        origin = world[f'sole_{name}']
        force = estimate.contact_force[side]
        arm = points.position[side] - origin[[0, 2], 3]
        about_left = (arm[:, 1] * force[:, 0] - arm[:, 0] * force[:, 1]).sum()
        total = origin[:3, :3].T @ [force[:, 0].sum(), 0.0, force[:, 1].sum()]
        np.testing.assert_allclose(
            estimate.sole_wrench[side], [total[0], total[2], about_left], atol=1e-9
        )


@pytest.mark.skipif(TFMessage is None, reason='tf2_msgs is not installed')
def test_joints_can_be_left_to_others(estimator: Estimator, estimate: Estimate) -> None:
    owner = SkeletonMessage(
        resting=resting_poses(body=estimator.body),
        world_frame='anna/odom',
        frame_prefix='anna/',
        with_joints=False,
    )
    (only,) = deserialize_message(owner.serialize(estimate, STAMP_NS), TFMessage).transforms
    assert (only.header.frame_id, only.child_frame_id) == ('anna/odom', 'anna/pelvis')


def test_sensors_sit_where_they_were_put(estimator: Estimator) -> None:
    position = estimator.subject.sensor_position_m
    poses = sensor_poses(position_m=position, mounting=aligned_mounting(), sensors=SENSORS)
    for row, pose in enumerate(poses):
        message = transform_message(pose, frame_prefix='p/')
        assert message.header.frame_id == f'p/{SENSORS[row]}'
        assert message.child_frame_id == f'p/imu_{SENSORS[row]}'
        placed = matrix(message.transform)
        np.testing.assert_allclose(placed[:3, 3], position[row])
        # Aligned sensors have the axes x forward, y up, z right.
        np.testing.assert_allclose(placed[:3, 1], [0.0, 0.0, 1.0], atol=1e-12)
        np.testing.assert_allclose(placed[:3, 2], [0.0, -1.0, 0.0], atol=1e-12)


def test_markers_show_force_and_health(estimate: Estimate) -> None:
    owner = Markers(sensors=SENSORS, world_frame='odom', frame_prefix='', hip_half_width=0.09)
    shown = dataclasses.replace(
        estimate,
        cop_forward=np.array([0.2, np.nan]),
        ground_force=np.array([[50.0, 700.0], [0.0, 0.0]]),
        present=np.arange(7) != 2,
    )
    markers = owner.fill(shown, STAMP_NS).markers
    arrows = [marker for marker in markers if marker.ns == 'ground_reaction']
    assert [arrow.action for arrow in arrows] == [Marker.ADD, Marker.DELETE]
    start, tip = arrows[0].points
    assert start.x == pytest.approx(shown.q[0] + 0.2)
    assert start.y == -0.09
    assert tip.z - start.z == pytest.approx(METRES_PER_NEWTON * 700.0)
    cubes = [marker for marker in markers if marker.ns == 'sensors']
    assert [cube.header.frame_id for cube in cubes] == [f'imu_{name}' for name in SENSORS]
    assert [cube.color.r > cube.color.g for cube in cubes] == [i == 2 for i in range(7)]
    serialize_message(owner.message)


def test_status_says_what_is_missing(estimate: Estimate) -> None:
    owner = StatusCdr(name='human', hardware_id='anna', sensors=('pelvis', 'foot_l'))
    residual = np.full((7, 3), np.nan)
    residual[0] = [0.5, -1.0, 0.25]
    raw = owner.serialize(
        EstimateStatus(
            Level.WARN, 'estimated without foot_l', ('foot_l',), ('swapped foot_l foot_r',)
        ),
        stamp_ns=STAMP_NS,
        age_s=0.0042,
        residual=residual,
    )
    message = deserialize_message(raw, DiagnosticStatus)
    assert (message.name, message.hardware_id) == ('human', 'anna')
    assert message.message == 'estimated without foot_l'
    assert message.level == DiagnosticStatus.WARN
    assert {value.key: value.value for value in message.values} == {
        'stamp': '1700000000.123456789',
        'age_ms': '4.20',
        'missing': 'foot_l',
        'faults': 'swapped foot_l foot_r',
        'residual pelvis': '0.50 -1.00 m/s^2 0.25 rad/s',
        'residual foot_l': '',
    }
    raw = owner.serialize(
        EstimateStatus(Level.STALE, 'no estimate yet'), stamp_ns=None, age_s=0.0, residual=None
    )
    message = deserialize_message(raw, DiagnosticStatus)
    assert message.level == DiagnosticStatus.STALE
    assert all(value.value == '' for value in message.values)


@pytest.mark.parametrize('level', list(Level))
@pytest.mark.parametrize('text', ['', 'a', 'ab', 'abc', 'abcd', 'grün und schön'])
def test_status_bytes_are_those_of_the_middleware(level: Level, text: str) -> None:
    raw = StatusCdr(name='human', hardware_id=text, sensors=SENSORS).serialize(
        EstimateStatus(level, text, tuple(text.split())),
        stamp_ns=STAMP_NS,
        age_s=1.0,
        residual=np.arange(21.0).reshape(7, 3) if len(text) % 2 else None,
    )
    message = deserialize_message(raw, DiagnosticStatus)
    assert message.message == message.hardware_id == text
    assert 0 <= len(serialize_message(message)) - len(raw) < 4
