# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The RViz configuration and the Foxglove layout show what the node publishes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from command_line import run, write_model
from made_recordings import write_trial
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from sspinnpose_ros.core.conventions import JOINTS, SIDES

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

ROOT = Path(__file__).parents[1]
RVIZ = ROOT / 'rviz' / 'sspinnpose.rviz'
LAYOUT = ROOT / 'config' / 'foxglove_layout.json'
LIVE_ONLY = {
    '/diagnostics': 'diagnostic_msgs/msg/DiagnosticArray',
    '/human/markers': 'visualization_msgs/msg/MarkerArray',
}
"""What a node publishes and a recording of `estimate` leaves out."""

KINDS = {
    'RobotModel': 'std_msgs/msg/String',
    'Wrench': 'geometry_msgs/msg/WrenchStamped',
    'Effort': 'sensor_msgs/msg/JointState',
    'MarkerArray': 'visualization_msgs/msg/MarkerArray',
}


def displays(node: Any) -> Iterator[Mapping[str, Any]]:
    for each in node:
        yield each
        yield from displays(each.get('Displays', ()))


@pytest.fixture(scope='module')
def rviz() -> list[Mapping[str, Any]]:
    content = yaml.safe_load(RVIZ.read_text())
    return list(displays(content['Visualization Manager']['Displays']))


@pytest.fixture(scope='module')
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, Any]]:
    """Return type and last message of every topic of an estimated recording."""
    from sspinnpose_ros.cli.main import sspinnpose

    folder = tmp_path_factory.mktemp('viewers')
    write_model(folder / 'model')
    write_trial(folder / 'trial')
    arguments = ('estimate', folder / 'trial', '--model', folder / 'model', '-o', folder / 'OUT')
    sspinnpose.main([str(each) for each in arguments], standalone_mode=False)
    store = get_typestore(Stores.ROS2_JAZZY)
    found: dict[str, tuple[str, Any]] = {}
    with Reader(folder / 'OUT' / 'bag') as reader:
        for connection, _, raw in reader.messages():
            message = store.deserialize_cdr(raw, connection.msgtype)
            found[connection.topic] = (connection.msgtype, message)
    return found


# RViz


def test_rviz_shows_all_that_there_is_to_see(rviz: list[Mapping[str, Any]]) -> None:
    shown = [each['Class'].partition('/')[2] for each in rviz if each['Enabled']]
    for kind, count in (('RobotModel', 1), ('TF', 1), ('Wrench', 2), ('Effort', 1)):
        assert shown.count(kind) == count, kind
    assert shown.count('MarkerArray') == 1
    assert shown.count('Grid') == 1


def test_rviz_topics_are_those_of_the_node(
    rviz: list[Mapping[str, Any]], published: Mapping[str, tuple[str, Any]]
) -> None:
    kinds = {**LIVE_ONLY, **{topic: kind for topic, (kind, _) in published.items()}}
    seen = []
    for each in rviz:
        topic = each.get('Topic') or each.get('Description Topic')
        if topic is None:
            continue
        kind = each['Class'].partition('/')[2]
        assert kinds[topic['Value']] == KINDS[kind], topic
        latched = topic['Value'] == '/robot_description'
        assert topic['Durability Policy'] == ('Transient Local' if latched else 'Volatile')
        seen.append(topic['Value'])
    assert {f'/human/wrench/foot_{side}' for side in SIDES} <= set(seen)
    assert '/human/joint_states' in seen


def test_launch_moves_every_rviz_topic_into_the_namespace(rviz: list[Mapping[str, Any]]) -> None:
    text = (ROOT / 'launch' / 'estimator.launch.py').read_text()
    listed = re.search(r'topics = \[([^\]]+)\]', text)
    assert listed is not None
    moved = {f'/human/{name}' for name in re.findall(r"'([^']+)'", listed.group(1))}
    assert "('/robot_description', 'robot_description')" in text
    used = {
        topic['Value']
        for each in rviz
        if (topic := each.get('Topic') or each.get('Description Topic')) is not None
    }
    assert used == moved | {'/robot_description'}


def test_rviz_follows_the_wearer() -> None:
    manager = yaml.safe_load(RVIZ.read_text())['Visualization Manager']
    assert manager['Global Options']['Fixed Frame'] == 'odom'
    assert manager['Views']['Current']['Target Frame'] == 'pelvis'


