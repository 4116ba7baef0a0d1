# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find how worn sensors sit on their segments, from walking and whatever quiet standing there is.

What finds what: closure of the orientation over strides the gyro bias; the mean specific force
over strides up and the gain; standing feet forward and a foot accelerometer's bias; common joint
centres the headings, signs and long axes of shanks and thighs; standing, else the usual lean of
walkers, the zero of pelvis and trunk. Nothing is learned and no reference is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.calibration_input import LEG_SENSORS, require_calibratable
from sspinnpose_ros.core.conventions import SIDES
from sspinnpose_ros.core.drift_free import closure_bias
from sspinnpose_ros.core.errors import CalibrationError
from sspinnpose_ros.core.foot_track import RUNNING_SPEED_M_S
from sspinnpose_ros.core.gait_tracks import GaitTracks, gait_tracks
from sspinnpose_ros.core.leg_lengths import leg_length_sentence
from sspinnpose_ros.core.mounting import LARGEST_GAIN, Mounting, SensorMounting
from sspinnpose_ros.core.standing import quiet_standing, resting_direction
from sspinnpose_ros.core.steady_walk import steady_walk
from sspinnpose_ros.core.time_offset import (
    OUT_OF_TIME,
    SensorTimeOffset,
    estimate_time_offsets,
)

GOOD = 'good'
USABLE = 'usable'

NOMINAL_HEIGHT_M = 1.75
FULL_STRIDES = 10
LOOSEST_JOINT = {'shank': 0.93, 'thigh': 0.88, 'pelvis': 0.4, 'trunk': 0.4}
TIGHT_JOINT = {'shank': 0.97, 'thigh': 0.94, 'pelvis': 0.9, 'trunk': 0.8}
"""Agreement of the joint's velocity seen from both sides, below which a sensor is refused and
flagged. Recorded walkers reach 0.987, 0.957, 0.95 and 0.93; swapped sensors 0.93 at most."""

SHANK_OF_HEIGHT_RANGE = (0.14, 0.36)
FAULTY_GAIN = 0.05
FAULTY_GYRO_RAD_S = np.deg2rad(3.0)

# The next three were set by hand with the recorded walkers and runners in view: they are usual
# postures of a handful of people, no constants of nature.
LEG_ZERO_RAD = np.deg2rad(-2.5)
"""How far ahead of the line between joint centres up lies in upright standing with straight legs:
behind, since body weight stands over the mid-foot, not over the ankle."""

TRUNK_ZERO_RAD = {'walking': np.deg2rad(2.0), 'running': np.deg2rad(6.0)}
"""How far ahead of its mean over the gait cycle up lies for a pelvis or trunk in standing."""

FOOT_ZERO_RAD = {'walking': 0.0, 'running': np.deg2rad(3.0)}
"""How far ahead of up at the moment a foot turns least up lies for a foot flat on the ground."""

LEG_STANDING_WEIGHT = 0.5
"""How much of a leg segment's zero quiet standing decides, against the joint centres."""

FARTHEST_POSTURE_RAD = np.deg2rad(25.0)
"""Rest farther than this from the mean posture of walking is not standing."""

NEIGHBOUR = {
    'shank': 'the foot',
    'thigh': 'the shank',
    'pelvis': 'the thighs',
    'trunk': 'the pelvis',
}
LEAST_FORWARD = 0.15

FRONTAL_TRUST = {'shank': 0.5, 'thigh': 0.0}
"""How much of the frontal tilt between the joint centres' line and up in walking is believed where
nobody stands; little, since walking hardly turns a leg about the axes that would show it."""

STRAIGHTEST_KNEE_RAD = np.deg2rad(-1.0)
"""Least knee flexion of a walker."""


@dataclass(frozen=True)
class SensorVerdict:
    """Hold what the calibration found for one sensor.

    Attributes:
        acceleration_gain: reading divided by the true specific force.
        acceleration_bias_m_s2: size of the accelerometer bias, m/s^2.
        gyro_bias_rad_s: size of the gyro bias, rad/s.
        axis_variance_ratio: part of the turning, 0 to 1, that is about the lateral axis found.
        sign_confidence: 0 to 1, how well the joints that the sensor shares with its neighbours
            move alike (feet: how surely forward was told from backward).
        flags: what a user should know, one sentence each.
        time_offset: how far its stamps are off, on top of any offset that is already corrected;
            None where it was not looked at.

    """

    acceleration_gain: float
    acceleration_bias_m_s2: float
    gyro_bias_rad_s: float
    axis_variance_ratio: float
    sign_confidence: float
    flags: tuple[str, ...] = ()
    time_offset: SensorTimeOffset | None = None


