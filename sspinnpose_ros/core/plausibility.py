# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recognize signals that cannot be specific force in m/s^2 and angular rate in rad/s."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.drift_free import steady_mean
from sspinnpose_ros.core.fault import Fault, FaultKind

WINDOW_S = 4.0
SHORTEST_S = 1.5
"""Less than this tells nothing: the mean of a short piece of a stride is not gravity."""

FASTEST_TURN = {'pelvis': 12.0, 'trunk': 12.0}
FASTEST_LEG_TURN = 30.0
"""What the fastest hundredth of the samples never exceeds, rad/s; 4.5 m/s give half of it."""

GRAVITY_RANGE = (0.5 * GRAVITY, 2.0 * GRAVITY)
"""Mean of a faultless or merely badly scaled accelerometer in a frame that does not turn."""

G_RANGE = (0.7, 1.5)
FORCE_OF_TURNING = {'pelvis': 3.15, 'trunk': 3.15}
FORCE_OF_LEG_TURNING = 0.9
"""How much the specific force of walking and running deviates from its mean, in m/s^2 for each
rad/s of turning: legs 1.3 to 5.8, pelvis 3.2 to 31; a tenth of that in g."""

LEAST_SPREAD = 0.6
"""The slowest walker's force deviates by 1.0 m/s^2, a usual walker's by less than this in g."""

STUCK_S = 1.0
"""A live sensor's noise changes its values sooner."""


def check_signals(
    *,
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    sensors: Sequence[str],
    present: np.ndarray,
) -> list[str]:
    """Name each sensor whose unit or kind of signal is wrong.

    The mean specific force in a frame that does not turn is gravity, because a walking body does
    not go on accelerating. The rates turn the samples into such a frame, so running is told
    from a wrong unit, whatever the mounting.

    Args:
        time_s: (T,) measurement times, evenly spaced, s.
        acceleration: (T, S, 3) as received, sensor axes.
        angular_rate: (T, S, 3) as received, sensor axes.
        sensors: (S) names.
        present: (T, S) bool; other samples are not looked at.

    Returns:
        One sentence per fault; empty for plausible signals and for less than `SHORTEST_S`.

    """
    sentences: list[str] = []
    if len(time_s) < 2:
        return sentences
    finite = np.isfinite(acceleration).all(-1) & np.isfinite(angular_rate).all(-1)
    for column, sensor in enumerate(sensors):
        bad = int((present[:, column] & ~finite[:, column]).sum())
        if bad:
            sentences.append(
                f'{sensor} sent {bad} samples that are not numbers, expected finite values; '
                'check its driver.'
            )
    sentences += [
        fault.sentence
        for fault in sensor_unit_faults(
            time_s=time_s,
            acceleration=acceleration,
            angular_rate=angular_rate,
            sensors=sensors,
            present=present & finite,
        )
        if fault is not None
    ]
    return sentences


def sensor_unit_faults(
    *,
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    sensors: Sequence[str],
    present: np.ndarray,
) -> list[Fault | None]:
    """Judge unit and kind of each sensor's signals, as `check_signals` does.

    Args:
        time_s: (T,) at least two measurement times, evenly spaced, s.
        acceleration: (T, S, 3) as received, sensor axes.
        angular_rate: (T, S, 3) as received, sensor axes.
        sensors: (S) names.
        present: (T, S) bool; other samples are not looked at, these are finite.

    Returns:
        One fault per sensor, None where there is none.

    """
    period = float(np.median(np.diff(time_s)))
    turning = _turns_too_fast(angular_rate, sensors=sensors, usable=present, period=period)
    mean, spread = _force_in_steady_frame(
        acceleration, angular_rate, usable=present, period=period
    )
    return [
        unit_fault(
            sensor,
            fastest_rad_s=turning[column],
            mean_force=mean[column],
            force_spread=spread[column],
            mean_rate=_mean_turning(angular_rate[:, column], present[:, column]),
        )
        for column, sensor in enumerate(sensors)
    ]


def unit_fault(
    sensor: str,
    *,
    fastest_rad_s: float,
    mean_force: float,
    force_spread: float,
    mean_rate: float,
    mean_reading: float = 0.0,
) -> Fault | None:
    """Judge unit and kind of one sensor's signals, in the unit they should have.

    Args:
        sensor: its name.
        fastest_rad_s: what its rate hardly exceeds; NaN where unknown, as all others.
        mean_force: size of the mean specific force in axes that do not turn.
        force_spread: root mean square deviation from that mean.
        mean_rate: root mean square of the rate.
        mean_reading: size of the mean specific force in the sensor's own axes, which a wrong
            rate leaves as it is.

    Returns:
        The fault, None where there is none.

    """
    return _turning_fault(sensor, fastest_rad_s) or _gravity_fault(
        sensor,
        mean=mean_force,
        spread=force_spread,
        turning=mean_rate,
        mean_reading=mean_reading,
    )


