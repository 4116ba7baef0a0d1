# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Arrange measurements as the network's input."""

from __future__ import annotations

from sspinnpose_ros.core.arrays import Array, namespace
from sspinnpose_ros.core.conventions import GRAVITY

CHANNELS_PER_SENSOR = 6
"""Specific force forward and up, rate, change of rate, inclination, and presence."""

PERSON_CHANNELS = 2

INPUTS = 7 * CHANNELS_PER_SENSOR + PERSON_CHANNELS


def network_input(
    *,
    sagittal: Array,
    rate_change: Array,
    inclination: Array,
    present: Array,
    mass_kg: Array,
    height_m: Array,
) -> Array:
    """Scale measurements to order one and blank what is absent.

    Args:
        sagittal: (..., 7, 3) specific force forward and up (m/s^2) and rate (rad/s).
        rate_change: (..., 7) rad/s^2.
        inclination: (..., 7) rad.
        present: (..., 7) 1 where the sensor is there, else 0.
        mass_kg: (...,) kg.
        height_m: (...,) m.

    Returns:
        (..., 44) input of the network.

    """
    xp = namespace(sagittal)
    sensor = xp.stack(
        [
            0.1 * sagittal[..., 0] * present,
            0.1 * (sagittal[..., 1] - GRAVITY) * present,
            0.25 * sagittal[..., 2] * present,
            0.02 * rate_change * present,
            2.0 * inclination * present,
            present,
        ],
        -2,
    )
    person = xp.stack([mass_kg / 75.0 - 1.0, (height_m / 1.8 - 1.0) * 5.0], -1)
    flat = sensor.reshape(*sensor.shape[:-2], 7 * CHANNELS_PER_SENSOR)
    return xp.concatenate([flat, person], -1)
