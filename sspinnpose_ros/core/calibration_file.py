# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Save a calibration as versioned YAML and read it back, fully checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sspinnpose_ros.core.atomic_output import file_beside
from sspinnpose_ros.core.bounded_yaml import BrokenYamlError, UnboundedYamlError, read_yaml
from sspinnpose_ros.core.brief import brief
from sspinnpose_ros.core.calibration import GOOD, USABLE, Calibration, SensorVerdict
from sspinnpose_ros.core.conventions import OPTIONAL_SENSORS, SENSORS
from sspinnpose_ros.core.errors import CalibrationError
from sspinnpose_ros.core.file_version import is_readable, version_advice
from sspinnpose_ros.core.mounting import Mounting, SensorMounting
from sspinnpose_ros.core.time_offset import (
    IN_TIME,
    NOT_OBSERVABLE,
    OUT_OF_TIME,
    SensorTimeOffset,
)

FORMAT = 'sspinnpose calibration'
VERSION = 2
READABLE = (1, VERSION)
"""Version 1 tells nothing about stamps."""

DURATIONS = ('standing_s', 'walking_s', 'stride_s', 'speed_m_s')
OFFSET_NUMBERS = ('offset_s', 'sigma_s')
VERDICT_NUMBERS = ('axis_variance_ratio', 'sign_confidence')


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration that `load_calibration` reads back; an older file is replaced whole.

    Raises:
        OutputError: where the file cannot be written.

    """
    with file_beside(path, overwrite=True) as partial:
        partial.write_text(
            yaml.safe_dump(
                calibration_to_mapping(calibration), sort_keys=False, allow_unicode=True, width=99
            ),
            encoding='utf-8',
        )


def calibration_to_mapping(calibration: Calibration) -> dict[str, Any]:
    """Return a calibration as plain values, as a calibration file holds them."""
    sensors = {}
    for name, mounting in calibration.mounting.sensors.items():
        verdict = calibration.sensors[name]
        sensors[name] = {
            'rotation': [[float(value) for value in row] for row in mounting.rotation],
            'acceleration_gain': float(mounting.acceleration_gain),
            'acceleration_bias_m_s2': [float(v) for v in mounting.acceleration_bias_m_s2],
            'gyro_bias_rad_s': [float(v) for v in mounting.gyro_bias_rad_s],
            **{key: float(getattr(verdict, key)) for key in VERDICT_NUMBERS},
            'flags': list(verdict.flags),
        }
        if verdict.time_offset is not None and math.isfinite(verdict.time_offset.sigma_s):
            sensors[name]['time_offset'] = {
                **{key: float(getattr(verdict.time_offset, key)) for key in OFFSET_NUMBERS},
                'verdict': verdict.time_offset.verdict,
            }
    return {
        'format': FORMAT,
        'version': VERSION,
        'verdict': calibration.verdict,
        'sentences': list(calibration.sentences),
        **{key: float(getattr(calibration, key)) for key in DURATIONS},
        'sensors': sensors,
    }


def load_calibration(path: Path) -> Calibration:
    """Read a calibration file and check everything in it.

    Raises:
        CalibrationError: for a file that is missing, unreadable, of another version or wrong in
            any value.

    """
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        raise CalibrationError(
            f'{path} does not exist, expected a calibration file; run `sspinnpose calibrate`.'
        ) from None
    except OSError as error:
        raise CalibrationError(
            f'{path} cannot be read ({error.strerror}), expected a calibration file; name a '
            'readable file.'
        ) from None
    except UnboundedYamlError as error:
        raise CalibrationError(
            f'{path} {error}, expected a calibration of a few kilobytes; name the file that '
            '`sspinnpose calibrate` wrote.'
        ) from None
    except BrokenYamlError:
        raise CalibrationError(
            f'{path} is not YAML, expected a calibration file; calibrate again.'
        ) from None
    try:
        return calibration_from_mapping(content)
    except CalibrationError as error:
        raise CalibrationError(f'In {path}: {error}') from None


def calibration_from_mapping(content: object) -> Calibration:
    """Turn the content of a calibration file into a calibration, checking everything in it.

    Raises:
        CalibrationError: for content that `save_calibration` could not have written.

    """
    if not isinstance(content, Mapping) or content.get('format') != FORMAT:
        raise CalibrationError(
            f'The format is not {FORMAT!r}, expected a file that `sspinnpose calibrate` wrote; '
            'name that file.'
        )
    version = content.get('version')
    if not is_readable(version, readable=READABLE):
        advice = version_advice(version, newest=VERSION, again='calibrate again')
        raise CalibrationError(
            f'The version is {brief(version)}, expected {" or ".join(map(str, READABLE))}; '
            f'{advice}.'
        )
    if content.get('verdict') not in (GOOD, USABLE):
        raise CalibrationError(
            f'The verdict is {brief(content.get("verdict"))}, expected {GOOD!r} or {USABLE!r}; '
            'calibrate again.'
        )
    entries = content.get('sensors')
    if not isinstance(entries, Mapping) or not entries:
        raise CalibrationError('No sensors are given, expected at least one; calibrate again.')
    mountings = {}
    verdicts = {}
    for name, entry in entries.items():
        if name not in (*SENSORS, *OPTIONAL_SENSORS):
            raise CalibrationError(
                f'The sensor {brief(name)} is unknown, expected one of '
                f'{", ".join((*SENSORS, *OPTIONAL_SENSORS))}; rename it.'
            )
        if not isinstance(entry, Mapping):
            raise CalibrationError(
                f'The sensor {name} holds no values, expected its rotation; calibrate again.'
            )
        mountings[name], verdicts[name] = _sensor(name, entry)
    return Calibration(
        mounting=Mounting(sensors=mountings),
        verdict=str(content['verdict']),
        sentences=_texts('sentences', content.get('sentences')),
        sensors=verdicts,
        **{key: _number(key, content.get(key)) for key in DURATIONS},
    )


def _sensor(name: str, entry: Mapping[str, Any]) -> tuple[SensorMounting, SensorVerdict]:
    rotation = entry.get('rotation')
    if not isinstance(rotation, list) or len(rotation) != 3:
        raise CalibrationError(
            f'{name}.rotation is {brief(rotation)}, expected three rows of three numbers; '
            'calibrate again.'
        )
    try:
        mounting = SensorMounting(
            rotation=np.stack([_vector(f'{name}.rotation', row) for row in rotation]),
            acceleration_gain=_number(f'{name}.acceleration_gain', entry.get('acceleration_gain')),
            acceleration_bias_m_s2=_vector(
                f'{name}.acceleration_bias_m_s2', entry.get('acceleration_bias_m_s2')
            ),
            gyro_bias_rad_s=_vector(f'{name}.gyro_bias_rad_s', entry.get('gyro_bias_rad_s')),
        )
    except CalibrationError as error:
        raise CalibrationError(f'Sensor {name}: {error}') from None
    verdict = SensorVerdict(
        acceleration_gain=mounting.acceleration_gain,
        acceleration_bias_m_s2=float(np.linalg.norm(mounting.acceleration_bias_m_s2)),
        gyro_bias_rad_s=float(np.linalg.norm(mounting.gyro_bias_rad_s)),
        flags=_texts(f'{name}.flags', entry.get('flags')),
        time_offset=_time_offset(f'{name}.time_offset', entry.get('time_offset')),
        **{key: _number(f'{name}.{key}', entry.get(key)) for key in VERDICT_NUMBERS},
    )
    return mounting, verdict


def _time_offset(name: str, value: object) -> SensorTimeOffset | None:
    if value is None:
        return None
    verdict = value.get('verdict') if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or verdict not in (IN_TIME, OUT_OF_TIME, NOT_OBSERVABLE):
        raise CalibrationError(
            f'{name} is {brief(value)}, expected offset_s, sigma_s and a verdict out of '
            f'{IN_TIME}, {OUT_OF_TIME}, {NOT_OBSERVABLE}; calibrate again.'
        )
    offset_s, sigma_s = (_number(f'{name}.{key}', value.get(key)) for key in OFFSET_NUMBERS)
    return SensorTimeOffset(offset_s=offset_s, sigma_s=sigma_s, verdict=str(verdict))


def _vector(name: str, value: object) -> np.ndarray:
    if not isinstance(value, list) or len(value) != 3:
        raise CalibrationError(
            f'{name} is {brief(value)}, expected three numbers; calibrate again.'
        )
    return np.array([_number(name, one) for one in value])


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e6:
        raise CalibrationError(f'{name} is {brief(value)}, expected a number; calibrate again.')
    return float(value)


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise CalibrationError(
            f'{name} is {brief(value)}, expected a list of sentences; calibrate again.'
        )
    return tuple(value)
