# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Estimate from walking by how much the stamps of each sensor are early or late.

Both segments that meet in a joint move the centre of that joint, so its velocity seen from either
sensor must agree at every instant. A sensor with late stamps shows that velocity late. For each
joint the delay is sought at which the two sides agree best, with the joint centre and the heading
between the sensors found anew for every delay, since they could else hide a part of it. A sensor
is out of time where the fewest such sensors explain the delays of all joints.

No mounting, no model and no reference is used. Two things look like late stamps: a sensor that is
loose and follows its segment late, and soft tissue that does so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import SIDES
from sspinnpose_ros.core.drift_free import closure_bias
from sspinnpose_ros.core.gait_tracks import GaitTracks, gait_tracks
from sspinnpose_ros.core.joint_centres import Joint, Track, joint_centre, relative_heading

IN_TIME = 'in time'
OUT_OF_TIME = 'out of time'
NOT_OBSERVABLE = 'not observable'

LARGEST_DELAY_S = 0.16
"""Delays are sought up to this, either way."""

DELAY_STEP_S = 0.01
LONGEST_S = 40.0
ROUNDS = 5

CORRELATED_S = 0.2
"""Time in which what a joint leaves unexplained resembles itself. Soft tissue moves alike in every
stride, so that one stride is all the evidence there is, however many are recorded."""

AXES = 3

SIGNIFICANT = 4.0
"""An offset above this many standard errors is believed: sensors that sampled together came to 3.3
in one of seventy, recorded walkers and runners, so that errors have heavier tails than a normal
distribution's."""

SMALLEST_OFFSET_S = 0.005
"""Offsets below this are not called out of time: estimates hardly change."""

SMALLEST_SIGMA_S = 2e-4
LARGEST_SIGMA_S = 0.008
"""With a standard error above this, a sensor's offset counts as not observable."""

MOST_OUT = 0.3
"""With more than this part of the sensors out of time, the others cannot be taken as right: all
offsets are then against the mean of all sensors, with larger standard errors."""

JOINTS_BETWEEN = tuple(
    (below, above)
    for side in SIDES
    for below, above in (
        (f'foot_{side}', f'shank_{side}'),
        (f'shank_{side}', f'thigh_{side}'),
        (f'thigh_{side}', 'pelvis'),
    )
)


@dataclass(frozen=True)
class SensorTimeOffset:
    """Hold how far the stamps of one sensor are off those of its neighbours.

    Attributes:
        offset_s: to be added to every stamp, s; negative for stamps that are late. NaN where
            nothing tells.
        sigma_s: its standard error, s; infinite where nothing tells.
        verdict: 'in time', 'out of time' or 'not observable'.

    """

    offset_s: float
    sigma_s: float
    verdict: str

    def sentence(self, sensor: str) -> str:
        """Say it in words."""
        if self.verdict == NOT_OBSERVABLE:
            return f'{sensor}: the movement does not tell whether its stamps are in time.'
        size = f'{1e3 * abs(self.offset_s):.0f} ms (standard error {1e3 * self.sigma_s:.0f} ms)'
        if self.verdict == IN_TIME:
            return f'{sensor}: in time with its neighbours within {size}.'
        return (
            f'{sensor}: seems {size} {"late" if self.offset_s < 0.0 else "early"} against its '
            f'neighbours; if it sits tight, set imu.{sensor}.time_offset_s to '
            f'{self.offset_s:.3f}.'
        )


@dataclass(frozen=True)
class _Delay:
    """Hold by how much `above` is later than `below`, s, and the standard error of it."""

    below: str
    above: str
    delay_s: float
    sigma_s: float


