# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read CSV and NPZ files of IMU samples, as loggers and vendors write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sspinnpose_ros.bags.column_names import (
    ACCELERATION,
    AXES,
    COUNTER,
    RATE,
    TICKS,
    TIME,
    Column,
    read_column,
)
from sspinnpose_ros.bags.reference import require_archive
from sspinnpose_ros.core.errors import TableError

COMMENTS = ('//', '#', '%')
DELIMITERS = ('\t', ';', ',')
LATEST_HEADER = 100
"""Lines before which the names of the columns come."""

LONGEST_LIST, LONGEST_NAME = 20, 30
EXPECTED = (
    'expected time, acc_x, acc_y, acc_z, gyr_x, gyr_y and gyr_z, or the last six behind the name '
    'of each sensor, such as thigh_r_acc_x'
)

TICK_S = (1e-4, 1e-6)
"""Ticks of Xsens' SampleTimeFine: MT Manager's, then those of the Xsens DOT."""

TIME_UNIT_S = {'s': 1.0, 'ms': 1e-3, 'us': 1e-6, 'ns': 1e-9}
POSSIBLE_HZ = (5.0, 5000.0)

_UPDATE_RATE = re.compile(r'update rate\W*([\d.]+)', re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class TableSensor:
    """Hold what one sensor of a file measured.

    Attributes:
        name: as the file names it; empty where it does not.
        time_s: (n,) on the file's clock, s.
        sample: (n, 6) acceleration, then rate, in the units below.
        acceleration_unit: 'm/s2' or 'g' where the file says so.
        rate_unit: 'rad/s' or 'deg/s' where the file says so.

    """

    name: str
    time_s: np.ndarray
    sample: np.ndarray
    acceleration_unit: str | None
    rate_unit: str | None


def read_table(
    path: Path, *, rate_hz: float | None = None, time_unit: str | None = None
) -> list[TableSensor]:
    """Read the sensors of a CSV or NPZ file.

    Args:
        path: the file; a suffix other than .npz counts as CSV, with commas, semicolons or tabs.
        rate_hz: sampling rate of a file without a time, Hz.
        time_unit: 's', 'ms', 'us' or 'ns'; by default what the name of the column says, or what
            gives a possible rate.

    Returns:
        Its sensors; samples that are not numbers are still there, as NaN.

    Raises:
        TableError: for a file that is none, lacks columns or tells no time.

    """
    if not path.is_file():
        raise TableError(f'{path} does not exist, expected a CSV or NPZ file; name such a file.')
    if path.suffix.lower() == '.npz':
        return _read_npz(path, rate_hz=rate_hz, time_unit=time_unit)
    return _read_csv(path, rate_hz=rate_hz, time_unit=time_unit)


def _read_csv(path: Path, *, rate_hz: float | None, time_unit: str | None) -> list[TableSensor]:
    try:
        text = path.read_bytes().decode('utf-8-sig')
    except UnicodeDecodeError:
        text = path.read_bytes().decode('latin-1')
    lines = text.replace('\0', '').splitlines()
    update = next((m for m in map(_UPDATE_RATE.search, lines[:LATEST_HEADER]) if m), None)
    start, delimiter, names = _header(path, lines)
    columns = {place: column for place, name in enumerate(names) if (column := read_column(name))}
    values = _values(lines[start + 1 :], list(columns), delimiter=delimiter)
    if not len(values):
        raise TableError(
            f'{path} has names of columns but no rows of numbers below them, expected samples; '
            'export it again.'
        )
    by_place = dict(zip(columns, values.T, strict=True))
    told = rate_hz or (float(update[1]) if update and float(update[1]) > 0.0 else None)
    time = _time(
        path,
        {column.kind: (column, by_place[place]) for place, column in reversed(columns.items())},
        count=len(values),
        rate_hz=told,
        time_unit=time_unit,
    )
    sensors: dict[str, dict[tuple[str, str], int]] = {}
    for place, column in columns.items():
        if column.axis is not None:
            sensors.setdefault(column.sensor, {}).setdefault((column.kind, column.axis), place)
    found = []
    for name, places in sensors.items():
        missing = [
            f'{kind} {axis}'
            for kind in (ACCELERATION, RATE)
            for axis in AXES
            if (kind, axis) not in places
        ]
        if missing:
            raise TableError(
                f'{path} lacks {", ".join(missing)}{f" of {name}" if name else ""} '
                f'({_seen(names)}), {EXPECTED}; export them too or rename the columns.'
            )
        order = [places[kind, axis] for kind in (ACCELERATION, RATE) for axis in AXES]
        found.append(
            TableSensor(
                name=name,
                time_s=time,
                sample=np.stack([by_place[place] for place in order], -1),
                acceleration_unit=columns[order[0]].unit,
                rate_unit=columns[order[3]].unit,
            )
        )
    return found


def _header(path: Path, lines: Sequence[str]) -> tuple[int, str | None, list[str]]:
    """Return the line that names the columns, what parts them, and their names."""
    first: list[str] = []
    for number, line in enumerate(lines[:LATEST_HEADER]):
        bare = line.strip().lstrip('#%').strip()
        if not bare or line.lstrip().startswith('//'):
            continue
        delimiter = max(DELIMITERS, key=bare.count)
        part = delimiter if delimiter in bare else None
        names = _fields(bare, part)
        first = first or names
        signals = [c for c in map(read_column, names) if c is not None and c.axis is not None]
        if len(signals) >= 3:
            return number, part, names
    raise TableError(
        f'{path} names no columns of an IMU ({_seen(first)}), {EXPECTED}; add or rename the line '
        'with the names.'
    )


def _seen(names: Sequence[str], kind: str = 'columns') -> str:
    shown = ', '.join(name[:LONGEST_NAME] for name in names[:LONGEST_LIST])
    shown = ''.join(each if each.isprintable() else '?' for each in shown)
    more = len(names) - LONGEST_LIST
    return f'{kind} there: {shown or "none"}' + (f' and {more} more' if more > 0 else '')


def _fields(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    return [each.strip() for each in next(csv.reader([line], delimiter=delimiter))]


def _values(lines: Sequence[str], places: Sequence[int], *, delimiter: str | None) -> np.ndarray:
    """Return (n, len(places)) numbers, NaN where there is none; rows without any are left out."""
    rows = np.full((len(lines), len(places)), np.nan)
    count = 0
    for line in lines:
        if not line.strip() or line.lstrip().startswith(COMMENTS):
            continue
        try:
            fields = _fields(line, delimiter)
        except csv.Error:
            continue
        for column, place in enumerate(places):
            rows[count, column] = _number(fields[place]) if place < len(fields) else np.nan
        count += bool(np.isfinite(rows[count]).any())
    return rows[:count]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(text.replace(',', '.'))
    except ValueError:
        return float('nan')


def _time(
    path: Path,
    told: Mapping[str, tuple[Column, np.ndarray]],
    *,
    count: int,
    rate_hz: float | None,
    time_unit: str | None,
) -> np.ndarray:
    """Return (n,) s, from the best of what a file tells."""
    if TICKS in told:
        ticks = _unwrapped(told[TICKS][1], 2.0**32)
        tick_s = next((each for each in TICK_S if _possible(ticks * each)), None)
        if tick_s is not None:
            return ticks * tick_s
    if TIME in told:
        column, values = told[TIME]
        unit = time_unit or column.unit
        if unit is not None:
            return values * TIME_UNIT_S[unit]
        scale = next((s for s in TIME_UNIT_S.values() if _possible(values * s)), None)
        if scale is not None:
            return values * scale
    if COUNTER in told and rate_hz is not None:
        counter = told[COUNTER][1]
        return _unwrapped(counter, 2.0**16 if np.nanmax(counter) < 2**16 else 2.0**32) / rate_hz
    if rate_hz is not None:
        return np.arange(count) / rate_hz
    seen = ', '.join(told) or 'none'
    raise TableError(
        f'{path} tells no time of its samples (columns of that kind: {seen}), expected a column '
        '`time`; add one, or give the rate with --rate-hz or the unit with --time-unit.'
    )


def _unwrapped(values: np.ndarray, span: float) -> np.ndarray:
    """Return a counter that begins anew at `span` as one that goes on."""
    steps = np.diff(values)
    turns = np.concatenate([[0.0], np.cumsum(np.nan_to_num(steps) < -0.5 * span)])
    return values + span * turns


def _possible(time_s: np.ndarray) -> bool:
    steps = np.diff(time_s)
    steps = steps[steps > 0.0]
    if not len(steps):
        return False
    low, high = POSSIBLE_HZ
    return low < 1.0 / float(np.median(steps)) < high


def _read_npz(path: Path, *, rate_hz: float | None, time_unit: str | None) -> list[TableSensor]:
    try:
        with path.open('rb') as file:
            require_archive(file)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: np.asarray(archive[name]) for name in archive.files}
    # What zipfile, zlib and numpy raise for damage is not documented and of many kinds.
    except Exception as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else 'no npz file'
        raise TableError(
            f'{path} cannot be read ({detail}), expected an npz file of numbers; save it again.'
        ) from None
    sensors: dict[str, dict[str, tuple[str, Column]]] = {}
    for name in arrays:
        column = read_column(name)
        if column is not None and column.kind in (ACCELERATION, RATE):
            sensors.setdefault(column.sensor, {})[column.kind] = (name, column)
    whole = {name: parts for name, parts in sensors.items() if len(parts) == 2}
    if not whole or len(whole) < len(sensors):
        raise TableError(
            f'{path} holds other arrays ({_seen(list(arrays), "arrays")}), expected time and, for '
            'each sensor, SENSOR_acc and SENSOR_gyr of shape (n, 3); rename them.'
        )
    return [
        _npz_sensor(path, arrays, name, parts, rate_hz=rate_hz, time_unit=time_unit)
        for name, parts in whole.items()
    ]


def _npz_sensor(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    sensor: str,
    parts: Mapping[str, tuple[str, Column]],
    *,
    rate_hz: float | None,
    time_unit: str | None,
) -> TableSensor:
    values = []
    for kind in (ACCELERATION, RATE):
        name = parts[kind][0]
        array = arrays[name]
        if array.ndim != 2 or array.shape[1] != 3:
            raise TableError(
                f'{name} in {path} has shape {array.shape}, expected (n, 3), a row a sample; '
                'turn it.'
            )
        values.append(array.astype(np.float64))
    own = f'{sensor}_time' if sensor else 'time'
    named = own if own in arrays else 'time' if 'time' in arrays else None
    lengths = {len(each) for each in values}
    if named is not None:
        lengths.add(arrays[named].size)
    if len(lengths) > 1:
        raise TableError(
            f'{sensor or "The sensor"} in {path} has {" and ".join(map(str, sorted(lengths)))} '
            'rows of time, acceleration and rate, expected as many of each; save it again.'
        )
    told = {}
    if named is not None:
        column = Column(kind=TIME, axis=None, sensor='', unit=None)
        told[TIME] = (column, arrays[named].reshape(-1).astype(np.float64))
    time = _time(path, told, count=lengths.pop(), rate_hz=rate_hz, time_unit=time_unit)
    return TableSensor(
        name=sensor,
        time_s=time,
        sample=np.concatenate(values, -1),
        acceleration_unit=parts[ACCELERATION][1].unit,
        rate_unit=parts[RATE][1].unit,
    )
