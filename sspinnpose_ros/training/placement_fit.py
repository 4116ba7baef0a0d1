# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find how sensors sit, given the motion: a ridge regression in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch

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


def placement_columns(*, motion: Kinematics, virtual: torch.Tensor) -> torch.Tensor:
    """Say how a virtual accelerometer changes with its placement.

    Args:
        motion: (B, T) of the seven segments.
        virtual: (B, T, 7, 3) sagittal signals at the assumed placement.

    Returns:
        (B, T, 7, 2, 3) derivative of (forward, up) specific force with respect to the mounting
        rotation (rad) and the offset (forward, up) in the segment frame (m).

    """
    alpha, square = motion.angular_acceleration, motion.rate * motion.rate
    forward = torch.stack([virtual[..., 1], -square, -alpha], -1)
    up = torch.stack([-virtual[..., 0], alpha, -square], -1)
    return torch.stack([forward, up], -2)


def fit_placement(
    *,
    columns: torch.Tensor,
    residual: torch.Tensor,
    measured: torch.Tensor,
    prior: PlacementPrior = USUAL_PLACEMENT,
) -> torch.Tensor:
    """Find the placement that explains most of the accelerometers' residuals.

    Args:
        columns: (B, T, 7, 2, 3) from `placement_columns`.
        residual: (B, T, 7, 2) measured minus virtual specific force, m/s^2.
        measured: (B, T, 7) 1 where a sensor was recorded.
        prior: what is believed beforehand.

    Returns:
        (B, 7, 3) rotation (rad) and offset (forward, up; m) per sensor. The measured signal is
        that of a sensor rotated by this angle about the axis to the right and moved by this
        offset. No gradient flows through it.

    """
    with torch.no_grad():
        weight = measured / (prior.specific_force**2 * prior.correlated)
        seen = columns * weight[..., None, None]
        normal = torch.einsum('btsci,btscj->bsij', seen, columns)
        right = torch.einsum('btsci,btsc->bsi', seen, residual)
        sigma = torch.tensor([prior.mounting_rad, prior.position_m, prior.position_m])
        normal = normal + torch.diag(sigma**-2)
        return torch.linalg.solve(normal, right)
