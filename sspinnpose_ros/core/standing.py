# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find quiet standing in a recording that mostly walks."""

from __future__ import annotations

import numpy as np

QUIET_RATE_RAD_S = 0.25
"""Fastest that any segment of a quietly standing person turns, in rad/s."""

SHORTEST_STANDING_S = 0.3


def quiet_standing(*, angular_rate: np.ndarray, step_s: float) -> np.ndarray:
    """Return (T,) whether the person stands quietly, for 0.3 s or longer at a time.

    `angular_rate` is (T, S, 3) [rad/s] of all sensors, biases removed. Sitting and lying are as
    quiet as standing: whoever uses the result must check the posture.
    """
    speed = np.linalg.norm(angular_rate, axis=-1).max(axis=-1)
    half = max(1, round(0.05 / step_s))
    width = 2 * half + 1
    mean = np.convolve(np.pad(speed, half, mode='edge'), np.ones(width) / width, mode='valid')
    quiet = (mean < QUIET_RATE_RAD_S).astype(np.int8)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet, [0]])))
    standing = np.zeros(len(quiet), dtype=bool)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - start) * step_s >= SHORTEST_STANDING_S:
            standing[start:end] = True
    return standing


def resting_direction(
    *, acceleration: np.ndarray, angular_rate: np.ndarray, standing: np.ndarray
) -> np.ndarray:
    """Return (S, 3) the mean specific force [m/s^2] while standing, the quietest samples most.

    `acceleration` and `angular_rate` are (T, S, 3), `standing` (T,) with at least one true.
    """
    speed = np.linalg.norm(angular_rate[standing], axis=-1).mean(axis=-1)
    weight = 1.0 / (speed**2 + 0.03**2)
    mean: np.ndarray = np.einsum('t,tsi->si', weight / weight.sum(), acceleration[standing])
    return mean
