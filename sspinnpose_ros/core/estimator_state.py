# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Name what one step of the estimator leaves to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.inclination import InclinationState


@dataclass(frozen=True, eq=False)
class EstimatorState:
    """Carry everything that one step leaves to the next.

    Attributes:
        inclination: of the seven sensors.
        recurrent: (2, 2, hidden) of the network.
        pelvis_forward: integrated forward position, m.
        last_speed: forward velocity of the previous step, m/s; NaN before the first.
        residual_square: (7, 2) recent mean squares of the residual, see `follow_residual`.

    """

    inclination: InclinationState
    recurrent: np.ndarray
    pelvis_forward: float
    last_speed: float
    residual_square: np.ndarray
