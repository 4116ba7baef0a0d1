# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score an estimate against a laboratory reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SIDES

SKIPPED_S = 3.0
"""Start of a recording that is not scored: filters settle there."""

LONGEST_GAP_S = 0.1
"""Gap in an estimate over which it is not interpolated."""


COLUMNS = ('rmsd', 'rmsd_bias_free', 'bias', 'r2', 'within_one_sigma', 'within_two_sigma')
"""Fields of `Score` in the table."""


@dataclass(frozen=True)
class Score:
    """Hold how far one curve is from its reference, in the unit of the quantity.

    Attributes:
        rmsd: root-mean-square difference.
        rmsd_bias_free: the same after the mean difference was removed.
        bias: mean of estimate minus reference.
        r2: coefficient of determination, 1 for a perfect estimate; None for a constant reference.
        samples: reference samples that were compared.
        within_one_sigma: share of them, 0 to 1, that lie within one sigma of the estimate; None
            for an estimate without sigma.
        within_two_sigma: the same of two sigma.

    """

    rmsd: float
    rmsd_bias_free: float
    bias: float
    r2: float | None
    samples: int
    within_one_sigma: float | None = None
    within_two_sigma: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Hold the scores of every quantity that both sides have.

    Attributes:
        angle: per joint of `conventions.JOINTS`, degrees.
        moment: per joint, BWBH%: 100 times moment over mass, gravity and height.
        grf_up: per side, %BW: 100 times force over mass and gravity.
        grf_forward: per side, %BW.
        mass_kg: that was used, kg.
        height_m: that was used, m.
        scored_s: time span that was compared, s.

    """

    angle: Mapping[str, Score]
    moment: Mapping[str, Score]
    grf_up: Mapping[str, Score]
    grf_forward: Mapping[str, Score]
    mass_kg: float
    height_m: float
    scored_s: float

    @property
    def nm_per_kg(self) -> float:
        """Moment in N m/kg of one BWBH%."""
        return GRAVITY * self.height_m / 100.0


def evaluate(
    *,
    estimate: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    mass_kg: float,
    height_m: float,
    skipped_s: float = SKIPPED_S,
) -> Evaluation:
    """Compare an estimate with a reference, without shift and without removing offsets.

    The estimate is interpolated onto the times of the reference; times before `skipped_s` and
    samples where either side is NaN are left out.

    Args:
        estimate: arrays of an estimate.npz.
        reference: arrays of a reference.npz.
        mass_kg: of the wearer, kg.
        height_m: of the wearer, m.
        skipped_s: time since the first stamp that is not scored, s.

    Returns:
        A score for every quantity that both have.

    """
    scored = reference['time'] >= skipped_s
    time = np.asarray(reference['time'], dtype=np.float64)[scored]
    weight = mass_kg * GRAVITY
    scale = {
        'angle': 180.0 / np.pi,
        'moment': 100.0 / (weight * height_m),
        'grf_up': 100.0 / weight,
        'grf_forward': 100.0 / weight,
    }
    compared = np.zeros(len(time), dtype=bool)

    def scores(kind: str, names: tuple[str, ...]) -> dict[str, Score]:
        found = {}
        for name in names:
            key = f'{kind}_{name}'
            if key not in estimate or key not in reference:
                continue
            ours = interpolate(time=time, at=estimate['time'], values=estimate[key])
            theirs = np.asarray(reference[key], dtype=np.float64)[scored]
            valid = np.isfinite(ours) & np.isfinite(theirs)
            if valid.any():
                compared[valid] = True
                scored_curve = score(ours[valid] * scale[kind], theirs[valid] * scale[kind])
                sigma = estimate.get(f'sigma_{key}')
                if sigma is not None:
                    off = np.abs(ours - theirs)
                    allowed = interpolate(time=time, at=estimate['time'], values=sigma)
                    scored_curve = with_coverage(scored_curve, off=off, sigma=allowed)
                found[name] = scored_curve
        return found

    angle, moment = scores('angle', JOINTS), scores('moment', JOINTS)
    up, forward = scores('grf_up', SIDES), scores('grf_forward', SIDES)
    period = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    return Evaluation(
        angle=angle,
        moment=moment,
        grf_up=up,
        grf_forward=forward,
        mass_kg=mass_kg,
        height_m=height_m,
        scored_s=float(compared.sum()) * period,
    )


def score(estimate: np.ndarray, reference: np.ndarray) -> Score:
    """Compare two finite curves (n,) of the same unit."""
    difference = estimate - reference
    bias = float(difference.mean())
    spread = float(((reference - reference.mean()) ** 2).sum())
    constant = spread <= 1e-12 * max(1.0, float((reference**2).sum()))
    return Score(
        rmsd=float(np.sqrt((difference**2).mean())),
        rmsd_bias_free=float(np.sqrt(((difference - bias) ** 2).mean())),
        bias=bias,
        r2=None if constant else 1.0 - float((difference**2).sum()) / spread,
        samples=len(reference),
    )


def with_coverage(result: Score, *, off: np.ndarray, sigma: np.ndarray) -> Score:
    """Add how often errors lie within one and two sigma.

    Args:
        result: of the same curve.
        off: (n,) size of the error; NaN is left out.
        sigma: (n,) one sigma in the same unit; NaN is left out.

    Returns:
        The score with both shares, unchanged where nothing is left.

    """
    known = np.isfinite(off) & np.isfinite(sigma)
    if not known.any():
        return result
    within = [float((off[known] <= count * sigma[known]).mean()) for count in (1, 2)]
    return replace(result, within_one_sigma=within[0], within_two_sigma=within[1])


def interpolate(*, time: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Read a curve at other times, NaN outside of it and inside long gaps.

    Args:
        time: (n,) s.
        at: (m,) rising times of the values, s.
        values: (m,) may hold NaN.

    Returns:
        (n,) values at `time`.

    """
    after = np.searchsorted(at, time).clip(1, len(at) - 1)
    low, high = at[after - 1], at[after]
    part = ((time - low) / (high - low)).clip(0.0, 1.0)
    left, right = values[after - 1].astype(np.float64), values[after].astype(np.float64)
    mixed = np.where(part <= 0, left, np.where(part >= 1, right, left + part * (right - left)))
    slack = 1e-3
    outside = (time < at[0] - slack) | (time > at[-1] + slack)
    between = (part > 0) & (part < 1)
    return np.where(outside | (between & (high - low > LONGEST_GAP_S)), np.nan, mixed)


