# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let wearers walk whom no mean gait describes, to test with; training never sees them.

The seed has four words and training's have at most three, so that no training draws the same
people. Unusual gaits are marked ones, crouching and squatting wearers count three times, and stiff
knees and toe walking twice: a set in which usual gait prevails is answered well by its mean, and
then proves nothing. Episodes in which people start, change and stop come on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SIDES
from sspinnpose_ros.training.episode_plan import draw_plans
from sspinnpose_ros.training.episodes import Episodes, perform
from sspinnpose_ros.training.gait_style import GaitTarget, draw_gait
from sspinnpose_ros.training.synthetic_gait import MotionSamples, sample, synthesize
from sspinnpose_ros.training.wearer import SensorErrors, wear

SEED = (7, 31, 4, 2026)
BODY_SEED = 1_000_000_007
EPISODES_SEED = 50
RATE_HZ = 100.0

UNLOADED_SHARE, LOADED_SHARE = 0.02, 0.15
"""Shares of body weight below which a foot swings, and above which it has struck."""

STANDING_MPS = 0.15
FLIGHT_REACH = 35
"""Samples from a flight phase up to which a person runs."""

MARKED = (0.7, 1.0)
"""Degree of the unusual styles."""

ERRORS = SensorErrors(position_m=0.02, mounting_rad=0.052)
"""Sensors sit 2 cm and 3 degrees (one sigma) from where they should."""


@dataclass(frozen=True)
class Kind:
    """Say how the wearers of one kind move.

    Attributes:
        name: of the kind.
        seed: last word of its seed.
        share: wearers of it for each unit of the set's size.
        gait: 'walking', 'running' or 'standing'.
        style: of the gait, as `GaitTarget.style`.
        speed_mps: (least, greatest) mean speed, m/s.

    """

    name: str
    seed: int
    share: int
    gait: str
    style: str
    speed_mps: tuple[float, float]


DIVERSE = (
    Kind('crouch', 1, 3, 'walking', 'crouch', (0.5, 1.6)),
    Kind('squat', 2, 3, 'standing', 'squat', (0.0, 0.0)),
    Kind('stiff knee', 3, 2, 'walking', 'stiff knee', (0.5, 1.6)),
    Kind('toe walking', 4, 2, 'walking', 'toe walking', (0.5, 1.6)),
    Kind('asymmetric', 5, 1, 'walking', 'asymmetric', (0.5, 1.6)),
    Kind('trunk lean', 6, 1, 'walking', 'trunk lean', (0.5, 1.6)),
    Kind('slow', 7, 1, 'walking', 'usual', (0.35, 0.6)),
    Kind('fast', 8, 1, 'walking', 'usual', (1.7, 2.1)),
    Kind('running', 9, 1, 'running', 'usual', (2.4, 4.6)),
    Kind('standing', 10, 1, 'standing', 'sway', (0.0, 0.0)),
)
"""The test set."""

USUAL = (
    Kind('usual walking', 11, 2, 'walking', 'usual', (0.8, 1.8)),
    Kind('usual running', 12, 2, 'running', 'usual', (2.5, 4.2)),
)
"""For comparison: what a mean gait answers well, so no test of angles."""


@dataclass(frozen=True, eq=False)
class Oracle:
    """Hold what a mean-gait predictor is told at T times, as in `DiverseWearer`."""

    gait: np.ndarray
    speed_mps: np.ndarray
    phase: np.ndarray


@dataclass(frozen=True, eq=False)
class DiverseWearer:
    """Hold what one wearer's sensors measured, and the truth.

    Attributes:
        kind: name of the kind of movement.
        mass_kg: body mass, kg.
        height_m: stature, m.
        time_s: (T,) s.
        gait: (T,) 'walking', 'running' or 'standing'.
        speed_mps: (T,) mean forward speed around that time, m/s.
        phase: (T,) part of the cycle, from 0 to 1 and from the start again.
        sagittal: (T, 7, 3) as `conventions.SAGITTAL_CHANNELS`, nominal segment axes.
        reference: `time`, `angle_*`, `moment_*`, `grf_forward_*` and `grf_up_*`, SI units.
        position_m: (7, 2) true places of the sensors, (forward, up), m.
        mounting_rad: (7,) true rotations of the sensors in the sagittal plane, rad.

    """

    kind: str
    mass_kg: float
    height_m: float
    time_s: np.ndarray
    gait: np.ndarray
    speed_mps: np.ndarray
    phase: np.ndarray
    sagittal: np.ndarray
    reference: dict[str, np.ndarray]
    position_m: np.ndarray
    mounting_rad: np.ndarray


def draw_targets(kinds: Sequence[Kind], *, size: int) -> list[tuple[str, GaitTarget]]:
    """Draw the wearers' aims from the fixed seed.

    Args:
        kinds: `DIVERSE` or `USUAL`.
        size: wearers of a kind with share one; the same people come first in a larger set.

    Returns:
        Name of the kind and target of every wearer.

    """
    targets = []
    for kind in kinds:
        rng = np.random.default_rng([*SEED, kind.seed])
        count = 0
        while count < size * kind.share:
            target = draw_gait(
                rng, speed_mps=rng.uniform(*kind.speed_mps), style=kind.style, severity=MARKED
            )
            # Chance decides who squats, and the legs' length where running begins.
            if (target.kind, target.style) == (kind.gait, kind.style):
                targets.append((kind.name, target))
                count += 1
    return targets


