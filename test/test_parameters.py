# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold the parameter table against the parameter file, the node and the docs of each entry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of parameters runs')

import rclpy
from rclpy.node import Node

from sspinnpose_ros.cli.private_domain import private_domain
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.pipeline import PipelineConfig
from sspinnpose_ros.core.synchronizer import SynchronizerConfig
from sspinnpose_ros.ros.parameters import (
    PARAMETERS,
    ParameterError,
    check_frames,
    chosen_sensors,
    declare_parameters,
    parameter_file,
    read_parameters,
    resolved_topics,
    table_by_name,
    unknown_parameters,
)

pytestmark = pytest.mark.ros

FILE = Path(__file__).parents[1] / 'config' / 'estimator.yaml'


@pytest.fixture(scope='module')
def context() -> Iterator[rclpy.Context]:
    context = rclpy.Context()
    with private_domain() as domain:
        rclpy.init(context=context, domain_id=domain)
        yield context
        rclpy.shutdown(context=context)


def node_with(context: rclpy.Context, *arguments: str) -> Node:
    return Node('probe', context=context, cli_args=['--ros-args', *arguments])


def flat(tree: dict[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', value


def test_the_file_is_the_table() -> None:
    assert FILE.read_text() == parameter_file()
    content = yaml.safe_load(FILE.read_text())['/**']['ros__parameters']
    assert dict(flat(content)) == {p.name: p.default for p in PARAMETERS}
    assert [type(value) for _, value in flat(content)] == [type(p.default) for p in PARAMETERS]


def test_ros_reads_the_file(context: rclpy.Context) -> None:
    node = node_with(context, '--params-file', str(FILE))
    try:
        declare_parameters(node)
        assert read_parameters(node) == {p.name: p.default for p in PARAMETERS}
    finally:
        node.destroy_node()


@pytest.mark.parametrize('parameter', PARAMETERS, ids=lambda p: p.name)
def test_every_parameter_is_described(parameter: Any, context: rclpy.Context) -> None:
    assert parameter.description.endswith('.')
    if parameter.kind == 'double':
        assert '[' in parameter.description
    if parameter.range:
        assert parameter.range[0] <= parameter.default <= parameter.range[1]
    if parameter.choices:
        assert parameter.default in parameter.choices


def test_descriptors_carry_the_table(context: rclpy.Context) -> None:
    node = node_with(context)
    try:
        declare_parameters(node)
        for parameter in PARAMETERS:
            descriptor = node.describe_parameter(parameter.name)
            assert descriptor.description == parameter.description
            assert descriptor.read_only == parameter.read_only
            ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
            seen = [(each.from_value, each.to_value) for each in ranges]
            assert seen == ([parameter.range] if parameter.range else [])
    finally:
        node.destroy_node()


def test_defaults_are_those_of_the_core() -> None:
    table = table_by_name()
    for config in (SynchronizerConfig(), PipelineConfig()):
        for name, value in vars(config).items():
            # The first comes with the model, the second from the word for `stamps`.
            if name not in ('rate_hz', 'stamps_at_arrival'):
                assert table[name].default == value


def test_a_whole_number_will_do_for_a_double(context: rclpy.Context) -> None:
    node = node_with(context, '-p', 'mass_kg:=80')
    try:
        declare_parameters(node)
        assert read_parameters(node)['mass_kg'] == 80.0
    finally:
        node.destroy_node()


@pytest.mark.parametrize(
    'argument', ['mass_kg:=0', 'mass_kg:=1e9', 'min_sensors:=0', 'stamps:=mine', 'model:=[1, 2]']
)
def test_values_out_of_range_are_refused_in_a_sentence(
    argument: str, context: rclpy.Context
) -> None:
    node = node_with(context, '-p', argument)
    try:
        with pytest.raises(ParameterError, match='expected') as caught:
            declare_parameters(node)
        assert argument.split(':')[0] in str(caught.value)
    finally:
        node.destroy_node()


def test_sensors_come_in_the_common_order() -> None:
    assert chosen_sensors(['foot_l', 'pelvis']) == ('pelvis', 'foot_l')
    assert chosen_sensors(list(reversed(SENSORS))) == SENSORS
    for wrong in ([], ['pelvis', 'pelvis'], ['Pelvis']):
        with pytest.raises(ParameterError, match='expected'):
            chosen_sensors(wrong)


def test_a_list_without_entries_is_refused_in_a_sentence(context: rclpy.Context) -> None:
    node = node_with(context, '-p', 'sensors:=[]')
    try:
        with pytest.raises(ParameterError, match='sensors is empty, expected a list'):
            declare_parameters(node)
    finally:
        node.destroy_node()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('-p', 'imu.pelvis.topic:="bad name!"'), "imu.pelvis.topic is 'bad name!', expected"),
        (('-p', 'imu.shank_r.topic:=""'), "imu.shank_r.topic is '', expected a topic"),
        (('-p', 'imu.shank_r.topic:=imu/pelvis/data_raw'), 'pelvis and shank_r are both on'),
        (('-r', 'imu/foot_l/data_raw:=/imu/foot_r/data_raw'), 'foot_r and foot_l are both on'),
    ],
)
def test_topics_that_cannot_be_are_refused(
    arguments: tuple[str, ...], words: str, context: rclpy.Context
) -> None:
    node = node_with(context, *arguments)
    try:
        declare_parameters(node)
        with pytest.raises(ParameterError, match=words):
            resolved_topics(node, read_parameters(node), SENSORS)
    finally:
        node.destroy_node()


def test_topics_are_resolved(context: rclpy.Context) -> None:
    node = node_with(context, '-r', '__ns:=/anna', '-r', 'imu/pelvis/data_raw:=/belt')
    try:
        declare_parameters(node)
        topics = resolved_topics(node, read_parameters(node), SENSORS)
    finally:
        node.destroy_node()
    assert topics['pelvis'] == '/belt'
    assert topics['foot_l'] == '/anna/imu/foot_l/data_raw'


@pytest.mark.parametrize(
    ('name', 'value'),
    [('frame_prefix', 'a b'), ('frame_prefix', '/a'), ('world_frame', ''), ('world_frame', 'a b')],
)
def test_frames_that_cannot_be_are_refused(name: str, value: str) -> None:
    values = {'frame_prefix': 'anna/', 'world_frame': 'odom'}
    check_frames(values)
    check_frames({**values, 'frame_prefix': ''})
    with pytest.raises(ParameterError, match=f'{name} is .* expected a frame name'):
        check_frames({**values, name: value})


def test_a_misspelt_parameter_is_refused_and_a_foreign_one_is_named(
    context: rclpy.Context,
) -> None:
    for argument, near in (('mas_kg:=60.0', 'mass_kg'), ('height:=1.8', 'height_m')):
        node = node_with(context, '-p', argument)
        try:
            declare_parameters(node)
            with pytest.raises(ParameterError, match=f'expected perhaps {near}'):
                unknown_parameters(node)
        finally:
            node.destroy_node()
    node = node_with(context, '-p', 'nosuch:=3', '-p', 'use_sim_time:=false')
    try:
        declare_parameters(node)
        (sentence,) = unknown_parameters(node)
        assert sentence.startswith('There is no parameter nosuch')
    finally:
        node.destroy_node()