def stuck_sentence(sensor: str, seconds: float) -> str:
    """Say that a sensor sent the same values for some time [s]."""
    return (
        f'{sensor} repeated the same values for {seconds:.1f} s, expected the noise of a live '
        'sensor; check its battery and its driver.'
    )


def _turning_fault(sensor: str, fastest: float) -> Fault | None:
    limit = FASTEST_TURN.get(sensor, FASTEST_LEG_TURN)
    if not fastest > limit:
        return None
    return Fault(
        kind=FaultKind.UNIT_DEG_S,
        sensors=(sensor,),
        sentence=f'{sensor} turns at up to {fastest:.0f}, expected less than {limit:.0f} rad/s: '
        'this looks like deg/s; publish angular_velocity in rad/s.',
        size=fastest,
    )


def _gravity_fault(
    sensor: str, *, mean: float, spread: float, turning: float, mean_reading: float
) -> Fault | None:
    low, high = GRAVITY_RANGE
    if not (mean < low or mean > high):
        return None
    seen = f'{sensor} measures a mean force of {mean:.2g}'
    usual = FORCE_OF_TURNING.get(sensor, FORCE_OF_LEG_TURNING) * turning
    livelier = spread > max(usual, LEAST_SPREAD)
    if G_RANGE[0] < mean < G_RANGE[1] and not livelier:
        kind = FaultKind.UNIT_G
        sentence = (
            f'{seen}, expected about {GRAVITY} m/s^2: this looks like g; publish '
            'linear_acceleration in m/s^2.'
        )
    elif mean < low:
        if not mean_reading < low:
            # The rates that should hold the axes still are wrong, not the force.
            return None
        kind = FaultKind.GRAVITY_REMOVED
        sentence = (
            f'{seen} m/s^2, expected about {GRAVITY} m/s^2: gravity seems to have been removed; '
            'publish the specific force, which reads +9.81 m/s^2 upwards at rest (REP-145).'
        )
    else:
        kind = FaultKind.FORCE_UNIT
        sentence = (
            f'{seen}, expected about {GRAVITY} m/s^2; publish linear_acceleration in m/s^2 and '
            'check the range of the sensor.'
        )
    return Fault(kind=kind, sensors=(sensor,), sentence=sentence, size=mean / GRAVITY)


def _turns_too_fast(
    angular_rate: np.ndarray, *, sensors: Sequence[str], usable: np.ndarray, period: float
) -> np.ndarray:
    """Return the 99th percentile (S,) of the turning rate, NaN for too few samples."""
    fastest = np.full(len(sensors), np.nan)
    for column in range(len(sensors)):
        rates = np.linalg.norm(angular_rate[usable[:, column], column], axis=-1)
        if len(rates) * period >= SHORTEST_S:
            fastest[column] = np.percentile(rates, 99.0)
    return fastest


def _mean_turning(angular_rate: np.ndarray, usable: np.ndarray) -> float:
    """Return the root mean square turning rate, 0 for no samples."""
    if not usable.any():
        return 0.0
    return float(np.sqrt((angular_rate[usable] ** 2).sum(-1).mean()))


def _force_in_steady_frame(
    acceleration: np.ndarray, angular_rate: np.ndarray, *, usable: np.ndarray, period: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return medians over windows of the size of the mean specific force, and of its deviation.

    Each window is turned into the sensor axes of its first sample by integrating the rates.
    Both are (S,), the deviation from the mean as root mean square; NaN where no window is
    complete.
    """
    total, count = acceleration.shape[:2]
    length = min(total, round(WINDOW_S / period))
    if length * period < SHORTEST_S:
        return np.full(count, np.nan), np.full(count, np.nan)
    windows = total // length
    shape = (windows, length, count)

    def cut(values: np.ndarray) -> np.ndarray:
        return values[: windows * length].reshape(*shape, *values.shape[2:])

    seen = cut(usable)
    force = np.where(seen[..., None], cut(acceleration), 0.0)
    rate = np.where(seen[..., None], cut(angular_rate), 0.0)
    side = (length, windows * count, 3)
    steady, _ = steady_mean(
        angular_rate=np.swapaxes(rate, 0, 1).reshape(side),
        acceleration=np.swapaxes(force, 0, 1).reshape(side),
        step_s=period,
    )
    total_force = length * steady.reshape(windows, count, 3)
    number = seen.sum(1)
    square = (force**2).sum(axis=(1, -1)) / np.maximum(number, 1)
    mean = np.linalg.norm(total_force, axis=-1) / np.maximum(number, 1)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    whole = number >= 0.9 * length
    return _median_where(mean, whole), _median_where(spread, whole)


def _median_where(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the median (S,) over the chosen rows of (n, S), NaN without any."""
    return np.array(
        [
            np.median(column[rows]) if rows.any() else np.nan
            for column, rows in zip(values.T, chosen.T, strict=True)
        ]
    )
