# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arrange the scores as tables for the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from sspinnpose_ros.core.conventions import JOINTS, SIDES
from sspinnpose_ros.core.errors import OutputError
from sspinnpose_ros.evaluation.accuracy_results import (
    ALL,
    QUANTITIES,
    AccuracyResults,
    ScoredModel,
    TrialScores,
    mean,
    number,
    spread,
)
from sspinnpose_ros.evaluation.accuracy_targets import TargetRow, counting_sentence, target_rows
from sspinnpose_ros.evaluation.location_scores import LocationErrors, mean_error
from sspinnpose_ros.evaluation.metrics import Evaluation, Score

BEGIN = '<!-- sspinnpose accuracy: begin -->'
END = '<!-- sspinnpose accuracy: end -->'

OURS = 'sspinnpose'
ADAPTED = 'sspinnpose, adapted'

_UNITS = [f'{name} [{unit}]' for name, (_, unit) in QUANTITIES.items()]


def accuracy_tables(results: AccuracyResults) -> str:
    """Return all scores as markdown, the targets first.

    Args:
        results: all scores; trials in the order of the rows.

    Returns:
        Sections with tables of root-mean-square differences, without shift.

    """
    sections = [
        ('Targets', [models_sentence(results.models), target_table(target_rows(results))]),
        (
            'Recorded trials',
            [
                'Root-mean-square difference, no time shift, no offset removed, first 3 s left '
                'out; means over joints and sides.',
                _by_estimator(results.trials, _rmsd_cells, _UNITS),
            ],
        ),
        ('Sensor sets', [_sensor_sets(results.trials)]),
    ]
    if results.diverse:
        sections.append(
            ('Diverse synthetic test set', [counting_sentence(results), _diverse(results)])
        )
    sections += [
        ('Sensor positions', _locations(results)),
        (
            'With the mean offset removed',
            [_by_estimator(results.trials, _bias_free_cells, _UNITS)],
        ),
        (
            'Moments in N m/kg, and R2',
            [
                'R2 is the coefficient of determination, 1 for a perfect estimate and negative '
                'for one that is worse than a constant.',
                _by_estimator(
                    results.trials,
                    _other_cells,
                    [
                        'moments [N m/kg]',
                        'offset removed',
                        *(f'R2 {name}' for name in QUANTITIES),
                    ],
                ),
            ],
        ),
        ('Joint by joint, side by side', list(_per_part_tables(results))),
    ]
    return '\n\n'.join(
        '\n\n'.join([f'### {title}', *(part for part in parts if part)])
        for title, parts in sections
    )


def models_sentence(models: Sequence[ScoredModel]) -> str:
    """Say which models the numbers are of."""

    def described(model: ScoredModel) -> str:
        return f'`{model.name}` (seed {"unknown" if model.seed is None else model.seed})'

    shipped, *others = models
    if not others:
        return f'One model: {described(shipped)}.'
    return (
        f'{len(models)} models: {described(shipped)}, the one shipped, and '
        f'{", ".join(described(model) for model in others)}. A number is the mean over the '
        'models, in brackets the least and the greatest; a target is met when every model meets '
        'it.'
    )


def target_table(rows: Sequence[TargetRow]) -> str:
    """Return the targets with what was reached."""
    several = any(len(row.reached) > 1 for row in rows)
    head = ['case', 'quantity', 'target', 'reached', *(['shipped'] if several else [])]
    lines = [
        _row(*head, 'worst trial', 'verdict', 'data in training'),
        _row('---', '---', *['---:'] * (len(head) - 2), '---', '---', '---'),
    ]
    for row in rows:
        worst = '' if row.worst is None else f'`{row.worst[0]}` {row.worst[1]:.1f}'
        shipped = [f'{row.reached[0]:.1f}' if row.reached else ''] if several else []
        lines.append(
            _row(
                row.case,
                row.quantity,
                '' if row.limit is None else f'<= {row.limit:.2g}',
                # A digit more than the limit has, so that no verdict is hidden by rounding.
                spread(row.reached, digits=2),
                *shipped,
                worst,
                row.verdict,
                row.data,
            )
        )
    return '\n'.join(lines)


def replace_tables(
    document: str, tables: str, *, name: str, begin: str = BEGIN, end: str = END
) -> str:
    """Put tables between the markers of a document.

    Args:
        document: markdown that holds the markers on lines of their own.
        tables: markdown.
        name: of the document, for the error.
        begin: marker before the tables.
        end: marker after them.

    Returns:
        The document with the new tables.

    Raises:
        OutputError: for a document without the markers.

    """
    before, opened, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise OutputError(
            f'{name} lacks the markers, expected the lines {begin} and {end}; '
            'add them where the tables belong.'
        )
    return f'{before}{begin}\n\n{tables}\n\n{end}{after}'


def _estimators(each: TrialScores) -> Iterator[tuple[str, Sequence[Evaluation]]]:
    yield OURS, each.ours[ALL]
    if each.adapted is not None:
        yield ADAPTED, [each.adapted]
    for name, evaluation in each.classical.items():
        yield name, [evaluation]


def _by_estimator(
    trials: Sequence[TrialScores],
    cells: Callable[[Sequence[Evaluation]], list[str]],
    titles: Sequence[str],
) -> str:
    lines = _head(['trial', 'estimator'], titles)
    for each in trials:
        for estimator, evaluations in _estimators(each):
            lines.append(_row(f'`{each.trial}`', estimator, *cells(evaluations)))
    return '\n'.join(lines)


