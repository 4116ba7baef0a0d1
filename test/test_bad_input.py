# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every mistake ends with one sentence, a non-zero exit and nothing left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import Finished, run, write_model
from made_recordings import SUBJECT, restamp_bag, swinging, write_text_bag, write_trial

from sspinnpose_ros.bags.imu_bag import ImuSeries
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS

Run = Callable[..., Finished]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., None]:
    """Run a command and check how it refuses."""

    def check(words: str, *arguments: object) -> None:
        before = tree(tmp_path)
        finished = run(monkeypatch, capsys, *arguments)
        assert finished.code == 2, finished
        lines = finished.err.splitlines()
        assert len(lines) == 1, finished.err
        sentence = lines[0].removeprefix('Error: ')
        assert sentence != lines[0]
        assert sentence.endswith('.')
        assert not re.search(r'[.!?]\s+[A-Z]', sentence), sentence
        assert re.search(words, sentence), sentence
        assert tree(tmp_path) == before

    return check


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / 'model')


def tree(folder: Path) -> dict[str, int]:
    """Return every path below a folder with its size."""
    return {
        str(path.relative_to(folder)): path.stat().st_size if path.is_file() else -1
        for path in folder.rglob('*')
    }


def changed(change: Callable[[np.ndarray], None], *, seconds: float = 6.0) -> dict[str, ImuSeries]:
    """Return the swinging wearer's series with every (T, 6) sample array changed in place."""
    series = {}
    for sensor, measured in swinging(seconds=seconds).items():
        sample = measured.sample.copy()
        change(sample)
        series[sensor] = replace(measured, sample=sample)
    return series


def in_degrees(sample: np.ndarray) -> None:
    sample[:, 3:] = np.rad2deg(sample[:, 3:])


def in_g(sample: np.ndarray) -> None:
    sample[:, :3] /= GRAVITY


def without_gravity(sample: np.ndarray) -> None:
    sample[:, :3] -= sample[:, :3].mean(0)
    sample[:, :3] *= 0.05


def with_nan(sample: np.ndarray) -> None:
    sample[300, 4] = np.nan


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (in_degrees, r'pelvis turns at up to \d+, expected less than .*rad/s.*6 more'),
        (in_g, r'expected about 9\.81 m/s\^2: this looks like g; publish'),
        (without_gravity, r'gravity seems to have been removed; publish'),
        (with_nan, r'1 of the first \d+ samples of pelvis .*are NaN or infinite, expected finite'),
    ],
)
@pytest.mark.parametrize('command', ['estimate', 'calibrate'])
def test_implausible_signals(
    tmp_path: Path,
    model: Path,
    refused: Callable[..., None],
    change: Callable[[np.ndarray], None],
    words: str,
    command: str,
) -> None:
    trial = write_trial(tmp_path / 'trial', series=changed(change))
    options = ['--model', model] if command == 'estimate' else []
    refused(words, command, trial, *options, '-o', tmp_path / 'out')


