# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold examples that no test can run against what they name: files, options, arguments, topics.

Examples marked `sh` and `python` are run by `test_docs.py`. Those marked `bash` need ROS,
hardware, a recording or hours; every command in them is either checked here or listed with the
reason why it is not. YAML goes through the readers of the product.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from test_docs import FENCE, PAGES, ROOT, commands_of, rows_of, text_of

from sspinnpose_ros.cli.main import sspinnpose
from sspinnpose_ros.core.calibration_file import FORMAT, calibration_from_mapping
from sspinnpose_ros.core.subject import load_subject

KINDS = {'', 'bash', 'json', 'python', 'python outline', 'sh', 'sh slow', 'text', 'xml', 'yaml'}

UNCHECKED = {
    'cd': "the folder is the reader's own",
    'colcon': "a tool of ROS distributions, and the workspace is the reader's own",
    'eval': 'changes the shell that reads it; test_manners.py checks what is evaluated',
    'export': 'changes the shell that reads it',
    'gcc': 'takes minutes under a sanitizer; `make setup` compiles the same file',
    'git': "where the repository lies is the reader's own",
    'pip': 'installs from a package index',
    'pre-commit': 'installs from a package index',
    'ros2 bag': 'a tool of ROS distributions; the topics are those of the table',
    'ros2 component': 'a tool of ROS distributions',
    'ros2 lifecycle': 'a tool of ROS distributions',
    'ros2 param': 'a tool of ROS distributions',
    'ros2 pkg': 'a tool of ROS distributions',
    'ros2 security': 'a tool of ROS distributions; test_security.py checks the policy',
    'rosdep': 'a tool of ROS distributions; test_packaging.py checks the keys',
    'rosdoc2': 'a tool of ROS distributions; test_site.py checks its settings',
    'source': 'changes the shell that reads it',
    'sudo': 'installs on the machine',
}
"""Programs that examples may name without a check, and why."""

FOREIGN_PACKAGES = {
    'bno055',
    'diagnostic_aggregator',
    'microstrain_inertial_driver',
    'rviz2',
    'tf2_ros',
    'ximu3_ros2',
    'xsens_mti_ros2_driver',
}
"""Packages of ROS distributions and of vendors, whose programs examples start."""

INDENTED = re.compile(r'^    ((?:make|python|sspinnpose|ros2) .*)$', re.MULTILINE)
NODES = ('/**', 'sspinnpose', '/sspinnpose')


def blocks() -> Iterator[tuple[Path, str, str]]:
    """Yield page, kind and text of every fenced or indented block."""
    for page in PAGES:
        text = page.read_text(encoding='utf-8')
        for kind, block in FENCE.findall(text):
            yield page, kind.strip(), block
        for line in INDENTED.findall(FENCE.sub('', text)):
            yield page, 'bash', line


def test_every_block_is_of_a_known_kind() -> None:
    for page, kind, block in blocks():
        assert kind in KINDS, f'{page.name}: a block marked {kind!r}, which no test looks at'
        assert '"""' not in block or kind.startswith('python')


# Commands


def unrun_commands() -> list[tuple[str, list[str]]]:
    found = []
    for page, kind, block in blocks():
        block = re.sub(r'\$\(ros2 pkg [^)]*\)', 'SHARE', block)
        for words in commands_of(block) if kind == 'bash' else ():
            part: list[str] = []
            for word in [*words, '&&']:
                if word not in ('&&', '|', ';'):
                    part.append(word)
                    continue
                found.append((page.name, part))
                part = []
    return found


