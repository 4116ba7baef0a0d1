# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follow the heel and toe of both feet."""

from __future__ import annotations

from dataclasses import dataclass

from sspinnpose_ros.core.arrays import Array, namespace
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.kinematics import Kinematics, rotate

FEET = (3, 6)
"""Indices of the right and the left foot among the segments."""


@dataclass(frozen=True)
class ContactPoints:
    """Hold the motion of heel and toe, axes (..., side, point, (forward, up)).

    Attributes:
        position: (..., 2, 2, 2) in the world frame, m.
        velocity: (..., 2, 2, 2) in the world frame, m/s.
        from_ankle: (..., 2, 2, 2) offset from the ankle, world axes, m.

    """

    position: Array
    velocity: Array
    from_ankle: Array


def contact_points(*, body: Body, motion: Kinematics) -> ContactPoints:
    """Locate heel and toe of the right and left foot.

    Args:
        body: batch shape `...` (or broadcastable).
        motion: of the seven segments, batch shape `...`.

    Returns:
        Positions, velocities and offsets from the ankle.

    """
    xp = namespace(motion.cos)

    def feet(values: Array, axis: int) -> Array:
        if axis == -1:
            return xp.stack([values[..., FEET[0]], values[..., FEET[1]]], -1)
        return xp.stack([values[..., FEET[0], :], values[..., FEET[1], :]], -2)

    cos, sin, rate = (feet(v, -1)[..., None] for v in (motion.cos, motion.sin, motion.rate))
    offset = rotate(cos=cos, sin=sin, vector=body.contact_point[..., None, :, :])
    spin = xp.stack([-rate * offset[..., 1], rate * offset[..., 0]], -1)
    return ContactPoints(
        position=feet(motion.position, -2)[..., None, :] + offset,
        velocity=feet(motion.velocity, -2)[..., None, :] + spin,
        from_ankle=offset,
    )