def estimate_time_offsets(
    *,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    sensors: Sequence[str],
    walk: slice,
    period: int,
    step_s: float,
    height_m: float,
) -> dict[str, SensorTimeOffset]:
    """Estimate the constant offset of each sensor's stamps from steady walking.

    Args:
        acceleration: (T, S, 3) specific force as read, sensor axes, m/s^2, on the common grid
            that the stamps as they are give.
        angular_rate: (T, S, 3) as read, sensor axes, rad/s.
        sensors: S names; both thighs, shanks and feet, optionally pelvis and trunk.
        walk: samples of steady walking, of which the first `LONGEST_S` are looked at.
        period: of the stride, samples.
        step_s: between samples, s.
        height_m: stature, for first guesses of where the joints are, m.

    Returns:
        The offset of each sensor. What all sensors share is not seen and taken as zero; of a
        whole leg against the other only what the pelvis tells is seen, which is little.

    """
    sensors = tuple(sensors)
    walk = slice(walk.start, min(walk.stop, walk.start + round(LONGEST_S / step_s)))
    shift = dict.fromkeys(sensors, 0)
    for _ in range(ROUNDS):
        gait = _gait(
            acceleration,
            angular_rate,
            sensors,
            shift,
            walk=walk,
            period=period,
            step_s=step_s,
            height_m=height_m,
        )
        delays = _delays(gait, shift, period=period, step_s=step_s)
        late = _against_all(delays, sensors)
        wanted = {name: round(late[name] / step_s) for name in sensors}
        if wanted == shift:
            break
        shift = wanted
    return _verdicts(delays, sensors)


def _gait(
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    sensors: Sequence[str],
    shift: Mapping[str, int],
    *,
    walk: slice,
    period: int,
    step_s: float,
    height_m: float,
) -> GaitTracks:
    """Return the tracks of signals moved by whole samples, which spoils nothing."""

    def moved(values: np.ndarray) -> np.ndarray:
        rows = np.arange(walk.start, walk.stop)
        return np.stack(
            [
                values[np.clip(rows + shift[name], 0, len(values) - 1), index]
                for index, name in enumerate(sensors)
            ],
            axis=1,
        ).astype(np.float64)

    force, rate = moved(acceleration), moved(angular_rate)
    rate -= closure_bias(acceleration=force, angular_rate=rate, period=period, step_s=step_s)
    return gait_tracks(
        acceleration=force,
        angular_rate=rate,
        sensors=sensors,
        period=period,
        step_s=step_s,
        height_m=height_m,
    )


def _delays(
    gait: GaitTracks, shift: Mapping[str, int], *, period: int, step_s: float
) -> list[_Delay]:
    margin = round(LARGEST_DELAY_S / step_s)
    used = slice(period + margin, -period - margin)
    delays = []
    for below, above in JOINTS_BETWEEN:
        if above in gait.tracks and below in gait.joints:
            delay, sigma = _delay(
                gait.tracks[below],
                gait.tracks[above],
                gait.joints[below],
                used=used,
                period=period,
                step_s=step_s,
            )
            known = (shift[above] - shift[below]) * step_s
            delays.append(_Delay(below, above, known + delay, sigma))
    return delays


def _delay(
    below: Track, above: Track, joint: Joint, *, used: slice, period: int, step_s: float
) -> tuple[float, float]:
    """Return by how much `above` is later [s] and the standard error of it [s]."""
    reach = round(DELAY_STEP_S / step_s)
    reach = max(1, reach)
    farthest = round(LARGEST_DELAY_S / step_s) // reach
    known: dict[int, float] = {}

    def cost(index: int) -> float:
        if index not in known:
            known[index] = _disagreement(
                below, _later(above, index * reach), joint, used=used, period=period
            )
        return known[index]

    best = 0
    for stride in (4, 2, 1):
        while True:
            near = min((best - stride, best, best + stride), key=cost)
            if near == best or abs(near) > farthest - 1:
                break
            best = near
    left, middle, right = cost(best - 1), cost(best), cost(best + 1)
    curvature = 0.5 * (left - 2.0 * middle + right) / (reach * step_s) ** 2
    if abs(best) >= farthest - 1 or curvature <= 0.0:
        return 0.0, np.inf
    slope = 0.5 * (right - left) / (reach * step_s)
    beyond = -0.5 * slope / curvature
    least = max(0.0, middle - curvature * beyond**2)
    independent = AXES * max(1.0, period * step_s / CORRELATED_S)
    sigma = max(SMALLEST_SIGMA_S, float(np.sqrt(least / (independent * curvature))))
    return best * reach * step_s + beyond, sigma


def _later(track: Track, samples: int) -> Track:
    """Return what a track does `samples` later, its ends repeated."""
    rows = np.clip(np.arange(len(track.velocity)) + samples, 0, len(track.velocity) - 1)
    return Track(world=track.world[rows], velocity=track.velocity[rows], lever=track.lever[rows])


