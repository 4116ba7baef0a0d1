# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Take a worn device's torque off the moments of estimates."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_recordings import swinging

from sspinnpose_ros.core.conventions import JOINTS, SENSORS
from sspinnpose_ros.core.device_torque import (
    LARGEST_STEP_BACK_S,
    LARGEST_TORQUE_NM,
    DeviceTorque,
    DeviceTorqueConfig,
)
from sspinnpose_ros.core.errors import DeviceError
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import Model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.network_step import expected_shapes
from sspinnpose_ros.core.pipeline import Outcome, Pipeline
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig

TIMEOUT_S = 0.1

times = st.floats(0.0, 2.0, allow_nan=False)
torques = st.floats(-150.0, 150.0, allow_nan=False)


def device(*joints: str, timeout_s: float = TIMEOUT_S) -> DeviceTorque:
    return DeviceTorque(config=DeviceTorqueConfig(joints=joints or JOINTS, timeout_s=timeout_s))


@pytest.fixture(scope='module')
def outcomes() -> list[Outcome]:
    """Return what the pipeline says of two seconds of swinging, all with an estimate."""
    rng = np.random.default_rng(3)
    weights = {
        name: rng.normal(scale=0.05, size=shape).astype(np.float32)
        for name, shape in expected_shapes(8).items()
    }
    model = Model(weights=weights, hidden=8, rate_hz=100.0, sensors=SENSORS, provenance={})
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Estimator(
            model=model,
            subject=make_subject(mass_kg=70.0, height_m=1.75, sensor_axes='aligned'),
            mounting=aligned_mounting(),
        ),
    )
    found = []
    series = swinging(seconds=2.0)
    for row, time_s in enumerate(series['pelvis'].stamp_s.tolist()):
        for sensor in SENSORS:
            sample = series[sensor].sample[row]
            pipeline.push(sensor=sensor, stamp_s=time_s, sample=sample, arrival_s=time_s)
        found += pipeline.drain(now_s=time_s)
    assert all(outcome.estimate is not None for outcome in found)
    return found


@given(slope=st.floats(-400.0, 400.0), offset=torques, steps=st.lists(st.floats(0.004, 0.09)))
def test_a_steadily_changing_torque_is_read_exactly(
    slope: float, offset: float, steps: list[float]
) -> None:
    stamps = np.cumsum([0.0, *steps])
    values = np.clip(offset + slope * (stamps - stamps.mean()), -499.0, 499.0)
    torque = device()
    for stamp, value in zip(stamps.tolist(), values.tolist(), strict=True):
        torque.push(stamp_s=stamp, torque=dict.fromkeys(JOINTS, value))
    for time_s in np.linspace(0.0, stamps[-1], 40).tolist():
        reading = torque.read(time_s=time_s)
        assert reading.known.all()
        np.testing.assert_allclose(
            reading.torque, np.interp(time_s, stamps, values), rtol=1e-6, atol=1e-6
        )


@given(
    samples=st.lists(st.tuples(times, torques, st.sampled_from(JOINTS)), max_size=40),
    instants=st.lists(times, max_size=20),
    driven=st.sets(st.sampled_from(JOINTS), min_size=1),
)
def test_what_is_read_lies_between_its_neighbours_and_is_never_old(
    samples: list[tuple[float, float, str]], instants: list[float], driven: set[str]
) -> None:
    torque = device(*(joint for joint in JOINTS if joint in driven))
    kept: dict[str, list[tuple[float, float]]] = {joint: [] for joint in JOINTS}
    for stamp, value, joint in samples:
        torque.push(stamp_s=stamp, torque={joint: value})
        newest = kept[joint][-1][0] if kept[joint] else -math.inf
        if stamp > newest:
            kept[joint].append((stamp, value))
        elif newest - stamp > LARGEST_STEP_BACK_S:
            kept[joint] = [(stamp, value)]
    for time_s in sorted(instants):
        reading = torque.read(time_s=time_s)
        assert np.isfinite(reading.torque).all()
        for joint, value, known in zip(JOINTS, reading.torque, reading.known, strict=True):
            before = [each for each in kept[joint] if each[0] <= time_s]
            if joint not in driven:
                assert known
                assert value == 0.0
                continue
            fresh = bool(before) and time_s - before[-1][0] <= TIMEOUT_S
            assert known == fresh
            if not fresh:
                assert value == 0.0
                continue
            after = [each[1] for each in kept[joint] if each[0] > time_s][:1]
            low, high = min([before[-1][1], *after]), max([before[-1][1], *after])
            assert low - 1e-9 <= value <= high + 1e-9


