# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read a wrench at the sole as ground reaction in the world and its centre of pressure."""

from __future__ import annotations

import numpy as np

from sspinnpose_ros.core.contact import FEET
from sspinnpose_ros.core.kinematics import rotate, segment_angles

THIGHS = (1, 4)
SHANKS = (2, 5)


def sole_positions(*, q: np.ndarray, leg_length: np.ndarray, ankle_height: float) -> np.ndarray:
    """Find the frames `sole_r` and `sole_l` in the world.

    Args:
        q: (..., 9) generalized coordinates, m and rad.
        leg_length: (2,) hip to knee and knee to ankle, m.
        ankle_height: of the ankle above the sole, m.

    Returns:
        (..., 2, 2) positions, (side, (forward, up)), m.

    """
    inclination = segment_angles(q)
    sole = np.repeat(q[..., None, :2], 2, axis=-2)
    for segments, length in (
        (THIGHS, leg_length[0]),
        (SHANKS, leg_length[1]),
        (FEET, ankle_height),
    ):
        angle = inclination[..., segments]
        sole = sole + length * np.stack([np.sin(angle), -np.cos(angle)], -1)
    return sole


def ground_reaction(
    *,
    q: np.ndarray,
    sole_wrench: np.ndarray,
    leg_length: np.ndarray,
    ankle_height: float,
    least_load_n: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn wrenches in and about the sole frames into forces along world axes.

    Args:
        q: (..., 9) generalized coordinates, m and rad.
        sole_wrench: (..., 2, 3) as `Estimate.sole_wrench`, N and N m.
        leg_length: (2,) hip to knee and knee to ankle, m.
        ankle_height: of the ankle above the sole, m.
        least_load_n: vertical force below which a centre of pressure means nothing, N.

    Returns:
        Force (..., 2, 2), (side, (forward, up)), N; and how far ahead of the hip mid-point its
        line of action meets the ground (..., 2), m, NaN where the foot is hardly loaded.

    """
    angle = segment_angles(q)[..., FEET]
    force = rotate(cos=np.cos(angle), sin=np.sin(angle), vector=sole_wrench[..., :2])
    sole = sole_positions(q=q, leg_length=leg_length, ankle_height=ankle_height)
    loaded = force[..., 1] > least_load_n
    # About the axis to the right; the wrench counts about that to the left.
    about_sole = -sole_wrench[..., 2] - sole[..., 1] * force[..., 0]
    ahead = sole[..., 0] - q[..., None, 0] + about_sole / np.where(loaded, force[..., 1], 1.0)
    return force, np.where(loaded, ahead, np.nan)
