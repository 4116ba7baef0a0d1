# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what a recording holds before anything is made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sspinnpose_ros.bags.imu_survey import (
    LONGEST_S,
    ImuSurvey,
    ImuTopic,
    require_imus,
    survey_imus,
)
from sspinnpose_ros.bags.placement_proposal import Proposal, propose_placement
from sspinnpose_ros.bags.sensor_mapping import SensorMapping
from sspinnpose_ros.bags.stream_check import SLOWEST_HZ
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.fault import Fault, FaultKind
from sspinnpose_ros.core.placement_guess import guess_placement
from sspinnpose_ros.core.plausibility import sensor_unit_faults
from sspinnpose_ros.core.stamp_statistics import StampStatistics, stamp_statistics
from sspinnpose_ros.core.stride_window import ABSURD

GRID_S = 0.01
SHORTEST_S = 4.0
COVERED = 0.8
"""Part of the common time that a sensor must be there for to be looked at with the others."""

ONE_CLOCK_S = 1.0
LARGEST_JITTER = 0.5
LARGEST_LOSS = 0.01
LARGEST_DRIFT_S_PER_MINUTE = 0.01
UNIT_SCALE = {FaultKind.UNIT_DEG_S: (1.0, math.pi / 180.0), FaultKind.UNIT_G: (GRAVITY, 1.0)}
"""What turns force and rate of a wrong unit into the right one."""


@dataclass(frozen=True)
class TopicInfo:
    """Hold what is known of one IMU topic.

    Attributes:
        topic: its name.
        frames: frame ids seen.
        stamps: how regular they are.
        not_finite: samples with NaN, infinity or what no sensor measures.
        sentences: what is wrong with it, each with what to change.

    """

    topic: str
    frames: tuple[str, ...]
    stamps: StampStatistics
    not_finite: int
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class RecordingInfo:
    """Hold what is known of a recording.

    Attributes:
        duration_s: from the first to the last IMU message recorded, s.
        topics: the IMUs, by name.
        others: type and number of messages of every other topic.
        proposal: where the IMUs seem to be worn.
        remarks: sentences about the files.

    """

    duration_s: float
    topics: tuple[TopicInfo, ...]
    others: Mapping[str, tuple[str, int]]
    proposal: Proposal
    remarks: tuple[str, ...]

    @property
    def mapping(self) -> SensorMapping:
        """What is proposed, with arrivals for stamps where most topics have dead ones."""
        dead = sum(_is_unset(each.stamps) for each in self.topics)
        return replace(self.proposal.mapping, stamps_at_arrival=2 * dead > len(self.topics))


def recording_info(path: Path) -> RecordingInfo:
    """Look at every IMU topic of a recording.

    Args:
        path: a rosbag2 folder or a single mcap or db3 file.

    Raises:
        RecordingError: for a path that is no recording, for damaged files, and where there is no
            IMU.

    """
    survey = survey_imus(path)
    require_imus(path, survey)
    return describe_survey(survey)


def describe_survey(survey: ImuSurvey) -> RecordingInfo:
    """Say what is known of surveyed topics."""
    signals = [_Signal(topic) for topic in survey.topics]
    statistics = [
        stamp_statistics(stamp_ns=one.stamp_ns, received_ns=one.received_ns)
        for one in survey.topics
    ]
    delays = [each.delay_s for each in statistics]
    return RecordingInfo(
        duration_s=1e-9
        * (
            max(int(each.received_ns.max()) for each in survey.topics)
            - min(int(each.received_ns.min()) for each in survey.topics)
        ),
        topics=tuple(
            TopicInfo(
                topic=one.topic,
                frames=one.frames,
                stamps=stamps,
                not_finite=signal.not_finite,
                sentences=(
                    *_stamp_sentences(one, stamps, usual_delay_s=float(np.median(delays))),
                    *_signal_sentences(one, signal),
                ),
            )
            for one, stamps, signal in zip(survey.topics, statistics, signals, strict=True)
        ),
        others=survey.others,
        proposal=_proposal(survey.topics, signals),
        remarks=survey.remarks,
    )


class _Signal:
    """Hold what a topic measured on a clock that all share, in units made right where needed."""

    def __init__(self, one: ImuTopic) -> None:
        sample = one.sample
        finite = (np.abs(sample) < ABSURD).all(-1)
        self.not_finite = int((~finite).sum())
        kept = slice(len(sample))
        stamp, received = one.stamp_ns[kept], one.received_ns[kept]
        # Stamps tell better than arrivals when a sample was taken, but not by which clock.
        delay = int(np.median(received - stamp)) if len(stamp) else 0
        time = stamp + (delay if abs(delay) > ONE_CLOCK_S * 1e9 else 0)
        if (stamp == 0).mean() > 0.5 if len(stamp) else False:
            time = received
        if len(time):
            # What is farther from the others than all that is kept lasts has a stamp gone wild.
            finite &= np.abs(time - np.median(time)) <= LONGEST_S * 1e9
        unique, first = np.unique(time[finite], return_index=True)
        self.time_ns = unique
        self.sample = sample[finite][first]
        self.faults: list[Fault] = []
        if len(unique) > 2 and one.has_force and one.has_rate:
            self._judge_units(one.topic)

    def _judge_units(self, topic: str) -> None:
        grid = np.arange(self.time_ns[0], self.time_ns[-1], round(GRID_S * 1e9))
        if len(grid) < 2:
            return
        sample = self.on(grid)
        for _ in range(2):
            fault = sensor_unit_faults(
                time_s=(grid - grid[0]) * 1e-9,
                acceleration=sample[:, None, :3],
                angular_rate=sample[:, None, 3:],
                sensors=[topic],
                present=np.ones((len(grid), 1), dtype=bool),
            )[0]
            if fault is None:
                return
            self.faults.append(fault)
            if fault.kind not in UNIT_SCALE:
                return
            scale = np.repeat(UNIT_SCALE[fault.kind], 3)
            self.sample, sample = self.sample * scale, sample * scale

    def on(self, grid_ns: np.ndarray) -> np.ndarray:
        """Return (n, 6) the samples on a grid."""
        since, at = self.time_ns - grid_ns[0], grid_ns - grid_ns[0]
        return np.stack([np.interp(at, since, column) for column in self.sample.T], -1)


