"""Time functions by many repeats: percentiles of one, the ratio of two."""

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


def paired_ratio(
    function: Callable[[], object],
    reference: Callable[[], object],
    *,
    rounds: int = 15,
    repeats: int = 40,
) -> float:
    """Return how many times longer a function takes than a reference.

    Both take turns, and of each turn only the fastest call counts, so that other programs disturb
    little.

    Args:
        function: what to time.
        reference: what to compare it with.
        rounds: turns; the result is the median of their ratios.
        repeats: calls of each function in a turn.

    """
    ratios = []
    for _ in range(rounds):
        fastest = []
        for each in (function, reference):
            elapsed = []
            for _ in range(repeats):
                begin = time.perf_counter_ns()
                each()
                elapsed.append(time.perf_counter_ns() - begin)
            fastest.append(min(elapsed))
        ratios.append(fastest[0] / fastest[1])
    return float(np.median(ratios))
