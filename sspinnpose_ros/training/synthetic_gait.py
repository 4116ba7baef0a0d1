# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make dynamically consistent motions: batched direct collocation of periodic gait.

Kinematics are Fourier series, contact forces live on the nodes of the cycle, and one Adam run
over all wearers at once drives the pelvis residual of the equations of motion, slip and
penetration to nearly zero while staying near the drawn targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from sspinnpose_ros.core.body import Body, body_from_anthropometry
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.trunk import carry_trunk
from sspinnpose_ros.training.collocation import (
    Aim,
    ContactUnknowns,
    Penalties,
    minimize,
    missing_acceleration,
    penalties,
)
from sspinnpose_ros.training.gait_style import NODES, GaitTarget

HARMONICS = 14

_STORED = ('series', 'force', 'residual', 'slip')


@dataclass(frozen=True)
class Motions:
    """Hold periodic motions of many wearers as series and nodes, ready to be sampled.

    Attributes:
        targets: what each wearer aimed for.
        body: true bodies, batch (M,).
        series: (M, 9, 29) Fourier coefficients of q: mean, 14 cosines, 14 sines.
        force: (M, 100, 2, 2, 2) contact force at the nodes, N, (side, point, (forward, up)).
        residual: (M, 3) root-mean-square pelvis residual: body weights, body weights, and
            tenths of body weight times height.
        slip: (M,) force-weighted speed of the loaded contact points, m/s.

    """

    targets: Sequence[GaitTarget]
    body: Body
    series: torch.Tensor
    force: torch.Tensor
    residual: torch.Tensor
    slip: torch.Tensor

    def part(self, wearers: slice) -> Motions:
        """Return some of the wearers."""
        return Motions(
            targets=self.targets[wearers],
            body=self.body.map(lambda value: value[wearers]),
            series=self.series[wearers],
            force=self.force[wearers],
            residual=self.residual[wearers],
            slip=self.slip[wearers],
        )

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything but the targets, by name."""
        named = {f'body.{f.name}': getattr(self.body, f.name) for f in fields(Body)}
        return named | {name: getattr(self, name) for name in _STORED}

    @staticmethod
    def from_tensors(
        tensors: Mapping[str, torch.Tensor], targets: Sequence[GaitTarget]
    ) -> Motions:
        """Rebuild motions from `tensors` and their targets."""
        return Motions(
            targets=targets,
            body=Body(**{f.name: tensors[f'body.{f.name}'] for f in fields(Body)}),
            **{name: tensors[name] for name in _STORED},
        )


@dataclass(frozen=True)
class MotionSamples:
    """Hold motions sampled in time, axes (M, T, ...).

    Attributes:
        q: (M, T, 9) coordinates; forward position grows with the distance walked.
        qd: (M, T, 9) velocities.
        qdd: (M, T, 9) accelerations.
        contact_force: (M, T, 2, 2, 2) N.
        effort: (M, T, 6) joint moments, N m.

    """

    q: torch.Tensor
    qd: torch.Tensor
    qdd: torch.Tensor
    contact_force: torch.Tensor
    effort: torch.Tensor


def vary_body(body: Body, rng: np.random.Generator, *, spread: float = 1.0) -> Body:
    """Give every wearer limbs of their own: no person equals the tables.

    Args:
        body: batch (M,), numpy.
        rng: source of chance.
        spread: 1 for 3 % of leg lengths and 7 % of masses (one sigma).

    """
    count = body.mass_kg.shape[0]

    def factor(sigma: float, *shape: int) -> np.ndarray:
        return 1.0 + spread * sigma * np.clip(rng.normal(size=(count, *shape)), -2.0, 2.0)

    leg = factor(0.03, 2)
    foot = factor(0.04)
    trunk = factor(0.05)
    length = np.stack([trunk, leg[:, 0], leg[:, 1], foot, leg[:, 0], leg[:, 1], foot], -1)
    share = factor(0.07, 4)[:, [0, 1, 2, 3, 1, 2, 3]]
    share[:, 0] = 1.0
    mass = body.segment_mass * share
    mass[:, 0] += body.mass_kg - mass.sum(-1)
    return Body(
        mass_kg=body.mass_kg,
        height_m=body.height_m,
        segment_mass=mass,
        segment_inertia=body.segment_inertia * mass / body.segment_mass * length**2,
        segment_com=body.segment_com * length[..., None],
        leg_length=body.leg_length * leg,
        contact_point=body.contact_point * foot[:, None, None],
    )


def synthesize(
    targets: Sequence[GaitTarget],
    *,
    seed: int = 0,
    iterations: int = 2500,
    body_spread: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> Motions:
    """Find a dynamically consistent cycle near each target.

    Args:
        targets: what the wearers aim for.
        seed: of the bodies' individual variation.
        iterations: Adam steps; 2500 leave pelvis residuals of about 0.5 % of body weight.
        body_spread: individual variation of the bodies, 0 for the tables.
        progress: called with (done, total) now and then.

    """
    body = vary_body(
        body_from_anthropometry(
            mass_kg=np.array([t.mass_kg for t in targets]),
            height_m=np.array([t.height_m for t in targets]),
        ),
        np.random.default_rng(seed),
        spread=body_spread,
    ).tensor(torch.zeros(1))
    problem = _Problem(targets=targets, body=body)
    minimize(
        problem.loss,
        offset=[problem.offset],
        contact=problem.contact,
        iterations=iterations,
        progress=progress,
    )
    return problem.result()


def sample(
    motions: Motions, *, time_s: torch.Tensor, phase: torch.Tensor | None = None
) -> MotionSamples:
    """Evaluate motions in time.

    Args:
        motions: M wearers.
        time_s: (T,) time, s.
        phase: (M,) part of the cycle at time zero, 0 to 1; zero when None.

    """
    count = len(motions.targets)
    duration = torch.tensor([t.duration_s for t in motions.targets])[:, None]
    speed = torch.tensor([t.speed_mps for t in motions.targets])[:, None]
    start = torch.zeros(count) if phase is None else phase
    cycle = time_s[None] / duration + start[:, None]
    value, first, second = _harmonics(2 * math.pi * cycle, 2 * math.pi / duration)
    q, qd, qdd = (
        torch.einsum('mck,mtk->mtc', motions.series, basis) for basis in (value, first, second)
    )
    q[..., 0] += speed * time_s
    qd[..., 0] += speed
    node = (cycle * NODES) % NODES
    low = node.floor().long() % NODES
    part = (node - node.floor())[..., None, None, None]
    wearer = torch.arange(count)[:, None]
    force = motions.force[wearer, low] * (1 - part)
    force = force + motions.force[wearer, (low + 1) % NODES] * part
    lean = torch.tensor([t.lean_rad for t in motions.targets])[:, None].expand(-1, len(time_s))
    return with_effort(body=motions.body, q=q, qd=qd, qdd=qdd, contact_force=force, lean=lean)


def with_effort(
    *,
    body: Body,
    q: torch.Tensor,
    qd: torch.Tensor,
    qdd: torch.Tensor,
    contact_force: torch.Tensor,
    lean: torch.Tensor,
) -> MotionSamples:
    """Add the joint moments that inverse dynamics finds.

    Args:
        body: true bodies, batch (M,).
        q: (M, T, 9) coordinates.
        qd: (M, T, 9) velocities.
        qdd: (M, T, 9) accelerations.
        contact_force: (M, T, 2, 2, 2) N.
        lean: (M, T) inclination of the trunk, rad.

    """
    over_time = body.over_time()
    motion = kinematics(body=over_time, q=q, qd=qd, qdd=qdd)
    effort = inverse_dynamics(
        body=over_time,
        motion=carry_trunk(motion=motion, lean=lean),
        contact_offset=contact_points(body=over_time, motion=motion).from_ankle,
        contact_force=contact_force,
    )
    return MotionSamples(q=q, qd=qd, qdd=qdd, contact_force=contact_force, effort=effort[..., 3:])


def _harmonics(
    angle: torch.Tensor, rate: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    order = torch.arange(1, HARMONICS + 1, dtype=angle.dtype)
    cos, sin = torch.cos(angle[..., None] * order), torch.sin(angle[..., None] * order)
    omega = rate[..., None] * order
    one = torch.ones_like(cos[..., :1])
    zero = torch.zeros_like(one)
    return (
        torch.cat([one, cos, sin], -1),
        torch.cat([zero, -omega * sin, omega * cos], -1),
        torch.cat([zero, -(omega**2) * cos, -(omega**2) * sin], -1),
    )


class _Problem:
    """Hold targets, unknowns and the loss of the collocation."""

    def __init__(self, *, targets: Sequence[GaitTarget], body: Body) -> None:
        def stack(values: list[float] | list[np.ndarray]) -> torch.Tensor:
            return torch.tensor(np.stack(values), dtype=torch.float32)

        self.targets = targets
        self.body = body
        self.over_time = body.over_time()
        self.duration = stack([t.duration_s for t in targets])[:, None]
        self.speed = stack([t.speed_mps for t in targets])[:, None]
        self.aim = Aim(
            angles=stack([t.angles for t in targets]),
            force=stack([t.force for t in targets]),
            forefoot=stack([t.forefoot for t in targets]),
            tilt=stack([t.tilt for t in targets]),
            lean=stack([t.lean_rad for t in targets])[:, None].expand(-1, NODES),
        )
        phase = torch.arange(NODES) / NODES * 2 * math.pi
        basis = _harmonics(phase[None].expand(len(targets), -1), 2 * math.pi / self.duration)
        self.value, self.first, self.second = basis
        self.start = self._initial_series()
        decay = torch.arange(1, HARMONICS + 1) ** -1.5
        self.scale = 0.02 * torch.cat([torch.ones(1), decay, decay])
        self.offset = torch.zeros_like(self.start, requires_grad=True)
        self.contact = ContactUnknowns(self.aim)

    def _initial_series(self) -> torch.Tensor:
        count = len(self.targets)
        series = torch.zeros(count, 9, 2 * HARMONICS + 1)
        value = self.value[0]
        joints = self.aim.angles.transpose(1, 2) @ value / NODES * 2
        joints[..., 0] /= 2
        series[:, 3:] = joints
        knee = self.aim.angles[..., [1, 4]].mean((1, 2))
        series[:, 1, 0] = self.body.leg_length.sum(-1) * (1 - 0.12 * knee**2)
        series[:, 1, 0] += self.body.ankle_height - 0.01
        series[:, 2, 0] = self.aim.tilt.mean(1)
        return self._carried_by_aimed_force(series)

    def _carried_by_aimed_force(self, series: torch.Tensor) -> torch.Tensor:
        """Let the pelvis rise, sink and surge as the aimed forces drive it.

        From a level start, whose forces come too late, Adam does not find back in any time.
        """
        q, qd, qdd = (
            torch.einsum('mck,mtk->mtc', series, b) for b in (self.value, self.first, self.second)
        )
        missing = missing_acceleration(body=self.over_time, aim=self.aim, q=q, qd=qd, qdd=qdd)
        turn = 2 * math.pi / self.duration * torch.arange(1, HARMONICS + 1)
        swing = torch.einsum('mtk,mtc->mck', self.value[..., 1:], missing) / NODES * 2
        series[:, :2, 1:] -= swing / turn.repeat(1, 2)[:, None] ** 2
        return series

    def coefficients(self) -> torch.Tensor:
        """Return the series; the mean forward position is fixed at zero."""
        mask = torch.ones_like(self.start[:1])
        mask[0, 0, 0] = 0.0
        return (self.start + self.offset * self.scale) * mask

    def penalties(self) -> Penalties:
        """Return what is wrong with the cycles."""
        series = self.coefficients()
        q, qd, qdd = (
            torch.einsum('mck,mtk->mtc', series, b) for b in (self.value, self.first, self.second)
        )
        qd = torch.cat([qd[..., :1] + self.speed[..., None], qd[..., 1:]], -1)
        share = self.contact.share()
        return penalties(
            body=self.over_time,
            aim=self.aim,
            q=q,
            qd=qd,
            qdd=qdd,
            share=share,
            share_step=share - share.roll(1, 1),
        )

    def loss(self) -> torch.Tensor:
        """Return the sum over wearers of the mean penalties."""
        return self.penalties().total()

    def result(self) -> Motions:
        """Freeze the solution."""
        with torch.no_grad():
            found = self.penalties()
            weight = (self.body.mass_kg * GRAVITY)[:, None, None, None, None]
            return Motions(
                targets=self.targets,
                body=self.body,
                series=self.coefficients(),
                force=self.contact.share() * weight,
                residual=found.residual.square().mean(1).sqrt(),
                slip=found.slip,
            )
