# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cut the last whole stride out of the newest samples, however the sensors are turned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np

from sspinnpose_ros.core import native_watch
from sspinnpose_ros.core.calibration_input import LEG_SENSORS
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.drift_free import steady_mean
from sspinnpose_ros.core.recent_frames import FrameSeries

SHORTEST_STRIDE_S = 0.5
LONGEST_STRIDE_S = 1.9
TAIL_S = 0.6
"""How much of the newest signal is compared with what came one stride earlier."""

NEEDED_S = LONGEST_STRIDE_S + TAIL_S
"""How much signal it takes to find the longest stride."""

RESTLESS_S = 1.5
"""What is looked at where no stride repeats."""

FAIR_REPEAT = 0.7
"""How alike the last two strides of a steady walker are at least, 0 to 1; recordings: 0.76."""

MOVING_RAD_S = 0.6
"""Root mean square rate of the median leg sensor above which the wearer walks; the slowest
recorded stride has 1.4."""

SLIGHT_RAD_S = 0.3
WHOLE = 0.95
FEWEST_LEG_SENSORS = 2

ABSURD = 1e6
"""No sensor measures this, in whatever unit, and squares of it are still numbers."""

LEGS = np.isin(SENSORS, LEG_SENSORS)


@dataclass(frozen=True, eq=False)
class StrideWindow:
    """Hold the newest samples of whole sensors: one stride, or some time where nobody walks.

    Attributes:
        acceleration: (P, 7, 3) specific force as received, sensor axes, m/s^2.
        angular_rate: (P, 7, 3) as received, sensor axes, rad/s.
        usable: (7,) bool, sensors that were there all the time; others hold zeros.
        steady: whether the window is one stride that repeats the stride before.
        period_s: between samples, s.

    """

    acceleration: np.ndarray
    angular_rate: np.ndarray
    usable: np.ndarray
    steady: bool
    period_s: float

    @property
    def duration_s(self) -> float:
        """How long the window is, s."""
        return len(self.acceleration) * self.period_s

    @cached_property
    def mean_acceleration(self) -> np.ndarray:
        """Mean (7, 3) in sensor axes, m/s^2."""
        mean: np.ndarray = self.acceleration.mean(0)
        return mean

    @cached_property
    def speed(self) -> np.ndarray:
        """Size (P, 7) of the rates, rad/s."""
        rate = self.angular_rate
        speed: np.ndarray = np.sqrt(np.einsum('tsi,tsi->ts', rate, rate))
        return speed


def stride_window(series: FrameSeries, *, period_s: float) -> StrideWindow | None:
    """Return the newest stride of a series, None for less than `RESTLESS_S`.

    Args:
        series: consecutive frames; strides of up to their duration less `TAIL_S` are found.
        period_s: between frames, s.

    """
    count = len(series.time_s)
    if count * period_s < RESTLESS_S:
        return None
    stride = round(RESTLESS_S / period_s)
    steady = False
    found = _last_stride(series, period_s=period_s)
    if found:
        stride, steady = found, True
    chosen = slice(count - stride, count)
    present = series.present[chosen]
    usable = _whole(present)
    acceleration, rate = series.acceleration[chosen], series.angular_rate[chosen]
    if not present.all():
        acceleration, rate = _held(acceleration, present), _held(rate, present)
    return StrideWindow(
        acceleration=acceleration,
        angular_rate=rate,
        usable=usable & (series.largest < ABSURD),
        steady=steady,
        period_s=period_s,
    )


@dataclass(frozen=True, eq=False)
class WindowMean:
    """Hold means over a window in axes that do not turn: those of its first sample.

    Attributes:
        force: (7, 3) specific force, m/s^2.
        rotation: (7, 3, 3) from sensor axes; what a constant force would be multiplied by.
        square: (7,) of the size of the force, m^2/s^4.

    """

    force: np.ndarray
    rotation: np.ndarray
    square: np.ndarray

    @cached_property
    def size(self) -> np.ndarray:
        """Return (7,) the size of the mean force, m/s^2: gravity for a faultless sensor."""
        return np.asarray(np.linalg.norm(self.force, axis=-1))

    @property
    def spread(self) -> np.ndarray:
        """Return (7,) the root mean square deviation from the mean force, m/s^2."""
        spread: np.ndarray = np.sqrt(np.maximum(self.square - self.size**2, 0.0))
        return spread


