# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follow how far each sensor's measurements are from what the estimate explains."""

from __future__ import annotations

import math

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS


class RecentResidual:
    """Keep exponentially weighted mean squares of the residual of each sensor.

    What a sensor left unexplained is forgotten once it was absent for as long as is remembered.
    """

    def __init__(self, *, rate_hz: float, memory_s: float = 1.0) -> None:
        """Weigh the last `memory_s` seconds of residuals that come `rate_hz` times a second."""
        self._weight = min(1.0, 1.0 / (rate_hz * memory_s))
        self._memory = round(rate_hz * memory_s)
        self._absent = np.zeros(len(SENSORS), dtype=int)
        self._square = np.full((len(SENSORS), 2), np.nan)

    def clear(self) -> None:
        """Forget all residuals."""
        self._square[:] = np.nan

    def append(self, residual: np.ndarray) -> None:
        """Take residuals (7, 3): force forward and up (m/s^2) and rate (rad/s), NaN if absent."""
        square = residual * residual
        square[:, 0] += square[:, 1]
        square = square[:, ::2]
        change = self._square + self._weight * (square - self._square)
        if math.isfinite(change.sum()):
            self._absent[:] = 0
        else:
            there = np.isfinite(square)
            change = np.where(np.isnan(self._square), square, change)
            change = np.where(there, change, self._square)
            self._absent = np.where(there.all(-1), 0, self._absent + 1)
            change[self._absent > self._memory] = np.nan
        self._square = change

    def root_mean_square(self) -> np.ndarray:
        """Return (7, 2): force residual in m/s^2, rate residual in rad/s; NaN before any."""
        result: np.ndarray = np.sqrt(self._square)
        return result
