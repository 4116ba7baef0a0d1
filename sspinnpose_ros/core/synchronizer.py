# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bring irregular samples of many sensors onto one steady grid, with bounded waiting."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sspinnpose_ros.core.arrival_stamps import ArrivalStamps
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.frame import Frame

CHANNELS = 6
"""Specific force [m/s^2] then angular rate [rad/s] of one sensor."""

SNAP_FRACTION = 0.02
"""A sample this close to a grid point, in periods, is taken as it is."""

LARGEST_VALUE = 1e6
"""No sensor measures more, in m/s^2 or rad/s; it counts as infinite, whose sums are."""

LARGEST_STAMP_S = 1e10
"""Later stamps are counted as infinite: the periods of the grid would vanish in them."""

MAX_BUFFERED = 4096
"""Samples kept for one sensor before the oldest are given up."""

FASTER = 0.75
"""Sensors whose usual spacing is below this part of a grid period are averaged."""

SPACING_MEMORY = 16.0
"""Samples over which the usual spacing of a sensor is found."""

CLOCK_DRIFT = 1e-3
"""Largest drift between stamps and arrivals that is followed, s a second."""


@dataclass(frozen=True)
class SynchronizerConfig:
    """Set how long to wait, and when to stop trusting a sensor or a clock.

    Attributes:
        rate_hz: rate of the output grid, Hz.
        max_wait_s: longest time a frame waits for missing sensors once two of them have a sample
            at or after it, s. Set it above the period of the slowest sensor.
        sensor_timeout_s: a sensor that was waited for in vain this long is no longer waited
            for until it is heard again, s.
        max_gap_s: longest gap between two samples that is interpolated over, s.
        max_jump_s: a stamp further than this from the others, either way, is another clock, s.
        max_ahead_s: a stamp that runs further ahead of its arrival than those of most sensors,
            by more than this, is from the future, s. A frame that only one sensor has reached
            waits this much longer, as that one may run ahead.
        max_lag_s: once a frame was due this long ago, all but the newest are skipped, s.
        averaging_s: sensors clearly faster than the grid are averaged over this long around each
            grid point, against aliasing, and frames wait for the second half of it; 0 takes what
            is nearest, s.
        stamps_at_arrival: whether stamps are dead, and samples are stamped evenly from when they
            arrive (`ArrivalStamps`).

    """

    rate_hz: float = 100.0
    max_wait_s: float = 0.05
    sensor_timeout_s: float = 0.2
    max_gap_s: float = 0.1
    max_jump_s: float = 1.0
    max_ahead_s: float = 0.2
    max_lag_s: float = 0.5
    averaging_s: float = 0.01
    stamps_at_arrival: bool = False


@dataclass
class SensorCounts:
    """Count what happened to the samples of one sensor; each has one fate.

    Attributes:
        received: samples pushed.
        accepted: came in time and were kept for the frames around their stamp.
        duplicate: dropped because stamp or values repeat an earlier sample.
        late: arrived after the frame at or after their stamp had left; at most interpolated from.
        not_finite: dropped because they hold NaN, more than `LARGEST_VALUE`, or
            because their stamp is beyond `LARGEST_STAMP_S`.
        wrong_clock: dropped because their stamp is far from those of the other sensors.
        future: dropped because their stamp is ahead of the clock of most sensors.
        dropped: all samples that were refused: repeated, not finite, of another clock or future.
        missing_frames: frames that left without this sensor.
        repeating_s: how long the newest values have been repeated under new stamps, s.
        longest_repeat_s: the longest that any values were, s.

    """

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    late: int = 0
    not_finite: int = 0
    wrong_clock: int = 0
    future: int = 0
    missing_frames: int = 0
    repeating_s: float = 0.0
    longest_repeat_s: float = 0.0

    @property
    def dropped(self) -> int:
        """All samples that were refused: repeated, not finite, of another clock or future."""
        return self.duplicate + self.not_finite + self.wrong_clock + self.future


@dataclass
class SynchronizerStatistics:
    """Count what a synchronizer did since it was made; a reset does not clear it.

    Attributes:
        sensors: counts of each sensor.
        frames: frames given out.
        incomplete_frames: frames that lacked at least one sensor.
        skipped_frames: frames given up because their reader was too far behind.
        resets: times the grid began anew.
        reset_reason: why, the last time; empty before the first reset.

    """

    sensors: Mapping[str, SensorCounts]
    frames: int = 0
    incomplete_frames: int = 0
    skipped_frames: int = 0
    resets: int = 0
    reset_reason: str = ''


