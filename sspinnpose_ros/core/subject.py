# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Describe the person who wears the sensors, as read from SUBJECT.yaml."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sspinnpose_ros.core.atomic_output import file_beside
from sspinnpose_ros.core.body import Body, body_from_anthropometry, nominal_sensor_position
from sspinnpose_ros.core.bounded_yaml import BrokenYamlError, UnboundedYamlError, read_yaml
from sspinnpose_ros.core.brief import brief
from sspinnpose_ros.core.conventions import OPTIONAL_SENSORS, SENSORS
from sspinnpose_ros.core.errors import SubjectError

ALIGNED = 'aligned'
UNKNOWN = 'unknown'

FILE_AXES = 'x forward, y up, z right'
"""Axes of sensor positions in SUBJECT.yaml, and of sensors that are segment aligned."""

AXES_SPELLINGS = {
    ALIGNED: re.compile(rf'(?:virtual imus; )?(?:segment )?aligned(?:: {FILE_AXES})?'),
    UNKNOWN: re.compile(r'(?:raw(?:, )?)?(?:mounting )?(?:unknown)?'),
}

KEYS = {
    'mass_kg': 0.7,
    'height_m': 0.7,
    'segment_length_m': 0.9,
    'sensor_axes': 0.9,
    'sensor_position_m': 0.9,
    'sensor_position_origin': 0.9,
}
"""How like each key, 0 to 1, an unknown one must be to count as its misspelling; others are notes,
such as a leg_length_m."""

LONGEST_KEY = 60
LARGEST_NUMBER = 1e6

BODY_MASS_INDEX = (8.0, 110.0)
"""Mass over squared stature, kg/m^2, of the leanest child and the heaviest walker."""

LEG_OF_HEIGHT = (0.35, 0.63)
"""Thigh and shank together as part of stature; 0.49 is usual, and proportions vary by a tenth."""

REACH_M = 1.0
"""Farthest a sensor can sit from the proximal joint of its segment."""


@dataclass(frozen=True, eq=False)
class Subject:
    """Hold what is known of the wearer before any measurement.

    Attributes:
        mass_kg: body mass, kg.
        height_m: stature, m.
        segment_length_m: measured lengths that replace scaled ones, by `body.LENGTH_OVERRIDES`.
        sensor_axes: 'aligned' (x forward, y up, z right of the segment) or 'unknown'.
        sensor_position_m: (7, 3) sensors from the proximal joint of their segment, x forward,
            y left, z up, m; nominal where nothing was measured.

    """

    mass_kg: float
    height_m: float
    segment_length_m: Mapping[str, float]
    sensor_axes: str
    sensor_position_m: np.ndarray

    def body(self) -> Body:
        """Return the person's segments."""
        return body_from_anthropometry(
            mass_kg=self.mass_kg,
            height_m=self.height_m,
            segment_length_m=self.segment_length_m,
        )


def make_subject(
    *,
    mass_kg: float,
    height_m: float,
    segment_length_m: Mapping[str, float] | None = None,
    sensor_axes: str = UNKNOWN,
    sensor_position_m: Mapping[str, Sequence[float]] | None = None,
) -> Subject:
    """Check a person's numbers and fill in what is not given.

    Args:
        mass_kg: body mass, kg.
        height_m: stature, m.
        segment_length_m: measured lengths, by the names in `body.LENGTH_OVERRIDES`, m.
        sensor_axes: as SUBJECT.yaml spells it.
        sensor_position_m: (3,) per sensor, x forward, y left, z up from the proximal joint, m.

    Returns:
        The subject.

    Raises:
        SubjectError: for numbers that no person has, and for axes or sensors of unknown name.

    """
    mass = _number(mass_kg, name='mass_kg', unit='kg')
    height = _number(height_m, name='height_m', unit='m')
    lengths = {
        name: _number(value, name=f'segment_length_m.{name}', unit='m')
        for name, value in (segment_length_m or {}).items()
    }
    body = body_from_anthropometry(mass_kg=mass, height_m=height, segment_length_m=lengths)
    _require_proportions(mass=mass, height=height, leg=float(body.leg_length.sum()))
    nominal = nominal_sensor_position(height_m=np.float64(height))
    position = np.stack([nominal[:, 0], np.zeros(len(SENSORS)), nominal[:, 1]], -1)
    for sensor, given in (sensor_position_m or {}).items():
        measured = _position(given, sensor=sensor)
        if sensor in SENSORS:
            position[SENSORS.index(sensor)] = measured
    position.setflags(write=False)
    return Subject(
        mass_kg=mass,
        height_m=height,
        segment_length_m=lengths,
        sensor_axes=_axes(sensor_axes),
        sensor_position_m=position,
    )


