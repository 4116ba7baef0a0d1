# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let one physics code serve numpy arrays and torch tensors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

Array = Any
"""A numpy array or a torch tensor; a function returns the kind it was given."""


def namespace(array: Array) -> Any:
    """Return the module (numpy or torch) whose functions work on `array`."""
    if isinstance(array, (np.ndarray, np.generic, float, int)):
        return np
    import torch

    return torch


def components(array: Array) -> tuple[Array, ...]:
    """Take an array apart along its last axis.

    For torch, all derivatives then come together in one piece, where indexing component by
    component fills an array of zeros for each.

    Args:
        array: (..., n).

    Returns:
        n arrays (...).

    """
    if namespace(array) is np:
        return tuple(array.transpose(array.ndim - 1, *range(array.ndim - 1)))
    parts: tuple[Array, ...] = array.movedim(-1, 0).unbind(0)
    return parts


def pieces(array: Array, sizes: Sequence[int]) -> tuple[Array, ...]:
    """Cut an array along its last axis.

    Args:
        array: (..., n).
        sizes: of the pieces, n in sum.

    Returns:
        Arrays (..., size).

    """
    if namespace(array) is np:
        ends = list(accumulate(sizes))
        return tuple(array[..., end - size : end] for size, end in zip(sizes, ends, strict=True))
    return tuple(piece.movedim(0, -1) for piece in array.movedim(-1, 0).split(list(sizes)))


def join(parts: Sequence[Array]) -> Array:
    """Put arrays side by side on a new last axis.

    torch tensors lie one after the other in memory, so that later sums over all of them run
    through contiguous numbers if each of them is contiguous.

    Args:
        parts: n arrays (...) of one shape.

    Returns:
        (..., n).

    """
    xp = namespace(parts[0])
    if xp is np:
        if np.ndim(parts[0]) == 0:
            return np.array(parts)
        joined = np.empty((*np.shape(parts[0]), len(parts)), np.result_type(*parts))
        for index, part in enumerate(parts):
            joined[..., index] = part
        return joined
    return xp.stack(parts).movedim(0, -1)


def planes(tensor: Array, *, batch_axes: int = 2) -> Array:
    """Lay a torch tensor out anew: every component contiguous, the first axis innermost.

    Args:
        tensor: (B, T, ...), or (B, ...) with one batch axis.
        batch_axes: how many of the axes are not components.

    Returns:
        The same numbers in the same shape; elementwise functions keep the layout.

    """
    order = (*range(batch_axes, tensor.ndim), *reversed(range(batch_axes)))
    back = sorted(range(tensor.ndim), key=order.__getitem__)
    return tensor.permute(order).contiguous().permute(back)
