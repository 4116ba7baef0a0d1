# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tell whether two sensors sit on segments that meet in a joint, whatever else is known of them.

Both move the centre of a joint that they share, so its velocity seen from either must agree.
"""

from __future__ import annotations

import numpy as np

from sspinnpose_ros.core.drift_free import Motion
from sspinnpose_ros.core.joint_centres import Track, joint_centre, relative_heading

USUAL_ARM_M = 0.2
"""How far a sensor usually is from the joint below or above it, m."""

LEAST_ARM_M = 0.05
"""How far below the upper sensor a knee or an ankle is at least, m. Recordings have 0.16 and more;
two thighs agree as well, about the hips above both."""

ROUNDS = 4


def neighbour_agreement(*, motion: Motion, upper: int, lower: int) -> float:
    """Return 0 to 1, how well the joint below one sensor moves like the one above another.

    It is 0 where the point at which they agree best is not below the upper one.

    Args:
        motion: of all sensors in steady walking.
        upper: number of the sensor above the joint.
        lower: number of the sensor below it.

    """
    period = motion.period
    used = slice(period, len(motion.level) - period)
    child, parent = _track(motion, upper), _track(motion, lower)
    on_child, on_parent = -USUAL_ARM_M * _up(child, used), USUAL_ARM_M * _up(parent, used)
    agreement = 0.0
    for _ in range(ROUNDS):
        turned = child.turned(relative_heading(child.at(on_child), parent.at(on_parent), period))
        joint = joint_centre(
            parent=parent, child=turned, on_parent=on_parent, on_child=on_child, used=used
        )
        on_child, on_parent, agreement = joint.on_child, joint.on_parent, joint.coherence
    return agreement if on_child @ _up(child, used) < -LEAST_ARM_M else 0.0


def _track(motion: Motion, number: int) -> Track:
    return Track(
        world=motion.level[:, number],
        velocity=motion.velocity[:, number],
        lever=motion.lever[:, number],
    )


def _up(track: Track, used: slice) -> np.ndarray:
    mean = track.world[used, 2].mean(axis=0)
    direction: np.ndarray = mean / np.linalg.norm(mean)
    return direction
