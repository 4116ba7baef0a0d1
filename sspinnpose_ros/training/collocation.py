# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what a motion must obey to be believed, and find one that does.

Shared by periodic gaits and by episodes; they differ in how they describe the kinematics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.trunk import carry_trunk

FRICTION = 0.8
KNEE_SLACK_RAD = 0.05

RESIDUAL = (0.01, 0.01, 0.1)
"""Scales of the pelvis residual: body weights, and tenths of body weight times height. The moment
is loose, since trunk and arms turn, which the still trunk does not: held tighter, the
forward forces of running come some 20 ms late."""


@dataclass(frozen=True)
class Aim:
    """Hold what M motions aim for at T nodes.

    Attributes:
        angles: (M, T, 6) joint angles, rad.
        force: (M, T, 2, 2) ground reaction (side, (forward, up)), body weights.
        forefoot: (M, T, 2) part of it on the forefoot, 0 to 1.
        tilt: (M, T) pelvis tilt, rad.
        lean: (M, T) inclination of the trunk, rad; not an aim but a given.

    """

    angles: torch.Tensor
    force: torch.Tensor
    forefoot: torch.Tensor
    tilt: torch.Tensor
    lean: torch.Tensor


@dataclass(frozen=True)
class Penalties:
    """Hold what is wrong with M motions.

    Attributes:
        terms: named penalties, (M, T, ...) each.
        residual: (M, T, 3) pelvis residual: body weights, body weights, and tenths of body
            weight times height.
        slip: (M,) force-weighted speed of the loaded contact points, m/s.

    """

    terms: dict[str, torch.Tensor]
    residual: torch.Tensor
    slip: torch.Tensor

    def total(self) -> torch.Tensor:
        """Return the sum over motions of the mean penalties."""
        return sum(t.flatten(1).mean(1) for t in self.terms.values()).sum()  # type: ignore[union-attr]


class ContactUnknowns:
    """Hold the contact forces in a form that pushes only and respects friction."""

    def __init__(self, aim: Aim) -> None:
        """Start from what the motions aim for."""
        up, slope = aim.force[..., 1], aim.force[..., 0] / (aim.force[..., 1] + 0.05) / FRICTION
        points = torch.stack([1.0 - aim.forefoot, aim.forefoot], -1) * up[..., None]
        self.load = torch.log(torch.expm1(points.clamp_min(1e-3))).requires_grad_()
        self.shear = (
            torch.atanh(slope.clamp(-0.9, 0.9))[..., None].repeat(1, 1, 1, 2).requires_grad_()
        )

    def share(self) -> torch.Tensor:
        """Return forces in body weights, (M, T, side, point, (forward, up))."""
        up = torch.nn.functional.softplus(self.load)
        return torch.stack([FRICTION * up * torch.tanh(self.shear), up], -1)


def penalties(
    *,
    body: Body,
    aim: Aim,
    q: torch.Tensor,
    qd: torch.Tensor,
    qdd: torch.Tensor,
    share: torch.Tensor,
    share_step: torch.Tensor,
) -> Penalties:
    """Judge motions by the equations of motion, by contact, and by what they aim for.

    Args:
        body: batch (M, 1).
        aim: of M motions at T nodes.
        q: (M, T, 9) coordinates.
        qd: (M, T, 9) velocities.
        qdd: (M, T, 9) accelerations.
        share: (M, T, 2, 2, 2) contact forces, body weights.
        share_step: (M, S, 2, 2, 2) their change from node to node.

    """
    motion = kinematics(body=body, q=q, qd=qd, qdd=qdd)
    points = contact_points(body=body, motion=motion)
    weight = (body.mass_kg * GRAVITY)[..., None]
    force = inverse_dynamics(
        body=body,
        motion=carry_trunk(motion=motion, lean=aim.lean),
        contact_offset=points.from_ankle,
        contact_force=share * weight[..., None, None],
    )
    height = body.height_m[..., None]
    residual = torch.cat([force[..., :2] / weight, force[..., 2:3] / weight / (0.1 * height)], -1)
    effort = force[..., 3:] / weight / height
    up, gap = share[..., 1], points.position[..., 1]
    total = share.sum(-2)
    off = (aim.force[..., 1] < 1e-3).float()
    terms = {
        'residual': (residual / torch.tensor(RESIDUAL)) ** 2,
        'angles': 0.3 * ((q[..., 3:] - aim.angles) / 0.05) ** 2,
        'tilt': 0.3 * ((q[..., 2] - aim.tilt) / 0.05) ** 2,
        'force': 0.2 * ((total - aim.force) / torch.tensor([0.08, 0.15])) ** 2,
        'pressure': 0.05 * ((up[..., 1] - aim.forefoot * aim.force[..., 1]) / 0.15) ** 2,
        'swing': (total[..., 1] * off / 0.02) ** 2,
        'slip': 0.3 * (up[..., None] * points.velocity / 0.15) ** 2,
        'gap': 0.3 * (up * gap / 0.015) ** 2,
        'penetration': (torch.relu(-gap) / 0.006) ** 2,
        'smooth': 0.03 * (share_step / torch.tensor([0.03, 0.05])) ** 2,
        'knee': (torch.relu(-KNEE_SLACK_RAD - q[..., [4, 7]]) / 0.03) ** 2,
        'jerk': 0.02 * (qdd[..., 3:] / 100.0) ** 2,
        'effort': 0.02 * (effort / 0.08) ** 2,
    }
    slip = (up * points.velocity[..., 0].abs()).sum((1, 2, 3)) / up.sum((1, 2, 3))
    return Penalties(terms=terms, residual=residual, slip=slip)


def missing_acceleration(
    *, body: Body, aim: Aim, q: torch.Tensor, qd: torch.Tensor, qdd: torch.Tensor
) -> torch.Tensor:
    """Return what the pelvis lacks in acceleration for the aimed forces to balance.

    Args:
        body: batch (M, 1).
        aim: of M motions at T nodes.
        q: (M, T, 9) coordinates.
        qd: (M, T, 9) velocities.
        qdd: (M, T, 9) accelerations.

    Returns:
        (M, T, 2) forward and up, m/s^2, if the legs move as they do.

    """
    motion = carry_trunk(motion=kinematics(body=body, q=q, qd=qd, qdd=qdd), lean=aim.lean)
    needed = inverse_dynamics(body=body, motion=motion)[..., :2]
    return aim.force.sum(2) * GRAVITY - needed / body.mass_kg[..., None]


def minimize(
    loss: Callable[[], torch.Tensor],
    *,
    offset: Sequence[torch.Tensor],
    contact: ContactUnknowns,
    iterations: int,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Run Adam over kinematics and forces of all motions at once.

    Args:
        loss: the sum to be made small.
        offset: unknowns of the kinematics, about one in size.
        contact: unknowns of the forces.
        iterations: steps.
        progress: called with (done, total) now and then.

    """
    optimizer = torch.optim.Adam(
        [
            {'params': list(offset), 'lr': 0.05},
            {'params': [contact.load, contact.shear], 'lr': 0.03},
        ],
        betas=(0.9, 0.99),
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [0.12, 0.06], total_steps=iterations, pct_start=0.1
    )
    for step in range(iterations):
        value = loss()
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if progress is not None and (step % 50 == 0 or step == iterations - 1):
            progress(step + 1, iterations)
