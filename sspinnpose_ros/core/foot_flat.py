# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find when a foot rests flat on the ground, and what its accelerometer does wrong then."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.stride import stride_average

LARGEST_TILT_RAD = 0.6
TILT_DEVIATION_RAD = 0.14
"""Farthest and usual angle between up and the rest reading of a faulty accelerometer."""

REST_DEVIATION_M_S2 = 0.07
"""How far the mean specific force over a stride is from the one at rest without any fault."""

CONVINCING = 3.0
"""By how much a bias must lower the squared misfit, in deviations, to be believed."""


def moves_forward_raised(*, along: np.ndarray, upward: np.ndarray, period: int) -> float:
    """Return -1 to 1, how surely `along` (T,) is a foot's velocity forward and not backward.

    A foot is carried forward while it is raised. `upward` (T,) is the vertical velocity; both
    [m/s] without their mean over strides of `period` samples.
    """
    height = np.cumsum(upward)
    height = height - stride_average(height, period)
    kept = slice(period, -period)
    height, along = height[kept], along[kept]
    return float((height * along).mean() / np.sqrt((height**2).mean() * (along**2).mean() + 1e-12))


def foot_flat_instants(
    *, angular_rate: np.ndarray, forward: np.ndarray, period: int, step_s: float
) -> np.ndarray:
    """Return the samples, one a stride, at which a standing foot turns least.

    `angular_rate` (T, 3) [rad/s]; `forward` (T,) velocity [m/s] without its mean over strides of
    `period` samples. A standing foot moves backward as fast as the foot ever does, which tells it
    from a foot that happens to turn little in mid-swing.
    """
    energy = _centred_mean((angular_rate**2).sum(axis=-1), max(1, round(0.035 / step_s)))
    standing = forward < 0.6 * np.quantile(forward, 0.1)
    cost = np.where(standing, energy, np.inf)
    found: list[int] = []
    start = 0
    while start + period <= len(cost):
        sample = start + int(np.argmin(cost[start : start + period]))
        if np.isfinite(cost[sample]) and (not found or sample - found[-1] > period // 2):
            found.append(sample)
            start = sample + period // 2
        else:
            start += period // 2
    return np.array(found, dtype=np.int64)


def flat_foot_bias(
    *,
    acceleration: np.ndarray,
    world: np.ndarray,
    instants: np.ndarray,
    period: int,
    step_s: float,
) -> np.ndarray:
    """Return (3,) the accelerometer bias [m/s^2] that a foot at rest between strides reveals.

    From one flat foot to the next the velocity does not change, so the mean specific force over
    the stride equals the one at rest. A bias turns with the foot and breaks this, a gain does
    not. The bias sought lets the resting foot read gravity's size; zero where none explains the
    readings much better. The part along the axis that the foot turns about cannot be seen.

    Args:
        acceleration: (T, 3) sensor axes, m/s^2.
        world: (T, 3, 3) level-from-sensor, y along the axis that the foot turns about.
        instants: flat-foot samples, one a stride.
        period: of the stride, samples.
        step_s: between samples, s.

    """
    half = max(1, round(0.03 / step_s))
    systems, changes, rests = [], [], []
    for first, last in pairwise(instants.tolist()):
        if not 0.75 * period < last - first < 1.3 * period or first < half:
            continue
        if last + half >= len(acceleration):
            continue
        during = slice(first, last)
        start, end = world[first], world[last]
        before = acceleration[first - half : first + half + 1].mean(axis=0)
        after = acceleration[last - half : last + half + 1].mean(axis=0)
        moved = np.einsum('tij,tj->i', world[during], acceleration[during]) / (last - first)
        systems.append(start.T @ (world[during].mean(axis=0) - 0.5 * (start + end)))
        changes.append(start.T @ (moved - 0.5 * (start @ before + end @ after)))
        rests.append(before)
    if len(systems) < 3:
        return np.zeros(3)
    system = np.median(systems, axis=0)
    change = np.median(changes, axis=0)
    rest = np.median(rests, axis=0)
    axis = world[instants, 1].mean(axis=0)
    axis /= np.linalg.norm(axis)
    lateral = float(rest @ axis)
    up = rest - lateral * axis
    up /= np.linalg.norm(up)
    aside = np.cross(axis, up)
    size = np.sqrt(max(GRAVITY**2 - lateral**2, 1.0))
    tilts = np.linspace(-LARGEST_TILT_RAD, LARGEST_TILT_RAD, 241)
    true_rest = size * (np.cos(tilts)[:, None] * up + np.sin(tilts)[:, None] * aside)
    biases = rest - lateral * axis - true_rest
    in_plane = np.eye(3) - np.outer(axis, axis)
    unexplained = np.linalg.norm((change - biases @ system.T) @ in_plane, axis=1)
    misfit = (unexplained / REST_DEVIATION_M_S2) ** 2 + (tilts / TILT_DEVIATION_RAD) ** 2
    best = int(np.argmin(misfit))
    without = (float(np.linalg.norm(in_plane @ change)) / REST_DEVIATION_M_S2) ** 2
    if misfit[best] + CONVINCING > without:
        return np.zeros(3)
    bias: np.ndarray = biases[best]
    return bias


def _centred_mean(values: np.ndarray, half: int) -> np.ndarray:
    width = 2 * half + 1
    padded = np.pad(values, half, mode='edge')
    mean: np.ndarray = np.convolve(padded, np.ones(width) / width, mode='valid')
    return mean
