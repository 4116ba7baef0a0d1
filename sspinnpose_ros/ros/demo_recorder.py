# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Record everything that the demo's nodes say, and print a line of it now and then."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import WrenchStamped
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from sspinnpose_ros.bags.topic_recorder import TopicRecorder
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.ros.conversions import TFMessage, stamp_ns
from sspinnpose_ros.ros.executor import make_executor

STREAM = QoSProfile(depth=200)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

TOPICS: dict[str, tuple[Any, str, QoSProfile]] = {
    **{
        f'/imu/{sensor}/data_raw': (Imu, 'sensor_msgs/msg/Imu', qos_profile_sensor_data)
        for sensor in SENSORS
    },
    '/human/joint_states': (JointState, 'sensor_msgs/msg/JointState', STREAM),
    '/human/wrench/foot_r': (WrenchStamped, 'geometry_msgs/msg/WrenchStamped', STREAM),
    '/human/wrench/foot_l': (WrenchStamped, 'geometry_msgs/msg/WrenchStamped', STREAM),
    '/human/uncertainty': (JointState, 'sensor_msgs/msg/JointState', STREAM),
    '/human/wrench_sigma/foot_r': (WrenchStamped, 'geometry_msgs/msg/WrenchStamped', STREAM),
    '/human/wrench_sigma/foot_l': (WrenchStamped, 'geometry_msgs/msg/WrenchStamped', STREAM),
    '/human/markers': (MarkerArray, 'visualization_msgs/msg/MarkerArray', STREAM),
    '/human/status': (DiagnosticStatus, 'diagnostic_msgs/msg/DiagnosticStatus', STREAM),
    '/diagnostics': (DiagnosticArray, 'diagnostic_msgs/msg/DiagnosticArray', STREAM),
    '/robot_description': (String, 'std_msgs/msg/String', LATCHED),
    '/tf': (TFMessage, 'tf2_msgs/msg/TFMessage', STREAM),
    '/tf_static': (TFMessage, 'tf2_msgs/msg/TFMessage', LATCHED),
}
SHOWN = ('/human/joint_states', '/human/wrench/foot_r', '/human/wrench/foot_l', '/human/status')

OLD_NS = 500_000_000
"""An estimate this old is no longer shown."""


class DemoRecorder(Node):
    """Write serialized messages as they come, and show the newest."""

    def __init__(self, recorder: TopicRecorder) -> None:
        """Listen to all topics of the demo."""
        super().__init__('demo_recorder')
        self._recorder = recorder
        self._newest: dict[str, tuple[int, bytes]] = {}
        for topic, (kind, name, qos) in TOPICS.items():
            if kind is None:
                continue
            recorder.add_topic(topic, name, latched=qos is LATCHED)
            self.create_subscription(kind, topic, partial(self._on_message, topic), qos, raw=True)

    def _on_message(self, topic: str, raw: bytes) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self._recorder.write(topic, now_ns, raw)
        if topic in SHOWN:
            self._newest[topic] = (now_ns, raw)

    def line(self) -> str:
        """Return what is new as one line of JSON."""
        return json.dumps(newest_content(self._newest, self.get_clock().now().nanoseconds))


def newest_content(newest: Mapping[str, tuple[int, bytes]], now_ns: int) -> dict[str, Any]:
    """Return the newest status and the newest estimate, which is left out once it is old.

    Args:
        newest: by topic, when a message was received and its bytes.
        now_ns: on the same clock.

    """
    content: dict[str, Any] = {}
    for topic in SHOWN:
        if topic not in newest:
            continue
        received_ns, raw = newest[topic]
        if topic != '/human/status' and now_ns - received_ns > OLD_NS:
            continue
        message = deserialize_message(raw, TOPICS[topic][0])
        if topic == '/human/joint_states':
            content['stamp'] = 1e-9 * stamp_ns(message.header.stamp)
            content['position'] = list(message.position)
            content['latency_ms'] = 1e-6 * (received_ns - stamp_ns(message.header.stamp))
        elif topic == '/human/status':
            content['level'] = message.level[0]
            content['message'] = message.message
        else:
            force = message.wrench.force
            content[topic[-6:]] = (force.x**2 + force.z**2) ** 0.5
    return content


def main() -> int:
    """Record until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('output', type=Path, help='rosbag2 folder to make')
    parser.add_argument('--every', type=float, default=0.25, help='time between lines [s]')
    given = parser.parse_args()
    rclpy.init()
    recorder = TopicRecorder(given.output)
    try:
        node = DemoRecorder(recorder)
        executor = make_executor('events')
        executor.add_node(node)
        due = time.monotonic()
        while rclpy.ok():
            executor.spin_once(timeout_sec=0.05)
            if time.monotonic() >= due:
                due += given.every
                print(node.line(), flush=True)
    except (KeyboardInterrupt, ExternalShutdownException, BrokenPipeError):
        pass
    finally:
        recorder.close()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