@dataclass
class _Stream:
    """Hold the samples of one sensor that may still be needed, sorted by stamp."""

    row: int
    counts: SensorCounts
    stamps: list[float] = field(default_factory=list)
    samples: list[np.ndarray] = field(default_factory=list)
    last_values: bytes = b''
    last_stamp: float = -math.inf
    last_arrival: float = -math.inf
    newest: float = -math.inf
    # Most that a stamp was ahead of its arrival, and when that was last brought up to date.
    ahead: float = -math.inf
    ahead_since: float = -math.inf
    waited_in_vain: int = 0
    spacing: float = math.inf
    # How far beyond a grid point this sensor is averaged: zero unless it is fast.
    reach: float = 0.0
    arrivals: ArrivalStamps | None = None

    def clear(self) -> None:
        self.stamps.clear()
        self.samples.clear()
        self.newest = self.ahead = self.ahead_since = -math.inf
        self.waited_in_vain = 0
        self.spacing, self.reach = math.inf, 0.0
        if self.arrivals is not None:
            self.arrivals.clear()

    def note_ahead(self, stamp: float, arrival: float) -> None:
        known, now = self.ahead, stamp - arrival
        if known > -math.inf and arrival > self.ahead_since:
            known -= CLOCK_DRIFT * (arrival - self.ahead_since)
        self.ahead, self.ahead_since = now if now > known else known, arrival

    def is_behind(self, stamp: float) -> bool:
        return self.newest < stamp + self.reach

    def insert(self, stamp: float, sample: np.ndarray) -> None:
        if not self.stamps or stamp > self.stamps[-1]:
            self.stamps.append(stamp)
            self.samples.append(sample)
        else:
            place = bisect_left(self.stamps, stamp)
            self.stamps.insert(place, stamp)
            self.samples.insert(place, sample)
        if len(self.stamps) > MAX_BUFFERED:
            self.forget(len(self.stamps) - MAX_BUFFERED)

    def note_repeat(self, stamp: float, *, longest_step: float) -> None:
        counts = self.counts
        if 0.0 < stamp - self.last_stamp <= longest_step:
            counts.repeating_s += stamp - self.last_stamp
        self.last_stamp = stamp
        counts.longest_repeat_s = max(counts.longest_repeat_s, counts.repeating_s)

    def forget(self, number: int) -> None:
        del self.stamps[:number], self.samples[:number]


@dataclass(frozen=True)
class _Held:
    """Say why no frame leaves: a sensor is waited for, until it is there or for so long."""

    stream: _Stream
    reached: float
    due: float


def _most_of(number: int) -> int:
    return number - (number - 1) // 2


def _is_measured(values: Sequence[float]) -> bool:
    # A sum with a NaN is one, and so is its difference from itself.
    total = sum(values)
    return total - total == 0.0 and max(values) <= LARGEST_VALUE and min(values) >= -LARGEST_VALUE


