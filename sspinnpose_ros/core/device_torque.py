# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Split a joint moment into what a worn device applies and what the person does.

The estimated moment is that of everything that acts across a joint: muscles, ligaments and any
exoskeleton. With the torque that the device applies, the rest is the person's own share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sspinnpose_ros.core.conventions import JOINTS
from sspinnpose_ros.core.errors import DeviceError
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.pipeline import Outcome

LARGEST_TORQUE_NM = 500.0
"""Above what any worn device applies at a joint: larger numbers are in another unit."""

LARGEST_STEP_BACK_S = 1.0
"""A stamp further than this before the newest is no late sample but a clock that was put back."""

CAPACITY = 2048
"""Samples that are kept of a joint, if nobody asks for so long."""


@dataclass(frozen=True)
class DeviceTorqueConfig:
    """Set which joints a device drives and how long its word holds.

    Attributes:
        joints: out of `conventions.JOINTS`; at all others the device applies nothing.
        timeout_s: a torque is known for this long after its stamp, s.

    """

    joints: tuple[str, ...]
    timeout_s: float = 0.1


@dataclass(frozen=True, eq=False)
class DeviceTorqueReading:
    """Hold the device's torque at one instant.

    Attributes:
        torque: (6,) N m along each joint, in the order of `JOINTS`; zero where it is not known.
        known: (6,) bool; true at joints that the device does not drive.

    """

    torque: np.ndarray
    known: np.ndarray

    @property
    def unknown_joints(self) -> tuple[str, ...]:
        """Joints whose torque is not known."""
        return tuple(joint for joint, known in zip(JOINTS, self.known, strict=True) if not known)


@dataclass
class DeviceTorqueCounts:
    """Count samples of the joints since the start.

    Attributes:
        received: samples given.
        late: those not newer than the one before, which are not used.
        steps_back: how often the device's clock was put back.

    """

    received: int = 0
    late: int = 0
    steps_back: int = 0


class DeviceTorque:
    """Keep the torques of a device by stamp, and take them off the moments of estimates."""

    def __init__(self, *, config: DeviceTorqueConfig) -> None:
        """Begin without any torque.

        Raises:
            DeviceError: for an unknown joint, one named twice, none, and a timeout that is not
                positive.

        """
        unknown = [joint for joint in config.joints if joint not in JOINTS]
        if unknown or not config.joints or len(set(config.joints)) != len(config.joints):
            raise DeviceError(
                f'The device drives {list(config.joints)}, expected each driven joint once, out '
                f'of {", ".join(JOINTS)}; correct the names.'
            )
        if not config.timeout_s > 0.0:
            raise DeviceError(
                f'The timeout of the device is {config.timeout_s} s, expected a positive time; '
                'set about three of its periods.'
            )
        self.config = config
        self.counts = DeviceTorqueCounts()
        self._samples: dict[str, deque[tuple[float, float]]] = {
            joint: deque(maxlen=CAPACITY) for joint in config.joints
        }
        self._driven = np.isin(JOINTS, config.joints)

    def clear(self) -> None:
        """Forget all torques, as after a jump of the clock."""
        for samples in self._samples.values():
            samples.clear()

    def push(self, *, stamp_s: float, torque: Mapping[str, float]) -> None:
        """Take torques of one instant.

        Args:
            stamp_s: when they were applied, on the clock of the estimates, s.
            torque: N m along the joint, by joint; joints that are not driven are ignored.

        Raises:
            DeviceError: for a torque that is not finite or larger than any device's; nothing of
                such an instant is kept.

        """
        for joint, value in torque.items():
            # Written so that NaN is refused.
            if joint in self._samples and not abs(value) <= LARGEST_TORQUE_NM:
                raise DeviceError(
                    f'The device says it applies {value:g} at {joint}, expected N m, at most '
                    f'{LARGEST_TORQUE_NM:g} either way; check its unit and its driver.'
                )
        for joint, value in torque.items():
            samples = self._samples.get(joint)
            if samples is None:
                continue
            self.counts.received += 1
            if samples and stamp_s <= samples[-1][0]:
                if samples[-1][0] - stamp_s <= LARGEST_STEP_BACK_S:
                    self.counts.late += 1
                    continue
                self.counts.steps_back += 1
                samples.clear()
            samples.append((stamp_s, float(value)))

    def read(self, *, time_s: float) -> DeviceTorqueReading:
        """Return the torque at an instant; instants must not go back but after `clear`.

        Between two samples at most `timeout_s` apart it is interpolated, otherwise the newest
        before the instant holds for `timeout_s`. Nobody waits for the device, which would delay
        the estimates.
        """
        torque = np.zeros(len(JOINTS))
        known = ~self._driven
        for joint, samples in self._samples.items():
            while len(samples) > 1 and samples[1][0] <= time_s:
                samples.popleft()
            if not samples:
                continue
            before_s, before = samples[0]
            if not 0.0 <= time_s - before_s <= self.config.timeout_s:
                continue
            index = JOINTS.index(joint)
            known[index] = True
            torque[index] = before
            if len(samples) > 1:
                after_s, after = samples[1]
                if after_s - before_s <= self.config.timeout_s:
                    part = (time_s - before_s) / (after_s - before_s)
                    torque[index] = before + part * (after - before)
        return DeviceTorqueReading(torque=torque, known=known)

    def share(self, outcome: Outcome) -> Outcome:
        """Return an outcome whose `effort` is the person's own share.

        Where the device's torque is not known, nobody knows the share: the effort is zero there,
        its sigma NaN, and the status WARN names the joint. Zero and not the total, since a
        device that assists by a part of an effort with its own torque in it drives itself up.

        Args:
            outcome: with the net moments of person and device; without an estimate it is
                returned as it is.

        Returns:
            The outcome; all but `effort`, its sigma and the status is unchanged.

        """
        estimate = outcome.estimate
        if estimate is None:
            return outcome
        reading = self.read(time_s=outcome.frame.time_s)
        effort = np.where(reading.known, estimate.effort - reading.torque, 0.0)
        status, sigma = outcome.status, estimate.effort_sigma
        if not reading.known.all():
            status = _with_unknown(status, reading.unknown_joints)
            sigma = np.where(reading.known, sigma, np.nan)
        return Outcome(outcome.frame, replace(estimate, effort=effort, effort_sigma=sigma), status)


def _with_unknown(status: EstimateStatus, joints: Sequence[str]) -> EstimateStatus:
    reason = f'torque of the device at {", ".join(joints)} unknown, effort there given as 0'
    message = reason if status.level == Level.OK else f'{status.message}; {reason}'
    return replace(status, level=max(status.level, Level.WARN), message=message)
