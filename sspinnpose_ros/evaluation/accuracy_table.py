"""Arrange the scores of many trials as tables for the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sspinnpose_ros.core.conventions import JOINTS, SIDES
from sspinnpose_ros.core.errors import OutputError
from sspinnpose_ros.evaluation.metrics import Evaluation, Score, mean_of

BEGIN = '<!-- sspinnpose accuracy: begin -->'
END = '<!-- sspinnpose accuracy: end -->'


@dataclass(frozen=True)
class TrialScores:
    """Hold what every estimator scored on one trial.

    Attributes:
        trial: its name.
        scores: evaluation by the estimator's name; the same names for every trial.

    """

    trial: str
    scores: Mapping[str, Evaluation]


def accuracy_tables(trials: Sequence[TrialScores]) -> str:
    """Return the scores as markdown: one overview, then joints and sides.

    Args:
        trials: in the order of the rows.

    Returns:
        Tables of root-mean-square differences, without shift; in brackets the same with the
        mean offset removed.

    """
    parts = [
        'Root-mean-square difference, no time shift, first 3 s left out; in brackets with the '
        'mean offset removed. Angles in degrees, moments in BWBH%, ground reaction forces (GRF) '
        'in %BW, means over joints and sides.',
        _overview(trials),
    ]
    measured = [each for each in trials if any(e.angle for e in each.scores.values())]
    if measured:
        parts += ['Joint angles in degrees, per joint.', _per_part(measured, 'angle', JOINTS)]
        parts += ['Joint moments in BWBH%, per joint.', _per_part(measured, 'moment', JOINTS)]
    parts += ['Vertical GRF in %BW, per side.', _per_part(trials, 'grf_up', SIDES)]
    return '\n\n'.join(parts)


def replace_tables(document: str, tables: str, *, name: str) -> str:
    """Put tables between the markers of a document.

    Args:
        document: markdown that holds `BEGIN` and `END` on lines of their own.
        tables: markdown.
        name: of the document, for the error.

    Returns:
        The document with the new tables.

    Raises:
        OutputError: for a document without the markers.

    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise OutputError(
            f'{name} lacks the markers, expected the lines {BEGIN} and {END}; '
            'add them where the tables belong.'
        )
    return f'{before}{BEGIN}\n\n{tables}\n\n{END}{after}'


def _overview(trials: Sequence[TrialScores]) -> str:
    quantities = (
        ('angles', 'angle'),
        ('moments', 'moment'),
        ('vertical GRF', 'grf_up'),
        ('forward GRF', 'grf_forward'),
    )
    lines = [
        _row('trial', 'estimator', *(title for title, _ in quantities)),
        _row('---', '---', *('---:' for _ in quantities)),
    ]
    for each in trials:
        for estimator, evaluation in each.scores.items():
            cells = (_mean_cell(getattr(evaluation, field)) for _, field in quantities)
            lines.append(_row(f'`{each.trial}`', estimator, *cells))
    return '\n'.join(lines)


def _per_part(trials: Sequence[TrialScores], field: str, names: Sequence[str]) -> str:
    lines = [
        _row('trial', 'estimator', *(f'`{name}`' for name in names)),
        _row('---', '---', *('---:' for _ in names)),
    ]
    for each in trials:
        for estimator, evaluation in each.scores.items():
            scores: Mapping[str, Score] = getattr(evaluation, field)
            if scores:
                cells = (_cell(scores[name]) if name in scores else '' for name in names)
                lines.append(_row(f'`{each.trial}`', estimator, *cells))
    return '\n'.join(lines)


def _cell(score: Score) -> str:
    return f'{score.rmsd:.1f} ({score.rmsd_bias_free:.1f})'


def _mean_cell(scores: Mapping[str, Score]) -> str:
    rmsd, bias_free = mean_of(scores, 'rmsd'), mean_of(scores, 'rmsd_bias_free')
    return '' if rmsd is None or bias_free is None else f'{rmsd:.1f} ({bias_free:.1f})'


def _row(*cells: str) -> str:
    return f'| {" | ".join(cells)} |'
