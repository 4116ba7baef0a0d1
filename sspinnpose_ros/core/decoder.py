# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the network's outputs their physical meaning."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sspinnpose_ros.core.arrays import Array, namespace
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.kinematics import joint_angles

OUTPUTS = 1 + 7 + 9 + 9 + 8 + 1
"""Height; inclinations; velocities; accelerations; loads and shears of four points; lean."""

FRICTION = 0.8


@dataclass(frozen=True)
class BodyState:
    """Hold the motion and the contact forces that the network claims.

    Attributes:
        q: (..., 9) coordinates; the forward position is zero, nothing observes it.
        qd: (..., 9) velocities.
        qdd: (..., 9) accelerations.
        contact_force: (..., 2, 2, 2) force on heel and toe, (side, point, (forward, up)), N.
        lean: (...,) inclination of the trunk above the pelvis, rad, forward lean negative.

    """

    q: Array
    qd: Array
    qdd: Array
    contact_force: Array
    lean: Array

    def after(self, samples: int) -> BodyState:
        """Return the state without the first samples of its second axis."""
        return BodyState(**{f.name: getattr(self, f.name)[:, samples:] for f in fields(self)})


def decode(
    *, output: Array, inclination: Array, rate: Array, present: Array, body: Body
) -> BodyState:
    """Turn network outputs into motion and contact forces.

    Inclination and rate of a present sensor are where its segment's own start from, and the
    network adds what they miss: drift, mounting, soft tissue. Loads push only, and friction
    bounds the shear.

    Args:
        output: (..., 35) raw outputs.
        inclination: (..., 7) filtered inclinations, zero where absent, rad.
        rate: (..., 7) measured rates, rad/s.
        present: (..., 7) 1 where the sensor is there, else 0.
        body: batch shape broadcastable to `...`.

    Returns:
        The state of the body.

    """
    xp = namespace(output)
    height = body.leg_length.sum(-1) + body.ankle_height + 0.25 * xp.tanh(output[..., 0])
    segment = inclination * present + 1.7 * xp.tanh(output[..., 1:8] / 1.7)
    turning = rate * present + 3.0 * output[..., 10:17]
    alpha = 40.0 * output[..., 19:26]
    speed = 2.5 + 4.0 * xp.tanh(output[..., 8] / 2.0)
    upright = xp.stack([0.0 * height, height, segment[..., 0]], -1)
    moving = xp.stack([speed, 0.5 * output[..., 9], turning[..., 0]], -1)
    pushed = xp.stack([5.0 * output[..., 17], 5.0 * output[..., 18], alpha[..., 0]], -1)
    weight = (body.mass_kg * GRAVITY)[..., None]
    up = weight * 0.5 * _softplus(2.0 * output[..., 26:30] - 1.0)
    shear = FRICTION * up * xp.tanh(output[..., 30:34])
    force = xp.stack([shear, up], -1)
    return BodyState(
        q=xp.concatenate([upright, joint_angles(segment)], -1),
        qd=xp.concatenate([moving, joint_angles(turning)], -1),
        qdd=xp.concatenate([pushed, joint_angles(alpha)], -1),
        contact_force=force.reshape(*force.shape[:-2], 2, 2, 2),
        lean=0.6 * xp.tanh(output[..., 34]),
    )


def _softplus(value: Array) -> Array:
    xp = namespace(value)
    return xp.logaddexp(value, 0.0 * value)
