# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The launch files: what can be said without ROS, and against the launch API where it is."""

import ast
import json
import logging
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

try:
    import launch_ros  # noqa: F401
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
    from launch import LaunchContext, LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription, SetLaunchConfiguration
    from launch.launch_description_sources import PythonLaunchDescriptionSource
except ImportError as error:
    MISSING = f'the launch API is not here ({error}): the launch files stay unchecked against it'
else:
    try:
        get_package_share_directory('sspinnpose_ros')
        MISSING = ''
    except PackageNotFoundError:
        MISSING = 'sspinnpose_ros is not installed where ament looks: colcon build, then source it'

ROOT = Path(__file__).parents[1]
LAUNCH_FILES = sorted((ROOT / 'launch').glob('*.launch.py'))
EXECUTABLES = ('estimator', 'demo_wearer', 'assist_example')

with_launch = pytest.mark.skipif(bool(MISSING), reason=MISSING)
each_file = pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)


def calls(path, name):
    """Yield the calls of one name in a file, each as its keyword arguments."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node, {keyword.arg: keyword.value for keyword in node.keywords}


def test_the_launch_files_exist():
    assert [path.name for path in LAUNCH_FILES] == [
        'assist_example.launch.py',
        'demo.launch.py',
        'estimator.launch.py',
        'replay.launch.py',
    ]


@each_file
def test_every_argument_has_a_description(path):
    declared = list(calls(path, 'DeclareLaunchArgument'))
    assert declared
    for call, keywords in declared:
        text = ast.literal_eval(keywords['description'])
        assert len(text) > 10, f'{call.args[0].value} says too little: {text!r}'


@each_file
def test_nothing_is_hard_wired(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not node.value.startswith(('/home', '/opt', '/usr', '/tmp'))
    for _, keywords in [*calls(path, 'Node'), *calls(path, 'LifecycleNode')]:
        assert isinstance(keywords['namespace'], ast.Call), 'the namespace is an argument'


@each_file
def test_started_packages_are_dependencies(path):
    depends = {
        element.text
        for element in ElementTree.parse(ROOT / 'package.xml').getroot()
        if element.tag.endswith('depend')
    }
    for _, keywords in [*calls(path, 'Node'), *calls(path, 'LifecycleNode')]:
        package = keywords['package'].value
        if package == 'sspinnpose_ros':
            assert keywords['executable'].value in EXECUTABLES
        else:
            assert package in depends


def test_parameters_are_those_of_the_node():
    pytest.importorskip('rclpy', reason='the table of parameters needs the message packages')
    from sspinnpose_ros.ros.parameters import table_by_name

    table = table_by_name()
    text = (ROOT / 'launch' / 'estimator.launch.py').read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and node.targets[0].id == 'OVERRIDES':
            for name, kind in zip(node.value.keys, node.value.values, strict=True):
                assert type(table[name.value].default).__name__ == kind.id
            break
    else:
        raise AssertionError('estimator.launch.py has no OVERRIDES')
    content = yaml.safe_load((ROOT / 'config' / 'estimator.yaml').read_text())
    shipped = content['/**']['ros__parameters']
    assert shipped == {name: table[name].default for name in shipped}


def test_demo_waits_for_its_simulation_before_it_names_topics():
    text = (ROOT / 'launch' / 'demo.launch.py').read_text()
    (value,) = [
        ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'SIMULATING_S'
    ]
    assert float(value) >= 60.0
    assert "launch_arguments={'missing_topic_s': SIMULATING_S}" in text


def test_demo_gives_the_wearer_parameters_that_it_has():
    pytest.importorskip('rclpy', reason='the table of parameters needs the message packages')
    from sspinnpose_ros.ros.demo_wearer import PARAMETERS

    assert {'speed_mps', 'mass_kg', 'height_m'} <= {parameter.name for parameter in PARAMETERS}


# Stands in front of every command that is launched and keeps it instead of running it. The player
# takes a moment, since its end is the end of the launch.
RECORDER = """
import json, pathlib, sys, time
path = pathlib.Path(__file__).with_name(pathlib.Path(sys.argv[1]).name + '.json')
path.write_text(json.dumps(sys.argv[1:]))
time.sleep(2 if 'play' in sys.argv else 0)
"""


@pytest.fixture
def launch(tmp_path):
    """Return a function that launches a file and returns its exit status and its commands."""
    folder = tmp_path / 'commands'
    folder.mkdir()
    recorder = folder / 'recorder.py'
    recorder.write_text(RECORDER)

    def run(name, **arguments):
        source = PythonLaunchDescriptionSource(str(ROOT / 'launch' / f'{name}.launch.py'))
        service = LaunchService(noninteractive=True)
        service.include_launch_description(
            LaunchDescription(
                [
                    SetLaunchConfiguration('launch-prefix', f'{sys.executable} {recorder}'),
                    IncludeLaunchDescription(source, launch_arguments=arguments.items()),
                ]
            )
        )
        status = service.run()
        commands = {path.stem: json.loads(path.read_text()) for path in folder.glob('*.json')}
        return status, commands

    return run


def parameters(command):
    """Return the content of a command's parameter files, the last one winning."""
    values = {}
    for flag, word in pairwise(command):
        if flag == '--params-file':
            for content in yaml.safe_load(Path(word).read_text()).values():
                values.update(content['ros__parameters'])
    return values


