# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Serialise many like messages by filling numbers into the bytes of one."""

from __future__ import annotations

import struct

import numpy as np

ENCAPSULATION = 4
SENTINEL_BITS = 0x7E57_5EED_0000_0000
STAMP_SENTINEL = (0x5E27_11E1, 0x2E11_1DE5)
"""Seconds and nanoseconds of every header in a template."""


def placeholder(index: int) -> float:
    """Return the number that marks where value `index` of a template goes."""
    return float(struct.unpack('<d', struct.pack('<Q', SENTINEL_BITS + index))[0])


class MessageTemplate:
    """Know where the stamps and numbers of a serialised message are."""

    def __init__(self, message: bytes | memoryview, *, values: int) -> None:
        """Find the places to fill.

        Args:
            message: little-endian CDR of a message whose headers carry `STAMP_SENTINEL` and
                whose float64 fields to fill carry `placeholder(0)` to `placeholder(values - 1)`.
            values: how many.

        Raises:
            ValueError: for a message that lacks a placeholder.

        """
        raw = bytes(message)
        self._bytes = np.frombuffer(raw, dtype=np.uint8)
        self._values = [
            raw.index(struct.pack('<Q', SENTINEL_BITS + index)) for index in range(values)
        ]
        stamp = struct.pack('<2I', *STAMP_SENTINEL)
        self._stamps = [at for at in range(len(raw)) if raw.startswith(stamp, at)]
        # CDR aligns numbers from the end of the encapsulation on.
        self._single = bytearray(raw)
        size = len(raw) - ENCAPSULATION
        words = np.frombuffer(self._single, dtype='<u4', offset=ENCAPSULATION, count=size // 4)
        self._single_words = words
        self._single_numbers = words[: len(words) // 2 * 2].view('<f8')
        self._word_places = [(at - ENCAPSULATION) // 4 for at in self._stamps]
        self._number_places = np.array([(at - ENCAPSULATION) // 8 for at in self._values], int)

    def fill_one(self, *, stamp_ns: int, values: np.ndarray) -> bytes:
        """Serialise one message, sooner than `fill` does.

        Args:
            stamp_ns: header stamp, ns.
            values: (values,) numbers in the order of their placeholders.

        """
        self._single_numbers[self._number_places] = values
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        # Seconds are signed: clocks of simulators begin at zero, and offsets reach before it.
        seconds &= 0xFFFF_FFFF
        words = self._single_words
        for at in self._word_places:
            words[at], words[at + 1] = seconds, nanoseconds
        return bytes(self._single)

    def fill(self, *, stamp_ns: np.ndarray, values: np.ndarray) -> list[bytes]:
        """Serialise messages.

        Args:
            stamp_ns: (n,) header stamps, ns.
            values: (n, values) numbers in the order of their placeholders.

        Returns:
            (n) messages.

        """
        length = len(self._bytes)
        whole = self.fill_table(stamp_ns=stamp_ns, values=values).tobytes()
        return [whole[at : at + length] for at in range(0, len(whole), length)]

    def fill_table(self, *, stamp_ns: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return what `fill` does as (n, length) bytes."""
        table = np.tile(self._bytes, (len(stamp_ns), 1))
        parts = np.stack(np.divmod(stamp_ns, 1_000_000_000), -1).astype('<u4')
        for at in self._stamps:
            table[:, at : at + 8] = parts.view(np.uint8)
        numbers = np.ascontiguousarray(values, dtype='<f8').view(np.uint8)
        for index, at in enumerate(self._values):
            table[:, at : at + 8] = numbers[:, 8 * index : 8 * index + 8]
        return table
