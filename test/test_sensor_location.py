# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find known sensor places again, and say so where a recording cannot tell them.

`python -m pytest test/test_sensor_location.py -m slow -s` prints the errors on simulated wearers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import run, write_model
from hypothesis import given, settings
from hypothesis import strategies as st
from made_recordings import RECORDINGS, SUBJECT, swinging, write_trial
from random_states import random_states

from sspinnpose_ros.bags.imu_bag import ImuSeries
from sspinnpose_ros.core.body import nominal_sensor_position
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.errors import RecordingError, SubjectError
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.model_file import default_model_path, load_model
from sspinnpose_ros.core.mounting import aligned_mounting, sagittal_signals
from sspinnpose_ros.core.pipeline import Outcome
from sspinnpose_ros.core.sensor_location import (
    NOT_DETERMINED,
    SETTLE_S,
    WELL_DETERMINED,
    LocationPrior,
    SensorLocation,
    SensorLocations,
    describe,
    effective_samples,
    locate_sensor,
    locate_sensors,
    location_evidence,
    settled,
    smooth_derivative,
)
from sspinnpose_ros.core.sensor_location_file import load_locations, save_locations
from sspinnpose_ros.core.subject import Subject, load_subject, make_subject
from sspinnpose_ros.core.virtual_imu import virtual_imu

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

TRUE_MOTION = LocationPrior(motion_position_m=0.0, motion_inclination_rad=0.0)
LEG = SENSORS.index('shank_r')

shipped = pytest.mark.skipif(
    not default_model_path().exists(), reason='no model is shipped in this checkout'
)


def rotated(force: np.ndarray, angle: np.ndarray | float) -> np.ndarray:
    """Return what a sensor reads that is turned by an angle about the axis to the right."""
    cos, sin = np.cos(angle), np.sin(angle)
    forward, up = force[..., 0], force[..., 1]
    return np.stack([cos * forward + sin * up, cos * up - sin * forward], -1)


def found_in_wild_motion(
    *,
    offset: np.ndarray,
    angle: float = 0.0,
    bias: float = 0.0,
    prior: LocationPrior = TRUE_MOTION,
    outliers: float = 0.0,
    samples: int = 400,
) -> SensorLocation:
    motion = random_states(seed=1, count=samples).motion
    assumed = np.zeros((7, 2))
    virtual = virtual_imu(motion=motion, position=assumed)[..., :2]
    true = virtual_imu(motion=motion, position=assumed + offset)[..., :2]
    measured = rotated(true, angle) + bias
    rng = np.random.default_rng(2)
    measured[rng.random(samples) < outliers] += 300.0
    return locate_sensor(
        rate=motion.rate[:, LEG],
        angular_acceleration=motion.angular_acceleration[:, LEG],
        virtual=virtual[:, LEG],
        residual=(measured - virtual)[:, LEG],
        assumed_m=assumed[LEG],
        prior=prior,
    )


def swinging_estimates(
    *,
    offset: np.ndarray,
    seconds: float = 12.0,
    amplitude: float = 0.5,
    alpha_error: float = 0.0,
    noise: float = 0.02,
    present: np.ndarray | None = None,
) -> tuple[list[Estimate], Subject]:
    """Return the estimates of a wearer whose sensors are (7, 2) `offset` from where assumed."""
    subject = make_subject(mass_kg=70.0, height_m=1.75)
    body, assumed = subject.body(), subject.sensor_position_m[:, [0, 2]]
    time = np.arange(round(seconds * 100.0)) / 100.0
    pulse = 2.0 * np.pi * np.array([0.0, 2.0, 1.0, *[1.0, 1.3, 1.7] * 2])
    size = amplitude * np.array([0.0, 0.04, 0.02, *[0.9, 0.8, 0.7] * 2])
    phase = pulse * time[:, None] + np.arange(9)
    q, qd = size * np.sin(phase), size * pulse * np.cos(phase)
    qdd = -size * pulse**2 * np.sin(phase)
    motion = kinematics(body=body, q=q, qd=qd, qdd=qdd)
    measured = virtual_imu(motion=motion, position=assumed + offset)
    measured += np.random.default_rng(0).normal(scale=noise, size=measured.shape)
    claimed = qdd.copy()
    claimed[:, 3:] *= 1.0 - alpha_error
    virtual = virtual_imu(motion=kinematics(body=body, q=q, qd=qd, qdd=claimed), position=assumed)
    there = np.ones(7, dtype=bool) if present is None else present
    estimates = [
        Estimate(
            time_s=time[index],
            q=q[index],
            qd=qd[index],
            qdd=claimed[index],
            effort=np.zeros(6),
            contact_force=np.zeros((2, 2, 2)),
            ground_force=np.zeros((2, 2)),
            cop_forward=np.zeros(2),
            sole_wrench=np.zeros((2, 3)),
            pelvis_residual=np.zeros(3),
            virtual_imu=virtual[index],
            residual=np.where(there[:, None], measured[index] - virtual[index], np.nan),
            present=there,
        )
        for index in range(len(time))
    ]
    return estimates, subject


