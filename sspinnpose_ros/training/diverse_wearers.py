"""Let wearers walk whom no mean gait describes, to test with; training never sees them.

The seed has four words and training's have at most three, so that no training draws the same
people. Unusual gaits are marked ones, crouching and squatting wearers count three times, and stiff
knees and toe walking twice: a set in which usual gait prevails is answered well by its mean, and
then proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sspinnpose_ros.core.conventions import JOINTS, SIDES
from sspinnpose_ros.training.gait_style import GaitTarget, draw_gait
from sspinnpose_ros.training.synthetic_gait import Motions, MotionSamples, sample, synthesize
from sspinnpose_ros.training.wearer import SensorErrors, wear

SEED = (7, 31, 4, 2026)
BODY_SEED = 1_000_000_007
RATE_HZ = 100.0

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
class DiverseWearer:
    """Hold what one wearer's sensors measured, and the truth.

    Attributes:
        kind: name of the kind of movement.
        gait: 'walking', 'running' or 'standing'.
        speed_mps: mean forward speed, m/s.
        mass_kg: body mass, kg.
        height_m: stature, m.
        time_s: (T,) s.
        phase: (T,) part of the cycle, from 0 to 1 and from the start again.
        sagittal: (T, 7, 3) as `conventions.SAGITTAL_CHANNELS`, nominal segment axes.
        reference: `time`, `angle_*`, `moment_*`, `grf_forward_*` and `grf_up_*`, SI units.
        position_m: (7, 2) true places of the sensors, (forward, up), m.
        mounting_rad: (7,) true rotations of the sensors in the sagittal plane, rad.

    """

    kind: str
    gait: str
    speed_mps: float
    mass_kg: float
    height_m: float
    time_s: np.ndarray
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
    return worn_by(
        kinds=[kind for kind, _ in drawn],
        motions=motions,
        truth=truth,
        time_s=time,
        phase=np.stack(
            [
                (time / target.duration_s + begin) % 1.0
                for (_, target), begin in zip(drawn, start, strict=True)
            ]
        ),
        rng=rng,
    )


def worn_by(
    *,
    kinds: Sequence[str],
    motions: Motions,
    truth: MotionSamples,
    time_s: np.ndarray,
    phase: np.ndarray,
    rng: np.random.Generator,
) -> list[DiverseWearer]:
    """Put the test set's imperfect sensors on motions.

    Args:
        kinds: (M) names.
        motions: M wearers.
        truth: how they moved at T times.
        time_s: (T,) s.
        phase: (M, T) part of the cycle.
        rng: source of chance.

    Returns:
        The wearers, in order.

    """
    worn = wear(motion=truth, body=motions.body, period_s=1 / RATE_HZ, rng=rng, errors=ERRORS)
    return [
        DiverseWearer(
            kind=kinds[row],
            gait=target.kind,
            speed_mps=target.speed_mps,
            mass_kg=target.mass_kg,
            height_m=target.height_m,
            time_s=time_s,
            phase=phase[row],
            sagittal=worn.sagittal[row],
            reference=_reference(truth, row=row, time_s=time_s),
            position_m=worn.position[row],
            mounting_rad=worn.mounting_rad[row],
        )
        for row, target in enumerate(motions.targets)
    ]


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
