# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Remember the frames of the last minute, for calibration and for checking the signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.frame import Frame


@dataclass(frozen=True, eq=False)
class FrameSeries:
    """Hold consecutive frames.

    Attributes:
        time_s: (T,) s, one grid period apart.
        imu: (T, 7, 6) specific force [m/s^2], then angular rate [rad/s], sensor axes; zero where
            absent.
        present: (T, 7) bool.

    """

    time_s: np.ndarray
    imu: np.ndarray
    present: np.ndarray

    @property
    def acceleration(self) -> np.ndarray:
        """Return (T, 7, 3) specific force, m/s^2, sensor axes; zero where absent."""
        force: np.ndarray = self.imu[..., :3]
        return force

    @property
    def angular_rate(self) -> np.ndarray:
        """Return (T, 7, 3) rad/s, sensor axes; zero where absent."""
        rate: np.ndarray = self.imu[..., 3:]
        return rate

    @cached_property
    def largest(self) -> np.ndarray:
        """Return (7,) the largest size of any value of each sensor."""
        channels = self.imu.reshape(len(self.imu), -1)
        size = np.maximum(channels.max(0), -channels.min(0))
        largest: np.ndarray = size.reshape(len(SENSORS), -1).max(-1)
        return largest


class RecentFrames:
    """Keep the newest consecutive frames in fixed memory."""

    def __init__(self, *, capacity: int) -> None:
        """Make room for `capacity` frames."""
        self._time = np.zeros(capacity)
        self._imu = np.zeros((capacity, len(SENSORS), 6))
        self._present = np.zeros((capacity, len(SENSORS)), dtype=bool)
        self._next = 0
        self._count = 0

    def __len__(self) -> int:
        """Return how many frames are kept."""
        return self._count

    def clear(self) -> None:
        """Forget all frames."""
        self._next = self._count = 0

    def append(self, frame: Frame) -> None:
        """Keep a copy of one frame in place of the oldest."""
        row = self._next
        self._time[row] = frame.time_s
        self._imu[row] = frame.imu
        self._present[row] = frame.present
        self._next = (row + 1) % len(self._time)
        self._count = min(self._count + 1, len(self._time))

    def last(self, number: int) -> FrameSeries:
        """Return copies of the newest `number` frames, or of all if there are fewer."""
        number = min(number, self._count)
        rows = (self._next - number + np.arange(number)) % len(self._time)
        return FrameSeries(
            time_s=self._time[rows], imu=self._imu[rows], present=self._present[rows]
        )

    def longest_complete(
        self, sensors: Sequence[str], *, newest: int | None = None
    ) -> FrameSeries:
        """Return the longest stretch in which all of `sensors` were present, maybe empty.

        Args:
            sensors: those that must be there.
            newest: how many of the newest frames to look at; all when None.

        """
        everything = self.last(self._count if newest is None else newest)
        rows = [SENSORS.index(sensor) for sensor in sensors]
        whole: np.ndarray = np.asarray(everything.present[:, rows].all(-1))
        steps = np.diff(everything.time_s)
        usual = np.median(steps) if len(steps) else 0.0
        steady = np.concatenate([[True], np.abs(steps - usual) < 0.5 * usual])[: len(whole)]
        breaks = np.flatnonzero(~(whole & steady))
        # A frame after a jump may begin a stretch, one with a sensor missing may not.
        begins = np.concatenate([[0], np.where(whole[breaks], breaks, breaks + 1)])
        ends = np.concatenate([breaks, [len(whole)]])
        longest = int(np.argmax(ends - begins))
        chosen = slice(int(begins[longest]), int(ends[longest]))
        return FrameSeries(
            time_s=everything.time_s[chosen],
            imu=everything.imu[chosen],
            present=everything.present[chosen],
        )