def located(estimates: list[Estimate], subject: Subject) -> SensorLocations:
    return locate_sensors(evidence=location_evidence(estimates, subject=subject), subject=subject)


# The regression


@settings(max_examples=30, deadline=None)
@given(
    forward=st.floats(-0.06, 0.06),
    up=st.floats(-0.06, 0.06),
    angle=st.floats(-0.15, 0.15),
    bias=st.floats(-0.2, 0.2),
)
def test_known_motion_gives_place_rotation_and_bias(
    forward: float, up: float, angle: float, bias: float
) -> None:
    offset = np.array([forward, up])
    found = found_in_wild_motion(offset=offset, angle=angle, bias=bias)
    np.testing.assert_allclose(found.found_m, offset, atol=1e-3)
    assert found.mounting_rad == pytest.approx(angle, abs=2e-3)
    assert found.position_verdict == WELL_DETERMINED
    assert found.residual_after < 0.1 + abs(bias)


@settings(max_examples=15, deadline=None)
@given(forward=st.floats(-0.05, 0.05), up=st.floats(-0.05, 0.05))
def test_outliers_do_not_move_a_sensor(forward: float, up: float) -> None:
    offset = np.array([forward, up])
    found = found_in_wild_motion(offset=offset, outliers=0.1)
    np.testing.assert_allclose(found.found_m, offset, atol=0.004)


def test_motion_errors_limit_what_is_known() -> None:
    offset = np.array([0.03, -0.02])
    exact = found_in_wild_motion(offset=offset)
    usual = found_in_wild_motion(offset=offset, prior=LocationPrior())
    assert exact.sigma_m.max() < 0.001
    assert usual.sigma_m.min() > 0.009
    share = usual.change_m / offset
    np.testing.assert_allclose(share, 0.03**2 / (0.03**2 + 0.011**2), rtol=1e-3)


def test_a_bias_that_cannot_be_is_left_out() -> None:
    prior = replace(TRUE_MOTION, acceleration_bias=0.0)
    found = found_in_wild_motion(offset=np.array([0.02, 0.01]), bias=0.1, prior=prior)
    assert not found.acceleration_bias.any()


def test_the_rotation_corrects_a_mounting() -> None:
    angle = 0.05
    found = found_in_wild_motion(offset=np.zeros(2), angle=angle)
    true = np.array([3.0, 8.0])
    read = rotated(true, angle)
    mounting = aligned_mounting(['shank_r']).rotated('shank_r', -found.mounting_rad)
    (corrected,) = sagittal_signals(
        acceleration=np.array([[*read, 0.0]]),
        angular_rate=np.zeros((1, 3)),
        mounting=mounting.arrays(['shank_r']),
    )
    np.testing.assert_allclose(corrected[:2], true, atol=0.02)


def test_repeated_strides_are_no_new_evidence() -> None:
    stride = np.random.default_rng(0).normal(size=(110, 2))
    once = effective_samples(stride)
    assert effective_samples(np.tile(stride, (20, 1))) == pytest.approx(once, rel=1e-9)
    white = np.random.default_rng(0).normal(size=(4000, 2))
    assert effective_samples(white) == pytest.approx(4000, rel=0.1)
    assert effective_samples(np.zeros((10, 2))) == 0.0


def test_one_sigma_shrinks_with_the_prior_only_where_there_is_evidence() -> None:
    wide, narrow = (
        found_in_wild_motion(offset=np.zeros(2), prior=LocationPrior(position_m=p))
        for p in (0.05, 0.01)
    )
    assert (narrow.sigma_m < wide.sigma_m).all()
    assert narrow.position_left > wide.position_left


# Recordings


