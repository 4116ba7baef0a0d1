# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make dynamically consistent motions that never repeat: batched collocation of episodes.

Kinematics are cubic B-splines at three resolutions about the plan, contact forces live on the
samples; the penalties and the Adam run are those of the periodic gaits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from sspinnpose_ros.core.body import Body, body_from_anthropometry
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.training.collocation import (
    Aim,
    ContactUnknowns,
    Penalties,
    minimize,
    missing_acceleration,
    penalties,
)
from sspinnpose_ros.training.episode_plan import MARGIN, PERIOD_S, SAMPLES, EpisodePlan, draw_plans
from sspinnpose_ros.training.synthetic_gait import MotionSamples, vary_body, with_effort

LARGEST_RESIDUAL = (0.02, 0.02, 0.1)
"""Root-mean-square pelvis residual of an episode that is still believed: body weights, and
tenths of body weight times height."""

LARGEST_SLIP_MPS = 0.5
"""Slip of an episode that is still believed."""

_KNOT = 4
"""Samples between the finest knots."""
_LEVELS = (1, 4, 16)
"""Finest knots between the knots of each resolution."""
_LEVEL_SCALE = (0.06, 0.3, 0.6)
"""Size of one unknown, m and rad: wide steps, as Adam has to follow narrow valleys."""
_SPEED_SCALE_MPS = (0.05, 0.2)
"""Of standing and of moving wearers."""

_START_M, _START_MPS2 = 0.03, 3.0
"""How far the first guess of the pelvis may be from its plan, and from the aimed forces."""

_STORED = ('q', 'qd', 'qdd', 'contact_force', 'effort')


