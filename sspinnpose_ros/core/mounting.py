# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say how each sensor sits on its segment and turn its readings into the sagittal plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sspinnpose_ros.core.conventions import OPTIONAL_SENSORS, SENSORS
from sspinnpose_ros.core.errors import CalibrationError

ALIGNED_ROTATION = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Segment-from-sensor rotation of a sensor whose own axes are x forward, y up, z right."""

LARGEST_GAIN = 2.0


def _no_bias() -> np.ndarray:
    return np.zeros(3)


@dataclass(frozen=True, eq=False)
class SensorMounting:
    """Hold how one sensor sits on its segment and what its readings do wrong.

    A corrected reading is `rotation @ ((acceleration - acceleration_bias_m_s2) /
    acceleration_gain)` and `rotation @ (angular_rate - gyro_bias_rad_s)`.

    Attributes:
        rotation: (3, 3) segment-from-sensor; segment axes x forward, y left, z up at upright
            standing.
        acceleration_gain: reading divided by the true specific force.
        gyro_bias_rad_s: (3,) reading at rest, sensor axes, rad/s.
        acceleration_bias_m_s2: (3,) reading in free fall, sensor axes, m/s^2.

    """

    rotation: np.ndarray
    acceleration_gain: float = 1.0
    gyro_bias_rad_s: np.ndarray = field(default_factory=_no_bias)
    acceleration_bias_m_s2: np.ndarray = field(default_factory=_no_bias)

    def __post_init__(self) -> None:
        for name, shape in (
            ('rotation', (3, 3)),
            ('gyro_bias_rad_s', (3,)),
            ('acceleration_bias_m_s2', (3,)),
        ):
            value = np.array(getattr(self, name), dtype=np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise CalibrationError(
                    f'A {name} has shape {value.shape} or is not finite, expected finite numbers '
                    f'of shape {shape}; calibrate again.'
                )
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        error = np.abs(self.rotation @ self.rotation.T - np.eye(3)).max()
        if error > 1e-6 or np.linalg.det(self.rotation) < 0.0:
            raise CalibrationError(
                f'A rotation is off by {error:.2g} from a right-handed rotation matrix, expected '
                'less than 1e-6; calibrate again.'
            )
        if not 1.0 / LARGEST_GAIN <= self.acceleration_gain <= LARGEST_GAIN:
            raise CalibrationError(
                f'An acceleration_gain is {self.acceleration_gain}, expected '
                f'{1.0 / LARGEST_GAIN} to {LARGEST_GAIN}; calibrate again.'
            )


@dataclass(frozen=True, eq=False)
class MountingArrays:
    """Hold the mountings of S sensors in a fixed order, for vectorized use.

    Attributes:
        rotation: (S, 3, 3) segment-from-sensor.
        acceleration_gain: (S,) reading divided by the true specific force.
        gyro_bias_rad_s: (S, 3) sensor axes, rad/s.
        acceleration_bias_m_s2: (S, 3) sensor axes, m/s^2.

    """

    rotation: np.ndarray
    acceleration_gain: np.ndarray
    gyro_bias_rad_s: np.ndarray
    acceleration_bias_m_s2: np.ndarray


@dataclass(frozen=True, eq=False)
class Mounting:
    """Hold the mounting of each sensor by its name."""

    sensors: Mapping[str, SensorMounting]

    def __post_init__(self) -> None:
        unknown = [name for name in self.sensors if name not in (*SENSORS, *OPTIONAL_SENSORS)]
        if unknown:
            raise CalibrationError(
                f'A mounting names the sensor {unknown[0]!r}, expected one of '
                f'{", ".join((*SENSORS, *OPTIONAL_SENSORS))}; rename it.'
            )

    def arrays(self, sensors: Sequence[str] = SENSORS) -> MountingArrays:
        """Return the mountings stacked in the order of `sensors`.

        Raises:
            CalibrationError: where a sensor has no mounting, and for no sensor at all.

        """
        if not sensors:
            raise CalibrationError(
                f'The mounting holds {", ".join(self.sensors)} only, expected some of '
                f'{", ".join(SENSORS)}; calibrate with these worn.'
            )
        missing = [name for name in sensors if name not in self.sensors]
        if missing:
            raise CalibrationError(
                f'The mounting of {missing[0]} is missing, expected one for each of '
                f'{", ".join(sensors)}; calibrate with this sensor worn.'
            )
        chosen = [self.sensors[name] for name in sensors]
        return MountingArrays(
            rotation=np.stack([one.rotation for one in chosen]),
            acceleration_gain=np.array([one.acceleration_gain for one in chosen]),
            gyro_bias_rad_s=np.stack([one.gyro_bias_rad_s for one in chosen]),
            acceleration_bias_m_s2=np.stack([one.acceleration_bias_m_s2 for one in chosen]),
        )

    def rotated(self, sensor: str, angle_rad: float) -> Mounting:
        """Return a mounting in which the segment of `sensor` reads `angle_rad` more inclined.

        The inclination is about the axis to the right; only the in-plane zero angle changes.

        Raises:
            CalibrationError: where the sensor has no mounting.

        """
        if sensor not in self.sensors:
            raise CalibrationError(
                f'The mounting of {sensor} is missing, expected one of '
                f'{", ".join(self.sensors)}; name a sensor that was calibrated.'
            )
        cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
        turn = np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])
        turned = replace(self.sensors[sensor], rotation=turn @ self.sensors[sensor].rotation)
        return Mounting(sensors={**self.sensors, sensor: turned})


def aligned_mounting(sensors: Sequence[str] = SENSORS) -> Mounting:
    """Return the mounting of faultless sensors whose axes are x forward, y up, z right."""
    return Mounting(sensors={name: SensorMounting(rotation=ALIGNED_ROTATION) for name in sensors})


def sagittal_signals(
    *, acceleration: np.ndarray, angular_rate: np.ndarray, mounting: MountingArrays
) -> np.ndarray:
    """Turn raw readings into specific force and turning rate in the sagittal plane.

    Args:
        acceleration: (..., S, 3) specific force as read, sensor axes, m/s^2.
        angular_rate: (..., S, 3) as read, sensor axes, rad/s.
        mounting: of the same S sensors.

    Returns:
        (..., S, 3) specific force forward and up in segment axes (m/s^2) and the rate about the
        axis to the person's right (rad/s), the order of `conventions.SAGITTAL_CHANNELS`.

    """
    corrected = acceleration - mounting.acceleration_bias_m_s2
    force = np.einsum('sij,...sj->...si', mounting.rotation[:, ::2], corrected)
    force = force / mounting.acceleration_gain[:, None]
    turning = np.einsum(
        'sj,...sj->...s', -mounting.rotation[:, 1], angular_rate - mounting.gyro_bias_rad_s
    )
    signals: np.ndarray = np.concatenate([force, turning[..., None]], axis=-1)
    return signals
