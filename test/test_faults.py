# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Put faults into recorded people's signals: each is named in time, and clean ones raise none."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_recordings import RECORDINGS
from walking_sensors import walk

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.recorded_grid import read_grid
from sspinnpose_ros.bags.recording_calibration import find_mounting
from sspinnpose_ros.bags.trial import find_trial, subject_of
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.errors import SubjectError
from sspinnpose_ros.core.estimate_status import Level
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.fault import ESTIMATE_WRONG, Fault, FaultKind
from sspinnpose_ros.core.fault_watch import FaultWatch
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import Mounting, SensorMounting
from sspinnpose_ros.core.pipeline import LARGEST_RESIDUAL, Outcome, Pipeline
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.evaluation.fault_injection import Injection, Recorded, injections

TRIALS = sorted(path.parent for path in RECORDINGS.glob('*/bag'))
INJECTED = [RECORDINGS / name for name in ('treadmill_walk_b', 'treadmill_stiff_knee_a')]
NOT_FOUND = {
    ('force ends at 2 g', 'treadmill_walk_b'),
    ('rate 2 times, thigh', 'treadmill_stiff_knee_a'),
}
"""Known misses: a range that is hardly reached, and strides that are too irregular to compare."""

PERIOD_S = 0.01
WITHIN_S = 3.0
ONSET = 750
"""Strides of seven seconds come before a fault in use, so that there is something to compare."""

pytestmark = pytest.mark.skipif(not TRIALS, reason=f'no recorded trials in {RECORDINGS}')


@cache
def recorded(folder: Path) -> tuple[Recorded, Estimator]:
    trial = find_trial(folder)
    subject = subject_of(trial)
    with open_imu_bag(trial.bag) as bag:
        mounting = find_mounting(bag, subject=subject, sensors=SENSORS).mounting
        pieces = read_grid(bag, sensors=SENSORS, rate_hz=1.0 / PERIOD_S, longest_s=120.0)
    series = max(pieces, key=lambda piece: len(piece.time_s))
    estimator = Estimator(model=load_model('default'), subject=subject, mounting=mounting)
    return Recorded(series.acceleration, series.angular_rate, mounting, PERIOD_S), estimator


def watch(
    acceleration: np.ndarray,
    rate: np.ndarray,
    *,
    estimator: Any,
    present: np.ndarray | None = None,
) -> list[tuple[int, Fault]]:
    """Return each fault with the frame at which it was first believed."""
    watching = FaultWatch(rate_hz=1.0 / PERIOD_S)
    there = np.ones(acceleration.shape[:2], dtype=bool) if present is None else present
    imu = np.concatenate([acceleration, rate], axis=-1) * there[..., None]
    found: dict[str, tuple[int, Fault]] = {}
    for number, values in enumerate(imu):
        frame = Frame(time_s=PERIOD_S * number, imu=values, present=there[number])
        watching.note(frame, estimator=estimator)
        for fault in watching.faults:
            found.setdefault(fault.label, (number, fault))
    return list(found.values())


@pytest.mark.parametrize('bits', [10, 12, 16])
@pytest.mark.parametrize('folder', INJECTED, ids=lambda folder: folder.name)
def test_coarse_sensors_do_not_count_as_saturated(folder: Path, bits: int) -> None:
    """Ranges of 16 g and 2000 deg/s, of which nobody reaches the end."""
    person, estimator = recorded(folder)
    step = 16.0 * GRAVITY / 2.0 ** (bits - 1), np.deg2rad(2000.0) / 2.0 ** (bits - 1)
    force, rate = (
        size * np.round(values[:2500] / size)
        for size, values in zip(step, (person.acceleration, person.angular_rate), strict=True)
    )
    found = watch(force, rate, estimator=estimator)
    assert not [fault.sentence for _, fault in found if fault.kind == FaultKind.SATURATED]
    end = round(np.deg2rad(125.0) / step[1]) * step[1]
    row = SENSORS.index('shank_l')
    rate[:, row] = np.clip(rate[:, row], -end, end)
    labels = [fault.label for _, fault in watch(force, rate, estimator=estimator)]
    assert 'saturated shank_l' in labels


@pytest.mark.parametrize('folder', TRIALS, ids=lambda folder: folder.name)
def test_clean_recordings_raise_no_alarm(folder: Path) -> None:
    signals, estimator = recorded(folder)
    assert watch(signals.acceleration, signals.angular_rate, estimator=estimator) == []


def cases() -> list[Any]:
    return [
        pytest.param(injection, in_use, id=f'{injection.name}{", in use" if in_use else ""}')
        for injection in injections()
        for in_use in (False, True)
        if (injection.in_use if in_use else injection.from_start)
    ]


def first_change(signals: Recorded, spoilt: tuple[np.ndarray, np.ndarray], *, piece: slice) -> int:
    """Return the first frame that the fault changes: a range may end above all but the impacts."""
    clean = (signals.acceleration[piece], signals.angular_rate[piece])
    changed = [(a != b).any((1, 2)) for a, b in zip(clean, spoilt, strict=True)]
    return int(np.flatnonzero(changed[0] | changed[1])[0])


