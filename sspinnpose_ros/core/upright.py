# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recognize sensors that do not sit on their segments as their mounting says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sspinnpose_ros.core.calibration_input import LEG_SENSORS
from sspinnpose_ros.core.mounting import Mounting

SHORTEST_S = 1.5
"""Less than this tells nothing: the mean of a short piece of a stride is not gravity."""

FARTHEST_RAD = np.deg2rad(120.0)
"""A sitting wearer's thigh lies level, nobody's points down."""

FARTHEST_WALKING_RAD = np.deg2rad(70.0)
"""Recorded walkers stay within 22 degrees, runners within 40."""

FARTHEST_ASIDE_RAD = np.deg2rad(50.0)
"""How far to either side; recorded walkers and runners stay within 20 degrees."""

WALKING_RAD_S = 1.0
"""Root mean square turning of a leg segment above which the wearer walks or runs."""


def check_upright(
    *,
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    sensors: Sequence[str],
    present: np.ndarray,
    mounting: Mounting,
) -> list[str]:
    """Name each sensor whose segment would hang upside down or lie on its side.

    The mean specific force points up, because a body does not go on accelerating, and segments
    swing about upright. So a mounting that turns it elsewhere is wrong.

    Args:
        time_s: (T,) measurement times, evenly spaced, s.
        acceleration: (T, S, 3) as received, sensor axes, m/s^2.
        angular_rate: (T, S, 3) as received, sensor axes, rad/s.
        sensors: (S) names.
        present: (T, S) bool; other samples are not looked at.
        mounting: of the sensors; those without are not looked at.

    Returns:
        One sentence per fault; empty for less than `SHORTEST_S`.

    """
    sentences: list[str] = []
    if len(time_s) < 2:
        return sentences
    period = float(np.median(np.diff(time_s)))
    finite = np.isfinite(acceleration).all(-1) & np.isfinite(angular_rate).all(-1)
    for column, sensor in enumerate(sensors):
        rows = present[:, column] & finite[:, column]
        if sensor not in mounting.sensors or rows.sum() * period < SHORTEST_S:
            continue
        mean = acceleration[rows, column].mean(0)
        square = (angular_rate[rows, column] ** 2).sum(-1).mean()
        walking = sensor in LEG_SENSORS and square > WALKING_RAD_S**2
        one = mounting.sensors[sensor]
        forward, left, up = one.rotation @ (mean - one.acceleration_bias_m_s2)
        along = abs(np.arctan2(forward, up))
        aside = abs(np.arctan2(left, np.hypot(forward, up)))
        if along > (FARTHEST_WALKING_RAD if walking else FARTHEST_RAD):
            sentences.append(_sentence(sensor, np.rad2deg(along), 'in the sagittal plane'))
        elif aside > FARTHEST_ASIDE_RAD:
            sentences.append(_sentence(sensor, np.rad2deg(aside), 'to the side'))
    return sentences


def _sentence(sensor: str, degrees: float, where: str) -> str:
    return (
        f'{sensor} measures a mean force {degrees:.0f} degrees {where} from the up of its '
        'segment, expected near 0: it is worn otherwise than its mounting says, or its force has '
        'the wrong sign; turn it (x forward, y up, z right), or calibrate with sensor_axes '
        'unknown.'
    )
