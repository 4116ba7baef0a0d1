# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold everything the accuracy page is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sspinnpose_ros.core.conventions import SENSOR_SETS
from sspinnpose_ros.evaluation.location_scores import LocationErrors
from sspinnpose_ros.evaluation.metrics import Evaluation, as_json, mean_of

ALL = next(iter(SENSOR_SETS))
"""Name of the sensor set with every sensor."""

MEAN_GAIT = 'mean gait'

LEAST_MEAN_GAIT_DEG = 8.0
"""A test set counts only where a mean-gait predictor is off by at least this much."""

QUANTITIES = {
    'angles': ('angle', 'deg'),
    'moments': ('moment', 'BWBH%'),
    'vertical GRF': ('grf_up', '%BW'),
    'forward GRF': ('grf_forward', '%BW'),
}
"""Field of `Evaluation` and unit of each quantity, in the order of the columns."""


@dataclass(frozen=True)
class ScoredModel:
    """Name a model that was scored.

    Attributes:
        name: as given on the command line.
        seed: of its training; None where the model does not say.
        recorded_s: recorded people's IMU data in its training, s.

    """

    name: str
    seed: int | None
    recorded_s: float

    @staticmethod
    def of(name: str, provenance: Mapping[str, Any]) -> ScoredModel:
        """Read what a model says of its training."""
        config = provenance.get('config') or {}
        return ScoredModel(
            name=name,
            seed=config.get('seed'),
            recorded_s=float(provenance.get('recorded_seconds') or 0.0),
        )


@dataclass(frozen=True)
class TrialScores:
    """Hold what every estimator scored on one recorded trial.

    Attributes:
        trial: its name.
        ours: for each sensor set, an evaluation per model, the shipped one first.
        classical: by the estimator's name.
        adapted: of the model adapted to this person, all sensors; None where there is none.
        locations: sensor positions found by each model from displaced starts; empty where the
            trial brings no measured ones.

    """

    trial: str
    ours: Mapping[str, Sequence[Evaluation]]
    classical: Mapping[str, Evaluation]
    adapted: Evaluation | None = None
    locations: Sequence[Sequence[LocationErrors]] = ()


@dataclass(frozen=True)
class WearerScores:
    """Hold what every estimator scored on one synthetic wearer of the test set.

    Attributes:
        kind: of movement.
        ours: per model, the shipped one first.
        others: by the estimator's name, among them `MEAN_GAIT`.
        locations: sensor positions found by each model; empty for those who stand.

    """

    kind: str
    ours: Sequence[Evaluation]
    others: Mapping[str, Evaluation]
    locations: Sequence[LocationErrors] = ()

    def as_json(self) -> dict[str, Any]:
        """Return all scores as plain numbers."""
        return {
            'kind': self.kind,
            'models': [as_json(one) for one in self.ours],
            **{name: as_json(one) for name, one in self.others.items()},
        }


@dataclass(frozen=True)
class AccuracyResults:
    """Hold all scores.

    Attributes:
        models: that were scored; the first is the one shipped.
        trials: recorded ones.
        diverse: the synthetic test set; empty where it was left out.
        usual: synthetic wearers of usual gait, for comparison and for sensor positions.

    """

    models: Sequence[ScoredModel]
    trials: Sequence[TrialScores]
    diverse: Sequence[WearerScores]
    usual: Sequence[WearerScores] = ()

    @property
    def mean_gait_deg(self) -> float | None:
        """Mean angle error of the mean-gait predictor on the synthetic test set."""
        return mean([number(each.others[MEAN_GAIT], 'angles') for each in self.diverse])

    @property
    def usual_mean_gait_deg(self) -> float | None:
        """The same on usual gait."""
        return mean([number(each.others[MEAN_GAIT], 'angles') for each in self.usual])

    @property
    def diverse_counts(self) -> bool:
        """Whether the synthetic set is one that a mean gait cannot pass."""
        error = self.mean_gait_deg
        return error is not None and error >= LEAST_MEAN_GAIT_DEG

    def as_json(self) -> dict[str, Any]:
        """Return all scores as plain numbers."""
        return {
            'models': [vars(model) for model in self.models],
            'trials': {
                each.trial: {
                    'sensors': {
                        name: [as_json(one) for one in scores]
                        for name, scores in each.ours.items()
                    },
                    'classical': {name: as_json(one) for name, one in each.classical.items()},
                    'adapted': None if each.adapted is None else as_json(each.adapted),
                }
                for each in self.trials
            },
            'diverse': [each.as_json() for each in self.diverse],
            'usual': [each.as_json() for each in self.usual],
            'mean_gait_deg': self.mean_gait_deg,
            'diverse_counts': self.diverse_counts,
        }


def number(evaluation: Evaluation, quantity: str, field: str = 'rmsd') -> float | None:
    """Return the mean over joints or sides of a field of one of the `QUANTITIES`."""
    return mean_of(getattr(evaluation, QUANTITIES[quantity][0]), field)


def mean(values: Sequence[float | None]) -> float | None:
    """Average what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def spread(values: Sequence[float | None], *, digits: int = 1) -> str:
    """Write values of several models as mean and, in brackets, least and greatest."""
    known = [value for value in values if value is not None]
    if not known:
        return ''
    middle = f'{np.mean(known):.{digits}f}'
    if len(known) == 1:
        return middle
    return f'{middle} ({min(known):.{digits}f}-{max(known):.{digits}f})'
