# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Record one synthetic wearer with three-axis IMUs, from standing into gait."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SENSORS, SIDES
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.kinematics import kinematics, rotate
from sspinnpose_ros.core.mounting import ALIGNED_ROTATION
from sspinnpose_ros.training.synthetic_gait import Motions, MotionSamples, sample
from sspinnpose_ros.training.wearer import WOBBLE_HZ, SensorErrors, wear

BLEND_S = 0.8
"""Time in which a wearer who stood comes into the gait."""

LOADED_SHARE = 0.03
"""Share of body weight from which a foot has a centre of pressure."""


@dataclass(frozen=True, eq=False)
class SimulatedRecording:
    """Hold what seven IMUs measured, and the truth.

    Attributes:
        time_s: (T,) s.
        imu: (T, 7, 6) specific force [m/s^2] then angular rate [rad/s], sensor axes.
        rotation: (7, 3, 3) true segment-from-sensor rotations, segment axes x forward, y left,
            z up; the sagittal misalignment of the hand that put them on comes on top.
        reference: `time`, `angle_*`, `velocity_*`, `moment_*`, `grf_*` and `cop_forward_*` as
            in a reference.npz; moments and forces are NaN while standing turns into gait.

    """

    time_s: np.ndarray
    imu: np.ndarray
    rotation: np.ndarray
    reference: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _Motion:
    """Hold one wearer's motion: (T, 9), (T, 9), (T, 9), (T, 2, 2, 2), (T, 6)."""

    q: np.ndarray
    qd: np.ndarray
    qdd: np.ndarray
    force: np.ndarray
    effort: np.ndarray


def simulate_recording(
    motions: Motions,
    *,
    seconds: float,
    rate_hz: float,
    rng: np.random.Generator,
    errors: SensorErrors,
    standing_s: float = 0.0,
    arbitrary_mounting: bool = False,
) -> SimulatedRecording:
    """Let one wearer stand and walk with sensors on.

    The wearer moves in the sagittal plane only, so the transverse channels hold noise and bias.

    Args:
        motions: of a single wearer.
        seconds: length of the recording, s.
        rate_hz: of the sensors, Hz.
        rng: source of chance.
        errors: how badly the sensors are worn and made.
        standing_s: quiet standing at the beginning, s.
        arbitrary_mounting: whether the sensors are turned at random instead of aligned.

    """
    time = np.arange(max(2, round(seconds * rate_hz))) / rate_hz
    body = motions.body.map(lambda value: value[0].numpy().astype(np.float64))
    motion = _gait(motions, time=np.maximum(time - standing_s, 0.0))
    moving = np.ones_like(time)
    steady = np.ones(len(time), dtype=bool)
    if standing_s > 0.0:
        motion, moving, steady = _from_standing(motion, body=body, time=time - standing_s)
    sagittal = _sagittal(
        motion, motions=motions, moving=moving, rate_hz=rate_hz, rng=rng, errors=errors
    )
    rotation = np.broadcast_to(ALIGNED_ROTATION, (len(SENSORS), 3, 3)).copy()
    if arbitrary_mounting:
        rotation = Rotation.from_quat(rng.normal(size=(len(SENSORS), 4))).as_matrix()
    return SimulatedRecording(
        time_s=time,
        imu=_three_axes(sagittal, rotation=rotation, rng=rng, errors=errors),
        rotation=rotation,
        reference=_reference(motion, time=time, body=body, steady=steady),
    )


def _gait(motions: Motions, *, time: np.ndarray) -> _Motion:
    # Sampled within one cycle, so that single precision does not wear out over an hour.
    duration, speed = motions.targets[0].duration_s, motions.targets[0].speed_mps
    within = np.mod(time, duration)
    sampled = sample(motions, time_s=torch.as_tensor(within, dtype=torch.float32))
    q = sampled.q[0].numpy().astype(np.float64)
    q[:, 0] += speed * (time - within)
    return _Motion(
        q=q,
        qd=sampled.qd[0].numpy().astype(np.float64),
        qdd=sampled.qdd[0].numpy().astype(np.float64),
        force=sampled.contact_force[0].numpy().astype(np.float64),
        effort=sampled.effort[0].numpy().astype(np.float64),
    )


def _from_standing(
    motion: _Motion, *, body: Body, time: np.ndarray
) -> tuple[_Motion, np.ndarray, np.ndarray]:
    """Put standing before time zero.

    Returns:
        The motion, the share (T,) of gait in it, and where it is (T,) no mixture.

    """
    stand = _standing(body)
    part = np.clip(time / BLEND_S, 0.0, 1.0)
    weight = part**3 * (10.0 - 15.0 * part + 6.0 * part**2)
    first = 30.0 * part**2 * (1.0 - part) ** 2 / BLEND_S
    second = 60.0 * part * (1.0 - part) * (1.0 - 2.0 * part) / BLEND_S**2
    w, w1, w2 = (value[:, None] for value in (weight, first, second))
    difference = motion.q - stand.q
    steady = (part <= 0.0) | (part >= 1.0)
    mixed = _Motion(
        q=stand.q + w * difference,
        qd=w * motion.qd + w1 * difference,
        qdd=w * motion.qdd + 2.0 * w1 * motion.qd + w2 * difference,
        force=np.where((part > 0.0)[:, None, None, None], motion.force, stand.force),
        effort=np.where((part > 0.0)[:, None], motion.effort, stand.effort),
    )
    return mixed, weight, steady


