# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw where sensors were found against where they were assumed, on the body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import SEGMENTS, SENSORS
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.sensor_location import (
    NOT_DETERMINED,
    WEAKLY_DETERMINED,
    WELL_DETERMINED,
    SensorLocation,
    SensorLocations,
)

COLORS = {
    WELL_DETERMINED: '#2f8f5b',
    WEAKLY_DETERMINED: '#d08a1d',
    NOT_DETERMINED: '#c8503c',
}
SIDES = {'r': 'right leg', 'l': 'left leg'}
TRUNK_SHOWN_M = 0.22
LABEL_M = 0.2


def save_location_plot(path: Path, *, locations: SensorLocations) -> None:
    """Draw both legs of an upright wearer in the sagittal plane, walking to the right.

    Hollow circles are assumed places, crosses found ones with an ellipse of one sigma, coloured
    by the verdict; sensors that were not worn are left out.

    Args:
        path: PNG file to write.
        locations: what was found.

    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot
    from matplotlib.lines import Line2D

    body = locations.subject.body()
    origins = _upright(body)
    figure, axes = pyplot.subplots(1, 2, figsize=(11.0, 8.4), sharey=True, layout='constrained')
    for axis, (side, title) in zip(axes, SIDES.items(), strict=True):
        _draw_leg(axis, body=body, origins=origins, side=side)
        for name in ('pelvis', f'thigh_{side}', f'shank_{side}', f'foot_{side}'):
            if name in locations.sensors:
                origin = origins[SENSORS.index(name)]
                _draw_sensor(axis, name, origin, locations.sensors[name])
        axis.set_title(title)
        axis.set_xlabel('forward of the hip [m]')
        axis.set_aspect('equal')
        axis.set_xlim(-0.25, 0.65)
        axis.grid(alpha=0.25)
    axes[0].set_ylabel('above the ground [m]')
    marks = [
        Line2D([], [], linestyle='', marker='o', mfc='none', color='0.35', label='assumed'),
        Line2D([], [], linestyle='', marker='+', mew=2.0, color='0.35', label='found, one sigma'),
        *(
            Line2D([], [], linestyle='', marker='s', color=color, label=verdict)
            for verdict, color in COLORS.items()
        ),
    ]
    figure.legend(handles=marks, loc='outside lower center', ncols=len(marks), frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _upright(body: Body) -> np.ndarray:
    """Return (7, 2) proximal joints while standing, m from the ground below the hip."""
    q = np.zeros(len(SEGMENTS) + 2)
    q[1] = float(body.leg_length.sum() + body.ankle_height)
    still = np.zeros_like(q)
    return np.asarray(kinematics(body=body, q=q, qd=still, qdd=still).position)


def _draw_leg(axis: Any, *, body: Body, origins: np.ndarray, side: str) -> None:
    hip, knee, ankle = (
        origins[SEGMENTS.index(f'{name}_{side}')] for name in ('thigh', 'shank', 'foot')
    )
    trunk = hip + np.array([0.0, TRUNK_SHOWN_M])
    heel, toe = ankle + np.asarray(body.contact_point)
    line = np.stack([trunk, hip, knee, ankle])
    axis.plot(*line.T, '-', color='0.75', linewidth=7, solid_capstyle='round', zorder=1)
    axis.fill(*np.stack([ankle, heel, toe]).T, color='0.82', zorder=1)
    axis.plot(*line[1:].T, 'o', color='0.45', markersize=7, zorder=2)
    axis.axhline(0.0, color='0.6', linewidth=1.0)


def _draw_sensor(axis: Any, name: str, origin: np.ndarray, location: SensorLocation) -> None:
    from matplotlib.patches import Ellipse

    color = COLORS[location.position_verdict]
    assumed, found = origin + location.assumed_m, origin + location.found_m
    width, height = 2.0 * location.sigma_m
    axis.add_patch(
        Ellipse(tuple(found), width, height, facecolor=color, alpha=0.25, linewidth=0.0, zorder=3)
    )
    axis.plot(*np.stack([assumed, found]).T, '-', color=color, linewidth=1.2, zorder=4)
    axis.plot(*assumed, 'o', mfc='white', color='0.25', markersize=8, zorder=4)
    axis.plot(*found, '+', color=color, markersize=11, mew=2.2, zorder=5)
    forward, up = 100.0 * location.change_m
    sigma_forward, sigma_up = 100.0 * location.sigma_m
    axis.annotate(
        f'{name}: {location.position_verdict}\n'
        f'forward {forward:+.1f} ± {sigma_forward:.1f} cm\n'
        f'up {up:+.1f} ± {sigma_up:.1f} cm\n'
        f'rotation {np.rad2deg(location.mounting_rad):+.1f} '
        f'± {np.rad2deg(location.mounting_sigma_rad):.1f}°',
        xy=tuple(found),
        xytext=(LABEL_M, max(float(found[1]), 0.12)),
        fontsize=9,
        va='center',
        arrowprops={'arrowstyle': '-', 'color': '0.6', 'linewidth': 0.8, 'shrinkB': 9.0},
        zorder=6,
    )