def _proposal(topics: Sequence[ImuTopic], signals: Sequence[_Signal]) -> Proposal:
    heard = [
        number
        for number, (one, signal) in enumerate(zip(topics, signals, strict=True))
        if len(signal.time_ns) > 2 and one.has_force and one.has_rate
    ]
    if heard:
        begin = np.median([signals[number].time_ns[0] for number in heard])
        end = np.median([signals[number].time_ns[-1] for number in heard])
        heard = [n for n in heard if _covers(signals[n].time_ns, begin, end)]
    if heard:
        begin = max(signals[number].time_ns[0] for number in heard)
        end = min(signals[number].time_ns[-1] for number in heard)
        if end - begin < SHORTEST_S * 1e9:
            heard = []
    grid = np.arange(begin, end, round(GRID_S * 1e9), dtype=np.int64) if heard else np.empty(0)
    sample = np.zeros((len(grid), len(topics), 6))
    for number in heard:
        sample[:, number] = signals[number].on(grid)
    # A sensor that was not heard well stays at zero, and so does not move with the wearer.
    guess = guess_placement(
        acceleration=sample[..., :3], angular_rate=sample[..., 3:], step_s=GRID_S
    )
    return propose_placement(
        topics=[one.topic for one in topics],
        frames=[one.frames[0] if one.frames else '' for one in topics],
        guess=guess,
    )


def _covers(time_ns: np.ndarray, begin_ns: float, end_ns: float) -> bool:
    within = time_ns[(time_ns >= begin_ns) & (time_ns <= end_ns)]
    if len(within) < 2 or end_ns <= begin_ns:
        return False
    intervals = np.diff(within)
    covered = float(intervals[intervals < 1e9 / SLOWEST_HZ].sum())
    return covered > COVERED * (end_ns - begin_ns)


def _is_unset(stamps: StampStatistics) -> bool:
    return stamps.unset > 0.5 * stamps.samples


def _stamp_sentences(one: ImuTopic, stamps: StampStatistics, *, usual_delay_s: float) -> list[str]:
    if _is_unset(stamps):
        return [
            f'{one.topic} has header stamps of zero, expected the time of measurement; let the '
            'driver stamp its messages, or set `stamps: arrival` in the mapping.'
        ]
    said = []
    off = stamps.delay_s - usual_delay_s
    if abs(off) > ONE_CLOCK_S:
        said.append(
            f'The stamps of {one.topic} are {abs(off):.4g} s '
            f'{"behind" if off > 0.0 else "ahead of"} those of most sensors, expected one clock; '
            'synchronize the clocks of the drivers.'
        )
    elif abs(stamps.drift_s_per_minute) > LARGEST_DRIFT_S_PER_MINUTE:
        said.append(
            f'The stamps of {one.topic} drift by {1e3 * abs(stamps.drift_s_per_minute):.0f} ms a '
            'minute against the computer that recorded, expected none; let the driver '
            'synchronize its clock.'
        )
    if stamps.rate_hz < SLOWEST_HZ:
        said.append(
            f'{one.topic} was sampled at {stamps.rate_hz:.3g} Hz, expected at least '
            f'{SLOWEST_HZ:.0f} Hz and best 100 Hz; raise the rate of the driver.'
        )
    if stamps.jitter_s * stamps.rate_hz > LARGEST_JITTER:
        said.append(
            f'The intervals of {one.topic} vary by {1e3 * stamps.jitter_s:.1f} ms, expected about '
            f'{1e3 / stamps.rate_hz:.1f} ms between samples: it seems to be stamped when messages '
            'arrive; stamp the time of measurement, or set `stamps: arrival` in the mapping.'
        )
    if stamps.lost > LARGEST_LOSS * stamps.samples:
        share = stamps.lost / (stamps.lost + stamps.samples)
        said.append(
            f'{one.topic} has {stamps.gaps} gaps of up to {stamps.longest_gap_s:.2f} s, in which '
            f'about {stamps.lost} samples ({share:.0%}) are lost, expected none; look at the '
            'radio link.'
        )
    if stamps.repeated + stamps.backward > LARGEST_LOSS * stamps.samples:
        said.append(
            f'{one.topic} has {stamps.repeated} stamps that repeat and {stamps.backward} that go '
            'back, expected rising ones; look for two drivers on one topic.'
        )
    if len(one.frames) > 1:
        said.append(
            f'{one.topic} carries the frames {", ".join(one.frames)}, expected one: several '
            'sensors seem to share the topic; give each its own.'
        )
    return said


def _signal_sentences(one: ImuTopic, signal: _Signal) -> list[str]:
    said = [fault.sentence for fault in signal.faults]
    for has, name in (
        (one.has_force, 'linear_acceleration'),
        (one.has_rate, 'angular_velocity'),
    ):
        if not has:
            said.append(
                f'{one.topic} declares {name} absent (its covariance starts with -1), expected '
                'specific force and angular rate; switch it on in the driver.'
            )
    if signal.not_finite:
        said.append(
            f'{one.topic} has {signal.not_finite} samples that are NaN, infinite or beyond '
            'any sensor, expected numbers; check the driver, or add --skip-bad-samples to other '
            'commands.'
        )
    return said
