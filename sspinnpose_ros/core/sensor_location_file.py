# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Save found sensor places as a SUBJECT.yaml with evidence, and read them back, fully checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from sspinnpose_ros.core.bounded_yaml import read_yaml
from sspinnpose_ros.core.brief import brief
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import SubjectError
from sspinnpose_ros.core.file_version import is_readable, version_advice
from sspinnpose_ros.core.sensor_location import (
    VERDICTS,
    SensorLocation,
    SensorLocations,
    describe,
)
from sspinnpose_ros.core.subject import REACH_M, load_subject, save_subject

FORMAT = 'sspinnpose sensor locations'
VERSION = 1

PAIRS = {
    'assumed_m': 'assumed_position_m',
    'change_m': 'position_change_m',
    'sigma_m': 'position_sigma_m',
    'acceleration_bias': 'acceleration_bias_m_s2',
}
NUMBERS = {
    'position_left': 'position_uncertainty_left',
    'mounting_rad': 'mounting_rad',
    'mounting_sigma_rad': 'mounting_sigma_rad',
    'mounting_left': 'mounting_uncertainty_left',
    'effective_samples': 'effective_samples',
    'residual_before': 'residual_before_m_s2',
    'residual_after': 'residual_after_m_s2',
}
"""Names in the file of what `SensorLocation` holds."""

_ROUNDING_M = 2e-6


def save_locations(
    path: Path, locations: SensorLocations, *, notes: Mapping[str, Any] | None = None
) -> None:
    """Write the wearer with the found places, and how they were found, as one YAML file.

    The file is a SUBJECT.yaml: what reads those takes the found places from it.

    Args:
        path: the file; an older one is replaced whole.
        locations: what to write.
        notes: further keys for human readers, such as the recording.

    Raises:
        OutputError: where the file cannot be written.

    """
    save_subject(
        path, locations.subject, notes={**locations_to_mapping(locations), **(notes or {})}
    )


def locations_to_mapping(locations: SensorLocations) -> dict[str, Any]:
    """Return what was found of each sensor as plain values, as the file holds them."""
    sensors = {}
    for name, location in locations.sensors.items():
        sensors[name] = {
            'verdict': location.position_verdict,
            'mounting_verdict': location.mounting_verdict,
            'sentence': describe(name, location),
            'samples': location.samples,
            **{
                key: [round(float(value), 6) for value in getattr(location, field)]
                for field, key in PAIRS.items()
            },
            **{key: round(float(getattr(location, field)), 6) for field, key in NUMBERS.items()},
        }
    return {'format': FORMAT, 'version': VERSION, 'sensors': sensors}


def load_locations(path: Path) -> SensorLocations:
    """Read a file of found sensor places and check everything in it.

    Raises:
        SubjectError: for a file that is missing, unreadable, of another version or wrong in any
            value.

    """
    subject = load_subject(path)
    content = read_yaml(path)
    try:
        _require_version(content)
        entries = content.get('sensors')
        if not isinstance(entries, Mapping) or not entries:
            raise SubjectError('no sensors are given, expected at least one; locate them again.')
        sensors = {}
        for name, entry in entries.items():
            if name not in SENSORS:
                raise SubjectError(
                    f'the sensor {brief(name)} is unknown, expected one of '
                    f'{", ".join(SENSORS)}; locate them again.'
                )
            sensors[name] = _location(name, entry)
            place = subject.sensor_position_m[SENSORS.index(name), [0, 2]]
            if np.abs(place - sensors[name].found_m).max() > _ROUNDING_M:
                raise SubjectError(
                    f'sensor_position_m.{name} is not the assumed position plus the change, '
                    'expected both to agree; locate the sensors again.'
                )
    except SubjectError as error:
        raise SubjectError(f'In {path}, {error}') from None
    return SensorLocations(subject=subject, sensors=sensors)


def _require_version(content: Mapping[str, Any]) -> None:
    if content.get('format') != FORMAT:
        raise SubjectError(
            f'the format is {brief(content.get("format"))}, expected {FORMAT!r}; name a file '
            'that `sspinnpose locate-sensors` wrote.'
        )
    version = content.get('version')
    if not is_readable(version, readable=(VERSION,)):
        advice = version_advice(version, newest=VERSION, again='locate the sensors again')
        raise SubjectError(f'the version is {brief(version)}, expected {VERSION}; {advice}.')


def _location(name: str, entry: object) -> SensorLocation:
    if not isinstance(entry, Mapping):
        raise SubjectError(
            f'the sensor {name} holds no values, expected its position; locate it again.'
        )
    values: dict[str, Any] = {}
    for field, key in PAIRS.items():
        values[field] = _pair(f'{name}.{key}', entry.get(key))
    for field, key in NUMBERS.items():
        values[field] = _number(f'{name}.{key}', entry.get(key))
    for field, key in (('position_verdict', 'verdict'), ('mounting_verdict', 'mounting_verdict')):
        values[field] = entry.get(key)
        if values[field] not in VERDICTS:
            raise SubjectError(
                f'{name}.{key} is {brief(values[field])}, expected one of '
                f'{", ".join(VERDICTS)}; locate the sensors again.'
            )
    values['samples'] = int(_number(f'{name}.samples', entry.get('samples')))
    negative = [
        key
        for key in ('samples', 'mounting_sigma_rad', 'position_left', 'mounting_left')
        if values[key] < 0
    ]
    if negative or values['sigma_m'].min() < 0.0 or np.abs(values['assumed_m']).max() > REACH_M:
        raise SubjectError(
            f'the sensor {name} holds a {negative[0] if negative else "position"} that cannot '
            'be, expected numbers that a fit can give; locate the sensors again.'
        )
    assert set(values) == {field.name for field in fields(SensorLocation)}
    return SensorLocation(**values)


def _pair(name: str, value: object) -> np.ndarray:
    if not isinstance(value, list) or len(value) != 2:
        raise SubjectError(
            f'{name} is {brief(value)}, expected two numbers, forward and up; locate the '
            'sensors again.'
        )
    return np.array([_number(name, one) for one in value])


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise SubjectError(
            f'{name} is {brief(value)}, expected a number; locate the sensors again.'
        )
    return float(value)