@dataclass(frozen=True, eq=False)
class Calibration:
    """Hold the mounting found and how far to trust it.

    Attributes:
        mounting: of every sensor given.
        verdict: 'good' or 'usable'.
        sentences: the verdict in words and numbers.
        sensors: what was found, by sensor.
        standing_s: quiet standing used, s.
        walking_s: steady walking used, s.
        stride_s: duration of a stride, s.
        speed_m_s: walking speed that the feet saw, m/s.

    """

    mounting: Mounting
    verdict: str
    sentences: tuple[str, ...]
    sensors: Mapping[str, SensorVerdict]
    standing_s: float
    walking_s: float
    stride_s: float
    speed_m_s: float


def calibrate(
    *,
    time_s: np.ndarray,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    sensors: Sequence[str],
    height_m: float = NOMINAL_HEIGHT_M,
) -> Calibration:
    """Find the mounting of sensors that are turned in any unknown way.

    Args:
        time_s: (T,) common grid, s.
        acceleration: (T, S, 3) specific force as read, sensor axes, m/s^2.
        angular_rate: (T, S, 3) as read, sensor axes, rad/s.
        sensors: S names; both thighs, shanks and feet, optionally pelvis and trunk.
        height_m: stature, for first guesses of where the joints are, m.

    Returns:
        The calibration.

    Raises:
        CalibrationError: for data that cannot be trusted, saying what was seen, what was expected
            and what to change.

    Source: joint centres after Seel, Schauer and Raisch (2012); orientation after the principle
        of Laidig and Seel (2023), gravity from slowly filtered specific force.

    """
    sensors = tuple(sensors)
    step = require_calibratable(
        time_s=time_s, acceleration=acceleration, angular_rate=angular_rate, sensors=sensors
    )
    acceleration = np.asarray(acceleration, dtype=np.float64)
    angular_rate = np.asarray(angular_rate, dtype=np.float64)
    walk, period = steady_walk(angular_rate=angular_rate, sensors=sensors, step_s=step)
    offsets = estimate_time_offsets(
        acceleration=acceleration,
        angular_rate=angular_rate,
        sensors=sensors,
        walk=walk,
        period=period,
        step_s=step,
        height_m=height_m,
    )
    gyro_bias = closure_bias(
        acceleration=acceleration[walk],
        angular_rate=angular_rate[walk],
        period=period,
        step_s=step,
    )
    angular_rate = angular_rate - gyro_bias
    gait = gait_tracks(
        acceleration=acceleration[walk],
        angular_rate=angular_rate[walk],
        sensors=sensors,
        period=period,
        step_s=step,
        height_m=height_m,
    )
    _require_joints(gait, height_m, offsets)
    force_bias = np.stack([gait.acceleration_bias_m_s2[name] for name in sensors])
    rest, standing_s = _standing(acceleration - force_bias, angular_rate, gait, sensors, step)
    rotations = _straighten_knees(
        {
            name: _segment_rotation(name, gait, None if rest is None else rest[index])
            for index, name in enumerate(sensors)
        },
        gait,
    )
    verdicts = {}
    mountings = {}
    for index, name in enumerate(sensors):
        gain = gait.gain[name]
        _require_gain(name, gain)
        rate = angular_rate[walk, index]
        about = float(((rate @ rotations[name][1]) ** 2).sum() / (rate**2).sum())
        mountings[name] = SensorMounting(
            rotation=rotations[name],
            acceleration_gain=gain,
            gyro_bias_rad_s=gyro_bias[index],
            acceleration_bias_m_s2=force_bias[index],
        )
        verdicts[name] = _sensor_verdict(
            name, mountings[name], about, gait.coherence[name], offsets[name]
        )
    walking_s = (walk.stop - walk.start) * step
    speed = float(np.mean(list(gait.speed_m_s.values())))
    sound = (
        standing_s > 0.0
        and walking_s >= FULL_STRIDES * period * step
        and not any(one.flags for name, one in verdicts.items() if name != 'trunk')
    )
    return Calibration(
        mounting=Mounting(sensors=mountings),
        verdict=GOOD if sound else USABLE,
        sentences=(
            *_sentences(sound, verdicts, standing_s, walking_s, period * step, speed),
            leg_length_sentence(gait.joints, height_m=height_m),
        ),
        sensors=verdicts,
        standing_s=standing_s,
        walking_s=walking_s,
        stride_s=period * step,
        speed_m_s=speed,
    )