def window_mean(window: StrideWindow) -> WindowMean:
    """Return the mean specific force in axes that do not turn.

    Its size is gravity for a faultless sensor, whatever its mounting: over a whole stride a walker
    does not accelerate.
    """
    force, rotation = steady_mean(
        angular_rate=window.angular_rate,
        acceleration=window.acceleration,
        step_s=window.period_s,
    )
    square = np.einsum('tsi,tsi->s', window.acceleration, window.acceleration)
    return WindowMean(force=force, rotation=rotation, square=square / len(window.acceleration))


def names(rows: np.ndarray | Sequence[int]) -> tuple[str, ...]:
    """Return the sensors of row numbers."""
    return tuple(SENSORS[int(row)] for row in rows)


def unlikeness(signal: np.ndarray, *, tail: int) -> np.ndarray:
    """Return how little the first samples of a signal resemble those that come later.

    Args:
        signal: (T, S, 3) rates, rad/s; every sensor counts alike, whatever its unit.
        tail: how many first samples.

    Returns:
        (T - tail + 1) 0 where those from a sample on repeat the first, 1 where they have nothing
        to do with them.

    """
    floor = tail * SLIGHT_RAD_S**2
    if native_watch.watches_in_c():
        return native_watch.unlikeness(signal, tail=tail, floor=floor)
    windows = np.lib.stride_tricks.sliding_window_view(signal, tail, axis=0)  # (m, s, 3, tail)
    shared = np.einsum('msit,sit->ms', windows, windows[0])
    energy = np.einsum('msit,msit->ms', windows, windows)
    unlike = 1.0 - (2.0 * shared + floor) / (energy + energy[0] + floor)
    cost: np.ndarray = unlike.mean(-1)
    return cost


def _last_stride(series: FrameSeries, *, period_s: float) -> int:
    """Return the lag in samples at which the newest rates repeat, 0 where nobody walks.

    Of several good lags the shortest is taken.
    """
    rate, present, largest = series.angular_rate, series.present, series.largest
    number = min(len(rate), round(NEEDED_S / period_s))
    step = max(1, round(0.02 / period_s))
    usable = LEGS & _whole(present[-number:])
    if usable.sum() < FEWEST_LEG_SENSORS:
        return 0
    if not (largest[usable] < ABSURD).all():
        return 0
    signal = rate[-number:][::-step][:, usable]  # newest first
    tail = round(TAIL_S / period_s / step)
    stride = signal[: round(1.0 / period_s / step)]
    square = np.einsum('tsi,tsi->s', stride, stride) / len(stride)
    if math.sqrt(median(square.tolist())) < MOVING_RAD_S:
        return 0
    cost = unlikeness(signal, tail=tail)
    first = round(SHORTEST_STRIDE_S / period_s / step)
    cost = cost[first:]
    inner = cost[1:-1]
    dips = np.flatnonzero((inner <= cost[:-2]) & (inner <= cost[2:])) + 1
    if not len(dips):
        return 0
    best = float(cost[dips].min())
    if 1.0 - best < FAIR_REPEAT:
        return 0
    lag = int(dips[np.flatnonzero(cost[dips] < best + 0.1)[0]])
    return (first + lag) * step


def _whole(present: np.ndarray) -> np.ndarray:
    """Return (7,) which sensors are there nearly all the time, of (T, 7)."""
    whole: np.ndarray = np.count_nonzero(present, axis=0) > WHOLE * len(present)
    return whole


def _held(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Fill absent samples of (T, 7, 3) with the one before, or the first where there is none."""
    index = np.where(present, np.arange(len(present))[:, None], -1)
    index = np.maximum.accumulate(index, axis=0)
    first = np.argmax(present, axis=0)
    index = np.where(index < 0, first, index)
    held: np.ndarray = np.take_along_axis(values, index[..., None], axis=0)
    return held
