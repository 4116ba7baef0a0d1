# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write results beside their place and move them there whole, so that none is half-written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sspinnpose_ros.core.errors import OutputError


@contextmanager
def file_beside(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a path beside `target` to write, and move it onto `target` if all went well.

    Args:
        target: the file that shall exist afterwards; missing parent folders are made.
        overwrite: whether an existing file may be replaced.

    Yields:
        The path to write to, with the suffix of `target`.

    Raises:
        OutputError: for a target that exists or cannot be written.

    """
    require_free(target, overwrite=overwrite)
    if target.is_dir():
        raise OutputError(f'{target} is a folder, expected a file name; choose another output.')
    with _workplace(target) as folder:
        partial = folder / target.name
        yield partial
        _move(partial, target)


@contextmanager
def folder_beside(
    target: Path, *, overwrite: bool = False, contents: Collection[str] = ()
) -> Iterator[Path]:
    """Give a folder beside `target` to fill, and move it to `target` if all went well.

    Args:
        target: the folder that shall exist afterwards; missing parent folders are made.
        overwrite: whether an existing result may be replaced.
        contents: names that an earlier result holds; a folder with anything else in it is never
            replaced.

    Yields:
        The empty folder to fill.

    Raises:
        OutputError: for a target that exists or cannot be written.

    """
    require_free(target, overwrite=overwrite)
    old = [entry.name for entry in target.iterdir()] if target.is_dir() else []
    strange = sorted(set(old) - set(contents))
    if target.is_file() or strange:
        raise OutputError(
            f'{target} holds {strange[0] if strange else "a file"}, expected an earlier result '
            'there or nothing; choose another output.'
        )
    with _workplace(target) as folder:
        partial = folder / target.name
        partial.mkdir()
        yield partial
        if target.exists():
            _move(target, folder / 'replaced')
        _move(partial, target)


def require_free(target: Path, *, overwrite: bool = False) -> None:
    """Refuse a place that is taken, before any work is done for it.

    Args:
        target: file or folder to be written.
        overwrite: whether an existing one may be replaced.

    Raises:
        OutputError: for a target that exists, unless it is an empty folder, or whose folder
            cannot be written.

    """
    taken = target.is_file() or (target.is_dir() and any(target.iterdir()))
    if taken and not overwrite:
        raise OutputError(
            f'{target} exists, expected a free place; choose another output, remove it '
            'or add --overwrite.'
        )
    parent = target.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(
            f'{target} cannot be written ({parent} is not a writable folder), expected a place '
            'for the result; choose another output.'
        )


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    made = [parent for parent in target.absolute().parents if not parent.exists()]
    finished = False
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f'.{target.name}.', dir=target.absolute().parent))
    except OSError as error:
        raise _unwritable(target, error) from None
    try:
        yield folder
        finished = True
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not finished:
            for parent in made:
                if parent.is_dir() and not any(parent.iterdir()):
                    parent.rmdir()


def _move(source: Path, target: Path) -> None:
    try:
        os.replace(source, target)
    except OSError as error:
        raise _unwritable(target, error) from None


def _unwritable(target: Path, error: OSError) -> OutputError:
    return OutputError(
        f'{target} cannot be written ({error.strerror}), expected a place for the result; '
        'choose another output.'
    )