def test_gyros_mend_what_the_estimate_says_of_turning() -> None:
    offset = np.random.default_rng(3).normal(scale=0.02, size=(7, 2))
    estimates, subject = swinging_estimates(offset=offset, alpha_error=0.4)
    found = located(estimates, subject)
    for row, sensor in enumerate(SENSORS[1:], start=1):
        np.testing.assert_allclose(
            found.sensors[sensor].change_m, offset[row], atol=0.012, err_msg=sensor
        )
        assert found.sensors[sensor].position_verdict == WELL_DETERMINED


def test_a_motionless_recording_determines_nothing() -> None:
    offset = np.full((7, 2), 0.02)
    estimates, subject = swinging_estimates(offset=offset, amplitude=0.0)
    found = located(estimates, subject)
    for location in found.sensors.values():
        assert location.position_verdict == NOT_DETERMINED
        assert location.position_left > 0.9
        assert np.abs(location.change_m).max() < 0.005
        assert 'not determined' in describe('pelvis', location)
        assert 'assumed place' in describe('pelvis', location)


def test_a_pelvis_that_hardly_turns_is_not_determined() -> None:
    estimates, subject = swinging_estimates(offset=np.full((7, 2), 0.02), amplitude=0.5)
    sensors = located(estimates, subject).sensors
    assert sensors['pelvis'].position_verdict == NOT_DETERMINED
    assert sensors['shank_l'].position_verdict == WELL_DETERMINED


def test_absent_sensors_stay_where_they_were_assumed() -> None:
    present = np.array([sensor != 'foot_l' for sensor in SENSORS])
    estimates, subject = swinging_estimates(offset=np.full((7, 2), 0.02), present=present)
    found = located(estimates, subject)
    assert tuple(found.sensors) == SENSORS[:-1]
    np.testing.assert_array_equal(
        found.subject.sensor_position_m[-1], subject.sensor_position_m[-1]
    )
    np.testing.assert_array_equal(
        found.subject.sensor_position_m[:, 1], subject.sensor_position_m[:, 1]
    )
    assert np.isfinite(found.subject.sensor_position_m).all()


def test_too_little_is_refused() -> None:
    estimates, subject = swinging_estimates(offset=np.zeros((7, 2)), seconds=0.5)
    for some in (estimates, estimates[:1], []):
        with pytest.raises(RecordingError, match='record longer'):
            located(some, subject)


def test_a_smooth_derivative_stops_at_gaps() -> None:
    time = np.arange(300) / 100.0
    values = np.stack([np.sin(6.0 * time), np.cos(6.0 * time)], -1)
    exact = 6.0 * np.stack([np.cos(6.0 * time), -np.sin(6.0 * time)], -1)
    found = smooth_derivative(time_s=time, values=values)
    np.testing.assert_allclose(found[4:-4], exact[4:-4], atol=0.02)
    assert np.isnan(found[[0, 3, -4, -1]]).all()
    values[100, 0] = np.nan
    found = smooth_derivative(time_s=time + (time > 2.0), values=values)
    assert np.isnan(found[96:105, 0]).all()
    assert np.isfinite(found[96:105, 1]).all()
    assert np.isnan(found[197:205]).all()


def test_estimates_settle_after_every_start() -> None:
    estimates, _ = swinging_estimates(offset=np.zeros((7, 2)), seconds=9.0)

    def outcomes() -> Iterator[Outcome]:
        for estimate in estimates:
            frame = Frame(
                time_s=estimate.time_s, imu=np.zeros((7, 6)), present=np.ones(7, dtype=bool)
            )
            lost = 4.0 <= estimate.time_s < 4.05
            status = EstimateStatus(Level.OK, '', ())
            yield Outcome(frame, None if lost else estimate, status)

    times = np.array([estimate.time_s for estimate in settled(outcomes())])
    assert times[0] == pytest.approx(SETTLE_S)
    assert not ((times >= 4.0) & (times < 4.05 + SETTLE_S - 0.005)).any()
    assert len(times) == 100 + 195


# The file


def test_a_file_is_read_back(tmp_path: Path) -> None:
    estimates, subject = swinging_estimates(offset=np.full((7, 2), 0.02))
    found = located(estimates, subject)
    path = tmp_path / 'found.yaml'
    save_locations(path, found, notes={'source': 'a test'})
    again = load_locations(path)
    np.testing.assert_allclose(
        load_subject(path).sensor_position_m, found.subject.sensor_position_m, atol=1e-6
    )
    for name, location in found.sensors.items():
        assert again.sensors[name].position_verdict == location.position_verdict
        np.testing.assert_allclose(again.sensors[name].change_m, location.change_m, atol=1e-6)
        assert again.sensors[name].samples == location.samples
    assert yaml.safe_load(path.read_text())['source'] == 'a test'


