# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read what is whole in an mcap file that its recorder never closed, as after a loss of power."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition
from rosbags.interfaces import MessageDefinitionFormat as Format

from sspinnpose_ros.bags.decompression import KINDS, decompress_chunk

MAGIC = b'\x89MCAP0\r\n'
SCHEMA, CHANNEL, MESSAGE, CHUNK = 3, 4, 5, 6
LARGEST_CHUNK_BYTES = 2**30

_RECORD = struct.Struct('<BQ')
_MESSAGE = struct.Struct('<HIQQ')
_CHUNK = struct.Struct('<QQQI')
_LENGTH = struct.Struct('<I')


def is_cut_off(path: Path) -> bool:
    """Tell whether a file begins as mcap but does not end as one."""
    with path.open('rb') as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
        size = file.seek(0, 2)
        file.seek(max(0, size - len(MAGIC)))
        return size < 2 * len(MAGIC) or file.read() != MAGIC


@dataclass(frozen=True)
class _Block:
    """Say where records are: a chunk of the file, or a message outside of any."""

    offset: int
    length: int
    compression: str | None


class RecoveredMcap:
    """Offer what `rosbags` offers of a whole file; made by `recover_mcap`."""

    def __init__(self, path: Path) -> None:
        """Look through the file once.

        Raises:
            ValueError: where not a single message is whole.

        """
        self._path = path
        self._file = path.open('rb')
        self._schemas: dict[int, str] = {}
        self._channels: dict[int, tuple[str, str]] = {}
        self._counts: dict[int, int] = {}
        self._blocks: list[_Block] = []
        self.start_time, self.end_time = 2**63 - 1, 0
        try:
            for block in self._find_blocks():
                self._note(block)
        except BaseException:
            self.close()
            raise
        if not self._counts:
            self.close()
            raise ValueError('not one message in it is whole')
        self.connections = [
            Connection(
                id=channel,
                topic=topic,
                msgtype=kind,
                msgdef=MessageDefinition(Format.NONE, ''),
                digest='',
                msgcount=self._counts.get(channel, 0),
                ext=ConnectionExtRosbag2('cdr', []),
                owner=self,
            )
            for channel, (topic, kind) in self._channels.items()
        ]

    @property
    def message_count(self) -> int:
        """Messages that are whole."""
        return sum(self._counts.values())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def messages(
        self, connections: Collection[Connection] = ()
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Yield the connection, time of recording in ns and bytes of each message."""
        chosen = {connection.id: connection for connection in connections or self.connections}
        for block in self._blocks:
            found = [
                (_MESSAGE.unpack_from(content), content)
                for kind, content in self._records(block)
                if kind == MESSAGE
            ]
            for (channel, _, time, _), content in sorted(found, key=lambda each: each[0][2]):
                if channel in chosen:
                    yield chosen[channel], time, content[_MESSAGE.size :]

    def _find_blocks(self) -> Iterator[_Block]:
        """Yield the records of the file that are whole."""
        size = self._file.seek(0, 2)
        place = len(MAGIC)
        while place + _RECORD.size <= size:
            self._file.seek(place)
            kind, length = _RECORD.unpack(self._file.read(_RECORD.size))
            begin = place + _RECORD.size
            place = begin + length
            if not kind or (place > size and kind != CHUNK):
                return
            if kind == CHUNK:
                head = self._file.read(min(length, _CHUNK.size + 64))
                name_at = _CHUNK.size + _LENGTH.size
                if len(head) < name_at:
                    return
                name_length = _LENGTH.unpack_from(head, _CHUNK.size)[0]
                compression = head[name_at : name_at + name_length].decode('ascii', 'replace')
                skipped = name_at + name_length + 8
                whole = _CHUNK.unpack_from(head)[2]
                if compression not in KINDS or not whole <= LARGEST_CHUNK_BYTES:
                    return
                if place > size and compression:
                    return
                # Of a chunk that is cut off but not compressed the first records are whole.
                yield _Block(begin + skipped, min(place, size) - begin - skipped, compression)
            elif kind in (SCHEMA, CHANNEL, MESSAGE):
                yield _Block(begin - _RECORD.size, length + _RECORD.size, None)

    def _note(self, block: _Block) -> None:
        for kind, content in self._records(block):
            if kind == SCHEMA:
                self._schemas[_short(content, 0)] = _text(content, 2)
            elif kind == CHANNEL:
                schema = self._schemas.get(_short(content, 2), '')
                self._channels[_short(content, 0)] = (_text(content, 4), schema)
            elif kind == MESSAGE:
                channel, _, time, _ = _MESSAGE.unpack_from(content)
                if channel in self._channels:
                    self._counts[channel] = self._counts.get(channel, 0) + 1
                    self.start_time = min(self.start_time, time)
                    self.end_time = max(self.end_time, time + 1)
        self._blocks.append(block)

    def _records(self, block: _Block) -> Iterator[tuple[int, bytes]]:
        self._file.seek(block.offset)
        raw = self._file.read(block.length)
        if block.compression is not None:
            raw = decompress_chunk(raw, block.compression)
        place = 0
        while place + _RECORD.size <= len(raw):
            kind, length = _RECORD.unpack_from(raw, place)
            place += _RECORD.size
            if place + length > len(raw):
                return
            yield kind, raw[place : place + length]
            place += length


def _short(content: bytes, place: int) -> int:
    return int.from_bytes(content[place : place + 2], 'little')


def _text(content: bytes, place: int) -> str:
    length = _LENGTH.unpack_from(content, place)[0]
    return content[place + _LENGTH.size : place + _LENGTH.size + length].decode()
