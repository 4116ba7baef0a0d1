# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ask for physics: the label-free losses of the network."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.decoder import BodyState
from sspinnpose_ros.core.kinematics import segment_angles
from sspinnpose_ros.core.mechanics import mechanics
from sspinnpose_ros.core.virtual_imu import virtual_imu
from sspinnpose_ros.training.placement_fit import (
    USUAL_PLACEMENT,
    PlacementPrior,
    fit_placement,
    placement_columns,
)

HUBER_BETA = 2.0


@dataclass(frozen=True)
class LossScales:
    """Say which residual counts as one; every residual is divided by its scale.

    Attributes:
        specific_force: m/s^2.
        rate: rad/s.
        inclination: mean difference of a segment from its sensor, rad.
        velocity: disagreement of angles and rates, rad/s.
        height_velocity: the same for the pelvis height, m/s.
        acceleration: disagreement of rates and accelerations, rad/s^2.
        pelvis_acceleration: the same for the pelvis, m/s^2.
        pelvis_force: residual of the equations of motion, body weights.
        pelvis_moment: the same about the hips, body weight times height.
        slip: speed of a fully loaded contact point, m/s.
        gap: height of a fully loaded contact point, m.
        penetration: m.
        hyperextension: of the knee, rad.
        force_step: change of a contact force within a sample, body weights.
        moment_step: change of a joint moment within a sample, body weight times height.
        effort: joint moment, body weight times height.
        lean: of the trunk, rad.
        lean_rate: of the trunk, rad/s.

    """

    specific_force: float = 1.5
    rate: float = 0.3
    inclination: float = 0.1
    velocity: float = 0.2
    height_velocity: float = 0.05
    acceleration: float = 7.0
    pelvis_acceleration: float = 0.7
    pelvis_force: float = 0.05
    pelvis_moment: float = 0.005
    slip: float = 0.15
    gap: float = 0.015
    penetration: float = 0.01
    hyperextension: float = 0.1
    force_step: float = 0.1
    moment_step: float = 0.02
    effort: float = 0.05
    lean: float = 0.3
    lean_rate: float = 0.3


USUAL_SCALES = LossScales()


@dataclass(frozen=True)
class LossWeights:
    """Weigh the named losses; zero removes one, as the ablations do."""

    specific_force: float = 1.0
    rate: float = 1.0
    inclination: float = 0.3
    velocity: float = 1.0
    acceleration: float = 1.0
    pelvis: float = 1.0
    contact: float = 0.5
    penetration: float = 1.0
    knee_limit: float = 1.0
    smoothness: float = 0.05
    effort: float = 0.01
    lean: float = 0.05


def physics_losses(
    *,
    state: BodyState,
    sagittal: torch.Tensor,
    inclination: torch.Tensor,
    measured: torch.Tensor,
    sensor_position: torch.Tensor,
    body: Body,
    period_s: float,
    physics: float = 1.0,
    scales: LossScales = USUAL_SCALES,
    prior: PlacementPrior = USUAL_PLACEMENT,
) -> dict[str, torch.Tensor]:
    """Compare virtual with measured IMUs and the motion with itself and with mechanics.

    Args:
        state: of B windows of T samples.
        sagittal: (B, T, 7, 3) measured specific force (m/s^2) and rate (rad/s).
        inclination: (B, T, 7) of the sensors, from the filter, rad.
        measured: (B, T, 7) 1 where a sensor was recorded, whether or not the network saw it.
        sensor_position: (B, 7, 2) assumed places, m.
        body: batch (B, 1).
        period_s: sample period, s.
        physics: weight of dynamics and contact, ramped in during training.
        scales: what counts as one.
        prior: how far sensors may sit from where they should. Each window's accelerometers are
            compared at the placement that fits them best, so that a rotated or shifted sensor
            does not pull the skeleton after it.

    Returns:
        Named scalar losses, to be weighed by `LossWeights`.

    Source: Gambietz et al. (2026), losses; scales measured on synthetic gait.

    """
    found = mechanics(body=body, state=state)
    motion, points = found.motion, found.points
    virtual = virtual_imu(motion=motion, position=sensor_position[:, None])
    off = sagittal - virtual
    columns = placement_columns(motion=motion, virtual=virtual)
    placement = fit_placement(
        columns=columns.detach(), residual=off[..., :2].detach(), measured=measured, prior=prior
    )
    force_off = off[..., :2] - torch.einsum('btsci,bsi->btsc', columns, placement)
    share = measured.sum()
    weight = (body.mass_kg * GRAVITY)[..., None]
    height = body.height_m[..., None]
    force = state.contact_force / weight[..., None, None]
    moment = found.effort / weight / height
    up, speed, gap = force[..., 1], points.velocity, points.position[..., 1]
    # Filters err within a stride; what a sensor tells of its segment is the mean.
    there = measured.sum(1)
    turned = ((segment_angles(state.q) - inclination) * measured).sum(1) / there.clamp(min=1.0)
    drift = (state.q[:, 1:, 1:] - state.q[:, :-1, 1:]) / period_s - 0.5 * (
        state.qd[:, 1:, 1:] + state.qd[:, :-1, 1:]
    )
    jump = (state.qd[:, 1:] - state.qd[:, :-1]) / period_s - 0.5 * (
        state.qdd[:, 1:] + state.qdd[:, :-1]
    )
    s = scales
    return {
        'specific_force': (_huber(force_off / s.specific_force) * measured[..., None]).sum()
        / (2 * share),
        'rate': (_huber(off[..., 2] / s.rate) * measured).sum() / share,
        'inclination': (_huber(turned / s.inclination) * there).sum() / share,
        'velocity': _huber(
            torch.cat([drift[..., :1] / s.height_velocity, drift[..., 1:] / s.velocity], -1)
        ).mean(),
        'acceleration': _huber(
            torch.cat([jump[..., :2] / s.pelvis_acceleration, jump[..., 2:] / s.acceleration], -1)
        ).mean(),
        'pelvis': physics
        * _huber(
            torch.cat(
                [
                    found.pelvis_residual[..., :2] / weight / s.pelvis_force,
                    found.pelvis_residual[..., 2:] / weight / height / s.pelvis_moment,
                ],
                -1,
            )
        ).mean(),
        'contact': physics
        * (_huber(up[..., None] * speed / s.slip).sum(-1) + _huber(up * gap / s.gap)).mean(),
        'penetration': _huber(torch.relu(-gap) / s.penetration).mean(),
        'knee_limit': (torch.relu(-state.q[..., [4, 7]]) / s.hyperextension).square().mean(),
        'smoothness': physics
        * (
            ((up[:, 1:] - up[:, :-1]) / s.force_step).square().mean()
            + ((moment[:, 1:] - moment[:, :-1]) / s.moment_step).square().mean()
        ),
        'effort': physics * (moment / s.effort).square().mean(),
        'lean': (state.lean / s.lean).square().mean()
        + ((state.lean[:, 1:] - state.lean[:, :-1]) / period_s / s.lean_rate).square().mean(),
    }


def weigh(losses: dict[str, torch.Tensor], weights: LossWeights) -> torch.Tensor:
    """Add the named losses up."""
    return torch.stack([getattr(weights, f.name) * losses[f.name] for f in fields(weights)]).sum()


def _huber(residual: torch.Tensor) -> torch.Tensor:
    return (2.0 * HUBER_BETA) * torch.nn.functional.smooth_l1_loss(
        residual, torch.zeros_like(residual), beta=HUBER_BETA, reduction='none'
    )
