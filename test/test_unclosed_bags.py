# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read what `ros2 bag record` leaves behind: splits, compression, and files it never closed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rosbags')

from command_line import run, write_model
from made_recordings import copy_bag, swinging, write_trial
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.mcap_recovery import is_cut_off
from sspinnpose_ros.core.errors import RecordingError

Rows = list[tuple[str, float, list[float], float]]
KINDS = [
    (storage, mode)
    for storage in StoragePlugin
    for mode in CompressionMode
    if (storage, mode) != (StoragePlugin.SQLITE3, CompressionMode.STORAGE)
]
each_kind = pytest.mark.parametrize(('storage', 'mode'), KINDS)


@pytest.fixture(scope='module')
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trial(tmp_path_factory.mktemp('recording') / 'trial')


@pytest.fixture(scope='module')
def whole(trial: Path) -> Rows:
    return rows_of(trial / 'bag')[0]


def rows_of(path: Path) -> tuple[Rows, tuple[str, ...]]:
    with open_imu_bag(path) as bag:
        return [(s, t, x.tolist(), a) for s, t, x, a in bag.samples()], bag.remarks


def storage_file(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.name != 'metadata.yaml')


def cut(path: Path, part: float) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: int(part * len(raw))])


def split(source: Path, target: Path, *, storage: StoragePlugin, mode: CompressionMode) -> None:
    """Write two files and one metadata.yaml, as --max-bag-size does."""
    target.mkdir()
    names = []
    for number, span in enumerate((slice(0, 2000), slice(2000, None))):
        part = target.with_name(f'{target.name}_{number}')
        copy_bag(source, part, storage=storage, compression=mode, span=span)
        names.append(storage_file(part).name)
        shutil.copy(storage_file(part), target)
    metadata = yaml.safe_load((part / 'metadata.yaml').read_text())
    metadata['rosbag2_bagfile_information']['relative_file_paths'] = names
    (target / 'metadata.yaml').write_text(yaml.safe_dump(metadata))


@each_kind
def test_split_recordings_read_as_one_with_and_without_metadata(
    trial: Path, whole: Rows, tmp_path: Path, storage: StoragePlugin, mode: CompressionMode
) -> None:
    split(trial / 'bag', tmp_path / 'split', storage=storage, mode=mode)
    assert rows_of(tmp_path / 'split') == (whole, ())
    (tmp_path / 'split' / 'metadata.yaml').unlink()
    assert rows_of(tmp_path / 'split') == (whole, ())


@each_kind
def test_a_folder_without_metadata_reads_alike(
    trial: Path, whole: Rows, tmp_path: Path, storage: StoragePlugin, mode: CompressionMode
) -> None:
    copy_bag(trial / 'bag', tmp_path / 'copy', storage=storage, compression=mode)
    (tmp_path / 'copy' / 'metadata.yaml').unlink()
    assert rows_of(tmp_path / 'copy') == (whole, ())
    assert rows_of(storage_file(tmp_path / 'copy')) == (whole, ())


@pytest.mark.parametrize(
    'mode', [CompressionMode.NONE, CompressionMode.MESSAGE, CompressionMode.STORAGE]
)
def test_what_is_whole_of_a_cut_mcap_is_read_and_said(
    trial: Path, whole: Rows, tmp_path: Path, mode: CompressionMode
) -> None:
    copy_bag(trial / 'bag', tmp_path / 'copy', compression=mode)
    (tmp_path / 'copy' / 'metadata.yaml').unlink()
    cut(storage_file(tmp_path / 'copy'), 0.6)
    rows, remarks = rows_of(tmp_path / 'copy')
    assert 1000 < len(rows) < len(whole)
    assert rows == whole[: len(rows)]
    assert len(remarks) == 1
    assert f'{len(rows)} messages' in remarks[0]