def test_nan_can_be_skipped_on_demand(
    tmp_path: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trial = write_trial(tmp_path / 'trial', series=changed(with_nan))
    out = tmp_path / 'out'
    finished = run(
        monkeypatch, capsys, 'estimate', trial, '--model', model, '--skip-bad-samples', '-o', out
    )
    assert finished.code == 0, finished.err
    with np.load(out / 'estimate.npz') as estimate:
        assert np.isfinite(estimate['angle_hip_flexion_r']).all()


def test_missing_topic(tmp_path: Path, model: Path, refused: Callable[..., None]) -> None:
    worn = tuple(sensor for sensor in SENSORS if sensor != 'shank_l')
    trial = write_trial(tmp_path / 'trial', series=swinging(sensors=worn))
    refused(
        r'no messages of shank_l .*expected /imu/shank_l/data_raw; name',
        *('estimate', trial, '--model', model, '-o', tmp_path / 'out'),
    )


def moved(offset_s: float, sensors: tuple[str, ...], *, seconds: float) -> dict[str, ImuSeries]:
    """Return the swinging wearer's series with the stamps of some sensors moved."""
    return {
        sensor: replace(one, stamp_s=one.stamp_s + offset_s * (sensor in sensors))
        for sensor, one in swinging(seconds=seconds).items()
    }


@pytest.mark.parametrize('command', ['estimate', 'calibrate'])
@pytest.mark.parametrize(
    ('offset_s', 'sensors', 'words'),
    [
        (3600.0, ('foot_l',), r'stamps of foot_l are 3600 s ahead of those of the other sensors'),
        (-3600.0, ('pelvis',), r'stamps of pelvis are 3600 s behind those of the other sensors'),
        (50.0, ('thigh_l', 'foot_l'), r'stamps of thigh_l, foot_l are 50 s ahead of'),
    ],
)
def test_another_clock(
    tmp_path: Path,
    model: Path,
    refused: Callable[..., None],
    command: str,
    offset_s: float,
    sensors: tuple[str, ...],
    words: str,
) -> None:
    trial = write_trial(tmp_path / 'trial', series=moved(offset_s, sensors, seconds=20.0))
    options = ['--model', model] if command == 'estimate' else []
    refused(f'{words}.*synchronize', command, trial, *options, '-o', tmp_path / 'out')


@pytest.mark.parametrize('offset_s', [3600, -5])
@pytest.mark.parametrize('command', ['estimate', 'calibrate'])
def test_another_clock_in_messages_that_came_together(
    tmp_path: Path, model: Path, refused: Callable[..., None], command: str, offset_s: int
) -> None:
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=20.0))
    moved = tmp_path / 'moved'
    restamp_bag(trial / 'bag', moved, topic='/imu/foot_l/data_raw', offset_s=offset_s)
    options = ['--model', model] if command == 'estimate' else []
    refused(
        rf'stamps of foot_l are {abs(offset_s)}(\.\d+)? s (ahead|behind).*other sensors',
        *(command, moved, '--subject', trial / 'subject.yaml', *options, '-o', tmp_path / 'out'),
    )


@pytest.mark.parametrize(
    ('rate_hz', 'command', 'words'),
    [
        (9.0, 'estimate', r'pelvis, .*, foot_l sampled at 9 Hz, expected at least 12 Hz'),
        (20.0, 'calibrate', r'pelvis, .*, foot_l sampled at 20 Hz, expected at least 25 Hz'),
    ],
)
def test_slow_sensors(
    tmp_path: Path,
    model: Path,
    refused: Callable[..., None],
    rate_hz: float,
    command: str,
    words: str,
) -> None:
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=20.0, rate_hz=rate_hz))
    options = ['--model', model] if command == 'estimate' else []
    refused(f'{words}.*raise the rate', command, trial, *options, '-o', tmp_path / 'out')


def stuck(seconds: float) -> dict[str, ImuSeries]:
    series = swinging(seconds=8.0)
    sample = series['foot_r'].sample.copy()
    sample[100 : 101 + round(100 * seconds)] = sample[100]
    return {**series, 'foot_r': replace(series['foot_r'], sample=sample)}


