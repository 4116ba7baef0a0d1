# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Name one instant of all sensors on the common grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frame:
    """Hold what every sensor measured at one grid point, in the order of `conventions.SENSORS`.

    Attributes:
        time_s: measurement time of the grid point, s.
        imu: (7, 6) specific force [m/s^2] then angular rate [rad/s], sensor axes, float64.
        present: (7,) bool; rows of absent sensors hold zeros.

    """

    time_s: float
    imu: np.ndarray
    present: np.ndarray