# Foxglove


@pytest.fixture(scope='module')
def layout() -> dict[str, Any]:
    return dict(json.loads(LAYOUT.read_text()))


def leaves(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
        return
    assert set(node) == {'direction', 'first', 'second', 'splitPercentage'}
    assert node['direction'] in ('row', 'column')
    assert 0.0 < node['splitPercentage'] < 100.0
    yield from leaves(node['first'])
    yield from leaves(node['second'])


def test_every_panel_of_the_layout_has_a_place(layout: dict[str, Any]) -> None:
    placed = list(leaves(layout['layout']))
    assert sorted(placed) == sorted(layout['configById'])
    kinds = {name.partition('!')[0] for name in placed}
    assert kinds == {
        '3D',
        'Plot',
        'StateTransitions',
        'RawMessages',
        'DiagnosticSummary',
        'DiagnosticStatusPanel',
    }


def value_at(message: Any, path: str) -> Any:
    """Follow fields and indices of a message path."""
    for name, index in re.findall(r'\.(\w+)(?:\[(\d+)\])?', path):
        message = getattr(message, name)
        if index:
            message = message[int(index)]
    return message


def test_every_path_of_the_layout_leads_to_a_value(
    layout: dict[str, Any], published: Mapping[str, tuple[str, Any]]
) -> None:
    plotted = {}
    for name, panel in layout['configById'].items():
        for path in panel.get('paths', ()):
            found = re.fullmatch(r'(/[\w/]+)((?:\.\w+(?:\[\d+\])?)+)(\.@rad2deg)?', path['value'])
            assert found is not None, path
            topic, fields, modifier = found.groups()
            value = value_at(published[topic][1], fields)
            if name.startswith('Plot!'):
                assert np.isfinite(value), path
                plotted[fields if 'joint' in topic else topic] = modifier
    for index, _ in enumerate(JOINTS):
        assert plotted[f'.position[{index}]'] == '.@rad2deg'
        assert plotted[f'.effort[{index}]'] is None
    assert {f'/human/wrench/foot_{side}' for side in SIDES} <= set(plotted)


def test_curves_are_named_and_coloured_by_side(layout: dict[str, Any]) -> None:
    for name, panel in layout['configById'].items():
        if not name.startswith('Plot!') or name == 'Plot!force':
            continue
        joint = name.removeprefix('Plot!').partition('_')[0]
        for path in panel['paths']:
            index = int(re.findall(r'\[(\d+)\]', path['value'])[0])
            assert JOINTS[index].startswith(joint)
            assert JOINTS[index].endswith(path['label'][0])
        assert len({path['color'] for path in panel['paths']}) == 2


def test_the_layout_shows_the_wearer_and_the_diagnostics(
    layout: dict[str, Any], published: Mapping[str, tuple[str, Any]]
) -> None:
    (scene,) = (panel for name, panel in layout['configById'].items() if name.startswith('3D!'))
    (robot,) = (layer for layer in scene['layers'].values() if layer['layerId'] == 'foxglove.Urdf')
    assert published[robot['topic']][0] == 'std_msgs/msg/String'
    assert '<robot' in published[robot['topic']][1].data
    frames = {each.child_frame_id for each in published['/tf'][1].transforms}
    assert scene['followTf'] in frames
    assert set(scene['topics']) <= set(published) | set(LIVE_ONLY)
    for name, panel in layout['configById'].items():
        if name.startswith('Diagnostic'):
            assert panel['topicToRender'] in LIVE_ONLY
        if name.startswith('RawMessages'):
            assert panel['topicPath'] in published


def test_a_recording_of_estimate_is_plain_mcap(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    model, trial = write_model(tmp_path / 'model'), write_trial(tmp_path / 'trial')
    out = tmp_path / 'OUT'
    assert run(monkeypatch, capsys, 'estimate', trial, '--model', model, '-o', out).code == 0
    (file,) = (out / 'bag').glob('*.mcap')
    content = file.read_bytes()
    assert content.startswith(b'\x89MCAP0\r\n')
    assert content.endswith(b'\x89MCAP0\r\n')
    assert b'ros2msg' in content
