# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Send a real node what no driver should send: it lives, says why, and goes on afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from random import Random

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from lifecycle_msgs.msg import Transition
from node_process import (
    PERIOD_NS,
    NodeProcess,
    Wearer,
    estimator_process,
    stamps_of,
    write_wearer,
)
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu, JointState

from sspinnpose_ros.core.conventions import JOINTS, SENSORS

pytestmark = pytest.mark.ros

FRAMES = 30
TRIES = 10
"""How often good samples are played until they are answered; a busy machine loses some."""

Spoil = Callable[[Imu, int], None]


@pytest.fixture(scope='module')
def node(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    folder = tmp_path_factory.mktemp('hostile')
    parameters = {
        **write_wearer(folder),
        'settle_s': 0.1,
        'exo.knee_angle_r.name': 'knee',
    }
    with estimator_process(domain, parameters) as process:
        yield process
        assert process.process.poll() is None, process.log
    assert process.process.returncode == 0
    assert 'Traceback' not in process.log


@pytest.fixture(scope='module')
def wearer(domain: int, node: NodeProcess) -> Iterator[Wearer]:
    wearer = Wearer(domain)
    wearer.device = wearer.node.create_publisher(JointState, 'exo/joint_states', 10)
    wearer.wait_until_heard()
    wearer.wait_for(wearer.device.get_subscription_count, 'the listener to the device')
    yield wearer
    wearer.close()


def require_life(wearer: Wearer, node: NodeProcess, samples: np.ndarray) -> None:
    """Play good samples until they are answered, and look at all that was published."""
    states = wearer.received['human/joint_states']
    before = len(states)
    for _ in range(TRIES):
        stamps = wearer.play(samples[:FRAMES])
        assert node.process.poll() is None, node.log
        answered = stamps_of(states[before:])
        if ((answered >= stamps[0]) & (answered <= stamps[-1])).sum() > FRAMES // 2:
            break
    else:
        raise AssertionError(f'no estimates any more: {wearer.received["human/status"][-1]}')
    for state in states:
        assert list(state.name) == list(JOINTS)
        for values in (state.position, state.velocity, state.effort):
            assert len(values) == len(JOINTS)
            assert np.isfinite(values).all()
    states.clear()


def imu(sample: np.ndarray, stamp_ns: int) -> Imu:
    message = Imu()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    force, rate = message.linear_acceleration, message.angular_velocity
    force.x, force.y, force.z, rate.x, rate.y, rate.z = sample.tolist()
    return message


def seconds(value: int) -> Spoil:
    def spoil(message: Imu, index: int) -> None:
        message.header.stamp.sec, message.header.stamp.nanosec = value, 1 + index * PERIOD_NS

    return spoil


def covariances(value: float) -> Spoil:
    def spoil(message: Imu, index: int) -> None:
        for name in ('linear_acceleration', 'angular_velocity', 'orientation'):
            getattr(message, f'{name}_covariance')[:] = value

    return spoil


def values(value: float) -> Spoil:
    def spoil(message: Imu, index: int) -> None:
        message.linear_acceleration.x = message.angular_velocity.z = value

    return spoil


def frame_id(text: str) -> Spoil:
    def spoil(message: Imu, index: int) -> None:
        message.header.frame_id = text

    return spoil


def nanoseconds(message: Imu, index: int) -> None:
    message.header.stamp.nanosec = 2**32 - 1 - index


def orientation(message: Imu, index: int) -> None:
    message.orientation.w = message.orientation.x = np.nan


@pytest.mark.parametrize(
    'spoil',
    [
        *(seconds(value) for value in (-5, -1, -(2**31), 1, 2**31 - 1)),
        nanoseconds,
        *(covariances(value) for value in (1e308, np.nan, -np.inf, -1.0)),
        *(values(value) for value in (np.nan, np.inf, -1.7e308, 9.9e5, 5e-324)),
        *(frame_id(text) for text in ('', 'x' * 100_000, '/\n\x07 \u2028é')),
        orientation,
    ],
)
def test_hostile_messages_of_all_sensors(
    spoil: Spoil, wearer: Wearer, node: NodeProcess, samples: np.ndarray
) -> None:
    start_ns = wearer.node.get_clock().now().nanoseconds
    for index, instant in enumerate(samples[:FRAMES]):
        for sensor, sample in zip(SENSORS, instant, strict=True):
            message = imu(sample, start_ns + index * PERIOD_NS)
            spoil(message, index)
            wearer.publishers[sensor].publish(message)
        wearer.spin(0.01)
    require_life(wearer, node, samples)


def test_a_strange_first_stamp_costs_no_later_stamp_its_nanoseconds(
    wearer: Wearer, node: NodeProcess, samples: np.ndarray
) -> None:
    assert wearer.change_state(Transition.TRANSITION_DEACTIVATE)
    assert wearer.change_state(Transition.TRANSITION_ACTIVATE)
    wearer.wait_until_heard()
    for _ in range(3):
        wearer.publishers['pelvis'].publish(imu(samples[0, 0], 1_000_000_007))
        wearer.spin(0.05)
    require_life(wearer, node, samples)
    assert wearer.call('sspinnpose/reset').success
    states = wearer.received['human/joint_states']
    states.clear()
    # Sensors that sample together at the rate of the estimates are taken as they are.
    stamps = wearer.play(samples[:FRAMES], start_ns=wearer.node.get_clock().now().nanoseconds + 1)
    assert states
    assert set(stamps_of(states)) <= set(stamps.tolist())


def test_hostile_messages_of_one_sensor_leave_the_others(
    wearer: Wearer, node: NodeProcess, samples: np.ndarray
) -> None:
    """Everything at once from one sensor; the estimates go on without it."""
    spoils = [seconds(-9), seconds(2**31 - 1), nanoseconds, covariances(-1.0), values(np.nan)]
    rng = Random(4)
    require_life(wearer, node, samples)
    states = wearer.received['human/joint_states']
    start_ns, begin = wearer.node.get_clock().now().nanoseconds, time.monotonic()
    for index, instant in enumerate(samples[:200]):
        stamp_ns = start_ns + index * PERIOD_NS
        for sensor, sample in zip(SENSORS, instant, strict=True):
            message = imu(sample, stamp_ns)
            if sensor == 'shank_l':
                rng.choice(spoils)(message, index)
            wearer.publishers[sensor].publish(message)
        wearer.spin(max(0.0, begin + 0.01 * (index + 1) - time.monotonic()))
    assert len(states) > 100
    said = wearer.received['human/status'][-1]
    assert 'estimated without shank_l' in said.message
    require_life(wearer, node, samples)


def test_bytes_that_are_no_messages(
    wearer: Wearer, node: NodeProcess, samples: np.ndarray
) -> None:
    rng = Random(5)
    head = b'\0\1\0\0'
    whole = [bytes(serialize_message(kind())) for kind in (Imu, JointState)]
    garbage = [b'', b'\0', head, b'\xff' * 60, head + b'\xff' * 60, rng.randbytes(400)]
    garbage += [head + rng.randbytes(40) for _ in range(20)]
    garbage += [raw[: rng.randrange(len(raw))] for raw in whole for _ in range(10)]
    for raw in garbage:
        for publisher in (*wearer.publishers.values(), wearer.device):
            try:
                publisher.publish(raw)
            except RuntimeError:
                # What has no head the middleware does not even send.
                continue
        wearer.spin(0.002)
    require_life(wearer, node, samples)
    assert 'bytes that are no sensor_msgs/Imu' in node.log


def test_hostile_torques(wearer: Wearer, node: NodeProcess, samples: np.ndarray) -> None:
    rng = Random(6)
    numbers = (0.0, np.nan, np.inf, -1e308, 499.0, 501.0)
    for _ in range(60):
        count = rng.randrange(0, 4)
        message = JointState(
            name=[rng.choice(('knee', '', 'x' * 5000, 'é\n')) for _ in range(count)],
            effort=[rng.choice(numbers) for _ in range(rng.choice((count, count, 0, 5)))],
        )
        message.header.stamp.sec = rng.choice((0, -1, 2**31 - 1, -(2**31), int(time.time())))
        wearer.device.publish(message)
        wearer.spin(0.002)
    require_life(wearer, node, samples)
