# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run synchronizer and estimator together, with the state between frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import JOINTS, POSSIBLE_ANGLE_DEG, SENSORS
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level, estimate_status
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.estimator_state import EstimatorState
from sspinnpose_ros.core.fault import Fault, FaultKind
from sspinnpose_ros.core.fault_watch import FaultWatch, stuck_faults
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.recent_residual import RecentResidual
from sspinnpose_ros.core.sensor_return import SensorReturn
from sspinnpose_ros.core.synchronizer import Synchronizer

LEFT_OUT = 1.5
"""Frames further apart than this many periods are not consecutive."""

SIGMA_MEMORY_S = 1.0
"""Sigmas swing with the stride; the verdict looks at their mean over about this time."""

POSSIBLE_ANGLE_RAD = np.deg2rad(POSSIBLE_ANGLE_DEG).tolist()
IMPOSSIBLE_MEMORY_S = 1.0
"""How long an impossible angle marks the estimates that follow."""

LARGEST_RESIDUAL = np.array([25.0, 8.0])
"""Root mean square of force (m/s^2) and rate (rad/s) over the last second that a sensor may be off
its virtual twin: twice what recorded runners reach."""


@dataclass(frozen=True)
class PipelineConfig:
    """Set what it takes to give out estimates.

    Attributes:
        min_sensors: estimates stop while fewer sensors than this are present.
        settle_s: estimates this young after a start are marked WARN, s.
        rejoin_s: a sensor that was silent is used again after it was there for this long without
            a gap, has a settled inclination filter and agrees with the rest, s.
        largest_angle_sigma_deg: estimates are marked WARN while one sigma of a joint angle is
            larger than this, degrees.

    """

    min_sensors: int = 3
    settle_s: float = 1.0
    rejoin_s: float = 1.5
    largest_angle_sigma_deg: float = 15.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """Hold what came of one frame.

    Attributes:
        frame: the sensors' samples.
        estimate: None where the status is ERROR or STALE.
        status: the verdict.

    """

    frame: Frame
    estimate: Estimate | None
    status: EstimateStatus