@with_launch
@each_file
def test_arguments_are_described_to_ros2_launch(path):
    description = PythonLaunchDescriptionSource(str(path)).get_launch_description(LaunchContext())
    arguments = description.get_launch_arguments()
    assert arguments
    for argument in arguments:
        assert argument.description != 'no description given'


@with_launch
def test_estimator_takes_its_arguments(launch):
    status, commands = launch(
        'estimator',
        namespace='left_wing',
        mass_kg='82',
        height_m='1.9',
        frame_prefix='anna_',
        publish_tf='false',
        log_level='debug',
    )
    assert status == 0
    command = commands.pop('estimator')
    assert not commands
    assert '__node:=sspinnpose' in command
    assert '__ns:=/left_wing' in command
    assert command[command.index('--log-level') + 1] == 'debug'
    given = parameters(command)
    assert given['mass_kg'] == 82.0
    assert isinstance(given['mass_kg'], float)
    assert given['height_m'] == 1.9
    assert given['frame_prefix'] == 'anna_'
    assert given['publish_tf'] is False
    assert given['use_sim_time'] is False


@with_launch
def test_an_argument_left_out_leaves_the_parameter_file_in_force(launch, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('/**:\n  ros__parameters:\n    mass_kg: 61.5\n')
    _, commands = launch('estimator', params_file=str(file))
    assert parameters(commands['estimator'])['mass_kg'] == 61.5


@with_launch
@pytest.mark.parametrize(
    ('name', 'arguments', 'complaint'),
    [
        ('estimator', {'mass_kg': '82kg'}, "mass_kg is '82kg', expected a number"),
        ('estimator', {'autostart': 'maybe'}, "autostart is 'maybe', expected true or false"),
        ('replay', {'bag': '/nowhere'}, 'There is no recording at /nowhere'),
    ],
)
def test_a_wrong_argument_is_named(launch, caplog, name, arguments, complaint):
    status, commands = launch(name, **arguments)
    assert status != 0
    assert not commands
    assert complaint in caplog.text


@pytest.fixture
def trial(tmp_path):
    folder = tmp_path / 'trial'
    (folder / 'bag').mkdir(parents=True)
    (folder / 'subject.yaml').write_text('mass_kg: 66.7\nheight_m: 1.81\n')
    return folder


@with_launch
def test_replay_of_a_trial_plays_its_clock_and_knows_its_subject(launch, trial):
    status, commands = launch('replay', bag=str(trial))
    assert status == 0
    assert commands['ros2'][1:5] == ['bag', 'play', str(trial / 'bag'), '--clock']
    given = parameters(commands['estimator'])
    assert given['use_sim_time'] is True
    assert given['subject'] == str(trial / 'subject.yaml')


@with_launch
def test_replay_lets_a_given_mass_win(launch, trial):
    _, commands = launch('replay', bag=str(trial), mass_kg='70')
    given = parameters(commands['estimator'])
    assert given['mass_kg'] == 70.0
    assert not given.get('subject')


@with_launch
def test_robot_state_publisher_needs_a_person(launch, caplog):
    status, _ = launch('estimator', robot_state_publisher='true')
    assert status != 0
    assert 'give subject:=SUBJECT.yaml, or mass_kg and height_m' in caplog.text


@with_launch
def test_robot_state_publisher_takes_the_joints_over(launch, trial):
    try:
        get_package_share_directory('robot_state_publisher')
    except PackageNotFoundError:
        pytest.skip('robot_state_publisher is not installed')
    subject = str(trial / 'subject.yaml')
    _, commands = launch('estimator', robot_state_publisher='true', subject=subject)
    assert parameters(commands['estimator'])['publish_joint_tf'] is False
    given = parameters(commands['robot_state_publisher'])
    assert '<robot' in given['robot_description']
    assert 'joint_states:=human/joint_states' in commands['robot_state_publisher']


@with_launch
def test_demo_gives_wearer_and_estimator_the_same_body(launch):
    status, commands = launch('demo', rviz='false', mass_kg='90', namespace='booth')
    assert status == 0
    assert set(commands) == {'demo_wearer', 'estimator'}
    assert parameters(commands['estimator'])['missing_topic_s'] >= 60.0
    for command in commands.values():
        assert '__ns:=/booth' in command
        assert parameters(command)['mass_kg'] == 90.0
    subject = yaml.safe_load(Path(parameters(commands['estimator'])['subject']).read_text())
    assert subject['mass_kg'] == 90.0
    assert subject['sensor_axes'].startswith('segment aligned')


@with_launch
def test_the_assist_example_starts_both_and_lets_them_know_of_each_other(launch, tmp_path):
    status, commands = launch('assist_example', namespace='lab', command_topic='/drive/commands')
    assert status == 0
    assert set(commands) == {'assist_example', 'estimator'}
    for command in commands.values():
        assert '__ns:=/lab' in command
    assert 'exo/torque_command:=/drive/commands' in commands['assist_example']
    joints = parameters(commands['assist_example'])['joints']
    given = parameters(commands['estimator'])
    assert [given[f'exo.{joint}.name'] for joint in joints] == joints


@with_launch
def test_demo_goes_on_without_rviz(launch, caplog):
    # This logger does not pass on to the one that caplog reads.
    logging.getLogger('launch.user').addHandler(caplog.handler)
    _, commands = launch('demo')
    assert set(commands) >= {'demo_wearer', 'estimator'}
    if 'rviz2' not in commands:
        assert 'RViz is not installed' in caplog.text
