# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decide when a sensor that was away may be used again."""

from __future__ import annotations

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS

LARGEST_TILT_FORCE = 4.0
"""Mean force that the estimate may leave unexplained in a sensor that returns, m/s^2. Good
sensors of walkers and runners leave up to three, ones turned by 45 degrees more than five."""


class SensorReturn:
    """Watch sensors that come back after a silence until they are steady and agree.

    A sensor that was absent for `timeout_s` is away. It is used again after it was there for
    `rejoin_s` without a gap, its inclination filter has settled and the rest of the body, by
    which alone the estimate goes meanwhile, explains its mean specific force.
    """

    def __init__(self, *, rate_hz: float, timeout_s: float, rejoin_s: float) -> None:
        """Use every sensor that is there, until one stays away.

        Args:
            rate_hz: of the frames, Hz.
            timeout_s: absence after which a sensor is away, s; shorter ones do not count.
            rejoin_s: for how long it must then be there without a gap, s.

        """
        self._patience = round(timeout_s * rate_hz)
        self._trial = max(1, round(rejoin_s * rate_hz))
        self.clear()

    def clear(self) -> None:
        """Use every sensor that is there again."""
        self._absent = np.zeros(len(SENSORS), dtype=int)
        self._there = np.zeros(len(SENSORS), dtype=int)
        self._away = np.zeros(len(SENSORS), dtype=bool)
        self._mean = np.zeros((len(SENSORS), 2))
        self._nobody_away = True

    def used(self, present: np.ndarray, *, settled: np.ndarray, starting: bool) -> np.ndarray:
        """Take one more frame and tell which sensors to estimate from.

        Args:
            present: (7,) bool, which sensors are there.
            settled: (7,) bool, whose inclination filter has settled.
            starting: whether the estimate itself has just begun; then nobody has to wait.

        Returns:
            (7,) bool; only sensors that are there.

        """
        if self._nobody_away and present.all():
            self._absent[:] = 0
            self._there += 1
            return present.copy()
        self._absent = np.where(present, 0, self._absent + 1)
        self._there = np.where(present, self._there + 1, 0)
        self._mean[~present] = 0.0
        self._away |= self._absent > self._patience
        agrees = np.hypot(*self._mean.T) <= LARGEST_TILT_FORCE
        back = (self._there > self._trial) & settled & agrees
        self._away &= ~(present & (back | starting))
        self._nobody_away = not self._away.any()
        return present & ~self._away

    def note_residual(self, residual: np.ndarray) -> None:
        """Take what the estimate left unexplained, (7, 3) as `Estimate.residual`."""
        if self._nobody_away:
            self._mean[:] = 0.0
            return
        watched = self._away & (self._there > 0)
        gain = 1.0 / np.clip(self._there, 1, self._trial)[:, None]
        self._mean = np.where(
            watched[:, None], self._mean + gain * (residual[:, :2] - self._mean), 0.0
        )

    def away(self) -> frozenset[str]:
        """Return the sensors that are not used, there or not."""
        if self._nobody_away:
            return frozenset()
        return frozenset(np.asarray(SENSORS)[self._away].tolist())

    def watched(self, present: np.ndarray) -> tuple[str, ...]:
        """Return the sensors that are there but not used yet."""
        if self._nobody_away:
            return ()
        there = present & self._away
        return tuple(name for name, flag in zip(SENSORS, there, strict=True) if flag)
