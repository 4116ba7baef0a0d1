# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say in plain words how far an estimate may be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.calibration import GOOD, Calibration
from sspinnpose_ros.core.conventions import JOINTS, SENSORS
from sspinnpose_ros.core.estimate_status import Level
from sspinnpose_ros.core.pipeline import PipelineConfig

WINDOW_S = 1.0
MOST_WINDOWS = 240
"""A residual over time has no more points than this; longer recordings have longer windows."""

USUAL_RESIDUAL = {
    'walking': {
        'pelvis': (1.5, 0.1),
        'thigh': (2.5, 0.3),
        'shank': (4.0, 0.3),
        'foot': (4.5, 0.4),
    },
    'running': {
        'pelvis': (7.0, 0.25),
        'thigh': (9.5, 0.8),
        'shank': (14.0, 0.7),
        'foot': (14.0, 0.6),
    },
}
"""Root mean squares of force (m/s^2) and rate (rad/s) over a second: the medians of nine
recordings of walkers stay below, but for one badly scaled foot; so do those of one runner."""

UNUSUAL = 1.5
"""Times the usual above which a sensor is named."""

RARE = 0.01
"""Part of a recording below which nothing is said about it."""

LEAST_ESTIMATED = 0.5

START_S = 7.0
"""Until then WARN tells no more than that filters settle and units are being checked."""

FAULTY = 'faulty'
CAUTION = 'caution'
FINE = 'fine'


@dataclass(frozen=True)
class EstimateHealth:
    """Hold a verdict and its reasons.

    Attributes:
        verdict: `FINE`, `CAUTION` or `FAULTY`.
        sentence: the verdict in words.
        warnings: what speaks against trusting it, one sentence each.
        remarks: what else there is to know, one sentence each.

    """

    verdict: str
    sentence: str
    warnings: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ResidualHistory:
    """Hold how much of each sensor's signal the estimate left unexplained.

    Attributes:
        time_s: (m,) middles of the windows.
        force_m_s2: (m, 7) root mean square of the specific force, forward and up together; NaN
            where the sensor is absent.
        rate_rad_s: (m, 7) root mean square of the rate.

    """

    time_s: np.ndarray
    force_m_s2: np.ndarray
    rate_rad_s: np.ndarray


def residual_history(estimate: Mapping[str, np.ndarray]) -> ResidualHistory | None:
    """Average the residuals over windows; None for an estimate that has none."""
    residual = estimate.get('residual')
    if residual is None:
        return None
    time = estimate['time']
    span = float(time[-1] - time[0])
    window = max(WINDOW_S, span / MOST_WINDOWS)
    index = ((time - time[0]) / window).astype(np.int64)
    count = int(index[-1]) + 1
    square = np.stack(
        [(residual[..., :2].astype(np.float64) ** 2).sum(-1), residual[..., 2] ** 2], axis=-1
    )
    known = np.isfinite(square)
    total = np.zeros((count, *square.shape[1:]))
    samples = np.zeros_like(total)
    np.add.at(total, index, np.where(known, square, 0.0))
    np.add.at(samples, index, known)
    mean = np.full_like(total, np.nan)
    np.divide(total, samples, out=mean, where=samples > 0)
    root = np.sqrt(mean)
    return ResidualHistory(
        time_s=time[0] + (np.arange(count) + 0.5) * window,
        force_m_s2=root[..., 0],
        rate_rad_s=root[..., 1],
    )


def usual_residual(sensor: str, *, gait: str | None) -> tuple[float, float]:
    """Return force (m/s^2) and rate (rad/s) that a well-worn sensor seldom exceeds."""
    return USUAL_RESIDUAL[gait or 'walking'][sensor.split('_')[0]]


