# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tell what to do with a file whose format is of another version."""

from __future__ import annotations


def is_readable(version: object, *, readable: tuple[int, ...]) -> bool:
    """Return whether a version is one of those that this release reads; True is no 1."""
    return type(version) is int and version in readable


def version_advice(version: object, *, newest: int, again: str) -> str:
    """Return what to do about a version that is not read.

    Args:
        version: what the file says.
        newest: version that this release writes.
        again: how to make the file anew with this release.

    Returns:
        An imperative, without a full stop.

    """
    if type(version) is int and version > newest:
        return f'a newer release made it: update sspinnpose_ros, or {again} with this release'
    return f'{again} with this release'