@given(torque_nm=st.lists(torques, min_size=6, max_size=6), row=st.integers(0, 190))
def test_person_and_device_make_the_total(
    torque_nm: list[float], row: int, outcomes: list[Outcome]
) -> None:
    outcome = outcomes[row]
    total = outcome.estimate
    assert total is not None
    torque = device()
    torque.push(stamp_s=total.time_s, torque=dict(zip(JOINTS, torque_nm, strict=True)))
    before = total.effort.copy()
    shared = torque.share(outcome)
    person = shared.estimate
    assert person is not None
    np.testing.assert_allclose(person.effort + torque_nm, before, atol=1e-9)
    np.testing.assert_array_equal(total.effort, before)
    assert shared.status == outcome.status
    for name in ('q', 'qd', 'qdd', 'ground_force', 'sole_wrench', 'residual', 'angle_sigma'):
        np.testing.assert_array_equal(getattr(person, name), getattr(total, name))


def test_an_unknown_torque_is_said_and_its_effort_is_zero(outcomes: list[Outcome]) -> None:
    ok = EstimateStatus(Level.OK, 'estimating')
    total = replace(outcomes[100].estimate, effort_sigma=np.full(6, 2.0))
    outcome = Outcome(outcomes[100].frame, total, ok)
    torque = device('hip_flexion_r', 'knee_angle_r')
    torque.push(stamp_s=total.time_s - 0.01, torque={'hip_flexion_r': 12.0})
    torque.push(stamp_s=total.time_s - TIMEOUT_S - 0.01, torque={'knee_angle_r': 30.0})
    shared = torque.share(outcome)
    person = shared.estimate
    assert person is not None
    assert shared.status.level == Level.WARN
    assert 'torque of the device at knee_angle_r unknown' in shared.status.message
    assert 'hip' not in shared.status.message
    expected = total.effort - [12.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    expected[1] = 0.0
    np.testing.assert_allclose(person.effort, expected)
    np.testing.assert_array_equal(np.isnan(person.effort_sigma), np.arange(6) == 1)
    worse = torque.share(Outcome(outcome.frame, total, EstimateStatus(Level.WARN, 'settling')))
    assert worse.status.message.startswith('settling; torque of the device')


def test_without_an_estimate_nothing_is_shared(outcomes: list[Outcome]) -> None:
    none = Outcome(outcomes[0].frame, None, EstimateStatus(Level.STALE, 'too few sensors'))
    assert device().share(none) is none


def test_a_device_that_never_speaks_takes_the_effort_of_its_joints(
    outcomes: list[Outcome],
) -> None:
    shared = device('ankle_angle_l').share(outcomes[50])
    assert shared.estimate is not None
    assert shared.estimate.effort[5] == 0.0
    np.testing.assert_array_equal(shared.estimate.effort[:5], outcomes[50].estimate.effort[:5])
    assert shared.status.level == Level.WARN


def test_clear_forgets_and_a_clock_put_back_begins_anew() -> None:
    torque = device('knee_angle_l')
    torque.push(stamp_s=10.0, torque={'knee_angle_l': 5.0})
    torque.clear()
    assert torque.read(time_s=10.0).unknown_joints == ('knee_angle_l',)
    for stamp in (10.0, 9.99, 10.0, 3.0, 3.01):
        torque.push(stamp_s=stamp, torque={'knee_angle_l': stamp})
    assert torque.counts.late == 2
    assert torque.counts.steps_back == 1
    reading = torque.read(time_s=3.005)
    assert reading.known.all()
    assert reading.torque[4] == pytest.approx(3.005)


def test_memory_is_bounded() -> None:
    torque = device('knee_angle_l')
    for index in range(10_000):
        torque.push(stamp_s=0.001 * index, torque={'knee_angle_l': 1.0, 'someone_else': 2.0})
    assert sum(len(samples) for samples in torque._samples.values()) < 5000
    assert torque.read(time_s=9.999).known.all()


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf, 1.01 * LARGEST_TORQUE_NM])
def test_an_impossible_torque_is_refused_whole(value: float) -> None:
    torque = device()
    with pytest.raises(DeviceError, match='at hip_flexion_l, expected N m'):
        torque.push(stamp_s=0.0, torque={'knee_angle_r': 1.0, 'hip_flexion_l': value})
    assert not torque.read(time_s=0.0).known.any()


@pytest.mark.parametrize(
    ('joints', 'timeout_s'),
    [(('elbow',), 0.1), ((), 0.1), (('knee_angle_r',) * 2, 0.1), (('knee_angle_r',), 0.0)],
)
def test_a_device_that_cannot_be_is_refused(joints: tuple[str, ...], timeout_s: float) -> None:
    with pytest.raises(DeviceError, match='expected'):
        DeviceTorque(config=DeviceTorqueConfig(joints=joints, timeout_s=timeout_s))
