# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure how regularly one sensor is heard."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sspinnpose_ros.core.recent_values import RecentValues


@dataclass(frozen=True)
class StreamTiming:
    """Hold how a sensor was heard since the last reading.

    Attributes:
        rate_hz: samples per second of arrival time, over all since the last reading.
        jitter_s: spread (95th minus 5th percentile) of the time between stamps.
        age_s: time since the newest stamp; infinite where nothing was heard.
        silent_s: time since the newest arrival; infinite where nothing was heard.

    """

    rate_hz: float
    jitter_s: float
    age_s: float
    silent_s: float


class CountedRate:
    """Count events and tell how many came a second between two readings."""

    def __init__(self, *, now_s: float) -> None:
        """Begin at an instant of any clock, s."""
        self._count = 0
        self._since = now_s

    def note(self) -> None:
        """Count one."""
        self._count += 1

    def read(self, *, now_s: float) -> float:
        """Return the rate in Hz since the last reading, NaN where the clock did not go on."""
        elapsed = now_s - self._since
        rate = self._count / elapsed if elapsed > 0.0 else math.nan
        self._count, self._since = 0, now_s
        return rate


class StreamTimer:
    """Take the stamps of one sensor and tell its rate, jitter and age."""

    def __init__(self) -> None:
        """Expect the first stamp."""
        self._intervals = RecentValues(capacity=512)
        self._last_stamp = self._last_arrival = -math.inf
        self._rate = CountedRate(now_s=math.nan)

    @property
    def heard(self) -> bool:
        """Whether there was any sample."""
        return self._last_stamp > -math.inf

    def age_s(self, *, now_s: float) -> float:
        """Return the time since the newest stamp in s, infinite before any."""
        return now_s - self._last_stamp

    def silent_s(self, *, now_s: float) -> float:
        """Return the time since the newest arrival in s, infinite before any."""
        return now_s - self._last_arrival

    def note(self, *, stamp_s: float, arrival_s: float) -> None:
        """Take the stamp of one sample and when it arrived, s on one clock."""
        interval = stamp_s - self._last_stamp
        if math.isfinite(interval):
            self._intervals.append(interval)
        self._last_stamp = stamp_s
        self._last_arrival = arrival_s
        self._rate.note()

    def read(self, *, now_s: float) -> StreamTiming:
        """Sum up what was heard since the last reading.

        Args:
            now_s: on the clock of the stamps, s.

        """
        low, high = self._intervals.percentiles(5.0, 95.0)
        return StreamTiming(
            rate_hz=self._rate.read(now_s=now_s),
            jitter_s=high - low,
            age_s=self.age_s(now_s=now_s),
            silent_s=self.silent_s(now_s=now_s),
        )
