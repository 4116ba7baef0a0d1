# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score the diverse synthetic wearers with models, the classical estimator and a mean gait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sspinnpose_ros.cli.accuracy_trials import as_estimate
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.pipeline import Outcome
from sspinnpose_ros.core.sensor_location import SETTLE_S, locate_sensors, location_evidence
from sspinnpose_ros.core.subject import Subject, make_subject
from sspinnpose_ros.evaluation.accuracy_results import MEAN_GAIT, WearerScores
from sspinnpose_ros.evaluation.classical_baseline import classical_estimate
from sspinnpose_ros.evaluation.location_scores import LocationErrors, location_errors
from sspinnpose_ros.evaluation.mean_gait import MeanGait
from sspinnpose_ros.evaluation.metrics import Evaluation, evaluate
from sspinnpose_ros.training.diverse_wearers import DiverseWearer

CLASSICAL = 'classical'
PERIOD_S = 0.01


def score_wearer(
    wearer: DiverseWearer, *, models: Sequence[str], mean_gait: MeanGait
) -> WearerScores:
    """Estimate one synthetic wearer with every model and the estimators to beat.

    Args:
        wearer: with aligned sensors of 100 Hz, displaced and rotated as hands put them on.
        models: names of the models, the shipped one first.
        mean_gait: predictor that may know the phase, the speed and the gait.

    """
    subject = make_subject(
        mass_kg=wearer.mass_kg, height_m=wearer.height_m, sensor_axes='segment aligned'
    )

    def scored(estimate: Mapping[str, np.ndarray]) -> Evaluation:
        return evaluate(
            estimate=estimate,
            reference=wearer.reference,
            mass_kg=wearer.mass_kg,
            height_m=wearer.height_m,
        )

    ours, locations = [], []
    for model in models:
        outcomes = _outcomes(wearer, subject=subject, model=model)
        ours.append(scored(as_estimate(outcomes)))
        if not (wearer.gait == 'standing').all():
            estimates = [each.estimate for each in outcomes if each.estimate is not None]
            locations.append(_located(estimates, wearer=wearer, subject=subject))
    return WearerScores(
        kind=wearer.kind,
        ours=ours,
        others={
            CLASSICAL: scored(
                classical_estimate(
                    time_s=wearer.time_s,
                    sagittal=wearer.sagittal.astype(np.float64),
                    body=subject.body(),
                    sensor_position=subject.sensor_position_m[:, [0, 2]],
                )
            ),
            MEAN_GAIT: scored(
                mean_gait.estimate(
                    time_s=wearer.time_s,
                    phase=wearer.phase,
                    gait=wearer.gait,
                    speed_mps=wearer.speed_mps,
                    mass_kg=wearer.mass_kg,
                    height_m=wearer.height_m,
                )
            ),
        },
        locations=locations,
    )


def _outcomes(wearer: DiverseWearer, *, subject: Subject, model: str) -> list[Outcome]:
    estimator = Estimator(model=load_model(model), subject=subject, mounting=aligned_mounting())
    imu = np.zeros((len(wearer.time_s), len(SENSORS), 6))
    imu[..., :2], imu[..., 5] = wearer.sagittal[..., :2], wearer.sagittal[..., 2]
    present = np.ones(len(SENSORS), dtype=bool)
    status = EstimateStatus(Level.OK, '')
    state, outcomes = estimator.initial_state(), []
    for time, readings in zip(wearer.time_s.tolist(), imu, strict=True):
        frame = Frame(time_s=time, imu=readings, present=present)
        state, estimate = estimator.step(state, frame)
        outcomes.append(Outcome(frame, estimate, status))
    return outcomes


def _located(
    estimates: Sequence[Estimate], *, wearer: DiverseWearer, subject: Subject
) -> LocationErrors:
    kept = estimates[round(SETTLE_S / PERIOD_S) :]
    found = locate_sensors(evidence=location_evidence(kept, subject=subject), subject=subject)
    return location_errors(
        found=found.sensors, position_m=wearer.position_m, mounting_rad=wearer.mounting_rad
    )
