# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show how a device follows the estimate: assist with a part of an effort, and let go in time.

An example to copy from, tried without hardware only. What it decides is in
`core/fading_assist.py`.
"""

from __future__ import annotations

import math
import sys
import time
from array import array

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from sspinnpose_ros.core.conventions import JOINTS
from sspinnpose_ros.core.fading_assist import FadingAssist, FadingAssistConfig
from sspinnpose_ros.ros.conversions import set_stamp, stamp_ns
from sspinnpose_ros.ros.outputs import STREAM
from sspinnpose_ros.ros.parameters import (
    Parameter,
    ParameterError,
    declare_table,
    read_parameters,
    unknown_parameters,
)
from sspinnpose_ros.ros.small_node import run_small_node
from sspinnpose_ros.ros.topic_qos import overridable

NODE_NAME = 'assist_example'
REMARK_S = 1.0
"""Shortest time between two remarks in the log."""

LAW = FadingAssistConfig()

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        'joints',
        ['hip_flexion_r', 'hip_flexion_l'],
        'Joints that are assisted, in the order of the command, names out of '
        f'{", ".join(JOINTS)}.',
        read_only=True,
    ),
    Parameter(
        'gain',
        LAW.gain,
        "Torque per effort of the person; half of it at most, since the device's own torque comes "
        'back in the estimate [1].',
        range=(0.0, 0.5),
        read_only=True,
    ),
    Parameter(
        'limit_nm',
        LAW.limit_nm,
        'Largest torque at a joint, either way [N m].',
        range=(0.01, 200.0),
        read_only=True,
    ),
    Parameter(
        'slope_nm_s',
        LAW.slope_nm_s,
        'Fastest change of a torque [N m/s].',
        range=(0.01, 1e5),
        read_only=True,
    ),
    Parameter(
        'timeout_s',
        LAW.timeout_s,
        'Time after which a status or an effort that is not renewed is no longer believed; the '
        'age of an estimate is part of it [s].',
        range=(0.01, 1.0),
        read_only=True,
    ),
    Parameter(
        'fade_s',
        LAW.fade_s,
        'Longest time from the last OK to a torque of zero, timeout_s included [s].',
        range=(0.02, 5.0),
        read_only=True,
    ),
    Parameter(
        'return_s',
        LAW.return_s,
        'Time in which the full assistance comes back [s].',
        range=(0.01, 60.0),
        read_only=True,
    ),
    Parameter('rate_hz', 200.0, 'Rate of the command [Hz].', range=(20.0, 1000.0), read_only=True),
    Parameter(
        'report_torque',
        True,
        'Whether to tell the estimator the commanded torque on exo/joint_states; false where the '
        'device itself reports the torque that it measures, which is better.',
        read_only=True,
    ),
)


class AssistExample:
    """Listen to the estimate and its status, and command a torque at a steady rate."""

    def __init__(self) -> None:
        """Make the node.

        Raises:
            ParameterError: for a parameter of the wrong type or out of range, or a joint that
                there is not.
            DeviceError: for limits that contradict each other.

        """
        self.node = node = Node(NODE_NAME)
        declare_table(node, PARAMETERS)
        for sentence in unknown_parameters(node, PARAMETERS):
            node.get_logger().warning(sentence)
        values = read_parameters(node, PARAMETERS)
        joints = tuple(values['joints'])
        if not joints or len(set(joints)) < len(joints) or not set(joints) <= set(JOINTS):
            raise ParameterError(
                f'The parameter joints is {list(joints)}, expected some of {", ".join(JOINTS)}, '
                'each once; correct it.'
            )
        self._assist = FadingAssist(
            config=FadingAssistConfig(
                gain=values['gain'],
                limit_nm=values['limit_nm'],
                slope_nm_s=values['slope_nm_s'],
                timeout_s=values['timeout_s'],
                fade_s=values['fade_s'],
                return_s=values['return_s'],
            ),
            joints=joints,
        )
        self._state = self._assist.initial_state()
        self._stopping = False
        self._trusted: bool | None = None
        self._said, self._age_s = 'nothing', math.inf
        self._remarked = -REMARK_S
        self._command = Float64MultiArray()
        with overridable(STREAM, topic='exo/torque_command') as settings:
            self._commands = node.create_publisher(
                Float64MultiArray, 'exo/torque_command', **settings
            )
        self._reports = None
        if values['report_torque']:
            self._report = JointState(name=list(joints))
            with overridable(STREAM, topic='exo/joint_states') as settings:
                self._reports = node.create_publisher(JointState, 'exo/joint_states', **settings)
        node.create_subscription(DiagnosticStatus, 'human/status', self._hear_status, STREAM)
        node.create_subscription(JointState, 'human/joint_states', self._hear_joint_states, STREAM)
        # Neither a paused nor a jumping /clock may keep a torque up.
        node.create_timer(
            1.0 / values['rate_hz'], self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def stop(self) -> bool:
        """Let go; return whether the torque is zero."""
        self._stopping = True
        return not self._state.torque_nm.any()

    def _hear_status(self, message: DiagnosticStatus) -> None:
        ok = message.level == DiagnosticStatus.OK and not self._stopping
        self._said = f'"{message.message}"'
        self._state = self._assist.hear_status(self._state, time_s=time.monotonic(), ok=ok)

    def _hear_joint_states(self, message: JointState) -> None:
        effort = dict(zip(message.name, message.effort, strict=False))
        now_ns = self.node.get_clock().now().nanoseconds
        self._age_s = 1e-9 * (now_ns - stamp_ns(message.header.stamp))
        self._state = self._assist.hear_effort(
            self._state,
            time_s=time.monotonic(),
            age_s=self._age_s,
            effort_nm=np.array([effort.get(joint, np.nan) for joint in self._assist.joints]),
        )

    def _tick(self) -> None:
        now = time.monotonic()
        if self._stopping:
            self._state = self._assist.hear_status(self._state, time_s=now, ok=False)
        self._state = self._assist.step(self._state, time_s=now)
        torque = array('d', self._state.torque_nm.tolist())
        self._command.data = torque
        self._commands.publish(self._command)
        if self._reports is not None:
            self._report.effort = torque
            set_stamp(self._report.header.stamp, self.node.get_clock().now().nanoseconds)
            self._reports.publish(self._report)
        self._remark(self._assist.trusts(self._state, time_s=now), now)

    def _remark(self, trusted: bool, now: float) -> None:
        """Say in the log when it begins to assist and when it lets go."""
        if trusted == self._trusted or now - self._remarked < REMARK_S:
            return
        self._trusted, self._remarked = trusted, now
        if trusted:
            self.node.get_logger().info(f'Assisting at {", ".join(self._assist.joints)}.')
        else:
            self.node.get_logger().warning(
                'Not assisting: expected human/status to say OK, and efforts younger than '
                f'{self._assist.config.timeout_s:g} s. The status last said {self._said}; the '
                f'last effort came {self._age_s:.3f} s after its measurement.'
            )


def main(args: list[str] | None = None) -> int:
    """Assist until told to stop, then let go first.

    Returns:
        0 after an ordinary stop, 1 where the node could not start.

    """
    return run_small_node(AssistExample, name=NODE_NAME, args=args)


if __name__ == '__main__':
    sys.exit(main())