def subject_from_mapping(content: Mapping[str, Any]) -> Subject:
    """Turn the content of a SUBJECT.yaml into a subject; other keys are notes and stay unread.

    Args:
        content: `mass_kg` and `height_m`, optional `segment_length_m`, `sensor_axes` and
            `sensor_position_m`; positions are x forward, y up, z right as in the file.

    Returns:
        The subject, positions turned to x forward, y left, z up.

    Raises:
        SubjectError: for missing or impossible content.

    """
    _require_spelling(content)
    for key in ('mass_kg', 'height_m'):
        if content.get(key) is None:
            raise SubjectError(
                f'{key} is missing, expected the mass and the stature of the wearer; '
                f'add a line such as `{key}: {"70.0" if key == "mass_kg" else "1.75"}`.'
            )
    origin = content.get('sensor_position_origin')
    if origin is not None and not (isinstance(origin, str) and FILE_AXES in origin):
        raise SubjectError(
            f'sensor_position_origin is {brief(origin)}, expected positions along {FILE_AXES}; '
            'convert sensor_position_m to these axes.'
        )
    positions = _mapping(content.get('sensor_position_m'), name='sensor_position_m')
    turned = {}
    for sensor, given in positions.items():
        forward, up, right = _position(given, sensor=sensor)
        turned[sensor] = (forward, -right, up)
    axes = content.get('sensor_axes')
    return make_subject(
        mass_kg=content['mass_kg'],
        height_m=content['height_m'],
        segment_length_m=_mapping(content.get('segment_length_m'), name='segment_length_m'),
        sensor_axes=UNKNOWN if axes is None else axes,
        sensor_position_m=turned,
    )


def _require_spelling(content: Mapping[str, Any]) -> None:
    for key in content:
        if not isinstance(key, str) or len(key) > LONGEST_KEY or key in KEYS:
            continue
        for known, near in KEYS.items():
            alike = difflib.SequenceMatcher(None, key, known).ratio()
            if known not in content and alike >= near:
                raise SubjectError(
                    f'{brief(key)} is no key of a SUBJECT.yaml, expected perhaps {known}; '
                    'correct or remove it.'
                )


def load_subject(path: Path) -> Subject:
    """Read a SUBJECT.yaml.

    Args:
        path: the file.

    Returns:
        The subject.

    Raises:
        SubjectError: for a file that is missing, unreadable or holds impossible numbers.

    """
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        raise SubjectError(
            f'{path} does not exist, expected a SUBJECT.yaml with mass_kg and height_m; '
            'write one or name another.'
        ) from None
    except OSError as error:
        raise SubjectError(
            f'{path} cannot be read ({error.strerror}), expected a SUBJECT.yaml; '
            'name a readable file.'
        ) from None
    except UnboundedYamlError as error:
        raise SubjectError(
            f'{path} {error}, expected a SUBJECT.yaml of a few lines; name such a file.'
        ) from None
    except BrokenYamlError:
        raise SubjectError(
            f'{path} is not YAML, expected lines such as `mass_kg: 70.0`; correct the file.'
        ) from None
    if not isinstance(content, Mapping):
        raise SubjectError(
            f'{path} holds no keys, expected mass_kg and height_m; '
            'write lines such as `mass_kg: 70.0`.'
        )
    try:
        return subject_from_mapping(content)
    except SubjectError as error:
        raise SubjectError(f'In {path}, {error}') from None


