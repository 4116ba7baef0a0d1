# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let sensors stamp early or late, and see whether the movement gives it away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import run
from made_recordings import RECORDINGS, write_trial
from walking_sensors import Worn, random_rotation, walk

from sspinnpose_ros.bags.imu_bag import ImuSeries, open_imu_bag
from sspinnpose_ros.bags.recorded_grid import read_grid
from sspinnpose_ros.bags.trial import find_trial
from sspinnpose_ros.core.calibration import Calibration, calibrate
from sspinnpose_ros.core.calibration_file import load_calibration, save_calibration
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import CalibrationError
from sspinnpose_ros.core.steady_walk import steady_walk
from sspinnpose_ros.core.time_offset import (
    IN_TIME,
    NOT_OBSERVABLE,
    OUT_OF_TIME,
    SensorTimeOffset,
    estimate_time_offsets,
)

STEP_S = 0.01


@cache
def walker() -> Worn:
    """Return readings of noisy sensors turned at random."""
    generator = np.random.default_rng(5)
    worn = walk(seconds=16.0)
    rotations = np.stack([random_rotation(generator) for _ in SENSORS])
    shape = worn.acceleration.shape
    return replace(
        worn,
        acceleration=np.einsum('sij,tsj->tsi', rotations, worn.acceleration)
        + 0.1 * generator.normal(size=shape),
        angular_rate=np.einsum('sij,tsj->tsi', rotations, worn.angular_rate)
        + 0.01 * generator.normal(size=shape),
    )


