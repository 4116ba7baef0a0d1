# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from walking_sensors import STRIDE_S, Worn, random_rotation, turn_about, walk

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.cli.simulate import SimulationConfig, simulate_to_bag
from sspinnpose_ros.core.calibration import Calibration, calibrate
from sspinnpose_ros.core.calibration_file import load_calibration, save_calibration
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.errors import CalibrationError
from sspinnpose_ros.core.foot_flat import flat_foot_bias
from sspinnpose_ros.core.mounting import aligned_mounting, sagittal_signals


@cache
def walked(standing_s: float = 1.0) -> Worn:
    return walk(standing_s=standing_s)


def calibrated(worn: Worn) -> Calibration:
    return calibrate(
        time_s=worn.time_s,
        acceleration=worn.acceleration,
        angular_rate=worn.angular_rate,
        sensors=SENSORS,
    )


def remounted(worn: Worn, rotations: np.ndarray, gains: np.ndarray, gyro_bias: np.ndarray) -> Worn:
    """Return the readings of sensors turned, scaled and biased: sensor from segment, (7, ...)."""
    return replace(
        worn,
        acceleration=np.einsum('sij,tsj->tsi', rotations, worn.acceleration) * gains[:, None],
        angular_rate=np.einsum('sij,tsj->tsi', rotations, worn.angular_rate) + gyro_bias,
    )


