# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person at a terminal, and a script, may expect of every command."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import run, write_model
from made_recordings import write_trial

from sspinnpose_ros.cli.main import sspinnpose
from sspinnpose_ros.cli.simulate import SimulationConfig, simulate_to_bag
from sspinnpose_ros.core.model_file import default_model_path

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

MAIN = 'import sys; sys.argv[0] = "sspinnpose"; from sspinnpose_ros.cli.main import main; main()'
PATIENCE_S = 120.0

shipped = pytest.mark.skipif(
    not default_model_path().exists(), reason='no model is shipped in this checkout'
)


def at_a_terminal(*arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command whose stderr is a terminal; return its exit code and what it showed there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, '-c', MAIN, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={'TERM': 'xterm', **without_no_color(), **environment},
    )
    os.close(theirs)
    shown = b''
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.wait(timeout=PATIENCE_S), shown.decode()


def without_no_color() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != 'NO_COLOR'}


# Colours and progress


def test_colours_show_on_a_terminal_only(tmp_path: Path) -> None:
    command = ('estimate', tmp_path / 'nowhere', '-o', tmp_path / 'out')
    code, shown = at_a_terminal(*command)
    assert code == 2
    assert '\x1b[31m' in shown
    code, shown = at_a_terminal(*command, NO_COLOR='1')
    assert code == 2
    assert '\x1b[' not in shown
    assert shown.startswith('Error: ')
    piped = subprocess.run(
        [sys.executable, '-c', MAIN, *map(str, command)],
        capture_output=True,
        text=True,
        env=without_no_color(),
    )
    assert piped.stderr.startswith('Error: ')
    assert '\x1b' not in piped.stderr + piped.stdout


def test_long_work_shows_how_much_time_is_left(tmp_path: Path) -> None:
    trial, model = write_trial(tmp_path / 'trial'), write_model(tmp_path / 'model')
    paced = ('--realtime-factor', 4, '-o', tmp_path / 'out')
    code, shown = at_a_terminal('estimate', trial, '--model', model, *paced)
    assert code == 0, shown
    assert 'estimating' in shown
    assert '00:00:0' in shown
    assert '100%' in shown


# Completion


@pytest.mark.parametrize('shell', ['bash', 'zsh', 'fish'])
def test_completion_prints_a_script(shell: str, monkeypatch: Patch, capsys: Capture) -> None:
    done = run(monkeypatch, capsys, 'completion', shell)
    assert done.code == 0, done.err
    assert '_SSPINNPOSE_COMPLETE' in done.out


def completed(words: str) -> list[str]:
    """Return what bash would be offered for the last of some words."""
    environment = {
        '_SSPINNPOSE_COMPLETE': 'bash_complete',
        'COMP_WORDS': words,
        'COMP_CWORD': str(len(words.split(' ')) - 1),
    }
    done = subprocess.run(
        [sys.executable, '-c', MAIN],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return [line.partition(',')[2] for line in done.stdout.splitlines()]


def test_commands_and_options_complete() -> None:
    assert set(completed('sspinnpose ')) == set(sspinnpose.commands)
    assert completed('sspinnpose loc') == ['locate-sensors']
    assert completed('sspinnpose calibrate --ov') == ['--overwrite']
    assert 'crouch' in completed('sspinnpose simulate --style ')


# What scripts read


@shipped
@pytest.mark.slow
def test_scripts_can_read_what_every_step_found(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    config = SimulationConfig(seconds=20.0, standing_s=3.0, iterations=100, mounting='arbitrary')
    simulate_to_bag(Path('TRIAL'), config=config)

    def found(*arguments: object) -> dict[str, Any]:
        name = f'{arguments[0]}.json'
        done = run(monkeypatch, capsys, *arguments, '--json', name)
        assert done.code == 0, done.err
        content = json.loads(Path(name).read_text(), parse_constant=pytest.fail)
        again = run(monkeypatch, capsys, *arguments[:-1], 'other', '--json', name)
        assert again.code == 2
        assert f'{name} exists' in again.err
        assert not Path('other').exists()
        return content

    calibration = found('calibrate', 'TRIAL', '-o', 'calibration.yaml')
    assert calibration == yaml.safe_load(Path('calibration.yaml').read_text())
    given = ('--calibration', 'calibration.yaml')
    estimate = found('estimate', 'TRIAL', *given, '-o', 'OUT')
    assert estimate['frames'] == estimate['estimates'] == 2000
    assert estimate['calibration'] is None
    located = found('locate-sensors', 'TRIAL', *given, '-o', 'located.yaml')
    written = yaml.safe_load(Path('located.yaml').read_text())
    assert located['sensors'] == written['sensors']
    report = found('report', 'OUT', '-o', 'report.html')
    assert report['gait'] == 'walking'
    assert report['verdict'] in ('fine', 'caution', 'faulty')
    assert set(report['sides']) == {'r', 'l'}


# Ctrl-C

TRAIN = """
import sys
import sspinnpose_ros.training.train as training
made = training.TrainingConfig
training.TrainingConfig = lambda seed: made(
    seed=seed, iterations=2400, wearers=4, gait_iterations=30, episodes=0, hidden=12, batch=4,
    stream=300, window=100, check_every=20, threads=1)
"""


def stopped_training(output: Path, *options: str, after: str) -> str:
    """Train until a line says that a stage has begun, press Ctrl-C, and return what was said."""
    process = subprocess.Popen(
        [sys.executable, '-c', TRAIN + MAIN, 'train', '-o', str(output), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ''
    for line in process.stderr:
        said += line
        if line.startswith(after):
            process.send_signal(signal.SIGINT)
            break
    said += process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 130, said
    assert 'Traceback' not in said
    assert not output.exists()
    return said


def test_a_stopped_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip('torch')
    model = tmp_path / 'model'
    said = stopped_training(model, after='training: ')
    assert 'with --resume goes on from the checkpoint' in said
    assert (tmp_path / 'model.checkpoint').exists()
    assert 'synthetic wearers' not in stopped_training(model, '--resume', after='training: ')


@pytest.mark.parametrize('saved', [True, False])
def test_a_stopped_training_says_whether_it_can_go_on(
    saved: bool, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    pytest.importorskip('torch')

    def train(**options: object) -> None:
        if saved:
            (tmp_path / 'model.checkpoint').touch()
        raise KeyboardInterrupt

    monkeypatch.setattr('sspinnpose_ros.training.train.train', train)
    done = run(monkeypatch, capsys, 'train', '-o', tmp_path / 'model')
    assert done.code == 130
    assert ('--resume goes on' in done.err) == saved
    assert ('starts anew' in done.err) != saved


def test_help_tells_the_exit_codes(monkeypatch: Patch, capsys: Capture) -> None:
    text = ' '.join(run(monkeypatch, capsys, '--help').out.split())
    for word in ('0 done', '2 a mistake', '130 stopped', '143 stopped'):
        assert word in text
