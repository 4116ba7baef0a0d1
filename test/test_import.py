# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make recordings of CSV and NPZ files, as loggers, vendors and spreadsheets write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rosbags')

from command_line import Finished, run
from hypothesis import given
from hypothesis import strategies as st
from made_recordings import swinging

from sspinnpose_ros.bags.column_names import Column, read_column
from sspinnpose_ros.bags.imu_bag import ImuSeries, open_imu_bag
from sspinnpose_ros.bags.sensor_table import read_table
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import TableError
from sspinnpose_ros.core.subject import load_subject

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

SIX = tuple(f'{kind}_{axis}' for kind in ('acc', 'gyr') for axis in 'xyz')


@pytest.fixture
def series() -> dict[str, ImuSeries]:
    return swinging(seconds=4.0)


class Importer:
    """Run `sspinnpose import` in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: Patch, capsys: Capture) -> None:
        self.folder = folder
        self._given = (monkeypatch, capsys)

    def __call__(self, *arguments: object) -> Finished:
        return run(*self._given, 'import', '-o', self.folder / 'trial', *arguments)

    def refused(self, words: str, *arguments: object) -> None:
        before = sorted(self.folder.rglob('*'))
        done = self(*arguments)
        assert done.code == 2, done
        assert words in done.err
        assert len(done.err.splitlines()) == 1
        assert sorted(self.folder.rglob('*')) == before

    def measured(self, **options: object) -> dict[str, ImuSeries]:
        with open_imu_bag(self.folder / 'trial' / 'bag', **options) as bag:  # type: ignore[arg-type]
            return bag.series()


@pytest.fixture
def importer(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> Importer:
    return Importer(tmp_path, monkeypatch, capsys)


def write_csv(
    path: Path,
    columns: Mapping[str, np.ndarray],
    *,
    delimiter: str = ',',
    decimal: str = '.',
    head: str = '',
) -> Path:
    rows = zip(*columns.values(), strict=True)
    lines = [delimiter.join(columns)]
    lines += [
        delimiter.join(f'{float(value):.9g}'.replace('.', decimal) for value in row)
        for row in rows
    ]
    path.write_text(head + '\n'.join(lines) + '\n')
    return path


def columns_of(one: ImuSeries, *, prefix: str = '') -> dict[str, np.ndarray]:
    return {f'{prefix}{name}': values for name, values in zip(SIX, one.sample.T, strict=True)}


def assert_same(found: Mapping[str, ImuSeries], wanted: Mapping[str, ImuSeries]) -> None:
    assert set(found) == set(wanted)
    for sensor, one in wanted.items():
        np.testing.assert_allclose(found[sensor].stamp_s, one.stamp_s, atol=2e-6)
        np.testing.assert_allclose(found[sensor].sample, one.sample, atol=1e-6)


def test_one_file_a_sensor_named_after_it(
    importer: Importer, series: dict[str, ImuSeries]
) -> None:
    files = [
        write_csv(importer.folder / f'{s}.csv', {'time': one.stamp_s, **columns_of(one)})
        for s, one in series.items()
    ]
    done = importer(*files, '--mass', 70, '--height', 1.75)
    assert done.code == 0, done.err
    assert_same(importer.measured(), series)
    subject = load_subject(importer.folder / 'trial' / 'subject.yaml')
    assert (subject.mass_kg, subject.height_m, subject.sensor_axes) == (70.0, 1.75, 'unknown')


def test_one_wide_file_with_semicolons_and_decimal_commas(
    importer: Importer, series: dict[str, ImuSeries]
) -> None:
    words = {'r': 'Right', 'l': 'Left', 's': ''}
    columns = {'Time (ms)': 1e3 * series['pelvis'].stamp_s}
    for sensor, one in series.items():
        name = f'{words[sensor[-1]]} {sensor.split("_")[0].title()}'.strip()
        for row, (kind, unit) in enumerate((('Acc', 'g'), ('Gyro', 'deg/s'))):
            for axis in range(3):
                scale = (1.0 / 9.81, 180.0 / np.pi)[row]
                columns[f'{name} {kind} {"XYZ"[axis]} ({unit})'] = (
                    scale * one.sample[:, 3 * row + axis]
                )
    file = write_csv(importer.folder / 'walk.csv', columns, delimiter=';', decimal=',')
    done = importer(file)
    assert done.code == 0, done.err
    assert '--subject' in done.out
    assert_same(importer.measured(), series)


@pytest.mark.parametrize('tick_s', [1e-4, 1e-6])
def test_exports_of_xsens(importer: Importer, series: dict[str, ImuSeries], tick_s: float) -> None:
    files = []
    for number, (sensor, one) in enumerate(series.items()):
        count = np.arange(len(one.stamp_s))
        ticks = (np.round(one.stamp_s / tick_s) + 2**32 - 1000) % 2**32
        names = [f'{kind}_{axis}' for kind in ('Acc', 'Gyr') for axis in 'XYZ']
        columns = {
            'PacketCounter': (count + 65500) % 65536,
            'SampleTimeFine': ticks,
            **dict(zip(names[:3], one.sample.T[:3], strict=True)),
            **{f'FreeAcc_{axis}': 0.0 * count for axis in 'ENU'},
            **dict(zip(names[3:], one.sample.T[3:], strict=True)),
            'Roll': 0.0 * count,
        }
        path = importer.folder / f'MT_0120{number}-000.txt'
        write_csv(path, columns, delimiter='\t', head='// Start Time: Unknown\n// Filter: human\n')
        rows = path.read_text().splitlines()
        # Counters are whole numbers, of more digits than the rest needs.
        place = next(k for k, row in enumerate(rows) if row.startswith('PacketCounter')) + 1
        for row, tick in enumerate(ticks):
            fields = rows[place + row].split('\t')
            fields[1] = str(int(tick))
            rows[place + row] = '\t'.join(fields)
        path.write_text('\n'.join(rows))
        files.append(f'{sensor}={path}')
    done = importer(*files)
    assert done.code == 0, done.err
    assert_same(importer.measured(), series)


def test_a_packet_counter_keeps_gaps(tmp_path: Path) -> None:
    count = np.array([65534, 65535, 0, 5])
    signal = {name: np.arange(4.0) for name in SIX}
    file = write_csv(
        tmp_path / 'a.csv', {'PacketCounter': count, **signal}, head='// Update Rate: 100.0Hz\n'
    )
    (sensor,) = read_table(file)
    np.testing.assert_allclose(np.diff(sensor.time_s), [0.01, 0.01, 0.05])
    (sensor,) = read_table(file, rate_hz=50.0)
    np.testing.assert_allclose(np.diff(sensor.time_s), [0.02, 0.02, 0.1])


def test_npz_of_all_sensors(importer: Importer, series: dict[str, ImuSeries]) -> None:
    arrays = {'time': series['pelvis'].stamp_s}
    for sensor, one in series.items():
        arrays |= {f'{sensor}_acc': one.sample[:, :3], f'{sensor}_gyr': one.sample[:, 3:]}
    np.savez(importer.folder / 'walk.npz', **arrays)
    done = importer(importer.folder / 'walk.npz')
    assert done.code == 0, done.err
    assert_same(importer.measured(), series)


def test_a_file_without_a_time_needs_a_rate(
    importer: Importer, series: dict[str, ImuSeries]
) -> None:
    file = write_csv(importer.folder / 'pelvis.csv', columns_of(series['pelvis']))
    importer.refused('tells no time of its samples', file)
    assert importer(file, '--rate-hz', 100).code == 0
    found = importer.measured(sensors=['pelvis'])
    assert_same(found, {'pelvis': series['pelvis']})


def test_rows_without_numbers_are_left_out_and_counted(
    importer: Importer, series: dict[str, ImuSeries]
) -> None:
    one = series['pelvis']
    file = write_csv(importer.folder / 'pelvis.csv', {'time': one.stamp_s, **columns_of(one)})
    lines = file.read_text().splitlines()
    lines[1:1] = ['s,m/s^2,m/s^2,m/s^2,rad/s,rad/s,rad/s']
    lines[50] = lines[50].rsplit(',', 2)[0]
    lines[60] = lines[59]
    file.write_text('\ufeff' + '\r\n'.join(lines[:-1]) + '\r\n' + lines[-1][:9])
    done = importer(file)
    assert done.code == 0, done.err
    assert '3 of 400 rows' in done.out
    assert len(importer.measured(sensors=['pelvis'])['pelvis'].stamp_s) == 397


def test_dates_become_stamps(importer: Importer, series: dict[str, ImuSeries]) -> None:
    one = series['pelvis']
    columns = {'timestamp_us': np.round(1.7e15 + 1e6 * one.stamp_s), **columns_of(one)}
    path = importer.folder / 'pelvis.csv'
    path.write_text(','.join(columns) + '\n')
    with path.open('a') as file:
        for row in zip(*columns.values(), strict=True):
            file.write(','.join(repr(float(value)) for value in row) + '\n')
    assert importer(path).code == 0
    with open_imu_bag(importer.folder / 'trial' / 'bag', sensors=['pelvis']) as bag:
        assert abs(bag.origin_ns - 1_700_000_000 * 10**9) < 1000


def test_unknown_names_are_kept_for_info(importer: Importer, series: dict[str, ImuSeries]) -> None:
    one = series['pelvis']
    file = write_csv(importer.folder / '00B4-12.csv', {'t': one.stamp_s, **columns_of(one)})
    done = importer(file)
    assert done.code == 0, done.err
    assert 'info' in done.out
    topics = {'pelvis': '/imu/sensor_00b4_12/data_raw'}
    with open_imu_bag(importer.folder / 'trial' / 'bag', sensors=['pelvis'], topics=topics) as bag:
        assert bag.message_count() == 400


def test_mistakes_are_sentences_and_leave_nothing(
    importer: Importer, series: dict[str, ImuSeries]
) -> None:
    folder, one = importer.folder, series['shank_r']
    time, signals = {'time': one.stamp_s}, columns_of(one)
    good = write_csv(folder / 'shank_r.csv', {**time, **signals})
    later = write_csv(folder / 'shank_l.csv', {'time': one.stamp_s + 60.0, **signals})
    in_g = {**signals, **{name: signals[name] / 9.81 for name in SIX[:3]}}
    in_deg = {**signals, **{name: 57.3 * signals[name] for name in SIX[3:]}}
    lacking = {name: values for name, values in signals.items() if name != 'gyr_z'}
    (folder / 'text.csv').write_text('hello\nworld\n')
    (folder / 'empty.csv').write_text('')
    (folder / 'head.csv').write_text(','.join(('time', *SIX)) + '\n')
    (folder / 'bad.npz').write_bytes(b'PK nonsense')
    np.savez(folder / 'half.npz', time=one.stamp_s, pelvis_acc=one.sample[:, :3])
    np.savez(folder / 'turned.npz', p_acc=one.sample[:, :3].T, p_gyr=one.sample[:, 3:].T)
    np.savez(
        folder / 'short.npz',
        time=one.stamp_s[1:],
        p_acc=one.sample[:, :3],
        p_gyr=one.sample[:, 3:],
    )
    importer.refused('add --acceleration-unit g', write_csv(folder / 'a.csv', {**time, **in_g}))
    importer.refused('add --rate-unit deg/s', write_csv(folder / 'b.csv', {**time, **in_deg}))
    importer.refused('lacks rate z', write_csv(folder / 'c.csv', {**time, **lacking}))
    importer.refused('names no columns of an IMU (columns there: hello)', folder / 'text.csv')
    importer.refused('columns there: none', folder / 'empty.csv')
    importer.refused('no rows of numbers', folder / 'head.csv')
    importer.refused('no npz file', folder / 'bad.npz')
    importer.refused('arrays there: time, pelvis_acc), expected time and', folder / 'half.npz')
    importer.refused('expected (n, 3)', folder / 'turned.npz')
    importer.refused('399 and 400 rows', folder / 'short.npz')
    importer.refused('does not exist', folder / 'nowhere.csv')
    importer.refused('--start-together', good, later)
    importer.refused('expected each sensor once', good, f'shank_r={later}')
    importer.refused('Only one of --mass and --height', good, '--mass', 70)
    assert importer(good, later, '--start-together').code == 0


@pytest.mark.parametrize(
    ('name', 'column'),
    [
        ('Time (ms)', Column('time', None, '', 'ms')),
        ('time_us', Column('time', None, '', 'us')),
        ('SampleTimeFine', Column('ticks', None, '', None)),
        ('PacketCounter', Column('counter', None, '', None)),
        ('Acc_X', Column('acceleration', 'x', '', None)),
        ('ax', Column('acceleration', 'x', '', None)),
        ('gz', Column('rate', 'z', '', None)),
        ('acc_x_ms2', Column('acceleration', 'x', '', 'm/s2')),
        ('gyr_y_deg_s', Column('rate', 'y', '', 'deg/s')),
        ('Gyroscope X (deg/s)', Column('rate', 'x', '', 'deg/s')),
        ('linear_acceleration.z', Column('acceleration', 'z', '', None)),
        ('angular_velocity_x', Column('rate', 'x', '', None)),
        ('shank_l.acceleration.x [m/s^2]', Column('acceleration', 'x', 'shank_l', 'm/s2')),
        ('Left Foot AccX', Column('acceleration', 'x', 'left_foot', None)),
        ('foot_l_gyr', Column('rate', None, 'foot_l', None)),
        ('FreeAcc_X', None),
        ('Mag_X', None),
        ('Euler_X', None),
        ('Status', None),
    ],
)
def test_names_of_columns(name: str, column: Column | None) -> None:
    assert read_column(name) == column


@given(st.text(max_size=40))
def test_any_name_of_a_column_is_read_or_not(name: str) -> None:
    column = read_column(name)
    assert column is None or column.kind


@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / 'any.csv'
    path.write_bytes(b'time,' + ','.join(SIX).encode() + b'\n1,2,3,4,5,6,7\n' + raw)
    try:
        (sensor,) = read_table(path, rate_hz=100.0)
    except TableError:
        return
    assert sensor.sample.shape == (len(sensor.time_s), 6)


def test_every_sensor_keeps_its_name() -> None:
    assert [read_column(f'{sensor}_acc_x').sensor for sensor in SENSORS] == list(SENSORS)  # type: ignore[union-attr]
