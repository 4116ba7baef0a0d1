# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find where sensors sit on their segments, given the motion that was estimated.

With the weights frozen, the estimated motion says what an accelerometer anywhere on a segment
measures. A place, a rotation in the sagittal plane and a constant offset are fitted to what it
did measure, one sensor at a time. What is left over is no white noise: the errors of the motion
last, and come back with every stride, so an hour of walking tells hardly more than a minute. The
width of their spectrum says how many readings count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sspinnpose_ros.core.conventions import COORDINATES, SENSORS
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.kinematics import joint_angles, kinematics, segment_angles
from sspinnpose_ros.core.pipeline import Outcome
from sspinnpose_ros.core.subject import Subject
from sspinnpose_ros.core.virtual_imu import virtual_imu

WELL_DETERMINED = 'well determined'
WEAKLY_DETERMINED = 'weakly determined'
NOT_DETERMINED = 'not determined'
VERDICTS = (WELL_DETERMINED, WEAKLY_DETERMINED, NOT_DETERMINED)

WELL_SHARE = 0.5
"""Well determined: what is left of the uncertainty assumed beforehand is at most this share."""

WEAK_SHARE = 0.7
"""Not determined: at least this share of the uncertainty is left."""

SETTLE_S = 3.0
"""Estimates this young after a start are left out, s."""

SMOOTHING_S = 0.01
"""Width of the Gaussian that smooths gyros before they are differentiated, s."""

BREAK_S = 0.05
"""Estimates further apart than this do not follow each other, s."""

LEAST_SAMPLES = 100
"""Fewer readings of a sensor than this are no evidence."""

_HUBER = 1.345
_ROUNDS = 30
_TOLERANCE = 1e-5
_LEAST_NOISE = 1e-3
_PARAMETERS = 5


@dataclass(frozen=True)
class LocationPrior:
    """Say what is believed before any measurement, and of the estimates (one sigma each).

    Motion errors are those that look exactly like a sensor in another place, such as an angular
    acceleration that is always some percent too small. No recording tells the two apart, so they
    limit what can be known. Their sizes are those of the shipped model on simulated wearers.

    Attributes:
        position_m: offset of a sensor from the assumed place, along each axis.
        mounting_rad: rotation of a sensor in the sagittal plane.
        acceleration_bias: of the accelerometer along each axis, m/s^2; zero leaves it out.
        motion_position_m: error of the motion that looks like a moved sensor, along each axis.
        motion_inclination_rad: constant error of a segment's inclination.
        specific_force: least error of a virtual accelerometer, m/s^2.
        angular_acceleration: error of that of a segment, rad/s^2; turning no stronger than this
            is no evidence.

    """

    position_m: float = 0.03
    mounting_rad: float = 0.06
    acceleration_bias: float = 0.1
    motion_position_m: float = 0.011
    motion_inclination_rad: float = 0.05
    specific_force: float = 0.2
    angular_acceleration: float = 3.0


USUAL_PRIOR = LocationPrior()


@dataclass(frozen=True, eq=False)
class LocationEvidence:
    """Hold what T estimates say about the seven sensors.

    Attributes:
        rate: (T, 7) of the segments, rad/s.
        angular_acceleration: (T, 7) of the segments, rad/s^2.
        virtual: (T, 7, 2) specific force (forward, up) at the assumed places, m/s^2.
        residual: (T, 7, 2) measured minus virtual, m/s^2; NaN where a sensor is absent.

    """

    rate: np.ndarray
    angular_acceleration: np.ndarray
    virtual: np.ndarray
    residual: np.ndarray


@dataclass(frozen=True, eq=False)
class SensorLocation:
    """Hold where one sensor was found, in the sagittal plane of its segment.

    Attributes:
        assumed_m: (2,) place assumed before, forward and up from the proximal joint, m.
        change_m: (2,) found minus assumed place, m.
        sigma_m: (2,) one sigma of the found place, m.
        position_left: 0 to 1, the share of the uncertainty assumed beforehand that is left, in
            the direction in which most of it is left.
        position_verdict: that share in words, one of `VERDICTS`.
        mounting_rad: rotation of the sensor against the assumed mounting, about the axis to the
            right, rad; `Mounting.rotated` by its negative corrects it.
        mounting_sigma_rad: one sigma of it, rad.
        mounting_left: share as above, of the rotation.
        mounting_verdict: the same in words.
        acceleration_bias: (2,) constant part of the residual, forward and up, m/s^2.
        samples: readings that were used.
        effective_samples: independent numbers that they are worth.
        residual_before: root mean square of the residual at the assumed place, m/s^2.
        residual_after: the same at the found one.

    """

    assumed_m: np.ndarray
    change_m: np.ndarray
    sigma_m: np.ndarray
    position_left: float
    position_verdict: str
    mounting_rad: float
    mounting_sigma_rad: float
    mounting_left: float
    mounting_verdict: str
    acceleration_bias: np.ndarray
    samples: int
    effective_samples: float
    residual_before: float
    residual_after: float

    @property
    def found_m(self) -> np.ndarray:
        """The found place (2,), forward and up from the proximal joint, m."""
        return np.asarray(self.assumed_m + self.change_m)


