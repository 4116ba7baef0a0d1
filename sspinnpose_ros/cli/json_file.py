# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write what a command found as JSON, for scripts that go on from it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from sspinnpose_ros.core.atomic_output import file_beside

Command = TypeVar('Command', bound=Callable[..., Any])


def json_option(text: str) -> Callable[[Command], Command]:
    """Add --json.

    Args:
        text: what is written, as help.

    Returns:
        The decorator.

    """
    return click.option(
        '--json',
        'json_path',
        metavar='FILE',
        type=click.Path(path_type=Path),
        help=text,
    )


def write_json(path: Path, content: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write one JSON object; numbers that are not finite become null.

    Args:
        path: the file.
        content: names and values out of what JSON holds, tuples too.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: for a file that exists or cannot be written.

    """
    with file_beside(path, overwrite=overwrite) as partial:
        partial.write_text(json.dumps(_finite(content), indent=2, allow_nan=False) + '\n')


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
