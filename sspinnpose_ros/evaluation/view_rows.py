# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arrange estimates as the rows of numbers that the page of `sspinnpose view` draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sspinnpose_ros.core.conventions import JOINTS, SENSORS, SIDES
from sspinnpose_ros.core.estimate_status import Level
from sspinnpose_ros.core.recent_residual import RecentResidual

COLUMNS = (
    'time',
    'level',
    'position_pelvis_forward',
    'position_pelvis_up',
    'angle_pelvis_tilt',
    *(f'angle_{joint}' for joint in JOINTS),
    *(f'moment_{joint}' for joint in JOINTS),
    *(f'sigma_angle_{joint}' for joint in JOINTS),
    *(f'sigma_moment_{joint}' for joint in JOINTS),
    *(f'grf_forward_{side}' for side in SIDES),
    *(f'grf_up_{side}' for side in SIDES),
    *(f'cop_forward_{side}' for side in SIDES),
    *(f'residual_force_{sensor}' for sensor in SENSORS),
    *(f'residual_rate_{sensor}' for sensor in SENSORS),
    'latency_ms',
)
"""Names of a row's numbers, those of estimate.npz where it has them: s, rad, N m, N, m. Residuals
are root mean squares of the last second, in m/s^2 and rad/s, NaN while the sensor is absent."""

MOST_ROWS = 200_000
"""Longer recordings are thinned out, which leaves a page of 40 MB."""


def recording_rows(estimate: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return what is drawn of a recording.

    Args:
        estimate: arrays of an estimate.npz; what it lacks is NaN.

    Returns:
        (n, len(COLUMNS)) float32, in order of time, at most `MOST_ROWS`.

    """
    count = len(estimate['time'])
    rows = np.full((count, len(COLUMNS)), np.nan, dtype=np.float32)
    for column, name in enumerate(COLUMNS):
        if name in estimate:
            rows[:, column] = estimate[name]
    angles = rows[:, [COLUMNS.index(f'angle_{joint}') for joint in JOINTS]]
    known = np.isfinite(angles).all(axis=1)
    status = estimate.get('status')
    rows[:, COLUMNS.index('level')] = (
        np.where(known, Level.OK, Level.STALE) if status is None else status
    )
    if 'residual' in estimate:
        begin = COLUMNS.index(f'residual_force_{SENSORS[0]}')
        rows[:, begin : begin + 2 * len(SENSORS)] = _recent(estimate['residual'], known=known)
    return rows[:: -(-count // MOST_ROWS)]


def _recent(residual: np.ndarray, *, known: np.ndarray) -> np.ndarray:
    """Follow residuals (n, 7, 3) as the node does; return forces, then rates (n, 14)."""
    recent = RecentResidual(rate_hz=100.0)
    found = np.full((len(residual), 2, len(SENSORS)), np.nan)
    for row in np.flatnonzero(known).tolist():
        recent.append(residual[row].astype(np.float64))
        found[row] = recent.root_mean_square().T
    absent = ~np.isfinite(residual).all(axis=-1)
    return np.where(absent[:, None], np.nan, found).reshape(len(residual), -1)
