# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Track each segment's inclination causally from gyro and accelerometer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TIME_CONSTANT_S = 0.75
"""Of each of the two averages that find the vertical in the gyro's frame."""

BIAS_TIME_CONSTANT_S = 5.0
"""Of the loop that learns the gyro's apparent bias; turning out of the plane makes one too."""

LARGEST_BIAS = 0.15
"""Bound of the learnt bias, rad/s."""

SETTLED_AFTER = 2.0
"""Time constants after which the averages have found the vertical."""


@dataclass(frozen=True)
class InclinationState:
    """Carry the filter from one sample to the next; every field has shape (..., 7).

    Attributes:
        turned: angle integrated from the gyro since the start, rad.
        bias: learnt bias of the gyro, rad/s.
        last_rate: previous rate, rad/s.
        count: samples seen since the start or since the sensor came back.
        average: (..., 7, 2, 2) two cascaded averages of the specific force in the gyro's frame,
            (stage, (forward, up)), m/s^2.

    """

    turned: np.ndarray
    bias: np.ndarray
    last_rate: np.ndarray
    count: np.ndarray
    average: np.ndarray


def initial_inclination_state(*batch: int, sensors: int = 7) -> InclinationState:
    """Return a filter that has seen nothing."""
    shape = (*batch, sensors)
    return InclinationState(
        turned=np.zeros(shape),
        bias=np.zeros(shape),
        last_rate=np.zeros(shape),
        count=np.zeros(shape),
        average=np.zeros((*shape, 2, 2)),
    )


def has_settled(
    state: InclinationState, *, period_s: float, time_constant_s: float = TIME_CONSTANT_S
) -> np.ndarray:
    """Return (..., 7) bool: whose filter has seen enough to find the vertical."""
    settled: np.ndarray = state.count * period_s > SETTLED_AFTER * time_constant_s
    return settled


def inclination_step(
    *,
    state: InclinationState,
    sagittal: np.ndarray,
    present: np.ndarray,
    period_s: float,
    time_constant_s: float = TIME_CONSTANT_S,
) -> tuple[InclinationState, np.ndarray, np.ndarray]:
    """Advance the filter by one sample.

    The gyro turns the specific force into a frame that does not rotate; there its average over
    some strides points up, and a slow loop learns the bias that makes it wander. An absent
    sensor starts anew when it returns.

    Args:
        state: batch shape (...).
        sagittal: (..., 7, 3) specific force forward and up (m/s^2) and rate (rad/s).
        present: (..., 7) bool.
        period_s: sample period, s.
        time_constant_s: of each averaging stage, s.

    Returns:
        The next state, the inclinations (..., 7) in rad and the change of rate (..., 7) in
        rad/s^2; both are zero for absent sensors.

    Source: Laidig and Seel (2023), VQF, reduced to the sagittal plane.

    """
    rate = sagittal[..., 2]
    known = present & (state.count > 0)
    count = np.where(present, state.count + 1.0, 0.0)
    last = np.where(known, state.last_rate, rate)
    bias = np.where(known, state.bias, 0.0)
    turned = np.where(known, state.turned + (0.5 * (rate + last) - bias) * period_s, 0.0)
    cos, sin = np.cos(turned), np.sin(turned)
    forward, up = sagittal[..., 0], sagittal[..., 1]
    fixed = np.stack([cos * forward - sin * up, sin * forward + cos * up], -1)
    gain = np.maximum(1.0 / np.maximum(count, 1.0), period_s / time_constant_s)[..., None]
    start = np.where(known[..., None, None], state.average, 0.0)
    first = start[..., 0, :] + gain * (fixed - start[..., 0, :])
    second = start[..., 1, :] + gain * (first - start[..., 1, :])
    error = np.arctan2(second[..., 0], second[..., 1])
    tilt = turned + error
    wrapped = (tilt + np.pi) % (2.0 * np.pi) - np.pi
    settled = count * period_s > SETTLED_AFTER * time_constant_s
    settling = settled & ((count - 1.0) * period_s <= SETTLED_AFTER * time_constant_s)
    pull = np.where(settled & ~settling, error * period_s, 0.0)
    turn = np.where(settling, error, 2.0 / BIAS_TIME_CONSTANT_S * pull)
    bias = np.clip(bias - pull / BIAS_TIME_CONSTANT_S**2, -LARGEST_BIAS, LARGEST_BIAS)
    average = np.stack([first, second], -2)
    cos, sin = np.cos(turn)[..., None], np.sin(turn)[..., None]
    average = np.stack(
        [
            cos * average[..., 0] - sin * average[..., 1],
            sin * average[..., 0] + cos * average[..., 1],
        ],
        -1,
    )
    following = InclinationState(
        turned=turned + turn,
        bias=bias,
        last_rate=np.where(present, rate, 0.0),
        count=count,
        average=average,
    )
    return (
        following,
        np.where(present, wrapped, 0.0),
        np.where(known, (rate - last) / period_s, 0.0),
    )


def inclination_sequence(
    *,
    sagittal: np.ndarray,
    period_s: float,
    present: np.ndarray | None = None,
    time_constant_s: float = TIME_CONSTANT_S,
) -> tuple[np.ndarray, np.ndarray]:
    """Run the filter over recordings, sample by sample.

    Args:
        sagittal: (..., T, 7, 3) as for `inclination_step`.
        period_s: sample period, s.
        present: (..., T, 7) bool; all present when None.
        time_constant_s: of each averaging stage, s.

    Returns:
        (..., T, 7) inclinations, rad, and (..., T, 7) changes of rate, rad/s^2.

    """
    *batch, samples, sensors, _ = sagittal.shape
    there = np.ones((*batch, samples, sensors), bool) if present is None else present
    state = initial_inclination_state(*batch, sensors=sensors)
    angles = np.empty((*batch, samples, sensors))
    changes = np.empty((*batch, samples, sensors))
    for t in range(samples):
        state, angles[..., t, :], changes[..., t, :] = inclination_step(
            state=state,
            sagittal=sagittal[..., t, :, :],
            present=there[..., t, :],
            period_s=period_s,
            time_constant_s=time_constant_s,
        )
    return angles, changes
