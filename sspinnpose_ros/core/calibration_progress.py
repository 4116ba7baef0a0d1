# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tell how much of what a calibration needs the wearer has done so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.calibration import FULL_STRIDES
from sspinnpose_ros.core.calibration_input import LEG_SENSORS
from sspinnpose_ros.core.standing import quiet_standing
from sspinnpose_ros.core.steady_walk import SLOWEST_LEGS_RAD_S, WEAKEST_REPEAT
from sspinnpose_ros.core.stride import longest_run, stride_period, walking

WANTED_STANDING_S = 3.0
"""What wearers are asked to stand; a calibration makes do with less and with none."""


@dataclass(frozen=True)
class CalibrationProgress:
    """Hold what was seen of a wearer who is to be calibrated.

    Attributes:
        standing_s: time in which no sensor turned, s.
        strides: of the longest steady walk.

    """

    standing_s: float
    strides: float

    @property
    def ready(self) -> bool:
        """Whether a calibration need not be refused for want of walking."""
        return self.strides >= FULL_STRIDES

    @property
    def instruction(self) -> str:
        """What the wearer is to do next, with what there is already."""
        stood = f'{self.standing_s:.0f} s of standing'
        if self.ready and self.standing_s >= WANTED_STANDING_S:
            return f'{stood} and {self.strides:.0f} strides are there: calibrate'
        if self.ready:
            return (
                f'{self.strides:.0f} strides are there but {stood}: calibrate, or stand still '
                'first for a narrower verdict'
            )
        if self.strides < 1.0 and self.standing_s < WANTED_STANDING_S:
            return (
                f'stand upright and still, {self.standing_s:.0f} of {WANTED_STANDING_S:.0f} s; '
                'then walk'
            )
        return f'walk straight ahead, {self.strides:.0f} of {FULL_STRIDES} strides; {stood} so far'


def calibration_progress(
    *, angular_rate: np.ndarray, sensors: Sequence[str], step_s: float
) -> CalibrationProgress:
    """Look at what was heard of a wearer; a sitting one counts as standing.

    Args:
        angular_rate: (T, S, 3) as read, any axes, rad/s.
        sensors: S names.
        step_s: sampling step, s.

    """
    if not len(angular_rate):
        return CalibrationProgress(standing_s=0.0, strides=0.0)
    standing = quiet_standing(angular_rate=angular_rate, step_s=step_s)
    legs = angular_rate[:, [row for row, name in enumerate(sensors) if name in LEG_SENSORS]]
    return CalibrationProgress(
        standing_s=float(standing.sum() * step_s), strides=_strides(legs, step_s=step_s)
    )


def _strides(legs: np.ndarray, *, step_s: float) -> float:
    if not legs.size:
        return 0.0
    legs = legs - np.median(legs, axis=0)
    pace = np.sqrt((legs**2).sum(axis=-1).mean(axis=-1))
    # Who has only just begun to walk has stood for most of the time.
    if float(np.quantile(pace, 0.98)) < SLOWEST_LEGS_RAD_S:
        return 0.0
    period, repeat = stride_period(angular_rate=legs, step_s=step_s)
    if period == 0 or repeat < WEAKEST_REPEAT:
        return 0.0
    walk = longest_run(walking(angular_rate=legs, period=period))
    return float((walk.stop - walk.start) / period)
