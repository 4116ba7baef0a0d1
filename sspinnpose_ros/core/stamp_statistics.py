# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say how regularly a recorded sensor was sampled, and how its stamps stand to the recorder."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

GAP = 2.5
"""Samples farther apart than this many usual intervals have a gap between them."""


@dataclass(frozen=True)
class StampStatistics:
    """Hold what the stamps of one sensor tell.

    Attributes:
        samples: messages.
        duration_s: from the first to the last stamp, s.
        rate_hz: one over the median interval; NaN for fewer than two different stamps.
        jitter_s: 95th minus 5th percentile of the intervals, s.
        gaps: intervals of more than `GAP` usual ones.
        longest_gap_s: the longest interval, s.
        lost: samples that would fill the gaps.
        repeated: samples with the stamp of the one before.
        backward: samples with an earlier stamp than the one before.
        unset: samples with a stamp of zero.
        delay_s: median time from stamp to recording, s.
        delay_spread_s: 95th minus 5th percentile of it, s.
        drift_s_per_minute: how fast that time grows, s.

    """

    samples: int
    duration_s: float
    rate_hz: float
    jitter_s: float
    gaps: int
    longest_gap_s: float
    lost: int
    repeated: int
    backward: int
    unset: int
    delay_s: float
    delay_spread_s: float
    drift_s_per_minute: float


def stamp_statistics(*, stamp_ns: np.ndarray, received_ns: np.ndarray) -> StampStatistics:
    """Sum up the stamps of one sensor.

    Args:
        stamp_ns: (n,) header stamps in the order of recording, n >= 1, ns.
        received_ns: (n,) when each was recorded, ns.

    """
    interval = np.diff(stamp_ns) * 1e-9
    rising = interval[interval > 0.0]
    usual = float(np.median(rising)) if len(rising) else math.nan
    gaps = rising[rising > GAP * usual]
    delay = (received_ns - stamp_ns) * 1e-9
    since = (received_ns - received_ns[0]) / 60e9
    drift = math.nan
    if len(since) > 2 and since[-1] > since[0]:
        drift = float(np.polyfit(since, delay - delay[0], 1)[0])
    return StampStatistics(
        samples=len(stamp_ns),
        duration_s=float(np.ptp(stamp_ns) * 1e-9),
        rate_hz=1.0 / usual if len(rising) else math.nan,
        jitter_s=_spread(rising),
        gaps=len(gaps),
        longest_gap_s=float(rising.max()) if len(rising) else math.nan,
        lost=int((np.round(gaps / usual) - 1.0).sum()) if len(gaps) else 0,
        repeated=int((interval == 0.0).sum()),
        backward=int((interval < 0.0).sum()),
        unset=int((stamp_ns == 0).sum()),
        delay_s=float(np.median(delay)),
        delay_spread_s=_spread(delay),
        drift_s_per_minute=drift,
    )


def _spread(values: np.ndarray) -> float:
    if not len(values):
        return math.nan
    low, high = np.percentile(values, (5.0, 95.0))
    return float(high - low)