def mean_of(scores: Mapping[str, Score], field: str) -> float | None:
    """Average one field over curves; None where there is none."""
    values = [getattr(s, field) for s in scores.values() if getattr(s, field) is not None]
    return float(np.mean(values)) if values else None


def as_json(result: Evaluation) -> dict[str, Any]:
    """Return the scores as plain numbers by name, units in the names, null where unknown."""

    def mean(scores: Mapping[str, Score], field: str, factor: float = 1.0) -> float | None:
        value = mean_of(scores, field)
        return None if value is None else value * factor

    def parts(scores: Mapping[str, Score], unit: str) -> dict[str, Any]:
        return {
            name: {
                f'rmsd_{unit}': s.rmsd,
                f'rmsd_bias_free_{unit}': s.rmsd_bias_free,
                f'bias_{unit}': s.bias,
                'r2': s.r2,
                'samples': s.samples,
                'within_1_sigma': s.within_one_sigma,
                'within_2_sigma': s.within_two_sigma,
            }
            for name, s in scores.items()
        }

    moment_parts = parts(result.moment, 'bwbh')
    for name, s in result.moment.items():
        moment_parts[name]['rmsd_nm_per_kg'] = s.rmsd * result.nm_per_kg
        moment_parts[name]['rmsd_bias_free_nm_per_kg'] = s.rmsd_bias_free * result.nm_per_kg
    return {
        'angle_rmsd_deg': mean(result.angle, 'rmsd'),
        'moment_rmsd_bwbh': mean(result.moment, 'rmsd'),
        'grf_rmsd_bw': mean(result.grf_up, 'rmsd'),
        'angle_rmsd_bias_free_deg': mean(result.angle, 'rmsd_bias_free'),
        'moment_rmsd_bias_free_bwbh': mean(result.moment, 'rmsd_bias_free'),
        'grf_rmsd_bias_free_bw': mean(result.grf_up, 'rmsd_bias_free'),
        'moment_rmsd_nm_per_kg': mean(result.moment, 'rmsd', result.nm_per_kg),
        'moment_rmsd_bias_free_nm_per_kg': mean(result.moment, 'rmsd_bias_free', result.nm_per_kg),
        'grf_forward_rmsd_bw': mean(result.grf_forward, 'rmsd'),
        'grf_forward_rmsd_bias_free_bw': mean(result.grf_forward, 'rmsd_bias_free'),
        'angle_r2': mean(result.angle, 'r2'),
        'moment_r2': mean(result.moment, 'r2'),
        'grf_r2': mean(result.grf_up, 'r2'),
        'grf_forward_r2': mean(result.grf_forward, 'r2'),
        **{
            f'coverage_{quantity}_{count}_sigma': mean(scores, field)
            for quantity, scores in (
                ('angle', result.angle),
                ('moment', result.moment),
                ('grf', result.grf_up),
                ('grf_forward', result.grf_forward),
            )
            for count, field in ((1, 'within_one_sigma'), (2, 'within_two_sigma'))
        },
        'parts': {
            'angle': parts(result.angle, 'deg'),
            'moment': moment_parts,
            'grf_up': parts(result.grf_up, 'bw'),
            'grf_forward': parts(result.grf_forward, 'bw'),
        },
        'mass_kg': result.mass_kg,
        'height_m': result.height_m,
        'scored_s': result.scored_s,
    }


