# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follow every worn sensor along the walking direction, from the feet up, joint by joint.

The feet know forward by themselves: while one stands, it has the walking speed backward relative
to its own mean velocity. Each further sensor is turned so that it moves the joint it shares with
its neighbour as the neighbour does; the pelvis follows both hips, the trunk the pelvis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import SIDES
from sspinnpose_ros.core.drift_free import Motion, level_motion
from sspinnpose_ros.core.foot_track import FootTrack, foot_tracks
from sspinnpose_ros.core.joint_centres import (
    Joint,
    Track,
    coherence,
    joint_centre,
    relative_heading,
)

SHANK_OF_HEIGHT = 0.246
THIGH_OF_HEIGHT = 0.245
"""Segment lengths as parts of stature (Winter, 2009, after Drillis and Contini)."""

ROUNDS = 4


@dataclass(frozen=True, eq=False)
class GaitTracks:
    """Hold what steady walking tells about each sensor.

    Attributes:
        tracks: of each sensor, along the walking direction.
        joints: by child segment; the hip of either side by `thigh_r` and `thigh_l`, knee by the
            shank, ankle by the foot, each with the proximal segment as parent.
        coherence: per sensor, 0 to 1, how well it agrees with its neighbour (feet: how surely
            forward was found).
        flat: per foot, samples at which it is flat on the ground.
        speed_m_s: walking speed as each foot sees it.
        gain: per sensor, mean specific force over strides divided by gravity, bias removed.
        acceleration_bias_m_s2: per sensor, (3,), zero but for feet with a faulty accelerometer.
        used: the samples at which averages over strides are whole.

    """

    tracks: Mapping[str, Track]
    joints: Mapping[str, Joint]
    coherence: Mapping[str, float]
    flat: Mapping[str, np.ndarray]
    speed_m_s: Mapping[str, float]
    gain: Mapping[str, float]
    acceleration_bias_m_s2: Mapping[str, np.ndarray]
    used: slice


def gait_tracks(
    *,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    sensors: Sequence[str],
    period: int,
    step_s: float,
    height_m: float,
) -> GaitTracks:
    """Return how each sensor moves, from steady walking alone.

    Args:
        acceleration: (T, S, 3) specific force, sensor axes, m/s^2.
        angular_rate: (T, S, 3) sensor axes, gyro bias removed, rad/s.
        sensors: S names; both feet, shanks and thighs at least.
        period: of the stride, samples.
        step_s: between samples, s.
        height_m: stature, from which first guesses of the lever arms come, m.

    """
    motion = level_motion(
        acceleration=acceleration, angular_rate=angular_rate, period=period, step_s=step_s
    )
    builder = _Builder(
        used=slice(period, len(acceleration) - period), period=period, height_m=height_m
    )
    gain = {name: float(value) for name, value in zip(sensors, motion.gain, strict=True)}
    bias = {name: np.zeros(3) for name in sensors}
    tracks = {name: _track(motion, index) for index, name in enumerate(sensors)}
    column = {f'foot_{side}': list(sensors).index(f'foot_{side}') for side in SIDES}
    feet = foot_tracks(
        acceleration={foot: acceleration[:, index] for foot, index in column.items()},
        angular_rate={foot: angular_rate[:, index] for foot, index in column.items()},
        period=period,
        step_s=step_s,
    )
    for side in SIDES:
        foot = f'foot_{side}'
        gain[foot], bias[foot] = feet[foot].gain, feet[foot].bias_m_s2
        builder.add_foot(foot, feet[foot])
        builder.add_leg_segment(f'shank_{side}', tracks[f'shank_{side}'], foot)
        builder.add_leg_segment(f'thigh_{side}', tracks[f'thigh_{side}'], f'shank_{side}')
    if 'pelvis' in tracks:
        builder.add_pelvis(tracks['pelvis'])
    if 'trunk' in tracks:
        builder.add_trunk(tracks['trunk'])
    return GaitTracks(
        tracks=builder.tracks,
        joints=builder.joints,
        coherence=builder.coherence,
        flat=builder.flat,
        speed_m_s=builder.speed,
        gain=gain,
        acceleration_bias_m_s2=bias,
        used=builder.used,
    )


