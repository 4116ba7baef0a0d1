# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that scores every trial of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from sspinnpose_ros.cli.json_file import json_option, write_json
from sspinnpose_ros.cli.progress import progress_bar, say
from sspinnpose_ros.core.conventions import SENSOR_SETS

if TYPE_CHECKING:
    from sspinnpose_ros.evaluation.accuracy_results import TrialScores, WearerScores

DIVERSE_SIZE = 3
DIVERSE_SECONDS = 15.0
EPISODES = 3
"""Episodes that are tried for each unit of the set's size."""

POPULATION = 200
"""People whose cycles the mean-gait predictor averages."""

Item = TypeVar('Item')
Scored = TypeVar('Scored')


def _parse_adapted(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    adapted = {}
    for pair in value:
        trial, equals, model = pair.partition('=')
        if not equals or not trial or not model:
            raise click.BadParameter(
                f'{pair!r} is not TRIAL=MODEL, expected the name of a trial folder and the model '
                'that was adapted to its person.'
            )
        adapted[trial] = model
    return adapted


@click.command(short_help='Score every trial of a folder, ours beside a classical estimator.')
@click.argument('data_path', metavar='DATA', type=click.Path(path_type=Path))
@click.option(
    '--model',
    'models',
    metavar='MODEL',
    multiple=True,
    default=('default',),
    show_default=True,
    help='Model folder; default is the shipped one. May be repeated, for models of several '
    'seeds: the first is the one that is shipped, and numbers become means and ranges.',
)
@click.option(
    '--adapted',
    metavar='TRIAL=MODEL',
    multiple=True,
    callback=_parse_adapted,
    help="Model that was adapted to a trial's person from unlabelled IMUs; may be repeated.",
)
@click.option(
    '--sparse/--no-sparse',
    default=True,
    help='Whether to score the sparse sensor sets, too.',
)
@click.option(
    '--diverse',
    'diverse_size',
    metavar='N',
    type=click.IntRange(min=0),
    default=DIVERSE_SIZE,
    show_default=True,
    help='Size of the synthetic test set: about 19 N wearers; 0 leaves it out.',
)
@click.option(
    '--jobs', type=click.IntRange(min=1), default=1, show_default=True, help='Processes.'
)
@click.option(
    '--docs',
    'docs_path',
    metavar='FILE.md',
    type=click.Path(path_type=Path),
    help='Put the tables between the markers of this document.',
)
@click.option(
    '--card',
    'card_path',
    metavar='FILE.md',
    type=click.Path(path_type=Path),
    help='Put the facts of the first model between the markers of this model card.',
)
@json_option('Write all scores to this file; an older one is replaced.')
def accuracy(
    data_path: Path,
    models: tuple[str, ...],
    adapted: dict[str, str],
    sparse: bool,
    diverse_size: int,
    jobs: int,
    docs_path: Path | None,
    card_path: Path | None,
    json_path: Path | None,
) -> None:
    """Estimate and score every trial folder in DATA, and say which targets are met.

    Sensors of unknown mounting are calibrated from the trial itself. Beside each score stands
    that of a classical estimator (inclination filters and inverse dynamics) on the same data,
    and a synthetic test set of unusual movement is scored beside that and beside a predictor that
    only knows the mean gait.
    """
    from sspinnpose_ros.bags.trial import find_trial
    from sspinnpose_ros.core.atomic_output import file_beside
    from sspinnpose_ros.core.errors import RecordingError
    from sspinnpose_ros.core.model_file import load_model
    from sspinnpose_ros.evaluation import model_card
    from sspinnpose_ros.evaluation.accuracy_results import ALL, AccuracyResults, ScoredModel
    from sspinnpose_ros.evaluation.accuracy_table import accuracy_tables, replace_tables
    from sspinnpose_ros.evaluation.accuracy_targets import target_rows

    # Whatever can be refused is refused before minutes of work.
    documents = {path: _read(path) for path in (docs_path, card_path) if path is not None}
    if docs_path is not None:
        replace_tables(documents[docs_path], '', name=str(docs_path))
    if card_path is not None:
        model_card.replace_facts(documents[card_path], '', name=str(card_path))
    folders = sorted(path.parent for path in data_path.glob('*/bag'))
    found = [folder for folder in folders if find_trial(folder).reference is not None]
    if not found:
        raise RecordingError(
            f'{data_path} holds no trial folders, expected folders with bag/, subject.yaml and '
            'reference.npz; name the folder above them.'
        )
    unknown = sorted(set(adapted) - {folder.name for folder in found})
    if unknown:
        raise RecordingError(
            f'{data_path} holds no trial {unknown[0]}, expected --adapted to name one of '
            f'{", ".join(folder.name for folder in found)}; correct the name.'
        )
    scored = [ScoredModel.of(name, load_model(name).provenance) for name in models]
    for name in adapted.values():
        load_model(name)
    sensor_sets = list(SENSOR_SETS) if sparse else [ALL]
    with _processes(jobs) as run_each:
        results = AccuracyResults(
            models=scored,
            trials=_score_trials(
                found,
                models=models,
                adapted=adapted,
                sensor_sets=sensor_sets,
                each_of=_with_bar(run_each, label='recorded trials'),
            ),
            **_score_synthetic(
                diverse_size,
                models=models,
                each_of=_with_bar(run_each, label='synthetic wearers'),
            ),
        )
    tables = accuracy_tables(results)
    if docs_path is not None:
        with file_beside(docs_path, overwrite=True) as partial_path:
            partial_path.write_text(
                replace_tables(documents[docs_path], tables, name=str(docs_path))
            )
    if card_path is not None:
        facts = model_card.facts(load_model(models[0]), results=results)
        with file_beside(card_path, overwrite=True) as partial_path:
            partial_path.write_text(
                model_card.replace_facts(documents[card_path], facts, name=str(card_path))
            )
    if json_path is not None:
        targets = [vars(row) | {'verdict': row.verdict} for row in target_rows(results)]
        write_json(json_path, results.as_json() | {'targets': targets}, overwrite=True)
    if docs_path is None:
        click.echo(tables)


EachOf = Callable[[Callable[[Item], Scored], Sequence[Item]], Iterator[Scored]]


def _score_trials(
    folders: Sequence[Path],
    *,
    models: Sequence[str],
    adapted: dict[str, str],
    sensor_sets: Sequence[str],
    each_of: EachOf[tuple[Path, str | None], TrialScores],
) -> list[TrialScores]:
    from sspinnpose_ros.cli.accuracy_trials import score_trial
    from sspinnpose_ros.evaluation.accuracy_results import ALL, QUANTITIES, number

    trials = []
    work = partial(_score_one, score_trial, models=models, sensor_sets=sensor_sets)
    for scores in each_of(work, [(folder, adapted.get(folder.name)) for folder in folders]):
        trials.append(scores)
        shipped = scores.ours[ALL][0]
        reached = {name: number(shipped, name) for name in QUANTITIES}
        say(
            f'{scores.trial}: '
            + ', '.join(
                f'{name} {value:.2f} {QUANTITIES[name][1]}'
                for name, value in reached.items()
                if value is not None
            )
        )
    return trials


def _score_one(
    score: Callable[..., TrialScores],
    item: tuple[Path, str | None],
    *,
    models: Sequence[str],
    sensor_sets: Sequence[str],
) -> TrialScores:
    folder, adapted = item
    return score(folder, models=models, adapted=adapted, sensor_sets=sensor_sets)


def _score_synthetic(
    size: int, *, models: Sequence[str], each_of: EachOf[object, WearerScores]
) -> dict[str, list[WearerScores]]:
    import torch

    from sspinnpose_ros.cli.accuracy_diverse import score_wearer
    from sspinnpose_ros.evaluation.mean_gait import MeanGait
    from sspinnpose_ros.training.diverse_wearers import (
        DIVERSE,
        USUAL,
        diverse_wearers,
        episode_wearers,
    )
    from sspinnpose_ros.training.population_cycles import population_cycles

    if not size:
        return {'diverse': [], 'usual': []}
    torch.set_num_threads(1)
    work = partial(
        score_wearer,
        models=models,
        mean_gait=MeanGait(**vars(population_cycles(wearers=POPULATION))),
    )
    wearers = {
        'diverse': [
            *diverse_wearers(DIVERSE, size=size, seconds=DIVERSE_SECONDS),
            *episode_wearers(count=EPISODES * size),
        ],
        'usual': diverse_wearers(USUAL, size=size, seconds=DIVERSE_SECONDS),
    }
    scores = {name: list(each_of(work, each)) for name, each in wearers.items()}
    click.echo(
        f'synthetic wearers: {len(scores["diverse"])} unusual, {len(scores["usual"])} usual'
    )
    return scores


def _with_bar(each_of: EachOf[Item, Scored], *, label: str) -> EachOf[Item, Scored]:
    def each(work: Callable[[Item], Scored], items: Sequence[Item]) -> Iterator[Scored]:
        with progress_bar(label=label, total=len(items)) as progress:
            for scored in each_of(work, items):
                yield scored
                progress(1)

    return each


@contextmanager
def _processes(jobs: int) -> Iterator[Callable[..., Iterator[object]]]:
    if jobs == 1:
        yield map
        return
    # Spawned, since a forked torch can hang.
    with ProcessPoolExecutor(jobs, mp_context=get_context('spawn')) as pool:
        yield pool.map


def _read(path: Path) -> str:
    from sspinnpose_ros.core.errors import OutputError

    try:
        return path.read_text(encoding='utf-8')
    except OSError as error:
        raise OutputError(
            f'{path} cannot be read ({error.strerror}), expected a document with the '
            'markers of the tables; name an existing one.'
        ) from None
