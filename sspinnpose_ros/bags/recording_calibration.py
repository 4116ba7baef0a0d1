# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find the mounting of the sensors from a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sspinnpose_ros.bags.imu_bag import ImuBag
from sspinnpose_ros.bags.recorded_grid import read_grid
from sspinnpose_ros.core.aligned_axes import corrected_alignment
from sspinnpose_ros.core.calibration import Calibration, calibrate
from sspinnpose_ros.core.calibration_file import load_calibration
from sspinnpose_ros.core.calibration_input import LOWEST_RATE_HZ
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import CalibrationError, RecordingError
from sspinnpose_ros.core.mounting import Mounting, aligned_mounting
from sspinnpose_ros.core.subject import ALIGNED, Subject

NOTHING_SAID = 'The mounting is unknown, so it was calibrated from this recording.'
ALIGNED_SAID = 'The axes are given as aligned; walking in this recording corrected them.'

RATE_HZ = 100.0
LONGEST_S = 300.0
"""How much of a recording a calibration reads, s."""


@dataclass(frozen=True, eq=False)
class FoundMounting:
    """Hold a mounting and, where it was found from the recording itself, how.

    Attributes:
        mounting: of at least the sensors asked for.
        calibration: None where the mounting was known before.
        reason: why there is one, in a sentence.

    """

    mounting: Mounting
    calibration: Calibration | None = None
    reason: str = ''


def find_mounting(
    bag: ImuBag,
    *,
    subject: Subject,
    sensors: Sequence[str],
    calibration_path: Path | None = None,
    skip_bad_samples: bool = False,
    time_offset_s: Mapping[str, float] | None = None,
) -> FoundMounting:
    """Take the mounting from a file, else from the recording.

    Axes that are given as aligned are corrected by walking in the recording where there is enough
    of it, and taken as they are where there is not.

    Args:
        bag: the open recording.
        subject: the wearer.
        sensors: those that are used.
        calibration_path: a CALIBRATION.yaml.
        skip_bad_samples: whether NaN and infinity count as missing instead of as an error.
        time_offset_s: added to every stamp of a sensor, s; zero where none is named.

    Returns:
        The mounting, with the calibration if one was made.

    Raises:
        CalibrationError: for an unreadable file, one that lacks a sensor, and for a recording
            that cannot be calibrated.
        RecordingError: for implausible signals.

    """
    if calibration_path is not None:
        mounting = load_calibration(calibration_path).mounting
        missing = [sensor for sensor in sensors if sensor not in mounting.sensors]
        if missing:
            raise CalibrationError(
                f'{calibration_path} lacks {", ".join(missing)}, expected every sensor that is '
                'used; calibrate with all of them worn or leave them out with --sensors.'
            )
        return FoundMounting(mounting=mounting)

    def calibrated() -> Calibration:
        return calibrate_recording(
            bag,
            subject=subject,
            sensors=None,
            skip_bad_samples=skip_bad_samples,
            time_offset_s=time_offset_s,
        )

    if subject.sensor_axes == ALIGNED:
        try:
            corrected = corrected_alignment(calibrated())
        except (CalibrationError, RecordingError):
            # What keeps a recording from being calibrated need not keep it from being estimated.
            corrected = None
        if corrected is None:
            return FoundMounting(mounting=aligned_mounting())
        return FoundMounting(
            mounting=corrected.mounting, calibration=corrected, reason=ALIGNED_SAID
        )
    calibration = calibrated()
    return FoundMounting(
        mounting=calibration.mounting, calibration=calibration, reason=NOTHING_SAID
    )


def calibrate_recording(
    bag: ImuBag,
    *,
    subject: Subject,
    sensors: Sequence[str] | None = None,
    skip_bad_samples: bool = False,
    time_offset_s: Mapping[str, float] | None = None,
) -> Calibration:
    """Calibrate from the longest part of a recording in which all sensors are there.

    Args:
        bag: the open recording.
        subject: the wearer.
        sensors: those to calibrate; by default all of the recording.
        skip_bad_samples: whether NaN and infinity count as missing instead of as an error.
        time_offset_s: added to every stamp of a sensor, s; zero where none is named.

    Returns:
        The calibration.

    Raises:
        CalibrationError: for a recording that cannot be calibrated.
        RecordingError: for implausible signals.

    """
    worn = tuple(s for s in sensors or bag.sensors if s in SENSORS)
    rows = [SENSORS.index(sensor) for sensor in worn]
    parts = read_grid(
        bag,
        sensors=worn,
        rate_hz=RATE_HZ,
        longest_s=LONGEST_S,
        slowest_hz=LOWEST_RATE_HZ,
        skip_bad_samples=skip_bad_samples,
        time_offset_s=time_offset_s,
    )
    best, span = parts[0], slice(0, 0)
    for part in parts:
        whole = _longest_run(np.asarray(part.present[:, rows].all(-1)))
        if whole.stop - whole.start > span.stop - span.start:
            best, span = part, whole
    return calibrate(
        time_s=best.time_s[span],
        acceleration=best.acceleration[span][:, rows],
        angular_rate=best.angular_rate[span][:, rows],
        sensors=worn,
        height_m=subject.height_m,
    )


def _longest_run(true: np.ndarray) -> slice:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    if not len(edges):
        return slice(0, 0)
    starts, stops = edges[::2], edges[1::2]
    longest = int(np.argmax(stops - starts))
    return slice(int(starts[longest]), int(stops[longest]))