@pytest.mark.parametrize(
    ('change', 'complaint'),
    [
        (lambda c: c.update(format='other'), 'the format'),
        (lambda c: c.update(version=2), 'the version is 2'),
        (lambda c: c.update(sensors={}), 'no sensors'),
        (lambda c: c.update(mass_kg=-1.0), 'mass_kg'),
        (lambda c: c['sensors'].update(wrist=1), "'wrist' is unknown"),
        (lambda c: c['sensors'].update(pelvis=1), 'holds no values'),
        (lambda c: c['sensors']['pelvis'].update(verdict='sure'), "verdict is 'sure'"),
        (lambda c: c['sensors']['pelvis'].update(mounting_rad='much'), 'expected a number'),
        (lambda c: c['sensors']['pelvis'].update(mounting_sigma_rad=-1), 'cannot be'),
        (lambda c: c['sensors']['pelvis'].update(samples=float('nan')), 'expected a number'),
        (lambda c: c['sensors']['pelvis'].update(position_sigma_m=[1]), 'two numbers'),
        (lambda c: c['sensors']['pelvis'].update(position_change_m=[0.5, 0.5]), 'to agree'),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, change: object, complaint: str) -> None:
    estimates, subject = swinging_estimates(offset=np.zeros((7, 2)), seconds=3.0)
    path = tmp_path / 'found.yaml'
    save_locations(path, located(estimates, subject))
    content = yaml.safe_load(path.read_text())
    change(content)  # type: ignore[operator]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(SubjectError, match=complaint) as raised:
        load_locations(path)
    assert str(path) in str(raised.value)


# The command


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp('model') / 'model')


def test_the_command_writes_file_and_figure(
    tmp_path: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    pytest.importorskip('matplotlib')
    worn = tuple(sensor for sensor in SENSORS if sensor != 'foot_r')
    trial = write_trial(tmp_path / 'trial', series=swinging(sensors=worn))
    out, figure = tmp_path / 'found.yaml', tmp_path / 'found.png'
    command = ('locate-sensors', trial, '--model', model, '--sensors', ','.join(worn), '-o', out)
    done = run(monkeypatch, capsys, *command, '--plot', figure)
    assert done.code == 0, done.err
    assert done.err == ''
    found = load_locations(out)
    assert tuple(found.sensors) == worn
    assert [line.split(':')[0] for line in done.out.splitlines()] == list(worn)
    assert figure.read_bytes().startswith(b'\x89PNG')
    assert figure.stat().st_size > 20_000
    assert run(monkeypatch, capsys, *command).code == 2
    assert run(monkeypatch, capsys, *command, '--overwrite').code == 0
    estimated = ('estimate', trial, '--subject', out, '--model', model)
    done = run(monkeypatch, capsys, *estimated, '--sensors', ','.join(worn), '-o', tmp_path / 'o')
    assert done.code == 0, done.err


def test_the_command_refuses_a_recording_that_is_too_short(
    tmp_path: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=2.0))
    done = run(
        monkeypatch, capsys, 'locate-sensors', trial, '--model', model, '-o', tmp_path / 'f.yaml'
    )
    assert done.code == 2
    assert 'record longer' in done.err
    assert [path.name for path in tmp_path.iterdir()] == ['trial']


