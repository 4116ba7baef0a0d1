# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the cycles of the population that training draws its wearers from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.training.gait_style import NODES, draw_gaits
from sspinnpose_ros.training.synthetic_gait import sample, synthesize

SEED = 0


@dataclass(frozen=True, eq=False)
class PopulationCycles:
    """Hold one cycle of each of N wearers, from the start of its phase.

    Attributes:
        gait: (N) 'walking', 'running' or 'standing'.
        speed_mps: (N,) mean forward speed, m/s.
        angle: (N, 100, 6) joint angles, rad.
        moment: (N, 100, 6) joint moments over mass, gravity and height.
        force: (N, 100, 2, 2) ground reaction (side, (forward, up)), body weights.

    """

    gait: tuple[str, ...]
    speed_mps: np.ndarray
    angle: np.ndarray
    moment: np.ndarray
    force: np.ndarray


def population_cycles(
    *,
    wearers: int,
    iterations: int = 600,
    progress: Callable[[int, int], None] | None = None,
) -> PopulationCycles:
    """Draw wearers as training does and take one cycle of each.

    Args:
        wearers: how many.
        iterations: of the collocation that makes their motions obey mechanics.
        progress: called with (done, total) of them now and then.

    """
    targets = draw_gaits(np.random.default_rng([SEED, 17, 0]), wearers)
    motions = synthesize(targets, seed=SEED, iterations=iterations, progress=progress)
    angle, moment, force = [], [], []
    for row, target in enumerate(targets):
        times = torch.arange(NODES) / NODES * target.duration_s
        one = sample(motions.part(slice(row, row + 1)), time_s=times)
        weight = target.mass_kg * GRAVITY
        angle.append(one.q[0, :, 3:].numpy())
        moment.append(one.effort[0].numpy() / (weight * target.height_m))
        force.append(one.contact_force[0].sum(-2).numpy() / weight)
    return PopulationCycles(
        gait=tuple(target.kind for target in targets),
        speed_mps=np.array([target.speed_mps for target in targets]),
        angle=np.stack(angle).astype(np.float64),
        moment=np.stack(moment).astype(np.float64),
        force=np.stack(force).astype(np.float64),
    )
