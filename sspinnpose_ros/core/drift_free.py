# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Orient a walking sensor without drift: whole strides neither turn it nor accelerate it.

A walker's sensor comes back to the same orientation after every stride, which gives the gyro
bias; and its velocity comes back too (on a treadmill and over ground at a steady pace), so that
the mean of its specific force over whole strides, in axes that do not turn, is gravity's
reaction: its direction is up and its size the accelerometer's gain. No mounting is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core import native_watch
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.stride import stride_average

TURNING_RAD_S = 0.03
"""A yaw rate common to all sensors above this is a walker who turns, not a gyro bias."""


def cross_matrix(vectors: np.ndarray) -> np.ndarray:
    """Return (..., 3, 3) matrices K with K @ r = vectors x r, for vectors (..., 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)


def integrate_rate(angular_rate: np.ndarray, step_s: float) -> np.ndarray:
    """Return (T, S, 3, 3) start-from-sensor rotations from rates (T, S, 3) in sensor axes."""
    turn = 0.5 * (angular_rate[1:] + angular_rate[:-1]) * step_s
    angle = np.linalg.norm(turn, axis=-1, keepdims=True)
    steps = np.concatenate([np.cos(angle / 2), np.sinc(angle / (2 * np.pi)) * turn / 2], axis=-1)
    first = np.broadcast_to(np.array([1.0, 0.0, 0.0, 0.0]), steps[:1].shape)
    attitude = np.concatenate([first, steps])
    reach = 1
    while reach < len(attitude):
        attitude = np.concatenate(
            [attitude[:reach], _quaternion_product(attitude[:-reach], attitude[reach:])]
        )
        reach *= 2
    return _rotation_of(attitude / np.linalg.norm(attitude, axis=-1, keepdims=True))


def steady_mean(
    *, angular_rate: np.ndarray, acceleration: np.ndarray, step_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean specific force in axes that do not turn: those of the first sample.

    Args:
        angular_rate: (T, S, 3) rad/s, sensor axes.
        acceleration: (T, S, 3) m/s^2, sensor axes.
        step_s: between samples, s.

    Returns:
        (S, 3) mean force, m/s^2, and (S, 3, 3) mean rotation from sensor axes, by which a constant
        force would be multiplied.

    """
    if native_watch.watches_in_c():
        return native_watch.steady_mean(
            angular_rate=angular_rate, acceleration=acceleration, step_s=step_s
        )
    attitude = integrate_rate(angular_rate, step_s)
    force = np.einsum('tsij,tsj->si', attitude, acceleration) / len(attitude)
    return force, attitude.mean(0)


def rotation_vector(rotation: np.ndarray) -> np.ndarray:
    """Return (..., 3) rotation vectors [rad] of rotations (..., 3, 3) of less than half a turn."""
    sine = 0.5 * np.stack(
        [
            rotation[..., 2, 1] - rotation[..., 1, 2],
            rotation[..., 0, 2] - rotation[..., 2, 0],
            rotation[..., 1, 0] - rotation[..., 0, 1],
        ],
        axis=-1,
    )
    size = np.linalg.norm(sine, axis=-1, keepdims=True)
    cosine = 0.5 * (np.trace(rotation, axis1=-2, axis2=-1)[..., None] - 1.0)
    vector: np.ndarray = sine * np.where(
        size > 1e-9, np.arctan2(size, cosine) / np.maximum(size, 1e-12), 1.0
    )
    return vector


