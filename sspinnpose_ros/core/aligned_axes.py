# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Correct sensors whose axes are said to be aligned by what walking says of thighs and shanks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sspinnpose_ros.core.calibration import Calibration
from sspinnpose_ros.core.foot_track import RUNNING_SPEED_M_S
from sspinnpose_ros.core.mounting import ALIGNED_ROTATION, aligned_mounting

CORRECTED = ('thigh', 'shank')
"""Segments between two joints, whose line is their axis. The zero of the others
is a usual posture, which is no better than hands that align."""

BY_HAND_DEG = 0.1 * 180.0 / np.pi
"""How far hands leave a sensor from its segment's axes (one sigma); training assumes the same."""

BY_WALKING_DEG = 4.0
"""How far a calibration does, as its verdict says."""

TRUST = BY_HAND_DEG**2 / (BY_HAND_DEG**2 + BY_WALKING_DEG**2)
"""How much of what walking says is believed: the two weighed by their variances."""

LARGEST_TURN_RAD = np.deg2rad(30.0)
"""A sensor turned by more is not aligned at all, which is for others to say."""


def corrected_alignment(calibration: Calibration) -> Calibration | None:
    """Turn aligned sensors in the sagittal plane by what their joints say in walking.

    Args:
        calibration: of the same sensors, found without knowing how they sit.

    Returns:
        The same with the mounting of aligned axes, thighs and shanks turned by the part `TRUST` of
        what was found; None for running, in which sensors swing too much on the leg to tell, and
        where a sensor is turned so far that its axes cannot have been aligned.

    """
    if calibration.speed_m_s >= RUNNING_SPEED_M_S:
        return None
    mounting = aligned_mounting(tuple(calibration.mounting.sensors))
    said = []
    for name, found in calibration.mounting.sensors.items():
        if name.split('_')[0] not in CORRECTED:
            continue
        turn = found.rotation @ ALIGNED_ROTATION.T
        seen = float(np.arctan2(turn[0, 2], turn[0, 0]))
        if abs(seen) > LARGEST_TURN_RAD:
            return None
        angle = TRUST * seen
        mounting = mounting.rotated(name, angle)
        said.append(f'{name} {np.rad2deg(angle):+.1f}')
    return replace(
        calibration,
        mounting=mounting,
        sentences=(
            calibration.sentences[0],
            f'Turned in the sagittal plane against the axes given: {", ".join(said)} degrees.',
        ),
    )
