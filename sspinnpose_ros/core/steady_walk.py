# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find the stretch of steady walking that a calibration rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sspinnpose_ros.core.calibration_input import LEG_SENSORS
from sspinnpose_ros.core.errors import CalibrationError
from sspinnpose_ros.core.stride import longest_run, stride_period, walking

LONGEST_WALK_S = 120.0
FEWEST_STRIDES = 5
WEAKEST_REPEAT = 0.35
SLOWEST_LEGS_RAD_S = 0.4


def steady_walk(
    *, angular_rate: np.ndarray, sensors: Sequence[str], step_s: float
) -> tuple[slice, int]:
    """Return the samples of the longest steady walk and its stride period in samples.

    Args:
        angular_rate: (T, S, 3) as read, sensor axes, rad/s.
        sensors: S names; both thighs, shanks and feet among them.
        step_s: between samples, s.

    Raises:
        CalibrationError: where the legs are too slow, do not repeat their movement, or for too
            few strides.

    """
    legs = angular_rate[:, [sensors.index(name) for name in LEG_SENSORS]]
    legs = legs - np.median(legs, axis=0)
    pace = np.sqrt((legs**2).sum(axis=-1).mean(axis=-1))
    fastest = float(np.quantile(pace, 0.9))
    if fastest < SLOWEST_LEGS_RAD_S:
        raise CalibrationError(
            f'The legs turn at {fastest:.2f} rad/s, expected above {SLOWEST_LEGS_RAD_S} as in '
            'walking; walk at least ten strides straight ahead.'
        )
    period, repeat = stride_period(angular_rate=legs, step_s=step_s)
    if period == 0 or repeat < WEAKEST_REPEAT:
        raise CalibrationError(
            f'The legs repeat their movement by {repeat:.0%} from stride to stride, expected at '
            f'least {WEAKEST_REPEAT:.0%} as in steady walking; walk ten strides straight ahead.'
        )
    walk = longest_run(walking(angular_rate=legs, period=period))
    walk = slice(walk.start, min(walk.stop, walk.start + int(LONGEST_WALK_S / step_s)))
    strides = (walk.stop - walk.start) / period
    if strides < FEWEST_STRIDES:
        raise CalibrationError(
            f'The recording holds {strides:.1f} strides of steady walking, expected at least '
            f'{FEWEST_STRIDES}; walk at least ten strides straight ahead.'
        )
    return walk, period
