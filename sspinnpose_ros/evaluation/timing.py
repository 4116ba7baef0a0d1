# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time functions by many repeats: percentiles of one, the ratios of many."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
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
    return _timing(elapsed)


def _timing(elapsed: np.ndarray) -> Timing:
    p50, p99, p999 = np.percentile(elapsed, (50.0, 99.0, 99.9)).tolist()
    return Timing(p50=p50, p99=p99, p999=p999, longest=float(elapsed.max()), repeats=elapsed.size)


@dataclass(frozen=True, eq=False)
class Turns:
    """Hold what many functions took that were called in turn.

    Attributes:
        elapsed: (turns, calls) of each function, s.
        processor: (turns,) processor time of all calls of a turn, of each function, s.

    """

    elapsed: Mapping[str, np.ndarray]
    processor: Mapping[str, np.ndarray]

    def timing(self, name: str) -> Timing:
        """Return the percentiles over all calls of a function."""
        return _timing(self.elapsed[name].ravel())

    def ratio(self, name: str, reference: str) -> tuple[float, float, float]:
        """Return how many times the processor time of a reference a function takes.

        Each turn gives one ratio. Other programs lengthen a long call more than a short one, but
        not its processor time.

        Returns:
            The median of the turns' ratios, and their quartiles.

        """
        ratios = self.processor[name] / self.processor[reference]
        low, middle, high = np.percentile(ratios, (25.0, 50.0, 75.0)).tolist()
        return middle, low, high


def measure_in_turn(
    functions: Mapping[str, Callable[[], object]],
    *,
    turns: int,
    calls: int,
    unsettled: int = 2,
    warm_up: int = 50,
) -> Turns:
    """Time many functions, a few calls of one after a few calls of another.

    Args:
        functions: what to time, by name.
        turns: how often it is each function's turn.
        calls: that count, in each turn.
        unsettled: calls at the begin of each turn that do not count, as the other functions have
            taken the caches.
        warm_up: calls of each function before all that do not count.

    """
    elapsed = {name: np.empty((turns, calls)) for name in functions}
    processor = {name: np.empty(turns) for name in functions}
    for function in functions.values():
        for _ in range(warm_up):
            function()
    clock = time.perf_counter_ns
    for turn in range(turns):
        for name, function in functions.items():
            for _ in range(unsettled):
                function()
            marks = []
            spent = time.process_time_ns()
            for _ in range(calls):
                begin = clock()
                function()
                marks.append(clock() - begin)
            processor[name][turn] = (time.process_time_ns() - spent) * 1e-9
            elapsed[name][turn] = np.array(marks) * 1e-9
    return Turns(elapsed=elapsed, processor=processor)


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