def shortest_rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return (..., 3, 3) rotations that take unit vectors `source` to `target` directly."""
    axis = np.cross(source, target)
    cosine = (source * target).sum(axis=-1)[..., None, None]
    matrix = cross_matrix(axis)
    rotation: np.ndarray = np.eye(3) + matrix + matrix @ matrix / np.maximum(1.0 + cosine, 1e-6)
    return rotation


def closure_bias(
    *, acceleration: np.ndarray, angular_rate: np.ndarray, period: int, step_s: float
) -> np.ndarray:
    """Return (S, 3) gyro biases [rad/s] for which sensors come back after every stride.

    `acceleration` and `angular_rate` are (T, S, 3) of steady walking in sensor axes, `period` the
    stride in samples. A turn that all sensors share is left in.
    """
    bias = np.zeros(angular_rate.shape[1:])
    for _ in range(3):
        rotation = integrate_rate(angular_rate - bias, step_s)
        before, after = rotation[:-period], rotation[period:]
        back = np.swapaxes(before, -1, -2)
        turned = rotation_vector(back @ after) / (period * step_s)
        mean = np.mean(
            [rotation[k : len(before) + k] for k in range(0, period, max(1, period // 24))], axis=0
        )
        up = stride_average(np.einsum('tsij,tsj->tsi', rotation, acceleration), period)[:-period]
        up = np.einsum('tsij,tsj->tsi', back, up)
        up /= np.linalg.norm(up, axis=-1, keepdims=True)
        yaw = np.median((turned * up).sum(axis=-1).mean(axis=0))
        if abs(yaw) > TURNING_RAD_S:
            turned = turned - yaw * up
        bias = bias + np.linalg.solve(
            (back @ mean).mean(axis=0), turned.mean(axis=0)[..., None]
        ).squeeze(-1)
    return bias


@dataclass(frozen=True, eq=False)
class Motion:
    """Hold how sensors move in level axes whose heading is each sensor's own.

    Attributes:
        level: (T, S, 3, 3) level-from-sensor, z up, the heading free and slowly drifting.
        velocity: (T, S, 3) in level axes without its mean over strides, m/s.
        lever: (T, S, 3, 3) turns a lever arm in sensor axes into the velocity that it adds,
            without its mean over strides, 1/s.
        gain: (S,) mean specific force over strides divided by gravity.
        period: of the stride, samples.

    """

    level: np.ndarray
    velocity: np.ndarray
    lever: np.ndarray
    gain: np.ndarray
    period: int


def level_motion(
    *, acceleration: np.ndarray, angular_rate: np.ndarray, period: int, step_s: float
) -> Motion:
    """Return the motion of sensors from (T, S, 3) signals of walking, the gyros without bias."""
    rotation = integrate_rate(angular_rate, step_s)
    mean = stride_average(np.einsum('tsij,tsj->tsi', rotation, acceleration), period)
    size = np.linalg.norm(mean, axis=-1)
    gain = np.median(size, axis=0) / GRAVITY
    up = mean / size[..., None]
    vertical = np.array([0.0, 0.0, 1.0])
    upright = _any_upright(up[len(up) // 2])
    rotation = upright @ rotation
    up = np.einsum('sij,tsj->tsi', upright, up)
    level = shortest_rotation(up, np.broadcast_to(vertical, up.shape)) @ rotation
    force = np.einsum('tsij,tsj->tsi', level, acceleration / gain[:, None])
    accelerated = force - GRAVITY * vertical
    velocity = (np.cumsum(accelerated, axis=0) - 0.5 * accelerated) * step_s
    lever = level @ cross_matrix(angular_rate)
    return Motion(
        level=level,
        velocity=velocity - stride_average(velocity, period),
        lever=lever - stride_average(lever, period),
        gain=gain,
        period=period,
    )


def _any_upright(up: np.ndarray) -> np.ndarray:
    """Return (S, 3, 3) rotations that take each `up` (S, 3) to z, from any direction."""
    aside = np.eye(3)[np.argmin(np.abs(up), axis=-1)]
    first = np.cross(aside, up)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(up, first), up], axis=-2)


def _quaternion_product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(left, -1, 0)
    a, b, c, d = np.moveaxis(right, -1, 0)
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        axis=-1,
    )


def _rotation_of(quaternion: np.ndarray) -> np.ndarray:
    w, x, y, z = np.moveaxis(quaternion, -1, 0)
    entries = [
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    ]
    return np.stack(entries, axis=-1).reshape(*w.shape, 3, 3)
