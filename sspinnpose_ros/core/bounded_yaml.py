# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read YAML that anyone may have written, in bounded time and memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LARGEST_BYTES = 200_000
MOST_VALUES = 10_000
"""Values in a file, each alias counted as all that it stands for."""

DEEPEST = 12
"""Lists and mappings inside each other."""


class UnboundedYamlError(ValueError):
    """Report YAML that is too large, too deep or refers to itself; the message says which."""


class BrokenYamlError(ValueError):
    """Report text that is no YAML."""


def read_yaml(
    path: Path, *, largest_bytes: int = LARGEST_BYTES, most_values: int = MOST_VALUES
) -> Any:
    """Read a YAML file of plain values.

    Args:
        path: the file.
        largest_bytes: larger files are not even read.
        most_values: files with more values, aliases written out, are refused.

    Returns:
        Its content.

    Raises:
        OSError: for a file that cannot be read.
        UnboundedYamlError: for a file beyond the limits.
        BrokenYamlError: for a file that is no YAML or holds values that do not exist, such as a
            31st of February.

    """
    if path.is_fifo():
        raise UnboundedYamlError('is a pipe, which may never end')
    with path.open('rb') as file:
        raw = file.read(largest_bytes + 1)
    if len(raw) > largest_bytes:
        raise UnboundedYamlError(f'is larger than {largest_bytes} bytes')
    return parse_yaml(raw, most_values=most_values)


def parse_yaml(raw: bytes, *, most_values: int = MOST_VALUES) -> Any:
    """Read YAML of plain values from its UTF-8 text.

    Args:
        raw: the text.
        most_values: texts with more values, aliases written out, are refused.

    Returns:
        Its content.

    Raises:
        UnboundedYamlError: as for `read_yaml`.
        BrokenYamlError: as for `read_yaml`.

    """
    try:
        loader = _BoundedLoader(raw.decode('utf-8'))
        loader.left = most_values
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except UnboundedYamlError:
        raise
    # Constructors of dates, numbers and sets raise whatever their library does.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise BrokenYamlError('is not YAML') from error
    except (AttributeError, RecursionError) as error:
        raise BrokenYamlError('is not YAML') from error


class _BoundedLoader(yaml.SafeLoader):
    """Give up while composing, before anything is built or written out."""

    left = MOST_VALUES
    depth = 0

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._weights: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            node = super().compose_node(parent, index)
            weight = self._weights.get(id(node))
            if weight is None:
                raise UnboundedYamlError('refers to itself')
            self._take(weight)
            return node
        before = self.left
        self._take(1)
        self.depth += 1
        if self.depth > DEEPEST:
            raise UnboundedYamlError(f'is nested deeper than {DEEPEST} levels')
        node = super().compose_node(parent, index)
        self.depth -= 1
        self._weights[id(node)] = before - self.left
        return node

    def _take(self, values: int) -> None:
        self.left -= values
        if self.left < 0:
            raise UnboundedYamlError('holds more values than any such file needs')