def save_subject(path: Path, subject: Subject, *, notes: Mapping[str, Any] | None = None) -> None:
    """Write a SUBJECT.yaml that `load_subject` reads back.

    Args:
        path: the file; an older one is replaced.
        subject: what to write.
        notes: further keys for human readers, such as `speed_mps` or `source`.

    Raises:
        OutputError: where the file cannot be written.

    """
    content: dict[str, Any] = {'mass_kg': subject.mass_kg, 'height_m': subject.height_m}
    if subject.segment_length_m:
        content['segment_length_m'] = dict(subject.segment_length_m)
    content['sensor_axes'] = (
        f'segment aligned: {FILE_AXES}'
        if subject.sensor_axes == ALIGNED
        else 'raw, mounting unknown'
    )
    content['sensor_position_m'] = {
        sensor: [round(float(value), 6) + 0.0 for value in (forward, up, -left)]
        for sensor, (forward, left, up) in zip(SENSORS, subject.sensor_position_m, strict=True)
    }
    content['sensor_position_origin'] = (
        f'proximal joint of the segment (pelvis: hip mid-point), {FILE_AXES}'
    )
    content.update(notes or {})
    with file_beside(path, overwrite=True) as partial:
        partial.write_text(
            yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding='utf-8'
        )


def _require_proportions(*, mass: float, height: float, leg: float) -> None:
    low, high = BODY_MASS_INDEX
    index = mass / height**2
    if not low <= index <= high:
        raise SubjectError(
            f'mass_kg {mass:g} and height_m {height:g} give {index:.0f} kg/m^2, expected '
            f'{low:.0f} to {high:.0f} as people have; correct whichever is wrong.'
        )
    shortest, longest = LEG_OF_HEIGHT
    if not shortest <= leg / height <= longest:
        raise SubjectError(
            f'Thigh and shank are {leg:.2f} m long together, {leg / height:.2f} of height_m, '
            f'expected {shortest:g} to {longest:g} of it; correct segment_length_m or height_m.'
        )


def _number(value: Any, *, name: str, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not _is_moderate(value):
        raise SubjectError(
            f'{name} is {brief(value)}, expected a number in {unit}; write it without the unit.'
        )
    return float(value)


def _is_moderate(value: Any) -> bool:
    return bool(abs(value) < LARGEST_NUMBER)


def _position(given: object, *, sensor: str) -> tuple[float, float, float]:
    if sensor not in (*SENSORS, *OPTIONAL_SENSORS):
        raise SubjectError(
            f'sensor_position_m names {brief(sensor)}, expected one of {", ".join(SENSORS)}; '
            'rename or remove it.'
        )
    name = f'sensor_position_m.{sensor}'
    if isinstance(given, (str, bytes)) or not isinstance(given, (Sequence, np.ndarray)):
        raise SubjectError(
            f'{name} is {brief(given)}, expected three numbers in m; write [x, y, z].'
        )
    values = [_number(value, name=name, unit='m') for value in given]
    if len(values) != 3:
        raise SubjectError(
            f'{name} holds {len(values)} numbers, expected three in m; write [x, y, z].'
        )
    if max(abs(value) for value in values) > REACH_M:
        raise SubjectError(
            f'{name} is {brief(values)}, expected metres from the proximal joint of the segment; '
            'give them in metres, not centimetres.'
        )
    return values[0], values[1], values[2]


def _mapping(value: object, *, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SubjectError(
            f'{name} is {brief(value)}, expected one line a name; write `name: value` lines '
            'below it.'
        )
    for key in value:
        if not isinstance(key, str) or not key.isidentifier() or len(key) > LONGEST_KEY:
            raise SubjectError(
                f'{name} names {brief(key)}, expected names such as those in the docs; rename or '
                'remove it.'
            )
    return value


def _axes(spelling: object) -> str:
    text = ' '.join(spelling.lower().split()) if isinstance(spelling, str) else ''
    for axes, pattern in AXES_SPELLINGS.items():
        if text and pattern.fullmatch(text):
            return axes
    raise SubjectError(
        f"sensor_axes is {brief(spelling)}, expected 'segment aligned: {FILE_AXES}' or "
        "'raw, mounting unknown'; use the latter if in doubt, so that it is calibrated."
    )
