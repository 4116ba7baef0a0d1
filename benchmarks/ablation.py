# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Train short runs with one thing removed or changed at a time, and print what that costs.

Run `python benchmarks/ablation.py [DATA] [--docs docs/accuracy.md]`. All runs share the same
synthetic motions, seed and number of steps; they are far shorter than the shipped training, so
only differences between rows mean something. Each row is kept in a folder of its own settings: an
interrupted run goes on where it stopped. Recorded trials in DATA are for scoring only.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.recorded_grid import read_grid
from sspinnpose_ros.bags.reference import load_reference
from sspinnpose_ros.bags.trial import find_trial, subject_of
from sspinnpose_ros.core.atomic_output import file_beside
from sspinnpose_ros.core.body import body_from_anthropometry, nominal_sensor_position
from sspinnpose_ros.core.conventions import JOINTS, SENSOR_SETS, SENSORS, SIDES
from sspinnpose_ros.core.inclination import inclination_sequence
from sspinnpose_ros.core.mechanics import mechanics
from sspinnpose_ros.core.mounting import aligned_mounting, sagittal_signals
from sspinnpose_ros.core.network import GaitNetwork
from sspinnpose_ros.evaluation.accuracy_results import mean, number
from sspinnpose_ros.evaluation.accuracy_table import replace_tables
from sspinnpose_ros.evaluation.metrics import Evaluation, evaluate
from sspinnpose_ros.training.diverse_wearers import diverse_wearers
from sspinnpose_ros.training.episodes import Episodes, training_episodes
from sspinnpose_ros.training.gait_style import GaitTarget, draw_gaits
from sspinnpose_ros.training.losses import LossWeights
from sspinnpose_ros.training.recordings import Streams
from sspinnpose_ros.training.synthetic_gait import Motions, synthesize
from sspinnpose_ros.training.train import RATE_HZ, TrainingConfig, _Training, run_network

BEGIN, END = '<!-- ablation: begin -->', '<!-- ablation: end -->'
TRIALS = ('overground_walk_p1', 'overground_run_p1')
QUANTITIES = ('angles', 'moments', 'vertical GRF')
SPARSE = [names for key, names in SENSOR_SETS.items() if key != 'all']


@dataclass(frozen=True)
class Ablation:
    """Say what a run lacks.

    Attributes:
        name: of the row.
        config: fields of the training configuration that differ.
        weights: loss weights that differ.
        skip: whether the network has its linear skip.
        inclination: whether the inclination filter is input and start of the angles.
        styles: whether synthetic wearers move in unusual ways, too.

    """

    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    skip: bool = True
    inclination: bool = True
    styles: bool = True


