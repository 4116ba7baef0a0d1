# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stamp samples of a sensor without a clock evenly, from when they arrive."""

from __future__ import annotations

import math
from collections import deque

LONGEST_BURST_S = 0.3
"""Samples that arrive together may span this much; a longer silence is a gap."""

RATE_MEMORY_S = 4.0
RATE_MEMORY = 1024
FEWEST_SPACINGS_S = 0.25
"""Stamps are arrivals until the rate was watched for this long."""

SAME_DELIVERY = 0.5
"""Samples closer together than this part of their usual spacing arrived in one delivery."""

LEAST_SPACING = 0.1
"""Stamps are at least this part of the usual spacing apart, where arrivals allow it."""


class ArrivalStamps:
    """Spread the samples of one sensor evenly over the time in which they arrive.

    Samples are taken to be measured at a steady rate, the mean rate of arrival over the last
    seconds, and to be as young at arrival as causality allows: the one that waited least in the
    last `LONGEST_BURST_S` counts as measured when it arrived. Ten samples that come at once are
    thus stamped a tenth of a burst apart, the last one with its arrival. A constant delay from
    measurement to arrival cannot be seen. The cost of a sample is constant on average.
    """

    def __init__(self) -> None:
        """Expect the first sample."""
        self.clear()
        self._spacing = math.nan

    def clear(self) -> None:
        """Forget when samples arrived, as after a jump of the clock, but not their rate."""
        self._phase = self._stamp = self._arrival = -math.inf
        self._number = 0
        # (number, arrival) of the first sample of every delivery.
        self._deliveries: deque[tuple[int, float]] = deque(maxlen=RATE_MEMORY)
        # (arrival, arrival after phase), rising in both: the first is the least of the window.
        self._waits: deque[tuple[float, float]] = deque()

    def stamp(self, arrival_s: float) -> float:
        """Return the time of measurement of the next sample, never after its arrival, s.

        Args:
            arrival_s: on any clock; a step back and a long silence begin anew, s.

        """
        if not 0.0 <= arrival_s - self._arrival <= LONGEST_BURST_S:
            self.clear()
            self._arrival = self._phase = arrival_s
        else:
            self._number += 1
        since, self._arrival = arrival_s - self._arrival, arrival_s
        if self._number == 0 or not since < SAME_DELIVERY * self._spacing:
            self._note_delivery(arrival_s)
        if math.isnan(self._spacing):
            self._stamp = self._phase = arrival_s
            return arrival_s
        if self._number:
            self._phase += self._spacing
        wait = arrival_s - self._phase
        waits = self._waits
        while waits and waits[-1][1] >= wait:
            waits.pop()
        waits.append((arrival_s, wait))
        while waits[0][0] < arrival_s - LONGEST_BURST_S:
            waits.popleft()
        stamp = max(self._phase + waits[0][1], self._stamp + LEAST_SPACING * self._spacing)
        self._stamp = min(stamp, arrival_s)
        return self._stamp

    def _note_delivery(self, arrival_s: float) -> None:
        deliveries = self._deliveries
        deliveries.append((self._number, arrival_s))
        while arrival_s - deliveries[0][1] > RATE_MEMORY_S:
            deliveries.popleft()
        number, begin = deliveries[0]
        if arrival_s - begin >= FEWEST_SPACINGS_S:
            self._spacing = (arrival_s - begin) / (self._number - number)
