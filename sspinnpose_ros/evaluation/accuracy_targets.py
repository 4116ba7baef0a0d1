# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold the targets, and say which are met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from sspinnpose_ros.evaluation.accuracy_results import (
    ALL,
    LEAST_MEAN_GAIT_DEG,
    MEAN_GAIT,
    QUANTITIES,
    AccuracyResults,
    TrialScores,
    mean,
    number,
)
from sspinnpose_ros.evaluation.location_scores import mean_error
from sspinnpose_ros.evaluation.metrics import Evaluation

LESS_MOMENT = 0.7
"""Moment errors on the synthetic set must be at most this share of the other estimators'."""

_ADAPTED = 'adapted'


@dataclass(frozen=True)
class RecordedTarget:
    """Say what recorded trials shall reach.

    Attributes:
        case: in words.
        trials: patterns of their names.
        sensors: name of the sensor set, or 'adapted' for adapted models with all sensors.
        limits: greatest error by quantity.

    """

    case: str
    trials: tuple[str, ...]
    sensors: str
    limits: Mapping[str, float]


P1 = ('overground_walk_p1', 'overground_run_p1')
WALKERS = ('treadmill_walk_*',)

RECORDED_TARGETS = (
    RecordedTarget(
        '`overground_walk_p1`, zero-shot', P1[:1], ALL,
        {'angles': 4.5, 'moments': 1.5, 'vertical GRF': 8.0},
    ),
    RecordedTarget(
        '`overground_run_p1`, zero-shot', P1[1:], ALL,
        {'angles': 5.5, 'moments': 2.0, 'vertical GRF': 30.0},
    ),
    RecordedTarget(
        '`overground_walk_p1`, adapted', P1[:1], _ADAPTED,
        {'angles': 3.5, 'moments': 1.3, 'vertical GRF': 8.0},
    ),
    RecordedTarget(
        '`overground_run_p1`, adapted', P1[1:], _ADAPTED, {'angles': 3.5, 'moments': 1.3}
    ),
    RecordedTarget(
        'unseen treadmill walkers, zero-shot', WALKERS, ALL,
        {'angles': 6.0, 'moments': 1.4, 'vertical GRF': 9.0},
    ),
    RecordedTarget(
        'unseen treadmill walkers, adapted', WALKERS, _ADAPTED,
        {'angles': 3.5, 'moments': 1.3, 'vertical GRF': 7.0},
    ),
    RecordedTarget(
        'stiff-knee and older walkers, zero-shot',
        ('treadmill_stiff_knee_*', 'treadmill_older_*'), ALL,
        {'vertical GRF': 10.0, 'forward GRF': 4.0},
    ),
    RecordedTarget(
        'running, virtual IMUs of recorded kinematics, zero-shot',
        ('treadmill_run_*_virtual',), ALL,
        {'angles': 6.0, 'moments': 2.2, 'vertical GRF': 18.0},
    ),
    RecordedTarget('p1, feet+thighs', P1, 'feet+thighs', {'angles': 7.0, 'moments': 2.0}),
    RecordedTarget('p1, feet+shanks', P1, 'feet+shanks', {'angles': 7.0, 'moments': 2.0}),
    RecordedTarget('p1, thighs+shanks', P1, 'thighs+shanks', {'angles': 7.0, 'moments': 2.0}),
    RecordedTarget('p1, shanks+pelvis', P1, 'shanks+pelvis', {'angles': 9.0, 'moments': 2.0}),
)  # fmt: skip

DIVERSE_LIMITS = {'angles': 4.0, 'moments': 1.3, 'vertical GRF': 6.0}
POSITION_LIMIT_CM = 1.5
MOUNTING_LIMIT_DEG = 2.0


@dataclass(frozen=True)
class TargetRow:
    """Hold one quantity of one case: what was asked and what was reached.

    Attributes:
        case: in words.
        quantity: with its unit.
        limit: greatest error, None where it depends on scores that are not there.
        reached: per model, the shipped one first; empty where there are no data.
        worst: the trial with the greatest error and that error, for cases of several trials.
        counts: whether the data prove anything.
        data: recorded IMU data that entered training, in words.

    """

    case: str
    quantity: str
    limit: float | None
    reached: Sequence[float]
    worst: tuple[str, float] | None = None
    counts: bool = True
    data: str = ''

    @property
    def verdict(self) -> str:
        """Say whether the target is met, and by how many models."""
        if not self.reached or self.limit is None:
            return 'no data here'
        if not self.counts:
            return 'does not count'
        met = sum(value <= self.limit for value in self.reached)
        if met == len(self.reached):
            return 'met'
        return f'met by {met} of {len(self.reached)}' if met else 'not met'


def target_rows(results: AccuracyResults) -> list[TargetRow]:
    """Hold every target against what was reached, nothing left out.

    Args:
        results: all scores.

    Returns:
        A row for each quantity of each target.

    """
    rows = [row for target in RECORDED_TARGETS for row in _recorded_rows(target, results)]
    return [*rows, *_diverse_rows(results), *_location_rows(results)]


