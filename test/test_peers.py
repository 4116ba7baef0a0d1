# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The comparison with peers names what it cannot time, and fakes nothing."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import write_model
from made_recordings import write_trial

from sspinnpose_ros.core.native_step import is_native
from sspinnpose_ros.evaluation.peer_dynamics import ENGINES
from sspinnpose_ros.evaluation.timing import measure_in_turn

sys.path.insert(0, str(Path(__file__).parents[1] / 'benchmarks'))

import peers

Patch = pytest.MonkeyPatch
Capture = pytest.CaptureFixture[str]

native = pytest.mark.skipif(not is_native(), reason='the step was not built in C')


@pytest.fixture(scope='module')
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trial(tmp_path_factory.mktemp('peers') / 'trial')


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp('peers') / 'model')


def compare(monkeypatch: Patch, *arguments: object) -> int:
    monkeypatch.setattr(peers, 'BATCH', 2)
    monkeypatch.setattr('sys.argv', ['peers.py', *(str(each) for each in arguments)])
    return peers.main()


def only(monkeypatch: Patch, *modules: str) -> None:
    """Let no other package than these be installed."""
    monkeypatch.setattr(peers, 'find_spec', lambda name: object() if name in modules else None)


@native
def test_every_installed_peer_has_a_row_and_others_a_sentence(
    trial: Path, model: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    out, page = tmp_path / 'peers.json', tmp_path / 'page.md'
    page.write_text(f'Before.\n{peers.BEGIN}\nold\n{peers.END}\nAfter.\n')
    options = ('--model', model, '--turns', 2, '--calls', 3, '--json', out, '--docs', page)
    assert compare(monkeypatch, trial, *options) == 0
    found: dict[str, Any] = json.loads(out.read_text())
    rows = {row['name']: row for row in found['rows']}
    assert rows[peers.OURS]['ratio'] == 1.0
    assert rows[peers.OURS_NUMPY]['p99_ms'] >= rows[peers.OURS_NUMPY]['p50_ms'] > 0.0
    for engine in ENGINES:
        there = any(name.startswith(engine.name) for name in rows)
        named = any(f'pip install {engine.package}' in it for it in found['left_out'])
        assert there == engine.installed != named
    assert found['trial'] == trial.name
    printed = capsys.readouterr().out
    assert page.read_text() == f'Before.\n{peers.BEGIN}\n\n{printed}\n{peers.END}\nAfter.\n'


@native
def test_what_is_not_installed_is_named_and_left_out(
    trial: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    only(monkeypatch)
    assert compare(monkeypatch, trial, '--model', model, '--turns', 1, '--calls', 2) == 0
    printed = capsys.readouterr().out
    for package in ('opensim', 'vqf', 'pin', 'mujoco', 'sympy'):
        assert f'- {package} is not installed: pip install {package}.' in printed
    assert printed.count('\n| ours') == 3
    assert printed.count('\n| ') == 4, 'a title and our own rows'


@native
@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (('--planar', 'nowhere.osim'), 'nowhere.osim is not there'),
        (('--docs', __file__), 'lacks the markers'),
    ],
)
def test_mistakes_are_named_in_a_sentence(
    arguments: tuple[str, str],
    sentence: str,
    trial: Path,
    model: Path,
    monkeypatch: Patch,
    capsys: Capture,
) -> None:
    only(monkeypatch)
    before = Path(__file__).read_text()
    options = ('--model', model, '--turns', 1, '--calls', 2, *arguments)
    assert compare(monkeypatch, trial, *options) == 2
    assert sentence in capsys.readouterr().err
    assert Path(__file__).read_text() == before


def test_functions_take_turns() -> None:
    called: list[str] = []
    functions = {name: (lambda name=name: called.append(name)) for name in 'ab'}
    turns = measure_in_turn(functions, turns=2, calls=3, unsettled=1, warm_up=2)
    assert ''.join(called) == 'aabb' + 2 * ('aaaa' + 'bbbb')
    for name in functions:
        assert turns.elapsed[name].shape == (2, 3)
        assert turns.processor[name].shape == (2,)
        assert turns.timing(name).repeats == 6


def test_work_counts_in_the_ratio_and_waiting_does_not() -> None:
    def work(times: int) -> None:
        for _ in range(times):
            sum(range(20_000))

    def wait() -> None:
        time.sleep(0.02)
        work(1)

    turns = measure_in_turn(
        {'once': lambda: work(1), 'ten times': lambda: work(10), 'waiting': wait},
        turns=7,
        calls=3,
        warm_up=3,
    )
    assert 5.0 < turns.ratio('ten times', 'once')[0] < 20.0
    assert turns.ratio('waiting', 'once')[0] < 5.0
    assert turns.timing('waiting').p50 > 5.0 * turns.timing('once').p50
    assert turns.ratio('once', 'once') == (1.0, 1.0, 1.0)
