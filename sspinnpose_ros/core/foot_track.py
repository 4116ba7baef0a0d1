# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follow walking feet, and tell a gain of a foot's accelerometer from a bias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from sspinnpose_ros.core.drift_free import level_motion
from sspinnpose_ros.core.foot_flat import (
    flat_foot_bias,
    foot_flat_instants,
    moves_forward_raised,
)
from sspinnpose_ros.core.joint_centres import Track, horizontal, travel_heading

SUSPICIOUS_GAIN = 0.05
"""A foot accelerometer that reads gravity better than this is taken to have no bias."""

RUNNING_SPEED_M_S = 2.0
"""Runners' feet rest too briefly to show a bias."""

BETTER_M_S = 0.03
"""By how much a bias must move resting feet nearer to rest than a gain does, to be believed."""


@dataclass(frozen=True, eq=False)
class FootTrack:
    """Hold how a foot walks if its accelerometer has this gain and this bias.

    Attributes:
        track: along the walking direction.
        flat: samples at which the foot is flat on the ground.
        speed_m_s: walking speed as the flat foot sees it.
        sinking_m_s: vertical velocity of the flat foot, which should be none.
        forward: 0 to 1, how surely forward was found.
        gain: mean specific force over strides divided by gravity, bias removed.
        bias_m_s2: (3,) accelerometer bias removed, sensor axes.

    """

    track: Track
    flat: np.ndarray
    speed_m_s: float
    sinking_m_s: float
    forward: float
    gain: float
    bias_m_s2: np.ndarray


def foot_tracks(
    *,
    acceleration: Mapping[str, np.ndarray],
    angular_rate: Mapping[str, np.ndarray],
    period: int,
    step_s: float,
) -> dict[str, FootTrack]:
    """Return how each foot walks, with the fault of its accelerometer that explains it best.

    Over whole strides the mean specific force of a faultless sensor is gravity's, so a wrong size
    of it shows a fault. Whether that is a gain or a bias, the resting feet tell: they neither
    rise nor sink, and both have the ground's speed. In doubt it is a gain.

    Args:
        acceleration: by foot, (T, 3) specific force, sensor axes, m/s^2.
        angular_rate: by foot, (T, 3) sensor axes, gyro bias removed, rad/s.
        period: of the stride, samples.
        step_s: between samples, s.

    """
    candidates = [
        _candidates(acceleration[foot], angular_rate[foot], period=period, step_s=step_s)
        for foot in acceleration
    ]
    best = min(product(*candidates), key=_unrest)
    return dict(zip(acceleration, best, strict=True))


def _candidates(
    acceleration: np.ndarray, angular_rate: np.ndarray, *, period: int, step_s: float
) -> list[FootTrack]:
    def follow(bias: np.ndarray) -> FootTrack:
        return _follow(acceleration, angular_rate, bias=bias, period=period, step_s=step_s)

    scaled = follow(np.zeros(3))
    if abs(scaled.gain - 1.0) <= SUSPICIOUS_GAIN or scaled.speed_m_s >= RUNNING_SPEED_M_S:
        return [scaled]
    bias = flat_foot_bias(
        acceleration=acceleration,
        world=scaled.track.world,
        instants=scaled.flat,
        period=period,
        step_s=step_s,
    )
    return [scaled, follow(bias)] if bias.any() else [scaled]


def _unrest(feet: Sequence[FootTrack]) -> float:
    """Return the squared velocity [m^2/s^2] that resting feet should not have."""
    sinking = sum(foot.sinking_m_s**2 for foot in feet)
    biased = sum(bool(foot.bias_m_s2.any()) for foot in feet)
    parting = float(np.ptp([foot.speed_m_s for foot in feet]))
    return sinking + parting**2 + biased * BETTER_M_S**2


def _follow(
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    *,
    bias: np.ndarray,
    period: int,
    step_s: float,
) -> FootTrack:
    motion = level_motion(
        acceleration=(acceleration - bias)[:, None],
        angular_rate=angular_rate[:, None],
        period=period,
        step_s=step_s,
    )
    track = Track(
        world=motion.level[:, 0], velocity=motion.velocity[:, 0], lever=motion.lever[:, 0]
    )
    heading = travel_heading(track.velocity, period)
    along = (horizontal(track.velocity) * heading.conj()).real
    forward = moves_forward_raised(along=along, upward=track.velocity[:, 2], period=period)
    sign = -1.0 if forward < 0.0 else 1.0
    flat = foot_flat_instants(
        angular_rate=angular_rate, forward=sign * along, period=period, step_s=step_s
    )
    flat = flat[(flat >= period) & (flat < len(acceleration) - period)]
    return FootTrack(
        track=track.turned(sign * heading),
        flat=flat,
        speed_m_s=float(-np.median(sign * along[flat])) if len(flat) else 0.0,
        sinking_m_s=float(np.median(track.velocity[flat, 2])) if len(flat) else 0.0,
        forward=abs(forward),
        gain=float(motion.gain[0]),
        bias_m_s2=bias,
    )
