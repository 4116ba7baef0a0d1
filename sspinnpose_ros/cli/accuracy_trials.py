# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score one recorded trial with models, sensor sets and the classical estimator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sspinnpose_ros.bags.imu_bag import ImuBag, open_imu_bag
from sspinnpose_ros.bags.recorded_grid import read_grid
from sspinnpose_ros.bags.recording_calibration import find_mounting
from sspinnpose_ros.bags.recording_estimate import estimate_rows, recorded_outcomes
from sspinnpose_ros.bags.reference import load_reference
from sspinnpose_ros.bags.trial import REFERENCE, find_trial, subject_of
from sspinnpose_ros.core.body import nominal_sensor_position
from sspinnpose_ros.core.conventions import SENSOR_SETS, SENSORS
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import Mounting, sagittal_signals
from sspinnpose_ros.core.pipeline import Outcome
from sspinnpose_ros.core.sensor_location import locate_sensors, location_evidence, settled
from sspinnpose_ros.core.subject import Subject
from sspinnpose_ros.evaluation.accuracy_results import ALL, TrialScores
from sspinnpose_ros.evaluation.classical_baseline import classical_estimate
from sspinnpose_ros.evaluation.location_scores import LocationErrors, location_errors
from sspinnpose_ros.evaluation.metrics import Evaluation, evaluate

CLASSICAL = {'classical': False, 'classical, offline': True}
"""Estimators without learning, by whether they may look ahead."""

RATE_HZ = 100.0

DISPLACED_M = 0.02
STARTS = 5
_SEED = 7


def score_trial(
    folder: Path, *, models: Sequence[str], adapted: str | None, sensor_sets: Sequence[str]
) -> TrialScores:
    """Estimate a trial with every model and sensor set and compare with its reference.

    The mounting, where it is unknown, is calibrated once from all sensors; a sensor set then
    says which of them the estimator sees.

    Args:
        folder: a trial folder with a reference.
        models: names of the models, the shipped one first.
        adapted: model adapted to this person, where there is one.
        sensor_sets: names out of `conventions.SENSOR_SETS`, the whole set first.

    """
    trial = find_trial(folder)
    subject = subject_of(trial)
    reference = load_reference(folder / REFERENCE)

    def scored(estimate: Mapping[str, np.ndarray]) -> Evaluation:
        return evaluate(
            estimate=estimate,
            reference=reference,
            mass_kg=subject.mass_kg,
            height_m=subject.height_m,
        )

    with open_imu_bag(trial.bag) as bag:
        mounting = find_mounting(bag, subject=subject, sensors=SENSORS).mounting

        def outcomes(model: str, sensors: Sequence[str]) -> list[Outcome]:
            estimator = Estimator(model=load_model(model), subject=subject, mounting=mounting)
            return list(recorded_outcomes(bag, estimator=estimator, sensors=sensors))

        ours: dict[str, list[Evaluation]] = {name: [] for name in sensor_sets}
        locations = []
        for model in models:
            for name in sensor_sets:
                found = outcomes(model, SENSOR_SETS[name])
                ours[name].append(scored(as_estimate(found)))
                if name == ALL and _is_measured(subject):
                    locations.append(_displaced(list(settled(found)), subject=subject))
        return TrialScores(
            trial=folder.name,
            ours=ours,
            classical={
                name: scored(
                    _classical(bag, subject=subject, mounting=mounting, zero_phase=zero_phase)
                )
                for name, zero_phase in CLASSICAL.items()
            },
            adapted=None if adapted is None else scored(as_estimate(outcomes(adapted, SENSORS))),
            locations=locations,
        )


def as_estimate(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return outcomes as the arrays of an estimate.npz."""
    rows = estimate_rows(outcomes)
    return {name: rows[name] for name in rows.dtype.names or ()}


def _classical(
    bag: ImuBag, *, subject: Subject, mounting: Mounting, zero_phase: bool
) -> dict[str, np.ndarray]:
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


def _is_measured(subject: Subject) -> bool:
    nominal = nominal_sensor_position(height_m=np.float64(subject.height_m))
    return not np.allclose(subject.sensor_position_m[:, [0, 2]], nominal)


def _displaced(estimates: Iterable[Estimate], *, subject: Subject) -> list[LocationErrors]:
    """Find the sensors again from displaced starts; estimates do not depend on places."""
    rng = np.random.default_rng(_SEED)
    kept = list(estimates)
    errors = []
    for _ in range(STARTS):
        position = subject.sensor_position_m.copy()
        position[:, [0, 2]] += DISPLACED_M * rng.normal(size=(len(SENSORS), 2))
        start = replace(subject, sensor_position_m=position)
        evidence = location_evidence(kept, subject=start)
        found = locate_sensors(evidence=evidence, subject=start)
        errors.append(
            location_errors(found=found.sensors, position_m=subject.sensor_position_m[:, [0, 2]])
        )
    return errors
