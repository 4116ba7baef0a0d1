# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say how far an estimate may be from the truth, one sigma each.

A linear head reads the recurrent layer, which sensors are there, and how badly each has lately
disagreed with its virtual twin; its outputs are logarithms of sigmas without unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.arrays import Array, namespace
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SENSORS, SIDES

QUANTITIES = 2 * len(JOINTS) + 2 * len(SIDES)
"""Angles, moments, then forward and up of the right and of the left ground reaction."""

RESIDUAL_MEMORY_S = 1.0
RESIDUAL_SCALE = (1.5, 0.3)
"""What counts as one: force in m/s^2, rate in rad/s."""

_LEAST_SQUARE = 1e-2
_LARGEST_SQUARE = 1e3
_CHANNELS = 3 * len(SENSORS)

HEAD_WEIGHT, HEAD_BIAS = 'sigma.weight', 'sigma.bias'
"""Names of the head's weights in a model."""


def has_head(weights: Mapping[str, np.ndarray]) -> bool:
    """Return whether the weights of a model hold any of a head."""
    return HEAD_WEIGHT in weights or HEAD_BIAS in weights


def head_shapes(hidden: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of the weights of the head for `hidden` recurrent units."""
    return {HEAD_WEIGHT: (QUANTITIES, hidden + _CHANNELS), HEAD_BIAS: (QUANTITIES,)}


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Hold one sigma of each quantity.

    Attributes:
        angle: (..., 6) rad.
        effort: (..., 6) N m.
        ground_force: (..., 2, 2) N, (side, (forward, up)), world axes.

    """

    angle: np.ndarray
    effort: np.ndarray
    ground_force: np.ndarray


class UncertaintyHead:
    """Evaluate the head for one wearer."""

    def __init__(self, weights: Mapping[str, np.ndarray], *, body: Body) -> None:
        """Take the weights `sigma.weight` and `sigma.bias`, and the wearer without batch axes."""
        self._weight = weights[HEAD_WEIGHT].astype(np.float64)
        self._bias = weights[HEAD_BIAS].astype(np.float64)
        self._scale = quantity_scale(mass_kg=body.mass_kg, height_m=body.height_m)

    def __call__(
        self, *, recurrent: np.ndarray, present: np.ndarray, mean_square: np.ndarray
    ) -> Uncertainty:
        """Return the sigmas of one estimate.

        Args:
            recurrent: (hidden,) output of the upper recurrent layer.
            present: (7,) 1 where the sensor is there, else 0.
            mean_square: (7, 2) of the residual, from `follow_residual`.

        """
        inputs = head_input(recurrent=recurrent, present=present, mean_square=mean_square)
        sigma = np.exp(self._weight @ inputs + self._bias) * self._scale
        return split_quantities(sigma)


def unknown_uncertainty() -> Uncertainty:
    """Return NaN for every quantity, as models without a head have it."""
    return split_quantities(np.full(QUANTITIES, np.nan))


def quantity_scale(*, mass_kg: Array, height_m: Array) -> Array:
    """Return what the quantities without unit are multiplied with: rad, N m and N.

    Args:
        mass_kg: (...,) kg.
        height_m: (...,) m.

    Returns:
        (..., 16): one, body weight times height, body weight.

    """
    xp = namespace(mass_kg)
    weight = mass_kg * GRAVITY
    moment = weight * height_m
    return xp.stack([0.0 * weight + 1.0] * len(JOINTS) + [moment] * len(JOINTS) + [weight] * 4, -1)


def join_quantities(*, angle: Array, effort: Array, ground_force: Array) -> Array:
    """Arrange (..., 6) angles, (..., 6) moments and (..., 2, 2) forces as (..., 16)."""
    xp = namespace(angle)
    flat = ground_force.reshape(*ground_force.shape[:-2], 4)
    return xp.concatenate([angle, effort, flat], -1)


def split_quantities(values: np.ndarray) -> Uncertainty:
    """Undo `join_quantities` on (..., 16) sigmas."""
    joints = len(JOINTS)
    return Uncertainty(
        angle=values[..., :joints],
        effort=values[..., joints : 2 * joints],
        ground_force=values[..., 2 * joints :].reshape(*values.shape[:-1], len(SIDES), 2),
    )


def follow_residual(
    mean_square: Array, *, residual: Array, present: Array, period_s: float
) -> Array:
    """Let mean squares of the residual forget exponentially; absent sensors keep theirs.

    Args:
        mean_square: (..., 7, 2) before, force and rate over `RESIDUAL_SCALE`, squared; NaN for a
            sensor that was never there.
        residual: (..., 7, 3) measured minus virtual: force forward and up (m/s^2), rate (rad/s);
            not looked at where absent.
        present: (..., 7) 1 where the sensor is there, else 0.
        period_s: time since the step before, s.

    Returns:
        (..., 7, 2) after.

    """
    xp = namespace(residual)
    force, rate = RESIDUAL_SCALE
    square = xp.stack(
        [
            (residual[..., 0] ** 2 + residual[..., 1] ** 2) / force**2,
            residual[..., 2] ** 2 / rate**2,
        ],
        -1,
    )
    part = min(1.0, period_s / RESIDUAL_MEMORY_S)
    moved = xp.where(xp.isnan(mean_square), square, mean_square + part * (square - mean_square))
    return xp.where(present[..., None] > 0.5, moved, mean_square)


def head_input(*, recurrent: Array, present: Array, mean_square: Array) -> Array:
    """Arrange what the head reads.

    Args:
        recurrent: (..., hidden) output of the upper recurrent layer.
        present: (..., 7) 1 where the sensor is there, else 0.
        mean_square: (..., 7, 2) from `follow_residual`.

    Returns:
        (..., hidden + 21).

    """
    xp = namespace(recurrent)
    there = present[..., None] > 0.5
    square = xp.where(there, mean_square, 0.0 * present[..., None])
    bounded = xp.clip(square, _LEAST_SQUARE, _LARGEST_SQUARE)
    size = 0.5 * xp.log(bounded) * present[..., None]
    flat = size.reshape(*size.shape[:-2], 2 * len(SENSORS))
    return xp.concatenate([recurrent, present, flat], -1)
