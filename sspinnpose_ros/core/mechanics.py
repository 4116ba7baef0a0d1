# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Work out what a claimed motion with contact forces means mechanically."""

from __future__ import annotations

from dataclasses import dataclass

from sspinnpose_ros.core.arrays import Array, pieces
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.contact import ContactPoints, contact_points
from sspinnpose_ros.core.decoder import BodyState
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.kinematics import Kinematics, kinematics
from sspinnpose_ros.core.trunk import carry_trunk


@dataclass(frozen=True)
class Mechanics:
    """Hold the motion of segments and contact points, and the forces they take.

    Attributes:
        motion: of the seven segments; the pelvis turns with its sensor.
        points: heels and toes.
        pelvis_residual: (..., 3) what the equations of motion leave: N, N, N m.
        effort: (..., 6) joint moments, N m.

    """

    motion: Kinematics
    points: ContactPoints
    pelvis_residual: Array
    effort: Array


def mechanics(*, body: Body, state: BodyState) -> Mechanics:
    """Compute kinematics, contact and inverse dynamics of a body state.

    Args:
        body: batch shape broadcastable to that of the state.
        state: what the network claims, batch shape `...`.

    """
    motion = kinematics(body=body, q=state.q, qd=state.qd, qdd=state.qdd)
    points = contact_points(body=body, motion=motion)
    forces = inverse_dynamics(
        body=body,
        motion=carry_trunk(motion=motion, lean=state.lean),
        contact_offset=points.from_ankle,
        contact_force=state.contact_force,
    )
    residual, effort = pieces(forces, (3, 6))
    return Mechanics(motion=motion, points=points, pelvis_residual=residual, effort=effort)
