# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the examples of the docs that need ROS, as far as this package alone can run them."""

from __future__ import annotations

import re
import shlex
import signal
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from command_line import run
from geometry_msgs.msg import AccelStamped
from node_process import PATIENCE_S, NodeProcess, Wearer, ros_process
from std_msgs.msg import Float64MultiArray

from sspinnpose_ros.cli import simulate
from sspinnpose_ros.core.conventions import JOINTS
from sspinnpose_ros.core.model_file import default_model_path
from sspinnpose_ros.ros.field_path import FieldError, end_type, parse_path

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[1]
SHARE = '$(ros2 pkg prefix --share sspinnpose_ros)'
MODULES = {'estimator': 'estimator_node'}
FENCE = re.compile(r'^```(\w+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def blocks(page: str, kind: str) -> list[str]:
    text = (ROOT / 'docs' / page).read_text()
    return [block for each, block in FENCE.findall(text) if each == kind]


def commands(page: str, start: str) -> list[list[str]]:
    """Return the words of every command of a page that begins so, without that beginning."""
    lines = [
        line
        for block in blocks(page, 'bash')
        for line in block.replace('\\\n', ' ').replace(SHARE, str(ROOT)).splitlines()
    ]
    found = [shlex.split(line) for line in lines if line.startswith(f'{start} ')]
    return [words[len(start.split()) :] for words in found]


@pytest.mark.slow
@pytest.mark.skipif(not default_model_path().exists(), reason='no model is shipped here')
def test_the_controller_example_assists_and_lets_go(
    domain: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = partial(simulate.SimulationConfig, iterations=100)
    monkeypatch.setattr(simulate, 'SimulationConfig', quick)
    for line in blocks('controllers.md', 'sh')[0].splitlines():
        assert run(monkeypatch, capsys, *shlex.split(line)[1:]).code == 0
    started: dict[str, NodeProcess] = {}
    with ExitStack() as stack:
        for name, mark, *words in commands('controllers.md', 'ros2 run sspinnpose_ros'):
            assert mark == '--ros-args'
            process = ros_process(MODULES.get(name, name), domain, {}, *words, folder=tmp_path)
            started[name] = stack.enter_context(process)
        assert list(started) == ['demo_wearer', 'estimator', 'assist_example']
        wearer = stack.enter_context(closing(Wearer(domain)))
        wearer.listen('exo/torque_command', Float64MultiArray, 100)
        told = wearer.received['exo/torque_command']
        wearer.wait_for(lambda: told and max(map(abs, told[-1].data)) > 0.5, 'the assistance')
        started['estimator'].process.send_signal(signal.SIGKILL)
        started['estimator'].process.wait(timeout=PATIENCE_S)
        wearer.wait_for(lambda: not any(told[-1].data), 'the end of the assistance')
        wearer.spin(0.5)
        assert list(told[-1].data) == [0.0, 0.0]
    for name, process in started.items():
        assert 'Traceback' not in process.log, f'{name}: {process.log}'


def test_the_relay_example_starts(domain: int, tmp_path: Path) -> None:
    (text,) = blocks('imu_drivers.md', 'yaml')
    (tmp_path / 'relay.yaml').write_text(text)
    ((name, mark, *words),) = commands('imu_drivers.md', 'ros2 run sspinnpose_ros')
    assert (name, mark) == ('imu_relay', '--ros-args')
    with closing(Wearer(domain)) as wearer:
        publisher = wearer.node.create_publisher(AccelStamped, '/strap_3', 10)
        with ros_process(name, domain, {}, *words, folder=tmp_path) as relay:
            wearer.wait_for(publisher.get_subscription_count, 'the relay')
    assert relay.process.returncode == 0, relay.log
    assert 'WARN' not in relay.log


def test_the_sentence_about_a_field_is_real() -> None:
    with pytest.raises(FieldError) as caught:
        end_type(parse_path('accel.liner.x'), message=AccelStamped)
    assert f'`{caught.value}`' in (ROOT / 'docs' / 'imu_drivers.md').read_text()


def test_the_shares_of_device_and_person_are_those_of_the_file() -> None:
    shipped = yaml.safe_load((ROOT / 'config' / 'assist_example.yaml').read_text())
    shown = yaml.safe_load(blocks('controllers.md', 'yaml')[0])
    assert shown.keys() == shipped.keys()
    for node, content in shown.items():
        given = shipped[node]['ros__parameters']
        assert content['ros__parameters'].items() <= given.items()


def test_the_controllers_of_ros2_control_fit_the_command() -> None:
    shipped = yaml.safe_load((ROOT / 'config' / 'assist_example.yaml').read_text())
    assisted = shipped['/**/assist_example']['ros__parameters']['joints']
    _, forward, broadcaster = (yaml.safe_load(text) for text in blocks('controllers.md', 'yaml'))
    assert len(forward['effort_controller']['ros__parameters']['joints']) == len(assisted)
    for content in (forward, broadcaster):
        manager = content.pop('controller_manager')['ros__parameters']
        typed = {name for name, each in manager.items() if isinstance(each, dict)}
        assert typed == content.keys()
    shown = broadcaster['human_broadcaster']['ros__parameters']
    assert states_of_the_person() == dict.fromkeys(shown['joints'], shown['interfaces'])
    topic = f'/{next(iter(forward))}/commands'
    launched = commands('controllers.md', 'ros2 launch sspinnpose_ros')
    assert f'command_topic:={topic}' in [word for words in launched for word in words]


def states_of_the_person() -> dict[str, list[Any]]:
    """Return the state interfaces of each joint in the snippet of a URDF."""
    (text,) = blocks('controllers.md', 'xml')
    control = ElementTree.fromstring(text)
    assert control.tag == 'ros2_control'
    assert control.get('type') == 'system'
    given = {each.get('name'): each.text for each in control.iterfind('hardware/param')}
    assert given == {'joint_states_topic': '/human/joint_states'}
    joints = {
        joint.get('name', ''): [each.get('name') for each in joint]
        for joint in control.iterfind('joint')
    }
    assert joints.keys() <= set(JOINTS)
    return joints
