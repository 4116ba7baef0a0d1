# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read sensor_msgs/Imu from its bytes, many messages at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ENCAPSULATION = 4
STAMP = ENCAPSULATION
FRAME_ID_LENGTH = ENCAPSULATION + 8
FRAME_ID = ENCAPSULATION + 12
DOUBLES = 37
"""Orientation (4), rate (3), specific force (3), each before its 3x3 covariance."""

RATE, RATE_COVARIANCE = slice(13, 16), 16
FORCE, FORCE_COVARIANCE = slice(25, 28), 28


class MalformedImuError(ValueError):
    """Report bytes that are no sensor_msgs/Imu in CDR."""


@dataclass(frozen=True)
class ImuBlock:
    """Hold what a run of messages of one sensor measured.

    Attributes:
        stamp_ns: (n,) header stamps, ns.
        sample: (n, 6) specific force, m/s^2, then angular rate, rad/s, sensor axes.
        has_force: whether no message declares its specific force absent (REP-145).
        has_rate: whether no message declares its angular rate absent.

    """

    stamp_ns: np.ndarray
    sample: np.ndarray
    has_force: bool
    has_rate: bool


def parse_imus(messages: Sequence[bytes | memoryview]) -> ImuBlock:
    """Read stamps, specific forces and rates of messages.

    Args:
        messages: (n) serialised sensor_msgs/Imu with their encapsulation, n >= 1.

    Returns:
        What they hold, in their order.

    Raises:
        MalformedImuError: for bytes of another message type or encoding.

    """
    lengths = {len(message) for message in messages}
    if len(lengths) == 1:
        return _parse_equal(messages, length=lengths.pop())
    stamp = np.empty(len(messages), dtype=np.int64)
    sample = np.empty((len(messages), 6))
    has_force = has_rate = True
    for length in lengths:
        rows = [row for row, message in enumerate(messages) if len(message) == length]
        block = _parse_equal([messages[row] for row in rows], length=length)
        stamp[rows], sample[rows] = block.stamp_ns, block.sample
        has_force, has_rate = has_force and block.has_force, has_rate and block.has_rate
    return ImuBlock(stamp_ns=stamp, sample=sample, has_force=has_force, has_rate=has_rate)


def frame_of(message: bytes | memoryview) -> str:
    """Return the frame id of a serialised sensor_msgs/Imu, unprintable characters replaced.

    Raises:
        MalformedImuError: for bytes that are none.

    """
    order = 'little' if message[1:2] == b'\1' else 'big'
    length = int.from_bytes(message[FRAME_ID_LENGTH : FRAME_ID_LENGTH + 4], order)
    text = bytes(message[FRAME_ID : FRAME_ID + length])
    if len(text) < length:
        raise MalformedImuError
    name = text.rstrip(b'\0').decode('utf-8', 'replace')
    return ''.join(each if each.isprintable() else '?' for each in name)


def _parse_equal(messages: Sequence[bytes | memoryview], *, length: int) -> ImuBlock:
    # The doubles start at the first multiple of 8 behind the frame id, counted from the end of
    # the encapsulation; messages of equal length therefore share that place.
    table = np.frombuffer(b''.join(messages), dtype=np.uint8).reshape(len(messages), length)
    start = length - 8 * DOUBLES
    if start < FRAME_ID or (table[:, 1] != table[0, 1]).any() or table[:, 0].any():
        raise MalformedImuError
    if table[0, 1] > 1:
        # Parameter lists and other encodings, whose fields sit elsewhere.
        raise MalformedImuError
    order = '<' if table[0, 1] == 1 else '>'
    frame_id = _column(table, FRAME_ID_LENGTH, f'{order}u4', 1)[:, 0].astype(np.int64)
    expected = ENCAPSULATION + (12 + frame_id + 7) // 8 * 8
    if (expected != start).any():
        raise MalformedImuError
    seconds = _column(table, STAMP, f'{order}i4', 1)[:, 0].astype(np.int64)
    nanoseconds = _column(table, STAMP + 4, f'{order}u4', 1)[:, 0].astype(np.int64)
    doubles = _column(table, start, f'{order}f8', DOUBLES)
    return ImuBlock(
        stamp_ns=seconds * 1_000_000_000 + nanoseconds,
        sample=np.concatenate([doubles[:, FORCE], doubles[:, RATE]], -1).astype(np.float64),
        has_force=not (doubles[:, FORCE_COVARIANCE] == -1.0).any(),
        has_rate=not (doubles[:, RATE_COVARIANCE] == -1.0).any(),
    )


def _column(table: np.ndarray, start: int, dtype: str, count: int) -> np.ndarray:
    width = np.dtype(dtype).itemsize * count
    return np.ascontiguousarray(table[:, start : start + width]).view(dtype)
