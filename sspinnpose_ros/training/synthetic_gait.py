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
from sspinnpose_ros.core.kinematics import Kinematics, kinematics
from sspinnpose_ros.core.trunk import carry_trunk
from sspinnpose_ros.training.gait_style import NODES, GaitTarget

HARMONICS = 14
FRICTION = 0.8
KNEE_SLACK_RAD = 0.05

RESIDUAL = (0.01, 0.01, 0.2)
"""Scales of the pelvis residual: body weights, and tenths of body weight times height. The moment
is loose, since trunk and arms turn, which the still trunk does not: held tighter, the
forward forces of running come some 20 ms late."""

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
    rng = np.random.default_rng(seed)
    body = vary_body(
        body_from_anthropometry(
            mass_kg=np.array([t.mass_kg for t in targets]),
            height_m=np.array([t.height_m for t in targets]),
        ),
        rng,
        spread=body_spread,
    ).tensor(torch.zeros(1))
    problem = _Problem(targets=targets, body=body)
    optimizer = torch.optim.Adam(
        [
            {'params': [problem.offset], 'lr': 0.05},
            {'params': [problem.load, problem.shear], 'lr': 0.03},
        ],
        betas=(0.9, 0.99),
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [0.12, 0.06], total_steps=iterations, pct_start=0.1
    )
    for step in range(iterations):
        loss = problem.loss()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if progress is not None and (step % 50 == 0 or step == iterations - 1):
            progress(step + 1, iterations)
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
    body = motions.body.over_time()
    motion = kinematics(body=body, q=q, qd=qd, qdd=qdd)
    points = contact_points(body=body, motion=motion)
    lean = torch.tensor([t.lean_rad for t in motions.targets])[:, None].expand(-1, len(time_s))
    effort = inverse_dynamics(
        body=body,
        motion=carry_trunk(motion=motion, lean=lean),
        contact_offset=points.from_ankle,
        contact_force=force,
    )
    return MotionSamples(q=q, qd=qd, qdd=qdd, contact_force=force, effort=effort[..., 3:])


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
        self.tilt = stack([t.tilt for t in targets])[..., None]
        self.lean = stack([t.lean_rad for t in targets])[:, None]
        self.angles = stack([t.angles for t in targets])
        self.force = stack([t.force for t in targets])
        self.standing = torch.tensor([t.kind == 'standing' for t in targets])
        self.weight = (body.mass_kg * GRAVITY)[:, None, None, None, None]
        phase = torch.arange(NODES) / NODES * 2 * math.pi
        basis = _harmonics(phase[None].expand(len(targets), -1), 2 * math.pi / self.duration)
        self.value, self.first, self.second = basis
        self.start = self._initial_series()
        decay = torch.arange(1, HARMONICS + 1) ** -1.5
        self.scale = 0.02 * torch.cat([torch.ones(1), decay, decay])
        self.offset = torch.zeros_like(self.start, requires_grad=True)
        half = (self.force[..., 1] / 2).clamp_min(1e-3)
        self.load = torch.log(torch.expm1(half))[..., None].repeat(1, 1, 1, 2).requires_grad_()
        slope = self.force[..., 0] / (self.force[..., 1] + 0.05) / FRICTION
        self.shear = (
            torch.atanh(slope.clamp(-0.9, 0.9))[..., None].repeat(1, 1, 1, 2).requires_grad_()
        )

    def _initial_series(self) -> torch.Tensor:
        count = len(self.targets)
        series = torch.zeros(count, 9, 2 * HARMONICS + 1)
        value = self.value[0]
        joints = self.angles.transpose(1, 2) @ value / NODES * 2
        joints[..., 0] /= 2
        series[:, 3:] = joints
        knee = self.angles[..., [1, 4]].mean((1, 2))
        series[:, 1, 0] = self.body.leg_length.sum(-1) * (1 - 0.12 * knee**2)
        series[:, 1, 0] += self.body.ankle_height - 0.01
        series[:, 2, 0] = self.tilt[:, :, 0].mean(1)
        return self._carried_by_target_force(series)

    def _carried_by_target_force(self, series: torch.Tensor) -> torch.Tensor:
        """Let the pelvis rise, sink and surge as the target forces drive it.

        From a level start, whose forces come too late, Adam does not find back in any time.
        """
        q, qd, qdd = (
            torch.einsum('mck,mtk->mtc', series, b) for b in (self.value, self.first, self.second)
        )
        motion = kinematics(body=self.over_time, q=q, qd=qd, qdd=qdd)
        needed = inverse_dynamics(body=self.over_time, motion=self._with_trunk(motion))[..., :2]
        mass = self.body.mass_kg[:, None, None]
        missing = self.force.sum(2) * GRAVITY - needed / mass
        turn = 2 * math.pi / self.duration * torch.arange(1, HARMONICS + 1)
        swing = torch.einsum('mtk,mtc->mck', self.value[..., 1:], missing) / NODES * 2
        series[:, :2, 1:] -= swing / turn.repeat(1, 2)[:, None] ** 2
        return series

    def _with_trunk(self, motion: Kinematics) -> Kinematics:
        return carry_trunk(motion=motion, lean=self.lean.expand(-1, NODES))

    def coefficients(self) -> torch.Tensor:
        """Return the series; the mean forward position is fixed at zero."""
        mask = torch.ones_like(self.start[:1])
        mask[0, 0, 0] = 0.0
        return (self.start + self.offset * self.scale) * mask

    def contact_force(self) -> torch.Tensor:
        """Return forces in body weights, (M, 100, side, point, (forward, up))."""
        up = torch.nn.functional.softplus(self.load)
        return torch.stack([FRICTION * up * torch.tanh(self.shear), up], -1)

    def terms(self) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
        """Return the named penalties, the pelvis residual and the contact speeds."""
        series = self.coefficients()
        q, qd, qdd = (
            torch.einsum('mck,mtk->mtc', series, b) for b in (self.value, self.first, self.second)
        )
        qd = torch.cat([qd[..., :1] + self.speed[..., None], qd[..., 1:]], -1)
        motion = kinematics(body=self.over_time, q=q, qd=qd, qdd=qdd)
        points = contact_points(body=self.over_time, motion=motion)
        share = self.contact_force()
        force = inverse_dynamics(
            body=self.over_time,
            motion=self._with_trunk(motion),
            contact_offset=points.from_ankle,
            contact_force=share * self.weight,
        )
        weight = self.weight[..., 0, 0]
        lever = 0.1 * self.body.height_m[:, None, None]
        residual = torch.cat([force[..., :2] / weight, force[..., 2:3] / weight / lever], -1)
        effort = force[..., 3:] / weight / self.body.height_m[:, None, None]
        up, height = share[..., 1], points.position[..., 1]
        total = share.sum(-2)
        off = (self.force[..., 1] < 1e-3).float()
        terms = {
            'residual': (residual / torch.tensor(RESIDUAL)) ** 2,
            'angles': 0.3 * ((q[..., 3:] - self.angles) / 0.05) ** 2,
            'tilt': 0.3 * ((q[..., 2:3] - self.tilt) / 0.05) ** 2,
            'force': 0.2 * ((total - self.force) / torch.tensor([0.08, 0.15])) ** 2,
            'swing': (total[..., 1] * off / 0.02) ** 2,
            'slip': 0.3 * (up[..., None] * points.velocity / 0.15) ** 2,
            'gap': 0.3 * (up * height / 0.015) ** 2,
            'penetration': (torch.relu(-height) / 0.006) ** 2,
            'smooth': 0.03 * ((share - share.roll(1, 1)) / torch.tensor([0.03, 0.05])) ** 2,
            'knee': (torch.relu(-KNEE_SLACK_RAD - q[..., [4, 7]]) / 0.03) ** 2,
            'jerk': 0.02 * (qdd[..., 3:] / 100.0) ** 2,
            'effort': 0.02 * (effort / 0.08) ** 2,
        }
        return (
            terms,
            residual,
            (up * points.velocity[..., 0].abs()).sum((1, 2, 3)) / up.sum((1, 2, 3)),
        )

    def loss(self) -> torch.Tensor:
        """Return the sum over wearers of the mean penalties."""
        return sum(t.flatten(1).mean(1) for t in self.terms()[0].values()).sum()  # type: ignore[union-attr]

    def result(self) -> Motions:
        """Freeze the solution."""
        with torch.no_grad():
            _, residual, slip = self.terms()
            return Motions(
                targets=self.targets,
                body=self.body,
                series=self.coefficients(),
                force=self.contact_force() * self.weight,
                residual=residual.square().mean(1).sqrt(),
                slip=slip,
            )