def as_table(result: Evaluation) -> str:
    """Return the scores as lines for a terminal, empty quantities left out."""
    head = f'{"":<24}{"RMSD":>9}{"bias-free":>11}{"bias":>9}{"R2":>8}{"in 1 s":>8}{"in 2 s":>8}'
    lines = [head]
    for title, unit, scores in (
        ('angle', 'deg', result.angle),
        ('moment', 'BWBH%', result.moment),
        ('vertical GRF', '%BW', result.grf_up),
        ('forward GRF', '%BW', result.grf_forward),
    ):
        if not scores:
            lines.append(f'{title} [{unit}]: no reference')
            continue
        lines.append(f'{title} [{unit}]')
        lines += [_line(name, s) for name, s in scores.items()]
        if len(scores) > 1:
            means = [mean_of(scores, field) for field in COLUMNS]
            lines.append('  ' + _row('mean', *means))
    moment = mean_of(result.moment, 'rmsd')
    if moment is not None:
        lines.append(f'moments in N m/kg: {moment * result.nm_per_kg:.3f}')
    if mean_of(result.angle | result.moment | result.grf_up, 'within_one_sigma') is not None:
        lines.append('in 1 s, in 2 s: share within one and two sigma, 0.68 and 0.95 are expected')
    lines.append(f'{result.scored_s:.0f} s compared, {result.mass_kg:g} kg, {result.height_m:g} m')
    return '\n'.join(lines)


def _line(name: str, s: Score) -> str:
    return '  ' + _row(name, *(getattr(s, field) for field in COLUMNS))


def _row(name: str, *values: float | None) -> str:
    widths = (9, 11, 9, 8, 8, 8)
    cells = (
        f'{"-" if value is None else f"{value:.2f}":>{width}}'
        for value, width in zip(values, widths, strict=True)
    )
    return f'{name:<22}' + ''.join(cells)
