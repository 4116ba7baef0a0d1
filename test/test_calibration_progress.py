# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tell the wearer what a calibration still lacks."""

from __future__ import annotations

import numpy as np
import pytest
from walking_sensors import STRIDE_S, walk

from sspinnpose_ros.core.calibration import FULL_STRIDES, calibrate
from sspinnpose_ros.core.calibration_progress import (
    WANTED_STANDING_S,
    CalibrationProgress,
    calibration_progress,
)
from sspinnpose_ros.core.conventions import SENSORS

STEP_S = 0.01


def seen(angular_rate: np.ndarray) -> CalibrationProgress:
    return calibration_progress(angular_rate=angular_rate, sensors=SENSORS, step_s=STEP_S)


def quiet(seconds: float) -> np.ndarray:
    return 0.02 * np.random.default_rng(0).normal(size=(round(seconds / STEP_S), 7, 3))


def test_it_leads_from_nothing_over_standing_and_walking_to_the_call() -> None:
    assert seen(np.zeros((0, 7, 3))).instruction.startswith('stand upright and still, 0 of 3 s')
    stood = seen(quiet(2.0))
    assert stood.standing_s == pytest.approx(2.0, abs=0.2)
    assert stood.instruction.startswith('stand upright and still, 2 of 3 s')
    enough = seen(quiet(4.0))
    assert enough.instruction.startswith(f'walk straight ahead, 0 of {FULL_STRIDES} strides')
    walked = walk(seconds=16.0, standing_s=1.0).angular_rate
    before = 0.0
    for seconds in (4.0, 7.0, 10.0, 16.0):
        progress = seen(np.concatenate([quiet(3.0), walked[: round(seconds / STEP_S)]]))
        assert progress.strides >= before
        before = progress.strides
    assert progress.ready
    assert progress.standing_s >= WANTED_STANDING_S
    assert progress.instruction.endswith('are there: calibrate')


def test_strides_are_counted_as_the_calibration_counts_them() -> None:
    worn = walk(seconds=16.0, standing_s=1.0)
    found = calibrate(
        time_s=worn.time_s,
        acceleration=worn.acceleration,
        angular_rate=worn.angular_rate,
        sensors=SENSORS,
    )
    progress = seen(worn.angular_rate)
    assert progress.strides == pytest.approx(found.walking_s / STRIDE_S, abs=1.0)


def test_walking_alone_is_enough_and_the_wider_verdict_is_said() -> None:
    progress = seen(walk(seconds=16.0, standing_s=0.0).angular_rate)
    assert progress.ready
    assert progress.standing_s < 1.0
    assert 'stand still first for a narrower verdict' in progress.instruction


def test_shaking_is_no_walking() -> None:
    shaken = np.random.default_rng(1).normal(size=(1000, 7, 3)) * 2.0
    assert not seen(shaken).ready


def test_no_leg_sensors_no_strides() -> None:
    progress = calibration_progress(
        angular_rate=walk(seconds=8.0).angular_rate[:, :1], sensors=('pelvis',), step_s=STEP_S
    )
    assert progress.strides == 0.0