@pytest.mark.parametrize('part', [0.3, 0.99, 0.99999])
def test_wherever_an_mcap_is_cut_its_beginning_is_read(
    trial: Path, whole: Rows, tmp_path: Path, part: float
) -> None:
    copy_bag(trial / 'bag', tmp_path / 'copy')
    file = storage_file(tmp_path / 'copy')
    assert not is_cut_off(file)
    cut(file, part)
    assert is_cut_off(file)
    rows, remarks = rows_of(file)
    assert len(rows) > 0.9 * part * len(whole)
    assert rows == whole[: len(rows)]
    assert remarks


@pytest.mark.parametrize('length', [0, 5, 8, 12, 40, 120])
def test_an_mcap_without_a_whole_message_is_refused(
    trial: Path, tmp_path: Path, length: int
) -> None:
    copy_bag(trial / 'bag', tmp_path / 'copy')
    file = storage_file(tmp_path / 'copy')
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(RecordingError, match=r'cannot be read .* expected'):
        rows_of(file)


def test_a_last_file_that_holds_nothing_is_left_out(
    trial: Path, whole: Rows, tmp_path: Path
) -> None:
    copy_bag(trial / 'bag', tmp_path / 'walk')
    (tmp_path / 'walk' / 'metadata.yaml').unlink()
    file = storage_file(tmp_path / 'walk')
    file.rename(file.with_name('walk_9.mcap'))
    (tmp_path / 'walk' / 'walk_10.mcap').touch()
    rows, remarks = rows_of(tmp_path / 'walk')
    assert rows == whole
    assert 'walk_10.mcap' in remarks[0]
    assert 'left out' in remarks[0]
    # Any other file that holds nothing was not left by a crash.
    (tmp_path / 'walk' / 'walk_10.mcap').rename(tmp_path / 'walk' / 'walk_2.mcap')
    with pytest.raises(RecordingError, match=r'walk_2\.mcap cannot be read'):
        rows_of(tmp_path / 'walk')


def test_a_database_with_a_log_beside_it_is_not_read_in_part(
    trial: Path, whole: Rows, tmp_path: Path
) -> None:
    copy_bag(trial / 'bag', tmp_path / 'copy', storage=StoragePlugin.SQLITE3)
    (tmp_path / 'copy' / 'metadata.yaml').unlink()
    file = storage_file(tmp_path / 'copy')
    database = sqlite3.connect(file)
    try:
        database.execute('PRAGMA journal_mode=WAL')
        database.execute('UPDATE messages SET timestamp = timestamp')
        database.commit()
        with pytest.raises(RecordingError, match=r'was never closed.*wal_checkpoint'):
            rows_of(tmp_path / 'copy')
        database.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    finally:
        database.close()
    assert rows_of(tmp_path / 'copy') == (whole, ())


def test_commands_say_that_a_file_was_never_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=4.0))
    (trial / 'bag' / 'metadata.yaml').unlink()
    copy_bag(storage_file(trial / 'bag'), tmp_path / 'copy')
    shutil.rmtree(trial / 'bag')
    (tmp_path / 'copy' / 'metadata.yaml').unlink()
    (tmp_path / 'copy').rename(trial / 'bag')
    cut(storage_file(trial / 'bag'), 0.9)
    model = write_model(tmp_path / 'model')
    done = run(monkeypatch, capsys, 'estimate', trial, '--model', model, '-o', tmp_path / 'out')
    assert done.code == 0, done.err
    assert 'was never closed' in done.out


def test_a_huge_claim_costs_no_memory(trial: Path, tmp_path: Path) -> None:
    claim: Callable[[int], bytes] = lambda number: number.to_bytes(8, 'little')  # noqa: E731
    copy_bag(trial / 'bag', tmp_path / 'copy')
    file = storage_file(tmp_path / 'copy')
    raw = bytearray(file.read_bytes())
    place = 8
    while raw[place] != 6:
        place += 9 + int.from_bytes(raw[place + 1 : place + 9], 'little')
    raw[place + 1 : place + 9] = claim(2**62)
    file.write_bytes(raw[: len(raw) // 2])
    rows, remarks = rows_of(file)
    assert rows
    assert remarks
