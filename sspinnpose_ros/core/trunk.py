# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let the trunk keep its lean while the pelvis tilts to and fro beneath it."""

from __future__ import annotations

from dataclasses import replace

from sspinnpose_ros.core.arrays import Array, components, join, namespace
from sspinnpose_ros.core.kinematics import Kinematics


def carry_trunk(*, motion: Kinematics, lean: Array) -> Kinematics:
    """Return the motion that matters to dynamics: head, arms and trunk do not turn.

    A pelvis sensor sees the pelvis tilt, but the mass above it counter-rotates. With recorded
    kinematics and forces of a runner, turning that mass with the pelvis leaves about twice the
    residual in the equations of motion that holding it still does (docs/method.md).

    Args:
        motion: of the seven segments, batch shape (...).
        lean: (...,) inclination of the trunk, rad, forward lean negative.

    Returns:
        The same motion with the first segment inclined by `lean` and not turning.

    """
    xp = namespace(lean)

    def swap(values: Array, trunk: Array) -> Array:
        return join([trunk, *components(values)[1:]])

    still = 0.0 * lean
    return replace(
        motion,
        cos=swap(motion.cos, xp.cos(lean)),
        sin=swap(motion.sin, xp.sin(lean)),
        rate=swap(motion.rate, still),
        angular_acceleration=swap(motion.angular_acceleration, still),
    )
