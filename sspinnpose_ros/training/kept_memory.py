# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let the process keep the memory that it frees, for the next step of the training."""

from __future__ import annotations

import ctypes
import sys

# malloc.h of the GNU C library.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4

GROW_BYTES = 64 << 20
LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask the C library to reuse freed memory instead of giving it back to the system.

    A training step makes and frees hundreds of tensors of megabytes. By default each comes fresh
    from the system and is zeroed page by page, which took a third of the time. The process never
    grows beyond the most it needs at once, but stays that large.

    Returns:
        Whether the C library understood; others than GNU's are left alone.

    """
    if not sys.platform.startswith('linux'):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    wanted = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST_INT), (M_TOP_PAD, GROW_BYTES))
    done = [mallopt(name, value) for name, value in wanted]
    return done == [1] * len(wanted)
