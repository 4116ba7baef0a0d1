# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the examples of the docs, and hold their tables against the code.

A fenced block marked `sh` or `python` is run: lines of `sh` begin with `sspinnpose`, and all
blocks of a page run in order in one temporary folder. `sh slow` blocks take long and run with the
slow tests. What needs ROS, hardware or a recording is marked `bash`; `test_unrun_examples.py`
holds it, and YAML, against what it names.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from command_line import run
from made_recordings import SUBJECT, swinging, write_trial

import sspinnpose_ros
from sspinnpose_ros.bags.imu_bag import ImuSeries
from sspinnpose_ros.bags.reference import ESTIMATE_ROW
from sspinnpose_ros.cli import simulate
from sspinnpose_ros.cli.main import sspinnpose
from sspinnpose_ros.core.conventions import JOINTS, REP155_JOINTS, SENSORS
from sspinnpose_ros.core.model_file import default_model_path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]
QUICK, SLOW, PYTHON = 'sh', 'sh slow', 'python'
TIME_LIMIT_S = 300.0

FENCE = re.compile(r'^ *```([^\n`]*)\n(.*?)^ *```$', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'!?\[[^\]]*\]\(([^)\s]+)\)')

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

each_page = pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
shipped = pytest.mark.skipif(
    not default_model_path().exists(), reason='no model is shipped in this checkout'
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding='utf-8')


def examples(page: Path, *, kinds: tuple[str, ...]) -> list[list[str]]:
    """Return the commands of a page, each as its words."""
    blocks = FENCE.findall(page.read_text(encoding='utf-8'))
    return [
        words for kind, block in blocks if kind.strip() in kinds for words in commands_of(block)
    ]


def commands_of(block: str) -> list[list[str]]:
    """Return the commands of a block, each as its words."""
    lines = [line.strip() for line in block.replace('\\\n', ' ').splitlines()]
    split = [shlex.split(line, comments=True) for line in lines]
    return [words for words in split if words]


def python_of(page: Path) -> list[str]:
    return [block for kind, block in FENCE.findall(page.read_text()) if kind.strip() == PYTHON]


def steps(page: Path, *, kinds: tuple[str, ...]) -> Iterator[list[str] | str]:
    """Yield commands, each as its words, and pieces of Python, in the order of a page."""
    for kind, block in FENCE.findall(page.read_text(encoding='utf-8')):
        if kind.strip() == PYTHON:
            yield textwrap.dedent(block)
        elif kind.strip() in kinds:
            yield from commands_of(block)


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r'^#+ +(.*)$', re.sub(FENCE, '', text), re.MULTILINE)
    return {
        re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-') for heading in headings
    }


@each_page
def test_examples_call_known_commands(page: Path) -> None:
    for words in examples(page, kinds=(QUICK, SLOW)):
        assert words[0] == 'sspinnpose', f'{page.name}: {words} is marked to be run'
        assert words[1] in sspinnpose.commands


@shipped
@pytest.mark.parametrize(
    'page',
    [page for page in PAGES if examples(page, kinds=(QUICK,)) or python_of(page)],
    ids=lambda page: page.name,
)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    quick = partial(simulate.SimulationConfig, iterations=100)
    monkeypatch.setattr(simulate, 'SimulationConfig', quick)
    for step in steps(page, kinds=(QUICK,)):
        if isinstance(step, str):
            exec(compile(step, page.name, 'exec'), {'__name__': '__main__'})
            continue
        done = run(monkeypatch, capsys, *step[1:])
        assert done.code == 0, f'{shlex.join(step)}: {done.err}'


@shipped
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    'page', [page for page in PAGES if examples(page, kinds=(SLOW,))], ids=lambda page: page.name
)
def test_long_examples_run(page: Path, tmp_path: Path) -> None:
    program = 'from sspinnpose_ros.cli.main import main; main()'
    for step in steps(page, kinds=(QUICK, SLOW)):
        words = [step] if isinstance(step, str) else [program, *step[1:]]
        done = subprocess.run(
            [sys.executable, '-c', *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
        )
        assert done.returncode == 0, f'{step}: {done.stderr}'


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding='utf-8')
    for target in LINK.findall(re.sub(FENCE, '', text)):
        if re.match(r'[a-z]+:', target):
            continue
        path, _, anchor = target.partition('#')
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f'{page.name} links to {target}'
        if anchor:
            assert anchor in anchors(file.read_text(encoding='utf-8')), (
                f'{page.name} links to {target}'
            )


def test_every_command_is_documented() -> None:
    text = ' '.join(page.read_text(encoding='utf-8') for page in PAGES)
    for name in sspinnpose.commands:
        assert f'sspinnpose {name}' in text or f'make {name}' in text, name


