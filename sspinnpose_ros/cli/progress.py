# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show how far long work is, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


def say(text: str) -> None:
    """Print a line on stdout; a bar that is being drawn gives way and comes back below it."""
    if sys.stderr.isatty():
        click.echo('\r\x1b[K', nl=False, err=True)
    click.echo(text)


@contextmanager
def progress_bar(*, label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Draw a bar with the time left on stderr where that is a terminal.

    Args:
        label: what is being done.
        total: steps.

    Yields:
        A function to call with the number of steps done since the last call.

    """
    if not sys.stderr.isatty():
        yield lambda steps: None
        return
    with click.progressbar(length=max(total, 1), label=label, file=sys.stderr) as bar:
        yield bar.update
