# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Move the planar body: positions, velocities and accelerations of every segment."""

from __future__ import annotations

from dataclasses import dataclass

from sspinnpose_ros.core.arrays import Array, components, join, namespace
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import JOINT_SIGNS


@dataclass(frozen=True)
class Kinematics:
    """Hold the motion of the seven segments in the world (odom) frame.

    Attributes:
        cos: (..., 7) cosine of the inclination.
        sin: (..., 7) sine of the inclination.
        rate: (..., 7) inclination rate, rad/s.
        angular_acceleration: (..., 7) rad/s^2.
        position: (..., 7, 2) proximal joint of each segment, (forward, up), m.
        velocity: (..., 7, 2) of the same points, m/s.
        acceleration: (..., 7, 2) of the same points, m/s^2.

    """

    cos: Array
    sin: Array
    rate: Array
    angular_acceleration: Array
    position: Array
    velocity: Array
    acceleration: Array


def segment_angles(coordinates: Array) -> Array:
    """Turn pelvis tilt and joint angles into inclinations of the seven segments.

    Linear, so that it maps rates and angular accelerations as well.

    Args:
        coordinates: (..., 9) generalized coordinates, rad (metres in the first two).

    Returns:
        (..., 7) inclinations, rad.

    """
    _, _, tilt, *joints = components(coordinates)
    hip_r, knee_r, ankle_r, hip_l, knee_l, ankle_l = (
        joint * sign if sign < 0 else joint
        for joint, sign in zip(joints, JOINT_SIGNS, strict=True)
    )
    thigh_r = tilt + hip_r
    shank_r = thigh_r + knee_r
    thigh_l = tilt + hip_l
    shank_l = thigh_l + knee_l
    return join([tilt, thigh_r, shank_r, shank_r + ankle_r, thigh_l, shank_l, shank_l + ankle_l])


def joint_angles(inclinations: Array) -> Array:
    """Turn inclinations of the seven segments into joint angles, the inverse of the above.

    Args:
        inclinations: (..., 7) rad.

    Returns:
        (..., 6) joint angles, rad, in the order of `conventions.JOINTS`.

    """
    pelvis, thigh_r, shank_r, foot_r, thigh_l, shank_l, foot_l = components(inclinations)
    return join(
        [
            thigh_r - pelvis,
            thigh_r - shank_r,
            foot_r - shank_r,
            thigh_l - pelvis,
            thigh_l - shank_l,
            foot_l - shank_l,
        ]
    )


def kinematics(*, body: Body, q: Array, qd: Array, qdd: Array) -> Kinematics:
    """Compute the motion of every segment from generalized coordinates.

    Args:
        body: batch shape `...` (or broadcastable).
        q: (..., 9) coordinates, m and rad.
        qd: (..., 9) velocities.
        qdd: (..., 9) accelerations.

    Returns:
        The segments' motion in the world frame, without gravity.

    """
    xp = namespace(q)
    angle, rate, alpha = segment_angles(q), segment_angles(qd), segment_angles(qdd)
    cos, sin = xp.cos(angle), xp.sin(angle)
    centripetal = rate * rate
    thigh, shank = components(body.leg_length)
    none = 0.0 * thigh
    length = join([none, thigh, shank, none, thigh, shank, none])
    # From the proximal joint of each segment to that of the next.
    along, upward = length * sin, -length * cos
    return Kinematics(
        cos=cos,
        sin=sin,
        rate=rate,
        angular_acceleration=alpha,
        position=_chain(q, along, upward),
        velocity=_chain(qd, -rate * upward, rate * along),
        acceleration=_chain(
            qdd,
            -alpha * upward - centripetal * along,
            alpha * along - centripetal * upward,
        ),
    )


def _chain(root: Array, *links: Array) -> Array:
    """Add the links (..., 7) up from the pelvis, whose motion `root` (..., 9) begins with."""
    axes = []
    for origin, link in zip(components(root), links, strict=False):
        _, thigh_r, shank_r, _, thigh_l, shank_l, _ = components(link)
        knee_r, knee_l = origin + thigh_r, origin + thigh_l
        axes.append(
            join([origin, origin, knee_r, knee_r + shank_r, origin, knee_l, knee_l + shank_l])
        )
    return join(axes)


def rotate(*, cos: Array, sin: Array, vector: Array) -> Array:
    """Turn vectors from a segment frame into the world frame.

    Args:
        cos: (...,) cosine of the inclination.
        sin: (...,) sine of the inclination.
        vector: (..., 2) (forward, up) in the segment frame.

    Returns:
        (..., 2) the same vectors in the world frame.

    """
    x, z = components(vector)
    return join([cos * x - sin * z, sin * x + cos * z])
