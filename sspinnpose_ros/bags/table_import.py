# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make one recording of the sensors of CSV and NPZ files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sspinnpose_ros.bags.imu_bag import DEFAULT_TOPIC, ImuSeries
from sspinnpose_ros.bags.sensor_names import placement_in
from sspinnpose_ros.bags.sensor_table import TableSensor, read_table
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.errors import TableError
from sspinnpose_ros.core.fault import FaultKind
from sspinnpose_ros.core.plausibility import sensor_unit_faults
from sspinnpose_ros.core.stride_window import ABSURD

ACCELERATION_UNITS = {'m/s2': 1.0, 'g': GRAVITY}
RATE_UNITS = {'rad/s': 1.0, 'deg/s': math.pi / 180.0}
ORIGIN_NS = 1_700_000_000_000_000_000
"""Stamp of the first sample of files whose clock is no date."""

FIRST_DATE_S = 1e9
SHORTEST_OVERLAP_S = 1.0
GRID_S = 0.01
LONGEST_LOOK_S = 300.0
"""How much around the middle of a file is looked at for wrong units, s."""

HINTS = {FaultKind.UNIT_G: '--acceleration-unit g', FaultKind.UNIT_DEG_S: '--rate-unit deg/s'}


@dataclass(frozen=True)
class TableOptions:
    """Say what files do not say themselves; None leaves it to them, else SI units hold."""

    acceleration_unit: str | None = None
    rate_unit: str | None = None
    time_unit: str | None = None
    rate_hz: float | None = None
    start_together: bool = False


@dataclass(frozen=True, eq=False)
class ImportedRecording:
    """Hold what files measured, ready for `write_imu_bag`.

    Attributes:
        series: by sensor, or by another name where nothing tells which sensor it is.
        topics: of each of them.
        origin_ns: stamp of time zero, ns.
        unknown: names that are no sensor of ours.
        remarks: sentences about samples that were left out.

    """

    series: Mapping[str, ImuSeries]
    topics: Mapping[str, str]
    origin_ns: int
    unknown: tuple[str, ...]
    remarks: tuple[str, ...]


def import_tables(
    files: Sequence[tuple[str | None, Path]], *, options: TableOptions
) -> ImportedRecording:
    """Read files of one or of many sensors onto one clock.

    Args:
        files: each with the name of its sensor where that is given; else it is read from the
            columns, or from the name of the file.
        options: what they do not say themselves.

    Raises:
        TableError: for unreadable files, two sensors of one name, wrong units, and files that do
            not overlap in time.

    """
    series: dict[str, ImuSeries] = {}
    origin: dict[str, Path] = {}
    remarks: list[str] = []
    for given, path in files:
        sensors = read_table(path, rate_hz=options.rate_hz, time_unit=options.time_unit)
        if given is not None and len(sensors) > 1:
            raise TableError(
                f'{path} holds {len(sensors)} sensors ({", ".join(s.name for s in sensors)}), '
                f'expected one to call {given}; leave the name out.'
            )
        for sensor in sensors:
            name = _name(given or sensor.name or path.stem)
            if name in series:
                raise TableError(
                    f'{name} is in {origin[name]} and again in {path}, expected each sensor once; '
                    'name them as SENSOR=FILE.'
                )
            series[name], origin[name] = _series(sensor, name, path, options, remarks), path
    first = _common_clock(series, options)
    dated = first > FIRST_DATE_S
    return ImportedRecording(
        series={
            name: ImuSeries(stamp_s=one.stamp_s - first, sample=one.sample)
            for name, one in series.items()
        },
        topics={name: DEFAULT_TOPIC.format(sensor=name) for name in series},
        origin_ns=round(first * 1e9) if dated else ORIGIN_NS,
        unknown=tuple(name for name in series if placement_in(name).sensor != name),
        remarks=tuple(remarks),
    )


def _name(text: str) -> str:
    """Return our name of a sensor, or one that a topic may have."""
    known = placement_in(text).sensor
    if known is not None:
        return known
    plain = re.sub(r'\W+', '_', text, flags=re.ASCII).strip('_').lower()
    return plain if plain[:1].isalpha() else f'sensor_{plain}'


def _series(
    sensor: TableSensor, name: str, path: Path, options: TableOptions, remarks: list[str]
) -> ImuSeries:
    force_unit = options.acceleration_unit or sensor.acceleration_unit or 'm/s2'
    rate_unit = options.rate_unit or sensor.rate_unit or 'rad/s'
    scale = np.repeat((ACCELERATION_UNITS[force_unit], RATE_UNITS[rate_unit]), 3)
    whole = (np.abs(sensor.sample) < ABSURD).all(-1) & np.isfinite(sensor.time_s)
    time, order = np.unique(sensor.time_s[whole], return_index=True)
    if len(time) < 2:
        raise TableError(
            f'{path} holds {len(time)} whole samples of {name}, expected some seconds; look at '
            'its columns.'
        )
    lost = len(whole) - len(time)
    if lost:
        remarks.append(
            f'{name}: {lost} of {len(whole)} rows of {path.name} are left out, because a value is '
            'missing or their time repeats.'
        )
    sample = sensor.sample[whole][order] * scale
    _require_units(name, path, time, sample)
    return ImuSeries(stamp_s=time - time[0] if options.start_together else time, sample=sample)


def _require_units(name: str, path: Path, time: np.ndarray, sample: np.ndarray) -> None:
    middle = np.abs(time - time[len(time) // 2]) <= 0.5 * LONGEST_LOOK_S
    time, sample = time[middle], sample[middle]
    grid = np.arange(time[0], time[-1], GRID_S)
    if len(grid) < 2:
        return
    even = np.stack([np.interp(grid, time, column) for column in sample.T], -1)[:, None]
    fault = sensor_unit_faults(
        time_s=grid,
        acceleration=even[..., :3],
        angular_rate=even[..., 3:],
        sensors=[name],
        present=np.ones((len(grid), 1), dtype=bool),
    )[0]
    if fault is not None:
        what, *_ = fault.sentence.rsplit(';', 1)
        hint = HINTS.get(fault.kind)
        change = f'add {hint}' if hint else 'export acceleration with gravity in its own unit'
        raise TableError(f'In {path}, {what}; {change}.')


def _common_clock(series: Mapping[str, ImuSeries], options: TableOptions) -> float:
    begin = {name: float(one.stamp_s[0]) for name, one in series.items()}
    end = {name: float(one.stamp_s[-1]) for name, one in series.items()}
    late, early = max(begin, key=begin.__getitem__), min(end, key=end.__getitem__)
    if end[early] - begin[late] < SHORTEST_OVERLAP_S and len(series) > 1:
        raise TableError(
            f'{early} ends at {end[early]:.3f} s and {late} begins at {begin[late]:.3f} s, '
            'expected sensors that measure at the same time by one clock; add --start-together '
            'if all were started in the same instant.'
        )
    return min(begin.values())
