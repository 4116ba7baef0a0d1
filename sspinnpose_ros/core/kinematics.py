# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Move the planar body: positions, velocities and accelerations of every segment."""

from __future__ import annotations

from dataclasses import dataclass

from sspinnpose_ros.core.arrays import Array, namespace
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
    xp = namespace(coordinates)
    tilt = coordinates[..., 2]
    hip_r, knee_r, ankle_r, hip_l, knee_l, ankle_l = (
        coordinates[..., 3 + joint] * sign if sign < 0 else coordinates[..., 3 + joint]
        for joint, sign in enumerate(JOINT_SIGNS)
    )
    thigh_r = tilt + hip_r
    shank_r = thigh_r + knee_r
    thigh_l = tilt + hip_l
    shank_l = thigh_l + knee_l
    return xp.stack(
        [tilt, thigh_r, shank_r, shank_r + ankle_r, thigh_l, shank_l, shank_l + ankle_l], -1
    )


def joint_angles(inclinations: Array) -> Array:
    """Turn inclinations of the seven segments into joint angles, the inverse of the above.

    Args:
        inclinations: (..., 7) rad.

    Returns:
        (..., 6) joint angles, rad, in the order of `conventions.JOINTS`.

    """
    xp = namespace(inclinations)
    pelvis, thigh_r, shank_r, foot_r, thigh_l, shank_l, foot_l = (
        inclinations[..., segment] for segment in range(7)
    )
    return xp.stack(
        [
            thigh_r - pelvis,
            thigh_r - shank_r,
            foot_r - shank_r,
            thigh_l - pelvis,
            thigh_l - shank_l,
            foot_l - shank_l,
        ],
        -1,
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

    def chain(root: Array, thigh: Array, shank: Array) -> Array:
        # Proximal joints of pelvis, thigh, shank, foot on either side; thigh and shank hold
        # (..., 2 sides, 2 axes) offsets from hip to knee and from knee to ankle.
        knee = root[..., None, :] + thigh
        ankle = knee + shank
        return xp.stack(
            [
                root,
                root,
                knee[..., 0, :],
                ankle[..., 0, :],
                root,
                knee[..., 1, :],
                ankle[..., 1, :],
            ],
            -2,
        )

    def both_sides(values: Array, first: int) -> Array:
        return xp.stack([values[..., first], values[..., first + 3]], -1)

    positions, velocities, accelerations = [], [], []
    for index, first in enumerate((1, 2)):
        length = body.leg_length[..., index, None]
        along = length * both_sides(sin, first)
        upward = -length * both_sides(cos, first)
        w, a, w2 = (both_sides(v, first) for v in (rate, alpha, centripetal))
        positions.append(xp.stack([along, upward], -1))
        velocities.append(xp.stack([-w * upward, w * along], -1))
        accelerations.append(xp.stack([-a * upward - w2 * along, a * along - w2 * upward], -1))
    return Kinematics(
        cos=cos,
        sin=sin,
        rate=rate,
        angular_acceleration=alpha,
        position=chain(q[..., :2], *positions),
        velocity=chain(qd[..., :2], *velocities),
        acceleration=chain(qdd[..., :2], *accelerations),
    )


def rotate(*, cos: Array, sin: Array, vector: Array) -> Array:
    """Turn vectors from a segment frame into the world frame.

    Args:
        cos: (...,) cosine of the inclination.
        sin: (...,) sine of the inclination.
        vector: (..., 2) (forward, up) in the segment frame.

    Returns:
        (..., 2) the same vectors in the world frame.

    """
    xp = namespace(cos)
    x, z = vector[..., 0], vector[..., 1]
    return xp.stack([cos * x - sin * z, sin * x + cos * z], -1)
