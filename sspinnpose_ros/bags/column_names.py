# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tell from the name of a column or an array what it holds, as loggers and vendors spell it."""

from __future__ import annotations

import re
from dataclasses import dataclass

ACCELERATION, RATE, TIME, TICKS, COUNTER = 'acceleration', 'rate', 'time', 'ticks', 'counter'
AXES = ('x', 'y', 'z')

KINDS = {
    ACCELERATION: ('acc', 'accel', 'acceleration', 'accelerometer', 'accelerations'),
    RATE: ('gyr', 'gyro', 'gyroscope', 'gyros', 'omega', 'rate', 'angularrate', 'angularvelocity'),
}
SHORT = {'a': ACCELERATION, 'g': RATE, 'w': RATE}
"""First letters in ax, gy, wz."""

NO_SIGNAL = frozenset(
    (
        'free',
        'user',
        'lin',
        'mag',
        'magn',
        'magnetometer',
        'mat',
        'quat',
        'q',
        'euler',
        'roll',
        'pitch',
        'yaw',
        'temp',
        'temperature',
        'pressure',
        'baro',
        'gravity',
        'grav',
        'orientation',
        'ori',
        'bias',
    )
)
"""Words of columns that are not read, such as the acceleration without gravity (FreeAcc)."""

TIME_WORDS = ('time', 'timestamp', 'stamp', 't', 'seconds', 'sec')
COUNTER_WORDS = ('packetcounter', 'counter', 'packet', 'samplecounter')
IDLE = frozenset(('linear', 'angular', 'velocity', 'of', 'turn', 'sensor', 'data', 'raw', 'cal'))
"""Words that go with a signal and name no sensor."""

UNITS = {
    ACCELERATION: {
        'g': ('g', 'gs'),
        'm/s2': ('m/s2', 'm/s^2', 'm/s²', 'ms2', 'mps2', 'ms-2', 'm/s/s'),
    },
    RATE: {
        'deg/s': ('deg/s', 'degs', 'dps', '°/s', 'degps', 'deg/sec'),
        'rad/s': ('rad/s', 'rads', 'radps', 'rps', 'rad/sec'),
    },
    TIME: {
        's': ('s', 'sec', 'seconds'),
        'ms': ('ms', 'msec', 'milliseconds'),
        'us': ('us', 'µs', 'usec', 'microseconds'),
        'ns': ('ns', 'nsec', 'nanoseconds', 'nanos'),
    },
}

LONGEST_SENSOR = 40

_WORD = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+')
_BRACKET = re.compile(r'[(\[{]([^)\]}]*)[)\]}]')


@dataclass(frozen=True)
class Column:
    """Hold what a name says.

    Attributes:
        kind: 'acceleration', 'rate', 'time', 'ticks' (of a sensor's own clock) or 'counter'.
        axis: 'x', 'y' or 'z' of a signal; None for others and for arrays of all three.
        sensor: what is left of the name, in lower case; empty where nothing is.
        unit: as `UNITS` spells it; None where the name gives none.

    """

    kind: str
    axis: str | None
    sensor: str
    unit: str | None


def read_column(name: str) -> Column | None:
    """Return what a column holds, None for what is not read."""
    bracket = _BRACKET.search(name)
    given = '' if bracket is None else bracket[1].strip().lower().replace(' ', '')
    words = [word.lower() for word in _WORD.findall(_BRACKET.sub(' ', name))]
    words = [part for word in words for part in _parted(word)]
    if NO_SIGNAL.intersection(words):
        return None
    if words[:3] == ['sample', 'time', 'fine']:
        return Column(kind=TICKS, axis=None, sensor='', unit=None)
    if ''.join(words) in COUNTER_WORDS:
        return Column(kind=COUNTER, axis=None, sensor='', unit=None)
    kind = next((k for k, spellings in KINDS.items() if set(spellings) & set(words)), None)
    if kind is None and {'angular', 'velocity'} <= set(words):
        kind = RATE
    if kind is None:
        return _time_column(words, given)
    left = [word for word in words if word not in KINDS[kind] and word not in IDLE]
    axis = next((word for word in reversed(left) if word in AXES), None)
    if axis is not None:
        del left[len(left) - 1 - left[::-1].index(axis)]
    unit = _unit(kind, given)
    for length in (3, 2, 1):
        # A unit may be the end of a name, as in acc_x_ms2 or gyr_z_deg_s.
        found = _unit(kind, ''.join(left[-length:])) if len(left) >= length else None
        if unit is None and found is not None:
            unit = found
            del left[-length:]
    return Column(kind=kind, axis=axis, sensor='_'.join(left)[:LONGEST_SENSOR], unit=unit)


def _parted(word: str) -> list[str]:
    """Split accx and ax into signal and axis."""
    if word[-1:] in AXES:
        if any(word[:-1] in spellings for spellings in KINDS.values()):
            return [word[:-1], word[-1]]
        if len(word) == 2 and word[0] in SHORT:
            return [KINDS[SHORT[word[0]]][0], word[1]]
    return [word]


def _time_column(words: list[str], given: str) -> Column | None:
    if not words or words[0] not in TIME_WORDS or len(words) > 2:
        return None
    unit = _unit(TIME, given) or (_unit(TIME, words[1]) if len(words) == 2 else None)
    if len(words) == 2 and unit is None and words[1] not in TIME_WORDS:
        return None
    return Column(kind=TIME, axis=None, sensor='', unit=unit)


def _unit(kind: str, text: str) -> str | None:
    return next((unit for unit, spellings in UNITS[kind].items() if text in spellings), None)
