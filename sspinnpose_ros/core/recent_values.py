# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Summarize the newest values of a measured quantity."""

from __future__ import annotations

import numpy as np


class RecentValues:
    """Keep the newest values in fixed memory and give their percentiles."""

    def __init__(self, *, capacity: int) -> None:
        """Make room for `capacity` values."""
        self._values = np.zeros(capacity)
        self._next = 0
        self._count = 0

    def __len__(self) -> int:
        """Return how many values are kept."""
        return self._count

    def append(self, value: float) -> None:
        """Keep one value in place of the oldest."""
        self._values[self._next] = value
        self._next = (self._next + 1) % len(self._values)
        self._count = min(self._count + 1, len(self._values))

    def percentiles(self, *percent: float) -> tuple[float, ...]:
        """Return percentiles of the kept values, NaN without any."""
        if not self._count:
            return (float('nan'),) * len(percent)
        return tuple(np.percentile(self._values[: self._count], percent).tolist())

    def clear(self) -> None:
        """Forget all values."""
        self._next = self._count = 0