def _standing(body: Body) -> _Motion:
    """Stand upright in balance, both feet loaded alike."""
    q = np.zeros((1, 9))
    q[:, 1] = float(body.leg_length.sum() + body.ankle_height)
    still = np.zeros_like(q)
    moved = kinematics(body=body, q=q, qd=still, qdd=still)
    points = contact_points(body=body, motion=moved)
    centre = moved.position + rotate(cos=moved.cos, sin=moved.sin, vector=body.segment_com)
    forward = float((body.segment_mass * centre[0, :, 0]).sum() / body.segment_mass.sum())
    heel, toe = points.position[0, 0, :, 0]
    on_toe = (forward - heel) / (toe - heel)
    force = np.zeros((1, 2, 2, 2))
    force[..., 1] = 0.5 * float(body.mass_kg) * GRAVITY * np.array([1.0 - on_toe, on_toe])
    effort = inverse_dynamics(
        body=body, motion=moved, contact_offset=points.from_ankle, contact_force=force
    )
    return _Motion(q=q, qd=still, qdd=still, force=force, effort=effort[:, 3:])


def _sagittal(
    motion: _Motion,
    *,
    motions: Motions,
    moving: np.ndarray,
    rate_hz: float,
    rng: np.random.Generator,
    errors: SensorErrors,
) -> np.ndarray:
    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values[None], dtype=torch.float32)

    worn = wear(
        motion=MotionSamples(
            q=tensor(motion.q),
            qd=tensor(motion.qd),
            qdd=tensor(motion.qdd),
            contact_force=tensor(motion.force),
            effort=tensor(motion.effort),
        ),
        body=motions.body,
        period_s=1.0 / rate_hz,
        rng=rng,
        errors=replace(errors, wobble=0.0),
    )
    sagittal = worn.sagittal[0].astype(np.float64)
    # Soft tissue wobbles with the gait and is still in standing.
    walking = moving > 0.5
    spread = sagittal[walking].std(0) if walking.any() else np.zeros(sagittal.shape[1:])
    keep = float(np.exp(-2.0 * np.pi * WOBBLE_HZ / rate_hz))
    noise = lfilter([np.sqrt(1.0 - keep**2)], [1.0, -keep], rng.normal(size=sagittal.shape), 0)
    wobbling: np.ndarray = sagittal + errors.wobble * spread * moving[:, None, None] * noise
    return wobbling


def _three_axes(
    sagittal: np.ndarray, *, rotation: np.ndarray, rng: np.random.Generator, errors: SensorErrors
) -> np.ndarray:
    """Return (T, 7, 6) readings in the sensors' own axes."""
    samples, sensors = sagittal.shape[:2]

    def transverse(count: int, *, bias: float, noise: float) -> np.ndarray:
        constant = bias * rng.normal(size=(1, sensors, count))
        return constant + noise * rng.normal(size=(samples, sensors, count))

    left = transverse(1, bias=errors.acceleration_bias, noise=errors.acceleration_noise)[..., 0]
    turning = transverse(2, bias=errors.rate_bias, noise=errors.rate_noise)
    force = np.stack([sagittal[..., 0], left, sagittal[..., 1]], -1)
    rate = np.stack([turning[..., 0], -sagittal[..., 2], turning[..., 1]], -1)
    return np.concatenate(
        [np.einsum('sij,tsi->tsj', rotation, vector) for vector in (force, rate)], -1
    )


def _reference(
    motion: _Motion, *, time: np.ndarray, body: Body, steady: np.ndarray
) -> dict[str, np.ndarray]:
    moved = kinematics(body=body, q=motion.q, qd=motion.qd, qdd=motion.qdd)
    position = contact_points(body=body, motion=moved).position[..., 0]
    load = motion.force[..., 1].sum(-1)
    loaded = load > LOADED_SHARE * float(body.mass_kg) * GRAVITY
    moment = (position * motion.force[..., 1]).sum(-1)
    pressure = np.where(loaded, moment / np.where(loaded, load, 1.0), np.nan) - motion.q[:, :1]
    known = np.where(steady, 1.0, np.nan)
    reference = {'time': time, 'angle_pelvis_tilt': motion.q[:, 2]}
    for index, joint in enumerate(JOINTS):
        reference[f'angle_{joint}'] = motion.q[:, 3 + index]
        reference[f'velocity_{joint}'] = motion.qd[:, 3 + index]
        reference[f'moment_{joint}'] = motion.effort[:, index] * known
    for index, side in enumerate(SIDES):
        for axis, name in enumerate(('forward', 'up')):
            reference[f'grf_{name}_{side}'] = motion.force[:, index, :, axis].sum(-1) * known
        reference[f'cop_forward_{side}'] = pressure[:, index] * known
    return reference
