# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Refuse recordings that no calibration can come from, with one sentence each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sspinnpose_ros.core.conventions import OPTIONAL_SENSORS, SENSORS, SIDES
from sspinnpose_ros.core.errors import CalibrationError
from sspinnpose_ros.core.plausibility import check_signals

LEG_SENSORS = tuple(f'{part}_{side}' for side in SIDES for part in ('thigh', 'shank', 'foot'))
SHORTEST_RECORDING_S = 6.0
LOWEST_RATE_HZ = 25.0


def require_calibratable(
    *,
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    sensors: Sequence[str],
) -> float:
    """Return the sampling step [s] of signals that are whole and in SI units.

    Args:
        time_s: (T,) common grid, s.
        acceleration: (T, S, 3) specific force, m/s^2.
        angular_rate: (T, S, 3) rad/s.
        sensors: S names.

    Raises:
        CalibrationError: for missing sensors, wrong shapes, NaN, too short a recording, uneven
            time, removed gravity and wrong units.

    """
    missing = [name for name in LEG_SENSORS if name not in sensors]
    if missing:
        raise CalibrationError(
            f'The recording lacks {", ".join(missing)}, expected sensors on both thighs, shanks '
            'and feet; wear them all to calibrate, fewer suffice to estimate.'
        )
    unknown = [name for name in sensors if name not in (*SENSORS, *OPTIONAL_SENSORS)]
    if unknown or len(set(sensors)) != len(sensors):
        raise CalibrationError(
            f'The sensors are {", ".join(sensors)}, expected each of '
            f'{", ".join((*SENSORS, *OPTIONAL_SENSORS))} at most once; rename them.'
        )
    shape = (len(time_s), len(sensors), 3)
    if acceleration.shape != shape or angular_rate.shape != shape:
        raise CalibrationError(
            f'The signals have shapes {acceleration.shape} and {angular_rate.shape}, expected '
            f'{shape} for {shape[0]} times and {shape[1]} sensors; give all sensors on one grid.'
        )
    duration = float(time_s[-1] - time_s[0]) if len(time_s) > 1 else 0.0
    if not duration >= SHORTEST_RECORDING_S:
        raise CalibrationError(
            f'The recording lasts {duration:.1f} s, expected at least {SHORTEST_RECORDING_S:.0f} '
            's with a short quiet standing and ten strides; record longer.'
        )
    step = duration / (len(time_s) - 1)
    if np.abs(np.diff(time_s) - step).max() > 0.5 * step:
        raise CalibrationError(
            'The time grid is uneven, expected a constant step; resample the sensors onto one '
            'grid first.'
        )
    if 1.0 / step < LOWEST_RATE_HZ:
        raise CalibrationError(
            f'The sensors were sampled at {1.0 / step:.0f} Hz, expected at least '
            f'{LOWEST_RATE_HZ:.0f} Hz; raise the rate of the driver.'
        )
    for index, name in enumerate(sensors):
        _require_alive(name, acceleration[:, index], angular_rate[:, index])
    faults = check_signals(
        time_s=time_s,
        acceleration=acceleration,
        angular_rate=angular_rate,
        sensors=sensors,
        present=np.ones(shape[:2], dtype=bool),
    )
    if faults:
        raise CalibrationError(faults[0])
    return step


def _require_alive(name: str, acceleration: np.ndarray, angular_rate: np.ndarray) -> None:
    gaps = int((~np.isfinite(acceleration) | ~np.isfinite(angular_rate)).any(axis=-1).sum())
    if gaps:
        raise CalibrationError(
            f'{name} holds {gaps} samples that are not numbers (NaN or infinite), expected '
            'none; fill or cut the gaps, or check the radio link.'
        )
    if np.ptp(acceleration, axis=0).max() == 0.0 or np.ptp(angular_rate, axis=0).max() == 0.0:
        raise CalibrationError(
            f'{name} repeats one constant value, expected a moving sensor; restart its driver.'
        )
