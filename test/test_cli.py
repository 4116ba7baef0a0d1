# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Use the command line as a person does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run, write_model
from made_recordings import RECORDINGS, swinging, write_trial

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.reference import load_reference
from sspinnpose_ros.cli.main import sspinnpose
from sspinnpose_ros.cli.simulate import SimulationConfig, simulate_to_bag
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SENSORS
from sspinnpose_ros.core.model_file import Model, default_model_path, load_model
from sspinnpose_ros.core.subject import load_subject
from sspinnpose_ros.evaluation.accuracy_table import BEGIN, END
from sspinnpose_ros.evaluation.peer_dynamics import ENGINES

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

recordings = pytest.mark.skipif(
    not RECORDINGS.exists(), reason=f'{RECORDINGS} with recorded trials is not there'
)
shipped = pytest.mark.skipif(
    not default_model_path().exists(), reason='no model is shipped in this checkout'
)


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp('model') / 'model')


@pytest.fixture(scope='module')
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('simulated') / 'trial'
    config = SimulationConfig(seconds=8.0, standing_s=2.0, iterations=60, rate_hz=50.0)
    simulate_to_bag(folder, config=config)
    return folder


def test_help_is_there_for_every_command_and_option() -> None:
    for name, command in sspinnpose.commands.items():
        assert command.help, name
        for parameter in command.params:
            if parameter.param_type_name == 'option':
                assert parameter.help, f'{name} {parameter.opts}'


def test_help_prints_before_anything_heavy_is_imported() -> None:
    program = (
        'import sys, sspinnpose_ros.cli.main; '
        'print([m for m in ("numpy", "torch", "scipy", "rosbags", "rclpy") if m in sys.modules])'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.stdout.strip() == '[]', done.stdout + done.stderr


def test_estimate_then_evaluate(
    tmp_path: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial = write_trial(tmp_path / 'trial')
    out = tmp_path / 'out'
    done = run(monkeypatch, capsys, 'estimate', trial, '--model', model, '-o', out)
    assert done.code == 0, done.err
    assert done.err == ''
    assert 'times real time' in done.out
    assert sorted(path.name for path in out.iterdir()) == ['bag', 'estimate.npz', 'subject.yaml']
    estimate = load_reference(out / 'estimate.npz')
    assert len(estimate['time']) == 600
    estimate['angle_hip_flexion_r'] = estimate['angle_hip_flexion_r'] + np.deg2rad(3.0)
    np.savez(tmp_path / 'reference.npz', **estimate)
    scores = tmp_path / 'scores.json'
    done = run(monkeypatch, capsys, 'evaluate', out, tmp_path / 'reference.npz', '--json', scores)
    assert done.code == 0, done.err
    assert 'hip_flexion_r' in done.out
    found = json.loads(scores.read_text())
    assert found['angle_rmsd_deg'] == pytest.approx(3.0 / 6, abs=1e-4)
    assert found['moment_rmsd_bwbh'] == pytest.approx(0.0, abs=1e-9)
    assert found['mass_kg'] == 70.0


def test_an_earlier_result_is_replaced_on_demand(
    tmp_path: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=2.0))
    command = ('estimate', trial, '--model', model, '-o', tmp_path / 'out')
    assert run(monkeypatch, capsys, *command).code == 0
    first = (tmp_path / 'out' / 'estimate.npz').stat().st_ino
    assert run(monkeypatch, capsys, *command).code == 2
    assert run(monkeypatch, capsys, *command, '--overwrite').code == 0
    assert (tmp_path / 'out' / 'estimate.npz').stat().st_ino != first
    assert sorted(path.name for path in tmp_path.iterdir()) == ['out', 'trial']


def test_some_sensors_suffice(
    tmp_path: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    worn = ('thigh_r', 'foot_r', 'thigh_l', 'foot_l')
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=2.0, sensors=worn))
    for chosen in ('feet+thighs', 'foot_l,foot_r,thigh_l,thigh_r'):
        out = tmp_path / chosen
        command = ('estimate', trial, '--model', model, '--sensors', chosen, '-o', out)
        done = run(monkeypatch, capsys, *command)
        assert done.code == 0, done.err
        present = load_reference(out / 'estimate.npz')['present']
        assert present.all(0).tolist() == [sensor in worn for sensor in SENSORS]
    done = run(monkeypatch, capsys, *command[:-4], '--sensors', 'wrist', '-o', tmp_path / 'no')
    assert done.code == 2
    assert "'wrist' is no sensor" in done.err


