# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watch the newest frames for faults, a little in every frame, and believe what lasts."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np

from sspinnpose_ros.core.channel_faults import saturated_channels, still_channels
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.fault import Fault, FaultKind
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.joint_agreement import JointAgreement
from sspinnpose_ros.core.leg_sides import legs_swapped
from sspinnpose_ros.core.mean_faults import mounted_faults, reads_gravity, unit_faults
from sspinnpose_ros.core.mounting import MountingArrays
from sspinnpose_ros.core.plausibility import STUCK_S, stuck_sentence
from sspinnpose_ros.core.recent_frames import FrameSeries, RecentFrames
from sspinnpose_ros.core.stride_comparison import Comparison, Stride, compare_strides, stride_of
from sspinnpose_ros.core.stride_window import (
    ABSURD,
    NEEDED_S,
    StrideWindow,
    stride_window,
    window_mean,
)
from sspinnpose_ros.core.synchronizer import SynchronizerStatistics

LOOK_S = 0.25
"""From one look to the next, each of which takes several frames."""

LAST_LOOKS = 3
"""Looks in a row that must show a fault before it is believed."""

EVIDENT = frozenset({FaultKind.SATURATED, FaultKind.STUCK_AXIS, FaultKind.ABSURD_VALUE})
"""Faults that are believed at once, as no movement looks like them."""

FORGIVING_LOOKS = 4
"""Looks in a row that must not show it before it is forgotten."""

SETTLED = 0.08
"""Most that the mean force may have changed since the last look, as part of gravity or of itself,
lest half a stride before and half after a fault be taken for another fault."""

REFERENCE_LOOKS = 8
"""Steady looks without any fault before a stride is kept to compare later ones with."""

MOST_REFERENCES = 3

WHILE_IN_USE = frozenset({FaultKind.TURNED, FaultKind.FORCE_BIAS, FaultKind.RATE_GAIN})
SPOILS_ALL = frozenset(
    {
        FaultKind.UNIT_DEG_S,
        FaultKind.UNIT_G,
        FaultKind.GRAVITY_REMOVED,
        FaultKind.FORCE_UNIT,
        FaultKind.STUCK_AXIS,
    }
)
"""A sensor with one of these shows others too, which nobody needs to hear of."""

SHOWN_BY_WALKING = frozenset(
    {FaultKind.SWAPPED, FaultKind.BACK_TO_FRONT, FaultKind.LEGS_SWAPPED, FaultKind.UNIT_DEG_S}
)
"""Faults that a wearer who stands still does not show, which then says nothing against them."""

MISPLACED = frozenset({FaultKind.SWAPPED, FaultKind.WORN_OTHERWISE, FaultKind.BACK_TO_FRONT})


@dataclass(frozen=True, eq=False)
class _Judged:
    """Hold what one look can speak against.

    Attributes:
        usable: (7,) bool, sensors that were there.
        walking: (7,) bool, sensors whose movement in steady walking was looked at.

    """

    usable: np.ndarray
    walking: np.ndarray

    def speaks_of(self, fault: Fault) -> bool:
        """Tell whether a fault would have shown in this look, or nobody reads its sensors."""
        rows = np.isin(SENSORS, fault.sensors)
        if fault.kind not in SHOWN_BY_WALKING or not self.usable[rows].any():
            return True
        if fault.kind == FaultKind.LEGS_SWAPPED:
            return bool(self.walking[0])
        return bool(self.walking[rows].all())


NOTHING_JUDGED = _Judged(usable=np.ones(len(SENSORS), bool), walking=np.zeros(len(SENSORS), bool))


@dataclass
class _Belief:
    fault: Fault
    seen: int = 0
    unseen: int = 0
    believed: bool = False


