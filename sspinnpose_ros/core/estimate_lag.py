# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tell how much later than usual estimates are, whatever clock their stamps are on."""

from __future__ import annotations

import math
from dataclasses import replace

from sspinnpose_ros.core.estimate_status import EstimateStatus, Level

CLOCK_DRIFT = 1e-3
"""Largest drift between the stamps' clock and our own that is followed, s a second."""


class EstimateLag:
    """Compare the age of each estimate with the least age of those before it.

    The synchronizer counts from when samples arrive. Those that waited in a queue of the network
    meanwhile look as if they had just been measured, and only their stamps tell.
    """

    def __init__(self, *, largest_s: float) -> None:
        """Mark estimates that are later than usual by more than `largest_s`."""
        self._largest_s = largest_s
        self._least_s = math.inf
        self._last_s = -math.inf

    def clear(self) -> None:
        """Forget what is usual, as where a clock was set."""
        self._least_s = math.inf

    def mark(self, status: EstimateStatus, *, time_s: float, age_s: float) -> EstimateStatus:
        """Return the verdict on an estimate, WARN if it is late.

        Args:
            status: what is known of it otherwise.
            time_s: its stamp, s.
            age_s: time from its stamp to its publication, on clocks that may differ, s.

        """
        drift_s = CLOCK_DRIFT * max(0.0, time_s - self._last_s)
        self._last_s = time_s
        self._least_s = min(self._least_s + drift_s, age_s) if drift_s < math.inf else age_s
        late_s = age_s - self._least_s
        if not late_s > self._largest_s:
            return status
        reason = f'late by {late_s:.1f} s: the computer or the network fell behind'
        message = reason if status.level == Level.OK else f'{status.message}; {reason}'
        return replace(status, level=max(status.level, Level.WARN), message=message)
