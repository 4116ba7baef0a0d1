# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read one sensor_msgs/Imu from its bytes, ten times faster than deserializing it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.bags.imu_cdr import (
    DOUBLES,
    ENCAPSULATION,
    FORCE,
    FRAME_ID_LENGTH,
    RATE,
    MalformedImuError,
    parse_imus,
)

LITTLE_ENDIAN_CDR = b'\x00\x01'

_HEAD = struct.Struct('<2sxxiII')
_VECTOR_AND_VARIANCE = struct.Struct('<4d')


@dataclass(frozen=True, slots=True)
class ImuReading:
    """Hold what one message measured.

    Attributes:
        stamp_ns: header stamp, ns.
        sample: (6,) specific force [m/s^2] then angular rate [rad/s], sensor axes.
        has_force: False where the message declares its specific force absent (REP-145).
        has_rate: False where the message declares its angular rate absent.

    """

    stamp_ns: int
    sample: np.ndarray
    has_force: bool
    has_rate: bool


def read_imu(raw: bytes) -> ImuReading:
    """Read a serialized sensor_msgs/Imu.

    Args:
        raw: with its encapsulation, as a raw subscription gives it.

    Returns:
        What the message measured.

    Raises:
        MalformedImuError: for bytes of another message type or encoding.

    """
    if len(raw) < FRAME_ID_LENGTH + 4 or raw[:2] != LITTLE_ENDIAN_CDR:
        block = parse_imus([raw])
        return ImuReading(int(block.stamp_ns[0]), block.sample[0], block.has_force, block.has_rate)
    _, seconds, nanoseconds, name_length = _HEAD.unpack_from(raw)
    start = ENCAPSULATION + (12 + name_length + 7) // 8 * 8
    if len(raw) != start + 8 * DOUBLES:
        raise MalformedImuError
    rx, ry, rz, rate_variance = _VECTOR_AND_VARIANCE.unpack_from(raw, start + 8 * RATE.start)
    fx, fy, fz, force_variance = _VECTOR_AND_VARIANCE.unpack_from(raw, start + 8 * FORCE.start)
    return ImuReading(
        seconds * 1_000_000_000 + nanoseconds,
        np.array((fx, fy, fz, rx, ry, rz)),
        force_variance != -1.0,
        rate_variance != -1.0,
    )