def _disagreement(below: Track, above: Track, joint: Joint, *, used: slice, period: int) -> float:
    """Return the mean squared difference of the joint centre's velocity, m^2/s^2."""
    heading = relative_heading(above.at(joint.on_parent), below.at(joint.on_child), period)
    found = joint_centre(
        parent=below,
        child=above.turned(heading),
        on_parent=joint.on_child,
        on_child=joint.on_parent,
        used=used,
    )
    return found.residual_m_s**2


def _against_all(delays: Sequence[_Delay], sensors: Sequence[str]) -> dict[str, float]:
    """Return how late each sensor is against the mean of those it is joined with, s."""
    certain = [delay for delay in delays if np.isfinite(delay.sigma_s)]
    late = np.linalg.pinv(_incidence(certain, sensors)) @ [each.delay_s for each in certain]
    return dict(zip(sensors, late.tolist(), strict=True))


def _incidence(delays: Sequence[_Delay], sensors: Sequence[str]) -> np.ndarray:
    """Return (D, S), what turns how late sensors are into delays at joints."""
    matrix = np.zeros((len(delays), len(sensors)))
    for row, delay in enumerate(delays):
        matrix[row, sensors.index(delay.above)] = 1.0
        matrix[row, sensors.index(delay.below)] = -1.0
    return matrix


def _verdicts(delays: Sequence[_Delay], sensors: Sequence[str]) -> dict[str, SensorTimeOffset]:
    """Return the offsets with as few sensors out of time as the delays allow, or of all."""
    certain = [delay for delay in delays if np.isfinite(delay.sigma_s)]
    weight = np.array([1.0 / delay.sigma_s for delay in certain])
    design = _incidence(certain, sensors) * weight[:, None]
    target = np.array([delay.delay_s for delay in certain]) * weight
    joined = design.any(axis=0)
    late, sigma, out = _fewest(design, target)
    if len(out) > MOST_OUT * len(sensors):
        late, sigma = _against_mean(design, target)
        out = _believed(late, sigma)
    sigma[~joined] = np.inf
    verdicts = np.where(sigma <= LARGEST_SIGMA_S, IN_TIME, NOT_OBSERVABLE)
    verdicts[out] = OUT_OF_TIME
    return {
        name: SensorTimeOffset(
            offset_s=float(-late[index]) if np.isfinite(sigma[index]) else np.nan,
            sigma_s=float(sigma[index]),
            verdict=str(verdicts[index]),
        )
        for index, name in enumerate(sensors)
    }


def _fewest(design: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Take sensors as out of time one by one, the surest first, and all others as right.

    Returns (S,) how late each sensor is, (S,) its standard error, and those out of time.
    """
    number = design.shape[1]
    late, sigma = np.zeros(number), np.full(number, np.inf)
    out: list[int] = []
    while True:
        for index in range(number):
            columns = [*(one for one in out if one != index), index]
            found, spread = _fit(design[:, columns], target)
            late[index], sigma[index] = found[-1], spread[-1]
        sure = np.abs(late) / sigma
        candidates = [index for index in _believed(late, sigma) if index not in out]
        if not candidates:
            return late, sigma, out
        out.append(max(candidates, key=lambda index: float(sure[index])))


def _against_mean(design: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (S,) how late each sensor is against the mean of those joined, and the errors."""
    inverse = np.linalg.pinv(design)
    return inverse @ target, np.sqrt((inverse**2).sum(axis=1))


def _believed(late: np.ndarray, sigma: np.ndarray) -> list[int]:
    """Return the sensors whose offset is sure enough to be called one."""
    sure = (
        (np.abs(late) > SMALLEST_OFFSET_S)
        & (np.abs(late) > SIGNIFICANT * sigma)
        & (sigma <= LARGEST_SIGMA_S)
    )
    return [int(index) for index in np.flatnonzero(sure)]


def _fit(design: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return least squares of whitened data and standard errors, infinite where undetermined."""
    information = design.T @ design
    if not len(design) or np.linalg.cond(information) > 1e9:
        return np.zeros(design.shape[1]), np.full(design.shape[1], np.inf)
    covariance = np.linalg.inv(information)
    return covariance @ design.T @ target, np.sqrt(np.diag(covariance))