def test_every_document_says_only_what_users_can_reach() -> None:
    for page in PAGES:
        assert '../shared' not in page.read_text(encoding='utf-8'), page.name


# Names and signs


@pytest.fixture(scope='module')
def signs() -> ModuleType:
    spec = importlib.util.spec_from_file_location('signs', ROOT / 'docs' / 'signs.py')
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up by name.
    sys.modules['signs'] = module
    spec.loader.exec_module(module)
    return module


def rows_of(text: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading."""
    section = text.split(f'{heading}\n', 1)[1]
    lines = [line for line in section.split('\n## ', 1)[0].splitlines() if line.startswith('|')]
    return [[cell.strip(' `') for cell in line.strip('|').split('|')] for line in lines[2:]]


def test_the_joints_of_the_readme_are_those_of_the_code(signs: ModuleType) -> None:
    rows = rows_of(text_of('README.md'), '## Joints and signs')
    assert rows == [
        [joint, signs.POSITIVE[joint.split('_')[0]], REP155_JOINTS[joint]] for joint in JOINTS
    ]


def test_the_sign_tables_are_computed(signs: ModuleType) -> None:
    page = text_of('docs/frames_and_signs.md')
    for name, table in signs.tables().items():
        assert signs.replace_table(page, name=name, table=table) == page, (
            f'the table {name} is out of date: python docs/signs.py'
        )


@pytest.mark.parametrize(
    ('words', 'rate', 'force'),
    [
        ('swing the right leg forward', '+', '+'),
        ('bend the right knee, heel backward', '-', '-'),
        ('pull the right toes up', '+', '+'),
        ('lean forward from the hips, legs upright', '-', '-'),
    ],
)
def test_the_movement_table_says_what_anatomy_says(words: str, rate: str, force: str) -> None:
    rows = rows_of(text_of('docs/frames_and_signs.md'), '## What a movement does to each signal')
    (row,) = [row for row in rows if row[0] == words]
    assert row[3].strip('*') == rate
    assert row[4].startswith(force)


def test_the_picture_is_drawn_from_the_kinematics(signs: ModuleType, tmp_path: Path) -> None:
    matplotlib = pytest.importorskip('matplotlib')
    signs.picture(tmp_path / 'picture.svg')
    drawn = (tmp_path / 'picture.svg').read_text()
    kept = text_of('docs/frames_and_signs.svg')
    for movement in signs.MOVEMENTS:
        assert movement.title in kept
    if f'Matplotlib v{matplotlib.__version__}' in kept:
        assert drawn == kept, 'the picture is out of date: python docs/signs.py'


# ROS API


@pytest.mark.ros
def test_the_parameter_table_is_the_one_of_the_node() -> None:
    pytest.importorskip('rclpy', reason='rclpy is not installed: the table cannot be compared')
    from sspinnpose_ros.ros.parameter_docs import with_table

    page = text_of('docs/ros_api.md')
    assert with_table(page) == page, (
        'out of date: python -m sspinnpose_ros.ros.parameter_docs docs/ros_api.md'
    )


@pytest.mark.parametrize(
    'path', sorted((ROOT / 'launch').glob('*.launch.py')), ids=lambda p: p.name
)
def test_every_launch_argument_is_documented(path: Path) -> None:
    rows = rows_of(text_of('docs/ros_api.md'), '## Launch files')
    (row,) = [row for row in rows if row[0] == path.name]
    declared = [
        ast.literal_eval(node.args[0])
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'DeclareLaunchArgument'
    ]
    assert re.findall(r'\w+', row[2]) == declared


def test_every_topic_and_service_is_documented() -> None:
    page = text_of('docs/ros_api.md')
    sources = ''.join(path.read_text() for path in (ROOT / 'sspinnpose_ros' / 'ros').glob('*.py'))
    names = set(re.findall(r"'(human/\w+)'", sources)) | {'/tf', '/tf_static', '/diagnostics'}
    names |= {'human/wrench/foot_r', 'human/wrench/foot_l', 'robot_description'}
    names |= {'~/calibrate', '~/reset', '~/save_calibration', 'imu/<sensor>/data_raw'}
    assert {'human/joint_states', 'human/status', 'human/markers'} <= names
    for name in names:
        assert f'`{name}`' in page, name


# Files


def test_every_array_of_an_estimate_is_documented() -> None:
    page = text_of('docs/recordings.md')
    for name in ESTIMATE_ROW.names or ():
        pattern = re.sub(rf'_(?:{"|".join(JOINTS)})$', '_<joint>', name)
        pattern = re.sub(r'^((?:sigma_)?(?:grf|cop)_\w+)_[rl]$', r'\1_<side>', pattern)
        assert f'`{pattern}`' in page, name


def test_the_citation_names_this_version_and_the_paper() -> None:
    content = yaml.safe_load(text_of('CITATION.cff'))
    assert content['version'] == sspinnpose_ros.__version__
    assert content['preferred-citation']['doi'] in text_of('README.md')


# What the product says

Change = Callable[[np.ndarray], np.ndarray]


def in_degrees(sample: np.ndarray) -> np.ndarray:
    return sample * [1.0, 1.0, 1.0, 57.3, 57.3, 57.3]


def in_g(sample: np.ndarray) -> np.ndarray:
    return sample / [9.81, 9.81, 9.81, 1.0, 1.0, 1.0]


def without_gravity(sample: np.ndarray) -> np.ndarray:
    return sample * [0.01, 0.01, 0.01, 1.0, 1.0, 1.0]


def with_nan(sample: np.ndarray) -> np.ndarray:
    sample = sample.copy()
    sample[100:150] = np.nan
    return sample


def upside_down(sample: np.ndarray) -> np.ndarray:
    return sample * [1.0, -1.0, -1.0, 1.0, -1.0, -1.0]


def pattern(sentence: str) -> str:
    """Return a sentence without its numbers."""
    return re.sub(r'\d+(?:\.\d+)?(?:e-?\d+)?', '#', sentence)


def require_documented(error: str) -> None:
    page = pattern(text_of('docs/preparing_imu_data.md'))
    sentence = pattern(error.strip().removeprefix('Error: '))
    assert f'`{sentence}`' in page, f'docs/preparing_imu_data.md lacks: {error}'


@shipped
@pytest.mark.parametrize(
    ('change', 'changed'),
    [
        (in_degrees, SENSORS),
        (in_g, SENSORS),
        (without_gravity, SENSORS),
        (upside_down, ('thigh_l',)),
        (with_nan, ('shank_r',)),
    ],
    ids=lambda value: getattr(value, '__name__', ''),
)
def test_the_sentences_about_signals_are_real(
    change: Change,
    changed: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    series = {
        name: ImuSeries(stamp_s=one.stamp_s, sample=change(one.sample)) if name in changed else one
        for name, one in swinging().items()
    }
    write_trial(Path('TRIAL'), series=series)
    done = run(monkeypatch, capsys, 'estimate', 'TRIAL', '-o', 'OUT')
    assert done.code == 2
    require_documented(done.err)


def with_another_clock(series: dict[str, ImuSeries]) -> dict[str, ImuSeries]:
    one = series['foot_l']
    return {**series, 'foot_l': ImuSeries(stamp_s=one.stamp_s + 3600.0, sample=one.sample)}


def too_slow(series: dict[str, ImuSeries]) -> dict[str, ImuSeries]:
    return {
        name: ImuSeries(stamp_s=one.stamp_s[::11], sample=one.sample[::11])
        for name, one in series.items()
    }


def hanging(series: dict[str, ImuSeries]) -> dict[str, ImuSeries]:
    one = series['foot_r']
    return {**series, 'foot_r': ImuSeries(one.stamp_s, np.repeat(one.sample[:1], 600, axis=0))}


@shipped
@pytest.mark.parametrize('change', [with_another_clock, too_slow, hanging])
def test_the_sentences_about_streams_are_real(
    change: Callable[[dict[str, ImuSeries]], dict[str, ImuSeries]],
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_trial(Path('TRIAL'), series=change(swinging()))
    done = run(monkeypatch, capsys, 'estimate', 'TRIAL', '-o', 'OUT')
    assert done.code == 2
    require_documented(done.err)


@shipped
def test_the_sentence_about_a_missing_topic_is_real(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    worn = tuple(sensor for sensor in SENSORS if sensor != 'thigh_l')
    write_trial(Path('TRIAL'), series=swinging(sensors=worn))
    require_documented(run(monkeypatch, capsys, 'estimate', 'TRIAL', '-o', 'OUT').err)


@shipped
@pytest.mark.parametrize(('old', 'new'), [('height_m: 1.75', 'height_m: 175'), ('70.0', '0')])
def test_the_sentences_about_the_wearer_are_real(
    old: str, new: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    write_trial(Path('TRIAL'))
    Path('SUBJECT.yaml').write_text(SUBJECT.replace(old, new))
    command = ('estimate', 'TRIAL', '--subject', 'SUBJECT.yaml', '-o', 'OUT')
    require_documented(run(monkeypatch, capsys, *command).err)