def test_topics_can_be_named(
    tmp_path: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    series = swinging(seconds=2.0)
    trial = write_trial(tmp_path / 'trial', series=series, topics={'pelvis': '/mti/0/imu'})
    command = ('estimate', trial, '--model', model, '-o', tmp_path / 'out')
    assert run(monkeypatch, capsys, *command).code == 2
    assert run(monkeypatch, capsys, *command, '--topic', 'pelvis=mti/0/imu').code == 0


def test_simulated_trials_obey_gravity_and_bring_the_truth(simulated: Path) -> None:
    reference = load_reference(simulated / 'reference.npz')
    subject = load_subject(simulated / 'subject.yaml')
    with open_imu_bag(simulated / 'bag') as bag:
        series = bag.series()
    assert subject.sensor_axes == 'aligned'
    assert {f'{kind}_{joint}' for kind in ('angle', 'moment') for joint in JOINTS} <= set(
        reference
    )
    standing = reference['time'] < 1.9
    for sensor in SENSORS:
        assert len(series[sensor].stamp_s) == 400
        force = series[sensor].sample[standing[: len(series[sensor].sample)], :3].mean(0)
        assert np.linalg.norm(force) == pytest.approx(GRAVITY, abs=0.6)
        assert force[1] > 9.0
    weight = subject.mass_kg * GRAVITY
    load = reference['grf_up_r'] + reference['grf_up_l']
    np.testing.assert_allclose(load[standing], weight, rtol=1e-5)
    blend = (reference['time'] > 2.01) & (reference['time'] < 2.75)
    assert np.isnan(load[blend]).all()
    assert np.isfinite(reference['angle_knee_angle_l']).all()


def test_a_seed_gives_the_same_recording(simulated: Path, tmp_path: Path) -> None:
    config = SimulationConfig(seconds=8.0, standing_s=2.0, iterations=60, rate_hz=50.0)
    simulate_to_bag(tmp_path / 'again', config=config)
    with open_imu_bag(simulated / 'bag') as one, open_imu_bag(tmp_path / 'again' / 'bag') as other:
        first, second = one.series(), other.series()
    for sensor in SENSORS:
        np.testing.assert_array_equal(first[sensor].sample, second[sensor].sample)


def test_training_gets_recordings_in_segment_axes(
    tmp_path: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=3.0))
    asked: dict[str, Any] = {}

    def train(**options: Any) -> Model:
        asked.update(options)
        options['progress']('training', 5, 10, 'loss 1.00')
        return load_model(model)

    monkeypatch.setattr('sspinnpose_ros.training.train.train', train)
    command = ('train', trial, '--from', model, '--seed', 3, '--iterations', 10)
    done = run(monkeypatch, capsys, *command, '-o', tmp_path / 'new')
    assert done.code == 0, done.err
    assert 'training: 5 of 10 loss 1.00' in done.err
    assert (asked['config'].seed, asked['config'].iterations) == (3, 10)
    assert asked['output'] == tmp_path / 'new'
    assert asked['initial'].hidden == 8
    (recording,) = asked['recordings']
    assert recording.sagittal.shape == (300, 7, 3)
    assert recording.present.all()
    np.testing.assert_allclose(recording.sagittal[:, :, 1].mean(0), 9.6, atol=0.3)
    assert float(recording.body.mass_kg) == 70.0


