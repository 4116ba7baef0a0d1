# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find headings and joint centres from two segments that meet in a joint.

Both segments move the centre of their common joint, so its velocity seen from either must agree.
That turns the free heading of one sensor to the other's, sign included, and gives the lever arms
from both sensors to the joint (after Seel, Schauer and Raisch, 2012, with velocities instead of
accelerations, since velocities hold less of the soft tissue's wobble). No label is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.stride import stride_average

POSITION_DEVIATION_M = 0.05
"""How far joint centres lie from where an average body has them (one standard deviation)."""

VELOCITY_DEVIATION_M_S = 0.06
CORRELATED_SAMPLES = 20
STRIDES_OF_HEADING = 3


@dataclass(frozen=True, eq=False)
class Track:
    """Hold how a sensor moves in axes x along the walking direction, y left, z up.

    `world` (T, 3, 3) world-from-sensor; `velocity` (T, 3) [m/s] without its mean over strides;
    `lever` (T, 3, 3), which turns a lever arm in sensor axes into the velocity it adds.
    """

    world: np.ndarray
    velocity: np.ndarray
    lever: np.ndarray

    def turned(self, heading: np.ndarray) -> Track:
        """Return the track in axes turned back by unit complex numbers `heading` (T,)."""
        turn = np.zeros((len(heading), 3, 3))
        turn[:, 0, 0] = turn[:, 1, 1] = heading.real
        turn[:, 0, 1] = heading.imag
        turn[:, 1, 0] = -heading.imag
        turn[:, 2, 2] = 1.0
        return Track(
            world=turn @ self.world,
            velocity=np.einsum('tij,tj->ti', turn, self.velocity),
            lever=turn @ self.lever,
        )

    def at(self, position: np.ndarray) -> np.ndarray:
        """Return (T, 3) the velocity of a point at `position` (3,) in sensor axes."""
        velocity: np.ndarray = self.velocity + self.lever @ position
        return velocity


@dataclass(frozen=True, eq=False)
class Joint:
    """Hold what two segments tell about their common joint.

    `on_parent` and `on_child` (3,) [m] from each sensor to the joint centre in its sensor axes;
    `coherence` 0 to 1, how well the horizontal velocities of the centre agree; `residual_m_s`
    their root mean square difference.
    """

    on_parent: np.ndarray
    on_child: np.ndarray
    coherence: float
    residual_m_s: float


def horizontal(velocity: np.ndarray) -> np.ndarray:
    """Return (T,) complex horizontal velocities, real part x, from (T, 3)."""
    flat: np.ndarray = velocity[:, 0] + 1j * velocity[:, 1]
    return flat


def travel_heading(velocity: np.ndarray, period: int) -> np.ndarray:
    """Return (T,) unit complex headings along which (T, 3) velocities swing, but for the sign."""
    squared = horizontal(velocity) ** 2
    heading: np.ndarray = np.exp(0.5j * np.unwrap(np.angle(_slow(squared, period))))
    return heading


def relative_heading(child: np.ndarray, parent: np.ndarray, period: int) -> np.ndarray:
    """Return (T,) unit complex headings of (T, 3) `child` velocities against the `parent`'s."""
    slow = _slow(horizontal(child) * horizontal(parent).conj(), period)
    heading: np.ndarray = slow / np.maximum(np.abs(slow), 1e-12)
    return heading


def coherence(child: np.ndarray, parent: np.ndarray) -> float:
    """Return 0 to 1, how well two horizontal velocities (T, 3) agree in size and direction."""
    a, b = horizontal(child), horizontal(parent)
    power = np.sqrt((np.abs(a) ** 2).mean() * (np.abs(b) ** 2).mean())
    return float(max(0.0, (a * b.conj()).real.mean() / max(power, 1e-12)))


def joint_centre(
    *,
    parent: Track,
    child: Track,
    on_parent: np.ndarray,
    on_child: np.ndarray,
    used: slice,
) -> Joint:
    """Return the joint that agrees best with both tracks, near `on_parent` and `on_child` (3,)."""
    design = np.concatenate([child.lever[used], -parent.lever[used]], axis=-1).reshape(-1, 6)
    target = (parent.velocity[used] - child.velocity[used]).reshape(-1)
    guess = np.concatenate([on_child, on_parent])
    stiffness = CORRELATED_SAMPLES * (VELOCITY_DEVIATION_M_S / POSITION_DEVIATION_M) ** 2
    found = guess + np.linalg.solve(
        design.T @ design + stiffness * np.eye(6), design.T @ (target - design @ guess)
    )
    residual = target - design @ found
    return Joint(
        on_parent=found[3:],
        on_child=found[:3],
        coherence=coherence(child.at(found[:3])[used], parent.at(found[3:])[used]),
        residual_m_s=float(np.sqrt((residual**2).mean() * 3.0)),
    )


def _slow(values: np.ndarray, period: int) -> np.ndarray:
    parts = np.stack([values.real, values.imag], axis=-1)
    slow = stride_average(parts, STRIDES_OF_HEADING * period)
    joined: np.ndarray = slow[:, 0] + 1j * slow[:, 1]
    return joined