@dataclass(frozen=True, eq=False)
class SensorLocations:
    """Hold a wearer whose sensors are where they were found, and how well each is known.

    Attributes:
        subject: the wearer with the found places; sideways, and without evidence, the assumed.
        sensors: by name, those that were worn.

    """

    subject: Subject
    sensors: Mapping[str, SensorLocation]


def settled(outcomes: Iterable[Outcome]) -> Iterator[Estimate]:
    """Yield the estimates that are older than `SETTLE_S` after every start of the estimator."""
    start = last = -np.inf
    for outcome in outcomes:
        time = outcome.frame.time_s
        if outcome.estimate is None:
            last = -np.inf
            continue
        if time - last > BREAK_S:
            start = time
        last = time
        if time - start >= SETTLE_S:
            yield outcome.estimate


def location_evidence(estimates: Iterable[Estimate], *, subject: Subject) -> LocationEvidence:
    """Keep of each estimate what bears on the places of the sensors.

    Legs turn as their gyros say: a gyro does not care where it sits, and a recording can be
    smoothed forward and backward, which a live estimate cannot.

    Args:
        estimates: T of them, in order of time, consumed one at a time.
        subject: the wearer they were made for.

    Returns:
        The evidence; its arrays have no rows when there is no estimate.

    """
    rows = [
        np.concatenate(
            [
                [estimate.time_s],
                estimate.q,
                estimate.qd,
                estimate.qdd,
                (estimate.virtual_imu + estimate.residual).ravel(),
            ]
        )
        for estimate in estimates
    ]
    table = np.array(rows).reshape(len(rows), 1 + 3 * len(COORDINATES) + 3 * len(SENSORS))
    time, q, qd, qdd, measured = np.split(table, np.cumsum([1, *[len(COORDINATES)] * 3]), axis=1)
    measured = measured.reshape(-1, len(SENSORS), 3)
    alpha = segment_angles(qdd)
    turned = smooth_derivative(time_s=time[:, 0], values=measured[..., 2])
    turned[:, SENSORS.index('pelvis')] = np.nan
    alpha = np.where(np.isfinite(turned), turned, alpha)
    pushed = np.concatenate([qdd[:, :2], alpha[:, :1], joint_angles(alpha)], axis=1)
    motion = kinematics(body=subject.body(), q=q, qd=qd, qdd=pushed)
    virtual = virtual_imu(motion=motion, position=subject.sensor_position_m[:, [0, 2]])
    return LocationEvidence(
        rate=motion.rate,
        angular_acceleration=motion.angular_acceleration,
        virtual=virtual[..., :2],
        residual=(measured - virtual)[..., :2],
    )


