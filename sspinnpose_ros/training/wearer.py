# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Put imperfect IMUs on synthetic wearers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from sspinnpose_ros.core.body import Body, nominal_sensor_position
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.virtual_imu import virtual_imu
from sspinnpose_ros.training.synthetic_gait import MotionSamples

WOBBLE_HZ = 8.0
"""Corner of the soft-tissue noise."""


@dataclass(frozen=True)
class SensorErrors:
    """Say how badly the sensors are worn and made (one sigma each).

    Attributes:
        position_m: misplacement along each axis.
        mounting_rad: rotation in the sagittal plane.
        gain: relative error of the accelerometer.
        acceleration_bias: m/s^2.
        rate_bias: rad/s.
        acceleration_noise: white, m/s^2.
        rate_noise: white, rad/s.
        wobble: soft-tissue noise as a share of each channel's own standard deviation.

    """

    position_m: float = 0.02
    mounting_rad: float = 0.06
    gain: float = 0.01
    acceleration_bias: float = 0.1
    rate_bias: float = 0.01
    acceleration_noise: float = 0.05
    rate_noise: float = 0.01
    wobble: float = 0.05


USUAL_ERRORS = SensorErrors()


@dataclass(frozen=True)
class WornSensors:
    """Hold what the sensors of M wearers measured, and how they really sat.

    Attributes:
        sagittal: (M, T, 7, 3) specific force forward and up (m/s^2), rate (rad/s), float32.
        position: (M, 7, 2) true places, (forward, up), m.
        mounting_rad: (M, 7) true rotations in the sagittal plane, rad.

    """

    sagittal: np.ndarray
    position: np.ndarray
    mounting_rad: np.ndarray


def wear(
    *,
    motion: MotionSamples,
    body: Body,
    period_s: float,
    rng: np.random.Generator,
    errors: SensorErrors = USUAL_ERRORS,
) -> WornSensors:
    """Measure motions with imperfect sensors.

    Args:
        motion: M wearers, T samples.
        body: their true bodies, batch (M,), torch.
        period_s: sample period, s.
        rng: source of chance.
        errors: how badly the sensors are worn and made.

    """
    count, samples = motion.q.shape[:2]
    position = nominal_sensor_position(height_m=np.asarray(body.height_m, float))
    position = position + errors.position_m * rng.normal(size=position.shape)
    angle = errors.mounting_rad * rng.normal(size=(count, 7))
    with torch.no_grad():
        moved = kinematics(body=body.over_time(), q=motion.q, qd=motion.qd, qdd=motion.qdd)
        true = virtual_imu(
            motion=moved, position=torch.as_tensor(position, dtype=torch.float32)[:, None]
        ).numpy()
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    forward, up = true[..., 0], true[..., 1]
    clean = np.stack([cos * forward + sin * up, cos * up - sin * forward, true[..., 2]], -1)
    clean[..., :2] *= 1.0 + errors.gain * rng.normal(size=(count, 1, 7, 1))
    spread = clean.std(1, keepdims=True)
    noisy = clean + errors.wobble * spread * _coloured(rng, clean.shape, period_s)
    noisy[..., :2] += errors.acceleration_bias * rng.normal(size=(count, 1, 7, 2))
    noisy[..., 2] += errors.rate_bias * rng.normal(size=(count, 1, 7))
    noisy[..., :2] += errors.acceleration_noise * rng.normal(size=(count, samples, 7, 2))
    noisy[..., 2] += errors.rate_noise * rng.normal(size=(count, samples, 7))
    return WornSensors(sagittal=noisy.astype(np.float32), position=position, mounting_rad=angle)


def _coloured(rng: np.random.Generator, shape: tuple[int, ...], period_s: float) -> np.ndarray:
    noise = rng.normal(size=shape)
    keep = float(np.exp(-2.0 * np.pi * WOBBLE_HZ * period_s))
    fresh = np.sqrt(1.0 - keep**2)
    for t in range(1, shape[1]):
        noise[:, t] = keep * noise[:, t - 1] + fresh * noise[:, t]
    return noise
