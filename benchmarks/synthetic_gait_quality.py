# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show how well synthetic wearers obey mechanics and keep to the published cycles they aim for.

Run `python benchmarks/synthetic_gait_quality.py`.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.training.episode_plan import MARGIN, PROGRAMS, draw_plans
from sspinnpose_ros.training.episodes import perform
from sspinnpose_ros.training.gait_style import NODES, draw_gaits
from sspinnpose_ros.training.synthetic_gait import sample, synthesize

LOADED_SHARE = 0.1


def main() -> None:
    """Print residuals, slip, tracking and double support per kind of motion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--wearers', type=int, default=64)
    parser.add_argument('--episodes', type=int, default=27)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.wearers > 0:
        print_gaits(arguments.wearers)
    if arguments.episodes > 0:
        print_episodes(arguments.episodes)


def print_gaits(wearers: int) -> None:
    """Print the quality of periodic motions, a line for each kind."""
    targets = draw_gaits(np.random.default_rng(3), wearers)
    motions = synthesize(targets)
    weight = (motions.body.mass_kg * GRAVITY)[:, None, None]
    aimed = torch.tensor(np.stack([target.force for target in targets]))[..., 1]
    force = motions.force.sum(-2) / weight[..., None]
    found = force[..., 1]
    for kind in ('walking', 'running', 'standing'):
        rows = [row for row, target in enumerate(targets) if target.kind == kind]
        off = []
        for row in rows:
            one = motions.part(slice(row, row + 1))
            times = torch.arange(NODES) / NODES * targets[row].duration_s
            angles = sample(one, time_s=times).q[0, :, 3:].numpy()
            off.append(np.rad2deg(np.sqrt(np.square(angles - targets[row].angles).mean())))
        both = [(share[rows] > LOADED_SHARE).all(-1).double().mean() for share in (aimed, found)]
        residual = 100 * motions.residual[rows].mean(0)
        print(
            f'{kind:9s} {len(rows):3d} wearers: pelvis residual {residual[0]:.2f} and '
            f'{residual[1]:.2f} %BW, slip {motions.slip[rows].mean():.2f} m/s, '
            f'{np.mean(off):.1f} deg from the aim, both feet loaded {both[1]:.3f} of the cycle '
            f'(aim {both[0]:.3f})'
        )
        if kind != 'standing':
            late = np.mean(
                [
                    _late_ms(
                        force[row].numpy(), targets[row].force, duration_s=targets[row].duration_s
                    )
                    for row in rows
                ],
                axis=0,
            )
            print(f'          forces late by {late[0]:.1f} ms forward and {late[1]:.1f} ms up')


def _late_ms(found: np.ndarray, aimed: np.ndarray, *, duration_s: float) -> np.ndarray:
    """Return by how much (100, 2, 2) forces, (side, (forward, up)), come after their aim."""
    nodes = np.arange(NODES)
    shifts = np.arange(-8.0, 8.25, 0.25)
    errors = []
    for shift in shifts:
        at = (nodes + shift) % NODES
        low, part = at.astype(int), (at % 1.0)[:, None, None]
        moved = found[low] * (1 - part) + found[(low + 1) % NODES] * part
        errors.append(np.square(moved - aimed).sum((0, 1)))
    return shifts[np.argmin(errors, axis=0)] * duration_s / NODES * 1e3


def print_episodes(count: int) -> None:
    """Print the quality of episodes, a line for each program."""
    rng = np.random.default_rng(3)
    plans = draw_plans(rng, count)
    begun = time.monotonic()
    episodes = perform(plans, rng=rng)
    took = time.monotonic() - begun
    believed = episodes.converged()
    for program in PROGRAMS:
        rows = [row for row, plan in enumerate(plans) if plan.program == program]
        if not rows:
            continue
        residual = 100 * episodes.residual[rows].mean(0)
        aimed = np.stack([plans[row].angles[MARGIN:-MARGIN] for row in rows])
        off = np.rad2deg(
            np.sqrt(np.square(episodes.samples.q[rows, :, 3:].numpy() - aimed).mean())
        )
        speed = episodes.samples.qd[rows, :, 0]
        print(
            f'{program:15s} {len(rows):3d} episodes: pelvis residual {residual[0]:.2f} and '
            f'{residual[1]:.2f} %BW, slip {episodes.slip[rows].mean():.2f} m/s, {off:.1f} deg '
            f'from the aim, {speed.min():.1f} to {speed.max():.1f} m/s, '
            f'{int(believed[rows].sum())} believed'
        )
    print(f'{count} episodes took {took:.0f} s')


if __name__ == '__main__':
    main()
