# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The groups for diagnostic_aggregator take every entry of /diagnostics, each into one group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of diagnostics runs')

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.recent_values import RecentValues
from sspinnpose_ros.core.stream_timing import StreamTimer
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.ros.device_input import DeviceInput
from sspinnpose_ros.ros.diagnostics import Latency, SensorHealth, diagnostic_array

pytestmark = pytest.mark.ros

FILE = Path(__file__).parents[1] / 'config' / 'diagnostic_analyzers.yaml'


def groups() -> dict[str, dict[str, Any]]:
    parameters = yaml.safe_load(FILE.read_text())['/**']['ros__parameters']
    assert parameters.pop('path')
    return parameters


def groups_of(name: str) -> list[str]:
    """Return the groups that take an entry, by the rule of GenericAnalyzer for `contains`."""
    return [
        group
        for group, given in groups().items()
        if any(part in name for part in given['contains'])
    ]


def published_names(prefix: str) -> list[str]:
    """Return the names that a node puts into /diagnostics."""
    statistics = Synchronizer(sensors=SENSORS, config=SynchronizerConfig()).statistics
    device = DeviceInput(
        joints={'knee_angle_r': ('knee', 1.0)},
        topic='/exo/joint_states',
        timeout_s=0.1,
        now_ns=lambda: 0,
        warn=lambda about, sentence: None,
    )
    message = diagnostic_array(
        prefix=prefix,
        hardware_id='',
        stamp_ns=0,
        status=EstimateStatus(Level.OK, 'estimating'),
        sensors={
            sensor: SensorHealth(
                topic=f'/imu/{sensor}/data_raw',
                timing=StreamTimer().read(now_s=0.0),
                counts=statistics.sensors[sensor],
                refused=0,
                silent=True,
                residual=(0.0, 0.0),
            )
            for sensor in SENSORS
        },
        statistics=statistics,
        latency=Latency(RecentValues(capacity=1), RecentValues(capacity=1)),
        model='default',
        rate_hz=0.0,
        others=[device.diagnose(prefix=prefix, hardware_id='')],
    )
    return [status.name for status in message.status]


@pytest.mark.parametrize('prefix', ['sspinnpose', 'anna/sspinnpose'])
def test_every_entry_has_one_group_and_every_group_entries(prefix: str) -> None:
    names = published_names(prefix)
    assert len(names) == len(set(names)) == len(SENSORS) + 2
    taken = [groups_of(name) for name in names]
    assert all(len(each) == 1 for each in taken), dict(zip(names, taken, strict=True))
    assert {each[0] for each in taken} == set(groups())


def test_groups_are_of_a_type_that_the_aggregator_has() -> None:
    for group, given in groups().items():
        assert given['type'] == 'diagnostic_aggregator/GenericAnalyzer', group
        assert given['path']
        assert isinstance(given['timeout'], float)


def test_entries_of_others_are_left_alone() -> None:
    for name in ('camera: imu pelvis', 'exo: motors', 'sspinnpose_wearer'):
        assert not groups_of(name)
