# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write messages that belong to one instant into an mcap recording at once.

rosbags takes messages one by one, which costs more than all that is in them. It has no other call,
so this one reaches into its writer; where that looks otherwise, messages go one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Writer

MESSAGE = 0x05
"""Opcode of a message record in mcap."""

_HEADER = np.dtype(
    [
        ('opcode', 'u1'),
        ('length', '<u8'),
        ('channel', '<u2'),
        ('sequence', '<u4'),
        ('logged', '<u8'),
        ('published', '<u8'),
    ]
)
_ONE_HEADER = struct.Struct('<BQHIQQ')
_COUNTED = _HEADER.itemsize - 9
"""Bytes of the header that count as the record's content."""

LARGEST_CHUNK = 2**20


class InstantWriter:
    """Append to an open recording; all messages of one instant in one call."""

    def __init__(self, writer: Writer) -> None:
        """Take an open writer whose connections are all added."""
        self._writer = writer
        self._connections = {connection.id: connection for connection in writer.connections}
        self._direct = _is_known(writer)

    def write(self, time_ns: int, records: bytes, places: Sequence[tuple[int, int]]) -> None:
        """Append records.

        Args:
            time_ns: their time.
            records: whole records of `equal_records` and `one_record`, in their order.
            places: of each record, the number of its connection and where it begins.

        """
        writer = self._writer
        if not self._direct:
            ends = [place for _, place in places[1:]] + [len(records)]
            for (number, place), end in zip(places, ends, strict=True):
                content = records[place + _HEADER.itemsize : end]
                writer.write(self._connections[number], time_ns, content)
            return
        storage: Any = writer.storage
        chunk = storage.chunk
        begin = chunk.bio.tell()
        chunk.bio.write(records)
        for number, place in places:
            chunk.msgs[number].append((time_ns, begin + place))
            storage.channel_stats[number] += 1
            writer.counts[number] += 1
        for each in (storage, chunk):
            each.message_start_time = min(time_ns, each.message_start_time)
            each.message_end_time = max(time_ns, each.message_end_time)
        writer.min_timestamp = min(time_ns, writer.min_timestamp)
        writer.max_timestamp = max(time_ns, writer.max_timestamp)
        if begin + len(records) > LARGEST_CHUNK:
            storage.close_chunk()


def equal_records(
    connection: Connection, *, time_ns: np.ndarray, messages: np.ndarray
) -> np.ndarray:
    """Return (n, bytes) records of (n, length) serialised messages at (n,) times."""
    header = np.zeros(len(messages), _HEADER)
    header['opcode'] = MESSAGE
    header['length'] = _COUNTED + messages.shape[1]
    header['channel'] = connection.id
    header['logged'] = header['published'] = time_ns
    return np.concatenate([header.view(np.uint8).reshape(len(messages), -1), messages], axis=1)


def one_record(connection: Connection, *, time_ns: int, message: bytes) -> bytes:
    """Return the record of one serialised message."""
    length = _COUNTED + len(message)
    return _ONE_HEADER.pack(MESSAGE, length, connection.id, 0, time_ns, time_ns) + message


def _is_known(writer: Writer) -> bool:
    """Tell whether the writer holds what is reached for, and writes what is written here."""
    with suppress(Exception):
        storage: Any = writer.storage
        chunk = storage.chunk
        times = [each.message_start_time + each.message_end_time for each in (storage, chunk)]
        counts = [storage.channel_stats, writer.counts, chunk.msgs]
        return (
            callable(storage.close_chunk)
            and callable(chunk.bio.write)
            and all(isinstance(each, dict) for each in counts)
            and all(isinstance(each, int) for each in times)
            and isinstance(writer.min_timestamp + writer.max_timestamp, int)
        )
    return False