ABLATIONS = (
    Ablation('nothing'),
    *(Ablation(f'loss: {f.name.replace("_", " ")}', weights={f.name: 0.0})
      for f in fields(LossWeights)),
    Ablation('linear skip', skip=False),
    Ablation('sensor masks', config={'sparse': 0.0, 'dropped': 0.0}),
    Ablation('inclination filter', weights={'inclination': 0.0}, inclination=False),
    Ablation('unusual styles', styles=False),
    Ablation('episodes', config={'episodes': 0}),
    Ablation('inclination loss, a third left', weights={'inclination': 0.1}),
    Ablation('none, but thrice the inclination loss', weights={'inclination': 0.9}),
    Ablation('contact loss, two fifths left', weights={'contact': 0.2}),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shared:
    """Hold the synthetic motions of all rows: varied wearers, and as many usual ones."""

    varied: Motions
    usual: Motions
    episodes: Episodes | None


@dataclass(frozen=True, eq=False)
class Scored:
    """Hold streams and their references, for scoring."""

    streams: Streams
    references: Sequence[Mapping[str, np.ndarray]]


class ShortTraining(_Training):
    """Train without the ablated part, on motions that are there already."""

    def __init__(self, *, ablation: Ablation, shared: Shared, **rest: Any) -> None:
        super().__init__(recordings=(), initial=None, progress=_silent, **rest)
        self.ablation = ablation
        self.shared = shared
        # The skip starts at zero and stays there without a gradient.
        self.network.skip.weight.requires_grad_(ablation.skip)

    def _synthesize(self) -> tuple[Motions, Motions]:
        motions = self.shared.varied if self.ablation.styles else self.shared.usual
        return motions, motions.part(slice(0, 4))

    def _perform(self) -> Episodes | None:
        return self.shared.episodes if self.config.episodes else None

    def _draw_streams(self) -> Streams:
        return _maybe_blind(super()._draw_streams(), self.ablation)


def main() -> None:
    """Train and score every row, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', nargs='?', type=Path, help='folder of recorded trials')
    parser.add_argument('--docs', type=Path, help='put the table between the markers of this')
    parser.add_argument('--iterations', type=int, default=1500)
    parser.add_argument('--wearers', type=int, default=128)
    parser.add_argument('--episodes', type=int, default=32)
    parser.add_argument('--gait-iterations', type=int, default=1200)
    parser.add_argument('--test-size', type=int, default=2, help='of the test set, 16 times it')
    parser.add_argument('--batch', type=int, default=64)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--rows', nargs='+', help='names of some rows, default all')
    parser.add_argument('--cache', type=Path, default=Path('build/ablation'))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.docs is not None:
        # Refused now rather than after an hour.
        _replaced(arguments.docs, '')
    rows = [row for row in ABLATIONS if arguments.rows is None or row.name in arguments.rows]
    if not rows:
        parser.error(f'no such row, choose from {", ".join(repr(a.name) for a in ABLATIONS)}')
    print(table := _table(rows, arguments))
    if arguments.docs is not None:
        text = _replaced(arguments.docs, table)
        with file_beside(arguments.docs, overwrite=True) as partial:
            partial.write_text(text)


def _replaced(path: Path, table: str) -> str:
    document = path.read_text(encoding='utf-8')
    return replace_tables(document, table, name=str(path), begin=BEGIN, end=END)


def _table(rows: Sequence[Ablation], arguments: argparse.Namespace) -> str:
    config = TrainingConfig(
        seed=arguments.seed,
        iterations=arguments.iterations,
        wearers=arguments.wearers,
        episodes=arguments.episodes,
        gait_iterations=arguments.gait_iterations,
        episode_iterations=arguments.gait_iterations,
        batch=arguments.batch,
        threads=arguments.threads,
    )
    settings = {'config': asdict(config), 'test_size': arguments.test_size}
    settings['trials'] = [] if arguments.data is None else list(TRIALS)
    results: dict[str, dict[str, dict[str, float]]] = {}
    shared: Shared | None = None
    sets: dict[str, Scored] = {}
    for row in rows:
        place = arguments.cache / f'{re.sub("[^a-z]+", "_", row.name)}.json'
        kept = json.loads(place.read_text()) if place.exists() else {}
        if kept.get('settings') == json.loads(json.dumps(settings)):
            results[row.name] = kept['scores']
            continue
        begin = time.monotonic()
        shared = shared or _share(config)
        sets = sets or dict(_sets(arguments))
        network = _train(row, config=config, shared=shared)
        results[row.name] = dict(_score(network, row, sets))
        with file_beside(place, overwrite=True) as partial:
            partial.write_text(
                json.dumps({'settings': settings, 'scores': results[row.name]}, indent=2)
            )
        print(f'{row.name}: {time.monotonic() - begin:.0f} s', file=sys.stderr)
    return _markdown(results, config=config)


def _share(config: TrainingConfig) -> Shared:
    rng = np.random.default_rng([config.seed, 17])
    targets = draw_gaits(rng, config.wearers)
    varied = list(range(config.wearers))
    usual = [row for row in varied if _is_usual(targets[row])]
    while len(usual) < config.wearers:
        more = draw_gaits(rng, 1)[0]
        if _is_usual(more):
            usual.append(len(targets))
            targets.append(more)
    motions = synthesize(targets, seed=config.seed, iterations=config.gait_iterations)
    episodes = None
    if config.episodes:
        episodes = training_episodes(
            config.episodes, seed=config.seed, rank=0, iterations=config.episode_iterations
        )
    return Shared(
        varied=_chosen(motions, varied),
        usual=_chosen(motions, usual),
        # With few iterations none of them obeys mechanics.
        episodes=episodes if episodes is not None and len(episodes) else None,
    )


def _is_usual(target: GaitTarget) -> bool:
    return target.kind == 'standing' or target.style == 'usual'


def _chosen(motions: Motions, rows: Sequence[int]) -> Motions:
    index = torch.as_tensor(rows)
    tensors = {name: value[index] for name, value in motions.tensors().items()}
    return Motions.from_tensors(tensors, [motions.targets[row] for row in rows])


def _train(row: Ablation, *, config: TrainingConfig, shared: Shared) -> GaitNetwork:
    changed = replace(config, **row.config, weights=replace(config.weights, **row.weights))
    with tempfile.TemporaryDirectory(prefix='ablation_') as place:
        training = ShortTraining(
            ablation=row, shared=shared, output=Path(place) / 'model', config=changed
        )
        training.run(resume=False)
    return training.network


def _sets(arguments: argparse.Namespace) -> Iterator[tuple[str, Scored]]:
    wearers = diverse_wearers(
        size=arguments.test_size, seconds=12.0, iterations=arguments.gait_iterations
    )
    yield (
        'synthetic',
        Scored(
            streams=_streams(
                np.stack([wearer.sagittal for wearer in wearers]),
                mass_kg=[wearer.mass_kg for wearer in wearers],
                height_m=[wearer.height_m for wearer in wearers],
            ),
            references=[wearer.reference for wearer in wearers],
        ),
    )
    for name in TRIALS if arguments.data is not None else ():
        trial = find_trial(arguments.data / name)
        subject = subject_of(trial)
        with open_imu_bag(trial.bag) as bag:
            grid = read_grid(bag, sensors=SENSORS, rate_hz=RATE_HZ, longest_s=float('inf'))[0]
        sagittal = sagittal_signals(
            acceleration=grid.acceleration,
            angular_rate=grid.angular_rate,
            mounting=aligned_mounting().arrays(SENSORS),
        )
        yield (
            name,
            Scored(
                streams=_streams(
                    sagittal[None], mass_kg=[subject.mass_kg], height_m=[subject.height_m]
                ),
                references=[load_reference(arguments.data / name / 'reference.npz')],
            ),
        )


def _streams(
    sagittal: np.ndarray, *, mass_kg: Sequence[float], height_m: Sequence[float]
) -> Streams:
    angle, change = inclination_sequence(sagittal=sagittal, period_s=1 / RATE_HZ)
    mass, height = torch.tensor(mass_kg), torch.tensor(height_m)
    return Streams(
        sagittal=torch.as_tensor(sagittal, dtype=torch.float32),
        inclination=torch.as_tensor(angle, dtype=torch.float32),
        rate_change=torch.as_tensor(change, dtype=torch.float32),
        present=torch.ones(sagittal.shape[:3]),
        body=body_from_anthropometry(mass_kg=mass, height_m=height),
        sensor_position=nominal_sensor_position(height_m=height),
    )


def _maybe_blind(streams: Streams, ablation: Ablation) -> Streams:
    if ablation.inclination:
        return streams
    return replace(streams, inclination=torch.zeros_like(streams.inclination))


def _score(
    network: GaitNetwork, row: Ablation, sets: Mapping[str, Scored]
) -> Iterator[tuple[str, dict[str, float]]]:
    for name, scored in sets.items():
        yield name, _means(_evaluations(network, row, scored, SENSORS))
        if name == 'synthetic':
            sparse = [_means(_evaluations(network, row, scored, seen)) for seen in SPARSE]
            yield (
                'sparse',
                {key: float(np.mean([each[key] for each in sparse])) for key in QUANTITIES},
            )


def _means(evaluations: Sequence[Evaluation]) -> dict[str, float]:
    values = {key: mean([number(each, key) for each in evaluations]) for key in QUANTITIES}
    return {key: float('nan') if value is None else value for key, value in values.items()}


def _evaluations(
    network: GaitNetwork, row: Ablation, scored: Scored, sensors: Sequence[str]
) -> list[Evaluation]:
    streams = _maybe_blind(scored.streams, row)
    seen = torch.tensor([[float(name in sensors) for name in SENSORS]]).expand(len(streams), -1)
    with torch.no_grad():
        state, _ = run_network(network, streams=streams, seen=seen)
        effort = mechanics(body=streams.body.over_time(), state=state).effort
        force = state.contact_force.sum(-2)
    evaluations = []
    for index, reference in enumerate(scored.references):
        estimate = {'time': np.arange(streams.samples) / RATE_HZ}
        for number_, joint in enumerate(JOINTS):
            estimate[f'angle_{joint}'] = state.q[index, :, 3 + number_].numpy()
            estimate[f'moment_{joint}'] = effort[index, :, number_].numpy()
        for number_, side in enumerate(SIDES):
            estimate[f'grf_up_{side}'] = force[index, :, number_, 1].numpy()
        evaluations.append(
            evaluate(
                estimate=estimate,
                reference=reference,
                mass_kg=float(streams.body.mass_kg[index]),
                height_m=float(streams.body.height_m[index]),
            )
        )
    return evaluations


def _markdown(
    results: Mapping[str, Mapping[str, Mapping[str, float]]], *, config: TrainingConfig
) -> str:
    columns = {
        'synthetic': 'synthetic test set',
        'sparse': 'the same, sparse sets',
        **{name: f'`{name}`' for name in TRIALS},
    }
    first = next(iter(results.values()))
    there = [key for key in columns if key in first]
    lines = [
        f'{config.iterations} steps, {config.wearers} wearers and {config.episodes} episodes, '
        f'seed {config.seed}; angles in degrees / moments in BWBH% / vertical GRF in %BW.',
        '',
        f'| removed | {" | ".join(columns[key] for key in there)} |',
        f'| --- | {" | ".join("---:" for _ in there)} |',
    ]
    for name, scores in results.items():
        cells = (' / '.join(f'{scores[key][q]:.1f}' for q in QUANTITIES) for key in there)
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def _silent(stage: str, done: int, total: int, remark: str) -> None:
    pass


if __name__ == '__main__':
    main()