def test_bench_prints_ratios(
    tmp_path: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    command = ('bench', '--model', model, '--repeats', 20, '--seconds', 5, '--no-training')
    done = run(monkeypatch, capsys, *command, '--json', tmp_path / 'bench.json')
    assert done.code == 0, done.err
    assert 'streaming step' in done.out
    found = json.loads((tmp_path / 'bench.json').read_text())
    assert found['step_p99_ms'] >= found['step_p50_ms'] > 0.0
    assert found['ratio_step_to_numpy_network'] > 0.0
    assert found['offline_realtime_factor'] > 1.0
    assert found['dynamics_numpy_p50_ms'] > 0.0
    for engine in ENGINES:
        assert (f'dynamics_{engine.name.lower()}_p50_ms' in found) == engine.installed
        assert (f'pip install {engine.package}' in done.out) != engine.installed


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_estimate_leaves_nothing(
    tmp_path: Path, model: Path, number: signal.Signals, code: int
) -> None:
    trial = write_trial(tmp_path / 'trial')
    out = tmp_path / 'out'
    command = ('estimate', trial, '--model', model, '--realtime-factor', '0.5', '-o', out)
    process = subprocess.Popen(
        [
            sys.executable,
            '-c',
            'from sspinnpose_ros.cli.main import main; main()',
            *map(str, command),
        ],
        cwd=Path(__file__).parents[1],
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60.0
    while process.poll() is None and time.monotonic() < until:
        if list(tmp_path.glob('.out.*/out/bag/*')):
            break
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert 'Traceback' not in err
    assert [path.name for path in tmp_path.iterdir()] == ['trial']


@recordings
def test_a_recorded_walk_is_calibrated_estimated_and_scored(
    tmp_path: Path, model: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial, out = RECORDINGS / 'treadmill_stiff_knee_b', tmp_path / 'out'
    calibration = tmp_path / 'calibration.yaml'
    done = run(monkeypatch, capsys, 'calibrate', trial, '-o', calibration)
    assert done.code == 0, done.err
    assert done.out.startswith('Calibration ')
    command = ('estimate', trial, '--model', model, '--calibration', calibration, '-o', out)
    done = run(monkeypatch, capsys, *command)
    assert done.code == 0, done.err
    assert 'calibrated from this recording' not in done.out
    done = run(monkeypatch, capsys, 'evaluate', out, trial / 'reference.npz')
    assert done.code == 0, done.err
    assert 'angle [deg]: no reference' in done.out


@recordings
@shipped
def test_the_shipped_model_keeps_its_accuracy(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial, out = RECORDINGS / 'overground_walk_p1', tmp_path / 'out'
    done = run(monkeypatch, capsys, 'estimate', trial, '-o', out)
    assert done.code == 0, done.err
    scores = tmp_path / 'scores.json'
    done = run(monkeypatch, capsys, 'evaluate', out, trial, '--json', scores)
    assert done.code == 0, done.err
    found = json.loads(scores.read_text())
    assert found['angle_rmsd_deg'] <= 6.0
    assert found['moment_rmsd_bwbh'] <= 2.5
    assert found['grf_rmsd_bw'] <= 15.0


@recordings
@shipped
@pytest.mark.slow
def test_every_recorded_trial_is_scored_into_the_docs(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    document = tmp_path / 'accuracy.md'
    document.write_text(f'# Accuracy\n\n{BEGIN}\n{END}\n\nmore\n')
    done = run(monkeypatch, capsys, 'accuracy', RECORDINGS, '--docs', document)
    assert done.code == 0, done.err
    text = document.read_text()
    for trial in RECORDINGS.glob('*/bag'):
        assert f'`{trial.parent.name}`' in text
    assert text.endswith(f'{END}\n\nmore\n')


@pytest.mark.parametrize('number', ['nan', 'inf'])
@pytest.mark.parametrize(
    'words',
    [
        ('simulate', '--speed'),
        ('simulate', '--seconds'),
        ('simulate', '--standing'),
        ('simulate', '--rate-hz'),
        ('estimate', 'BAG', '--realtime-factor'),
        ('evaluate', 'OUT', 'REFERENCE.npz', '--skip-seconds'),
        ('bench', '--seconds'),
        ('demo', '--seconds'),
        ('demo', '--speed'),
    ],
    ids=' '.join,
)
def test_numbers_that_are_not_finite_are_refused(
    words: tuple[str, ...],
    number: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = ('-o', tmp_path / 'out') if words[0] in ('simulate', 'estimate', 'demo') else ()
    done = run(monkeypatch, capsys, *words, number, *output)
    assert done.code == 2, done
    assert words[-1] in done.err
    assert not (tmp_path / 'out').exists()


def test_more_standing_than_there_is_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ('--standing', 10, '--seconds', 5, '-o', tmp_path / 'out')
    done = run(monkeypatch, capsys, 'simulate', *options)
    assert done.code == 2, done
    assert '10 s of standing do not fit into 5 s' in done.err