def test_a_stuck_sensor(
    tmp_path: Path,
    model: Path,
    refused: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trial = write_trial(tmp_path / 'long', series=stuck(6.0))
    words = r'foot_r repeated the same values for 6\.0 s, expected .*--sensors'
    refused(words, 'estimate', trial, '--model', model, '-o', tmp_path / 'out')
    refused(words, 'calibrate', trial, '-o', tmp_path / 'out')
    trial = write_trial(tmp_path / 'short', series=stuck(2.0))
    finished = run(
        monkeypatch, capsys, 'estimate', trial, '--model', model, '-o', tmp_path / 'out'
    )
    assert finished.code == 0
    assert 'foot_r repeated the same values for 2.0 s' in finished.out


def test_bag_without_imu_messages(
    tmp_path: Path, model: Path, refused: Callable[..., None]
) -> None:
    write_text_bag(tmp_path / 'text')
    (tmp_path / 'subject.yaml').write_text(SUBJECT)
    named = ('--subject', tmp_path / 'subject.yaml')
    for command in ('estimate', 'calibrate'):
        refused(
            r'holds no sensor_msgs/msg/Imu messages but /chatter',
            *(command, tmp_path / 'text', *named, '-o', tmp_path / 'out'),
            *(('--model', model) if command == 'estimate' else ()),
        )
        refused(
            r'holds no sensor_msgs/msg/Imu messages but /chatter',
            *(command, tmp_path / 'text', '-o', tmp_path / 'out'),
        )
    refused('no sensor_msgs/msg/Imu', 'train', tmp_path / 'text', *named, '-o', tmp_path / 'new')


def test_missing_files(tmp_path: Path, model: Path, refused: Callable[..., None]) -> None:
    trial = write_trial(tmp_path / 'trial')
    none, out = tmp_path / 'none', tmp_path / 'out'
    with_model = ('--model', model, '-o', out)
    given = ('--subject', trial / 'subject.yaml')
    refused('none does not exist', 'estimate', none, *given, *with_model)
    refused('none does not exist', 'estimate', trial, '--subject', none, *with_model)
    refused('none does not exist', 'estimate', trial, '--calibration', none, *with_model)
    refused('comes without a subject', 'estimate', trial / 'bag', *with_model)
    refused('no model can be read at .*none', 'estimate', trial, '--model', none, '-o', out)
    for command in ('estimate', 'calibrate', 'train'):
        refused('none does not exist, expected a rosbag2', command, none, '-o', out)
    refused('none does not exist', 'calibrate', none, *given, '-o', out)
    refused('none does not exist', 'train', none, *given, '-o', out)
    refused('none', 'train', '--from', none, '-o', out)
    refused('none does not exist', 'evaluate', none, trial / 'reference.npz')
    refused('no model can be read at .*none', 'bench', '--model', none)
    refused('holds no trial folders', 'accuracy', none)


@pytest.mark.parametrize(
    ('file', 'content', 'words'),
    [
        ('model.json', 'nonsense', r'model\.json'),
        ('model.json', '{"sensors": []}', 'model'),
        ('weights.safetensors', 'nonsense', 'sha256'),
    ],
)
def test_unreadable_model(
    tmp_path: Path,
    model: Path,
    refused: Callable[..., None],
    file: str,
    content: str,
    words: str,
) -> None:
    (model / file).write_text(content)
    trial = write_trial(tmp_path / 'trial')
    refused(words, 'estimate', trial, '--model', model, '-o', tmp_path / 'out')


def test_model_for_other_sensors(
    tmp_path: Path, model: Path, refused: Callable[..., None]
) -> None:
    description = json.loads((model / 'model.json').read_text())
    description['sensors'] = ['wrist']
    (model / 'model.json').write_text(json.dumps(description))
    trial = write_trial(tmp_path / 'trial')
    refused(
        r"made for the sensors \['wrist'\], expected pelvis",
        *('estimate', trial, '--model', model, '-o', tmp_path / 'out'),
    )


def test_mass_zero(tmp_path: Path, model: Path, refused: Callable[..., None]) -> None:
    trial = write_trial(tmp_path / 'trial', subject=SUBJECT.replace('70.0', '0'))
    for command in ('estimate', 'calibrate', 'train'):
        refused(
            r'mass_kg is 0, expected a body mass between',
            *(command, trial, '-o', tmp_path / 'out'),
            *(('--model', model) if command == 'estimate' else ()),
        )
    refused('mass_kg is 0', 'simulate', '--mass', '0', '-o', tmp_path / 'out')


def test_taken_outputs(tmp_path: Path, model: Path, refused: Callable[..., None]) -> None:
    trial = write_trial(tmp_path / 'trial')
    taken = tmp_path / 'taken'
    taken.mkdir()
    (taken / 'thesis.txt').write_text('years of work')
    words = 'taken exists, expected a free place'
    refused(words, 'estimate', trial, '--model', model, '-o', taken)
    refused(words, 'simulate', '-o', taken)
    refused(words, 'train', '-o', taken)
    refused('thesis.txt exists', 'calibrate', trial, '-o', taken / 'thesis.txt')
    refused(
        'holds thesis.txt, expected an earlier result',
        *('estimate', trial, '--model', model, '--overwrite', '-o', taken),
    )
    assert (taken / 'thesis.txt').read_text() == 'years of work'


def test_unwritable_outputs(tmp_path: Path, model: Path, refused: Callable[..., None]) -> None:
    trial = write_trial(tmp_path / 'trial')
    below_a_file = trial / 'subject.yaml' / 'out'
    refused('cannot be written', 'estimate', trial, '--model', model, '-o', below_a_file)
    refused('cannot be written', 'calibrate', trial, '-o', below_a_file)
    refused('cannot be written', 'simulate', '-o', below_a_file)
    refused('cannot be written', 'train', '-o', below_a_file)


def test_standing_still_cannot_be_calibrated(tmp_path: Path, refused: Callable[..., None]) -> None:
    def still(sample: np.ndarray) -> None:
        sample[:, 3:] *= 0.001
        sample[:, :3] = [0.0, GRAVITY, 0.0]
        sample += np.random.default_rng(0).normal(scale=0.001, size=sample.shape)

    trial = write_trial(tmp_path / 'trial', series=changed(still, seconds=8.0))
    refused('walk at least ten strides', 'calibrate', trial, '-o', tmp_path / 'calibration.yaml')


def test_unreadable_calibration(tmp_path: Path, model: Path, refused: Callable[..., None]) -> None:
    trial = write_trial(tmp_path / 'trial')
    (tmp_path / 'calibration.yaml').write_text('rotation: [1, 2]')
    refused(
        'calibrate',
        *('estimate', trial, '--model', model, '-o', tmp_path / 'out'),
        *('--calibration', tmp_path / 'calibration.yaml'),
    )


def test_references_that_do_not_fit(tmp_path: Path, refused: Callable[..., None]) -> None:
    (tmp_path / 'subject.yaml').write_text(SUBJECT)
    time = np.arange(0.0, 10.0, 0.01)
    np.savez(tmp_path / 'a.npz', time=time, angle_knee_angle_r=np.zeros_like(time))
    np.savez(tmp_path / 'b.npz', time=time + 100.0, angle_knee_angle_r=np.zeros_like(time))
    np.savez(tmp_path / 'c.npz', time=time[::-1], angle_knee_angle_r=np.zeros_like(time))
    (tmp_path / 'd.npz').write_text('no archive')
    refused('share no finite angle', 'evaluate', tmp_path / 'a.npz', tmp_path / 'b.npz')
    refused('no rising array', 'evaluate', tmp_path / 'a.npz', tmp_path / 'c.npz')
    refused('cannot be read', 'evaluate', tmp_path / 'a.npz', tmp_path / 'd.npz')
    (tmp_path / 'subject.yaml').unlink()
    refused('no subject.yaml beside', 'evaluate', tmp_path / 'a.npz', tmp_path / 'a.npz')


def test_a_document_without_markers(tmp_path: Path, refused: Callable[..., None]) -> None:
    (tmp_path / 'accuracy.md').write_text('# Accuracy')
    refused('lacks the markers', 'accuracy', tmp_path, '--docs', tmp_path / 'accuracy.md')


def test_too_few_sensors(tmp_path: Path, model: Path, refused: Callable[..., None]) -> None:
    trial = write_trial(tmp_path / 'trial')
    refused(
        r'not a single estimate \(too few sensors: at least 3 needed',
        *('estimate', trial, '--model', model, '--sensors', 'foot_r,foot_l'),
        *('-o', tmp_path / 'out'),
    )
