# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follow how far each sensor's measurements are from what the estimate explains."""

from __future__ import annotations

import math

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS


class RecentResidual:
    """Keep the mean squares of the residual of each sensor over about `memory_s`.

    They are plain means at first, then weighted exponentially. What a sensor left unexplained is
    forgotten once it was absent for as long as is remembered.
    """

    def __init__(self, *, rate_hz: float, memory_s: float = 1.0) -> None:
        """Remember the last `memory_s` seconds of residuals that come `rate_hz` times a second."""
        self._memory = max(1, round(rate_hz * memory_s))
        self.clear()

    def clear(self) -> None:
        """Forget all residuals."""
        self._square = np.full((len(SENSORS), 2), np.nan)
        self._seen = np.zeros(len(SENSORS), dtype=int)
        self._absent = np.zeros(len(SENSORS), dtype=int)
        self._all_known = False

    @property
    def known(self) -> np.ndarray:
        """Sensors (7,) followed for as long as is remembered; one peak is no residual."""
        following: np.ndarray = self._seen >= self._memory
        return following

    def append(self, residual: np.ndarray) -> None:
        """Take residuals (7, 3): force forward and up (m/s^2) and rate (rad/s), NaN if absent."""
        square = residual * residual
        square[:, 0] += square[:, 1]
        square = square[:, ::2]
        if self._all_known:
            change = self._square + (square - self._square) / self._memory
            if math.isfinite(change.sum()):
                self._square = change
                return
        self._append(square)

    def _append(self, square: np.ndarray) -> None:
        there = np.isfinite(square).all(-1)
        self._seen += there
        self._absent = np.where(there, 0, self._absent + 1)
        weight = 1.0 / np.clip(self._seen, 1, self._memory)[:, None]
        before = np.where(np.isnan(self._square), 0.0, self._square)
        change = before + weight * (square - before)
        self._square = np.where(there[:, None], change, self._square)
        gone = self._absent > self._memory
        self._square[gone], self._seen[gone] = np.nan, 0
        self._all_known = bool(self.known.all() and there.all())

    def root_mean_square(self) -> np.ndarray:
        """Return (7, 2): force residual in m/s^2, rate residual in rad/s; NaN before any."""
        result: np.ndarray = np.sqrt(self._square)
        return result