@pytest.mark.parametrize(('injection', 'in_use'), cases())
def test_a_fault_is_named_within_three_seconds(injection: Injection, in_use: bool) -> None:
    for folder in INJECTED:
        if (injection.name, folder.name) in NOT_FOUND:
            continue
        signals, estimator = recorded(folder)
        onset = ONSET if in_use else 0
        within = round(WITHIN_S / PERIOD_S)
        piece = slice(800, 800 + onset + 2 * within)
        spoilt = injection.apply(
            Recorded(
                signals.acceleration[piece],
                signals.angular_rate[piece],
                signals.mounting,
                PERIOD_S,
            ),
            begin=onset,
        )
        end = first_change(signals, spoilt, piece=piece) + within
        found = watch(*(values[:end] for values in spoilt), estimator=estimator)
        assert any(
            fault.kind in injection.kinds and set(fault.sensors) & set(injection.sensors)
            for number, fault in found
            if number >= onset
        ), (folder.name, [fault.label for _, fault in found])
        for _, fault in found:
            assert len(fault.sentence.split(';')) == 2, fault.sentence
            assert 'expected' in fault.sentence
            assert fault.sentence.endswith('.')


@pytest.mark.parametrize('folder', INJECTED, ids=lambda folder: folder.name)
def test_lost_samples_and_silent_sensors_are_no_faults(folder: Path) -> None:
    signals, estimator = recorded(folder)
    random = np.random.default_rng(1)
    piece = slice(0, 2500)
    present = random.random((2500, len(SENSORS))) > 0.02
    for row in range(len(SENSORS)):
        begin = int(random.integers(0, 2000))
        present[begin : begin + 300, row] = False
    assert (
        watch(
            signals.acceleration[piece],
            signals.angular_rate[piece],
            estimator=estimator,
            present=present,
        )
        == []
    )


@pytest.mark.parametrize('worn', [('pelvis', 'shank_r', 'shank_l'), SENSORS[1:]])
def test_fewer_sensors_raise_no_alarm(worn: tuple[str, ...]) -> None:
    signals, estimator = recorded(INJECTED[0])
    mounting = Mounting(sensors={name: signals.mounting.sensors[name] for name in worn})
    fewer = Estimator(model=estimator.model, subject=estimator.subject, mounting=mounting)
    present = np.tile(np.isin(SENSORS, worn), (1500, 1))
    piece = slice(500, 2000)
    assert (
        watch(
            signals.acceleration[piece],
            signals.angular_rate[piece],
            estimator=fewer,
            present=present,
        )
        == []
    )


def test_units_are_named_without_a_calibration() -> None:
    signals, _ = recorded(INJECTED[0])
    piece = slice(800, 1100)
    rate = signals.angular_rate[piece].copy()
    rate[:, 3] *= 180.0 / np.pi
    found = watch(signals.acceleration[piece], rate, estimator=None)
    assert [fault.label for _, fault in found] == ['unit_deg_s foot_r']


def test_values_that_no_sensor_has_are_named() -> None:
    signals, estimator = recorded(INJECTED[0])
    acceleration = signals.acceleration[:300].copy()
    acceleration[200, 4, 1] = 1e200
    ((_, fault),) = watch(acceleration, signals.angular_rate[:300], estimator=estimator)
    assert fault.label == 'absurd_value thigh_l'


def outcomes(acceleration: np.ndarray, rate: np.ndarray, *, estimator: Estimator) -> list[Outcome]:
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=estimator,
    )
    found = []
    for number, (forces, rates) in enumerate(zip(acceleration, rate, strict=True)):
        for row, sensor in enumerate(SENSORS):
            pipeline.push(
                sensor=sensor,
                stamp_s=PERIOD_S * number,
                sample=np.concatenate([forces[row], rates[row]]),
                arrival_s=PERIOD_S * number,
            )
        found += pipeline.drain(now_s=PERIOD_S * number)
    return found


def test_a_grave_fault_stops_the_estimates_until_it_is_gone() -> None:
    signals, estimator = recorded(INJECTED[0])
    acceleration = signals.acceleration[800:2000].copy()
    rate = signals.angular_rate[800:2000]
    acceleration[300:600, 2] /= 9.81
    found = outcomes(acceleration, rate, estimator=estimator)
    grave = [one for one in found if one.status.level == Level.ERROR]
    assert {one.status.faults for one in grave} == {('unit_g shank_r',)}
    assert all(one.estimate is None for one in grave)
    assert 3.0 < grave[0].frame.time_s < 6.0 < grave[-1].frame.time_s < 9.0
    assert found[-1].status == found[200].status
    assert found[-1].status.level == Level.OK


