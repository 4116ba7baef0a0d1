# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Map messages of any type to what an IMU measured: force, rate and time, in SI units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sspinnpose_ros.ros.field_path import (
    NUMBERS,
    TIME,
    FieldError,
    FieldPath,
    end_type,
    parse_path,
)

STANDARD_GRAVITY = 9.80665

FORCE_UNITS = {'m/s^2': 1.0, 'g': STANDARD_GRAVITY, 'mg': 1e-3 * STANDARD_GRAVITY}
RATE_UNITS = {'rad/s': 1.0, 'deg/s': math.pi / 180.0, 'mdeg/s': 1e-3 * math.pi / 180.0}
NS_OF_STAMP = {'s': 1_000_000_000, 'ms': 1_000_000, 'us': 1000, 'ns': 1}

LAST_STAMP_NS = 2**31 * 1_000_000_000 - 1

KEY = '{key}'
"""Stands in a path for what tells the sensors in one message apart."""


@dataclass(frozen=True)
class ImuMapping:
    """Say where in a message the measurement of one sensor is.

    Attributes:
        specific_force: three paths.
        angular_rate: three paths.
        stamp: path of a Time or a number; None where there is none.
        force_factor: turns the numbers into m/s^2.
        rate_factor: turns the numbers into rad/s.
        stamp_factor_ns: turns a number into ns.

    """

    specific_force: tuple[FieldPath, ...]
    angular_rate: tuple[FieldPath, ...]
    stamp: FieldPath | None
    force_factor: float
    rate_factor: float
    stamp_factor_ns: int

    def sample(self, message: Any) -> np.ndarray:
        """Return (6,) specific force [m/s^2] then angular rate [rad/s].

        Raises:
            FieldError: where an array has no such entry.

        """
        force = [self.force_factor * path.number(message) for path in self.specific_force]
        rate = [self.rate_factor * path.number(message) for path in self.angular_rate]
        return np.array(force + rate, dtype=np.float64)

    def stamp_ns(self, message: Any) -> int | None:
        """Return the stamp in ns; None where the message has none.

        Raises:
            FieldError: where an array has no such entry, and for a time that no stamp can hold.

        """
        if self.stamp is None:
            return None
        value = self.stamp.read(message)
        if hasattr(value, 'nanosec'):
            return int(value.sec) * 1_000_000_000 + int(value.nanosec)
        # Whole numbers stay exact.
        time = (int if hasattr(value, '__index__') else float)(value) * self.stamp_factor_ns
        if not 0 <= time <= LAST_STAMP_NS:
            raise FieldError(
                f'The stamp {self.stamp.text} is {1e-9 * time:g} s, expected one since 1970; '
                'correct stamp and stamp_unit, or leave stamp empty.'
            )
        return int(time)


def imu_mapping(
    *,
    message: Any,
    key: str,
    specific_force: Sequence[str],
    specific_force_unit: str,
    specific_force_factor: float,
    angular_rate: Sequence[str],
    angular_rate_unit: str,
    angular_rate_factor: float,
    stamp: str,
    stamp_unit: str,
) -> ImuMapping:
    """Make a mapping and hold it against the type of the messages.

    Args:
        message: class of the messages.
        key: put in place of `{key}` in every path.
        specific_force: three paths, x, y and z of the sensor.
        specific_force_unit: one of `FORCE_UNITS`.
        specific_force_factor: by which the numbers are multiplied besides.
        angular_rate: three paths.
        angular_rate_unit: one of `RATE_UNITS`.
        angular_rate_factor: by which the numbers are multiplied besides.
        stamp: path; empty for none.
        stamp_unit: one of `NS_OF_STAMP`, of a stamp that is a number.

    Raises:
        FieldError: for a path that does not lead to a number of such a message.

    """

    def numbers(name: str, texts: Sequence[str]) -> tuple[FieldPath, ...]:
        if len(texts) != 3:
            raise FieldError(
                f'The parameter {name} has {len(texts)} paths, expected three, x, y and z of the '
                'sensor; correct it.'
            )
        return tuple(end(name, text, NUMBERS) for text in texts)

    def end(name: str, text: str, kinds: frozenset[str]) -> FieldPath:
        if KEY in text and not key:
            raise FieldError(
                f'The path {text} wants a key, expected imu.<sensor>.key for every sensor; set it.'
            )
        path = parse_path(text.replace(KEY, key))
        kind = end_type(path, message=message)
        if kind not in kinds:
            what = 'a time or a number' if TIME in kinds else 'a number'
            raise FieldError(
                f'The path {path.text} leads to a {kind}, expected {what}; correct the '
                f'parameter {name}.'
            )
        return path

    return ImuMapping(
        specific_force=numbers('specific_force', specific_force),
        angular_rate=numbers('angular_rate', angular_rate),
        stamp=end('stamp', stamp, NUMBERS | {TIME}) if stamp else None,
        force_factor=FORCE_UNITS[specific_force_unit] * specific_force_factor,
        rate_factor=RATE_UNITS[angular_rate_unit] * angular_rate_factor,
        stamp_factor_ns=NS_OF_STAMP[stamp_unit],
    )
