# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Guess where the sensors of recorded trials sit, and print how often that is right.

Run `python benchmarks/placement.py DATA`, a folder of trial folders, or without DATA for synthetic
wearers of every style, which move in the sagittal plane alone and so tell no sides.

Each recording is looked at as `sspinnpose info` does, with its topics renamed, put in any order
and every sensor turned at random; then again with some of its sensors only.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sspinnpose_ros.bags.imu_survey import ImuSurvey, ImuTopic, survey_imus
from sspinnpose_ros.bags.placement_proposal import FAIR, ORDER, Proposal
from sspinnpose_ros.bags.recording_info import describe_survey
from sspinnpose_ros.bags.sensor_names import placement_in
from sspinnpose_ros.bags.trial import find_trial
from sspinnpose_ros.cli.simulate import STYLES, SimulationConfig, simulate_to_bag
from sspinnpose_ros.core.conventions import SENSOR_SETS
from sspinnpose_ros.core.placement_guess import HIGH

SEED = 5
ITERATIONS = 600


@dataclass(frozen=True)
class Score:
    """Hold how a recording without names was understood.

    Attributes:
        parts: sensors whose segment was right.
        sensors: all.
        unsure: sensors of which nothing was said.
        legs: whether all of a leg were put on one leg.
        sides: 'right', 'wrong' or 'not told'.
        confidence: of the segments.

    """

    parts: int
    sensors: int
    unsure: int
    legs: bool
    sides: str
    confidence: str


def synthetic_trials(folder: Path) -> Path:
    """Simulate wearers of every style and speed, and return the folder of their trials."""
    wearers = [(style, 0.9) for style in STYLES] + [(style, 1.5) for style in STYLES]
    wearers += [('usual', speed) for speed in (0.5, 1.9, 2.6, 3.4)]
    for seed, (style, speed) in enumerate(wearers):
        config = SimulationConfig(
            speed_mps=speed,
            style=style,
            seconds=25.0,
            standing_s=2.0,
            mounting='arbitrary',
            seed=seed,
            iterations=ITERATIONS,
        )
        simulate_to_bag(folder / f'{style.replace(" ", "_")}_{speed}', config=config)
    return folder


def without_names(survey: ImuSurvey, *, rng: np.random.Generator) -> tuple[ImuSurvey, list[str]]:
    """Return a survey in which nothing but the motion tells, and the true sensors in its order."""
    order = rng.permutation(len(survey.topics))
    topics, truth = [], []
    for place, number in enumerate(order):
        one = survey.topics[number]
        truth.append(placement_in(one.topic).sensor or '')
        topics.append(_turned(one, rng, name=f'/imu_{place:02d}'))
    return replace(survey, topics=tuple(topics)), truth


def score(proposal: Proposal, truth: Sequence[str]) -> Score:
    """Compare a proposal with the true sensors."""
    found = [each.sensor or '' for each in proposal.placements]
    parts = [name.split('_')[0] for name in found]
    legs = [
        {there[-1:] for there, true in zip(found, truth, strict=True) if true.endswith(side)}
        for side in ('_r', '_l')
    ]
    sure = [each.side for each in proposal.placements if each.side]
    whole = all(len(sides) == 1 for sides in legs) and legs[0] != legs[1]
    told = bool(sure) and all(each == FAIR for each in sure)
    return Score(
        parts=sum(part == true.split('_')[0] for part, true in zip(parts, truth, strict=True)),
        sensors=len(truth),
        unsure=found.count(''),
        legs=whole,
        sides=('right' if whole and legs[0] == {'r'} else 'wrong') if told else 'not told',
        confidence=min((each.part for each in proposal.placements), key=ORDER.index),
    )


def main() -> int:
    """Print a line a recording with all of its sensors, and one a set of sensors."""
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else synthetic_trials(Path(scratch))
        trials = sorted(path for path in folder.iterdir() if (path / 'bag').is_dir())
        surveys = {trial.name: survey_imus(find_trial(trial).bag) for trial in trials}
    for name, wanted in {'all sensors': None, **SENSOR_SETS}.items():
        scores = {}
        for trial, survey in surveys.items():
            chosen = survey
            if wanted is not None:
                kept = [t for t in survey.topics if placement_in(t.topic).sensor in wanted]
                chosen = replace(survey, topics=tuple(kept))
            hidden, truth = without_names(chosen, rng=rng)
            scores[trial] = score(describe_survey(hidden).proposal, truth)
            if wanted is None:
                one = scores[trial]
                print(
                    f'{trial}: {one.parts} of {one.sensors} segments right ({one.confidence}), '
                    f'legs {"right" if one.legs else "mixed"}, sides {one.sides}'
                )
        print(f'{name}: {summary(list(scores.values()))}')
    return 0


def summary(scores: Sequence[Score]) -> str:
    """Say in a line how often guesses were right."""
    sides = Counter(one.sides for one in scores)
    sure = [one for one in scores if one.confidence == HIGH]
    return (
        f'segments right {sum(s.parts for s in scores)} of {sum(s.sensors for s in scores)}, '
        f'nothing said of {sum(s.unsure for s in scores)}; '
        f'legs apart in {sum(s.legs for s in scores)} of {len(scores)}; '
        f'sides right {sides["right"]}, wrong {sides["wrong"]}, not told {sides["not told"]}; '
        f'confidence high in {len(sure)}, of which all right in '
        f'{sum(s.parts == s.sensors and s.legs for s in sure)}'
    )


def _turned(one: ImuTopic, rng: np.random.Generator, *, name: str) -> ImuTopic:
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    sample = np.concatenate([one.sample[:, :3] @ turn, one.sample[:, 3:] @ turn], axis=-1)
    return replace(one, topic=name, frames=(), sample=sample)


if __name__ == '__main__':
    sys.exit(main())