def _require_joints(
    gait: GaitTracks, height_m: float, offsets: Mapping[str, SensorTimeOffset]
) -> None:
    late = ''.join(
        f' {offset.sentence(name)}'
        for name, offset in offsets.items()
        if offset.verdict == OUT_OF_TIME
    )
    for name, agreement in gait.coherence.items():
        part = name.split('_')[0]
        if part == 'foot':
            if len(gait.flat[name]) < 3 or agreement < LEAST_FORWARD:
                raise CalibrationError(
                    f'{name} does not come to rest on the ground between strides, expected a '
                    'sensor on the foot; check where it is worn and that names are not swapped.'
                )
        elif agreement < LOOSEST_JOINT[part]:
            raise CalibrationError(
                f'{name} moves with {NEIGHBOUR[part]} by {agreement:.0%} at their common joint, '
                f'expected at least {LOOSEST_JOINT[part]:.0%}; check that sensors are not '
                f'swapped, loose or out of time.{late}'
            )
    shortest, longest = (part * height_m for part in SHANK_OF_HEIGHT_RANGE)
    for side in SIDES:
        knee = gait.joints[f'shank_{side}'].on_child
        ankle = gait.joints[f'foot_{side}'].on_parent
        length = float(np.linalg.norm(knee - ankle))
        if not shortest < length < longest:
            raise CalibrationError(
                f'The shank of shank_{side} seems {length:.2f} m long, expected {shortest:.2f} to '
                f'{longest:.2f} m; check that its sensors are not swapped and the height given.'
            )


def _require_gain(name: str, gain: float) -> None:
    if not 1.0 / LARGEST_GAIN <= gain <= LARGEST_GAIN:
        raise CalibrationError(
            f'The accelerometer of {name} reads {gain:.2f} g at rest, expected 1.00; replace it '
            'or correct its unit.'
        )


def _standing(
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    gait: GaitTracks,
    sensors: Sequence[str],
    step: float,
) -> tuple[np.ndarray | None, float]:
    """Return (S, 3) specific force in quiet upright standing, None without, and its seconds."""
    standing = quiet_standing(angular_rate=angular_rate, step_s=step)
    for index, name in enumerate(sensors):
        if name not in LEG_SENSORS or 'foot' in name:
            continue
        usual = gait.tracks[name].world[gait.used, 2].mean(axis=0)
        usual = usual / np.linalg.norm(usual)
        force = acceleration[:, index]
        upright = force @ usual > np.cos(FARTHEST_POSTURE_RAD) * np.linalg.norm(force, axis=-1)
        standing &= upright
    seconds = float(standing.sum() * step)
    if seconds < 0.25:
        return None, 0.0
    rest = resting_direction(
        acceleration=acceleration, angular_rate=angular_rate, standing=standing
    )
    return rest, seconds


def _segment_rotation(name: str, gait: GaitTracks, rest: np.ndarray | None) -> np.ndarray:
    """Return (3, 3) segment-from-sensor; `rest` (3,) is the specific force in standing."""
    world = gait.tracks[name].world
    left = world[gait.used, 1].mean(axis=0)
    left /= np.linalg.norm(left)
    part = name.split('_')[0]
    running = np.mean(list(gait.speed_m_s.values())) > RUNNING_SPEED_M_S
    pace = 'running' if running else 'walking'
    if part in FRONTAL_TRUST:
        below = name.replace('shank', 'foot').replace('thigh', 'shank')
        long_axis = -gait.joints[below].on_parent
        if name in gait.joints:
            long_axis = long_axis + gait.joints[name].on_child
        long_axis = long_axis / np.linalg.norm(long_axis)
        level, trust = (long_axis, FRONTAL_TRUST[part]) if rest is None else (rest, 1.0)
        left = left - trust * (left @ level) / (level @ level) * level
        left /= np.linalg.norm(left)
        zero, expected, weight = long_axis, LEG_ZERO_RAD, LEG_STANDING_WEIGHT
    elif part == 'foot':
        zero = world[gait.flat[name], 2].mean(axis=0)
        expected, weight = FOOT_ZERO_RAD[pace], 0.5
    else:
        zero = world[gait.used, 2].mean(axis=0)
        expected, weight = TRUNK_ZERO_RAD[pace], 1.0
    rotation = _frame(left, zero)
    angle = expected
    if rest is not None:
        stood = rotation @ rest
        angle += weight * (float(np.arctan2(stood[0], stood[2])) - expected)
    turn = np.array(
        [
            [np.cos(angle), 0.0, -np.sin(angle)],
            [0.0, 1.0, 0.0],
            [np.sin(angle), 0.0, np.cos(angle)],
        ]
    )
    result: np.ndarray = turn @ rotation
    return result


