# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Estimate what we estimate without learning: inclination filters and inverse dynamics."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import butter, filtfilt, lfilter, lfilter_zi

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SIDES
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.inclination import inclination_sequence
from sspinnpose_ros.core.kinematics import Kinematics, joint_angles, kinematics, rotate
from sspinnpose_ros.core.virtual_imu import virtual_imu

INCLINATION_TIME_CONSTANT_S = 0.75
"""Best of 0.5-3 s over the recorded trials, so that the filter is not held back."""

CUTOFF_HZ = {'causal': 20.0, 'zero_phase': 6.0}
"""Of the second-order Butterworth low-passes, again the best for the baseline: causally, delay
costs more than noise."""

ROOT_SENSORS = (0, 1, 4)
"""Pelvis and thighs: the sensors from which the acceleration of the hips is taken."""

FOOT_HEIGHT_SCALE_M = 0.015
STILL_FORCE_MPS2 = 6.0
STILL_RATE_RADPS = 3.0
"""A foot carries load while it is the lower one, and turns and accelerates little."""

LEAST_LEG_M = 0.3
"""Height of the hips that the lines from the feet are taken to reach at least."""

LOADED_BW = 0.03
"""Share of body weight below which a foot has no centre of pressure."""


def classical_estimate(
    *,
    time_s: np.ndarray,
    sagittal: np.ndarray,
    body: Body,
    sensor_position: np.ndarray,
    zero_phase: bool = False,
) -> dict[str, np.ndarray]:
    """Estimate angles, moments and ground reaction forces classically.

    Every sensor's inclination comes from its own causal gyro and accelerometer filter, the
    joint angles from their differences; rates are low-passed and differentiated; the total
    ground reaction force is Newton's, with the hips' acceleration from the pelvis and thigh
    accelerometers and a trunk that stays upright whatever the pelvis does; the lower and
    stiller foot carries it, along the line from its centre of pressure to the hips; the centre
    of pressure balances the moments about the hips; inverse dynamics gives joint moments.

    Args:
        time_s: (T,) evenly spaced times, s.
        sagittal: (T, 7, 3) `conventions.SAGITTAL_CHANNELS` of every sensor, segment axes.
        body: one person.
        sensor_position: (7, 2) sensors in their segments, (forward, up), m.
        zero_phase: low-pass forward and backward, which needs the whole recording and favours
            the baseline; the inclinations stay causal.

    Returns:
        `time`, `angle_*`, `velocity_*` and `moment_*` (T,) per joint, `grf_forward_*`,
        `grf_up_*` and `cop_forward_*` (T,) per side: SI units, `cop_forward_*` ahead of the hip
        mid-point and NaN without load.

    Source: Laidig and Seel (2023) for the inclination, Winter (2009) for the rest.

    """
    time = np.asarray(time_s, dtype=np.float64)
    signals = np.asarray(sagittal, dtype=np.float64)
    period = float(np.median(np.diff(time)))
    inclination, _ = inclination_sequence(
        sagittal=signals, period_s=period, time_constant_s=INCLINATION_TIME_CONSTANT_S
    )
    smooth = _Smoother(period_s=period, zero_phase=zero_phase)
    rate = smooth(signals[..., 2])
    change = smooth.derivative(rate)

    q, qd, qdd = (np.zeros((len(time), 9)) for _ in range(3))
    for coordinates, segments in ((q, inclination), (qd, rate), (qdd, change)):
        coordinates[:, 2] = segments[:, 0]
        coordinates[:, 3:] = joint_angles(segments)
    qdd[:, :2] = smooth(
        _root_acceleration(
            signals=signals,
            motion=kinematics(body=body, q=q, qd=qd, qdd=qdd),
            sensor_position=np.asarray(sensor_position, dtype=np.float64),
        )
    )
    motion = kinematics(body=body, q=_upright(q), qd=_upright(qd), qdd=_upright(qdd))
    weight = float(body.mass_kg) * GRAVITY
    ground = _ground_force(body=body, motion=motion, share=_share(signals, body, motion, smooth))
    forces = inverse_dynamics(
        body=body,
        motion=motion,
        contact_offset=contact_points(body=body, motion=motion).from_ankle,
        contact_force=ground,
    )
    return _named(
        time=time, q=q, qd=qd, moment=forces[:, 3:], ground=ground, body=body, motion=motion,
        least_load=LOADED_BW * weight,
    )  # fmt: skip


