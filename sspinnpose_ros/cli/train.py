# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that trains the network."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sspinnpose_ros.cli.options import (
    calibration_option,
    output_option,
    overwrite_option,
    skip_bad_samples_option,
    stamps_option,
    subject_option,
    time_offset_option,
    topic_option,
)

if TYPE_CHECKING:
    from sspinnpose_ros.training.recordings import UnlabelledRecording
    from sspinnpose_ros.training.train import Progress

MODEL = ('weights.safetensors', 'model.json')
STAGES = {'synthetic wearers': 'synthetic wearers, optimizer steps'}
"""What is counted, where a stage's name does not say it."""

LONGEST_S = 3600.0
"""How much of a recording is read, s."""


@click.command(short_help='Train the network from unlabelled IMU data.')
@click.argument('bag_paths', metavar='[BAG]...', nargs=-1, type=click.Path(path_type=Path))
@subject_option
@calibration_option
@topic_option
@stamps_option
@time_offset_option
@skip_bad_samples_option
@click.option(
    '--from',
    'initial',
    metavar='MODEL',
    help='Model to go on from, such as default; without it the weights start anew.',
)
@click.option('--seed', default=0, show_default=True, type=int, help='Seed of all chance.')
@click.option(
    '--iterations',
    type=click.IntRange(min=1),
    help='Optimizer steps. Default: as the shipped model was trained; at most a tenth of that '
    'with --from.',
)
@click.option(
    '--wearers',
    type=click.IntRange(min=1),
    help='Synthetic wearers; their share that starts, changes and stops stays. Default: as the '
    'shipped model was trained; a quarter of that with --from.',
)
@click.option(
    '--threads',
    type=click.IntRange(min=1),
    help='CPU threads of torch. Default: as the shipped model was trained.',
)
@click.option(
    '--resume', is_flag=True, help='Go on from the checkpoint of an interrupted training.'
)
@output_option(metavar='MODEL', text='Model folder to make.')
@overwrite_option
def train(
    bag_paths: tuple[Path, ...],
    subject_path: Path | None,
    calibration_path: Path | None,
    topics: Mapping[str, str],
    stamps_at_arrival: bool,
    time_offset_s: Mapping[str, float],
    skip_bad_samples: bool,
    initial: str | None,
    seed: int,
    iterations: int | None,
    wearers: int | None,
    threads: int | None,
    resume: bool,
    output: Path,
    overwrite: bool,
) -> None:
    """Train the network from unlabelled IMU data, with physics alone.

    Without BAG it learns from synthetic wearers. Each BAG (a recording or a trial folder) joins
    in; with --from default the shipped model adapts to that person, and stops when the end of the
    recording, which it does not learn from, obeys physics no better. No reference is ever read.
    Ctrl-C leaves a checkpoint beside MODEL for --resume. Runs under torchrun unchanged.
    """
    from dataclasses import replace

    from sspinnpose_ros.core.atomic_output import require_free
    from sspinnpose_ros.core.model_file import load_model
    from sspinnpose_ros.training.train import TrainingConfig, adaptation, checkpoint_of
    from sspinnpose_ros.training.train import train as run_training

    require_free(output, overwrite=overwrite)
    config = TrainingConfig(seed=seed)
    if initial is not None:
        config = adaptation(config)
    if wearers is not None:
        config = replace(
            config, wearers=wearers, episodes=wearers * config.episodes // config.wearers
        )
    config = replace(
        config,
        iterations=iterations or config.iterations,
        threads=threads or config.threads,
    )
    recordings = [
        _recording(
            path,
            subject_path=subject_path,
            calibration_path=calibration_path,
            topics=topics,
            stamps_at_arrival=stamps_at_arrival,
            time_offset_s=time_offset_s,
            skip_bad_samples=skip_bad_samples,
        )
        for path in bag_paths
    ]
    started_from = None if initial is None else load_model(initial)
    with _stages() as progress:
        try:
            model = run_training(
                output=output,
                config=config,
                recordings=[part for parts in recordings for part in parts],
                initial=started_from,
                resume=resume,
                progress=progress,
            )
        except KeyboardInterrupt:
            click.echo(err=True)
            click.echo(
                'The same command with --resume goes on from the checkpoint.'
                if checkpoint_of(output).exists()
                else 'There is no checkpoint yet: the same command starts anew.',
                err=True,
            )
            raise
    found = model.provenance.get('held_out_synthetic', {})
    scores = ', '.join(f'{name} {value:.2f}' for name, value in found.items())
    click.echo(f'{output}: trained for {config.iterations} steps; unseen synthetic: {scores}.')


def _recording(
    path: Path,
    *,
    subject_path: Path | None,
    calibration_path: Path | None,
    topics: Mapping[str, str],
    stamps_at_arrival: bool,
    time_offset_s: Mapping[str, float],
    skip_bad_samples: bool,
) -> Sequence[UnlabelledRecording]:
    from sspinnpose_ros.bags.imu_bag import open_imu_bag
    from sspinnpose_ros.bags.recorded_grid import read_grid
    from sspinnpose_ros.bags.recording_calibration import find_mounting
    from sspinnpose_ros.bags.trial import find_trial, subject_of
    from sspinnpose_ros.core.conventions import SENSORS
    from sspinnpose_ros.core.mounting import sagittal_signals
    from sspinnpose_ros.training.recordings import UnlabelledRecording
    from sspinnpose_ros.training.train import RATE_HZ

    trial = find_trial(path)
    with open_imu_bag(trial.bag, topics=topics, stamps_at_arrival=stamps_at_arrival) as bag:
        for remark in bag.remarks:
            click.echo(remark)
        subject = subject_of(trial, named=subject_path)
        found = find_mounting(
            bag,
            subject=subject,
            sensors=SENSORS,
            calibration_path=calibration_path,
            skip_bad_samples=skip_bad_samples,
            time_offset_s=time_offset_s,
        )
        parts = read_grid(
            bag,
            sensors=SENSORS,
            rate_hz=RATE_HZ,
            longest_s=LONGEST_S,
            skip_bad_samples=skip_bad_samples,
            time_offset_s=time_offset_s,
            mounting=found.mounting,
        )
    if found.calibration is not None:
        click.echo(f'{path}: {found.calibration.sentences[0]}')
    mounting = found.mounting.arrays(SENSORS)
    return [
        UnlabelledRecording(
            sagittal=sagittal_signals(
                acceleration=part.acceleration, angular_rate=part.angular_rate, mounting=mounting
            )
            * part.present[..., None],
            present=part.present,
            body=subject.body(),
            sensor_position=subject.sensor_position_m[:, [0, 2]],
        )
        for part in parts
    ]


@contextmanager
def _stages() -> Iterator[Progress]:
    """Draw one bar a stage on a terminal, and a line now and then elsewhere."""
    bars: dict[str, Any] = {}
    said: dict[str, int] = {}

    def show(stage: str, done: int, total: int, remark: str) -> None:
        stage = STAGES.get(stage, stage)
        if not sys.stderr.isatty():
            tenth = 10 * done // total
            if said.get(stage) != tenth:
                said[stage] = tenth
                click.echo(f'{stage}: {done} of {total} {remark}'.rstrip(), err=True)
            return
        if stage not in bars:
            for bar in bars.values():
                bar.finish()
                bar.render_progress()
                click.echo(err=True)
            bars.clear()
            bars[stage] = click.progressbar(
                length=total,
                label=stage,
                file=sys.stderr,
                item_show_func=lambda text: text,
            )
        bar = bars[stage]
        bar.update(done - bar.pos, remark)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.render_finish()