def _rmsd_cells(evaluations: Sequence[Evaluation]) -> list[str]:
    return [spread([number(each, name) for each in evaluations]) for name in QUANTITIES]


def _bias_free_cells(evaluations: Sequence[Evaluation]) -> list[str]:
    return [
        spread([number(each, name, 'rmsd_bias_free') for each in evaluations])
        for name in QUANTITIES
    ]


def _other_cells(evaluations: Sequence[Evaluation]) -> list[str]:
    moments = [
        spread(
            [
                None if (value := number(each, 'moments', field)) is None
                else value * each.nm_per_kg
                for each in evaluations
            ],
            digits=3,
        )
        for field in ('rmsd', 'rmsd_bias_free')
    ]  # fmt: skip
    return [
        *moments,
        *(
            spread([number(each, name, 'r2') for each in evaluations], digits=2)
            for name in QUANTITIES
        ),
    ]


def _sensor_sets(trials: Sequence[TrialScores]) -> str:
    lines = _head(['trial', 'sensors'], _UNITS)
    for each in trials:
        for sensors, evaluations in each.ours.items():
            lines.append(_row(f'`{each.trial}`', sensors, *_rmsd_cells(evaluations)))
    return '\n'.join(lines)


def _diverse(results: AccuracyResults) -> str:
    lines = _head(['movement', 'wearers', 'estimator'], _UNITS)
    kinds = list(dict.fromkeys(each.kind for each in results.diverse))
    others = list(results.diverse[0].others)
    for kind in [None, *kinds]:
        wearers = [each for each in results.diverse if kind is None or each.kind == kind]
        title = [kind or '**all**', str(len(wearers))]
        per_model = [
            [
                mean([number(each.ours[index], name) for each in wearers])
                for index in range(len(results.models))
            ]
            for name in QUANTITIES
        ]
        lines.append(_row(*title, OURS, *(spread(values) for values in per_model)))
        for other in others:
            cells = (
                spread([mean([number(each.others[other], name) for each in wearers])])
                for name in QUANTITIES
            )
            lines.append(_row(*title, other, *cells))
    return '\n'.join(lines)


def _locations(results: AccuracyResults) -> list[str]:
    sources: dict[str, list[Sequence[LocationErrors]]] = {}
    for title, wearers in (('usual', results.usual), ('unusual', results.diverse)):
        moving = [each.locations for each in wearers if each.locations]
        if moving:
            sources[f'{len(moving)} simulated, {title} gait'] = [
                [each[index] for each in moving] for index in range(len(results.models))
            ]
    for trial in results.trials:
        if trial.locations:
            sources[f'`{trial.trial}`, measured places'] = list(trial.locations)
    if not sources:
        return ['Nothing here brings true sensor positions.']
    lines = _head(
        ['wearers', 'sensors'],
        ['assumed [cm]', 'found [cm]', 'mounting before [deg]', 'mounting found [deg]'],
    )
    for source, per_model in sources.items():
        for title, legs in (('legs', True), ('pelvis', False)):
            cells = [
                _location_cell(per_model, field, legs=legs, scale=scale)
                for field, scale in (
                    ('before_m', 100.0),
                    ('after_m', 100.0),
                    ('before_rad', 180.0 / np.pi),
                    ('after_rad', 180.0 / np.pi),
                )
            ]
            lines.append(_row(source, title, *cells))
    return [
        'As `sspinnpose locate-sensors` does it, from places that are displaced by 2 cm along '
        'each axis and rotated by 3 degrees (one sigma); mean distances in the sagittal plane.',
        '\n'.join(lines),
    ]


def _location_cell(
    per_model: Sequence[Sequence[LocationErrors]], field: str, *, legs: bool, scale: float
) -> str:
    found = [mean_error(errors, field, legs=legs) for errors in per_model]
    return spread([None if value is None else scale * value for value in found])


def _per_part_tables(results: AccuracyResults) -> Iterator[str]:
    yield 'Of the model shipped; in brackets with the mean offset removed.'
    measured = [each for each in results.trials if each.ours[ALL][0].angle]
    if measured:
        yield 'Joint angles in degrees.'
        yield _per_part(measured, 'angle', JOINTS)
        yield 'Joint moments in BWBH%.'
        yield _per_part(measured, 'moment', JOINTS)
    yield 'Vertical GRF in %BW.'
    yield _per_part(results.trials, 'grf_up', SIDES)


def _per_part(trials: Sequence[TrialScores], field: str, names: Sequence[str]) -> str:
    lines = _head(['trial', 'estimator'], [f'`{name}`' for name in names])
    for each in trials:
        for estimator, evaluations in _estimators(each):
            scores: Mapping[str, Score] = getattr(evaluations[0], field)
            if scores:
                cells = (_cell(scores[name]) if name in scores else '' for name in names)
                lines.append(_row(f'`{each.trial}`', estimator, *cells))
    return '\n'.join(lines)


def _cell(score: Score) -> str:
    return f'{score.rmsd:.1f} ({score.rmsd_bias_free:.1f})'


def _head(names: Sequence[str], numbers: Sequence[str]) -> list[str]:
    return [
        _row(*names, *numbers),
        _row(*['---'] * len(names), *['---:'] * len(numbers)),
    ]


def _row(*cells: str) -> str:
    return f'| {" | ".join(cells)} |'
