# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ask for physics: the label-free losses of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import torch

from sspinnpose_ros.core.arrays import components, join
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import COORDINATES, GRAVITY
from sspinnpose_ros.core.decoder import BodyState
from sspinnpose_ros.core.kinematics import segment_angles
from sspinnpose_ros.core.mechanics import mechanics
from sspinnpose_ros.core.virtual_imu import virtual_imu
from sspinnpose_ros.training.placement_fit import (
    USUAL_PLACEMENT,
    PlacementPrior,
    explain_placement,
)

HUBER_BETA = 2.0

KNEES = tuple(COORDINATES.index(name) for name in ('knee_angle_r', 'knee_angle_l'))


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
    off_forward, off_up, off_rate = components(sagittal - virtual)
    force_off = join([off_forward, off_up])
    force_off = force_off - explain_placement(
        motion=motion, virtual=virtual, residual=force_off, measured=measured, prior=prior
    )
    share = measured.sum()
    weight = (body.mass_kg * GRAVITY)[..., None]
    height = body.height_m[..., None]
    up = components(state.contact_force)[1] / weight[..., None]
    _, gap = components(points.position)
    moment = found.effort / (weight * height)
    coordinates = components(state.q)
    knees = join([coordinates[knee] for knee in KNEES])
    # Filters err within a stride; what a sensor tells of its segment is the mean.
    there = measured.sum(1)
    turned = ((segment_angles(state.q) - inclination) * measured).sum(1) / there.clamp(min=1.0)
    drift = _Trapezoid.apply(state.q, state.qd, period_s)
    jump = _Trapezoid.apply(state.qd, state.qdd, period_s)
    s = scales
    # The forward position is no output of the network: its share is taken out of the mean.
    drift_scale = drift.new_tensor([math.inf, s.height_velocity, *[s.velocity] * 7])
    jump_scale = jump.new_tensor([*[s.pelvis_acceleration] * 2, *[s.acceleration] * 7])
    force_scale = s.pelvis_force * weight[..., 0]
    moment_scale = s.pelvis_moment * weight[..., 0] * body.height_m
    pelvis_scale = join([force_scale, force_scale, moment_scale])
    return {
        'specific_force': _huber(force_off, s.specific_force, measured[..., None]) / (2 * share),
        'rate': _huber(off_rate, s.rate, measured) / share,
        'inclination': _huber(turned, s.inclination, there) / share,
        'velocity': _mean_huber(drift, drift_scale) * 9 / 8,
        'acceleration': _mean_huber(jump, jump_scale),
        'pelvis': physics * _mean_huber(found.pelvis_residual, pelvis_scale),
        'contact': physics
        * (
            2 * _mean_huber(up[..., None] * points.velocity, s.slip) + _mean_huber(up * gap, s.gap)
        ),
        'penetration': _mean_huber(gap.clamp(max=0.0), s.penetration),
        'knee_limit': knees.clamp(max=0.0).square().mean() / s.hyperextension**2,
        'smoothness': physics
        * (
            _Step.apply(up).square().mean() / s.force_step**2
            + _Step.apply(moment).square().mean() / s.moment_step**2
        ),
        'effort': physics * moment.square().mean() / s.effort**2,
        'lean': state.lean.square().mean() / s.lean**2
        + _Step.apply(state.lean).square().mean() / (period_s * s.lean_rate) ** 2,
    }


class _Step(torch.autograd.Function):
    """Change of values (B, T, ...) from sample to sample, (B, T - 1, ...).

    The derivative is written out, here and below, since that of slices costs torch much.
    """

    @staticmethod
    def forward(_: Any, values: torch.Tensor) -> torch.Tensor:
        return values[:, 1:] - values[:, :-1]

    @staticmethod
    def backward(_: Any, gradient: torch.Tensor) -> torch.Tensor:
        values = _one_longer(gradient)
        torch.sub(gradient[:, :-1], gradient[:, 1:], out=values[:, 1:-1])
        torch.neg(gradient[:, 0], out=values[:, 0])
        values[:, -1] = gradient[:, -1]
        return values


class _Trapezoid(torch.autograd.Function):
    """By how much values (B, T, ...) change otherwise than their rate says, (B, T - 1, ...)."""

    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, rate: torch.Tensor, period_s: float
    ) -> torch.Tensor:
        ctx.period_s = period_s
        missed = (values[:, 1:] - values[:, :-1]).div_(period_s)
        return missed.sub_(rate[:, 1:], alpha=0.5).sub_(rate[:, :-1], alpha=0.5)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        gradient = gradient * -0.5
        rate = _one_longer(gradient)
        torch.add(gradient[:, :-1], gradient[:, 1:], out=rate[:, 1:-1])
        rate[:, 0], rate[:, -1] = gradient[:, 0], gradient[:, -1]
        values = _Step.backward(None, gradient)
        return values.mul_(-2.0 / ctx.period_s), rate, None


def _one_longer(values: torch.Tensor) -> torch.Tensor:
    """Return room for values (B, T, ...) of one sample more, laid out as `arrays.planes` does."""
    batch, samples, *rest = values.shape
    return values.new_empty(*rest, samples + 1, batch).movedim((-1, -2), (0, 1))


def weigh(losses: dict[str, torch.Tensor], weights: LossWeights) -> torch.Tensor:
    """Add the named losses up."""
    return torch.stack([getattr(weights, f.name) * losses[f.name] for f in fields(weights)]).sum()


def _huber(
    residual: torch.Tensor, scale: torch.Tensor | float, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the weighted sum of Huber's function of residual over scale.

    It is a square, and from `HUBER_BETA` on a straight line.
    """
    with torch.no_grad():
        kept = residual.clamp(-HUBER_BETA * scale, HUBER_BETA * scale)
        slope = kept / scale**2
        if weight is not None:
            slope *= weight
        beyond = (slope * kept).sum()
    # The slope is a constant here: this has both the value and the gradient of the function.
    return 2.0 * (slope * residual).sum() - beyond


def _mean_huber(residual: torch.Tensor, scale: torch.Tensor | float) -> torch.Tensor:
    return _huber(residual, scale) / residual.numel()
