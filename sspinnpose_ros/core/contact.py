# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follow the heel and toe of both feet."""

from __future__ import annotations

from dataclasses import dataclass

from sspinnpose_ros.core.arrays import Array, components, join
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
    cos, sin, rate = (_of_feet(values) for values in (motion.cos, motion.sin, motion.rate))
    reach = join([join(components(axis) * 2) for axis in components(body.contact_point)])
    offset = rotate(cos=cos, sin=sin, vector=reach)
    forward, up = components(offset)
    spin = join([-rate * up, rate * forward])
    position, velocity = (
        join([_of_feet(axis) for axis in components(values)])
        for values in (motion.position, motion.velocity)
    )
    return ContactPoints(
        position=_by_side(position + offset),
        velocity=_by_side(velocity + spin),
        from_ankle=_by_side(offset),
    )


def _of_feet(values: Array) -> Array:
    """Return the values (..., 4) of the foot of each of the four points."""
    parts = components(values)
    right, left = (parts[foot] for foot in FEET)
    return join([right, right, left, left])


def _by_side(points: Array) -> Array:
    return points.reshape(*points.shape[:-2], 2, 2, 2)
