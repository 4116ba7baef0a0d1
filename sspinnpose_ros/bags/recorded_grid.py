# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read a recording onto one grid, for work that looks at all of it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sspinnpose_ros.bags.imu_bag import ImuBag
from sspinnpose_ros.bags.signal_check import SignalCheck, require_numbers
from sspinnpose_ros.bags.stream_check import SLOWEST_HZ, StreamCheck
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.mounting import Mounting
from sspinnpose_ros.core.recent_frames import FrameSeries
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig

LEFT_OUT = 1.5
"""Frames further apart than this many periods are not consecutive."""


def read_grid(
    bag: ImuBag,
    *,
    sensors: Sequence[str],
    rate_hz: float,
    longest_s: float,
    slowest_hz: float = SLOWEST_HZ,
    skip_bad_samples: bool = False,
    mounting: Mounting | None = None,
    time_offset_s: Mapping[str, float] | None = None,
) -> list[FrameSeries]:
    """Synchronize a recording as the node does and check its signals.

    Args:
        bag: the open recording.
        sensors: those to read, out of `conventions.SENSORS`.
        rate_hz: of the grid, Hz.
        longest_s: how much of the recording to read, s.
        slowest_hz: lowest rate of a sensor, Hz.
        skip_bad_samples: whether NaN and infinity count as missing instead of as an error.
        mounting: of the sensors, where it is known and to be checked.
        time_offset_s: added to every stamp of a sensor, s; zero where none is named.

    Returns:
        Consecutive frames, split where the grid has holes.

    Raises:
        RecordingError: for implausible signals, NaN, sensors that are too slow, stuck or on
            another clock, and a recording without a single frame.

    """
    synchronizer = Synchronizer(
        sensors=sensors,
        config=SynchronizerConfig(rate_hz=rate_hz),
        time_offset_s=time_offset_s,
    )
    check = SignalCheck(path=bag.path, sensors=sensors, mounting=mounting)
    streams = StreamCheck(
        bag, sensors=sensors, statistics=synchronizer.statistics, slowest_hz=slowest_hz
    )
    frames: list[Frame] = []
    begin: float | None = None
    for sensor, stamp_s, sample, arrival_s in bag.samples(sensors):
        begin = arrival_s if begin is None else begin
        if arrival_s - begin > longest_s:
            break
        streams.note(sensor, stamp_s)
        synchronizer.push(sensor=sensor, stamp_s=stamp_s, sample=sample, arrival_s=arrival_s)
        frames += synchronizer.drain(now_s=arrival_s)
    frames += synchronizer.flush()
    if not skip_bad_samples:
        require_numbers(path=bag.path, statistics=synchronizer.statistics)
    streams.finish()
    if not frames:
        raise RecordingError(
            f'{bag.path} holds too few samples for a single frame, expected some seconds of all '
            'sensors; record longer.'
        )
    for frame in frames:
        check.note(frame)
    check.finish()
    time = np.array([frame.time_s for frame in frames])
    holes = np.flatnonzero(np.diff(time) * rate_hz > LEFT_OUT) + 1
    imu = np.stack([frame.imu for frame in frames])
    present = np.stack([frame.present for frame in frames])
    return [
        FrameSeries(time_s=time[part], imu=imu[part], present=present[part])
        for part in np.split(np.arange(len(time)), holes)
    ]
