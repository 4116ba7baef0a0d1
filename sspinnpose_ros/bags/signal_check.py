# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Refuse recordings whose signals cannot be what they claim to be, while they stream by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.mounting import Mounting
from sspinnpose_ros.core.plausibility import check_signals
from sspinnpose_ros.core.synchronizer import SynchronizerStatistics
from sspinnpose_ros.core.upright import check_upright

WINDOW_FRAMES = 2048


class SignalCheck:
    """Look at the frames of a recording in windows, in fixed memory."""

    def __init__(
        self, *, path: Path, sensors: Sequence[str], mounting: Mounting | None = None
    ) -> None:
        """Expect frames of `sensors` from the recording at `path`, mounted like this if known."""
        self._mounting = mounting
        self._path = path
        self._sensors = tuple(sensors)
        self._rows = [SENSORS.index(sensor) for sensor in sensors]
        self._frames: list[Frame] = []

    def note(self, frame: Frame) -> None:
        """Take the next frame.

        Raises:
            RecordingError: for implausible signals in the window that it completes.

        """
        self._frames.append(frame)
        if len(self._frames) == WINDOW_FRAMES:
            self.finish()

    def finish(self) -> None:
        """Look at the frames since the last window.

        Raises:
            RecordingError: for implausible signals.

        """
        frames, self._frames = self._frames, []
        if not frames:
            return
        imu = np.array([frame.imu for frame in frames])[:, self._rows]
        time_s = np.array([frame.time_s for frame in frames])
        present = np.array([frame.present for frame in frames])[:, self._rows]
        faults = check_signals(
            time_s=time_s,
            acceleration=imu[..., :3],
            angular_rate=imu[..., 3:],
            sensors=self._sensors,
            present=present,
        )
        if not faults and self._mounting is not None:
            faults = check_upright(
                time_s=time_s,
                acceleration=imu[..., :3],
                angular_rate=imu[..., 3:],
                sensors=self._sensors,
                present=present,
                mounting=self._mounting,
            )
        if faults:
            raise RecordingError(f'In {self._path}, {_one_sentence(faults)}')


def require_numbers(*, path: Path, statistics: SynchronizerStatistics) -> None:
    """Refuse a recording that held NaN or infinity.

    Args:
        path: of the recording.
        statistics: of the synchronizer that it went through.

    Raises:
        RecordingError: naming the sensors and how many samples they spoilt.

    """
    spoilt = {name: counts for name, counts in statistics.sensors.items() if counts.not_finite > 0}
    if spoilt:
        name, counts = next(iter(spoilt.items()))
        others = f' (and some of {len(spoilt) - 1} more sensors)' if len(spoilt) > 1 else ''
        raise RecordingError(
            f'In {path}, {counts.not_finite} of the first {counts.received} samples of '
            f'{name}{others} are NaN or infinite, expected finite numbers; check the driver or '
            'add --skip-bad-samples to treat them as missing.'
        )


def _one_sentence(faults: Sequence[str]) -> str:
    if len(faults) == 1:
        return faults[0]
    return f'{faults[0].rstrip(".")} (and so for {len(faults) - 1} more of the sensors).'
