# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sum up an estimate in the numbers that describe a gait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY, SIDES

LOADED = 0.15
UNLOADED = 0.05
"""Shares of body weight at which a stance begins and ends."""

SHORTEST_STANCE_S = 0.08

LONGEST_STRIKE_S = 0.05
"""How long before the loaded level a heel strike is looked for."""


@dataclass(frozen=True)
class GaitNumbers:
    """Hold the gait of both sides, right then left; NaN where there are too few strides.

    Attributes:
        cadence_steps_min: steps a minute.
        stance_share: (2,) part of the stride on the ground.
        knee_range_rad: (2,) from the least to the greatest knee flexion.
        peak_force_bw: (2,) mean over stances of the greatest vertical force, body weights.
        strides: whole strides that were seen, of both sides together.

    """

    cadence_steps_min: float
    stance_share: tuple[float, float]
    knee_range_rad: tuple[float, float]
    peak_force_bw: tuple[float, float]
    strides: int


def gait_numbers(estimate: Mapping[str, np.ndarray], *, mass_kg: float) -> GaitNumbers:
    """Find the stances in the ground reaction and measure the gait.

    Args:
        estimate: arrays of an estimate.npz.
        mass_kg: of the wearer.

    Returns:
        The numbers; a fiftieth of the samples at either end of the knee's range is left out.

    """
    time = estimate['time']
    durations: list[float] = []
    stance, knee, peak = [], [], []
    for side in SIDES:
        force = estimate[f'grf_up_{side}'] / (mass_kg * GRAVITY)
        begins, ends = stances(time, force)
        durations += np.diff(time[begins]).tolist()
        on_ground = time[ends] - time[begins]
        strides = np.diff(time[begins])
        stance.append(
            float(np.mean(on_ground[: len(strides)] / strides)) if len(strides) else float('nan')
        )
        peaks = [float(force[b:e].max()) for b, e in zip(begins, ends, strict=True)]
        peak.append(float(np.mean(peaks)) if peaks else float('nan'))
        low, high = np.nanpercentile(estimate[f'angle_knee_angle_{side}'], [2.0, 98.0])
        knee.append(float(high - low))
    return GaitNumbers(
        cadence_steps_min=120.0 / float(np.median(durations)) if durations else float('nan'),
        stance_share=(stance[0], stance[1]),
        knee_range_rad=(knee[0], knee[1]),
        peak_force_bw=(peak[0], peak[1]),
        strides=len(durations),
    )


def stances(time: np.ndarray, force: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the stances that begin and end within the recording.

    Args:
        time: (n,) s.
        force: (n,) vertical ground reaction of one foot, body weights; NaN counts as none.

    Returns:
        Indices of heel strikes and of toe offs, as many of each.

    """
    begins, ends = [], []
    loaded: bool | None = None
    values = np.nan_to_num(force).tolist()
    for index, value in enumerate(values):
        if loaded is None:
            # A recording that starts in stance has lost the beginning of it.
            loaded = None if value > UNLOADED else False
        elif not loaded and value > LOADED:
            loaded = True
            begins.append(_strike(time, values, index))
        elif loaded and value < UNLOADED:
            loaded = False
            ends.append(index)
    begins = begins[: len(ends)]
    whole = [
        (b, e) for b, e in zip(begins, ends, strict=True) if time[e] - time[b] >= SHORTEST_STANCE_S
    ]
    return (
        np.array([b for b, _ in whole], dtype=np.int64),
        np.array([e for _, e in whole], dtype=np.int64),
    )


def _strike(time: np.ndarray, force: Sequence[float], loaded: int) -> int:
    """Go back from the loaded level to where the foot began to take weight."""
    index = loaded
    while (
        index > 0
        and force[index - 1] > UNLOADED
        and time[loaded] - time[index - 1] <= LONGEST_STRIKE_S
    ):
        index -= 1
    return index
