# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read which segment a sensor is worn on from its name, its topic or its frame."""

from __future__ import annotations

import re
from dataclasses import dataclass

PARTS = {
    'pelvis': ('pelvis', 'pelvic', 'sacrum', 'sacral', 'hips', 'waist', 'lumbar', 'belt'),
    'trunk': ('trunk', 'torso', 'chest', 'sternum', 'thorax', 'upperback', 't8'),
    'thigh': ('thigh', 'upperleg', 'upleg', 'femur'),
    'shank': ('shank', 'shin', 'tibia', 'lowerleg', 'calf', 'crus'),
    'foot': ('foot', 'feet', 'shoe', 'toe', 'instep'),
}
SIDES = {'r': ('right', 'rechts', 'rt', 'rgt', 'r'), 'l': ('left', 'links', 'lt', 'lft', 'l')}

_WORD = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+')
_JOINED = {('upper', 'leg'), ('up', 'leg'), ('lower', 'leg'), ('upper', 'back'), ('t', '8')}


@dataclass(frozen=True)
class NamedPlacement:
    """Hold what a name tells.

    Attributes:
        part: 'pelvis', 'trunk', 'thigh', 'shank', 'foot', or None.
        side: 'r', 'l', or None.

    """

    part: str | None
    side: str | None

    @property
    def sensor(self) -> str | None:
        """Name of the sensor, None where the part or its side is not told."""
        if self.part in ('pelvis', 'trunk'):
            return self.part
        return f'{self.part}_{self.side}' if self.part and self.side else None


def placement_in(name: str) -> NamedPlacement:
    """Read a name such as '/imu/thigh_r/data_raw', 'RightUpperLeg' or 'imu_lshank'.

    Of several segments or sides in a name none is taken.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    for place in range(len(words) - 1, 0, -1):
        if (words[place - 1], words[place]) in _JOINED:
            words[place - 1 : place + 1] = [words[place - 1] + words[place]]
    parts, sides = set(), set()
    for word in words:
        found = _part(word)
        if found is None:
            # A side may be stuck to the segment, as in rfoot or footl.
            for begin, end, rest in ((word[:1], '', word[1:]), ('', word[-1:], word[:-1])):
                if (begin or end) in SIDES and _part(rest):
                    found = _part(rest)
                    sides.add(begin or end)
            for side, spellings in SIDES.items():
                for spelling in spellings[:2]:
                    if word.startswith(spelling) and _part(word.removeprefix(spelling)):
                        found = _part(word.removeprefix(spelling))
                        sides.add(side)
        if found is not None:
            parts.add(found)
        sides.update(side for side, spellings in SIDES.items() if word in spellings)
    part = parts.pop() if len(parts) == 1 else None
    side = sides.pop() if len(sides) == 1 else None
    return NamedPlacement(part=part, side=None if part in ('pelvis', 'trunk') else side)


def _part(word: str) -> str | None:
    for part, spellings in PARTS.items():
        if word in spellings:
            return part
    return None
