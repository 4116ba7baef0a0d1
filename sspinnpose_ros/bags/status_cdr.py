# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Serialise the verdict on an estimate as diagnostic_msgs/DiagnosticStatus, byte by byte.

Its values are `stamp` (s, that of the estimate or the last one), `age_ms` (stamp to publication),
`missing` (sensors), `faults` (each a name and its sensors, `; ` between) and, for each worn
sensor, `residual <sensor>`: measured minus virtual force forward and up in m/s^2 and rate in
rad/s, empty where it is absent.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate_status import EstimateStatus

LITTLE_ENDIAN_CDR = b'\0\1\0\0'
S = 1_000_000_000
"""Nanoseconds in a second."""

_LENGTH = struct.Struct('<I')
_ENDS = (bytes(4), bytes(3), bytes(2), bytes(1))
"""The zero that ends a string of a length modulo 4, and what it is padded with."""


class StatusCdr:
    """Know what stays the same in the messages of human/status."""

    def __init__(self, *, name: str, hardware_id: str, sensors: Sequence[str]) -> None:
        """Take the name of the status, whose it is and which sensors are worn."""
        self._name, self._hardware_id = _string(name), _string(hardware_id)
        self._rows = [SENSORS.index(sensor) for sensor in sensors]
        self._keys = [_string(f'residual {sensor}') for sensor in sensors]
        self._count = _LENGTH.pack(4 + len(self._rows))

    def serialize(
        self,
        status: EstimateStatus,
        *,
        stamp_ns: int | None,
        age_s: float,
        residual: np.ndarray | None,
    ) -> bytes:
        """Write a verdict.

        Args:
            status: the verdict.
            stamp_ns: measurement time of the estimate, or of the last one; None before any.
            age_s: time since then, s.
            residual: (7, 3) measured minus virtual signals, NaN where absent; None without
                an estimate.

        """
        stamp = age = ''
        if stamp_ns is not None:
            stamp = '{}.{:09d}'.format(*divmod(stamp_ns, S))
            age = f'{1e3 * age_s:.2f}'
        parts = [
            LITTLE_ENDIAN_CDR,
            int(status.level).to_bytes(4, 'little'),
            self._name,
            _string(status.message),
            self._hardware_id,
            self._count,
            _STAMP,
            _string_once(stamp),
            _AGE,
            _string_once(age),
            _MISSING,
            _string(' '.join(status.missing)),
            _FAULTS,
            _string('; '.join(status.faults)),
        ]
        rows = None if residual is None else residual.tolist()
        text = b''
        for row, key in zip(self._rows, self._keys, strict=True):
            text = b''
            if rows is not None and not math.isnan(rows[row][0]):
                # Bytes are filled in several times as fast as strings are.
                text = b'%.2f %.2f m/s^2 %.2f rad/s' % tuple(rows[row])
            parts += (key, _content(text))
        whole = b''.join(parts)
        # Nothing follows the last string that it would have to be padded for.
        surplus = -(len(text) + 1) % 4
        return whole[: len(whole) - surplus]


def read_verdict(raw: bytes) -> tuple[int, str]:
    """Return level and message of a serialised diagnostic_msgs/DiagnosticStatus.

    Raises:
        ValueError: for bytes that are none.

    """
    if raw[:4] != LITTLE_ENDIAN_CDR or len(raw) < 12:
        raise ValueError('a status in an encoding that no node uses')
    begin = 8
    for _ in ('name', 'message'):
        begin += -begin % 4
        if begin + 4 > len(raw):
            raise ValueError('a status that is cut off')
        (length,) = _LENGTH.unpack_from(raw, begin)
        begin, end = begin + 4, begin + 4 + length
        if end > len(raw):
            raise ValueError('a status that is cut off')
        text = bytes(raw[begin:end])
        begin = end
    return raw[4], text.rstrip(b'\0').decode()


def _content(text: bytes) -> bytes:
    return _LENGTH.pack(len(text) + 1) + text + _ENDS[len(text) % 4]


def _string_once(text: str) -> bytes:
    return _content(text.encode())


# Messages and lists of missing sensors and faults repeat from frame to frame.
_string = lru_cache(maxsize=256)(_string_once)

_STAMP, _AGE, _MISSING, _FAULTS = (
    _string(key) for key in ('stamp', 'age_ms', 'missing', 'faults')
)