@shipped
def test_the_command_says_that_standing_tells_nothing(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    time = np.arange(1200) / 100.0
    upright = np.array([0.0, GRAVITY, 0.0, 0.0, 0.0, 0.0])
    series = {}
    for row, sensor in enumerate(SENSORS):
        noise = np.random.default_rng(row).normal(scale=0.02, size=(len(time), 6))
        series[sensor] = ImuSeries(stamp_s=time, sample=noise + upright)
    trial = write_trial(tmp_path / 'trial', series=series)
    out = tmp_path / 'found.yaml'
    done = run(monkeypatch, capsys, 'locate-sensors', trial, '-o', out)
    assert done.code == 0, done.err
    for name, location in load_locations(out).sensors.items():
        assert location.position_verdict == NOT_DETERMINED, describe(name, location)


# How well it works


@shipped
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_errors_on_simulated_wearers() -> None:
    pytest.importorskip('torch')
    import torch

    from sspinnpose_ros.training.gait_style import draw_gait
    from sspinnpose_ros.training.synthetic_gait import sample, synthesize
    from sspinnpose_ros.training.wearer import SensorErrors, wear

    rng = np.random.default_rng(2026)
    each = 8
    speeds = [*rng.uniform(0.8, 1.8, each), *rng.uniform(2.5, 4.2, each)]
    targets = [draw_gait(rng, speed_mps=float(speed)) for speed in speeds]
    motions = synthesize(targets, seed=2026, iterations=1200)
    worn = wear(
        motion=sample(motions, time_s=torch.arange(3300) / 100.0),
        body=motions.body,
        period_s=0.01,
        rng=rng,
        errors=SensorErrors(position_m=0.02, mounting_rad=0.052),
    )
    network = load_model('default')
    error, before, sigma = (np.zeros((len(targets), 7, 3)) for _ in range(3))
    for index, target in enumerate(targets):
        subject = make_subject(mass_kg=target.mass_kg, height_m=target.height_m)
        estimates = stepped(worn.sagittal[index], subject=subject, model=network)
        found = located(estimates[round(SETTLE_S * 100.0) :], subject)
        nominal = nominal_sensor_position(height_m=np.float64(target.height_m))
        before[index, :, :2] = nominal - worn.position[index]
        before[index, :, 2] = -worn.mounting_rad[index]
        for row, location in enumerate(found.sensors.values()):
            change = [*location.change_m, location.mounting_rad]
            error[index, row] = before[index, row] + change
            sigma[index, row] = [*location.sigma_m, location.mounting_sigma_rad]
    inside = np.abs(error) / sigma
    for name, part in (('walking', slice(each)), ('running', slice(each, None))):
        for label, values in (('before', before[part]), ('after', error[part])):
            place = 100.0 * np.linalg.norm(values[..., :2], axis=-1).mean(0)
            turn = np.rad2deg(np.abs(values[..., 2])).mean(0)
            print(
                f'{name} {label}: cm {place.round(1)} legs {place[1:].mean():.2f}, '
                f'deg {turn.round(1)} legs {turn[1:].mean():.2f}'
            )
        assert place[1:].mean() < 1.5
        assert turn[1:].mean() < 2.2
    legs = inside[:, 1:, :2]
    print(f'legs within one sigma {(legs < 1).mean():.2f}, two {(legs < 2).mean():.2f}')
    print(f'rotation {(inside[..., 2] < 1).mean():.2f}, {(inside[..., 2] < 2).mean():.2f}')
    assert (legs < 2).mean() > 0.85


def stepped(sagittal: np.ndarray, *, subject: Subject, model: object) -> list[Estimate]:
    estimator = Estimator(model=model, subject=subject, mounting=aligned_mounting())  # type: ignore[arg-type]
    imu = np.zeros((len(sagittal), 7, 6))
    imu[..., :2], imu[..., 5] = sagittal[..., :2], sagittal[..., 2]
    state, estimates = estimator.initial_state(), []
    for index, readings in enumerate(imu):
        frame = Frame(time_s=index / 100.0, imu=readings, present=np.ones(7, dtype=bool))
        state, estimate = estimator.step(state, frame)
        estimates.append(estimate)
    return estimates


@shipped
@pytest.mark.slow
@pytest.mark.skipif(not RECORDINGS.exists(), reason=f'{RECORDINGS} is not there')
@pytest.mark.parametrize('name', ['overground_walk_p1', 'overground_run_p1'])
def test_errors_on_recorded_people(
    name: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial = RECORDINGS / name
    true = load_subject(trial / 'subject.yaml')
    mass, height = true.mass_kg, true.height_m
    assumed = SUBJECT.replace('70.0', str(mass)).replace('1.75', str(height))
    (tmp_path / 'subject.yaml').write_text(assumed)
    command = ('locate-sensors', trial, '--subject', tmp_path / 'subject.yaml')
    done = run(monkeypatch, capsys, *command, '-o', tmp_path / 'found.yaml')
    assert done.code == 0, done.err
    errors = [
        100.0 * np.linalg.norm((given - true.sensor_position_m)[:, [0, 2]], axis=1)
        for given in (
            load_subject(tmp_path / 'subject.yaml').sensor_position_m,
            load_subject(tmp_path / 'found.yaml').sensor_position_m,
        )
    ]
    with capsys.disabled():
        for label, values in zip(('before', 'after'), errors, strict=True):
            print(f'{name} {label}: cm {values.round(1)} legs {values[1:].mean():.2f}')
    assert np.isfinite(errors).all()
