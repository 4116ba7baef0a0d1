# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read numbers out of messages of any type, by paths such as `imu_data[id=B4].rate.x`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sspinnpose_ros.core.errors import UserError

NUMBERS = frozenset(
    {'double', 'float'} | {f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64)}
)
TIME = 'builtin_interfaces/Time'

STEP = re.compile(
    r'(?P<field>[A-Za-z]\w*)(?:\[(?:(?P<first>\d+)(?:\+(?P<more>\d+))?|(?P<key>[A-Za-z]\w*)=(?P<value>[^\]]+))\])?'
)
TYPE = re.compile(r'([A-Za-z]\w*)/msg/([A-Za-z]\w*)')
ARRAY = re.compile(r'(?:sequence<(?P<bounded>[\w/]+)(?:, \d+)?>|(?P<fixed>[\w/]+)\[\d+\])')


class FieldError(UserError):
    """Report a message type or a field that there is not."""


@dataclass(frozen=True)
class Step:
    """One field on the way, and which entry of it where it is an array.

    Attributes:
        field: its name.
        index: of the entry; None where it is no array or the entry is looked for.
        key: field of an entry that must have a value; empty where the index says which.
        value: that value, as text.

    """

    field: str
    index: int | None = None
    key: str = ''
    value: str = ''


@dataclass(frozen=True)
class FieldPath:
    """Hold a way through a message to one number.

    Attributes:
        text: as written.
        steps: one for each field.
        negative: whether the number counts the other way.

    """

    text: str
    steps: tuple[Step, ...]
    negative: bool = False

    def read(self, message: Any) -> Any:
        """Return what is at the end of the path, whatever its sign.

        Raises:
            FieldError: where an array has no such entry.

        """
        value = message
        for step in self.steps:
            value = getattr(value, step.field)
            if step.key:
                value = self._entry(value, step)
            elif step.index is not None:
                if step.index >= len(value):
                    raise FieldError(
                        f'{step.field} of a message holds {len(value)} entries, expected at least '
                        f'{step.index + 1} for {self.text}; correct the path or the sender.'
                    )
                value = value[step.index]
        return value

    def number(self, message: Any) -> float:
        """Return the number at the end of the path, with its sign.

        Raises:
            FieldError: where an array has no such entry.

        """
        value = float(self.read(message))
        return -value if self.negative else value

    def _entry(self, entries: Sequence[Any], step: Step) -> Any:
        for entry in entries:
            if str(getattr(entry, step.key)) == step.value:
                return entry
        there = ', '.join(str(getattr(entry, step.key)) for entry in entries)
        raise FieldError(
            f'{step.field} of a message holds no entry whose {step.key} is {step.value}, there '
            f'are {there or "none"}; correct the key of the sensor or switch it on.'
        )


def parse_path(text: str) -> FieldPath:
    """Return the path that a text describes.

    Args:
        text: field names with a dot between; an array needs `[3]`, `[18+3]` or `[name=value]`; a
            minus in front turns the sign.

    Raises:
        FieldError: for another text.

    """
    bare = text.strip().removeprefix('-')
    steps = []
    at = 0
    while match := STEP.match(bare, at):
        first, more = match['first'], match['more']
        steps.append(
            Step(
                field=match['field'],
                index=None if first is None else int(first) + int(more or 0),
                key=match['key'] or '',
                value=match['value'] or '',
            )
        )
        at = match.end()
        if at == len(bare):
            return FieldPath(text=text, steps=tuple(steps), negative=text.strip().startswith('-'))
        if bare[at] != '.':
            break
        at += 1
    raise FieldError(
        f'The path {text!r} is none, expected field names with a dot between, such as '
        'accel.x, data[3] or imu_data[id=B4].rate.x; correct it.'
    )


def message_type(name: str) -> Any:
    """Return a message class by its name.

    Args:
        name: such as `sensor_msgs/msg/Imu`.

    Raises:
        FieldError: for a name of another form, and where the package or the type is not there.

    """
    match = TYPE.fullmatch(name)
    if match is None:
        raise FieldError(
            f'The message type is {name!r}, expected one such as sensor_msgs/msg/Imu; correct it.'
        )
    package, kind = match.groups()
    try:
        module = importlib.import_module(f'{package}.msg')
    except ImportError:
        raise FieldError(
            f'The message type {name} is not installed, expected the package {package} beside '
            'this one; build it and source its workspace.'
        ) from None
    if not hasattr(module, kind):
        raise FieldError(
            f'The package {package} has no message {kind}; ros2 interface package {package} lists '
            'those there are.'
        )
    return getattr(module, kind)


def end_type(path: FieldPath, *, message: Any) -> str:
    """Return the type of what a path leads to, as `get_fields_and_field_types` names it.

    Args:
        path: to follow.
        message: class of the messages.

    Raises:
        FieldError: for a field that there is not, an array without an index and the like.

    """
    here, kind = message, ''
    for step in path.steps:
        if here is None:
            raise FieldError(
                f'The path {path.text} goes on behind a {kind}, expected it to end there; '
                f'shorten it before {step.field}.'
            )
        fields = here.get_fields_and_field_types()
        if step.field not in fields:
            raise FieldError(
                f'{here.__name__} has no field {step.field}, expected one of '
                f'{", ".join(fields)}; correct the path {path.text}.'
            )
        kind = _entry_type(path, step, fields[step.field])
        here = message_type(kind.replace('/', '/msg/')) if '/' in kind else None
        if step.key and (here is None or step.key not in here.get_fields_and_field_types()):
            raise FieldError(
                f'The entries of {step.field} have no field {step.key}; correct the path '
                f'{path.text}.'
            )
    return kind


def _entry_type(path: FieldPath, step: Step, kind: str) -> str:
    match = ARRAY.fullmatch(kind)
    chosen = step.index is not None or bool(step.key)
    if match is None and chosen:
        raise FieldError(
            f'{step.field} is a {kind} and no array; correct the path {path.text} by taking '
            'the square brackets out.'
        )
    if match is not None and not chosen:
        raise FieldError(
            f'{step.field} is an array, expected which entry of it in square brackets, such as '
            f'{step.field}[0]; correct the path {path.text}.'
        )
    return kind if match is None else str(match['bounded'] or match['fixed'])
