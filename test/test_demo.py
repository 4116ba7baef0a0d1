# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the demo as a user does, and stop it half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: the demo is not tested')

from diagnostic_msgs.msg import DiagnosticStatus
from made_recordings import swinging, write_trial
from node_process import PATIENCE_S, write_model
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from sspinnpose_ros.bags.human_topics import read_human_topics
from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.cli import demo
from sspinnpose_ros.cli.view import recorded_page
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.evaluation.gait_numbers import gait_numbers
from sspinnpose_ros.evaluation.view_rows import COLUMNS
from sspinnpose_ros.ros.conversions import TFMessage
from sspinnpose_ros.ros.demo_recorder import newest_content

pytestmark = pytest.mark.ros

PROGRAM = 'from sspinnpose_ros.cli.main import main; main()'


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model and a trial."""
    folder = tmp_path_factory.mktemp('demo')
    write_model(folder / 'model')
    write_trial(folder / 'trial', series=swinging(seconds=15.0))
    return folder


def start(files: Path, output: Path) -> subprocess.Popen[str]:
    arguments = ['--bag', files / 'trial', '--model', files / 'model', '--seconds', 14]
    return subprocess.Popen(
        [sys.executable, '-c', PROGRAM, 'demo', *map(str, arguments), '-o', str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, 'PYTHONUNBUFFERED': '1'},
    )


def children_of(pid: int) -> list[int]:
    path = Path(f'/proc/{pid}/task/{pid}/children')
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def test_the_demo_shows_and_records_the_wearer(files: Path, tmp_path: Path) -> None:
    output = tmp_path / 'out'
    process = start(files, output)
    text, _ = process.communicate(timeout=3 * PATIENCE_S)
    assert process.returncode == 0, text
    assert 'hip/knee/ankle' in text
    assert 'Summary' in text
    assert 'p50' in text
    assert text.splitlines()[-2:] == [
        f'Recorded bag: {output / "bag"}',
        f'Plot: {output / "demo.png"}',
    ]
    assert (output / 'demo.png').read_bytes().startswith(b'\x89PNG')
    topics = read_human_topics(output / 'bag')
    assert len(topics.arrays['time']) > 300
    assert np.isfinite(topics.arrays['grf_up_r']).all()
    assert (topics.latency_s > 0.0).all()
    page = recorded_page(output, subject_path=None)
    rows = np.frombuffer(page['rows'], '<f4').reshape(-1, len(COLUMNS))
    assert page['scene']['latency']['p99_ms'] > 0.0
    assert page['scene']['status']
    shown = ['residual_force_pelvis', 'angle_knee_angle_r']
    if TFMessage is not None:
        shown += ['position_pelvis_up', 'cop_forward_l', 'grf_up_l']
    for name in shown:
        assert np.isfinite(rows[:, COLUMNS.index(name)]).any(), name
    with np.load(output / 'estimate.npz') as saved:
        assert {f'angle_{joint}' for joint in JOINTS} <= set(saved.files)
    with open_imu_bag(output / 'bag') as bag:
        assert bag.message_count() > 7 * 300


def test_stopping_the_demo_leaves_nothing_behind(files: Path, tmp_path: Path) -> None:
    output = tmp_path / 'out'
    process = start(files, output)
    children: list[int] = []
    end = time.monotonic() + PATIENCE_S
    while len(children) < 3:
        assert time.monotonic() < end, 'the processes of the demo did not start'
        assert process.poll() is None
        children = children_of(process.pid)
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, text
    assert 'Traceback' not in text
    # One that was only just starting is told by the system that its parent is gone.
    end = time.monotonic() + PATIENCE_S
    while any(Path(f'/proc/{child}').exists() for child in children):
        assert time.monotonic() < end, 'a process of the demo was left behind'
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('path', ['nowhere', 'empty'])
def test_a_bag_that_cannot_be_played_is_said(files: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / 'empty').mkdir()
    arguments = ['--bag', tmp_path / path, '--model', files / 'model', '-o', tmp_path / 'out']
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, 'demo', *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert 'expected' in done.stderr
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('factor', 'words'),
    [
        ([1.0, 1.0, 1.0, 57.3, 57.3, 57.3], 'deg/s'),
        ([0.102, 0.102, 0.102, 1.0, 1.0, 1.0], 'looks like g'),
        ([0.01, 0.01, 0.01, 1.0, 1.0, 1.0], 'gravity seems to have been removed'),
        ([1.0, -1.0, -1.0, 1.0, -1.0, -1.0], 'from the up of its segment'),
    ],
)
def test_what_estimate_refuses_is_not_played(
    factor: list[float], words: str, tmp_path: Path
) -> None:
    series = {
        sensor: replace(one, sample=one.sample * factor) for sensor, one in swinging().items()
    }
    trial = write_trial(tmp_path / 'trial', series=series)
    (tmp_path / 'folder').mkdir()
    with pytest.raises(RecordingError, match=words):
        demo._prepare(trial, folder=tmp_path / 'folder', seconds=8.0)


def test_old_estimates_are_not_shown_again() -> None:
    state = serialize_message(JointState(position=[0.0] * 6))
    status = serialize_message(DiagnosticStatus(level=b'\x03', message='no IMU messages'))
    newest = {'/human/joint_states': (10**9, state), '/human/status': (10**9, status)}
    assert 'position' in newest_content(newest, 10**9 + 10**8)
    content = newest_content(newest, 2 * 10**9)
    assert content == {'level': 3, 'message': 'no IMU messages'}
    assert demo._status(content) == 'no estimate: no IMU messages (STALE)'


def test_gait_numbers_of_a_known_gait() -> None:
    time_s = np.arange(1000) / 100.0
    mass = 70.0
    estimate = {'time': time_s}
    for side, shift in (('r', 0.0), ('l', 0.5)):
        phase = (time_s / 1.1 + shift) % 1.0
        force = np.where(phase < 0.6, np.sin(np.pi * phase / 0.6), 0.0)
        estimate[f'grf_up_{side}'] = 1.1 * force * mass * GRAVITY
        estimate[f'angle_knee_angle_{side}'] = 0.5 - 0.5 * np.cos(2.0 * np.pi * phase)
    numbers = gait_numbers(estimate, mass_kg=mass)
    assert numbers.cadence_steps_min == pytest.approx(120.0 / 1.1, rel=0.02)
    assert numbers.stance_share == pytest.approx((0.6, 0.6), abs=0.02)
    assert numbers.knee_range_rad == pytest.approx((1.0, 1.0), abs=0.02)
    assert numbers.peak_force_bw == pytest.approx((1.1, 1.1), rel=0.01)
    assert numbers.strides >= 14


def test_gait_numbers_of_someone_standing() -> None:
    estimate = {'time': np.arange(100) / 100.0}
    for side in 'rl':
        estimate[f'grf_up_{side}'] = np.full(100, 350.0)
        estimate[f'angle_knee_angle_{side}'] = np.zeros(100)
    numbers = gait_numbers(estimate, mass_kg=70.0)
    assert numbers.strides == 0
    assert np.isnan(numbers.cadence_steps_min)
