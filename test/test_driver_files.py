# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The parameter files for drivers hold what the nodes take, in any namespace."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of parameters runs')

import rclpy
from geometry_msgs.msg import Vector3
from rclpy.node import Node

from sspinnpose_ros.cli.private_domain import private_domain
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.ros import assist_example, imu_relay
from sspinnpose_ros.ros.device_input import driven_joints
from sspinnpose_ros.ros.parameters import (
    PARAMETERS,
    Parameter,
    check_frames,
    chosen_sensors,
    declare_table,
    read_parameters,
    resolved_topic,
    resolved_topics,
    table_by_name,
    unknown_parameters,
)

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / 'config' / 'drivers').glob('*.yaml'))
TABLES: dict[str, tuple[Parameter, ...]] = {
    'sspinnpose': PARAMETERS,
    'imu_relay': imu_relay.PARAMETERS,
    'assist_example': assist_example.PARAMETERS,
}

each_driver = pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
each_file = pytest.mark.parametrize(
    'path', [*FILES, ROOT / 'config' / 'assist_example.yaml'], ids=lambda path: path.stem
)


@pytest.fixture(scope='module')
def context() -> Iterator[rclpy.Context]:
    context = rclpy.Context()
    with private_domain() as domain:
        rclpy.init(context=context, domain_id=domain)
        yield context
        rclpy.shutdown(context=context)


def sections(path: Path) -> dict[str, dict[str, Any]]:
    """Return the parameters in a file by the node that they are for."""
    content = yaml.safe_load(path.read_text())
    assert all(key.startswith('/**/') for key in content)
    return {key.removeprefix('/**/'): each['ros__parameters'] for key, each in content.items()}


def loaded(
    context: rclpy.Context, path: Path, name: str, namespace: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values that a node of this name has, and the topics that it makes of them."""
    arguments = ['--ros-args', '--params-file', str(path), '-r', f'__ns:={namespace}']
    node = Node(name, context=context, cli_args=arguments)
    try:
        declare_table(node, TABLES[name])
        assert unknown_parameters(node, TABLES[name]) == []
        values = read_parameters(node, TABLES[name])
        topics = {}
        if name == 'sspinnpose':
            check_frames(values)
            driven_joints(values)
            topics = resolved_topics(node, values, chosen_sensors(values['sensors']))
        if name == 'imu_relay':
            topics = {
                sensor: resolved_topic(node, values, name=f'imu.{sensor}.output', example='a/b')
                for sensor in chosen_sensors(values['sensors'])
            }
        return values, topics
    finally:
        node.destroy_node()


@each_file
@pytest.mark.parametrize('namespace', ['/', '/anna'])
def test_the_nodes_take_the_file(path: Path, namespace: str, context: rclpy.Context) -> None:
    found = sections(path)
    assert 'sspinnpose' in found
    for name, given in found.items():
        values, _ = loaded(context, path, name, namespace)
        # A file that did not match the node would leave the defaults.
        for parameter, value in given.items():
            assert values[parameter] == value, parameter


@each_driver
def test_all_sensors_are_heard(path: Path, context: rclpy.Context) -> None:
    _, heard = loaded(context, path, 'sspinnpose', '/')
    assert set(heard) == set(SENSORS)
    found = sections(path)
    if 'imu_relay' in found:
        _, relayed = loaded(context, path, 'imu_relay', '/')
        assert relayed == heard
    else:
        default = table_by_name()
        for sensor in SENSORS:
            name = f'imu.{sensor}.topic'
            assert found['sspinnpose'][name] != default[name].default


@each_driver
def test_the_file_names_its_source_and_is_explained(path: Path) -> None:
    assert re.search(r'^# .*https://', path.read_text(), re.MULTILINE)
    assert f'params_file:={path.name}' in path.read_text() or (
        f'config/drivers/{path.name}' in path.read_text()
    )
    page = (ROOT / 'docs' / 'imu_drivers.md').read_text()
    assert f'`{path.name}`' in page


def test_the_fields_of_the_mtw_driver_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package is not here; the fields are those of its messages in v1.2.0."""

    class IMUData:
        @staticmethod
        def get_fields_and_field_types() -> dict[str, str]:
            return {
                'id': 'string',
                'orientation': 'imu_msgs/Quaternion',
                **dict.fromkeys(
                    ('angular_velocity', 'linear_acceleration', 'magnetic_field'),
                    'geometry_msgs/Vector3',
                ),
            }

    class IMUDataSingle:
        @staticmethod
        def get_fields_and_field_types() -> dict[str, str]:
            return {'timestamp': 'uint64', 'imu_data': 'imu_msgs/IMUData'}

    package, messages = ModuleType('imu_msgs'), ModuleType('imu_msgs.msg')
    messages.__dict__.update(IMUData=IMUData, IMUDataSingle=IMUDataSingle)
    monkeypatch.setitem(sys.modules, 'imu_msgs', package)
    monkeypatch.setitem(sys.modules, 'imu_msgs.msg', messages)
    path = ROOT / 'config' / 'drivers' / 'xsens_mtw.yaml'
    defaults = {each.name: each.default for each in imu_relay.PARAMETERS}
    mapping = imu_relay.mappings({**defaults, **sections(path)['imu_relay']})['foot_l']
    message = SimpleNamespace(
        timestamp=1_700_000_000_123_456_789,
        imu_data=SimpleNamespace(
            linear_acceleration=Vector3(x=1.0, y=2.0, z=3.0),
            angular_velocity=Vector3(x=4.0, y=5.0, z=6.0),
        ),
    )
    assert mapping.sample(message).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert mapping.stamp_ns(message) == 1_700_000_000_123_456_789
