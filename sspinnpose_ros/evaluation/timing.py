"""Time a function by many repeats and percentiles."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Hold how long one call took, in seconds.

    Attributes:
        p50: half of the calls were faster.
        p99: 99 of 100 calls were faster.
        p999: 999 of 1000 calls were faster.
        longest: the slowest call.
        repeats: calls that were timed.

    """

    p50: float
    p99: float
    p999: float
    longest: float
    repeats: int


def measure(function: Callable[[], object], *, repeats: int, warm_up: int) -> Timing:
    """Time a function call by call.

    Args:
        function: what to time.
        repeats: calls that count.
        warm_up: calls before them that do not.

    """
    for _ in range(warm_up):
        function()
    elapsed = np.empty(repeats)
    for call in range(repeats):
        begin = time.perf_counter_ns()
        function()
        elapsed[call] = (time.perf_counter_ns() - begin) * 1e-9
    p50, p99, p999 = np.percentile(elapsed, (50.0, 99.0, 99.9)).tolist()
    return Timing(p50=p50, p99=p99, p999=p999, longest=float(elapsed.max()), repeats=repeats)
