# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn what a live node says of one instant into a row of `view_rows.COLUMNS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SENSORS, SIDES
from sspinnpose_ros.core.estimator import LOADED_SHARE
from sspinnpose_ros.core.sole_wrench import ground_reaction, sole_positions
from sspinnpose_ros.core.urdf import DescribedBody
from sspinnpose_ros.evaluation.view_rows import COLUMNS


@dataclass
class Instant:
    """Gather what was said of one stamp; what was not is None.

    Attributes:
        angle: (6,) joint angles, rad.
        moment: (6,) joint moments, N m.
        angle_sigma: (6,) rad.
        moment_sigma: (6,) N m.
        sole_wrench: by side, (3,) force forward and up, moment about the left, in sole axes.
        pelvis: (3,) forward and up, m, and tilt, rad.
        level: of the status.
        latency_ms: from the stamp to the publication.

    """

    angle: np.ndarray | None = None
    moment: np.ndarray | None = None
    angle_sigma: np.ndarray | None = None
    moment_sigma: np.ndarray | None = None
    sole_wrench: dict[str, np.ndarray] = field(default_factory=dict)
    pelvis: np.ndarray | None = None
    level: int | None = None
    latency_ms: float | None = None

    @property
    def whole(self) -> bool:
        """Whether all was said that every node says."""
        return (
            self.angle is not None
            and self.level is not None
            and len(self.sole_wrench) == len(SIDES)
        )


def live_row(
    instant: Instant,
    *,
    time_s: float,
    body: DescribedBody,
    residual: Mapping[str, tuple[float, float]],
) -> np.ndarray:
    """Arrange an instant as a row.

    Without a pose of the pelvis it is drawn upright above the lower foot.

    Args:
        instant: with its angles.
        time_s: its stamp.
        body: of the wearer.
        residual: recent force (m/s^2) and rate (rad/s) of the sensors that are there.

    Returns:
        (len(COLUMNS),) numbers, NaN where nothing was said.

    """
    assert instant.angle is not None
    q = np.concatenate([np.zeros(3), instant.angle])
    leg = np.array(body.leg_length)
    if instant.pelvis is None:
        q[1] = -sole_positions(q=q, leg_length=leg, ankle_height=body.ankle_height)[:, 1].min()
    else:
        q[:3] = instant.pelvis
    unknown = np.full(len(JOINTS), np.nan)
    values: dict[str, float] = {
        'time': time_s,
        'level': 0.0 if instant.level is None else float(instant.level),
        'latency_ms': np.nan if instant.latency_ms is None else instant.latency_ms,
        'position_pelvis_forward': q[0],
        'position_pelvis_up': q[1],
        'angle_pelvis_tilt': q[2],
    }
    for kind, numbers in (
        ('angle', instant.angle),
        ('moment', instant.moment),
        ('sigma_angle', instant.angle_sigma),
        ('sigma_moment', instant.moment_sigma),
    ):
        for joint, number in zip(JOINTS, unknown if numbers is None else numbers, strict=True):
            values[f'{kind}_{joint}'] = float(number)
    wrench = np.stack([instant.sole_wrench.get(side, np.full(3, np.nan)) for side in SIDES])
    force, ahead = ground_reaction(
        q=q,
        sole_wrench=wrench,
        leg_length=leg,
        ankle_height=body.ankle_height,
        least_load_n=LOADED_SHARE * body.mass_kg * GRAVITY,
    )
    for row, side in enumerate(SIDES):
        values[f'grf_forward_{side}'], values[f'grf_up_{side}'] = force[row].tolist()
        values[f'cop_forward_{side}'] = float(ahead[row])
    for sensor in SENSORS:
        of_force, of_rate = residual.get(sensor, (np.nan, np.nan))
        values[f'residual_force_{sensor}'], values[f'residual_rate_{sensor}'] = of_force, of_rate
    return np.array([values[name] for name in COLUMNS])
