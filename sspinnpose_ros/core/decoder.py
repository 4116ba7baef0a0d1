# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the network's outputs their physical meaning."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sspinnpose_ros.core.arrays import Array, components, join, namespace, pieces
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
    raised, leaning, moving, turned, pushed, bent, loads, shears, trunk = pieces(
        output, (1, 7, 2, 7, 2, 7, 4, 4, 1)
    )
    standing = body.leg_length.sum(-1) + body.ankle_height
    height = standing + 0.25 * xp.tanh(raised[..., 0])
    segment = inclination * present + 1.7 * xp.tanh(leaning / 1.7)
    turning = rate * present + 3.0 * turned
    alpha = 40.0 * bent
    forward, rise = components(moving)
    pushed_ahead, pushed_up = components(5.0 * pushed)
    weight = (body.mass_kg * GRAVITY)[..., None]
    up = weight * 0.5 * _softplus(2.0 * loads - 1.0)
    force = join([FRICTION * up * xp.tanh(shears), up])
    return BodyState(
        q=_coordinates(0.0 * height, height, segment),
        qd=_coordinates(2.5 + 4.0 * xp.tanh(forward / 2.0), 0.5 * rise, turning),
        qdd=_coordinates(pushed_ahead, pushed_up, alpha),
        contact_force=force.reshape(*force.shape[:-2], 2, 2, 2),
        lean=0.6 * xp.tanh(trunk[..., 0]),
    )


def _coordinates(forward: Array, up: Array, segments: Array) -> Array:
    """Return (..., 9) of pelvis (...) and inclinations (..., 7), or their rates."""
    tilt, *_ = components(segments)
    return join([forward, up, tilt, *components(joint_angles(segments))])


def _softplus(value: Array) -> Array:
    xp = namespace(value)
    return xp.logaddexp(value, 0.0 * value)