def _frame(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Return (3, 3) rows forward, left, up; exact in `left`, nearest in `up`, both (3,)."""
    up = up - (up @ left) * left
    up = up / np.linalg.norm(up)
    return np.stack([np.cross(left, up), left, up])


def _straighten_knees(
    rotations: Mapping[str, np.ndarray], gait: GaitTracks
) -> dict[str, np.ndarray]:
    """Return the rotations with knees that never bend backward; thigh and shank share the turn."""
    turned = dict(rotations)
    for side in SIDES:
        inclination = {}
        for part in ('thigh', 'shank'):
            name = f'{part}_{side}'
            up = gait.tracks[name].world[gait.used, 2] @ turned[name].T
            inclination[part] = np.unwrap(np.arctan2(up[:, 0], up[:, 2]))
        straightest = float(np.quantile(inclination['thigh'] - inclination['shank'], 0.02))
        excess = max(0.0, STRAIGHTEST_KNEE_RAD - straightest)
        mounting = Mounting(
            sensors={
                f'{part}_{side}': SensorMounting(rotation=turned[f'{part}_{side}'])
                for part in ('thigh', 'shank')
            }
        )
        mounting = mounting.rotated(f'thigh_{side}', 0.4 * excess)
        mounting = mounting.rotated(f'shank_{side}', -0.4 * excess)
        turned.update({name: one.rotation for name, one in mounting.sensors.items()})
    return turned


def _sensor_verdict(
    name: str,
    mounting: SensorMounting,
    axis_ratio: float,
    coherence: float,
    offset: SensorTimeOffset,
) -> SensorVerdict:
    flags = []
    force_bias = float(np.linalg.norm(mounting.acceleration_bias_m_s2))
    gyro_bias = float(np.linalg.norm(mounting.gyro_bias_rad_s))
    gain = mounting.acceleration_gain
    if force_bias > 0.0:
        flags.append(
            f'{name}: accelerometer misreads by {force_bias:.1f} m/s^2 in whatever direction it '
            f'points; corrected by this bias and a gain of {gain:.2f}.'
        )
    elif abs(gain - 1.0) > FAULTY_GAIN:
        flags.append(
            f'{name}: accelerometer reads {gain:.2f} g on average over strides; corrected by a '
            f'gain of {gain:.2f}.'
        )
    if gyro_bias > FAULTY_GYRO_RAD_S:
        flags.append(
            f'{name}: gyro reads {np.rad2deg(gyro_bias):.1f} deg/s too much on average over '
            'strides; corrected.'
        )
    part = name.split('_')[0]
    if part != 'foot' and coherence < TIGHT_JOINT[part]:
        flags.append(
            f'{name}: moves with {NEIGHBOUR[part]} by {coherence:.0%} at their common joint, '
            f'expected {TIGHT_JOINT[part]:.0%}; check that it is tight.'
        )
    if offset.verdict == OUT_OF_TIME:
        flags.append(offset.sentence(name))
    return SensorVerdict(
        acceleration_gain=gain,
        acceleration_bias_m_s2=force_bias,
        gyro_bias_rad_s=gyro_bias,
        axis_variance_ratio=axis_ratio,
        sign_confidence=coherence,
        flags=tuple(flags),
        time_offset=offset,
    )


def _sentences(
    sound: bool,
    verdicts: Mapping[str, SensorVerdict],
    standing_s: float,
    walking_s: float,
    stride_s: float,
    speed: float,
) -> tuple[str, ...]:
    loosest = min(
        (name for name in verdicts if 'foot' not in name),
        key=lambda name: verdicts[name].sign_confidence,
    )
    zero = (
        f'Zero angles from {standing_s:.1f} s of quiet standing and the joint centres; expect '
        'them within about 4 degrees.'
        if standing_s
        else 'No quiet standing was found: zero angles come from walking alone; expect them '
        'within about 6 degrees, or stand still for a second before walking.'
    )
    gait = 'running' if speed > RUNNING_SPEED_M_S else 'walking'
    return (
        f'Calibration {GOOD if sound else USABLE}: {walking_s:.0f} s of {gait} at about '
        f'{speed:.2f} m/s, {walking_s / stride_s:.0f} strides of {stride_s:.2f} s.',
        zero,
        f'Least agreement at a joint: {loosest}, {verdicts[loosest].sign_confidence:.0%}.',
        *(flag for one in verdicts.values() for flag in one.flags),
    )
