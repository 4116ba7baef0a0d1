# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recognize what changes on a sensor in use, by comparing its strides with an earlier one.

People repeat their strides. Where all sensors but one repeat theirs, what changed on that one is
the sensor: it was turned, or misreads. No mounting and no network is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import numpy as np

from sspinnpose_ros.core import native_watch
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.fault import Fault, FaultKind
from sspinnpose_ros.core.stride_window import StrideWindow

PHASES = 40
FORCE_UNIT = 4.0
"""Force that counts like a rate of 1 rad/s, m/s^2."""

FARTHEST_TURN_DEG = {'pelvis': 35.0}
FARTHEST_LEG_TURN_DEG = 25.0
"""How far a sensor may seem turned; recordings reach 20 for the pelvis, which hardly moves, and
14 for the others."""

LARGEST_RATE_FACTOR = 1.7
"""How far a rate of a leg may grow or shrink against those of the other sensors."""

ALIKE = 0.8
"""Correlation of a sensor's rates with its earlier ones, once turned back, of one that repeats."""

SAME_SHAPE = 0.85
"""The same for one whose rate is said to have another gain."""

STILL_ALIKE = 0.5
"""The same for a sensor that is said to be turned."""

UNCHANGED_DEG = 15.0
FEWEST_UNCHANGED = 3
PACE_RANGE = (0.8, 1.25)
"""Rates of all sensors together, against the earlier stride, for the two to be comparable."""


@dataclass(frozen=True, eq=False)
class Stride:
    """Hold one stride on a fixed number of phases.

    Attributes:
        signal: (PHASES, 7, 6) force in `FORCE_UNIT` and rate in rad/s, sensor axes.
        usable: (7,) bool.

    """

    signal: np.ndarray
    usable: np.ndarray


@dataclass(frozen=True, eq=False)
class Comparison:
    """Hold what became of each sensor since an earlier stride, NaN where unknown.

    Attributes:
        turned_deg: (7,) angle by which the sensor seems turned.
        rate_factor: (7,) size of its rates against before, over the median of all sensors.
        alike: (7,) correlation of its rates with the earlier ones, once turned back.
        pace: size of all rates against before.
        before: (PHASES, 7, 6) the earlier stride.
        after: (PHASES, 7, 6) the later one.
        phase: at which the later one agrees with the start of the earlier one.

    """

    turned_deg: np.ndarray
    rate_factor: np.ndarray
    alike: np.ndarray
    pace: float
    before: np.ndarray
    after: np.ndarray
    phase: int

    def moved_turn_deg(self) -> np.ndarray:
        """Return `turned_deg` from the changes of force and rate alone.

        A bias leaves them as they are.
        """
        later = np.roll(self.after, -self.phase, axis=0)
        before, after = (each - _mean_force(each) for each in (self.before, later))
        crossed = np.einsum('tsi,tsj->sij', before, after)
        moved = best_rotation(crossed[:, :3, :3] + crossed[:, 3:, 3:])
        return np.where(np.isfinite(self.alike), np.rad2deg(_angle(moved)), np.nan)

    @property
    def unchanged(self) -> np.ndarray:
        """Sensors (7,) that repeat their strides."""
        same: np.ndarray = (self.alike > ALIKE) & (self.turned_deg < UNCHANGED_DEG)
        return same

    @property
    def comparable(self) -> bool:
        """Whether most sensors repeat their strides, so that another's change is its own."""
        low, high = PACE_RANGE
        known = np.isfinite(self.alike)
        unchanged = int(self.unchanged.sum())
        return (
            low < self.pace < high
            and unchanged >= FEWEST_UNCHANGED
            and 2 * unchanged > int(known.sum())
        )

    def faults(self) -> list[Fault]:
        """Name the sensors that changed; empty where the strides are not comparable."""
        if not self.comparable:
            return []
        found = []
        for row in np.flatnonzero(np.isfinite(self.alike)).tolist():
            sensor, turned = SENSORS[row], float(self.turned_deg[row])
            factor = float(self.rate_factor[row])
            limit = FARTHEST_TURN_DEG.get(sensor, FARTHEST_LEG_TURN_DEG)
            if turned > limit and self.alike[row] > STILL_ALIKE:
                found.append(self._turned(sensor, turned, float(self.moved_turn_deg()[row])))
            elif (
                sensor != 'pelvis'
                and not 1.0 / LARGEST_RATE_FACTOR < factor < LARGEST_RATE_FACTOR
                and self.alike[row] > SAME_SHAPE
            ):
                found.append(
                    Fault(
                        kind=FaultKind.RATE_GAIN,
                        sensors=(sensor,),
                        sentence=f'{sensor} turns {factor:.2f} times as fast as earlier while '
                        'the other sensors repeat their strides, expected about 1: the gain of '
                        'its gyro changed; start it again or replace it.',
                        size=factor,
                    )
                )
        return found

    def _turned(self, sensor: str, turned: float, moved: float) -> Fault:
        if moved < 0.5 * turned:
            return Fault(
                kind=FaultKind.FORCE_BIAS,
                sensors=(sensor,),
                sentence=f'{sensor} measures a mean force {turned:.0f} degrees from where it was, '
                'but moves as before, expected the same: its accelerometer has a bias; calibrate '
                'again or replace it.',
                size=turned,
            )
        return Fault(
            kind=FaultKind.TURNED,
            sensors=(sensor,),
            sentence=f'{sensor} turned by {turned:.0f} degrees on its segment while the other '
            'sensors repeat their strides, expected none: its strap slipped; put it back as it '
            'was, or calibrate again.',
            size=turned,
        )


