# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what the page of `sspinnpose view` must know beside the rows that it draws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sspinnpose_ros.core.conventions import JOINTS, SENSORS
from sspinnpose_ros.core.estimate_status import Level
from sspinnpose_ros.core.subject import Subject
from sspinnpose_ros.core.urdf import body_urdf, described_body
from sspinnpose_ros.evaluation.estimate_health import UNUSUAL, EstimateHealth, usual_residual
from sspinnpose_ros.evaluation.view_rows import COLUMNS


def scene(*, name: str, live: bool, gait: str | None = None) -> dict[str, Any]:
    """Return what names and scales the rows.

    Args:
        name: of what is shown, in words.
        live: whether rows come one by one from a node.
        gait: 'walking', 'running' or None, for what residuals are usual.

    """
    return {
        'name': name,
        'live': live,
        'columns': list(COLUMNS),
        'joints': list(JOINTS),
        'sensors': list(SENSORS),
        'levels': [level.name for level in Level],
        'usual_residual': {sensor: usual_residual(sensor, gait=gait) for sensor in SENSORS},
        'unusual': UNUSUAL,
    }


def robot(*, urdf: str, sensors: Mapping[str, tuple[str, list[float]]]) -> dict[str, Any]:
    """Return what the skeleton is drawn from.

    Args:
        urdf: as `body_urdf` writes it.
        sensors: of each sensor its link, without prefix, and where it sits there, m.

    Raises:
        SubjectError: for another URDF.

    """
    body = described_body(urdf)
    return {
        'urdf': urdf,
        'prefix': body.frame_prefix,
        'mass_kg': body.mass_kg,
        'sensors': {name: {'link': link, 'xyz': xyz} for name, (link, xyz) in sensors.items()},
    }


def robot_of(subject: Subject) -> dict[str, Any]:
    """Return what the skeleton of a subject is drawn from."""
    return robot(
        urdf=body_urdf(body=subject.body()),
        sensors={
            name: (name, (subject.sensor_position_m[row] + 0.0).tolist())
            for row, name in enumerate(SENSORS)
        },
    )


def trust(health: EstimateHealth) -> dict[str, Any]:
    """Return the verdict on a whole recording."""
    return {
        'verdict': health.verdict,
        'sentence': health.sentence,
        'warnings': list(health.warnings),
        'remarks': list(health.remarks),
    }


def row_list(row: np.ndarray) -> list[float | None]:
    """Return a row as JSON knows it: four decimals, and nothing where it is NaN."""
    return [round(value, 4) if math.isfinite(value) else None for value in row.tolist()]
