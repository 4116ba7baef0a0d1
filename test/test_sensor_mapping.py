# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say once which sensor is on which topic, in the parameter file of the node."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('rosbags')

from command_line import run, write_model
from hypothesis import given
from hypothesis import strategies as st
from made_recordings import swinging, write_trial

from sspinnpose_ros.bags.sensor_mapping import (
    SensorMapping,
    load_mapping,
    mapping_text,
    save_mapping,
)
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import MappingError, OutputError

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

SHIPPED = Path(__file__).parents[1] / 'config' / 'estimator.yaml'
ODD = {sensor: f'/mti_{row}/imu' for row, sensor in enumerate(SENSORS)}


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_shipped_parameter_file_says_the_defaults() -> None:
    mapping = load_mapping(SHIPPED)
    assert mapping.topics == {sensor: f'imu/{sensor}/data_raw' for sensor in SENSORS}
    assert mapping.sensors == SENSORS
    assert mapping.time_offset_s == {}


@given(
    st.dictionaries(
        st.sampled_from(SENSORS),
        st.from_regex(r'/[a-zA-Z0-9_~{}\' ]{1,20}', fullmatch=True).filter(lambda t: t.strip('/')),
        min_size=1,
    ).filter(lambda topics: len(set(topics.values())) == len(topics)),
    st.dictionaries(st.sampled_from(SENSORS), st.floats(-3600, 3600).filter(bool)),
    st.booleans(),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    topics: dict[str, str],
    offsets: dict[str, float],
    at_arrival: bool,
) -> None:
    mapping = SensorMapping(
        topics=topics,
        time_offset_s=offsets,
        sensors=tuple(s for s in SENSORS if s in topics),
        stamps_at_arrival=at_arrival,
    )
    path = tmp_path_factory.mktemp('mapping') / 'mapping.yaml'
    save_mapping(path, mapping, remarks=['a note', 'of two\nlines: [ {'])
    assert load_mapping(path) == mapping
    with pytest.raises(OutputError):
        save_mapping(path, mapping)


@pytest.mark.parametrize(
    'text',
    [
        '/**:\n  ros__parameters:\n    imu.pelvis.topic: /a\n',
        '/**:\n  ros__parameters:\n    imu: {pelvis: {topic: /a}}\n',
        'sspinnpose:\n  ros__parameters: {imu.pelvis.topic: /a, mass_kg: 70.0}\n',
        '/left/sspinnpose:\n  ros__parameters: {imu.pelvis.topic: /a}\n',
        'left:\n  sspinnpose:\n    ros__parameters: {imu.pelvis.topic: /a}\n',
        'sspinnpose:\n  ros__parameters: {imu.pelvis.topic: /a}\n'
        '/**:\n  ros__parameters: {imu.pelvis.topic: /b}\n',
        'camera:\n  ros__parameters: {imu.pelvis.topic: /b}\n'
        '/**:\n  ros__parameters: {imu.pelvis.topic: /a}\n',
    ],
)
def test_every_way_to_write_parameters_is_read(tmp_path: Path, text: str) -> None:
    assert load_mapping(written(tmp_path / 'p.yaml', text)).topics == {'pelvis': '/a'}


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('a: [', 'is not YAML'),
        ('pelvis: /a\n', 'no ros__parameters'),
        ('camera:\n  ros__parameters: {imu.pelvis.topic: /a}\n', 'no ros__parameters'),
        ('/**:\n  ros__parameters: {imu.plvis.topic: /a}\n', r"'imu\.plvis\.topic'.*pelvis"),
        ('/**:\n  ros__parameters: {imu.pelvis.topic: 3}\n', r'imu\.pelvis\.topic .* is 3'),
        ('/**:\n  ros__parameters: {imu.pelvis.topic: /}\n', 'name of a topic'),
        ('/**:\n  ros__parameters: {stamps: mine}\n', "stamps .* is 'mine'"),
        ('/**:\n  ros__parameters: {sensors: [wrist]}\n', r"\['wrist'\]"),
        ('/**:\n  ros__parameters: {imu.pelvis.time_offset_s: .nan}\n', 'is nan'),
        ('/**:\n  ros__parameters: {imu: {pelvis: {time_offset_s: true}}}\n', 'is True'),
        (
            '/**:\n  ros__parameters: {imu.pelvis.topic: /a, imu.foot_r.topic: a}\n',
            'pelvis and foot_r both',
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(MappingError, match=words) as caught:
        load_mapping(written(tmp_path / 'p.yaml', text))
    assert 'expected' in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match='No such file'):
        load_mapping(tmp_path / 'nowhere.yaml')


