# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hear what torque a worn device applies, as sensor_msgs/JointState."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from sensor_msgs.msg import JointState

from sspinnpose_ros.core.brief import brief
from sspinnpose_ros.core.conventions import JOINTS
from sspinnpose_ros.core.device_torque import DeviceTorque, DeviceTorqueConfig
from sspinnpose_ros.core.errors import DeviceError
from sspinnpose_ros.core.pipeline import Outcome
from sspinnpose_ros.core.stream_timing import StreamTimer
from sspinnpose_ros.ros.conversions import stamp_ns
from sspinnpose_ros.ros.diagnostics import number_text
from sspinnpose_ros.ros.parameters import ParameterError

FRESH_S = 1.0
"""How much older than its timeout the last torque may be before /diagnostics says STALE."""


def driven_joints(values: Mapping[str, Any]) -> dict[str, tuple[str, float]]:
    """Return the device's own name and the factor of each joint that it drives.

    Args:
        values: of the parameters, by name.

    Raises:
        ParameterError: for two joints with one name, and for a factor of zero.

    """
    joints: dict[str, tuple[str, float]] = {}
    owner: dict[str, str] = {}
    for joint in JOINTS:
        name, factor = values[f'exo.{joint}.name'], values[f'exo.{joint}.factor']
        if not name:
            continue
        if name in owner:
            raise ParameterError(
                f'The parameters exo.{owner[name]}.name and exo.{joint}.name are both '
                f'{brief(name)}, expected a joint of the device for each; correct one or leave it '
                'empty.'
            )
        if factor == 0.0:
            raise ParameterError(
                f'The parameter exo.{joint}.factor is 0, expected 1, or -1 where the device '
                f'counts the other way; leave exo.{joint}.name empty for a joint without torque.'
            )
        owner[name] = joint
        joints[joint] = (name, float(factor))
    return joints


class DeviceInput:
    """Translate the device's messages, and take its torques off the estimates.

    Attributes:
        origin_ns: stamp at which the time of the estimates is zero, ns; None before it is known,
            and then nothing is taken.

    """

    def __init__(
        self,
        *,
        joints: Mapping[str, tuple[str, float]],
        topic: str,
        timeout_s: float,
        now_ns: Callable[[], int],
        warn: Callable[[str, str], object],
    ) -> None:
        """Begin to listen.

        Args:
            joints: as `driven_joints`.
            topic: where it is heard, resolved.
            timeout_s: how long a torque is known after its stamp, s.
            now_ns: the clock of the node.
            warn: logs a sentence about a matter, not too often.

        """
        self.origin_ns: int | None = None
        self._joint_of = {name: (joint, factor) for joint, (name, factor) in joints.items()}
        self._topic = topic
        self._now_ns = now_ns
        self._warn = warn
        self._torque = DeviceTorque(
            config=DeviceTorqueConfig(joints=tuple(joints), timeout_s=timeout_s)
        )
        self._timer = StreamTimer()
        self._refused = self._messages = 0

    def on_joint_states(self, message: JointState) -> None:
        """Take one message; joints that were not named in the parameters are ignored."""
        self._messages += 1
        stamp = stamp_ns(message.header.stamp)
        fault = _fault(message, stamp)
        if fault:
            self._refuse(fault)
            return
        if self.origin_ns is None:
            return
        torque = {}
        for name, effort in zip(message.name, message.effort, strict=True):
            if name in self._joint_of:
                joint, factor = self._joint_of[name]
                torque[joint] = factor * effort
        stamp_s = 1e-9 * (stamp - self.origin_ns)
        try:
            self._torque.push(stamp_s=stamp_s, torque=torque)
        except DeviceError as error:
            self._refuse(str(error))
            return
        if torque:
            self._timer.note(stamp_s=stamp_s, arrival_s=1e-9 * (self._now_ns() - self.origin_ns))

    def share(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the person's own share, as `DeviceTorque.share`."""
        return self._torque.share(outcome)

    def clear(self) -> None:
        """Forget all torques, as after a jump of the clock."""
        self._torque.clear()

    def diagnose(self, *, prefix: str, hardware_id: str) -> DiagnosticStatus:
        """Return the device's part of /diagnostics."""
        origin = self.origin_ns
        now_s = 0.0 if origin is None else 1e-9 * (self._now_ns() - origin)
        timing = self._timer.read(now_s=now_s)
        counts = self._torque.counts
        if not self._timer.heard:
            level, text = DiagnosticStatus.STALE, f'never heard on {self._topic}'
        elif not timing.age_s <= self._torque.config.timeout_s + FRESH_S:
            level, text = DiagnosticStatus.STALE, f'last torque is {timing.age_s:.1f} s old'
        else:
            level, text = DiagnosticStatus.OK, f'heard at {timing.rate_hz:.0f} Hz'
        values = {
            'topic': self._topic,
            'joints': ' '.join(self._torque.config.joints),
            'rate_hz': number_text(timing.rate_hz, 1),
            'age_ms': number_text(1e3 * timing.age_s, 1),
            'jitter_ms': number_text(1e3 * timing.jitter_s, 2),
            'received': str(self._messages),
            'refused': str(self._refused),
            'late': str(counts.late),
            'steps_back': str(counts.steps_back),
        }
        return DiagnosticStatus(
            level=level,
            name=f'{prefix}: exo',
            message=text,
            hardware_id=hardware_id,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )

    def _refuse(self, sentence: str) -> None:
        self._refused += 1
        self._warn('exo', sentence)


def _fault(message: JointState, stamp: int) -> str:
    """Return a sentence about what makes a message useless, empty where it is fine."""
    if len(message.effort) != len(message.name):
        return (
            f'The device sends {len(message.effort)} efforts for {len(message.name)} joints, '
            'expected one each, the torque that it applies [N m]; fill the field effort.'
        )
    if stamp == 0:
        return (
            'The device sends stamps of zero, expected the time at which it applies its torque; '
            'let its driver stamp the messages.'
        )
    if len(set(message.name)) != len(message.name):
        return (
            'The device names a joint twice in one message, expected each once; correct its '
            'driver.'
        )
    return ''
