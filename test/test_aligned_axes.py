# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from walking_sensors import turn_about, walk

from sspinnpose_ros.core.aligned_axes import CORRECTED, TRUST, corrected_alignment
from sspinnpose_ros.core.calibration import Calibration, calibrate
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.mounting import ALIGNED_ROTATION, aligned_mounting


@cache
def calibrated(turned: str = '', angle_deg: float = 0.0) -> Calibration:
    """Calibrate aligned sensors, one of them inclined too far by an angle."""
    worn = walk(standing_s=0.0)
    aside = np.stack([ALIGNED_ROTATION.T] * len(SENSORS))
    if turned:
        row = SENSORS.index(turned)
        aside[row] = aside[row] @ turn_about(1, np.deg2rad(angle_deg))
    return calibrate(
        time_s=worn.time_s,
        acceleration=np.einsum('sij,tsj->tsi', aside, worn.acceleration),
        angular_rate=np.einsum('sij,tsj->tsi', aside, worn.angular_rate),
        sensors=SENSORS,
    )


def turns_deg(calibration: Calibration | None) -> dict[str, float]:
    assert calibration is not None
    angles = {}
    for name, one in calibration.mounting.sensors.items():
        turn = one.rotation @ ALIGNED_ROTATION.T
        angles[name] = float(np.rad2deg(np.arctan2(turn[0, 2], turn[0, 0])))
    return angles


@pytest.mark.parametrize('sensor', ['thigh_r', 'shank_l'])
@pytest.mark.parametrize('angle_deg', [-12.0, 9.0])
def test_a_turned_sensor_is_turned_back_by_the_part_that_is_believed(
    sensor: str, angle_deg: float
) -> None:
    straight = turns_deg(corrected_alignment(calibrated()))
    turned = turns_deg(corrected_alignment(calibrated(sensor, angle_deg)))
    # Straightening the knees moves its neighbour a little, too.
    assert abs(turned[sensor] - straight[sensor]) == pytest.approx(
        TRUST * abs(angle_deg), abs=0.25 * abs(angle_deg)
    )
    others = [abs(turned[name] - straight[name]) for name in SENSORS if name != sensor]
    assert max(others) < 0.35 * abs(angle_deg)


def test_a_turn_is_taken_back_and_not_doubled() -> None:
    worn, angle_deg = walk(standing_s=0.0), 10.0
    row = SENSORS.index('thigh_r')
    aside = ALIGNED_ROTATION.T @ turn_about(1, np.deg2rad(angle_deg))
    force = worn.acceleration[:, row] @ aside.T
    found = corrected_alignment(calibrated('thigh_r', angle_deg))
    assert found is not None
    before, after = (
        (mounting.sensors['thigh_r'].rotation @ force.mean(0) - worn.acceleration[:, row].mean(0))
        for mounting in (aligned_mounting(), found.mounting)
    )
    assert np.hypot(*after[[0, 2]]) < 0.6 * np.hypot(*before[[0, 2]])


def test_other_segments_keep_the_axes_given() -> None:
    found = corrected_alignment(calibrated('pelvis', 10.0))
    assert found is not None
    for name, one in found.mounting.sensors.items():
        if name.split('_')[0] not in CORRECTED:
            np.testing.assert_array_equal(one.rotation, ALIGNED_ROTATION)


def test_running_says_nothing() -> None:
    assert corrected_alignment(replace(calibrated(), speed_m_s=3.0)) is None


@pytest.mark.parametrize('angle_deg', [180.0, -60.0])
def test_a_sensor_worn_otherwise_is_left_to_those_who_name_it(angle_deg: float) -> None:
    assert corrected_alignment(calibrated('shank_r', angle_deg)) is None
