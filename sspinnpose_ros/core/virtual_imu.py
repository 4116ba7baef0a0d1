# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predict what an IMU on a moving segment measures."""

from __future__ import annotations

from sspinnpose_ros.core.arrays import Array, components, join
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.kinematics import Kinematics


def virtual_imu(*, motion: Kinematics, position: Array) -> Array:
    """Compute specific force and turning rate at a point of each segment.

    Args:
        motion: of the seven segments, batch shape `...`.
        position: (..., 7, 2) sensor in its segment frame, (forward, up), m.

    Returns:
        (..., 7, 3) specific force forward and up in the segment frame (m/s^2; a still, upright
        sensor reads +g up) and the rate about the axis to the right (rad/s).

    Source: rigid-body kinematics; Gambietz et al. (2026), virtual sensors.

    """
    forward, up = components(motion.acceleration)
    up = up + GRAVITY
    alpha, w2 = motion.angular_acceleration, motion.rate * motion.rate
    x, z = components(position)
    return join(
        [
            motion.cos * forward + motion.sin * up - alpha * z - w2 * x,
            -motion.sin * forward + motion.cos * up + alpha * x - w2 * z,
            motion.rate,
        ]
    )