def estimate_health(
    estimate: Mapping[str, np.ndarray],
    *,
    calibration: Calibration | None,
    gait: str | None,
) -> EstimateHealth:
    """Judge a whole estimate.

    Args:
        estimate: arrays of an estimate.npz.
        calibration: made from the recording, None where there was none.
        gait: 'walking', 'running' or None.

    Returns:
        The verdict with its reasons.

    """
    known = np.isfinite(np.stack([estimate[f'angle_{joint}'] for joint in JOINTS])).all(axis=0)
    warnings: list[str] = []
    remarks: list[str] = []
    missing = 1.0 - float(known.mean())
    if missing > RARE:
        warnings.append(
            f'There is no estimate for {_percent(missing)} of the recording: too few sensors were '
            'heard there.'
        )
    explained = [*_absent(estimate, known), *_uncertain(estimate, known)]
    warnings += explained or _marked(estimate, known)
    warnings += _unusual(estimate, gait)
    if calibration is not None:
        _calibration(calibration, warnings=warnings, remarks=remarks)
    sigmas = [estimate.get(f'sigma_angle_{joint}') for joint in JOINTS]
    if all(sigma is None or not np.isfinite(sigma).any() for sigma in sigmas):
        remarks.append('The model gives no uncertainty, so the curves have no bands of one sigma.')
    if missing > 1.0 - LEAST_ESTIMATED:
        return EstimateHealth(
            FAULTY,
            'Do not use this estimate: most of it is missing.',
            tuple(warnings),
            tuple(remarks),
        )
    if warnings:
        return EstimateHealth(
            CAUTION,
            'Use with care: read the warning first.'
            if len(warnings) == 1
            else f'Use with care: read the {len(warnings)} warnings first.',
            tuple(warnings),
            tuple(remarks),
        )
    return EstimateHealth(
        FINE,
        'Nothing in the recording speaks against this estimate.',
        (),
        tuple(remarks),
    )


def _absent(estimate: Mapping[str, np.ndarray], known: np.ndarray) -> list[str]:
    present = estimate.get('present')
    if present is None or not known.any():
        return []
    shares = 1.0 - present[known].mean(axis=0)
    never = [name for name, share in zip(SENSORS, shares, strict=True) if share == 1.0]
    sentences = []
    if never:
        sentences.append(
            f'Estimated without {", ".join(never)}: fewer sensors mean larger errors.'
        )
    return sentences + [
        f'{name} was absent for {_percent(float(share))} of the estimate, which is less certain '
        'there.'
        for name, share in zip(SENSORS, shares, strict=True)
        if RARE < share < 1.0
    ]


def _uncertain(estimate: Mapping[str, np.ndarray], known: np.ndarray) -> list[str]:
    limit = PipelineConfig().largest_angle_sigma_deg
    sentences = []
    for joint in JOINTS:
        sigma = estimate.get(f'sigma_angle_{joint}')
        if sigma is None or not known.any():
            continue
        share = float((np.rad2deg(np.nan_to_num(sigma[known])) > limit).mean())
        if share > RARE:
            sentences.append(
                f'{joint} is uncertain by more than {limit:g} deg (one sigma) for '
                f'{_percent(share)} of the estimate.'
            )
    return sentences


def _marked(estimate: Mapping[str, np.ndarray], known: np.ndarray) -> list[str]:
    status = estimate.get('status')
    later = known & (estimate['time'] - estimate['time'][0] > START_S)
    if status is None or not later.any():
        return []
    share = float((status[later] != Level.OK).mean())
    return (
        [
            f'{_percent(share)} of the estimate after the first {START_S:g} s is not marked OK: '
            'human/status in the recording beside it says why.'
        ]
        if share > RARE
        else []
    )


def _unusual(estimate: Mapping[str, np.ndarray], gait: str | None) -> list[str]:
    history = residual_history(estimate)
    if history is None:
        return []
    sentences = []
    for row, sensor in enumerate(SENSORS):
        force, rate = usual_residual(sensor, gait=gait)
        for values, usual, unit, name in (
            (history.force_m_s2[:, row], force, 'm/s²', 'force'),
            (history.rate_rad_s[:, row], rate, 'rad/s', 'rate'),
        ):
            seen = values[np.isfinite(values)]
            if len(seen) and float(np.median(seen)) > UNUSUAL * usual:
                sentences.append(
                    f'The {name} of {sensor} is explained badly ({float(np.median(seen)):.1f} '
                    f'{unit} are left over, up to {usual:g} are usual): it may be loose, swapped '
                    'or turned, or mass and stature may be wrong.'
                )
    return sentences


def _calibration(calibration: Calibration, *, warnings: list[str], remarks: list[str]) -> None:
    flags = [flag for one in calibration.sensors.values() for flag in one.flags]
    if calibration.verdict != GOOD:
        warnings += [sentence for sentence in calibration.sentences if sentence in flags] or [
            f'The calibration is {calibration.verdict}, expected {GOOD}.'
        ]
    remarks += [sentence for sentence in calibration.sentences if sentence not in warnings]


def _percent(share: float) -> str:
    return f'{100.0 * share:.0f} %' if share >= RARE else 'under 1 %'