class Pipeline:
    """Turn samples into estimates; the node and `sspinnpose estimate` both run this object.

    A sensor that was silent is watched before it is used again (`SensorReturn`); meanwhile it
    counts as missing. The estimator starts afresh after every reset of the synchronizer, after
    skipped frames and after too few sensors were present.

    Attributes:
        synchronizer: what samples go through.
        estimator: None while there is no calibration; may be replaced at any time.
        instruction: what the wearer is to do while there is no calibration.
        watch: looks for faults of the sensors.
        residual: what the estimates lately left unexplained of each sensor.
        unchecked: whether signals still wait to be looked at; estimates are then marked WARN. Set
            it where nobody else looks at them first.

    """

    def __init__(
        self,
        *,
        synchronizer: Synchronizer,
        estimator: Estimator | None,
        config: PipelineConfig | None = None,
    ) -> None:
        """Connect a synchronizer to an estimator, or to None while there is no calibration."""
        self.synchronizer = synchronizer
        self.estimator = estimator
        self.watch = FaultWatch(rate_hz=synchronizer.config.rate_hz)
        self._watched = estimator
        self.unchecked = False
        self.instruction = 'stand for some seconds, walk for twenty, then calibrate'
        self._config = config or PipelineConfig()
        self._worn = [name in synchronizer.statistics.sensors for name in SENSORS]
        self._state: EstimatorState | None = None
        self._return = SensorReturn(
            rate_hz=synchronizer.config.rate_hz,
            timeout_s=synchronizer.config.sensor_timeout_s,
            rejoin_s=self._config.rejoin_s,
        )
        self._steps = 0
        self._angle_sigma: np.ndarray | None = None
        self._impossible_until = [0.0] * len(JOINTS)
        self.residual = RecentResidual(rate_hz=synchronizer.config.rate_hz)
        self._resets = 0
        self._last_time = -np.inf

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Faults of the sensors that are believed in; nothing is estimated at those of ERROR."""
        return (*self.watch.faults, *stuck_faults(self.synchronizer.statistics))

    def push(self, *, sensor: str, stamp_s: float, sample: np.ndarray, arrival_s: float) -> None:
        """Take one sample, as `Synchronizer.push`."""
        self.synchronizer.push(sensor=sensor, stamp_s=stamp_s, sample=sample, arrival_s=arrival_s)

    def drain(self, *, now_s: float) -> list[Outcome]:
        """Return what came of the frames that are due, oldest first."""
        frames = self.synchronizer.drain(now_s=now_s)
        return [self._advance(frame) for frame in frames] if frames else []

    def flush(self) -> list[Outcome]:
        """Return what came of the last frames of a recording."""
        return [self._advance(frame) for frame in self.synchronizer.flush()]

    def reset(self, reason: str = 'asked for') -> None:
        """Forget all samples and faults and start the estimator afresh."""
        self.watch.forget()
        self.residual.clear()
        self.synchronizer.reset(reason)

    def _advance(self, frame: Frame) -> Outcome:
        resets = self.synchronizer.statistics.resets
        period = 1.0 / self.synchronizer.config.rate_hz
        if resets != self._resets or frame.time_s - self._last_time > LEFT_OUT * period:
            self._state = None
            self.watch.interrupt()
        if self._watched is not self.estimator:
            self._watched = self.estimator
            self.watch.forget()
        self.watch.note(frame, estimator=self.estimator)
        self.unchecked &= not self.watch.looked
        faults = self.faults
        self._resets, self._last_time = resets, frame.time_s
        if self.estimator is None:
            return self._without(frame, Level.ERROR, f'not calibrated: {self.instruction}')
        away = self._return.away()
        # What is wrong with a sensor that is not used spoils nothing.
        grave = [
            fault.sentence
            for fault in faults
            if fault.level == Level.ERROR and not away.issuperset(fault.sensors)
        ]
        if grave:
            return self._without(frame, Level.ERROR, ' '.join(grave))
        if self._state is None:
            self._state, self._steps = self.estimator.initial_state(), 0
            self._return.clear()
            self._angle_sigma = None
            self._impossible_until = [0.0] * len(JOINTS)
            self.residual.clear()
        there = frame.present & self.estimator.mounted
        used = self._return.used(
            there,
            settled=self.estimator.settled(self._state),
            starting=self._steps * period < self._config.settle_s,
        )
        missing = tuple(
            name
            for name, worn, flag in zip(SENSORS, self._worn, used.tolist(), strict=True)
            if worn and not flag
        )
        if np.count_nonzero(used) < self._config.min_sensors:
            return self._without(
                frame,
                Level.STALE,
                f'too few sensors: {_missing(missing)}at least {self._config.min_sensors} needed',
                missing,
            )
        self._state, estimate = self.estimator.step(self._state, frame, used=used)
        self._return.note_residual(estimate.residual)
        self._steps += 1
        if not _is_finite(estimate):
            return self._without(
                frame, Level.ERROR, 'the estimate was not finite and starts afresh', missing
            )
        settling = self._config.settle_s - self._steps * period
        return Outcome(
            frame,
            estimate,
            estimate_status(
                missing=missing,
                watched=self._return.watched(there),
                settling_s=settling,
                unchecked=self.unchecked,
                uncertain=self._uncertain(estimate, period_s=period),
                largest_angle_sigma_deg=self._config.largest_angle_sigma_deg,
                impossible=self._impossible(estimate),
                faults=(*faults, *self._unexplained(estimate)),
            ),
        )

    def _uncertain(self, estimate: Estimate, *, period_s: float) -> tuple[str, ...]:
        if not estimate.has_sigma:
            return ()
        before = estimate.angle_sigma if self._angle_sigma is None else self._angle_sigma
        part = min(1.0, period_s / SIGMA_MEMORY_S)
        self._angle_sigma = before + part * (estimate.angle_sigma - before)
        limit = math.radians(self._config.largest_angle_sigma_deg)
        if max(self._angle_sigma.tolist()) <= limit:
            return ()
        return tuple(
            joint
            for joint, sigma in zip(JOINTS, self._angle_sigma.tolist(), strict=True)
            if sigma > limit
        )

    def _impossible(self, estimate: Estimate) -> tuple[str, ...]:
        angles = estimate.q[3:].tolist()
        for index, (low, high) in enumerate(POSSIBLE_ANGLE_RAD):
            if not low <= angles[index] <= high:
                memory = IMPOSSIBLE_MEMORY_S * self.synchronizer.config.rate_hz
                self._impossible_until[index] = self._steps + memory
        if max(self._impossible_until) < self._steps:
            return ()
        return tuple(
            joint
            for joint, until in zip(JOINTS, self._impossible_until, strict=True)
            if until >= self._steps
        )

    def _unexplained(self, estimate: Estimate) -> list[Fault]:
        self.residual.append(estimate.residual)
        seen = self.residual.root_mean_square()
        large = (seen > LARGEST_RESIDUAL).any(-1) & self.residual.known
        if not large.any():
            return []
        force, rate = LARGEST_RESIDUAL.tolist()
        return [
            Fault(
                kind=FaultKind.UNEXPLAINED,
                sensors=(SENSORS[row],),
                sentence=f'{SENSORS[row]} is far from what the estimate explains: '
                f'{seen[row, 0]:.0f} m/s^2 and {seen[row, 1]:.1f} rad/s over the last second, '
                f'expected less than {force:.0f} and {rate:.0f}; check where and how it is worn.',
                size=float((seen[row] / LARGEST_RESIDUAL).max()),
            )
            for row in np.flatnonzero(large).tolist()
        ]

    def _without(
        self, frame: Frame, level: Level, message: str, missing: tuple[str, ...] = ()
    ) -> Outcome:
        self._state = None
        labels = tuple(fault.label for fault in self.faults)
        return Outcome(frame, None, EstimateStatus(level, message, missing, labels))


def _missing(names: tuple[str, ...]) -> str:
    return f'{", ".join(names)} missing, ' if names else ''


def _is_finite(estimate: Estimate) -> bool:
    # A sum is finite if all that is summed is; an unknown sigma is NaN and may be.
    certain = (*estimate.q.tolist(), *estimate.qd.tolist(), *estimate.effort.tolist())
    sigmas = (*estimate.angle_sigma.tolist(), *estimate.effort_sigma.tolist())
    return (
        math.isfinite(sum(certain) + sum(estimate.sole_wrench.ravel().tolist()))
        and not math.isinf(sum(sigmas))
        and not math.isinf(sum(estimate.ground_force_sigma.ravel().tolist()))
    )
