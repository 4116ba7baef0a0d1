# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read and write which topic each sensor is on, as the node's parameter file says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sspinnpose_ros.core.atomic_output import file_beside
from sspinnpose_ros.core.bounded_yaml import BrokenYamlError, UnboundedYamlError, read_yaml
from sspinnpose_ros.core.brief import brief
from sspinnpose_ros.core.conventions import OPTIONAL_SENSORS, SENSORS
from sspinnpose_ros.core.errors import MappingError

NODE = 'sspinnpose'
WILDCARDS = ('*', '**')
HEADER, ARRIVAL = 'header', 'arrival'
SECTION = 'ros__parameters'
LARGEST_TIME_OFFSET_S = 3600.0
EXPECTED = 'expected a parameter file of the node such as `imu.pelvis.topic: /my/imu`'


@dataclass(frozen=True)
class SensorMapping:
    """Say where the sensors of a recording are.

    Attributes:
        topics: topic by sensor; one without a leading slash may have any namespace before it.
        time_offset_s: added to every stamp of a sensor, s.
        sensors: those that are worn, None where nothing is said.
        stamps_at_arrival: whether header stamps are dead and arrivals hold instead.

    """

    topics: Mapping[str, str] = field(default_factory=dict)
    time_offset_s: Mapping[str, float] = field(default_factory=dict)
    sensors: tuple[str, ...] | None = None
    stamps_at_arrival: bool = False


def load_mapping(path: Path) -> SensorMapping:
    """Read `sensors`, `stamps`, `imu.*.topic` and `imu.*.time_offset_s` of a ROS parameter file.

    Sections of a node `sspinnpose` in any namespace and of wildcards count; where they differ, the
    node's own holds, as in ROS. Every other parameter is the node's alone and not read.

    Args:
        path: the file.

    Returns:
        What it says.

    Raises:
        MappingError: for a file that is none, for unknown sensors and for values that cannot be.

    """
    try:
        content = read_yaml(path)
    except OSError as error:
        raise MappingError(
            f'{path} cannot be read ({error.strerror or error}), {EXPECTED}; name such a file.'
        ) from None
    except (UnboundedYamlError, BrokenYamlError) as error:
        raise MappingError(f'{path} {error}, {EXPECTED}; correct it.') from None
    sections = list(_sections(content, ())) if isinstance(content, dict) else []
    if not sections:
        raise MappingError(
            f'{path} holds no {SECTION} of a node {NODE} or of /**, {EXPECTED} below `/**:` and '
            f'`{SECTION}:`; correct it.'
        )
    topics: dict[str, str] = {}
    offsets: dict[str, float] = {}
    sensors: tuple[str, ...] | None = None
    stamps = HEADER
    # What a wildcard says is written over by what is said of the node itself.
    for _, section in sorted(sections, key=lambda each: each[0]):
        for name, value in _flat(section):
            parts = name.split('.')
            if name == 'sensors':
                sensors = _worn(path, value)
            elif name == 'stamps':
                stamps = _stamps(path, value)
            elif parts[0] == 'imu':
                if len(parts) != 3 or parts[1] not in (*SENSORS, *OPTIONAL_SENSORS):
                    raise MappingError(
                        f'{path} names {brief(name)}, expected imu.SENSOR.topic with a sensor out '
                        f'of {", ".join(SENSORS)}; correct it.'
                    )
                if parts[2] == 'topic':
                    topics[parts[1]] = _topic(path, name, value)
                elif parts[2] == 'time_offset_s':
                    offsets[parts[1]] = _offset(path, name, value)
    _require_distinct(path, topics)
    return SensorMapping(
        topics=topics,
        time_offset_s={sensor: offset for sensor, offset in offsets.items() if offset},
        sensors=sensors,
        stamps_at_arrival=stamps == ARRIVAL,
    )


def mapping_text(mapping: SensorMapping, *, remarks: Sequence[str] = ()) -> str:
    """Return the parameter file that says a mapping, remarks as comments above it."""
    lines = [f'# {line}'.rstrip() for remark in remarks for line in remark.splitlines()]
    lines += ['/**:', f'  {SECTION}:']
    if mapping.sensors is not None:
        lines.append(f'    sensors: [{", ".join(mapping.sensors)}]')
    if mapping.stamps_at_arrival:
        lines.append(f'    stamps: {ARRIVAL}')
    lines += [
        f"    imu.{sensor}.topic: '{topic.replace(chr(39), 2 * chr(39))}'"
        for sensor, topic in mapping.topics.items()
    ]
    lines += [
        # Python's 1e-05 is a text to YAML.
        f'    imu.{sensor}.time_offset_s: {yaml.safe_dump(float(offset)).splitlines()[0]}'
        for sensor, offset in mapping.time_offset_s.items()
    ]
    return '\n'.join(lines) + '\n'


def save_mapping(
    path: Path,
    mapping: SensorMapping,
    *,
    remarks: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Write a mapping as a parameter file of the node.

    Raises:
        OutputError: where the file cannot be written.

    """
    with file_beside(path, overwrite=overwrite) as partial:
        partial.write_text(mapping_text(mapping, remarks=remarks), encoding='utf-8')


def _sections(
    content: Mapping[Any, Any], names: tuple[str, ...]
) -> Iterator[tuple[bool, Mapping[Any, Any]]]:
    """Yield the sections that a node of our name reads, and whether they name it."""
    for key, value in content.items():
        if not isinstance(value, dict):
            continue
        if key == SECTION:
            last = names[-1] if names else ''
            if last == NODE or last in WILDCARDS:
                yield last == NODE, value
        else:
            yield from _sections(value, (*names, *(p for p in str(key).split('/') if p)))


def _flat(section: Mapping[Any, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, dict):
            yield from _flat(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', value


def _worn(path: Path, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or any(name not in SENSORS for name in value):
        raise MappingError(
            f'sensors in {path} is {brief(value)}, expected a list of names out of '
            f'{", ".join(SENSORS)}; correct it.'
        )
    return tuple(sensor for sensor in SENSORS if sensor in value)


def _stamps(path: Path, value: Any) -> str:
    if value not in (HEADER, ARRIVAL):
        raise MappingError(
            f'stamps in {path} is {brief(value)}, expected {HEADER} or {ARRIVAL}; correct it.'
        )
    return str(value)


def _topic(path: Path, name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip('/') or not value.isprintable():
        raise MappingError(
            f'{name} in {path} is {brief(value)}, expected the name of a topic; correct it.'
        )
    return value


def _offset(path: Path, name: str, value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not abs(value) <= LARGEST_TIME_OFFSET_S:
        raise MappingError(
            f'{name} in {path} is {brief(value)}, expected seconds of at most '
            f'{LARGEST_TIME_OFFSET_S:.0f} either way; correct it.'
        )
    return float(value)


def _require_distinct(path: Path, topics: Mapping[str, str]) -> None:
    sensors: dict[str, str] = {}
    for sensor, topic in topics.items():
        other = sensors.setdefault(topic.lstrip('/'), sensor)
        if other != sensor:
            raise MappingError(
                f'{path} puts {other} and {sensor} both on {topic}, expected a topic of its own '
                'for each; correct one of them.'
            )