class FaultWatch:
    """Look for the faults that signals and mounting show, without the network.

    One look takes the newest frames, every `LOOK_S`, and spreads its work over the frames that
    follow, so that no frame takes long. A fault is believed after `LAST_LOOKS` looks in a row.

    Attributes:
        faults: those believed in.
        looked: whether the signals have been looked at for long enough to believe a fault.

    """

    def __init__(self, *, rate_hz: float) -> None:
        """Begin to watch frames that come `rate_hz` times a second."""
        self._period = 1.0 / rate_hz
        self._recent = RecentFrames(capacity=round(NEEDED_S * rate_hz) + 1)
        self._pause = max(1, round(LOOK_S * rate_hz))
        self.forget()

    def forget(self) -> None:
        """Forget everything, as when sensors may have been put on anew."""
        self._references: list[Stride] = []
        self._beliefs: dict[tuple[FaultKind, tuple[str, ...]], _Belief] = {}
        self.faults: tuple[Fault, ...] = ()
        self._looks = 0
        self.interrupt()

    def interrupt(self) -> None:
        """Forget the newest frames, as where the stamps have a gap."""
        self._recent.clear()
        self._until = self._pause
        self._work: Iterator[None] | None = None
        self._last_force = np.full(len(SENSORS), np.nan)
        self._calm = 0
        self._wearer: Estimator | None = None
        self._agreement: JointAgreement | None = None

    @property
    def looked(self) -> bool:
        """Whether a fault that was there from the start would have been believed by now."""
        return self._looks > LAST_LOOKS

    def note(self, frame: Frame, *, estimator: Estimator | None) -> None:
        """Take one more frame, one period after the last.

        Args:
            frame: what the sensors measured.
            estimator: whose mounting holds, None where none is known.

        """
        self._recent.append(frame)
        self._until -= 1
        if self._work is not None:
            if next(self._work, self) is self:
                self._work = None
        elif self._until <= 0:
            self._until = self._pause
            self._work = self._look(estimator)

    def _look(self, estimator: Estimator | None) -> Iterator[None]:
        """Look once; every step is the work of one frame."""
        series = self._recent.last(len(self._recent))
        absurd = _absurd(series)
        if absurd:
            self._believe(absurd, None, NOTHING_JUDGED)
            return
        yield
        window = stride_window(series, period_s=self._period)
        if window is None:
            return
        yield
        lateral, mounting = _mounting_of(estimator)
        found = saturated_channels(_whole(series, window))
        found += still_channels(series, period_s=self._period, lateral=lateral)
        yield
        mean = window_mean(window)
        force = mean.size
        change = np.abs(force - self._last_force)
        settled = change < SETTLED * np.maximum(force, GRAVITY)
        self._last_force = np.where(window.usable, force, np.nan)
        yield
        found += unit_faults(window, mean=mean, judged=settled)
        walking = window.usable & window.steady
        if estimator is not None and mounting is not None:
            yield
            found += mounted_faults(
                window,
                mean=mean,
                mounting=mounting,
                mounted=estimator.mounted,
                judged=settled,
            )
            if window.steady:
                known = self._trusted(window, force=force, estimator=estimator, found=found)
                walking = known
                fault = _leg_sides(window, mounting, known=known)
                found += [] if fault is None else [fault]
                yield
                fault = yield from self._agreement_of(estimator).search(
                    acceleration=window.acceleration,
                    angular_rate=window.angular_rate,
                    known=known,
                    period_s=window.period_s,
                )
                found += [] if fault is None else [fault]
        comparison = None
        if window.steady:
            yield
            comparison = yield from self._compare(stride_of(window), found)
        yield
        judged = _Judged(usable=window.usable, walking=walking)
        self._believe(_without_consequences(found), comparison, judged)

    def _trusted(
        self,
        window: StrideWindow,
        *,
        force: np.ndarray,
        estimator: Estimator,
        found: list[Fault],
    ) -> np.ndarray:
        """Return (7,) whose joints can tell something: nothing is wrong with the sensor itself."""
        gain = np.ones(len(SENSORS))
        gain[estimator.mounted] = estimator.mounting_arrays.acceleration_gain
        reading = np.linalg.norm(window.mean_acceleration, axis=-1) / gain
        # A mean force that is small in axes that should not turn may be the gyro's fault.
        doubtful = set(np.asarray(SENSORS)[reading > GRAVITY].tolist())
        wrong = {
            sensor
            for fault in found
            for sensor in fault.sensors
            if not (fault.kind == FaultKind.FORCE_GAIN and fault.size < 0 and sensor in doubtful)
        }
        sound = reads_gravity(window, force=force, gain=gain) & ~np.isin(SENSORS, list(wrong))
        trusted: np.ndarray = window.usable & estimator.mounted & sound
        return trusted

    def _agreement_of(self, estimator: Estimator) -> JointAgreement:
        if self._agreement is None or self._wearer is not estimator:
            self._wearer = estimator
            self._agreement = JointAgreement(
                mounting=estimator.mounting_arrays,
                mounted=estimator.mounted,
                position_m=estimator.sensor_position_m,
                leg_length_m=np.asarray(estimator.body.leg_length),
            )
        return self._agreement

    def _compare(
        self, stride: Stride, found: list[Fault]
    ) -> Generator[None, None, Comparison | None]:
        """Compare with the kept stride that fits best, or keep this one."""
        best: Comparison | None = None
        most = 0
        for reference in self._references:
            # None fits better than one in which every sensor repeats its stride.
            if most < len(SENSORS):
                one = compare_strides(reference, stride)
                unchanged = int(one.unchanged.sum())
                if one.comparable and (best is None or unchanged > most):
                    best, most = one, unchanged
            yield
        if best is not None:
            found += best.faults()
        doubt = bool(found) or bool(self._beliefs)
        self._calm = 0 if doubt or best is not None else self._calm + 1
        if self._calm >= REFERENCE_LOOKS:
            self._references = [*self._references[: MOST_REFERENCES - 1], stride]
            self._calm = 0
        return best

    def _believe(self, found: list[Fault], comparison: Comparison | None, judged: _Judged) -> None:
        self._looks += 1
        shown = {(fault.kind, fault.sensors): fault for fault in found}
        for key, fault in shown.items():
            belief = self._beliefs.setdefault(key, _Belief(fault))
            belief.seen += 1
            belief.unseen = 0
            if not belief.believed:
                belief.fault = fault
                belief.believed = belief.seen >= (1 if fault.kind in EVIDENT else LAST_LOOKS)
        for key, belief in list(self._beliefs.items()):
            if key in shown:
                continue
            if key[0] in WHILE_IN_USE and belief.believed and comparison is None:
                # Nothing could be compared, so nothing speaks against it either.
                continue
            if belief.believed and not judged.speaks_of(belief.fault):
                continue
            belief.seen = 0
            belief.unseen += 1
            if not belief.believed or belief.unseen >= FORGIVING_LOOKS:
                del self._beliefs[key]
        believed = [one.fault for one in self._beliefs.values() if one.believed]
        self.faults = tuple(_without_consequences(believed))


