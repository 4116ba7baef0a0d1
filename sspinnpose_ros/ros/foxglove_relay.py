# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pass on what a live node publishes to the Foxglove app.

A program of its own, which `sspinnpose view --foxglove` starts; it prints the port it listens on.
Where ROS is a distribution, foxglove_bridge does the same for all topics.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import WrenchStamped
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from sspinnpose_ros.bags.foxglove_stream import FoxgloveStream
from sspinnpose_ros.core.conventions import SIDES
from sspinnpose_ros.core.errors import UserError
from sspinnpose_ros.ros.conversions import TFMessage
from sspinnpose_ros.ros.executor import make_executor

STREAM = QoSProfile(depth=200)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LATCHED_OF_ALL = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)

TOPICS: dict[str, tuple[Any, str, QoSProfile]] = {
    'human/joint_states': (JointState, 'sensor_msgs/msg/JointState', STREAM),
    'human/joint_states_total': (JointState, 'sensor_msgs/msg/JointState', STREAM),
    'human/uncertainty': (JointState, 'sensor_msgs/msg/JointState', STREAM),
    **{
        f'human/{kind}/foot_{side}': (WrenchStamped, 'geometry_msgs/msg/WrenchStamped', STREAM)
        for kind in ('wrench', 'wrench_sigma')
        for side in SIDES
    },
    'human/markers': (MarkerArray, 'visualization_msgs/msg/MarkerArray', STREAM),
    'human/status': (DiagnosticStatus, 'diagnostic_msgs/msg/DiagnosticStatus', STREAM),
    '/diagnostics': (DiagnosticArray, 'diagnostic_msgs/msg/DiagnosticArray', STREAM),
    'robot_description': (String, 'std_msgs/msg/String', LATCHED),
    '/tf': (TFMessage, 'tf2_msgs/msg/TFMessage', STREAM),
    '/tf_static': (TFMessage, 'tf2_msgs/msg/TFMessage', LATCHED_OF_ALL),
}


class FoxgloveRelay(Node):
    """Hand serialized messages over as they come."""

    def __init__(self, stream: FoxgloveStream) -> None:
        """Listen to the topics in the namespace of this node."""
        super().__init__('sspinnpose_foxglove')
        self._stream = stream
        for name, (kind, type_name, qos) in TOPICS.items():
            if kind is None:
                continue
            topic = self.resolve_topic_name(name)
            stream.add_topic(topic, type_name, latched=qos is not STREAM)
            self.create_subscription(kind, name, partial(self._on_message, topic), qos, raw=True)

    def _on_message(self, topic: str, raw: bytes) -> None:
        self._stream.send(topic, self.get_clock().now().nanoseconds, raw)


def main() -> int:
    """Relay until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--host', default='127.0.0.1', help='address to listen on')
    parser.add_argument('--port', type=int, default=8765, help='0 for any that is free')
    given = parser.parse_args(remove_ros_args(sys.argv)[1:])
    try:
        stream = FoxgloveStream(host=given.host, port=given.port)
    except UserError as error:
        print(f'error {error}', flush=True)
        return 1
    rclpy.init()
    try:
        node = FoxgloveRelay(stream)
        executor = make_executor('events')
        executor.add_node(node)
        print(f'port {stream.port}', flush=True)
        while rclpy.ok():
            executor.spin_once(timeout_sec=0.2)
    except (KeyboardInterrupt, ExternalShutdownException, BrokenPipeError):
        pass
    finally:
        stream.close()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
