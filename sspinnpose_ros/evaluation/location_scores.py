# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score found sensor positions and rotations against true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.sensor_location import SensorLocation

LEGS = np.array([sensor != 'pelvis' for sensor in SENSORS])


@dataclass(frozen=True, eq=False)
class LocationErrors:
    """Hold how far the sensors of one wearer are from where they really sit.

    Attributes:
        before_m: (7,) distance of the assumed place, m; NaN for sensors without evidence.
        after_m: (7,) distance of the found place, m.
        before_rad: (7,) rotation against the assumed mounting, rad; NaN where it is unknown.
        after_rad: (7,) what is left of it, rad.

    """

    before_m: np.ndarray
    after_m: np.ndarray
    before_rad: np.ndarray
    after_rad: np.ndarray


def location_errors(
    *,
    found: Mapping[str, SensorLocation],
    position_m: np.ndarray,
    mounting_rad: np.ndarray | None = None,
) -> LocationErrors:
    """Compare what was found with the truth.

    Args:
        found: by sensor.
        position_m: (7, 2) true places, (forward, up) from the proximal joint, m.
        mounting_rad: (7,) true rotations in the sagittal plane, rad, where they are known.

    """
    count = len(SENSORS)
    before, after, turned, left = (np.full(count, np.nan) for _ in range(4))
    for row, name in enumerate(SENSORS):
        if name not in found:
            continue
        location = found[name]
        before[row] = np.linalg.norm(location.assumed_m - position_m[row])
        after[row] = np.linalg.norm(location.found_m - position_m[row])
        if mounting_rad is not None:
            turned[row] = abs(mounting_rad[row])
            left[row] = abs(location.mounting_rad - mounting_rad[row])
    return LocationErrors(before_m=before, after_m=after, before_rad=turned, after_rad=left)


def mean_error(errors: Sequence[LocationErrors], field: str, *, legs: bool) -> float | None:
    """Average one field over wearers and sensors; None where nothing is known.

    Args:
        errors: of several wearers.
        field: 'before_m', 'after_m', 'before_rad' or 'after_rad'.
        legs: whether of the sensors of the legs, or of the pelvis.

    """
    rows = LEGS if legs else ~LEGS
    values = np.array([getattr(each, field)[rows] for each in errors])
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None
