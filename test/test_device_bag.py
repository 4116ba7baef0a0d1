# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Estimate recordings in which a device was worn, and whose torque was recorded."""

from __future__ import annotations

import math
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from command_line import run, write_model
from made_recordings import ORIGIN_NS, add_joint_states, swinging, write_trial
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.reference import load_reference, net_moments
from sspinnpose_ros.cli.simulate import SimulationConfig, simulate_to_bag
from sspinnpose_ros.core.conventions import JOINTS
from sspinnpose_ros.core.model_file import default_model_path
from sspinnpose_ros.evaluation.metrics import as_json, evaluate

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

SECONDS = 4.0
HIP, KNEE = 'hip_flexion_r', 'knee_angle_l'


def torque_at(time_s: np.ndarray) -> np.ndarray:
    """Return (n, 2) torque along hip and knee, N m."""
    return np.stack([20.0 * np.sin(4.0 * time_s), 7.0 + 12.0 * np.cos(3.0 * time_s)], -1)


@pytest.fixture(scope='module')
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model and a trial without a device."""
    folder = tmp_path_factory.mktemp('device')
    write_model(folder / 'model')
    write_trial(folder / 'trial', series=swinging(seconds=SECONDS))
    return folder


def with_device(
    plain: Path,
    target: Path,
    *,
    names: tuple[str, ...] = (HIP, KNEE),
    until_s: float = SECONDS,
    scale: tuple[float, float] = (1.0, 1.0),
    topic: str = '/exo/joint_states',
) -> Path:
    time = np.arange(0.0, until_s, 1 / 137.0)
    target.mkdir()
    (target / 'subject.yaml').write_text((plain / 'trial' / 'subject.yaml').read_text())
    add_joint_states(
        plain / 'trial' / 'bag',
        target / 'bag',
        topic=topic,
        stamp_ns=(ORIGIN_NS + np.round(1e9 * time).astype(np.int64)).tolist(),
        names=names,
        effort=torque_at(time) * scale,
    )
    return target


def estimated(
    monkeypatch: Patch, capsys: Capture, plain: Path, trial: Path, out: Path, *options: str
) -> tuple[dict[str, np.ndarray], str]:
    done = run(
        monkeypatch, capsys, 'estimate', trial, '--model', plain / 'model', '-o', out, *options
    )
    assert done.code == 0, done.err
    return load_reference(out / 'estimate.npz'), done.out


def test_the_share_lacks_the_torque_and_the_total_is_unchanged(
    plain: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    without, _ = estimated(monkeypatch, capsys, plain, plain / 'trial', tmp_path / 'without')
    assert not any(name.startswith('moment_total_') for name in without)
    trial = with_device(plain, tmp_path / 'trial')
    found, said = estimated(monkeypatch, capsys, plain, trial, tmp_path / 'out')
    assert "person's own: the torque of the device at hip_flexion_r, knee_angle_l" in said
    torque = torque_at(found['time'])
    driven = {HIP: torque[:, 0], KNEE: torque[:, 1]}
    for joint in JOINTS:
        total = found[f'moment_total_{joint}']
        np.testing.assert_array_equal(total, without[f'moment_{joint}'])
        expected = total - driven.get(joint, 0.0)
        # Up to the newest of 137 samples a second, which change by 80 N m/s at most.
        np.testing.assert_allclose(found[f'moment_{joint}'][1:], expected[1:], atol=0.9)
    for name in ('angle_knee_angle_l', 'grf_up_r', 'velocity_hip_flexion_r'):
        np.testing.assert_array_equal(found[name], without[name])
    whole = net_moments(found)
    np.testing.assert_array_equal(whole[f'moment_{HIP}'], without[f'moment_{HIP}'])


def test_the_bag_holds_share_and_total(
    plain: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial = with_device(plain, tmp_path / 'trial')
    columns, _ = estimated(monkeypatch, capsys, plain, trial, tmp_path / 'out')
    store = get_typestore(Stores.ROS2_JAZZY)
    efforts: dict[str, list[np.ndarray]] = {}
    with Reader(tmp_path / 'out' / 'bag') as reader:
        for connection, _, raw in reader.messages():
            if connection.topic.startswith('/human/joint_states'):
                message = store.deserialize_cdr(raw, connection.msgtype)
                efforts.setdefault(connection.topic, []).append(message.effort)
    for topic, kind in (('', 'moment'), ('_total', 'moment_total')):
        values = np.array(efforts[f'/human/joint_states{topic}'])
        expected = np.stack([columns[f'{kind}_{joint}'] for joint in JOINTS], -1)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


def test_names_and_signs_of_the_device_are_translated(
    plain: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    ours = with_device(plain, tmp_path / 'ours')
    theirs = with_device(
        plain, tmp_path / 'theirs', names=('a', 'b'), scale=(-1.0, 0.5), topic='/robot/torque'
    )
    first, _ = estimated(monkeypatch, capsys, plain, ours, tmp_path / 'out_ours')
    options = ('--exo-topic', '/robot/torque')
    options += ('--exo-joint', f'{HIP}=a*-1', '--exo-joint', f'{KNEE}=b*2')
    second, _ = estimated(monkeypatch, capsys, plain, theirs, tmp_path / 'out', *options)
    for joint in JOINTS:
        np.testing.assert_allclose(first[f'moment_{joint}'], second[f'moment_{joint}'], rtol=1e-5)


def test_a_torque_that_ends_early_is_said(
    plain: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial = with_device(plain, tmp_path / 'trial', until_s=2.0)
    found, said = estimated(monkeypatch, capsys, plain, trial, tmp_path / 'out')
    late = found['time'] > 2.15
    assert (found[f'moment_{HIP}'][late] == 0.0).all()
    assert np.isnan(found[f'sigma_moment_{HIP}'][late]).all()
    assert (found['status'][late] == 1).all()
    assert (found['status'][(found['time'] > 1.2) & (found['time'] < 1.9)] == 0).all()
    np.testing.assert_array_equal(
        found['moment_ankle_angle_r'], found['moment_total_ankle_angle_r']
    )
    assert 'a torque of the device was not known' in said


def test_the_device_can_be_left_out(
    plain: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial = with_device(plain, tmp_path / 'trial', names=('left', 'right'))
    found, said = estimated(monkeypatch, capsys, plain, trial, tmp_path / 'out', '--no-exo')
    assert 'torque of the device' not in said
    assert f'moment_total_{HIP}' not in found


@pytest.mark.parametrize(
    ('names', 'scale', 'options', 'words'),
    [
        (('left', 'right'), 1.0, (), 'expected some of hip_flexion_r'),
        ((HIP, KNEE), 1.0, ('--exo-topic', '/nowhere'), 'such topics there: /exo/joint_states'),
        ((HIP, KNEE), 1.0, ('--exo-joint', f'{HIP}=nose'), 'expected nose too'),
        ((HIP, KNEE), 1.0, ('--exo-joint', 'elbow=nose'), 'elbow=nose'),
        ((HIP, KNEE), 1.0, ('--exo-joint', f'{HIP}={HIP}*0'), 'a factor other than 0'),
        ((HIP, KNEE), math.nan, (), 'NaN or infinite, expected N m'),
        ((HIP, KNEE), 1000.0, (), 'check its unit'),
    ],
)
def test_a_device_that_cannot_be_is_refused(
    names: tuple[str, ...],
    scale: float,
    options: tuple[str, ...],
    words: str,
    plain: Path,
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: Capture,
) -> None:
    trial = with_device(plain, tmp_path / 'trial', names=names, scale=(scale, scale))
    command = ('estimate', trial, '--model', plain / 'model', '-o', tmp_path / 'out', *options)
    done = run(monkeypatch, capsys, *command)
    assert done.code == 2
    assert words in done.err
    assert not (tmp_path / 'out').exists()


@pytest.mark.skipif(not default_model_path().exists(), reason='no model is shipped here')
def test_a_synthetic_wearer_of_a_known_device(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    config = SimulationConfig(seconds=8.0, iterations=60)
    simulate_to_bag(tmp_path / 'plain', config=config)
    reference = load_reference(tmp_path / 'plain' / 'reference.npz')
    with open_imu_bag(tmp_path / 'plain' / 'bag') as bag:
        origin_ns = bag.origin_ns
    # It takes a third of what the person would have to do, 60 ms late.
    time = reference['time']
    torque = np.stack(
        [np.interp(time - 0.06, time, 0.3 * reference[f'moment_{j}']) for j in JOINTS], -1
    )
    copytree(tmp_path / 'plain', tmp_path / 'worn')
    bag_path = tmp_path / 'worn' / 'bag'
    bag_path.rename(tmp_path / 'moved')
    add_joint_states(
        tmp_path / 'moved',
        bag_path,
        topic='/exo/joint_states',
        stamp_ns=(origin_ns + np.round(1e9 * time).astype(np.int64)).tolist(),
        names=JOINTS,
        effort=torque,
        delay_ns=0,
    )
    results = {}
    for name in ('plain', 'worn'):
        done = run(
            monkeypatch, capsys, 'estimate', tmp_path / name, '-o', tmp_path / f'out_{name}'
        )
        assert done.code == 0, done.err
        results[name] = load_reference(tmp_path / f'out_{name}' / 'estimate.npz')
    for joint, applied in zip(JOINTS, torque.T, strict=True):
        total = results['worn'][f'moment_total_{joint}']
        np.testing.assert_array_equal(total, results['plain'][f'moment_{joint}'])
        there = np.interp(results['worn']['time'], time, applied)
        share = results['worn'][f'moment_{joint}']
        # Within what the torque can change by in a period of the device.
        change = np.abs(np.diff(applied)).max() + 1e-3
        np.testing.assert_allclose(share[2:], (total - there)[2:], atol=change)
        own = np.interp(results['worn']['time'], time, reference[f'moment_{joint}'] - applied)
        both = np.interp(results['worn']['time'], time, reference[f'moment_{joint}'])
        error, error_total = (share - own)[300:], (total - both)[300:]
        assert np.sqrt(np.mean(error**2)) <= np.sqrt(np.mean(error_total**2)) + change
    scores = [
        as_json(
            evaluate(
                estimate=net_moments(results[name]),
                reference=reference,
                mass_kg=75.0,
                height_m=1.75,
            )
        )['moment_rmsd_bwbh']
        for name in ('plain', 'worn')
    ]
    assert scores[0] == scores[1]
