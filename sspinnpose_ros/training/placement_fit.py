# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find how sensors sit, given the motion: a ridge regression in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sspinnpose_ros.core.arrays import components, join
from sspinnpose_ros.core.kinematics import Kinematics


@dataclass(frozen=True)
class PlacementPrior:
    """Say what is believed of the placement before any measurement (one sigma each).

    Attributes:
        mounting_rad: rotation of a sensor in the sagittal plane.
        position_m: offset from the assumed place, along each axis.
        specific_force: of a measurement against the virtual one, m/s^2.
        correlated: samples that count as one, since model errors last.

    """

    mounting_rad: float = 0.15
    position_m: float = 0.025
    specific_force: float = 1.5
    correlated: float = 10.0


USUAL_PLACEMENT = PlacementPrior()


def explain_placement(
    *,
    motion: Kinematics,
    virtual: torch.Tensor,
    residual: torch.Tensor,
    measured: torch.Tensor,
    prior: PlacementPrior = USUAL_PLACEMENT,
) -> torch.Tensor:
    """Say what of the accelerometers' residuals the best placement explains.

    Args:
        motion: (B, T) of the seven segments.
        virtual: (B, T, 7, 3) sagittal signals at the assumed placement.
        residual: (B, T, 7, 2) measured minus virtual specific force, m/s^2.
        measured: (B, T, 7) 1 where a sensor was recorded.
        prior: what is believed beforehand.

    Returns:
        (B, T, 7, 2) part of the residual, (forward, up), m/s^2. Gradients flow through the
        motion, not through the choice of the placement.

    """
    placement = fit_placement(
        motion=motion, virtual=virtual, residual=residual, measured=measured, prior=prior
    )
    turned, ahead, above = (part[:, None] for part in components(placement))
    forward, up, _ = components(virtual)
    alpha, square = motion.angular_acceleration, motion.rate * motion.rate
    return join(
        [
            up * turned - square * ahead - alpha * above,
            alpha * ahead - square * above - forward * turned,
        ]
    )


@torch.no_grad()
def fit_placement(
    *,
    motion: Kinematics,
    virtual: torch.Tensor,
    residual: torch.Tensor,
    measured: torch.Tensor,
    prior: PlacementPrior = USUAL_PLACEMENT,
) -> torch.Tensor:
    """Find the placement that explains most of the accelerometers' residuals.

    The derivative of the (forward, up) specific force with respect to the rotation is (up,
    -forward), and with respect to the offsets (-rate^2, alpha) and (-alpha, -rate^2). These last
    two are at right angles and equally long, so that the normal equations are solved by hand.

    Args:
        motion: (B, T) of the seven segments.
        virtual: (B, T, 7, 3) sagittal signals at the assumed placement.
        residual: (B, T, 7, 2) measured minus virtual specific force, m/s^2.
        measured: (B, T, 7) 1 where a sensor was recorded.
        prior: what is believed beforehand.

    Returns:
        (B, 7, 3) rotation (rad) and offset (forward, up; m) per sensor. The measured signal is
        that of a sensor rotated by this angle about the axis to the right and moved by this
        offset. No gradient flows through it.

    """
    weight = measured / (prior.specific_force**2 * prior.correlated)
    forward, up, _ = components(virtual)
    off_forward, off_up = components(residual)
    alpha, square = motion.angular_acceleration, motion.rate * motion.rate
    seen_forward, seen_up, seen_alpha, seen_square = (
        weight * values for values in (forward, up, alpha, square)
    )

    def total(
        one: torch.Tensor, by: torch.Tensor, other: torch.Tensor, times: torch.Tensor, sign: int
    ) -> torch.Tensor:
        return (one * by).addcmul_(other, times, value=sign).sum(1)

    turning = total(seen_up, up, seen_forward, forward, 1) + prior.mounting_rad**-2
    moving = total(seen_square, square, seen_alpha, alpha, 1) + prior.position_m**-2
    turning_ahead = -total(seen_square, up, seen_alpha, forward, 1)
    turning_above = total(seen_square, forward, seen_alpha, up, -1)
    right_turned = total(seen_up, off_forward, seen_forward, off_up, -1)
    right_ahead = total(seen_alpha, off_up, seen_square, off_forward, -1)
    right_above = -total(seen_alpha, off_forward, seen_square, off_up, 1)
    turned = (
        right_turned - (turning_ahead * right_ahead + turning_above * right_above) / moving
    ) / (turning - (turning_ahead.square() + turning_above.square()) / moving)
    return join(
        [
            turned,
            (right_ahead - turning_ahead * turned) / moving,
            (right_above - turning_above * turned) / moving,
        ]
    )
