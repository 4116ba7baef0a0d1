# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say where every frame of the skeleton is: the moving ones, the soles and the sensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import (
    JOINT_SIGNS,
    PARENTS,
    SEGMENTS,
    SENSORS,
    SIDES,
)
from sspinnpose_ros.core.mounting import Mounting
from sspinnpose_ros.core.urdf import hip_half_width


@dataclass(frozen=True, eq=False)
class FramePose:
    """Place one frame in its parent.

    Attributes:
        parent: name of the parent frame.
        child: name of the frame.
        translation: (3,) its origin in the parent, x forward, y left, z up, m.
        rotation_xyzw: (4,) unit quaternion that turns its vectors into the parent's.

    """

    parent: str
    child: str
    translation: np.ndarray
    rotation_xyzw: np.ndarray


def resting_poses(*, body: Body) -> list[FramePose]:
    """Place the seven segments in their parents at upright standing.

    Args:
        body: one person.

    Returns:
        Poses in the order of `conventions.SEGMENTS`, all unturned, the pelvis at the origin.

    """
    hip = hip_half_width(body=body)
    thigh, shank = (float(length) for length in body.leg_length)
    origin = {
        'pelvis': (0.0, 0.0, 0.0),
        'thigh_r': (0.0, -hip, 0.0),
        'thigh_l': (0.0, hip, 0.0),
        'shank_r': (0.0, 0.0, -thigh),
        'shank_l': (0.0, 0.0, -thigh),
        'foot_r': (0.0, 0.0, -shank),
        'foot_l': (0.0, 0.0, -shank),
    }
    return [
        FramePose(PARENTS[name], name, np.array(origin[name]), np.array([0.0, 0.0, 0.0, 1.0]))
        for name in SEGMENTS
    ]


def half_turns(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn coordinates into the quaternions of the segments in their parents.

    Args:
        q: (..., 9) generalized coordinates, rad in all but the first two.

    Returns:
        The y and the w component (..., 7) of the quaternions in the order of
        `conventions.SEGMENTS`; x and z vanish in the sagittal plane.

    """
    # An inclination is a turn about the axis to the right, hence the sign.
    half = -0.5 * q[..., 2:] * _SIGNS
    return np.sin(half), np.cos(half)


_SIGNS = np.array((1.0, *JOINT_SIGNS))


def sole_poses(*, body: Body) -> list[FramePose]:
    """Place `sole_r` and `sole_l` on the sole below the ankle, in their feet."""
    below = np.array([0.0, 0.0, -float(body.ankle_height)])
    return [
        FramePose(f'foot_{side}', f'sole_{side}', below, np.array([0.0, 0.0, 0.0, 1.0]))
        for side in SIDES
    ]


def sensor_poses(
    *, position_m: np.ndarray, mounting: Mounting, sensors: Sequence[str]
) -> list[FramePose]:
    """Place the frame `imu_<segment>` of each sensor in its segment.

    Args:
        position_m: (7, 3) sensors in their segment frames, x forward, y left, z up, m.
        mounting: how they sit; sensors without one are left out.
        sensors: those to place.

    Returns:
        One pose a sensor, in the order of `sensors`.

    """
    return [
        FramePose(
            name,
            f'imu_{name}',
            position_m[SENSORS.index(name)],
            quaternion_xyzw(mounting.sensors[name].rotation),
        )
        for name in sensors
        if name in mounting.sensors
    ]


def quaternion_xyzw(rotation: np.ndarray) -> np.ndarray:
    """Turn a rotation matrix (3, 3) into a unit quaternion (4,) with x, y, z, w, w >= 0."""
    m = rotation
    # The largest component is found first, so that no division is by a small number.
    squares = np.array(
        [
            1.0 + m[0, 0] - m[1, 1] - m[2, 2],
            1.0 - m[0, 0] + m[1, 1] - m[2, 2],
            1.0 - m[0, 0] - m[1, 1] + m[2, 2],
            1.0 + m[0, 0] + m[1, 1] + m[2, 2],
        ]
    )
    sums = np.array(
        [
            [0.0, m[1, 0] + m[0, 1], m[2, 0] + m[0, 2], m[2, 1] - m[1, 2]],
            [m[1, 0] + m[0, 1], 0.0, m[2, 1] + m[1, 2], m[0, 2] - m[2, 0]],
            [m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], 0.0, m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], 0.0],
        ]
    )
    largest = int(np.argmax(squares))
    quaternion: np.ndarray = sums[largest].copy()
    quaternion[largest] = squares[largest]
    quaternion /= np.linalg.norm(quaternion)
    return quaternion if quaternion[3] >= 0.0 else -quaternion