def stride_of(window: StrideWindow) -> Stride:
    """Bring a steady window onto fixed phases."""
    return Stride(
        signal=phases(acceleration=window.acceleration, angular_rate=window.angular_rate),
        usable=window.usable.copy(),
    )


def phases(*, acceleration: np.ndarray, angular_rate: np.ndarray) -> np.ndarray:
    """Return circular means of (P, 7, 3) signals over a fortieth of the stride or more.

    They are (PHASES, 7, 6), force in `FORCE_UNIT` and rate, taken at the phases.
    """
    if native_watch.watches_in_c():
        return native_watch.phases(
            acceleration=acceleration, angular_rate=angular_rate, unit=FORCE_UNIT, number=PHASES
        )
    count = len(acceleration)
    signal = np.concatenate([acceleration / FORCE_UNIT, angular_rate], axis=-1)
    width = max(1, round(count / PHASES)) | 1
    total = np.cumsum(np.concatenate([signal[-width:], signal, signal[:width]]), axis=0)
    centre = np.round(np.arange(PHASES) * count / PHASES).astype(np.int64) + width
    half = width // 2
    mean: np.ndarray = (total[centre + half] - total[centre - half - 1]) / width
    return mean


def compare_strides(before: Stride, after: Stride) -> Comparison:
    """Compare two strides sensor by sensor, at the phase at which most sensors agree best."""
    usable = before.usable & after.usable
    phase, turned, alike, factor = compared(before.signal, after.signal, usable=usable)
    unknown = np.where(usable, 0.0, np.nan)
    pace = median(factor[usable].tolist()) if usable.any() else float('nan')
    return Comparison(
        turned_deg=np.rad2deg(turned) + unknown,
        rate_factor=factor / pace + unknown,
        alike=alike + unknown,
        pace=pace,
        before=before.signal,
        after=after.signal,
        phase=phase,
    )


def compared(
    before: np.ndarray, after: np.ndarray, *, usable: np.ndarray
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Compare the signals of two strides, of which not usable sensors count as unlike.

    Args:
        before: (PHASES, 7, 6) as `Stride.signal`.
        after: (PHASES, 7, 6) the same.
        usable: (7,) bool.

    Returns:
        By how many phases `after` is later; and for each sensor the angle by which it seems
        turned, rad, the correlation of its rates once turned back, and their size against before.

    """
    if native_watch.watches_in_c():
        return native_watch.compare(before, after, usable=usable)
    rate_before, rate_after = before[..., 3:], after[..., 3:]
    size_before = np.sqrt((rate_before**2).sum((0, 2))) + 1e-9
    size_after = np.sqrt((rate_after**2).sum((0, 2))) + 1e-9
    size = size_before * size_after
    shared = np.fft.rfft(rate_before, axis=0).conj() * np.fft.rfft(rate_after, axis=0)
    agreement = np.fft.irfft(shared.sum(-1), len(before), axis=0) / size
    best = np.sort(np.where(usable, agreement, -1.0), axis=1)[:, -4:].sum(1)
    phase = int(np.argmax(best))
    crossed = np.einsum('tsi,tsj->sij', before, np.roll(after, -phase, axis=0))
    rate = crossed[:, 3:, 3:]
    turn = best_rotation(crossed[:, :3, :3] + rate)
    alike = np.einsum('sji,sij->s', turn, rate) / size
    return phase, _angle(turn), alike, size_after / size_before


def best_rotation(crossed: np.ndarray) -> np.ndarray:
    """Return rotations (S, 3, 3) that take vectors nearest to others (Kabsch, 1976).

    `crossed` (S, 3, 3) sums the products of each vector, rows, with the other one, columns.
    """
    u, _, v = np.linalg.svd(crossed)
    sign = np.sign(np.linalg.det(u @ v))
    v[:, 2] *= sign[:, None]
    rotation: np.ndarray = (u @ v).swapaxes(-1, -2)
    return rotation


def _mean_force(signal: np.ndarray) -> np.ndarray:
    mean: np.ndarray = signal.mean(0) * np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    return mean


def _angle(rotation: np.ndarray) -> np.ndarray:
    cosine = 0.5 * (np.trace(rotation, axis1=-2, axis2=-1) - 1.0)
    angle: np.ndarray = np.arccos(np.clip(cosine, -1.0, 1.0))
    return angle
