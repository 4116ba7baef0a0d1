# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cut curves over time into gait cycles at heel strikes, and average them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY, SIDES
from sspinnpose_ros.evaluation.gait_numbers import stances
from sspinnpose_ros.evaluation.metrics import SKIPPED_S, interpolate

PHASES = 101
"""Samples of a cycle, 0 to 100 %."""

STRIDE_RANGE = (0.75, 1.35)
"""Durations that belong to the same gait, over their median."""

LONGEST_STRIDE_S = 3.0

RUNNING_STANCE = 0.5
"""With a shorter stance than this both feet leave the ground."""


@dataclass(frozen=True, eq=False)
class Strides:
    """Hold whole strides of one side.

    Attributes:
        strike_s: (n,) heel strikes that begin them, s.
        lift_s: (n,) toe offs within them, s.
        next_s: (n,) heel strikes that end them, s.

    """

    strike_s: np.ndarray
    lift_s: np.ndarray
    next_s: np.ndarray

    def __len__(self) -> int:
        return len(self.strike_s)

    @property
    def duration_s(self) -> np.ndarray:
        """(n,) s."""
        return self.next_s - self.strike_s

    @property
    def stance_share(self) -> np.ndarray:
        """(n,) part of the stride on the ground."""
        return (self.lift_s - self.strike_s) / self.duration_s


@dataclass(frozen=True, eq=False)
class AverageCycle:
    """Hold the mean of some cycles of one curve.

    Attributes:
        mean: (101,) from heel strike to heel strike.
        spread: (101,) standard deviation between the cycles; 0 for a single one.
        cycles: how many.

    """

    mean: np.ndarray
    spread: np.ndarray
    cycles: int


@dataclass(frozen=True)
class SideTiming:
    """Hold mean and standard deviation of one side; NaN where there is nothing to average.

    Attributes:
        strides: how many.
        stride_s: duration of a stride, s.
        stance_share: part of the stride on the ground.
        step_s: from the heel strike of the other foot to that of this one, s.

    """

    strides: int
    stride_s: tuple[float, float]
    stance_share: tuple[float, float]
    step_s: tuple[float, float]


@dataclass(frozen=True)
class GaitTiming:
    """Hold the spatiotemporal numbers of a gait; NaN where unknown.

    Attributes:
        sides: by side.
        cadence_steps_min: steps a minute.
        speed_m_s: mean and standard deviation between strides.
        stride_m: mean and standard deviation of the stride length.

    """

    sides: Mapping[str, SideTiming]
    cadence_steps_min: float
    speed_m_s: tuple[float, float]
    stride_m: tuple[float, float]

    @property
    def gait(self) -> str | None:
        """'walking' or 'running', None without strides."""
        shares = [side.stance_share[0] for side in self.sides.values() if side.strides]
        if not shares:
            return None
        return 'running' if float(np.mean(shares)) < RUNNING_STANCE else 'walking'


def find_strides(
    estimate: Mapping[str, np.ndarray], *, mass_kg: float, skipped_s: float = SKIPPED_S
) -> dict[str, Strides]:
    """Find the whole strides of both sides in the vertical ground reaction.

    Strides that last much shorter or longer than the median, and those with a gap in the
    estimate, are left out.

    Args:
        estimate: arrays of an estimate.npz.
        mass_kg: of the wearer.
        skipped_s: start of the recording that is left out, s.

    Returns:
        Strides by side, possibly none.

    """
    return {
        side: _strides(
            np.asarray(estimate['time'], dtype=np.float64),
            estimate[f'grf_up_{side}'] / (mass_kg * GRAVITY),
            skipped_s=skipped_s,
        )
        for side in SIDES
    }


def _strides(time: np.ndarray, force: np.ndarray, *, skipped_s: float) -> Strides:
    begins, ends = stances(time, force)
    strike, lift, following = time[begins][:-1], time[ends][:-1], time[begins][1:]
    duration = following - strike
    kept = (strike >= skipped_s) & (duration <= LONGEST_STRIDE_S)
    if kept.any():
        usual = float(np.median(duration[kept]))
        kept &= (duration >= STRIDE_RANGE[0] * usual) & (duration <= STRIDE_RANGE[1] * usual)
    found = Strides(strike_s=strike[kept], lift_s=lift[kept], next_s=following[kept])
    whole = np.isfinite(cut(time=time, values=force, strides=found)).all(axis=-1)
    return Strides(
        strike_s=found.strike_s[whole], lift_s=found.lift_s[whole], next_s=found.next_s[whole]
    )


def cut(*, time: np.ndarray, values: np.ndarray, strides: Strides) -> np.ndarray:
    """Read a curve at evenly spaced phases of each stride.

    Args:
        time: (m,) rising times of the values, s.
        values: (m,) may hold NaN.
        strides: n of them.

    Returns:
        (n, 101) values; NaN outside the curve and in long gaps.

    """
    phase = np.linspace(0.0, 1.0, PHASES)
    at = strides.strike_s[:, None] + phase * strides.duration_s[:, None]
    if not at.size:
        return np.empty(at.shape)
    return interpolate(time=at.ravel(), at=time, values=values).reshape(at.shape)


def average(cycles: np.ndarray) -> AverageCycle | None:
    """Average the cycles (n, 101) that hold no NaN; None if there are none."""
    whole = cycles[np.isfinite(cycles).all(axis=-1)]
    if not len(whole):
        return None
    spread = whole.std(axis=0, ddof=1) if len(whole) > 1 else np.zeros(whole.shape[-1])
    return AverageCycle(mean=whole.mean(axis=0), spread=spread, cycles=len(whole))


def gait_timing(
    strides: Mapping[str, Strides], *, estimate: Mapping[str, np.ndarray]
) -> GaitTiming:
    """Measure steps and speed.

    Args:
        strides: of both sides.
        estimate: arrays of an estimate.npz; the speed is that of `position_pelvis_forward`.

    Returns:
        The numbers.

    """
    durations = np.concatenate([strides[side].duration_s for side in SIDES])
    lengths = np.concatenate([_lengths(strides[side], estimate) for side in SIDES])
    return GaitTiming(
        sides={
            side: SideTiming(
                strides=len(strides[side]),
                stride_s=_mean_and_deviation(strides[side].duration_s),
                stance_share=_mean_and_deviation(strides[side].stance_share),
                step_s=_mean_and_deviation(
                    _steps(strides[side], other=strides[SIDES[1 - SIDES.index(side)]])
                ),
            )
            for side in SIDES
        },
        cadence_steps_min=120.0 / float(durations.mean()) if len(durations) else float('nan'),
        speed_m_s=_mean_and_deviation(lengths / durations),
        stride_m=_mean_and_deviation(lengths),
    )


def _lengths(strides: Strides, estimate: Mapping[str, np.ndarray]) -> np.ndarray:
    forward = estimate.get('position_pelvis_forward')
    if forward is None or not len(strides):
        return np.full(len(strides), np.nan)
    begin, end = (
        interpolate(time=at, at=estimate['time'], values=forward)
        for at in (strides.strike_s, strides.next_s)
    )
    return end - begin


def _steps(strides: Strides, *, other: Strides) -> np.ndarray:
    """Return the times from a strike of the other foot within each stride to its end, s."""
    strikes = np.unique(np.concatenate([other.strike_s, other.next_s]))
    steps = []
    for begin, end in zip(strides.strike_s, strides.next_s, strict=True):
        within = strikes[(strikes > begin) & (strikes < end)]
        if len(within) == 1:
            steps.append(end - within[0])
    return np.array(steps)


def _mean_and_deviation(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return float('nan'), float('nan')
    return float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else 0.0