def _mounting_of(
    estimator: Estimator | None,
) -> tuple[np.ndarray | None, MountingArrays | None]:
    if estimator is None:
        return None, None
    mounting = estimator.mounting_arrays
    lateral = np.full((len(SENSORS), 3), np.nan)
    lateral[estimator.mounted] = mounting.rotation[:, 1]
    return lateral, mounting


def stuck_faults(statistics: SynchronizerStatistics) -> list[Fault]:
    """Name sensors that repeat the same values under new stamps."""
    return [
        Fault(
            kind=FaultKind.STUCK,
            sensors=(sensor,),
            sentence=stuck_sentence(sensor, counts.repeating_s),
            size=counts.repeating_s,
        )
        for sensor, counts in statistics.sensors.items()
        if counts.repeating_s >= STUCK_S
    ]


def _absurd(series: FrameSeries) -> list[Fault]:
    """Name sensors with values that would spoil all arithmetic."""
    largest = series.largest
    return [
        Fault(
            kind=FaultKind.ABSURD_VALUE,
            sensors=(SENSORS[row],),
            sentence=f'{SENSORS[row]} sent values of up to {largest[row]:.2g}, expected m/s^2 and '
            'rad/s; check its driver.',
            size=float(largest[row]),
        )
        for row in np.flatnonzero(~(largest < ABSURD)).tolist()
    ]


def _leg_sides(
    window: StrideWindow, mounting: MountingArrays, *, known: np.ndarray
) -> Fault | None:
    if not known[0]:
        return None
    force = window.acceleration[:, 0] - mounting.acceleration_bias_m_s2[0]
    return legs_swapped(
        left_force=force @ mounting.rotation[0, 1] / mounting.acceleration_gain[0],
        turning=window.speed,
        known=known,
        period_s=window.period_s,
    )


def _whole(series: FrameSeries, window: StrideWindow) -> FrameSeries:
    """Return the series with zeros for sensors that are not usable."""
    if window.usable.all():
        return series
    return replace(series, imu=series.imu * window.usable[:, None])


def _without_consequences(found: list[Fault]) -> list[Fault]:
    """Leave out what other faults bring about."""

    def sensors(*kinds: FaultKind) -> set[str]:
        return {sensor for one in found if one.kind in kinds for sensor in one.sensors}

    spoilt = sensors(*SPOILS_ALL)
    moved = sensors(*MISPLACED)
    scaled = sensors(FaultKind.RATE_GAIN)
    broken = any(one.kind in SPOILS_ALL | MISPLACED for one in found)
    kept = []
    for one in found:
        own = set(one.sensors)
        if one.kind in SPOILS_ALL:
            kept.append(one)
        elif one.kind == FaultKind.LEGS_SWAPPED:
            kept += [] if broken else [one]
        elif not own & spoilt:
            explained = (one.kind in WHILE_IN_USE and own & moved) or (
                one.kind in (FaultKind.FORCE_GAIN, FaultKind.RATE_BIAS) and own & scaled
            )
            kept += [] if explained else [one]
    return kept
