"""Give the sub-command that scores every trial of a folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sspinnpose_ros.cli.options import model_option

if TYPE_CHECKING:
    import numpy as np

    from sspinnpose_ros.bags.imu_bag import ImuBag
    from sspinnpose_ros.core.mounting import Mounting
    from sspinnpose_ros.core.subject import Subject
    from sspinnpose_ros.evaluation.accuracy_table import TrialScores
    from sspinnpose_ros.evaluation.metrics import Evaluation

OURS = 'sspinnpose'
CLASSICAL = {'classical': False, 'classical, offline': True}
"""Estimators without learning, by whether they may look ahead."""

RATE_HZ = 100.0


@click.command(short_help='Score every trial of a folder, ours beside a classical estimator.')
@click.argument('data_path', metavar='DATA', type=click.Path(path_type=Path))
@model_option
@click.option(
    '--docs',
    'docs_path',
    metavar='FILE.md',
    type=click.Path(path_type=Path),
    help='Put the tables between the markers of this document.',
)
@click.option(
    '--json',
    'json_path',
    metavar='FILE',
    type=click.Path(path_type=Path),
    help='Write all scores to this file; an older one is replaced.',
)
def accuracy(
    data_path: Path, model_path: str, docs_path: Path | None, json_path: Path | None
) -> None:
    """Estimate and score every trial folder in DATA.

    Sensors of unknown mounting are calibrated from the trial itself. Beside each score stands
    that of a classical estimator (inclination filters and inverse dynamics) on the same data.
    """
    from sspinnpose_ros.bags.trial import find_trial
    from sspinnpose_ros.core.atomic_output import file_beside
    from sspinnpose_ros.core.errors import OutputError, RecordingError
    from sspinnpose_ros.evaluation.accuracy_table import (
        TrialScores,
        accuracy_tables,
        replace_tables,
    )
    from sspinnpose_ros.evaluation.metrics import as_json

    document = ''
    if docs_path is not None:
        try:
            document = docs_path.read_text(encoding='utf-8')
        except OSError as error:
            raise OutputError(
                f'{docs_path} cannot be read ({error.strerror}), expected a document with the '
                'markers of the tables; name an existing one.'
            ) from None
        replace_tables(document, '', name=str(docs_path))
    folders = sorted(path.parent for path in data_path.glob('*/bag'))
    found = [folder for folder in folders if find_trial(folder).reference is not None]
    if not found:
        raise RecordingError(
            f'{data_path} holds no trial folders, expected folders with bag/, subject.yaml and '
            'reference.npz; name the folder above them.'
        )
    trials: list[TrialScores] = []
    for folder in found:
        scores = _score_trial(folder, model_path=model_path)
        trials.append(TrialScores(trial=folder.name, scores=scores))
        ours = as_json(scores[OURS])
        click.echo(
            f'{folder.name}: '
            + ', '.join(
                f'{name} {ours[name]:.2f}'
                for name in ('angle_rmsd_deg', 'moment_rmsd_bwbh', 'grf_rmsd_bw')
                if ours[name] is not None
            )
        )
    tables = accuracy_tables(trials)
    if docs_path is not None:
        with file_beside(docs_path, overwrite=True) as partial:
            partial.write_text(replace_tables(document, tables, name=str(docs_path)))
    if json_path is not None:
        with file_beside(json_path, overwrite=True) as partial:
            partial.write_text(json.dumps(_all_scores(trials), indent=2) + '\n')
    if docs_path is None:
        click.echo(tables)


def _score_trial(folder: Path, *, model_path: str) -> dict[str, Evaluation]:
    from sspinnpose_ros.bags.imu_bag import open_imu_bag
    from sspinnpose_ros.bags.recording_calibration import find_mounting
    from sspinnpose_ros.bags.recording_estimate import ESTIMATE, estimate_recording
    from sspinnpose_ros.bags.reference import load_reference
    from sspinnpose_ros.bags.trial import find_trial, subject_of
    from sspinnpose_ros.core.conventions import SENSORS
    from sspinnpose_ros.core.estimator import Estimator
    from sspinnpose_ros.core.model_file import load_model
    from sspinnpose_ros.evaluation.metrics import evaluate

    trial = find_trial(folder)
    subject = subject_of(trial)
    reference = load_reference(folder / 'reference.npz')
    with open_imu_bag(trial.bag) as bag:
        mounting = find_mounting(bag, subject=subject, sensors=SENSORS).mounting
        with tempfile.TemporaryDirectory(prefix='sspinnpose_accuracy_') as place:
            estimate_recording(
                bag,
                folder=Path(place),
                estimator=Estimator(
                    model=load_model(model_path), subject=subject, mounting=mounting
                ),
                mounting=mounting,
                sensors=SENSORS,
            )
            estimates = {OURS: load_reference(Path(place) / ESTIMATE)}
        for name, zero_phase in CLASSICAL.items():
            estimates[name] = _classical(
                bag, subject=subject, mounting=mounting, zero_phase=zero_phase
            )
    return {
        name: evaluate(
            estimate=estimate,
            reference=reference,
            mass_kg=subject.mass_kg,
            height_m=subject.height_m,
        )
        for name, estimate in estimates.items()
    }


def _classical(
    bag: ImuBag, *, subject: Subject, mounting: Mounting, zero_phase: bool
) -> dict[str, np.ndarray]:
    from sspinnpose_ros.bags.recorded_grid import read_grid
    from sspinnpose_ros.core.conventions import SENSORS
    from sspinnpose_ros.core.mounting import sagittal_signals
    from sspinnpose_ros.evaluation.classical_baseline import classical_estimate

    parts = read_grid(bag, sensors=SENSORS, rate_hz=RATE_HZ, longest_s=float('inf'))
    longest = max(parts, key=lambda part: len(part.time_s))
    return classical_estimate(
        time_s=longest.time_s,
        sagittal=sagittal_signals(
            acceleration=longest.acceleration,
            angular_rate=longest.angular_rate,
            mounting=mounting.arrays(SENSORS),
        ),
        body=subject.body(),
        sensor_position=subject.sensor_position_m[:, [0, 2]],
        zero_phase=zero_phase,
    )


def _all_scores(trials: Sequence[TrialScores]) -> dict[str, Any]:
    from sspinnpose_ros.evaluation.metrics import as_json

    return {
        each.trial: {name: as_json(scores) for name, scores in each.scores.items()}
        for each in trials
    }