def test_one_file_serves_every_command(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    model = write_model(tmp_path / 'model')
    series = swinging(seconds=2.0)
    trial = write_trial(tmp_path / 'trial', series=series, topics=ODD)
    file = tmp_path / 'mapping.yaml'
    save_mapping(file, SensorMapping(topics=ODD))
    command = ('estimate', trial, '--model', model, '-o', tmp_path / 'out')
    assert 'no messages of pelvis' in run(monkeypatch, capsys, *command).err
    done = run(monkeypatch, capsys, *command, '--mapping', file)
    assert done.code == 0, done.err
    # What is given beside it goes first.
    save_mapping(file, SensorMapping(topics={**ODD, 'pelvis': '/nowhere'}), overwrite=True)
    assert run(monkeypatch, capsys, *command, '--overwrite', '--mapping', file).code == 2
    more = ('--overwrite', '--mapping', file, '--topic', f'pelvis={ODD["pelvis"]}')
    assert run(monkeypatch, capsys, *command, *more).code == 0
    for name in ('calibrate', 'locate-sensors', 'train'):
        output = ('-o', tmp_path / name)
        done = run(monkeypatch, capsys, name, trial, *output, '--mapping', tmp_path / 'none')
        assert done.code == 2
        assert 'none cannot be read' in done.err


def test_sensors_of_the_mapping_are_those_that_are_worn(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    model = write_model(tmp_path / 'model')
    worn = ('pelvis', 'shank_r', 'shank_l')
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=2.0, sensors=worn))
    file = tmp_path / 'mapping.yaml'
    save_mapping(file, SensorMapping(sensors=worn))
    command = ('estimate', trial, '--model', model, '-o', tmp_path / 'out', '--mapping', file)
    done = run(monkeypatch, capsys, *command)
    assert done.code == 0, done.err
    done = run(monkeypatch, capsys, *command, '--overwrite', '--sensors', 'pelvis,foot_r,foot_l')
    assert 'no messages of foot_r, foot_l' in done.err


def test_a_relative_topic_may_have_any_namespace(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    model = write_model(tmp_path / 'model')
    topics = {sensor: f'/robot_1/imu/{sensor}/data_raw' for sensor in SENSORS}
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=2.0), topics=topics)
    command = ('estimate', trial, '--model', model, '-o', tmp_path / 'out', '--mapping', SHIPPED)
    done = run(monkeypatch, capsys, *command)
    assert done.code == 0, done.err


@pytest.mark.ros
def test_the_node_reads_what_is_written(tmp_path: Path) -> None:
    rclpy = pytest.importorskip('rclpy')
    from rclpy.node import Node

    from sspinnpose_ros.cli.private_domain import private_domain
    from sspinnpose_ros.ros.parameters import declare_parameters, read_parameters

    odd = {**ODD, 'foot_l': "/it's/imu"}
    mapping = SensorMapping(
        topics=odd,
        time_offset_s={'pelvis': -0.02},
        sensors=SENSORS[:4],
        stamps_at_arrival=True,
    )
    file = written(tmp_path / 'p.yaml', mapping_text(mapping, remarks=['note: [']))
    context = rclpy.Context()
    with private_domain() as domain:
        rclpy.init(context=context, domain_id=domain)
        arguments = ['--ros-args', '--params-file', str(file)]
        node = Node('sspinnpose', context=context, cli_args=arguments)
        try:
            declare_parameters(node)
            values = read_parameters(node)
        finally:
            node.destroy_node()
            rclpy.shutdown(context=context)
    assert {sensor: values[f'imu.{sensor}.topic'] for sensor in SENSORS} == odd
    assert values['imu.pelvis.time_offset_s'] == -0.02
    assert values['sensors'] == list(SENSORS[:4])
    assert values['stamps'] == 'arrival'