@pytest.mark.parametrize(
    ('page', 'words'),
    unrun_commands(),
    ids=lambda value: value if isinstance(value, str) else ' '.join(value),
)
def test_a_command_names_what_exists(page: str, words: list[str]) -> None:
    while re.fullmatch(r'[A-Z_]+=.*', words[0]):
        words = words[1:]
    if '>' in words:
        words = words[: words.index('>')]
    program, arguments = words[0].removeprefix('.venv/bin/'), words[1:]
    if program == '/usr/bin/time':
        program, arguments = arguments[1], arguments[2:]
    if program == 'ros2' and arguments[0] in ('launch', 'run', 'service', 'topic'):
        ROS[arguments[0]](arguments[1:])
    elif program in ('python', 'python3'):
        check_python(arguments)
    elif program == 'make':
        check_make(arguments)
    elif program == 'sspinnpose':
        check_sspinnpose(arguments)
    else:
        name = f'ros2 {arguments[0]}' if program == 'ros2' else program
        assert name in UNCHECKED, f'{page}: mark {words} as sh, or say in UNCHECKED why not'


def check_make(arguments: list[str]) -> None:
    makefile = text_of('Makefile')
    for word in arguments:
        name, equals, _ = word.partition('=')
        pattern = rf'^{name} \?=' if equals else rf'^\.PHONY: {name}$'
        assert re.search(pattern, makefile, re.MULTILINE), f'the Makefile has no {name}'


def check_python(arguments: list[str]) -> None:
    if arguments[0] == '-c':
        ast.parse(arguments[1])
        return
    if arguments[:2] in (['-m', 'pip'], ['-m', 'venv'], ['-m', 'sphinx']):
        return
    if arguments[:2] == ['-m', 'pytest']:
        for word in arguments[2:]:
            assert not word.startswith('test/') or (ROOT / word.partition('::')[0]).exists(), word
        return
    if arguments[0] == '-m':
        script, arguments = ROOT / f'{arguments[1].replace(".", "/")}.py', arguments[2:]
    else:
        script, arguments = ROOT / arguments[0], arguments[1:]
    source = script.read_text(encoding='utf-8')
    for option in arguments:
        if option.startswith('--'):
            assert f"'{option.partition('=')[0]}'" in source, f'{script.name} has no {option}'


def check_sspinnpose(arguments: list[str]) -> None:
    command: click.Command = sspinnpose
    while isinstance(command, click.Group):
        assert arguments[0] in command.commands, f'there is no command {arguments[0]}'
        command, arguments = command.commands[arguments[0]], arguments[1:]
    if '--help' not in arguments:
        command.make_context(command.name, list(arguments))


def launch_arguments() -> set[str]:
    rows = rows_of(text_of('docs/ros_api.md'), '## Launch files')
    return {name for row in rows for name in re.findall(r'\w+', row[2])}


def parameters() -> set[str]:
    return {row[0] for row in rows_of(text_of('docs/ros_api.md'), '## Parameters')}


def check_launch(arguments: list[str]) -> None:
    package, name, *rest = arguments
    if package in FOREIGN_PACKAGES:
        return
    assert package == 'sspinnpose_ros'
    assert (ROOT / 'launch' / name).exists() or name == 'FILE', name
    for word in rest:
        argument, given, _ = word.partition(':=')
        assert word == '--show-args' or (given and argument in launch_arguments()), word


def check_run(arguments: list[str]) -> None:
    package, executable, *rest = arguments
    if package in FOREIGN_PACKAGES:
        return
    assert package == 'sspinnpose_ros'
    assert f"'{executable} = " in text_of('setup.py'), f'there is no executable {executable}'
    if executable == 'sspinnpose' and rest:
        check_sspinnpose(rest)
    for flag, word in pairwise(rest):
        if flag == '-p' and executable == 'estimator':
            assert word.partition(':=')[0] in parameters(), word


def check_service(arguments: list[str]) -> None:
    verb, name, kind = arguments
    assert (verb, kind) == ('call', 'std_srvs/srv/Trigger')
    assert f'`~/{name.removeprefix("/sspinnpose/")}`' in text_of('docs/ros_api.md')


