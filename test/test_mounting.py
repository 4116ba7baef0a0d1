# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walking_sensors import random_rotation

from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.errors import CalibrationError
from sspinnpose_ros.core.mounting import (
    Mounting,
    SensorMounting,
    aligned_mounting,
    sagittal_signals,
)


def any_mounting(generator: np.random.Generator) -> Mounting:
    return Mounting(
        sensors={
            name: SensorMounting(
                rotation=random_rotation(generator),
                acceleration_gain=generator.uniform(0.7, 1.4),
                gyro_bias_rad_s=generator.normal(size=3) * 0.05,
                acceleration_bias_m_s2=generator.normal(size=3),
            )
            for name in SENSORS
        }
    )


def test_an_aligned_sensor_at_rest_reads_gravity_up() -> None:
    acceleration = np.tile([0.0, GRAVITY, 0.0], (7, 1))
    angular_rate = np.tile([0.1, 0.2, 0.3], (7, 1))
    signals = sagittal_signals(
        acceleration=acceleration, angular_rate=angular_rate, mounting=aligned_mounting().arrays()
    )
    np.testing.assert_allclose(signals, np.tile([0.0, GRAVITY, 0.3], (7, 1)))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_a_mounting_undoes_what_it_describes(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mounting = any_mounting(generator).arrays()
    force = generator.normal(size=(4, 5, 7, 3)) * 10
    turning = generator.normal(size=(4, 5, 7, 3))
    acceleration = (
        np.einsum('sij,...si->...sj', mounting.rotation, force)
        * mounting.acceleration_gain[:, None]
        + mounting.acceleration_bias_m_s2
    )
    angular_rate = (
        np.einsum('sij,...si->...sj', mounting.rotation, turning) + mounting.gyro_bias_rad_s
    )
    signals = sagittal_signals(
        acceleration=acceleration, angular_rate=angular_rate, mounting=mounting
    )
    expected = np.stack([force[..., 0], force[..., 2], -turning[..., 1]], axis=-1)
    np.testing.assert_allclose(signals, expected, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(-1.0, 1.0))
def test_rotated_adds_to_the_inclination_read_at_rest(seed: int, angle: float) -> None:
    generator = np.random.default_rng(seed)
    mounting = any_mounting(generator)
    inclined = generator.uniform(-0.5, 0.5)
    one = mounting.sensors['shank_l']
    true = GRAVITY * np.array([np.sin(inclined), 0.0, np.cos(inclined)])
    reading = one.rotation.T @ true * one.acceleration_gain + one.acceleration_bias_m_s2
    signals = sagittal_signals(
        acceleration=reading[None],
        angular_rate=np.zeros((1, 3)),
        mounting=mounting.rotated('shank_l', angle).arrays(('shank_l',)),
    )
    assert np.arctan2(signals[0, 0], signals[0, 1]) == pytest.approx(inclined + angle, abs=1e-9)


def test_a_missing_sensor_is_named() -> None:
    mounting = aligned_mounting(('foot_r',))
    with pytest.raises(CalibrationError, match='pelvis'):
        mounting.arrays()
    with pytest.raises(CalibrationError, match='foot_l'):
        mounting.rotated('foot_l', 0.1)
    with pytest.raises(CalibrationError, match='foot_r only, expected some of pelvis'):
        mounting.arrays(())


@pytest.mark.parametrize(
    'values',
    [
        {'rotation': np.diag([1.0, 1.0, -1.0])},
        {'rotation': np.zeros((3, 3))},
        {'rotation': np.eye(2)},
        {'rotation': np.full((3, 3), np.nan)},
        {'rotation': np.eye(3), 'acceleration_gain': 9.81},
        {'rotation': np.eye(3), 'acceleration_gain': float('nan')},
        {'rotation': np.eye(3), 'gyro_bias_rad_s': np.array([np.inf, 0.0, 0.0])},
    ],
)
def test_an_impossible_mounting_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(CalibrationError, match='expected'):
        SensorMounting(**values)


def test_mountings_do_not_change() -> None:
    one = aligned_mounting().sensors['pelvis']
    with pytest.raises(ValueError, match='read-only'):
        one.rotation[0, 0] = 2.0
