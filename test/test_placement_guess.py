# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Guess where unnamed sensors sit: on a made walker, and on recorded ones where they are."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_recordings import RECORDINGS
from walking_sensors import Worn, random_rotation, walk

from sspinnpose_ros.core.conventions import SENSOR_SETS, SENSORS
from sspinnpose_ros.core.placement_guess import (
    FAIR,
    HIGH,
    LOW,
    NONE,
    PlacementGuess,
    guess_placement,
)

STEP_S = 0.01
TRIALS = (
    'overground_run_p1',
    'overground_walk_p1',
    'treadmill_run_35_virtual',
    'treadmill_stiff_knee_b',
    'treadmill_walk_d',
)


@lru_cache
def walker(sway_m: float = -0.03) -> Worn:
    return walk(sway_m=sway_m)


def guess(worn: Worn, sensors: tuple[str, ...]) -> PlacementGuess:
    rows = [SENSORS.index(sensor) for sensor in sensors]
    return guess_placement(
        acceleration=worn.acceleration[:, rows],
        angular_rate=worn.angular_rate[:, rows],
        step_s=STEP_S,
    )


def named(found: PlacementGuess) -> list[str | None]:
    """Return the names that a guess gives, sides included."""
    side = {found.right_leg: 'r', None: None}
    return [
        part if leg is None else f'{part}_{side.get(leg, "l")}'
        for part, leg in zip(found.part, found.leg, strict=True)
    ]


@settings(max_examples=6, deadline=None)
@given(st.permutations(SENSORS), st.integers(0, 2**31))
def test_sensors_in_any_order_and_turned_in_any_way_are_found(order: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    worn = walker()
    turns = np.stack([random_rotation(rng) for _ in SENSORS])
    found = guess(
        replace(
            worn,
            acceleration=np.einsum('sij,tsj->tsi', turns, worn.acceleration),
            angular_rate=np.einsum('sij,tsj->tsi', turns, worn.angular_rate),
        ),
        tuple(order),
    )
    assert named(found) == order
    assert found.part_confidence == HIGH
    assert found.stride_s == pytest.approx(1.1, abs=0.02)


def test_a_pelvis_that_is_pushed_the_other_way_exchanges_the_sides() -> None:
    found = guess(walker(sway_m=0.03), SENSORS)
    assert ''.join(str(name)[-1] for name in named(found)[1:]) == 'lllrrr'


def test_without_a_pelvis_no_side_is_told() -> None:
    found = guess(walker(), SENSORS[1:])
    assert found.part == ('thigh', 'shank', 'foot') * 2
    assert found.leg == (0, 0, 0, 1, 1, 1)
    assert found.right_leg is None


@pytest.mark.parametrize(
    ('name', 'confidence'),
    [('feet+shanks', FAIR), ('thighs+shanks', FAIR), ('feet+thighs', LOW), ('shanks+pelvis', LOW)],
)
def test_fewer_sensors_are_guessed_with_less_confidence(name: str, confidence: str) -> None:
    sensors = SENSOR_SETS[name]
    found = guess(walker(), sensors)
    assert found.part == tuple(sensor.split('_')[0] for sensor in sensors)
    sides = [sensor[-1] for sensor in sensors if sensor != 'pelvis']
    legs = [leg for leg in found.leg if leg is not None]
    assert [side == sides[0] for side in sides] == [leg == legs[0] for leg in legs]
    assert found.part_confidence == confidence
    assert found.right_leg is None


def test_a_sensor_that_nobody_wears_is_left_out() -> None:
    worn = walker()
    lying = np.tile([0.0, 0.0, 9.81], (len(worn.time_s), 1, 1))
    found = guess_placement(
        acceleration=np.concatenate([lying, worn.acceleration], 1),
        angular_rate=np.concatenate([0.0 * lying, worn.angular_rate], 1),
        step_s=STEP_S,
    )
    assert found.part[0] is None
    assert found.part[1:] == tuple(sensor.split('_')[0] for sensor in SENSORS)


def test_standing_tells_nothing() -> None:
    rng = np.random.default_rng(0)
    rate = rng.normal(scale=0.02, size=(1000, 7, 3))
    found = guess_placement(acceleration=rate + 5.6, angular_rate=rate, step_s=STEP_S)
    assert found.part == (None,) * 7
    assert found.part_confidence == NONE
    assert 'Nobody walks' in found.sentences[0]


def test_a_crowd_of_sensors_is_not_guessed() -> None:
    worn = walker()
    found = guess_placement(
        acceleration=np.concatenate([worn.acceleration] * 2, 1),
        angular_rate=np.concatenate([worn.angular_rate] * 2, 1),
        step_s=STEP_S,
    )
    assert found.part == (None,) * 14
    assert '14 sensors move with the wearer' in found.sentences[0]


@pytest.mark.skipif(not RECORDINGS.exists(), reason=f'{RECORDINGS} is not there')
@pytest.mark.parametrize('name', TRIALS)
def test_recorded_people_are_understood_without_names(name: str) -> None:
    pytest.importorskip('rosbags')
    from sspinnpose_ros.bags.imu_survey import survey_imus
    from sspinnpose_ros.bags.recording_info import describe_survey

    script = benchmark()
    hidden, truth = script.without_names(
        survey_imus(RECORDINGS / name / 'bag'), rng=np.random.default_rng(3)
    )
    score = script.score(describe_survey(hidden).proposal, truth)
    assert score.parts == score.sensors
    assert score.legs
    assert score.confidence == HIGH
    assert score.sides == ('not told' if 'run' in name else 'right')


def benchmark() -> ModuleType:
    path = Path(__file__).parents[1] / 'benchmarks' / 'placement.py'
    spec = importlib.util.spec_from_file_location('placement', path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules['placement'] = module
    spec.loader.exec_module(module)
    return module