def check_topic(arguments: list[str]) -> None:
    assert arguments[0] in ('echo', 'hz', 'list', 'info', 'delay')
    for word in arguments[1:]:
        if word.startswith('/'):
            page = text_of('docs/ros_api.md')
            sensor = re.sub(r'^/imu/\w+/', '/imu/<sensor>/', word)
            assert f'`{sensor}`' in page or f'`{sensor[1:]}`' in page, word


ROS = {'launch': check_launch, 'run': check_run, 'service': check_service, 'topic': check_topic}


# YAML


def yaml_blocks() -> list[tuple[str, str]]:
    return [(page.name, block) for page, kind, block in blocks() if kind == 'yaml']


@pytest.mark.parametrize(('page', 'block'), yaml_blocks())
def test_yaml_is_what_the_product_reads(page: str, block: str, tmp_path: Path) -> None:
    content = yaml.safe_load(block)
    assert isinstance(content, dict), page
    if 'mass_kg' in content:
        (tmp_path / 'subject.yaml').write_text(block)
        load_subject(tmp_path / 'subject.yaml')
    elif content.get('format') == FORMAT:
        calibration_from_mapping(content)
    else:
        for node, inner in content.items():
            assert set(inner) == {'ros__parameters'}, f'{page}: {node} is no node with parameters'
            if node in NODES:
                check_parameters(inner['ros__parameters'])


def check_parameters(values: dict[str, Any], prefix: str = '') -> None:
    pytest.importorskip('rclpy', reason='the table of parameters needs the message packages')
    from sspinnpose_ros.ros.parameters import check_choice, table_by_name

    for name, value in values.items():
        if isinstance(value, dict):
            if name != 'qos_overrides':
                check_parameters(value, f'{prefix}{name}.')
                continue
            for topic, ends in value.items():
                assert topic.startswith('/'), f'{topic} is no full name'
                for end, policies in ends.items():
                    assert end in ('publisher', 'subscription')
                    assert set(policies) <= {'depth', 'history', 'reliability'}
            continue
        parameter = table_by_name()[f'{prefix}{name}']
        assert type(value) is type(parameter.default), f'{name} is a {parameter.kind}'
        check_choice(parameter, value)
        if parameter.range:
            assert parameter.range[0] <= value <= parameter.range[1], name


# Python


def outlines() -> list[tuple[str, str, ast.ClassDef | ast.FunctionDef]]:
    """Return page, file and definition of every class and function in an outline."""
    found = []
    for page, kind, block in blocks():
        if kind == 'python outline':
            for part in re.split(r'^(?=# \w+/)', block, flags=re.MULTILINE):
                file = part.split()[1] if part.strip() else ''
                for node in ast.parse(part).body:
                    assert isinstance(node, (ast.ClassDef, ast.FunctionDef))
                    found.append((page.name, file, node))
    return found


@pytest.mark.parametrize(
    ('page', 'file', 'node'), outlines(), ids=lambda value: getattr(value, 'name', str(value))
)
def test_an_outline_is_that_of_the_code(
    page: str, file: str, node: ast.ClassDef | ast.FunctionDef
) -> None:
    module = importlib.import_module(
        'sspinnpose_ros.' + file.removesuffix('.py').replace('/', '.')
    )
    real = getattr(module, node.name)
    if isinstance(node, ast.FunctionDef):
        check_signature(node, real)
        return
    source = inspect.getsource(real)
    fields = (
        {field.name for field in dataclasses.fields(real)}
        if dataclasses.is_dataclass(real)
        else set()
    )
    for part in node.body:
        if isinstance(part, ast.FunctionDef):
            check_signature(part, getattr(real, part.name))
        elif isinstance(part, ast.AnnAssign):
            assert isinstance(part.target, ast.Name)
            name = part.target.id
            assert (
                name in fields
                or re.search(rf'self\.{name}(: .+)? = ', source)
                or hasattr(real, name)
            ), name


def check_signature(node: ast.FunctionDef, real: Any) -> None:
    said = [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
    assert said == list(inspect.signature(real).parameters), node.name