def zero_errors_deg(calibration: Calibration, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (7,) in-plane errors and (7,) angles between lateral axes; `true` as found."""
    zero, lateral = [], []
    for name, sensor_from_segment in zip(SENSORS, true, strict=True):
        off = calibration.mounting.sensors[name].rotation @ sensor_from_segment
        zero.append(np.arctan2(off[0, 2], off[2, 2]))
        lateral.append(np.arccos(np.clip(off[1, 1], -1.0, 1.0)))
    return np.rad2deg(zero), np.rad2deg(lateral)


@pytest.mark.parametrize(('standing_s', 'within'), [(1.0, 3.0), (0.0, 5.0)])
def test_finds_the_alignment_of_a_walker(standing_s: float, within: float) -> None:
    calibration = calibrated(walked(standing_s))
    zero, lateral = zero_errors_deg(calibration, np.tile(np.eye(3), (7, 1, 1)))
    assert np.abs(zero).max() < within, zero
    assert lateral.max() < 8.0, lateral
    assert calibration.stride_s == pytest.approx(STRIDE_S, abs=0.02)
    assert (calibration.standing_s > 0.3) == (standing_s > 0.0)


def test_the_verdict_tells_standing_and_walking_in_numbers() -> None:
    with_standing, without = calibrated(walked(1.0)), calibrated(walked(0.0))
    assert with_standing.verdict == 'good'
    assert without.verdict == 'usable'
    assert any('quiet standing' in sentence for sentence in with_standing.sentences)
    assert any('No quiet standing' in sentence for sentence in without.sentences)


@settings(deadline=None, max_examples=12, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_recovers_any_mounting_gain_and_gyro_bias(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rotations = np.stack([random_rotation(generator) for _ in SENSORS])
    gains = generator.uniform(0.8, 1.3, size=7)
    gyro_bias = generator.normal(size=(7, 3)) * 0.01
    worn = walked()
    noise = generator.normal(size=(2, *worn.acceleration.shape)) * np.array([0.05, 0.005]).reshape(
        2, 1, 1, 1
    )
    noisy = replace(
        worn,
        acceleration=worn.acceleration + noise[0],
        angular_rate=worn.angular_rate + noise[1],
    )
    found = calibrated(remounted(noisy, rotations, gains, gyro_bias))
    zero, lateral = zero_errors_deg(found, rotations)
    assert np.abs(zero).max() < 4.0, zero
    assert lateral.max() < 8.0, lateral
    arrays = found.mounting.arrays()
    np.testing.assert_allclose(arrays.acceleration_gain, gains, rtol=0.03)
    np.testing.assert_allclose(arrays.gyro_bias_rad_s, gyro_bias, atol=np.deg2rad(0.6))
    assert not arrays.acceleration_bias_m_s2.any()


Simulated = tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope='module')
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """Return sensors, times (T,), forces and rates (T, 7, 3) of feet that yield and knock."""
    trial = tmp_path_factory.mktemp('simulated') / 'trial'
    simulate_to_bag(
        trial,
        config=SimulationConfig(
            seconds=20.0, standing_s=1.5, mounting='arbitrary', iterations=100
        ),
    )
    with open_imu_bag(trial / 'bag') as bag:
        series = bag.series()
    samples = np.stack([one.sample for one in series.values()], axis=1)
    return tuple(series), series['pelvis'].stamp_s, samples[..., :3], samples[..., 3:]


@pytest.mark.parametrize(
    'gains',
    [
        {'foot_l': 1.24},
        {'foot_l': 0.7},
        {'foot_r': 1.12},
        {'foot_r': 1.4},
        {'shank_l': 0.8},
        {'pelvis': 1.3},
        {'foot_l': 1.24, 'foot_r': 0.8},
        {'foot_r': 1.3, 'thigh_r': 0.75},
    ],
    ids=str,
)
def test_corrects_and_states_the_gain_of_any_accelerometer(
    gains: dict[str, float], simulated: Simulated
) -> None:
    sensors, time_s, force, rate = simulated
    common = {'time_s': time_s, 'angular_rate': rate, 'sensors': sensors}
    clean = calibrate(acceleration=force, **common)
    scale = np.array([gains.get(name, 1.0) for name in sensors])
    found = calibrate(acceleration=force * scale[:, None], **common)
    for name in sensors:
        ours, usual = found.mounting.sensors[name], clean.mounting.sensors[name]
        expected = usual.acceleration_gain * gains.get(name, 1.0)
        assert ours.acceleration_gain == pytest.approx(expected, rel=0.02)
        assert not ours.acceleration_bias_m_s2.any()
        np.testing.assert_allclose(ours.rotation, usual.rotation, atol=0.01)
        stated = any(s.startswith(f'{name}: accelerometer reads') for s in found.sentences)
        assert stated == (name in gains)


@settings(deadline=None, max_examples=8, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_a_turned_sensor_gives_the_same_sagittal_signals(seed: int) -> None:
    generator = np.random.default_rng(seed)
    rotations = np.stack([random_rotation(generator) for _ in SENSORS])
    worn = walked()
    other = remounted(worn, rotations, np.ones(7), np.zeros((7, 3)))
    signals = [
        sagittal_signals(
            acceleration=one.acceleration,
            angular_rate=one.angular_rate,
            mounting=calibrated(one).mounting.arrays(),
        )
        for one in (worn, other)
    ]
    np.testing.assert_allclose(signals[0], signals[1], atol=0.02)


def stepping_foot() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return level-from-sensor, acceleration and flat instants of a foot that rests exactly."""
    period, step = 120, 0.01
    swing = np.clip((np.arange(10 * period) % period - 70) / 50, 0.0, 1.0)
    pitch = -0.9 * np.sin(np.pi * swing) ** 2
    forward = np.arange(10 * period) // period + swing**3 * (10 - 15 * swing + 6 * swing**2)
    raised = 0.1 * np.sin(np.pi * swing) ** 4
    world = turn_about(1, -pitch)
    place = np.stack([forward, 0 * forward, raised], axis=-1)
    force = np.gradient(np.gradient(place, step, axis=0), step, axis=0)
    force[:, 2] += GRAVITY
    return world, np.einsum('tij,ti->tj', world, force), np.arange(40, 10 * period, period)


@pytest.mark.parametrize('seed', range(5))
def test_a_resting_foot_tells_a_bias_from_a_gain(seed: int) -> None:
    generator = np.random.default_rng(seed)
    world, true, flat = stepping_foot()
    turn = random_rotation(generator)
    bias = np.array([generator.uniform(-1.0, 1.0), 0.0, 2.5])
    options = {'world': world @ turn.T, 'instants': flat, 'period': 120, 'step_s': 0.01}
    found = flat_foot_bias(acceleration=(true + bias) @ turn.T, **options)
    np.testing.assert_allclose(turn.T @ found, bias, atol=0.8)
    found = flat_foot_bias(acceleration=1.24 * true @ turn.T, **options)
    np.testing.assert_allclose(found, 0.0, atol=0.1)


def test_finds_forward_for_a_walker_in_any_heading() -> None:
    """Turning the world about the vertical changes no reading, so only signs can go wrong."""
    worn = walked()
    half_turn = np.tile(np.diag([-1.0, -1.0, 1.0]), (7, 1, 1))
    found = calibrated(remounted(worn, half_turn, np.ones(7), np.zeros((7, 3))))
    _, lateral = zero_errors_deg(found, half_turn)
    assert lateral.max() < 8.0


DATA = Path(__file__).resolve().parents[2] / 'shared' / 'data'


def recorded(trial: str) -> dict[str, np.ndarray]:
    """Return (T, 7) per sensor: stamp, specific force, rate; skips where the trial is missing."""
    if not (DATA / trial / 'bag').is_dir():
        pytest.skip(f'{DATA / trial} is missing: recorded trials are not part of the package')
    highlevel = pytest.importorskip('rosbags.highlevel')
    rows: dict[str, list[list[float]]] = {}
    with highlevel.AnyReader([DATA / trial / 'bag']) as reader:
        for connection, _, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
            force, rate = message.linear_acceleration, message.angular_velocity
            rows.setdefault(connection.topic.split('/')[2], []).append(
                [stamp, force.x, force.y, force.z, rate.x, rate.y, rate.z]
            )
    return {name: np.array(values) for name, values in rows.items()}


def calibrated_recording(trial: str) -> tuple[Calibration, dict[str, np.ndarray]]:
    found = recorded(trial)
    count = min(len(found[name]) for name in SENSORS)
    signals = np.stack([found[name][:count] for name in SENSORS], axis=1)
    calibration = calibrate(
        time_s=signals[:, 0, 0] - signals[0, 0, 0],
        acceleration=signals[..., 1:4],
        angular_rate=signals[..., 4:],
        sensors=SENSORS,
    )
    return calibration, {
        'acceleration': signals[..., 1:4],
        'angular_rate': signals[..., 4:],
    }


def test_finds_the_known_alignment_of_a_recorded_walker() -> None:
    calibration, _ = calibrated_recording('overground_walk_p1')
    segment_from_sensor = aligned_mounting().arrays().rotation
    zero, lateral = zero_errors_deg(calibration, np.swapaxes(segment_from_sensor, -1, -2))
    assert np.abs(zero).max() < 7.0, zero
    assert lateral.max() < 20.0, lateral
    assert calibration.speed_m_s == pytest.approx(1.292, rel=0.1)


@pytest.mark.parametrize(
    ('trial', 'speed_m_s'),
    [('treadmill_walk_a', 0.769), ('treadmill_walk_c', 0.743), ('treadmill_walk_d', 0.722)],
)
def test_recorded_walkers_with_raw_sensors_walk_as_people_do(trial: str, speed_m_s: float) -> None:
    calibration, signals = calibrated_recording(trial)
    assert calibration.speed_m_s == pytest.approx(speed_m_s, rel=0.05)
    assert any('foot_l: accelerometer' in sentence for sentence in calibration.sentences)
    sagittal = sagittal_signals(**signals, mounting=calibration.mounting.arrays())
    knee_rate = sagittal[..., 1, 2] - sagittal[..., 2, 2]
    assert np.quantile(knee_rate, 0.99) < -np.quantile(knee_rate, 0.01)
    for side, thigh, shank in (('r', 1, 2), ('l', 4, 5)):
        rate = sagittal[:, thigh, 2] - sagittal[:, shank, 2]
        knee = np.cumsum(rate - rate[500:-500].mean())[500:-500] * 0.01
        reach = np.rad2deg(np.quantile(knee, 0.99) - np.quantile(knee, 0.01))
        assert 45.0 < reach < 80.0, side
    np.testing.assert_allclose(sagittal[500:-500, [0, 1, 2, 4, 5], 1].mean(axis=0), 9.7, atol=0.4)


@pytest.mark.parametrize('gain', [0.8, 1.24])
def test_a_gain_on_one_recorded_foot_is_told_from_the_bias_on_the_other(gain: float) -> None:
    _, signals = calibrated_recording('treadmill_walk_a')
    scale = np.where(np.array(SENSORS) == 'foot_r', gain, 1.0)[:, None]
    found = calibrate(
        time_s=np.arange(len(signals['acceleration'])) * 0.01,
        acceleration=signals['acceleration'] * scale,
        angular_rate=signals['angular_rate'],
        sensors=SENSORS,
    )
    right, left = found.mounting.sensors['foot_r'], found.mounting.sensors['foot_l']
    assert not right.acceleration_bias_m_s2.any()
    assert right.acceleration_gain == pytest.approx(gain, rel=0.03)
    assert np.linalg.norm(left.acceleration_bias_m_s2) == pytest.approx(2.7, abs=0.5)


def refusal(worn: Worn, **changes: object) -> str:
    with pytest.raises(CalibrationError) as caught:
        calibrated(replace(worn, **changes))
    message = str(caught.value)
    assert 'expected' in message
    assert message.endswith('.')
    return message


def test_refuses_wrong_units_and_missing_gravity() -> None:
    worn = walked()
    in_g = worn.acceleration.copy()
    in_g[:, 1:] /= GRAVITY  # not the pelvis, which bounces harder here than any person's
    assert 'looks like g' in refusal(worn, acceleration=in_g)
    assert 'deg/s' in refusal(worn, angular_rate=np.rad2deg(worn.angular_rate))
    no_gravity = worn.acceleration - worn.acceleration.mean(axis=0)
    assert 'gravity' in refusal(worn, acceleration=no_gravity)


def test_refuses_gaps_and_dead_sensors() -> None:
    worn = walked()
    gap = worn.acceleration.copy()
    gap[100, 3] = np.nan
    message = refusal(worn, acceleration=gap)
    assert SENSORS[3] in message
    assert 'NaN' in message
    dead = worn.angular_rate.copy()
    dead[:, 2] = 0.1
    assert SENSORS[2] in refusal(worn, angular_rate=dead)


def test_refuses_what_is_not_walking() -> None:
    worn = walked()
    quiet = np.random.default_rng(0).normal(size=worn.angular_rate.shape) * 0.02
    still = worn.acceleration[:1] + quiet
    assert 'walk' in refusal(worn, angular_rate=quiet, acceleration=still)
    random = np.random.default_rng(1).normal(size=worn.angular_rate.shape) * 2.0
    assert 'walk' in refusal(worn, angular_rate=random)


def test_refuses_short_uneven_and_slow_recordings() -> None:
    worn = walked()
    short = {
        'time_s': worn.time_s[:300],
        'acceleration': worn.acceleration[:300],
        'angular_rate': worn.angular_rate[:300],
    }
    assert '3.0 s' in refusal(worn, **short)
    uneven = worn.time_s.copy()
    uneven[200:] += 1.0
    assert 'uneven' in refusal(worn, time_s=uneven)
    assert 'Hz' in refusal(worn, time_s=worn.time_s * 8)


@pytest.mark.parametrize(
    'pair',
    [('thigh_r', 'thigh_l'), ('shank_r', 'shank_l'), ('foot_r', 'foot_l'), ('thigh_r', 'shank_r')],
)
def test_refuses_swapped_sensors(pair: tuple[str, str]) -> None:
    worn = walked()
    order = list(range(7))
    i, j = SENSORS.index(pair[0]), SENSORS.index(pair[1])
    order[i], order[j] = j, i
    message = refusal(
        worn, acceleration=worn.acceleration[:, order], angular_rate=worn.angular_rate[:, order]
    )
    assert 'swapped' in message


def test_refuses_missing_leg_sensors() -> None:
    worn = walked()
    with pytest.raises(CalibrationError, match='foot_l'):
        calibrate(
            time_s=worn.time_s,
            acceleration=worn.acceleration[:, :6],
            angular_rate=worn.angular_rate[:, :6],
            sensors=SENSORS[:6],
        )


def test_a_pelvis_sensor_is_not_needed() -> None:
    worn = walked()
    found = calibrate(
        time_s=worn.time_s,
        acceleration=worn.acceleration[:, 1:],
        angular_rate=worn.angular_rate[:, 1:],
        sensors=SENSORS[1:],
    )
    assert set(found.sensors) == set(SENSORS[1:])


def test_a_saved_calibration_comes_back(tmp_path: Path) -> None:
    calibration = calibrated(walked())
    path = tmp_path / 'calibration.yaml'
    save_calibration(path, calibration)
    save_calibration(path, calibration)
    loaded = load_calibration(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ['calibration.yaml']
    assert loaded.verdict == calibration.verdict
    assert loaded.sentences == calibration.sentences
    for name in SENSORS:
        ours, theirs = calibration.mounting.sensors[name], loaded.mounting.sensors[name]
        np.testing.assert_array_equal(ours.rotation, theirs.rotation)
        np.testing.assert_array_equal(ours.gyro_bias_rad_s, theirs.gyro_bias_rad_s)
        assert ours.acceleration_gain == theirs.acceleration_gain
        assert loaded.sensors[name] == calibration.sensors[name]


@pytest.mark.parametrize(
    ('place', 'value'),
    [
        (('format',), 'other'),
        (('version',), 99),
        (('verdict',), 'splendid'),
        (('sentences',), 3),
        (('stride_s',), 'long'),
        (('sensors',), {}),
        (('sensors', 'pelvis'), None),
        (('sensors', 'nose'), {}),
        (('sensors', 'pelvis', 'rotation'), [[1, 0, 0], [0, 1, 0], [0, 0, -1]]),
        (('sensors', 'pelvis', 'rotation'), [[1, 0], [0, 1], [0, 0]]),
        (('sensors', 'pelvis', 'rotation'), [[float('nan')] * 3] * 3),
        (('sensors', 'pelvis', 'acceleration_gain'), 0),
        (('sensors', 'pelvis', 'gyro_bias_rad_s'), [True, 0, 0]),
        (('sensors', 'pelvis', 'flags'), [1]),
    ],
)
def test_a_spoiled_file_is_refused_with_a_sentence(
    tmp_path: Path, place: tuple[str, ...], value: object
) -> None:
    path = tmp_path / 'calibration.yaml'
    save_calibration(path, calibrated(walked()))
    content = yaml.safe_load(path.read_text())
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(CalibrationError, match='expected'):
        load_calibration(path)


@pytest.mark.parametrize(
    'text', ['', '[', 'a: !!python/object/apply:os.getcwd []', '\x00', '- 1', '[' * 5000]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'calibration.yaml'
    path.write_text(text)
    with pytest.raises(CalibrationError, match='expected'):
        load_calibration(path)
    with pytest.raises(CalibrationError, match='does not exist'):
        load_calibration(tmp_path / 'missing.yaml')
    with pytest.raises(CalibrationError, match='cannot be read'):
        load_calibration(tmp_path)