class _Builder:
    def __init__(self, *, used: slice, period: int, height_m: float) -> None:
        self.used = used
        self.period = period
        self.height = height_m
        self.tracks: dict[str, Track] = {}
        self.joints: dict[str, Joint] = {}
        self.coherence: dict[str, float] = {}
        self.flat: dict[str, np.ndarray] = {}
        self.speed: dict[str, float] = {}

    def add_foot(self, name: str, foot: FootTrack) -> None:
        self.tracks[name] = foot.track
        self.flat[name] = foot.flat
        self.speed[name] = foot.speed_m_s
        self.coherence[name] = foot.forward

    def add_leg_segment(self, name: str, track: Track, below: str) -> None:
        parent = self.tracks[below]
        half = 0.5 * self.height
        on_child = (
            -half * (SHANK_OF_HEIGHT if 'shank' in name else THIGH_OF_HEIGHT) * self._up(track)
        )
        if 'foot' in below:
            on_parent = -0.08 * self._forward(parent) + 0.03 * self._up(parent)
        else:
            on_parent = half * SHANK_OF_HEIGHT * self._up(parent)
        first = (on_child, on_parent)
        for _ in range(ROUNDS):
            heading = relative_heading(track.at(on_child), parent.at(on_parent), self.period)
            child = track.turned(heading)
            joint = joint_centre(
                parent=parent, child=child, on_parent=first[1], on_child=first[0], used=self.used
            )
            on_child, on_parent = joint.on_child, joint.on_parent
        self.tracks[name] = child
        self.coherence[name] = joint.coherence
        self.joints[below] = Joint(
            on_parent=joint.on_child,
            on_child=joint.on_parent,
            coherence=joint.coherence,
            residual_m_s=joint.residual_m_s,
        )

    def add_pelvis(self, track: Track) -> None:
        up = self._up(track)
        thighs = [self.tracks[f'thigh_{side}'] for side in SIDES]
        length = THIGH_OF_HEIGHT * self.height
        hips = []
        for side in SIDES:
            knee = self.joints[f'shank_{side}'].on_parent
            distance = float(np.linalg.norm(knee))
            hips.append(-knee / distance * max(length - distance, 0.3 * length))
        below = -0.08 * up
        for _ in range(ROUNDS):
            middle = np.mean([one.at(hip) for one, hip in zip(thighs, hips, strict=True)], axis=0)
            heading = relative_heading(track.at(below), middle, self.period)
            pelvis = track.turned(heading)
            self.tracks['pelvis'] = pelvis
            centre = 0.1 * self._forward(pelvis) - 0.08 * up
            aside = 0.085 * self._left(pelvis)
            found = []
            for side, thigh, hip in zip(SIDES, thighs, hips, strict=True):
                joint = joint_centre(
                    parent=pelvis,
                    child=thigh,
                    on_parent=centre + (aside if side == 'l' else -aside),
                    on_child=hip,
                    used=self.used,
                )
                self.joints[f'thigh_{side}'] = joint
                found.append(joint)
            below = np.mean([joint.on_parent for joint in found], axis=0)
        middle = np.mean(
            [one.at(joint.on_child) for one, joint in zip(thighs, found, strict=True)], axis=0
        )
        self.coherence['pelvis'] = coherence(pelvis.at(below)[self.used], middle[self.used])

    def add_trunk(self, track: Track) -> None:
        names = ('pelvis',) if 'pelvis' in self.tracks else ('thigh_r', 'thigh_l')
        below = np.mean([self.tracks[name].velocity for name in names], axis=0)
        lower = track.at(-0.3 * self._up(track))
        heading = relative_heading(lower, below, self.period)
        self.tracks['trunk'] = track.turned(heading)
        turned = self.tracks['trunk']
        moved = turned.at(-0.3 * self._up(turned))
        self.coherence['trunk'] = coherence(moved[self.used], below[self.used])

    def _up(self, track: Track) -> np.ndarray:
        return _mean_direction(track.world[self.used, 2])

    def _forward(self, track: Track) -> np.ndarray:
        return _mean_direction(track.world[self.used, 0])

    def _left(self, track: Track) -> np.ndarray:
        return _mean_direction(track.world[self.used, 1])


def _track(motion: Motion, index: int) -> Track:
    return Track(
        world=motion.level[:, index],
        velocity=motion.velocity[:, index],
        lever=motion.lever[:, index],
    )


def _mean_direction(directions: np.ndarray) -> np.ndarray:
    mean = directions.mean(axis=0)
    direction: np.ndarray = mean / np.linalg.norm(mean)
    return direction
