# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Walk one node through its lifecycle many times, and print what it holds after each round.

Run by test_node_lifecycle.py in a process of its own: python lifecycle_cycles.py FOLDER CYCLES
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import rclpy
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu

from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.ros.estimator_node import SUCCESS, EstimatorNode

FRAMES = 20
PERIOD_NS = 10_000_000


def main() -> None:
    folder, cycles = Path(sys.argv[1]), int(sys.argv[2])
    given = {
        'model': folder / 'model',
        'subject': folder / 'subject.yaml',
        'exo.knee_angle_r.name': 'knee',
        'settle_s': 0.05,
    }
    arguments = ['--ros-args']
    for name, value in given.items():
        arguments += ['-p', f'{name}:={value}']
    rclpy.init(args=arguments)
    node = EstimatorNode()
    executor = rclpy.executors.SingleThreadedExecutor()
    executor.add_node(node)
    rounds = [round_of(node, executor) for _ in range(cycles)]
    ended = node.trigger_shutdown() == SUCCESS
    after = held(node)
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown()
    print(json.dumps({'rounds': rounds, 'ended': ended, 'after': after}))


def round_of(node: EstimatorNode, executor: rclpy.executors.Executor) -> dict[str, object]:
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS
    start_ns = node.get_clock().now().nanoseconds - FRAMES * PERIOD_NS
    for index in range(FRAMES):
        for sensor in SENSORS:
            node._session.on_imu(sensor, imu(start_ns + index * PERIOD_NS, index))
    for _ in range(3):
        executor.spin_once(timeout_sec=0.02)
    node._session.diagnose()
    active = held(node)
    estimates = node._session._published
    assert node.trigger_deactivate() == SUCCESS
    inactive = held(node)
    # Once more, without reading the files again.
    assert node.trigger_activate() == SUCCESS
    assert node.trigger_deactivate() == SUCCESS
    assert node.trigger_cleanup() == SUCCESS
    gc.collect()
    return {
        'active': active,
        'inactive': inactive,
        'unconfigured': held(node),
        'estimates': estimates,
        'objects': len(gc.get_objects()),
        'resident_kb': resident_kb(),
    }


def held(node: EstimatorNode) -> dict[str, int]:
    """Count what a node can leak."""
    return {
        'publishers': len(list(node.publishers)),
        'subscriptions': len(list(node.subscriptions)),
        'timers': len(list(node.timers)),
        'services': len(list(node.services)),
        'clients': len(list(node.clients)),
        'guards': len(list(node.guards)),
        'waitables': len(list(node.waitables)),
        'managed': len(node._managed_entities),
        'parameters': len(node._parameters),
    }


def imu(stamp_ns: int, index: int) -> bytes:
    message = Imu()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    message.linear_acceleration.y = GRAVITY + 0.01 * index
    message.angular_velocity.z = 0.1 * (-1) ** index
    return bytes(serialize_message(message))


def resident_kb() -> int:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1])
    raise AssertionError('/proc/self/status has no VmRSS')


if __name__ == '__main__':
    main()