@dataclass(frozen=True)
class Episodes:
    """Hold M episodes on a grid of T samples.

    Attributes:
        body: true bodies, batch (M,).
        samples: the motions; forward position grows with the distance walked.
        residual: (M, 3) root-mean-square pelvis residual: body weights, body weights, and
            tenths of body weight times height.
        slip: (M,) force-weighted speed of the loaded contact points, m/s.

    """

    body: Body
    samples: MotionSamples
    residual: torch.Tensor
    slip: torch.Tensor

    def __len__(self) -> int:
        return len(self.slip)

    def part(self, chosen: torch.Tensor) -> Episodes:
        """Return the episodes that an index or a mask names."""
        return Episodes(
            body=self.body.map(lambda value: value[chosen]),
            samples=MotionSamples(
                **{name: getattr(self.samples, name)[chosen] for name in _STORED}
            ),
            residual=self.residual[chosen],
            slip=self.slip[chosen],
        )

    def cut(self, rng: np.random.Generator, *, samples: int) -> MotionSamples:
        """Return a piece of every episode, begun at random."""
        longest = self.samples.q.shape[1]
        start = torch.as_tensor(rng.integers(longest - samples + 1, size=len(self)))
        index = start[:, None] + torch.arange(samples)
        row = torch.arange(len(self))[:, None]
        return MotionSamples(**{name: getattr(self.samples, name)[row, index] for name in _STORED})

    def converged(self) -> torch.Tensor:
        """Return (M,) which episodes obey mechanics well enough to learn from."""
        believed = self.residual <= torch.tensor(LARGEST_RESIDUAL)
        return believed.all(1) & (self.slip <= LARGEST_SLIP_MPS)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything by name."""
        named = {f'body.{f.name}': getattr(self.body, f.name) for f in fields(Body)}
        named |= {f'samples.{name}': getattr(self.samples, name) for name in _STORED}
        return named | {'residual': self.residual, 'slip': self.slip}

    @staticmethod
    def from_tensors(tensors: Mapping[str, torch.Tensor]) -> Episodes:
        """Rebuild episodes from `tensors`."""
        return Episodes(
            body=Body(**{f.name: tensors[f'body.{f.name}'] for f in fields(Body)}),
            samples=MotionSamples(**{name: tensors[f'samples.{name}'] for name in _STORED}),
            residual=tensors['residual'],
            slip=tensors['slip'],
        )


def training_episodes(
    count: int,
    *,
    seed: int,
    rank: int = 0,
    iterations: int = 1500,
    progress: Callable[[int, int], None] | None = None,
) -> Episodes:
    """Draw episodes to learn from; those that did not converge are dropped.

    Args:
        count: how many to try.
        seed: of plans and bodies.
        rank: of the process, for wearers of its own.
        iterations: Adam steps.
        progress: called with (done, total) now and then.

    """
    rng = np.random.default_rng([seed, 23, rank])
    found = perform(draw_plans(rng, count), rng=rng, iterations=iterations, progress=progress)
    return found.part(found.converged())


def perform(
    plans: Sequence[EpisodePlan],
    *,
    rng: np.random.Generator,
    iterations: int = 1500,
    body_spread: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> Episodes:
    """Find a dynamically consistent motion near each plan, converged or not.

    Args:
        plans: what the wearers aim for.
        rng: of the bodies' individual variation.
        iterations: Adam steps.
        body_spread: individual variation of the bodies, 0 for the tables.
        progress: called with (done, total) now and then.

    """
    body = vary_body(
        body_from_anthropometry(
            mass_kg=np.array([plan.mass_kg for plan in plans]),
            height_m=np.array([plan.height_m for plan in plans]),
        ),
        rng,
        spread=body_spread,
    ).tensor(torch.zeros(1))
    problem = _Problem(plans=plans, body=body)
    if iterations > 0:
        minimize(
            problem.loss,
            offset=problem.offset,
            contact=problem.contact,
            iterations=iterations,
            progress=progress,
        )
    return problem.result()


class _Problem:
    """Hold plans, unknowns and the loss of the collocation."""

    def __init__(self, *, plans: Sequence[EpisodePlan], body: Body) -> None:
        def stack(name: str) -> torch.Tensor:
            values = np.stack([getattr(plan, name) for plan in plans])
            return torch.tensor(values, dtype=torch.float32)

        self.body = body
        self.over_time = body.over_time()
        self.speed = stack('speed_mps')
        still, moving = _SPEED_SCALE_MPS
        self.speed_scale = still + (moving - still) * stack('moving')
        self.aim = Aim(
            angles=stack('angles'),
            force=stack('force'),
            forefoot=stack('forefoot'),
            tilt=stack('tilt'),
            lean=stack('lean_rad'),
        )
        knots = SAMPLES // _KNOT + 3
        self.basis = torch.tensor(_spline_basis(), dtype=torch.float32)
        self.refine = [
            torch.tensor(scale * _refinement(level, knots), dtype=torch.float32)
            for level, scale in zip(_LEVELS, _LEVEL_SCALE, strict=True)
        ]
        self.offset = [
            torch.zeros(len(plans), 9, refine.shape[1], requires_grad=True)
            for refine in self.refine
        ]
        self.start = self._start(plans)
        self.contact = ContactUnknowns(self.aim)

    def _start(self, plans: Sequence[EpisodePlan]) -> tuple[torch.Tensor, ...]:
        """Return the coordinates of the plans, as splines, with two derivatives."""
        aimed = np.zeros((len(plans), SAMPLES, 9))
        for number, plan in enumerate(plans):
            aimed[number, :, 0] = np.cumsum(plan.speed_mps) * PERIOD_S
            aimed[number, :, 2] = plan.tilt
            aimed[number, :, 3:] = plan.angles
        q = torch.tensor(aimed, dtype=torch.float32)
        body = self.over_time
        motion = kinematics(body=body, q=q, qd=torch.zeros_like(q), qdd=torch.zeros_like(q))
        lowest = contact_points(body=body, motion=motion).position[..., 1].amin((2, 3))
        aimed[..., 1] = _smooth(-lowest.numpy()) - 0.01
        knots = SAMPLES // _KNOT + 3
        dense = np.stack(
            [_expand(np.eye(knots)[:, None], basis)[:, 0] for basis in _spline_basis()]
        )
        # In double precision, as the forward position grows to tens of metres.
        fitted = np.linalg.pinv(dense[0].T) @ aimed
        fitted[..., :2] = self._carried_by_aimed_force(dense, fitted)
        return tuple(torch.tensor(matrix.T @ fitted, dtype=torch.float32) for matrix in dense)

    def _carried_by_aimed_force(self, dense: np.ndarray, fitted: np.ndarray) -> np.ndarray:
        """Return (M, K, 2) coefficients of a pelvis between its plan and what forces ask."""
        q, qd, qdd = (torch.tensor(matrix.T @ fitted, dtype=torch.float32) for matrix in dense)
        missing = missing_acceleration(body=self.over_time, aim=self.aim, q=q, qd=qd, qdd=qdd)
        trust = (_START_M / _START_MPS2) ** 2
        normal = dense[0] @ dense[0].T + trust * dense[2] @ dense[2].T
        added = np.linalg.solve(normal, trust * dense[2] @ missing.numpy().astype(np.float64))
        return np.asarray(fitted[..., :2] + added)

    def coordinates(self) -> tuple[torch.Tensor, ...]:
        """Return q, qd and qdd, (M, T, 9) each."""
        fine = sum(
            offset @ refine.T for offset, refine in zip(self.offset, self.refine, strict=True)
        )
        windows = fine.unfold(-1, 4, 1)  # type: ignore[union-attr]
        return tuple(
            start + (windows @ basis.T).flatten(2).transpose(1, 2)
            for start, basis in zip(self.start, self.basis, strict=True)
        )

    def penalties(self) -> Penalties:
        """Return what is wrong with the episodes."""
        q, qd, qdd = self.coordinates()
        share = self.contact.share()
        found = penalties(
            body=self.over_time,
            aim=self.aim,
            q=q,
            qd=qd,
            qdd=qdd,
            share=share,
            share_step=share[:, 1:] - share[:, :-1],
        )
        found.terms['speed'] = 0.1 * ((qd[..., 0] - self.speed) / self.speed_scale) ** 2
        return found

    def loss(self) -> torch.Tensor:
        """Return the sum over episodes of the mean penalties."""
        return self.penalties().total()

    def result(self) -> Episodes:
        """Freeze the solution."""
        with torch.no_grad():
            kept = slice(MARGIN, SAMPLES - MARGIN)
            aim = Aim(**{f.name: getattr(self.aim, f.name)[:, kept] for f in fields(Aim)})
            share = self.contact.share()[:, kept]
            q, qd, qdd = (value[:, kept] for value in self.coordinates())
            found = penalties(
                body=self.over_time,
                aim=aim,
                q=q,
                qd=qd,
                qdd=qdd,
                share=share,
                share_step=share[:, 1:] - share[:, :-1],
            )
            weight = (self.body.mass_kg * GRAVITY)[:, None, None, None, None]
            return Episodes(
                body=self.body,
                samples=with_effort(
                    body=self.body,
                    q=q,
                    qd=qd,
                    qdd=qdd,
                    contact_force=share * weight,
                    lean=aim.lean,
                ),
                residual=found.residual.square().mean(1).sqrt(),
                slip=found.slip,
            )


def _spline_basis() -> np.ndarray:
    """Return (3, 4, 4): order of derivative, sample between two knots, coefficient."""
    x = np.arange(_KNOT)[:, None] / _KNOT
    powers = [
        np.concatenate([np.ones_like(x), x, x**2, x**3], -1),
        np.concatenate([np.zeros_like(x), np.ones_like(x), 2 * x, 3 * x**2], -1),
        np.concatenate([np.zeros_like(x), np.zeros_like(x), 2 * np.ones_like(x), 6 * x], -1),
    ]
    uniform = np.array([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]) / 6.0
    step = _KNOT * PERIOD_S
    return np.stack([power @ uniform / step**order for order, power in enumerate(powers)])


def _expand(coefficients: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Evaluate (..., K) spline coefficients at the samples."""
    windows = np.lib.stride_tricks.sliding_window_view(coefficients, 4, axis=-1)
    values = windows @ basis.T
    return values.reshape(*values.shape[:-2], -1)


def _refinement(level: int, knots: int) -> np.ndarray:
    """Return (knots, coarse knots): a coarse cubic B-spline in terms of the finest one."""
    mask = np.ones(1)
    for _ in range(4):
        mask = np.convolve(mask, np.ones(level) / level)
    mask *= level
    coarse = (knots - 1) // level + 5
    matrix = np.zeros((knots, coarse))
    for column in range(coarse):
        first = (column - 4) * level
        for place, value in enumerate(mask):
            if 0 <= first + place < knots:
                matrix[first + place, column] = value
    return matrix[:, matrix.any(0)]


def _smooth(values: np.ndarray) -> np.ndarray:
    """Average (M, T) over about 0.3 s."""
    half = 30
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * PERIOD_S / 0.12) ** 2)
    padded = np.pad(values, ((0, 0), (half, half)), mode='edge')
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=1)
    return np.asarray(windows @ (kernel / kernel.sum()))
