# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recognize whole legs that are named after the other side, by which way the pelvis is pushed.

While one foot stands, the body is on its inner side and is pushed away from it, towards the leg
that swings; nobody could walk otherwise. So the pelvis' sideways force tells which leg swings.
"""

from __future__ import annotations

import numpy as np

from sspinnpose_ros.core.fault import Fault, FaultKind

SHORTEST_WALKING_STRIDE_S = 0.9
"""Faster strides may be runs, in which both feet fly and the pushes come at other times."""

LEAST_PUSH = 0.4
"""Sideways force in the stride's rhythm, m/s^2, below which it tells nothing; walkers: 0.75."""

NEAREST_RAD = np.deg2rad(75.0)
"""How near to the phase of exchanged legs the push must come. Recorded walkers stay 119 degrees
and more away from it, exchanged they come within 61."""

SWINGING = {'r': (2, 3), 'l': (5, 6)}


def legs_swapped(
    *, left_force: np.ndarray, turning: np.ndarray, known: np.ndarray, period_s: float
) -> Fault | None:
    """Judge on which side the legs are.

    Args:
        left_force: (P,) specific force of the pelvis to the left over one stride, m/s^2.
        turning: (P, 7) size of the rates, rad/s.
        known: (7,) bool, sensors that can be used.
        period_s: between samples, s.

    """
    apart = swap_phase(left_force=left_force, turning=turning, known=known, period_s=period_s)
    if not apart < NEAREST_RAD:
        return None
    return Fault(
        kind=FaultKind.LEGS_SWAPPED,
        sensors=tuple(f'{part}_{side}' for side in 'rl' for part in ('thigh', 'shank', 'foot')),
        sentence='The pelvis is pushed towards the leg that stands, expected away from it: left '
        'and right seem to be swapped, or the pelvis sensor is worn back to front; exchange the '
        "legs' sensors or their topics.",
        size=float(np.rad2deg(apart)),
    )


def swap_phase(
    *, left_force: np.ndarray, turning: np.ndarray, known: np.ndarray, period_s: float
) -> float:
    """Return how far the push is from the rhythm of exchanged legs, 0 to pi; NaN if unknown."""
    count = len(left_force)
    pairs = [(r, left) for r, left in zip(*SWINGING.values(), strict=True)]
    pairs = [(r, left) for r, left in pairs if known[r] and known[left]]
    if not pairs or not known[0] or count * period_s < SHORTEST_WALKING_STRIDE_S:
        return float('nan')
    swing = sum(turning[:, r] - turning[:, left] for r, left in pairs)
    rhythm = np.exp(-2j * np.pi * np.arange(count) / count) * 2.0 / count
    push = complex((left_force - left_force.mean()) @ rhythm)
    if abs(push) < LEAST_PUSH:
        return float('nan')
    return float(abs(np.angle(push * complex(swing @ rhythm).conjugate())))
