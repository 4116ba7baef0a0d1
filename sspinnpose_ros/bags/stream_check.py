# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Refuse recordings with sensors too slow, stuck or on another clock, while they stream by."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sspinnpose_ros.bags.imu_bag import ImuBag
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.plausibility import STUCK_S, stuck_sentence
from sspinnpose_ros.core.synchronizer import SensorCounts, SynchronizerStatistics

SLOWEST_HZ = 12.0
"""Sensors slower than this leave gaps that the synchronizer does not interpolate over."""

FEWEST_INTERVALS = 20
FEWEST_SAMPLES = 100
MOST = 0.5
"""A sensor with more than this part of its samples from another clock, or of its time without a
new value, is useless."""


@dataclass
class _Stream:
    first_s: float = math.nan
    last_s: float = math.nan
    intervals: deque[float] = field(default_factory=lambda: deque(maxlen=512))

    def note(self, stamp_s: float) -> None:
        if not math.isfinite(stamp_s):
            return
        if stamp_s > self.last_s:
            self.intervals.append(stamp_s - self.last_s)
        elif math.isnan(self.first_s):
            self.first_s = stamp_s
        self.last_s = stamp_s


class StreamCheck:
    """Look at the stamps of a recording, in fixed memory."""

    def __init__(
        self,
        bag: ImuBag,
        *,
        sensors: Sequence[str],
        statistics: SynchronizerStatistics,
        slowest_hz: float = SLOWEST_HZ,
    ) -> None:
        """Expect the stamps of `sensors`.

        Args:
            bag: the recording.
            sensors: those that are read.
            statistics: of the synchronizer that the samples go through.
            slowest_hz: lowest rate of a useful sensor, Hz.

        """
        self._bag = bag
        self._counts = {sensor: statistics.sensors[sensor] for sensor in sensors}
        self._slowest_hz = slowest_hz
        self._streams = {sensor: _Stream() for sensor in sensors}

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about sensors that were stuck for a while."""
        return tuple(
            stuck_sentence(sensor, counts.longest_repeat_s)
            for sensor, counts in self._counts.items()
            if counts.longest_repeat_s >= STUCK_S
        )

    def note(self, sensor: str, stamp_s: float) -> None:
        """Take the stamp [s] of the next sample of a sensor."""
        self._streams[sensor].note(stamp_s)

    def look(self) -> None:
        """Look at what came so far.

        Raises:
            RecordingError: for sensors that are too slow or on another clock.

        """
        self._require_rates()
        last = {sensor: stream.last_s for sensor, stream in self._streams.items()}
        self._refuse_clocks(
            {name: last[name] for name, c in self._counts.items() if _is_on_another_clock(c)}, last
        )

    def finish(self) -> None:
        """Look at the whole recording.

        Raises:
            RecordingError: for sensors that are too slow, stuck or on another clock.

        """
        self.look()
        self._require_new_values()
        for sensor, stream in self._streams.items():
            if math.isnan(stream.first_s):
                for _, stamp_s, _, _ in self._bag.samples([sensor]):
                    stream.note(stamp_s)
                    break
        first = {sensor: stream.first_s for sensor, stream in self._streams.items()}
        begin = np.nanmedian(list(first.values()))
        end = np.nanmedian([stream.last_s for stream in self._streams.values()])
        self._refuse_clocks(
            {
                sensor: stream.first_s
                for sensor, stream in self._streams.items()
                if stream.first_s > end or stream.last_s < begin
            },
            first,
        )

    def _require_rates(self) -> None:
        slow = {}
        for sensor, stream in self._streams.items():
            if len(stream.intervals) >= FEWEST_INTERVALS:
                interval = float(np.median(stream.intervals))
                if interval * self._slowest_hz > 1.0:
                    slow[sensor] = 1.0 / interval
        if slow:
            raise RecordingError(
                f'In {self._bag.path}, {", ".join(slow)} sampled at '
                f'{min(slow.values()):.3g} Hz, expected at least {self._slowest_hz:.0f} Hz and '
                'best 100 Hz; raise the rate of the driver.'
            )

    def _refuse_clocks(self, strange: Mapping[str, float], usual: Mapping[str, float]) -> None:
        others = [stamp for sensor, stamp in usual.items() if sensor not in strange]
        if not strange or not others:
            return
        offset = float(np.nanmedian(list(strange.values())) - np.nanmedian(others))
        raise RecordingError(
            f'In {self._bag.path}, the stamps of {", ".join(strange)} are {abs(offset):.4g} s '
            f'{"ahead of" if offset > 0.0 else "behind"} those of the other sensors, expected '
            'one clock; synchronize the clocks of the drivers and record again, or choose the '
            'other sensors with --sensors.'
        )

    def _require_new_values(self) -> None:
        for sensor, stream in self._streams.items():
            repeated_s = self._counts[sensor].longest_repeat_s
            if repeated_s >= max(STUCK_S, MOST * (stream.last_s - stream.first_s)):
                sentence = stuck_sentence(sensor, repeated_s).rstrip('.')
                raise RecordingError(
                    f'In {self._bag.path}, {sentence}, or leave it out with --sensors.'
                )


def _is_on_another_clock(counts: SensorCounts) -> bool:
    strange = counts.wrong_clock + counts.future
    return counts.received >= FEWEST_SAMPLES and strange > MOST * counts.received