def diverse_wearers(
    kinds: Sequence[Kind] = DIVERSE,
    *,
    size: int,
    seconds: float,
    iterations: int = 1500,
    progress: Callable[[int, int], None] | None = None,
) -> list[DiverseWearer]:
    """Make the test set.

    Args:
        kinds: `DIVERSE` or `USUAL`.
        size: wearers of a kind with share one; 16 times as many in all of `DIVERSE`.
        seconds: length of every recording, s.
        iterations: of the collocation that makes their motions obey mechanics.
        progress: called with (done, total) of them now and then.

    Returns:
        The wearers, kind by kind.

    """
    drawn = draw_targets(kinds, size=size)
    motions = synthesize(
        [target for _, target in drawn], seed=BODY_SEED, iterations=iterations, progress=progress
    )
    rng = np.random.default_rng([*SEED, 100 + kinds[0].seed])
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    start = rng.random(len(drawn))
    truth = sample(
        motions,
        time_s=torch.as_tensor(time, dtype=torch.float32),
        phase=torch.as_tensor(start, dtype=torch.float32),
    )
    return _worn_by(
        kinds=[kind for kind, _ in drawn],
        body=motions.body,
        truth=truth,
        oracles=[
            Oracle(
                gait=np.full(len(time), target.kind),
                speed_mps=np.full(len(time), target.speed_mps),
                phase=(time / target.duration_s + begin) % 1.0,
            )
            for (_, target), begin in zip(drawn, start, strict=True)
        ],
        rng=rng,
    )


def episode_wearers(
    *,
    count: int,
    iterations: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> list[DiverseWearer]:
    """Make wearers who start, change and stop.

    Args:
        count: episodes to try; those that do not obey mechanics in the end are left out.
        iterations: of the collocation.
        progress: called with (done, total) of them now and then.

    """
    rng = np.random.default_rng([*SEED, EPISODES_SEED])
    found = perform(draw_plans(rng, count), rng=rng, iterations=iterations, progress=progress)
    found = found.part(found.converged())
    return _worn_by(
        kinds=['start, change, stop'] * len(found),
        body=found.body,
        truth=found.samples,
        oracles=[_oracle(found, row=row) for row in range(len(found))],
        rng=rng,
    )


def _worn_by(
    *,
    kinds: Sequence[str],
    body: Body,
    truth: MotionSamples,
    oracles: Sequence[Oracle],
    rng: np.random.Generator,
) -> list[DiverseWearer]:
    worn = wear(motion=truth, body=body, period_s=1 / RATE_HZ, rng=rng, errors=ERRORS)
    time = np.arange(truth.q.shape[1]) / RATE_HZ
    return [
        DiverseWearer(
            kind=kind,
            mass_kg=float(body.mass_kg[row]),
            height_m=float(body.height_m[row]),
            time_s=time,
            gait=oracle.gait,
            speed_mps=oracle.speed_mps,
            phase=oracle.phase,
            sagittal=worn.sagittal[row],
            reference=_reference(truth, row=row, time_s=time),
            position_m=worn.position[row],
            mounting_rad=worn.mounting_rad[row],
        )
        for row, (kind, oracle) in enumerate(zip(kinds, oracles, strict=True))
    ]


def _oracle(episodes: Episodes, *, row: int) -> Oracle:
    """Read gait, speed and phase, counted from right heel strikes, off the true motion."""
    samples = episodes.samples
    weight = float(episodes.body.mass_kg[row]) * GRAVITY
    load = samples.contact_force[row, ..., 1].sum(-1).numpy() / weight
    speed = _smoothed(samples.qd[row, :, 0].numpy().astype(np.float64))
    flying = np.flatnonzero((load < UNLOADED_SHARE).all(-1))
    places = np.arange(len(load))
    near = np.abs(places[:, None] - flying).min(-1) if len(flying) else np.full(len(load), 10**6)
    moving = np.where(near < FLIGHT_REACH, 'running', 'walking')
    strikes = _strikes(load[:, 0])
    phase = np.zeros(len(load))
    if len(strikes) >= 2:
        stride = float(np.median(np.diff(strikes)))
        # Before the first and after the last strike, strides are taken to last the median.
        before = np.arange(strikes[0] - stride, -stride, -stride)[::-1]
        after = np.arange(strikes[-1] + stride, len(load) + stride, stride)
        every = np.concatenate([before, strikes, after])
        phase = np.interp(places, every, np.arange(len(every))) % 1.0
    return Oracle(
        gait=np.where(speed < STANDING_MPS, 'standing', moving), speed_mps=speed, phase=phase
    )


def _strikes(load: np.ndarray) -> np.ndarray:
    """Return where a foot is loaded after it was not."""
    strikes, swinging = [], False
    for index, share in enumerate(load.tolist()):
        if share < UNLOADED_SHARE:
            swinging = True
        elif swinging and share > LOADED_SHARE:
            swinging = False
            strikes.append(index)
    return np.array(strikes, dtype=np.float64)


def _smoothed(values: np.ndarray) -> np.ndarray:
    width = round(RATE_HZ)
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode='edge')
    return np.convolve(padded, np.full(width, 1.0 / width), mode='valid')


def _reference(truth: MotionSamples, *, row: int, time_s: np.ndarray) -> dict[str, np.ndarray]:
    reference = {'time': time_s}
    for index, joint in enumerate(JOINTS):
        reference[f'angle_{joint}'] = truth.q[row, :, 3 + index].numpy()
        reference[f'moment_{joint}'] = truth.effort[row, :, index].numpy()
    force = truth.contact_force[row].sum(-2).numpy()
    for index, side in enumerate(SIDES):
        reference[f'grf_forward_{side}'] = force[:, index, 0]
        reference[f'grf_up_{side}'] = force[:, index, 1]
    return {name: values.astype(np.float64) for name, values in reference.items()}