class Synchronizer:
    """Give out frames on a steady grid from samples pushed in any order.

    The grid is anchored on the first stamp, so sensors that sample together at the grid's rate
    pass through unchanged; others are interpolated linearly between their neighbours. A frame
    leaves as soon as every sensor has a sample at or after it, at the latest `max_wait_s` after
    two of them had, and `max_wait_s + max_ahead_s` after the first had: a single sensor whose
    clock runs ahead does not hurry the others. Consecutive frames are exactly one period apart,
    except after a reset and after skipped frames; both are counted in `statistics`.
    """

    def __init__(
        self,
        *,
        sensors: Sequence[str],
        config: SynchronizerConfig,
        time_offset_s: Mapping[str, float] | None = None,
    ) -> None:
        """Expect samples of some sensors.

        Args:
            sensors: those worn, a subset of `conventions.SENSORS`.
            config: how long to wait, and for what.
            time_offset_s: added to every stamp of a sensor, s; zero where none is named.

        Raises:
            ValueError: for an unknown or repeated sensor.

        """
        unknown = [name for name in sensors if name not in SENSORS]
        if unknown or not sensors or len(set(sensors)) != len(sensors):
            raise ValueError(f'expected distinct names out of {SENSORS}, got {tuple(sensors)}')
        self.config = config
        self._offset = {name: float((time_offset_s or {}).get(name, 0.0)) for name in sensors}
        self.statistics = SynchronizerStatistics({name: SensorCounts() for name in sensors})
        self._period = 1.0 / config.rate_hz
        self._snap = SNAP_FRACTION * self._period
        self._streams = {
            name: _Stream(
                row=SENSORS.index(name),
                counts=self.statistics.sensors[name],
                arrivals=ArrivalStamps() if config.stamps_at_arrival else None,
            )
            for name in sensors
        }
        self._all = tuple(self._streams.values())
        self._most = _most_of(len(self._all))
        self._patience = max(1, round(config.sensor_timeout_s * config.rate_hz))
        self._clear()

    def _clear(self) -> None:
        for stream in self._streams.values():
            stream.clear()
        self._anchor: float | None = None
        self._next = 0
        self._started = False
        self._held: _Held | None = None
        # (stamp, arrival) of every sample that was the newest of all sensors when it arrived,
        # and of what a second sensor had reached by then.
        self._lead: deque[tuple[float, float]] = deque(maxlen=MAX_BUFFERED)
        self._second: deque[tuple[float, float]] = deque(maxlen=MAX_BUFFERED)
        self._strangers: list[tuple[str, float, np.ndarray, float]] = []
        self._last_arrival = -math.inf

    def reset(self, reason: str = 'asked for') -> None:
        """Forget all samples; the next one anchors a new grid."""
        self._clear()
        self.statistics.resets += 1
        self.statistics.reset_reason = reason

    @property
    def held_samples(self) -> int:
        """Samples that are kept for coming frames, of all sensors."""
        return sum(len(stream.stamps) for stream in self._streams.values())

    def is_silent(self, sensor: str) -> bool:
        """Tell whether a sensor was waited for in vain and is no longer waited for."""
        return self._streams[sensor].waited_in_vain >= self._patience

    def corrected_stamp(self, *, sensor: str, stamp_s: float) -> float:
        """Return a stamp with the offset of its sensor added, s."""
        return stamp_s + self._offset[sensor]

    def push(self, *, sensor: str, stamp_s: float, sample: np.ndarray, arrival_s: float) -> None:
        """Take one sample.

        Args:
            sensor: name of the sensor, one of those given at the start.
            stamp_s: measurement time on the sensor's clock, s; the offset is added here. Not read
                where `stamps_at_arrival` is set.
            sample: (6,) specific force [m/s^2] and angular rate [rad/s]; copied.
            arrival_s: time of arrival on the clock of `drain`, s. For recordings, the stamp.

        """
        stream = self._streams[sensor]
        counts = stream.counts
        counts.received += 1
        sample = np.array(sample, dtype=np.float64)
        if stream.arrivals is not None:
            stamp_s = stream.arrivals.stamp(arrival_s)
        stamp_s += self._offset[sensor]
        if not (abs(stamp_s) <= LARGEST_STAMP_S and _is_measured(sample.tolist())):
            counts.not_finite += 1
            return
        if arrival_s < self._last_arrival - self.config.max_jump_s:
            self.reset(f'the clock went back by {self._last_arrival - arrival_s:.3g} s')
        if arrival_s < self._last_arrival:
            self._wait_anew(arrival_s)
        self._last_arrival = arrival_s
        values = sample.tobytes()
        if values == stream.last_values:
            counts.duplicate += 1
            stream.last_arrival = arrival_s
            stream.note_repeat(stamp_s, longest_step=self.config.max_jump_s)
            return
        stream.last_values = values
        if self._is_stranger(stamp_s):
            counts.wrong_clock += 1
            self._take_stranger(sensor, stamp_s, sample, arrival_s)
        elif self._is_future(stamp_s, arrival_s):
            counts.future += 1
            self._take_stranger(sensor, stamp_s, sample, arrival_s)
        else:
            self._strangers.clear()
            self._accept(stream, stamp_s, sample, arrival_s)

    def drain(self, *, now_s: float) -> list[Frame]:
        """Return the frames that are complete or have waited long enough, oldest first."""
        if now_s < self._last_arrival:
            self._wait_anew(now_s)
        self._last_arrival = now_s
        held = self._held
        if held is not None and now_s < held.due and held.stream.is_behind(held.reached):
            return []
        return self._read(now_s)

    def flush(self) -> list[Frame]:
        """Return what two sensors have reached without waiting, at the end of a recording."""
        return self._read(math.inf)

    def _wait_anew(self, now: float) -> None:
        """Let no frame wait for the clock to come again to where it was before it went back."""
        self._held = None
        for lead in (self._lead, self._second):
            for index, (stamp, arrival) in enumerate(lead):
                lead[index] = (stamp, min(arrival, now))

    def _is_stranger(self, stamp: float) -> bool:
        if not self._lead:
            return False
        return abs(stamp - self._lead[-1][0]) > self.config.max_jump_s

    def _is_future(self, stamp: float, arrival: float) -> bool:
        """Compare with what most sensors show, as the clocks of stamp and arrival may differ."""
        limit = stamp - arrival - self.config.max_ahead_s
        longest = self.config.max_jump_s
        known = reaching = 0
        for stream in self._all:
            if arrival - stream.ahead_since <= longest:
                known += 1
                if stream.ahead >= limit:
                    reaching += 1
                    if reaching >= self._most:
                        return False
        return known > 0 and reaching < _most_of(known)

    def _take_stranger(
        self, sensor: str, stamp: float, sample: np.ndarray, arrival: float
    ) -> None:
        """Keep a sample of another clock until most active sensors have moved to that clock."""
        jump = self.config.max_jump_s
        self._strangers = [s for s in self._strangers if abs(s[1] - stamp) <= jump]
        self._strangers.append((sensor, stamp, sample, arrival))
        self._streams[sensor].last_arrival = arrival
        moved = {name for name, *_ in self._strangers}
        active = moved | {
            name
            for name, stream in self._streams.items()
            if arrival - stream.last_arrival <= self.config.sensor_timeout_s
        }
        if 2 * len(moved) > len(active):
            strangers, newest = self._strangers, self._lead[-1][0]
            step = stamp - newest
            self.reset(f'the stamps went {"forward" if step > 0 else "back"} by {abs(step):.3g} s')
            for name, old_stamp, old_sample, old_arrival in strangers:
                stream = self._streams[name]
                if abs(old_stamp - newest) > jump:
                    stream.counts.wrong_clock -= 1
                else:
                    stream.counts.future -= 1
                self._last_arrival = old_arrival
                self._accept(stream, old_stamp, old_sample, old_arrival)
        elif len(self._strangers) > 4 * len(self._streams):
            del self._strangers[0]

    def _accept(self, stream: _Stream, stamp: float, sample: np.ndarray, arrival: float) -> None:
        stream.last_arrival = arrival
        if stamp <= stream.newest:
            place = bisect_left(stream.stamps, stamp)
            if place < len(stream.stamps) and stream.stamps[place] == stamp:
                stream.counts.duplicate += 1
                return
        stream.last_stamp = stamp
        stream.counts.repeating_s = 0.0
        stream.note_ahead(stamp, arrival)
        if self._anchor is None:
            self._anchor = stamp
        if self._started and stamp < self._grid(self._next) - self._period + self._snap:
            stream.counts.late += 1
            if stamp > self._grid(self._next) - self.config.max_wait_s:
                stream.waited_in_vain = 0
            if stamp < self._grid(self._next) - self.config.max_gap_s - self._snap:
                return
        else:
            stream.counts.accepted += 1
            stream.waited_in_vain = 0
        stream.insert(stamp, sample)
        if stamp > stream.newest:
            self._note_spacing(stream, stamp - stream.newest)
            stream.newest = stamp
            self._note_reached(stamp, arrival)

    def _note_spacing(self, stream: _Stream, step: float) -> None:
        """Take the time from one sample of a sensor to the next, and tell whether it is fast."""
        if step > self.config.max_gap_s:
            return
        if stream.spacing == math.inf:
            stream.spacing = step
        else:
            stream.spacing += (step - stream.spacing) / SPACING_MEMORY
        fast = stream.spacing < FASTER * self._period
        stream.reach = 0.5 * self.config.averaging_s if fast else 0.0

    def _note_reached(self, stamp: float, arrival: float) -> None:
        if not self._lead or stamp > self._lead[-1][0]:
            self._lead.append((stamp, arrival))
        if self._second and stamp <= self._second[-1][0]:
            return
        newest = sorted(stream.newest for stream in self._all)
        second = newest[-2] if len(newest) > 1 else newest[-1]
        if second > -math.inf and (not self._second or second > self._second[-1][0]):
            self._second.append((second, arrival))
            self._held = None

    def _grid(self, index: int) -> float:
        assert self._anchor is not None
        return self._anchor + index * self._period

    def _read(self, now: float) -> list[Frame]:
        frames: list[Frame] = []
        self._held = None
        if not self._lead:
            return frames
        if not self._started and not self._start(now):
            return frames
        ending = not math.isfinite(now) and self._second
        newest = self._second[-1][0] if ending else self._lead[-1][0]
        while True:
            time = self._grid(self._next)
            reached = time - self._snap
            if newest < reached:
                return frames
            due = self._due(reached)
            missing = [s for s in self._all if s.is_behind(reached)]
            if missing and now < due:
                awaited = [s for s in missing if s.waited_in_vain < self._patience]
                if awaited:
                    # Any of them will do; the last is likely to come last.
                    self._held = _Held(awaited[-1], reached=reached, due=due)
                    return frames
            if math.isfinite(now) and now - due > self.config.max_lag_s:
                self._skip()
                continue
            for stream in missing:
                stream.waited_in_vain += stream.newest < reached
            frames.append(self._frame(time))
            self._next += 1

    def _due(self, reached: float) -> float:
        """Return when a frame leaves at the latest, and forget what earlier frames needed."""
        # The last entries stay: they are the newest stamps seen.
        for lead in (self._lead, self._second):
            while len(lead) > 1 and lead[0][0] < reached:
                lead.popleft()
        due = self._lead[0][1] + self.config.max_wait_s + self.config.max_ahead_s
        if self._second and self._second[0][0] >= reached:
            due = min(due, self._second[0][1] + self.config.max_wait_s)
        return due

    def _skip(self) -> None:
        """Go on to the newest frame that two sensors have reached, but to the next at least."""
        newest = self._second[-1][0] if self._second else self._lead[-1][0]
        assert self._anchor is not None
        last = math.floor((newest - self._anchor + self._snap) * self.config.rate_hz)
        skipped = max(1, last - self._next)
        self.statistics.skipped_frames += skipped
        self._next += skipped

    def _start(self, now: float) -> bool:
        """Begin the grid where every sensor heard so far has its first sample."""
        heard = [stream for stream in self._streams.values() if stream.stamps]
        if len(heard) < len(self._streams) and now < self._lead[0][1] + self.config.max_wait_s:
            return False
        assert self._anchor is not None
        begin = max(stream.stamps[0] for stream in heard)
        self._next = math.ceil((begin - self._anchor - self._snap) * self.config.rate_hz)
        self._started = True
        return True

    def _frame(self, time: float) -> Frame:
        imu = np.zeros((len(SENSORS), CHANNELS))
        present = np.zeros(len(SENSORS), dtype=bool)
        complete = True
        for stream in self._all:
            value = self._value(stream, time)
            if value is None:
                stream.counts.missing_frames += 1
                complete = False
            else:
                imu[stream.row] = value
                present[stream.row] = True
        self.statistics.frames += 1
        self.statistics.incomplete_frames += not complete
        return Frame(time_s=time, imu=imu, present=present)

    def _value(self, stream: _Stream, time: float) -> np.ndarray | None:
        """Return what a sensor measured at `time`, or None; forget what no frame needs again."""
        stamps = stream.stamps
        oldest = bisect_left(stamps, time - stream.reach - self._snap)
        if oldest > 1:
            stream.forget(oldest - 1)
        if stream.reach:
            mean = self._mean(stream, time)
            if mean is not None:
                return mean
        return self._nearest(stream, time)

    def _nearest(self, stream: _Stream, time: float) -> np.ndarray | None:
        """Return the sample at `time`, or between its neighbours, or None."""
        stamps = stream.stamps
        after = bisect_left(stamps, time - self._snap)
        if after == len(stamps):
            return None
        if stamps[after] <= time + self._snap:
            best = after
            while best + 1 < len(stamps) and abs(stamps[best + 1] - time) < abs(
                stamps[best] - time
            ):
                best += 1
            return stream.samples[best]
        if after == 0:
            return None
        gap = stamps[after] - stamps[after - 1]
        if gap > self.config.max_gap_s:
            return None
        weight = (time - stamps[after - 1]) / gap
        return (1.0 - weight) * stream.samples[after - 1] + weight * stream.samples[after]

    def _mean(self, stream: _Stream, time: float) -> np.ndarray | None:
        """Return the mean around `time` of the line through the samples, None without some.

        Windows of neighbouring frames touch, so that every sample counts once; where samples on
        one side are missing, as at the end of a wait, the window shrinks on both.
        """
        stamps = stream.stamps
        reach = min(stream.reach, stamps[-1] - time, time - stamps[0]) if stamps else 0.0
        if reach < self._snap:
            return None
        first = max(0, bisect_right(stamps, time - reach) - 1)
        last = bisect_left(stamps, time + reach)
        used = stamps[first : last + 1]
        weights = [0.0] * len(used)
        begin, left = time - reach, used[0]
        for index in range(1, len(used)):
            right = used[index]
            gap = right - left
            if gap > self.config.max_gap_s:
                return None
            end = min(right, time + reach)
            # Where the middle of this part of the window lies between its two samples.
            beyond = (0.5 * (begin + end) - left) / gap
            weights[index - 1] += (1.0 - beyond) * (end - begin)
            weights[index] += beyond * (end - begin)
            begin, left = right, right
        samples = np.array(stream.samples[first : last + 1])
        # Not twice the reach, from which rounding parts it where stamps count from 1970.
        mean: np.ndarray = np.array(weights) @ samples / sum(weights)
        return mean