def _recorded_rows(target: RecordedTarget, results: AccuracyResults) -> list[TargetRow]:
    trials = [
        each
        for each in results.trials
        if any(fnmatchcase(each.trial, pattern) for pattern in target.trials)
    ]
    rows = []
    for quantity, limit in target.limits.items():
        scored = {
            each.trial: values
            for each in trials
            if (values := _numbers(_of(each, target.sensors), quantity)) is not None
        }
        worst = max(scored, key=lambda name: np.mean(scored[name]), default=None)
        rows.append(
            TargetRow(
                case=target.case,
                quantity=_with_unit(quantity),
                limit=limit,
                reached=np.mean(list(scored.values()), axis=0).tolist() if scored else (),
                worst=None
                if worst is None or len(scored) < 2
                else (worst, float(np.mean(scored[worst]))),
                data=_training_data(results, adapted=target.sensors == _ADAPTED),
            )
        )
    return rows


def _of(scores: TrialScores, sensors: str) -> Sequence[Evaluation]:
    if sensors == _ADAPTED:
        return [] if scores.adapted is None else [scores.adapted]
    return scores.ours.get(sensors, [])


def _numbers(evaluations: Sequence[Evaluation], quantity: str) -> list[float] | None:
    values = [number(each, quantity) for each in evaluations]
    known = [value for value in values if value is not None]
    return known if known and len(known) == len(values) else None


def _training_data(results: AccuracyResults, *, adapted: bool) -> str:
    if adapted:
        return 'its own unlabelled IMUs'
    seconds = max((model.recorded_s for model in results.models), default=0.0)
    return f'{seconds:.0f} s of recorded IMUs' if seconds else 'synthetic only'


def _diverse_rows(results: AccuracyResults) -> list[TargetRow]:
    data = _training_data(results, adapted=False)

    def ours(quantity: str) -> list[float]:
        reached = [
            mean([number(each.ours[index], quantity) for each in results.diverse])
            for index in range(len(results.models))
        ]
        return [value for value in reached if value is not None]

    def row(quantity: str, limit: float | None, remark: str = '') -> TargetRow:
        return TargetRow(
            case='diverse synthetic test set' + remark,
            quantity=_with_unit(quantity),
            limit=limit,
            reached=ours(quantity) if results.diverse else (),
            counts=results.diverse_counts,
            data=data,
        )

    rows = [row(quantity, limit) for quantity, limit in DIVERSE_LIMITS.items()]
    others = sorted({name for each in results.diverse for name in each.others}) or [MEAN_GAIT]
    for name in others:
        for quantity, share in (('angles', 1.0), ('moments', LESS_MOMENT)):
            theirs = mean([number(each.others[name], quantity) for each in results.diverse])
            remark = f', than {name}' if share == 1.0 else f', {1 - share:.0%} below {name}'
            rows.append(row(quantity, None if theirs is None else share * theirs, remark))
    return rows


def _location_rows(results: AccuracyResults) -> list[TargetRow]:
    def reached(field: str, scale: Callable[[float], float]) -> list[float]:
        found = [
            mean_error(
                [each.locations[index] for each in results.usual if each.locations],
                field,
                legs=True,
            )
            for index in range(len(results.models))
        ]
        return [scale(value) for value in found if value is not None]

    case = 'sensor positions from 2 cm / 3 deg, usual simulated gait'
    data = _training_data(results, adapted=False)
    return [
        TargetRow(
            case=case,
            quantity='legs, position [cm]',
            limit=POSITION_LIMIT_CM,
            reached=reached('after_m', lambda value: 100.0 * value),
            data=data,
        ),
        TargetRow(
            case=case,
            quantity='legs, mounting [deg]',
            limit=MOUNTING_LIMIT_DEG,
            reached=reached('after_rad', lambda value: float(np.rad2deg(value))),
            data=data,
        ),
    ]


def _with_unit(quantity: str) -> str:
    return f'{quantity} [{QUANTITIES[quantity][1]}]'


def counting_sentence(results: AccuracyResults) -> str:
    """Say whether the synthetic test set counts, and why."""
    error = results.mean_gait_deg
    if error is None:
        return 'The synthetic test set was left out.'
    return (
        f'The mean-gait predictor, which measures nothing, is off by {error:.1f} degrees on this '
        f'set, and a set counts from {LEAST_MEAN_GAIT_DEG:g}: '
        + ('it counts.' if results.diverse_counts else 'it does NOT count, whatever we score.')
        + (
            ''
            if results.usual_mean_gait_deg is None
            else f' On usual walking and running from the same generator it is off by '
            f'{results.usual_mean_gait_deg:.1f} degrees; nothing is claimed from those.'
        )
    )
