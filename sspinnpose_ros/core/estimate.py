# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what is known of the wearer at one instant."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from sspinnpose_ros.core.conventions import JOINTS, SIDES


def _unknown(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan)


@dataclass(frozen=True, eq=False)
class Estimate:
    """Hold one estimate, in the orders and signs of `conventions`.

    Attributes:
        time_s: measurement time, s.
        q: (9,) generalized coordinates, m and rad; the forward position is integrated, drifts,
            and starts at zero.
        qd: (9,) velocities.
        qdd: (9,) accelerations.
        effort: (6,) net internal joint moments, N m, along each joint.
        contact_force: (2, 2, 2) force on heel and toe, (side, point, (forward, up)), N.
        ground_force: (2, 2) ground reaction on either foot, (side, (forward, up)), N.
        cop_forward: (2,) centre of pressure ahead of the hip mid-point, m; NaN where the foot
            carries less than 3 % of body weight.
        sole_wrench: (2, 3) ground reaction in and about the sole frames: force forward and up
            along the sole's own axes (N), moment about its left axis (N m).
        pelvis_residual: (3,) what the equations of motion leave: N, N, N m.
        virtual_imu: (7, 3) what the sensors should have measured, sagittal signals.
        residual: (7, 3) measured minus virtual; NaN where absent.
        present: (7,) bool, sensors the estimate is made of.
        angle_sigma: (6,) one sigma of the joint angles, rad; NaN from a model without
            uncertainty, as all sigmas.
        effort_sigma: (6,) one sigma of `effort`, N m.
        ground_force_sigma: (2, 2) one sigma of `ground_force`, N.

    """

    time_s: float
    q: np.ndarray
    qd: np.ndarray
    qdd: np.ndarray
    effort: np.ndarray
    contact_force: np.ndarray
    ground_force: np.ndarray
    cop_forward: np.ndarray
    sole_wrench: np.ndarray
    pelvis_residual: np.ndarray
    virtual_imu: np.ndarray
    residual: np.ndarray
    present: np.ndarray
    angle_sigma: np.ndarray = field(default_factory=lambda: _unknown(len(JOINTS)))
    effort_sigma: np.ndarray = field(default_factory=lambda: _unknown(len(JOINTS)))
    ground_force_sigma: np.ndarray = field(default_factory=lambda: _unknown(len(SIDES), 2))

    @property
    def has_sigma(self) -> bool:
        """Whether the sigmas are known."""
        return not math.isnan(sum(self.angle_sigma.tolist()))
