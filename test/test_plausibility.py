# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Inject wrong units into plausible signals; recorded trials must raise no alarm."""

from __future__ import annotations

import numpy as np
import pytest
from made_recordings import RECORDINGS, swinging
from walking_sensors import turn_about, walk

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.plausibility import check_signals

TRIALS = sorted(path.parent for path in RECORDINGS.glob('*/bag'))
WINDOW_S = 5.0


def check(time: np.ndarray, samples: np.ndarray, sensors: tuple[str, ...] = SENSORS) -> list[str]:
    return check_signals(
        time_s=time,
        acceleration=samples[..., :3],
        angular_rate=samples[..., 3:],
        sensors=sensors,
        present=np.ones(samples.shape[:2], dtype=bool),
    )


@pytest.fixture
def signals() -> tuple[np.ndarray, np.ndarray]:
    """Return times (T,) and plausible samples (T, 7, 6)."""
    series = swinging(seconds=WINDOW_S)
    samples = np.stack([series[sensor].sample for sensor in SENSORS], 1)
    return series['pelvis'].stamp_s, samples


def test_plausible_signals_raise_no_alarm(signals: tuple[np.ndarray, np.ndarray]) -> None:
    assert check(*signals) == []


@pytest.mark.parametrize('seconds', [0.0, 0.01, 0.5])
def test_too_short_a_piece_tells_nothing(
    seconds: float, signals: tuple[np.ndarray, np.ndarray]
) -> None:
    time, samples = signals
    number = round(100 * seconds)
    assert check(time[:number], samples[:number]) == []


def test_accelerations_in_g_are_named(signals: tuple[np.ndarray, np.ndarray]) -> None:
    time, samples = signals
    samples[:, 2, :3] /= GRAVITY
    (sentence,) = check(time, samples)
    assert sentence.startswith('shank_r')
    assert 'looks like g' in sentence


def test_rates_in_degrees_are_named(signals: tuple[np.ndarray, np.ndarray]) -> None:
    time, samples = signals
    samples[:, 6, 3:] = np.rad2deg(samples[:, 6, 3:])
    (sentence,) = check(time, samples)
    assert sentence.startswith('foot_l')
    assert 'deg/s' in sentence


def test_removed_gravity_is_named(signals: tuple[np.ndarray, np.ndarray]) -> None:
    time, samples = signals
    angle = 0.3 * np.sin(2.0 * np.pi * 0.9 * time + 1.0)
    samples[:, 1, 0] -= GRAVITY * np.sin(angle)
    samples[:, 1, 1] -= GRAVITY * np.cos(angle)
    (sentence,) = check(time, samples)
    assert sentence.startswith('thigh_r')
    assert 'gravity seems to have been removed' in sentence


def test_bad_gains_are_no_wrong_unit(signals: tuple[np.ndarray, np.ndarray]) -> None:
    time, samples = signals
    samples[:, 0, :3] *= 1.24
    samples[:, 1, :3] *= 0.8
    assert check(time, samples) == []


def test_other_units_are_named(signals: tuple[np.ndarray, np.ndarray]) -> None:
    time, samples = signals
    samples[:, 0, :3] *= 1000.0 / GRAVITY
    (sentence,) = check(time, samples)
    assert 'pelvis measures a mean force of 1e+03' in sentence


def test_broken_values_are_named(signals: tuple[np.ndarray, np.ndarray]) -> None:
    time, samples = signals
    samples[7, 5, 2] = np.nan
    (broken,) = check(time, samples)
    assert broken.startswith('shank_l sent 1 samples that are not numbers')


@pytest.mark.parametrize('sensor', ['pelvis', 'shank_r', 'foot_l'])
def test_free_acceleration_that_averages_to_1_2_is_no_unit_g(sensor: str) -> None:
    worn = walk()
    column = SENSORS.index(sensor)
    attitude = turn_about(1, worn.inclination[:, column])
    free = worn.acceleration[:, column] - (GRAVITY - 1.2) * attitude[:, :, 2]
    samples = np.concatenate([worn.acceleration, worn.angular_rate], axis=-1)
    samples[:, column, :3] = free
    (sentence,) = check(worn.time_s, samples)
    assert sentence.startswith(f'{sensor} measures a mean force of 1')
    assert 'gravity seems to have been removed' in sentence


@pytest.mark.skipif(not TRIALS, reason=f'no recorded trials in {RECORDINGS}')
@pytest.mark.parametrize('trial', TRIALS, ids=lambda path: path.name)
def test_recorded_trials_raise_no_alarm_and_wrong_units_always_do(trial) -> None:
    with open_imu_bag(trial / 'bag') as bag:
        series = bag.series()
    sensors = tuple(series)
    time = series['pelvis'].stamp_s
    samples = np.stack([series[sensor].sample for sensor in sensors], 1)
    window = round(WINDOW_S / float(np.median(np.diff(time))))
    for begin in range(0, len(time) - window, 3 * window):
        piece = slice(begin, begin + window)
        assert check(time[piece], samples[piece], sensors) == []
        walking = np.linalg.norm(samples[piece, :, 3:], axis=-1).max() > 2.0
        in_degrees = samples[piece] * ([1.0] * 3 + [180.0 / np.pi] * 3)
        assert not walking or len(check(time[piece], in_degrees, sensors)) == len(sensors)
        in_g = samples[piece] * ([1.0 / GRAVITY] * 3 + [1.0] * 3)
        assert sum('looks like g' in s for s in check(time[piece], in_g, sensors)) == len(sensors)