class _Smoother:
    """Low-pass and differentiate along the first axis."""

    def __init__(self, *, period_s: float, zero_phase: bool) -> None:
        self.period_s = period_s
        self.zero_phase = zero_phase
        cutoff = CUTOFF_HZ['zero_phase' if zero_phase else 'causal']
        # Slow recordings cannot hold the cut-off: stay below half their rate.
        self.numerator, self.denominator = butter(2, min(2.0 * cutoff * period_s, 0.8))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the values without what is faster than the cut-off."""
        if self.zero_phase:
            return np.asarray(filtfilt(self.numerator, self.denominator, values, axis=0))
        start = lfilter_zi(self.numerator, self.denominator)
        start = start.reshape(-1, *[1] * (values.ndim - 1)) * values[:1]
        return np.asarray(lfilter(self.numerator, self.denominator, values, axis=0, zi=start)[0])

    def derivative(self, values: np.ndarray) -> np.ndarray:
        """Return the rate of change, from the past alone unless the phase is to be zero."""
        if self.zero_phase:
            return np.asarray(np.gradient(values, self.period_s, axis=0))
        return np.diff(values, axis=0, prepend=values[:1]) / self.period_s


def _root_acceleration(
    *, signals: np.ndarray, motion: Kinematics, sensor_position: np.ndarray
) -> np.ndarray:
    """Return the acceleration (T, 2) of the hip mid-point, given its motion without that."""
    missing = signals[..., :2] - virtual_imu(motion=motion, position=sensor_position)[..., :2]
    return np.asarray(
        rotate(cos=motion.cos, sin=motion.sin, vector=missing)[:, ROOT_SENSORS].mean(axis=1)
    )


def _upright(coordinates: np.ndarray) -> np.ndarray:
    """Return coordinates with an untilted pelvis and the legs as inclined as before."""
    upright = coordinates.copy()
    upright[:, (3, 6)] += coordinates[:, 2:3]
    upright[:, 2] = 0.0
    return upright


def _share(signals: np.ndarray, body: Body, motion: Kinematics, smooth: _Smoother) -> np.ndarray:
    """Return the share (T,) of the ground reaction force that the right foot takes."""
    feet = signals[:, (3, 6)]
    force = np.abs(np.hypot(feet[..., 0], feet[..., 1]) - GRAVITY)
    still = np.exp(-((force / STILL_FORCE_MPS2) ** 2) - (feet[..., 2] / STILL_RATE_RADPS) ** 2)
    calm = np.maximum(smooth(still), 1e-3) ** 0.3
    height = contact_points(body=body, motion=motion).position[..., 1].min(axis=-1)
    lower = 1.0 / (1.0 + np.exp((height[:, 0] - height[:, 1]) / FOOT_HEIGHT_SCALE_M))
    right, left = lower * calm[:, 0], (1.0 - lower) * calm[:, 1]
    return np.clip(smooth(right / (right + left)), 0.0, 1.0)


def _ground_force(*, body: Body, motion: Kinematics, share: np.ndarray) -> np.ndarray:
    """Return forces (T, 2, 2, 2) at heels and toes that carry and balance the body."""
    total = inverse_dynamics(body=body, motion=motion)[:, :3]
    total[:, 1] = np.maximum(total[:, 1], 0.0)
    shares = np.stack([share, 1.0 - share], -1)
    foot = shares[..., None] * total[:, None, :2]
    arm = contact_points(body=body, motion=motion).position - motion.position[:, None, None, 0]
    # Moments about the hips if either foot pressed at the heels (0) or at the toes (1) alone.
    at_heels, at_toes = (
        (arm[:, :, point, 0] * foot[..., 1] - arm[:, :, point, 1] * foot[..., 0]).sum(axis=-1)
        for point in range(2)
    )
    span = at_toes - at_heels
    span = np.where(np.abs(span) < 1.0, 1.0, span)
    ahead = np.clip((total[:, 2] - at_heels) / span, 0.0, 1.0)
    along_sole = np.stack([1.0 - ahead, ahead], -1)[:, None, :, None]
    pressure = (along_sole * arm).sum(axis=-2)
    to_hips = foot[..., 1] * pressure[..., 0] / np.minimum(pressure[..., 1], -LEAST_LEG_M)
    foot[..., 0] = to_hips + shares * (total[:, 0] - to_hips.sum(axis=-1))[:, None]
    return np.asarray(along_sole * foot[:, :, None, :])


def _named(
    *,
    time: np.ndarray,
    q: np.ndarray,
    qd: np.ndarray,
    moment: np.ndarray,
    ground: np.ndarray,
    body: Body,
    motion: Kinematics,
    least_load: float,
) -> dict[str, Any]:
    named = {'time': time}
    for index, joint in enumerate(JOINTS):
        named[f'angle_{joint}'] = q[:, 3 + index]
        named[f'velocity_{joint}'] = qd[:, 3 + index]
        named[f'moment_{joint}'] = moment[:, index]
    ahead = contact_points(body=body, motion=motion).position[..., 0]
    for index, side in enumerate(SIDES):
        up = ground[:, index, :, 1].sum(axis=-1)
        named[f'grf_forward_{side}'] = ground[:, index, :, 0].sum(axis=-1)
        named[f'grf_up_{side}'] = up
        named[f'cop_forward_{side}'] = np.where(
            up > least_load,
            (ahead[:, index] * ground[:, index, :, 1]).sum(axis=-1) / np.maximum(up, 1.0),
            np.nan,
        )
    return named