def late(worn: Worn, late_s: Mapping[str, float]) -> Worn:
    """Return the readings on the grid that stamps give which are late by so much."""

    def moved(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        for sensor, seconds in late_s.items():
            row = SENSORS.index(sensor)
            columns = [
                np.interp(worn.time_s - seconds, worn.time_s, values[:, row, axis])
                for axis in range(3)
            ]
            values[:, row] = np.stack(columns, -1)
        return values

    return replace(
        worn, acceleration=moved(worn.acceleration), angular_rate=moved(worn.angular_rate)
    )


def calibrated(worn: Worn) -> Calibration:
    return calibrate(
        time_s=worn.time_s,
        acceleration=worn.acceleration,
        angular_rate=worn.angular_rate,
        sensors=SENSORS,
    )


def estimated(worn: Worn) -> dict[str, SensorTimeOffset]:
    """Return the offsets also where the sensors are too far out of time to be calibrated."""
    walk_part, period = steady_walk(angular_rate=worn.angular_rate, sensors=SENSORS, step_s=STEP_S)
    return estimate_time_offsets(
        acceleration=worn.acceleration,
        angular_rate=worn.angular_rate,
        sensors=SENSORS,
        walk=walk_part,
        period=period,
        step_s=STEP_S,
        height_m=1.75,
    )


def offsets_of(calibration: Calibration) -> dict[str, SensorTimeOffset]:
    offsets = {}
    for name, verdict in calibration.sensors.items():
        assert verdict.time_offset is not None
        offsets[name] = verdict.time_offset
    return offsets


def offsets_ms(offsets: Mapping[str, SensorTimeOffset]) -> np.ndarray:
    """Return (7, 2) offsets and standard errors in ms."""
    return 1e3 * np.array([[offsets[s].offset_s, offsets[s].sigma_s] for s in SENSORS])


def out_of_time(offsets: Mapping[str, SensorTimeOffset]) -> set[str]:
    return {name for name, offset in offsets.items() if offset.verdict == OUT_OF_TIME}


def test_sensors_in_time_are_found_in_time() -> None:
    calibration = calibrated(walker())
    found = offsets_ms(offsets_of(calibration))
    assert not out_of_time(offsets_of(calibration))
    assert np.abs(found[:, 0]).max() < 3.0, found
    assert (np.abs(found[:, 0]) < 4.0 * found[:, 1]).all(), found
    assert calibration.verdict == 'good'


@pytest.mark.parametrize('late_ms', [-33.0, 12.0])
@pytest.mark.parametrize('sensor', SENSORS)
def test_one_sensor_out_of_time_is_named_with_what_to_set(sensor: str, late_ms: float) -> None:
    calibration = calibrated(late(walker(), {sensor: 1e-3 * late_ms}))
    offsets = offsets_of(calibration)
    assert out_of_time(offsets) == {sensor}
    offset, sigma = offsets_ms(offsets)[SENSORS.index(sensor)]
    assert offset == pytest.approx(-late_ms, abs=min(3.0, 4.0 * sigma))
    assert calibration.verdict == 'usable'
    (sentence,) = [s for s in calibration.sentences if 'time_offset_s' in s]
    assert f'imu.{sensor}.time_offset_s to {1e-3 * offset:.3f}' in sentence
    assert ('late' if late_ms > 0.0 else 'early') in sentence


@pytest.mark.parametrize('seed', range(6))
def test_offsets_of_all_sensors_are_found_against_their_mean(seed: int) -> None:
    """Each 5 to 40 ms early or late; what all share cannot be seen."""
    generator = np.random.default_rng(seed)
    sizes = generator.choice([-1.0, 1.0], size=7) * generator.uniform(5.0, 40.0, size=7)
    offsets = estimated(late(walker(), dict(zip(SENSORS, (1e-3 * sizes).tolist(), strict=True))))
    found = offsets_ms(offsets)
    assert len(out_of_time(offsets)) >= 3
    errors = (found[:, 0] - found[:, 0].mean()) + (sizes - sizes.mean())
    assert np.abs(errors).max() < 5.0, errors


def test_a_refusal_names_the_sensor_that_is_out_of_time() -> None:
    with pytest.raises(CalibrationError, match='out of time') as caught:
        calibrated(late(walker(), {'shank_l': 0.11}))
    assert 'shank_l: seems 1' in str(caught.value)
    assert 'late' in str(caught.value)


def test_a_sensor_that_shows_nothing_is_not_judged() -> None:
    """A pelvis of pure noise tells no time."""
    worn = walker()
    row = SENSORS.index('pelvis')
    noise = np.random.default_rng(1).normal(size=(2, *worn.time_s.shape, 3))
    force, rate = worn.acceleration.copy(), worn.angular_rate.copy()
    force[:, row] = force[:, row].mean(0) + 3.0 * noise[0]
    rate[:, row] = 0.5 * noise[1]
    found = estimated(replace(worn, acceleration=force, angular_rate=rate))
    assert found['pelvis'].verdict == NOT_OBSERVABLE
    assert 'does not tell' in found['pelvis'].sentence('pelvis')
    assert {found[name].verdict for name in SENSORS[1:]} == {IN_TIME}


def test_offsets_are_kept_in_the_file(tmp_path: Path) -> None:
    calibration = calibrated(late(walker(), {'foot_r': 0.02}))
    path = tmp_path / 'calibration.yaml'
    save_calibration(path, calibration)
    loaded = offsets_of(load_calibration(path))
    assert out_of_time(loaded) == {'foot_r'}
    assert loaded == offsets_of(calibration)


def test_a_file_of_version_1_still_loads(tmp_path: Path) -> None:
    path = tmp_path / 'calibration.yaml'
    save_calibration(path, calibrated(walker()))
    content = yaml.safe_load(path.read_text())
    content['version'] = 1
    for entry in content['sensors'].values():
        del entry['time_offset']
    path.write_text(yaml.safe_dump(content))
    assert all(v.time_offset is None for v in load_calibration(path).sensors.values())


@pytest.mark.parametrize(
    'spoilt', [7, {'offset_s': 0.0}, {'offset_s': 'x', 'sigma_s': 0.1, 'verdict': IN_TIME}]
)
def test_a_spoilt_offset_is_refused(tmp_path: Path, spoilt: object) -> None:
    path = tmp_path / 'calibration.yaml'
    save_calibration(path, calibrated(walker()))
    content = yaml.safe_load(path.read_text())
    content['sensors']['foot_l']['time_offset'] = spoilt
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(CalibrationError, match=r'foot_l\.time_offset'):
        load_calibration(path)


def test_the_command_finds_an_offset_and_takes_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What calibrate says to set, set with --time-offset, leaves nothing to say."""
    worn = walker()
    series = {
        name: ImuSeries(
            stamp_s=1.0 + worn.time_s + (0.03 if name == 'thigh_l' else 0.0),
            sample=np.concatenate([worn.acceleration[:, row], worn.angular_rate[:, row]], axis=-1),
        )
        for row, name in enumerate(SENSORS)
    }
    trial = write_trial(
        tmp_path / 'trial', series=series, subject='mass_kg: 70.0\nheight_m: 1.75\n'
    )
    command = partial(run, monkeypatch, capsys, 'calibrate', trial, '-o')
    first = command(tmp_path / 'first.yaml')
    assert first.code == 0, first.err
    assert 'thigh_l: seems' in first.out
    offset = load_calibration(tmp_path / 'first.yaml').sensors['thigh_l'].time_offset
    assert offset is not None
    assert offset.offset_s == pytest.approx(-0.03, abs=0.003)
    second = command(tmp_path / 'second.yaml', '--time-offset', f'thigh_l={offset.offset_s:.3f}')
    assert second.code == 0, second.err
    assert 'seems' not in second.out
    for words in ('knee=0.1', 'foot_l', 'foot_l=nan', 'foot_l=4000'):
        refused = command(tmp_path / 'third.yaml', '--time-offset', words)
        assert refused.code == 2
        assert 'SENSOR=SECONDS' in refused.err


recorded = pytest.mark.skipif(not RECORDINGS.exists(), reason='the recordings are not there')
TRIALS = sorted(p.name for p in RECORDINGS.glob('*') if (p / 'bag').is_dir())


@cache
def recording(name: str) -> Worn:
    with open_imu_bag(find_trial(RECORDINGS / name).bag) as bag:
        (part,) = read_grid(bag, sensors=SENSORS, rate_hz=1.0 / STEP_S, longest_s=60.0)
    return Worn(
        time_s=part.time_s,
        acceleration=part.acceleration,
        angular_rate=part.angular_rate,
        inclination=np.zeros(0),
    )


@recorded
@pytest.mark.parametrize('name', TRIALS)
def test_recorded_sensors_are_in_time(name: str) -> None:
    """They sampled together; standard errors cover what is found, and legs are within 10 ms."""
    offsets = estimated(recording(name))
    found = offsets_ms(offsets)
    assert not out_of_time(offsets)
    assert (np.abs(found[:, 0]) < 4.0 * found[:, 1]).all(), found
    assert np.abs(found[1:, 0]).max() < 10.0, found


@recorded
@pytest.mark.parametrize('sensor', ['shank_l', 'foot_r'])
@pytest.mark.parametrize('name', TRIALS)
def test_an_offset_put_into_a_recording_is_found(name: str, sensor: str) -> None:
    """Feet and shanks show 22.5 ms on every recorded walker or runner."""
    worn, row = recording(name), SENSORS.index(sensor)
    offsets = estimated(late(worn, {sensor: 0.0225}))
    change = offsets_ms(offsets)[row, 0] - offsets_ms(estimated(worn))[row, 0]
    assert sensor in out_of_time(offsets)
    assert change == pytest.approx(-22.5, abs=2.0)