def smooth_derivative(*, time_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Differentiate evenly sampled series, smoothed by a Gaussian of `SMOOTHING_S`.

    Args:
        time_s: (T,) increasing; steps longer than `BREAK_S` are gaps.
        values: (T, C); NaN where missing.

    Returns:
        (T, C) per second; NaN next to gaps, missing values and both ends.

    """
    derivative = np.full(values.shape, np.nan)
    if len(time_s) < 2:
        return derivative
    period = float(np.median(np.diff(time_s)))
    reach = int(np.ceil(4.0 * SMOOTHING_S / period))
    offset = period * np.arange(-reach, reach + 1)
    kernel = offset * np.exp(-0.5 * (offset / SMOOTHING_S) ** 2)
    kernel /= (kernel * offset).sum()
    gaps = np.flatnonzero(np.diff(time_s) > BREAK_S) + 1
    for part in np.split(np.arange(len(time_s)), gaps):
        if len(part) < len(kernel):
            continue
        windows = np.lib.stride_tricks.sliding_window_view(values[part], len(kernel), axis=0)
        derivative[part[reach:-reach]] = windows @ kernel
    return derivative


def locate_sensors(
    *, evidence: LocationEvidence, subject: Subject, prior: LocationPrior = USUAL_PRIOR
) -> SensorLocations:
    """Find the place and rotation of each sensor that explain its accelerometer best.

    Args:
        evidence: of the recording.
        subject: the wearer as assumed when the estimates were made.
        prior: what is believed beforehand.

    Returns:
        The places of the sensors with readings.

    Raises:
        RecordingError: where no sensor has `LEAST_SAMPLES` readings.

    Source: Gambietz et al. (2026), sensor positions with frozen weights.

    """
    position = subject.sensor_position_m.copy()
    sensors = {}
    for row, name in enumerate(SENSORS):
        there = np.isfinite(evidence.residual[:, row]).all(-1)
        if there.sum() < LEAST_SAMPLES:
            continue
        sensors[name] = locate_sensor(
            rate=evidence.rate[:, row],
            angular_acceleration=evidence.angular_acceleration[:, row],
            virtual=evidence.virtual[:, row],
            residual=evidence.residual[:, row],
            assumed_m=subject.sensor_position_m[row, [0, 2]],
            prior=prior,
        )
        position[row, [0, 2]] = sensors[name].found_m
    if not sensors:
        raise RecordingError(
            f'No sensor has {LEAST_SAMPLES} readings with a settled estimate, expected some '
            'strides of movement; record longer.'
        )
    position.setflags(write=False)
    return SensorLocations(subject=replace(subject, sensor_position_m=position), sensors=sensors)


def locate_sensor(
    *,
    rate: np.ndarray,
    angular_acceleration: np.ndarray,
    virtual: np.ndarray,
    residual: np.ndarray,
    assumed_m: np.ndarray,
    prior: LocationPrior = USUAL_PRIOR,
) -> SensorLocation:
    """Find one sensor by iteratively reweighted least squares (Huber) with a ridge prior.

    Args:
        rate: (T,) of its segment, rad/s.
        angular_acceleration: (T,) of its segment, rad/s^2.
        virtual: (T, 2) specific force (forward, up) at the assumed place, m/s^2.
        residual: (T, 2) measured minus virtual, m/s^2; NaN where the sensor is absent.
        assumed_m: (2,) assumed place, forward and up, m.
        prior: what is believed beforehand.

    Returns:
        What was found.

    Raises:
        RecordingError: without a single reading.

    """
    there = np.isfinite(residual).all(-1)
    samples = int(there.sum())
    if not samples:
        raise RecordingError('The sensor has no readings, expected some strides; record longer.')
    measured = np.where(there[:, None], virtual + residual, 0.0)
    sigma = _sigma(prior)
    lever = _lever(rate=rate, angular_acceleration=angular_acceleration)
    value = np.zeros(_PARAMETERS)
    information = np.zeros((_PARAMETERS, _PARAMETERS))
    effective = 0.0
    moving = _moving_share(lever[there], noise=prior.angular_acceleration)
    for _ in range(_ROUNDS):
        predicted, columns = _predict(value * sigma, virtual=virtual, lever=lever)
        columns = columns * sigma
        left = (measured - predicted) * there[:, None]
        scale = max(prior.specific_force, 1.4826 * float(np.median(np.abs(left[there]))))
        weight = there[:, None] * np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(left), 1e-12))
        error = weight * left
        power = max(prior.specific_force**2, float((error**2).sum()) / (2 * samples))
        effective = moving * effective_samples(error, noise=_LEAST_NOISE)
        each = effective / (2 * samples * power)
        seen = columns * weight[..., None]
        information = each * np.einsum('tci,tcj->ij', seen, columns)
        right = each * np.einsum('tci,tc->i', seen, left + columns @ value)
        before, value = value, np.linalg.solve(information + np.eye(_PARAMETERS), right)
        if np.abs(value - before).max() < _TOLERANCE:
            break
    predicted, _ = _predict(value * sigma, virtual=virtual, lever=lever)
    covariance = np.linalg.inv(information + np.eye(_PARAMETERS))
    # The fit sees sensor and motion errors added up; each gets its share.
    share, hidden = _shares(prior, sigma)
    found = value * sigma * share
    spread = covariance * np.outer(sigma * share, sigma * share) + np.diag(hidden)
    deviation = np.sqrt(np.diag(spread))
    worst = float(np.sqrt(np.linalg.eigvalsh(spread[1:3, 1:3])[-1]))
    position_left = worst / prior.position_m
    mounting_left = float(deviation[0]) / prior.mounting_rad
    return SensorLocation(
        assumed_m=np.array(assumed_m, dtype=np.float64),
        change_m=found[1:3],
        sigma_m=deviation[1:3],
        position_left=position_left,
        position_verdict=_verdict(position_left),
        mounting_rad=float(found[0]),
        mounting_sigma_rad=float(deviation[0]),
        mounting_left=mounting_left,
        mounting_verdict=_verdict(mounting_left),
        acceleration_bias=found[3:],
        samples=samples,
        effective_samples=effective,
        residual_before=_root_mean_square(residual[there]),
        residual_after=_root_mean_square((measured - predicted)[there]),
    )


def effective_samples(error: np.ndarray, *, noise: float = 0.0) -> float:
    """Count how many independent numbers a series of errors is worth.

    Args:
        error: (T, C) residuals, zero where there are none.
        noise: one sigma of white noise that is added in any case, in the unit of the errors.

    Returns:
        Over how many frequencies the power is spread, sine and cosine counted: T C / 2 for white
        noise, ten or twenty a channel for errors that every stride repeats, however many strides
        there are.

    Source: Bartlett (1946), effective number of samples of two series that are correlated in time
    alike, by Parseval's theorem.

    """
    power = np.abs(np.fft.rfft(error, axis=0)) ** 2 + len(error) * noise**2
    total, square = power.sum(0), (power**2).sum(0)
    return float((2.0 * total**2 / np.where(square > 0.0, square, 1.0)).sum())


def describe(name: str, location: SensorLocation) -> str:
    """Say in a sentence where a sensor was found and how sure that is."""
    forward, up = 100.0 * location.change_m
    sigma_forward, sigma_up = 100.0 * location.sigma_m
    advice = ''
    if location.position_verdict == NOT_DETERMINED:
        advice = ' The assumed place stays as good as the found one.'
    return (
        f'{name}: {location.position_verdict} ({100.0 * location.position_left:.0f}% of the '
        f'uncertainty is left), {forward:+.1f} cm forward (sigma {sigma_forward:.1f}), '
        f'{up:+.1f} cm up (sigma {sigma_up:.1f}); rotation {location.mounting_verdict}, '
        f'{np.rad2deg(location.mounting_rad):+.1f} deg '
        f'(sigma {np.rad2deg(location.mounting_sigma_rad):.1f}).{advice}'
    )


def _sigma(prior: LocationPrior) -> np.ndarray:
    """Return (5,) what the fitted numbers may be: sensor and motion errors added up."""
    rotation = np.hypot(prior.mounting_rad, prior.motion_inclination_rad)
    offset = np.hypot(prior.position_m, prior.motion_position_m)
    return np.array([rotation, offset, offset, *[prior.acceleration_bias] * 2])


def _shares(prior: LocationPrior, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (5,) the sensor's share of each fitted number, and the variance that hides there."""
    own = np.array(
        [prior.mounting_rad, prior.position_m, prior.position_m, *[prior.acceleration_bias] * 2]
    )
    share = np.divide(own**2, sigma**2, out=np.zeros_like(own), where=sigma > 0.0)
    return share, own**2 * (1.0 - share)


def _lever(*, rate: np.ndarray, angular_acceleration: np.ndarray) -> np.ndarray:
    """Return (T, 2, 2) change of the specific force per offset, 1/s^2."""
    square = rate * rate
    return np.stack(
        [
            np.stack([-square, -angular_acceleration], -1),
            np.stack([angular_acceleration, -square], -1),
        ],
        -2,
    )


def _moving_share(lever: np.ndarray, *, noise: float) -> float:
    """Return the share of the levers' power that is motion, 0 to 1."""
    power = 0.5 * float((lever**2).sum((-2, -1)).mean())
    return max(0.0, 1.0 - noise**2 / power) if power > 0.0 else 0.0


def _predict(
    value: np.ndarray, *, virtual: np.ndarray, lever: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (T, 2) readings of a sensor placed as (5,) `value`, and their derivatives by it."""
    cos, sin = np.cos(value[0]), np.sin(value[0])
    turn = np.array([[cos, sin], [-sin, cos]])
    turned = (virtual + lever @ value[1:3]) @ turn.T
    columns = np.zeros((*turned.shape, _PARAMETERS))
    columns[:, 0, 0], columns[:, 1, 0] = turned[:, 1], -turned[:, 0]
    columns[:, :, 1:3] = turn @ lever
    columns[:, 0, 3] = columns[:, 1, 4] = 1.0
    return turned + value[3:], columns


def _verdict(left: float) -> str:
    if left <= WELL_SHARE:
        return WELL_DETERMINED
    return WEAKLY_DETERMINED if left < WEAK_SHARE else NOT_DETERMINED


def _root_mean_square(residual: np.ndarray) -> float:
    return float(np.sqrt((residual**2).sum(-1).mean()))
