# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make valid input hostile, keeping enough of its structure to get past the first check."""

from __future__ import annotations

import copy
import math
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

INTERESTING_BYTES = (0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF)
INTERESTING_WORDS = (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0xFFFF_FFF0, 1_000_000_000)
INTERESTING_LONGS = (0, 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
INTERESTING_DOUBLES = (
    0.0,
    -0.0,
    -1.0,
    1e-320,
    1e30,
    -1e200,
    1.7e308,
    math.nan,
    math.inf,
    -math.inf,
)

HOSTILE_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    10**400,
    -(10**5000),
    0.0,
    -0.0,
    1e-320,
    1e308,
    math.nan,
    math.inf,
    -math.inf,
    '',
    'x',
    '70',
    'nan',
    'pelvis',
    'a' * 5000,
    '\x00\x07\x1b[31m\r\nError: no',
    '\ud800',
    'é中\U0001f600',
    b'bytes',
    [],
    {},
    [[]],
    [None, None, None],
    [1, 2],
    [1, 2, 3, 4],
    [[1, 0, 0], [0, 1, 0], [0, 0, -1]],
    {'pelvis': None},
    {1: 2, None: 3},
    {'a' * 500: ['b' * 500] * 3},
    (1, 2, 3),
)


def mutate_bytes(rng: Random, seed: bytes, *, others: Sequence[bytes] = ()) -> bytes:
    """Change a few bytes, words, lengths or stretches of `seed`, or cut or lengthen it."""
    data = bytearray(seed)
    for _ in range(1 + int(rng.random() ** 3 * 6)):
        rng.choice(_BYTE_CHANGES)(rng, data, others)
    return bytes(data)


def mutate_text(rng: Random, seed: str, *, tokens: Sequence[str]) -> str:
    """Change lines of a text: drop, repeat, swap, cut, or put tokens of its language in."""
    lines = seed.split('\n')
    for _ in range(1 + int(rng.random() ** 2 * 4)):
        at = rng.randrange(len(lines))
        line = lines[at]
        kind = rng.randrange(7)
        if kind == 0 and len(lines) > 1:
            del lines[at]
        elif kind == 1:
            lines.insert(at, line)
        elif kind == 2:
            place = rng.randrange(len(line) + 1)
            lines[at] = line[:place] + rng.choice(tokens) + line[place:]
        elif kind == 3:
            lines[at] = line[: rng.randrange(len(line) + 1)]
        elif kind == 4:
            head, separator, _ = line.partition(':')
            lines[at] = head + separator + ' ' + rng.choice(tokens)
        elif kind == 5:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], line
        else:
            lines[at] = rng.choice(('  ', '\t', '- ', '? ', '# ', '--- ')) + line
    return '\n'.join(lines)


def mutate_tree(rng: Random, seed: Any, *, also: Sequence[Any] = ()) -> Any:
    """Change values of a tree of mappings and lists: replace, drop, add, repeat or swap some."""
    tree = copy.deepcopy(seed)
    for _ in range(1 + int(rng.random() ** 2 * 4)):
        parent, key = _place(rng, tree)
        if parent is None:
            return _hostile(rng, also)
        kind = rng.randrange(6)
        if kind <= 2:
            parent[key] = _hostile(rng, also)
        elif kind == 3:
            del parent[key]
        elif kind == 4 and isinstance(parent, dict):
            parent[rng.choice((*HOSTILE_KEYS, f'{key}x', str(key)[:-1]))] = copy.deepcopy(
                parent[key]
            )
        elif isinstance(parent, list):
            parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
        else:
            other, place = _place(rng, tree)
            if other is not None:
                parent[key] = copy.deepcopy(other[place])
    return tree


HOSTILE_KEYS = ('', 'x', 'pelvis', 'wrist', 'mass', 'mass_Kg', 'k' * 300, '\n', 0, None, True, 1.5)


def _hostile(rng: Random, also: Sequence[Any]) -> Any:
    if also and rng.random() < 0.5:
        return copy.deepcopy(rng.choice(also))
    if rng.random() < 0.2:
        return rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-12.0, 12.0)
    return copy.deepcopy(rng.choice(HOSTILE_VALUES))


def _place(rng: Random, tree: Any) -> tuple[Any, Any]:
    """Return a random list or mapping of the tree and a key in it, or None if there is none."""
    parent, key, node = None, None, tree
    while isinstance(node, (dict, list)) and node and (parent is None or rng.random() < 0.75):
        parent = node
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        node = node[key]
    return parent, key


Change = Callable[[Random, bytearray, Sequence[bytes]], None]


def _flip(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice(INTERESTING_BYTES)


def _word(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if len(data) >= 4:
        at = rng.randrange(len(data) - 3)
        at -= at % rng.choice((1, 4))
        data[at : at + 4] = struct.pack(rng.choice('<>') + 'I', rng.choice(INTERESTING_WORDS))


def _long(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if len(data) >= 8:
        at = rng.randrange(len(data) - 7)
        data[at : at + 8] = struct.pack('<Q', rng.choice(INTERESTING_LONGS))


def _double(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if len(data) >= 8:
        at = rng.randrange(len(data) - 7) // 4 * 4
        data[at : at + 8] = struct.pack('<d', rng.choice(INTERESTING_DOUBLES))


def _cut(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _drop(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.randrange(1, 17)]


def _repeat(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.randrange(1, 65)]


def _noise(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.randrange(1, 17))


def _splice(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if others:
        other = rng.choice(others)
        del data[rng.randrange(len(data) + 1) :]
        data += other[rng.randrange(len(other) + 1) :]


_BYTE_CHANGES: tuple[Change, ...] = (
    *(_flip, _byte, _word, _long, _double),
    *(_cut, _drop, _repeat, _noise, _splice),
)