@pytest.mark.parametrize('kind', [FaultKind.SWAPPED, FaultKind.UNIT_DEG_S])
def test_standing_still_makes_no_grave_fault_good(kind: FaultKind) -> None:
    """Sensors that were seen to be swapped are so until steps say otherwise, not until a halt."""
    person, estimator = recorded(INJECTED[0])
    good = np.concatenate([person.acceleration, person.angular_rate], axis=-1)[:1000]
    bad = good.copy()
    left, right = SENSORS.index('shank_l'), SENSORS.index('shank_r')
    if kind == FaultKind.SWAPPED:
        bad[:, [left, right]] = bad[:, [right, left]]
    else:
        bad[:, left, 3:] = np.rad2deg(bad[:, left, 3:])
    rest = bad[-300:].mean(0)
    rest[:, 3:] = 0.0
    noise = 0.03 * np.random.default_rng(0).normal(size=(400, 7, 6))
    imu = np.concatenate([bad, rest + noise, good])
    watching = FaultWatch(rate_hz=1.0 / PERIOD_S)
    believed = []
    for number, values in enumerate(imu):
        there = np.ones(len(SENSORS), dtype=bool)
        frame = Frame(time_s=PERIOD_S * number, imu=values, present=there)
        watching.note(frame, estimator=estimator)
        believed.append(any(fault.kind == kind for fault in watching.faults))
    first = believed.index(True)
    assert first < len(bad)
    assert all(believed[first : len(bad) + len(noise)])
    assert not any(believed[-300:])


def test_a_slight_fault_marks_the_estimates() -> None:
    signals, estimator = recorded(INJECTED[0])
    acceleration = signals.acceleration[800:1400].copy()
    acceleration[200:, 5] *= 1.3
    last = outcomes(acceleration, signals.angular_rate[800:1400], estimator=estimator)[-1]
    assert last.estimate is not None
    assert last.status.level == Level.WARN
    assert last.status.faults == ('force_gain shank_l',)
    assert 'shank_l reads 1.' in last.status.message


def test_a_sensor_that_hangs_is_named_while_the_rest_goes_on() -> None:
    signals, estimator = recorded(INJECTED[0])
    acceleration = signals.acceleration[800:1400].copy()
    rate = signals.angular_rate[800:1400].copy()
    acceleration[200:, 6], rate[200:, 6] = acceleration[200, 6], rate[200, 6]
    found = outcomes(acceleration, rate, estimator=estimator)
    first = next(one for one in found if 'stuck foot_l' in one.status.faults)
    assert first.frame.time_s < 2.0 + WITHIN_S
    assert found[-1].estimate is not None
    assert found[-1].status.missing == ('foot_l',)


@pytest.mark.parametrize('folder', TRIALS, ids=lambda folder: folder.name)
def test_the_model_explains_clean_recordings_by_far(folder: Path) -> None:
    """A new model that explains people worse would raise alarms: it must leave room."""
    signals, estimator = recorded(folder)
    piece = slice(800, 1600)
    found = outcomes(signals.acceleration[piece], signals.angular_rate[piece], estimator=estimator)
    residual = np.stack([one.estimate.residual for one in found if one.estimate is not None])
    square = np.stack([(residual[..., :2] ** 2).sum(-1), residual[..., 2] ** 2], -1)
    assert len(square) == len(found)
    seconds = square[200:].reshape(-1, 100, *square.shape[1:]).mean(1)
    assert (np.sqrt(seconds) < 0.8 * LARGEST_RESIDUAL).all()
    assert all(not one.status.faults for one in found)


def test_a_walker_of_curves_is_believed_if_the_pelvis_is_pushed_from_the_standing_leg() -> None:
    worn = walk(seconds=20.0, standing_s=3.0)
    mounting = Mounting(sensors={name: SensorMounting(rotation=np.eye(3)) for name in SENSORS})
    estimator = Estimator(
        model=load_model('default'),
        subject=make_subject(mass_kg=75.0, height_m=1.75),
        mounting=mounting,
    )
    # These curves sway over the leg that swings, of which anyone would fall.
    ((_, fault),) = watch(worn.acceleration, worn.angular_rate, estimator=estimator)
    assert fault.kind == FaultKind.LEGS_SWAPPED
    other = worn.acceleration * np.where(np.arange(3) == 1, -1.0, 1.0)
    assert watch(other, worn.angular_rate, estimator=estimator) == []


def test_grave_faults_are_errors_and_others_warnings() -> None:
    for kind in FaultKind:
        fault = Fault(kind=kind, sensors=('pelvis',), sentence='')
        assert fault.level == (Level.ERROR if kind in ESTIMATE_WRONG else Level.WARN)


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ({'mass_kg': 165.0, 'height_m': 1.1}, 'kg/m'),
        ({'mass_kg': 12.0, 'height_m': 1.75}, 'kg/m'),
        (
            {
                'mass_kg': 70.0,
                'height_m': 1.2,
                'segment_length_m': {'thigh': 0.43, 'shank': 0.43},
            },
            'Thigh and shank',
        ),
    ],
)
def test_mass_and_height_of_nobody_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SubjectError, match=said):
        make_subject(**given)
