# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sensors that sit otherwise than their mounting says are named; walking people never are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run, write_model
from made_recordings import swinging, write_trial
from walking_sensors import walk

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.mounting import Mounting, SensorMounting, aligned_mounting
from sspinnpose_ros.core.upright import check_upright

WALKER = Mounting(sensors={name: SensorMounting(rotation=np.eye(3)) for name in SENSORS})
"""The walker's signals come in segment axes."""

UPSIDE_DOWN = [1.0, -1.0, -1.0, 1.0, -1.0, -1.0]
INVERTED_FORCE = [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]


def faults(acceleration: np.ndarray, angular_rate: np.ndarray) -> list[str]:
    return check_upright(
        time_s=0.01 * np.arange(len(acceleration)),
        acceleration=acceleration,
        angular_rate=angular_rate,
        sensors=SENSORS,
        present=np.ones(acceleration.shape[:2], dtype=bool),
        mounting=WALKER,
    )


@pytest.mark.parametrize('sensor', SENSORS)
@pytest.mark.parametrize(
    'turn',
    [np.diag([1.0, -1.0, -1.0]), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])],
    ids=['upside down', 'on its side'],
)
def test_a_turned_sensor_of_a_walker_is_named(sensor: str, turn: np.ndarray) -> None:
    worn = walk(seconds=6.0)
    assert faults(worn.acceleration, worn.angular_rate) == []
    column = SENSORS.index(sensor)
    acceleration, rate = worn.acceleration.copy(), worn.angular_rate.copy()
    acceleration[:, column] = acceleration[:, column] @ turn.T
    rate[:, column] = rate[:, column] @ turn.T
    (sentence,) = faults(acceleration, rate)
    assert sentence.startswith(f'{sensor} measures a mean force')


def test_a_sitting_wearer_is_not_upside_down() -> None:
    force = np.zeros((300, len(SENSORS), 3))
    force[..., 2] = 9.81
    for sensor in ('thigh_r', 'thigh_l'):
        force[:, SENSORS.index(sensor)] = [9.81, 0.0, 0.0]
    assert faults(force, np.zeros_like(force)) == []


def test_sensors_without_mounting_and_short_pieces_tell_nothing() -> None:
    worn = walk(seconds=6.0)
    arguments: dict[str, Any] = {'time_s': worn.time_s, 'sensors': SENSORS}
    arguments['present'] = np.ones(worn.acceleration.shape[:2], dtype=bool)
    arguments |= {'acceleration': -worn.acceleration, 'angular_rate': worn.angular_rate}
    assert len(check_upright(**arguments, mounting=WALKER)) == len(SENSORS)
    assert len(check_upright(**arguments, mounting=aligned_mounting(('pelvis',)))) == 1
    assert check_upright(**arguments, mounting=Mounting(sensors={})) == []
    assert faults(-worn.acceleration[:100], worn.angular_rate[:100]) == []


@pytest.mark.parametrize('factor', [UPSIDE_DOWN, INVERTED_FORCE], ids=['upside down', 'inverted'])
def test_estimate_refuses_an_aligned_sensor_that_hangs(
    factor: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    series = swinging()
    series['thigh_l'] = replace(series['thigh_l'], sample=series['thigh_l'].sample * factor)
    trial = write_trial(tmp_path / 'trial', series=series)
    model = write_model(tmp_path / 'model')
    done = run(monkeypatch, capsys, 'estimate', trial, '--model', model, '-o', tmp_path / 'out')
    assert done.code == 2, done
    assert re.search('thigh_l measures a mean force 1(79|80) degrees', done.err)
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / 'out').exists()
