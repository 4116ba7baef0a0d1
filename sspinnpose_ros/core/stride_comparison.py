# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recognize what changes on a sensor in use, by comparing its strides with an earlier one.

People repeat their strides. Where all sensors but one repeat theirs, what changed on that one is
the sensor: it was turned, or misreads. No mounting and no network is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np

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

    @cached_property
    def rate_size(self) -> np.ndarray:
        """Size (7,) of the rates, never zero."""
        rate = self.signal[..., 3:]
        size: np.ndarray = np.sqrt(np.einsum('tsi,tsi->s', rate, rate)) + 1e-9
        return size

    @cached_property
    def rate_spectrum(self) -> np.ndarray:
        """Fourier series (PHASES / 2 + 1, 7, 3) of the rates."""
        return np.fft.rfft(self.signal[..., 3:], axis=0)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Hold what became of each sensor since an earlier stride, NaN where unknown.

    Attributes:
        turned_deg: (7,) angle by which the sensor seems turned.
        rate_factor: (7,) size of its rates against before, over the median of all sensors.
        alike: (7,) correlation of its rates with the earlier ones, once turned back.
        pace: size of all rates against before.
        before: (PHASES, 7, 6) the earlier stride.
        after: (PHASES, 7, 6) the later one, in its phase.

    """

    turned_deg: np.ndarray
    rate_factor: np.ndarray
    alike: np.ndarray
    pace: float
    before: np.ndarray
    after: np.ndarray

    def moved_turn_deg(self) -> np.ndarray:
        """Return `turned_deg` from the changes of force and rate alone.

        A bias leaves them as they are.
        """
        before, after = (each - _mean_force(each) for each in (self.before, self.after))
        crossed = np.einsum('tsi,tsj->sij', before, after)
        moved = best_rotation(crossed[:, :3, :3] + crossed[:, 3:, 3:])
        return np.where(np.isfinite(self.alike), _angle_deg(moved), np.nan)

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
    count = len(window.acceleration)
    signal = np.concatenate([window.acceleration / FORCE_UNIT, window.angular_rate], axis=-1)
    # Circular means over a fortieth of the stride or more, taken at the phases.
    width = max(1, round(count / PHASES)) | 1
    total = np.cumsum(np.concatenate([signal[-width:], signal, signal[:width]]), axis=0)
    centre = np.round(np.arange(PHASES) * count / PHASES).astype(np.int64) + width
    half = width // 2
    mean = (total[centre + half] - total[centre - half - 1]) / width
    return Stride(signal=mean, usable=window.usable.copy())


def compare_strides(before: Stride, after: Stride) -> Comparison:
    """Compare two strides sensor by sensor, at the phase at which most sensors agree best."""
    usable = before.usable & after.usable
    size = before.rate_size * after.rate_size
    shared = before.rate_spectrum.conj() * after.rate_spectrum
    agreement = np.fft.irfft(shared.sum(-1), PHASES, axis=0) / size
    best = np.sort(np.where(usable, agreement, -1.0), axis=1)[:, -4:].sum(1)
    phase = int(np.argmax(best))
    later = np.concatenate([after.signal[phase:], after.signal[:phase]])
    crossed = np.einsum('tsi,tsj->sij', before.signal, later)
    force, rate = crossed[:, :3, :3], crossed[:, 3:, 3:]
    turn = best_rotation(force + rate)
    alike = np.einsum('sji,sij->s', turn, rate) / size
    factor = after.rate_size / before.rate_size
    unknown = np.where(usable, 0.0, np.nan)
    pace = median(factor[usable].tolist()) if usable.any() else float('nan')
    return Comparison(
        turned_deg=_angle_deg(turn) + unknown,
        rate_factor=factor / pace + unknown,
        alike=alike + unknown,
        pace=pace,
        before=before.signal,
        after=later,
    )


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


def _angle_deg(rotation: np.ndarray) -> np.ndarray:
    cosine = 0.5 * (np.trace(rotation, axis1=-2, axis2=-1) - 1.0)
    angle: np.ndarray = np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angle
