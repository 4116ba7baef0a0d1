# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let a sensor of a walker fall silent and come back, with the shipped model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from walking_sensors import walk

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.pipeline import Outcome, Pipeline, PipelineConfig
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig

SILENT_S = (3.0, 4.0)
ROW = SENSORS.index('shank_r')


@pytest.fixture(scope='module')
def samples() -> np.ndarray:
    """Return (T, 7, 6) of 8 s, x forward, y up, z right."""
    worn = walk(seconds=8.0)
    turned = [
        np.stack([part[..., 0], part[..., 2], -part[..., 1]], -1)
        for part in (worn.acceleration, worn.angular_rate)
    ]
    return np.concatenate(turned, -1)


def estimates(samples: np.ndarray, *, heard: np.ndarray) -> Sequence[Outcome]:
    """Return what comes of samples (T, 7, 6) of which only some (T, 7) are heard."""
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Estimator(
            model=load_model('default'),
            subject=make_subject(mass_kg=75.0, height_m=1.75, sensor_axes='aligned'),
            mounting=aligned_mounting(SENSORS),
        ),
        config=PipelineConfig(),
    )
    outcomes = []
    for k, instant in enumerate(samples):
        for row in np.flatnonzero(heard[k]):
            pipeline.push(
                sensor=SENSORS[row], stamp_s=0.01 * k, sample=instant[row], arrival_s=0.01 * k
            )
        outcomes += pipeline.drain(now_s=0.01 * k)
    return outcomes


def angles(outcomes: Sequence[Outcome]) -> np.ndarray:
    """Return (T, 6) joint angles in degrees."""
    return np.rad2deg([o.estimate.q[3:] for o in outcomes if o.estimate is not None])


def heard_but_for_a_second(samples: np.ndarray) -> np.ndarray:
    heard = np.ones(samples.shape[:2], dtype=bool)
    begin, end = (round(100 * time) for time in SILENT_S)
    heard[begin:end, ROW] = False
    return heard


def test_a_sensor_is_taken_back_when_it_agrees(samples: np.ndarray) -> None:
    """The estimate goes on without it, and is soon what it would have been."""
    whole = estimates(samples, heard=np.ones(samples.shape[:2], dtype=bool))
    outcomes = estimates(samples, heard=heard_but_for_a_second(samples))
    assert len(angles(outcomes)) == len(outcomes) == len(whole)
    assert np.isfinite(angles(outcomes)).all()
    used = np.array([o.estimate is not None and o.estimate.present[ROW] for o in outcomes])
    back = round(100 * (SILENT_S[1] + PipelineConfig().rejoin_s))
    assert used[: round(100 * SILENT_S[0])].all()
    assert not used[round(100 * SILENT_S[0]) + 10 : back].any()
    assert used[back + 5 :].all()
    apart = np.abs(angles(outcomes) - angles(whole)).max(-1)
    assert apart[back + 100 :].max() < 3.0
    assert apart[back - 100 : back].max() > apart[back + 100 :].max()


@pytest.mark.parametrize('turned_deg', [-90.0, 45.0])
def test_a_sensor_that_was_turned_meanwhile_stays_out(
    samples: np.ndarray, turned_deg: float
) -> None:
    """It would spoil the estimate, and its mean force shows it."""
    cos, sin = np.cos(np.deg2rad(turned_deg)), np.sin(np.deg2rad(turned_deg))
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    strange = samples.copy()
    part = strange[round(100 * SILENT_S[1]) :, ROW]
    part[:] = (part.reshape(-1, 2, 3) @ turn.T).reshape(-1, 6)
    outcomes = estimates(strange, heard=heard_but_for_a_second(samples))
    assert len(angles(outcomes)) == len(outcomes)
    late = outcomes[round(100 * SILENT_S[0]) + 30 :]
    assert all(o.status.missing == (SENSORS[ROW],) for o in late)
    assert 'back, but not yet' in late[-1].status.message
