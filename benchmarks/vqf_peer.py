# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Work out what IMUs tell without learning, frame by frame: VQF, then inverse dynamics."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter
from vqf import VQF

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.kinematics import joint_angles
from sspinnpose_ros.core.mounting import MountingArrays
from sspinnpose_ros.evaluation.peer_dynamics import PinocchioDynamics

CUTOFF_HZ = 20.0
"""Of the second-order Butterworth low-pass, as of evaluation/classical_baseline.py."""


class Orientations:
    """Follow the orientation of seven segments with VQF, without magnetometers."""

    def __init__(self, *, mounting: MountingArrays, period_s: float) -> None:
        self.mounting = mounting
        self._filters = [VQF(period_s) for _ in SENSORS]

    def segment_signals(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Return specific force and rates (7, 3) in segment axes, as the mounting turns them."""
        it = self.mounting
        force = (frame.imu[:, :3] - it.acceleration_bias_m_s2) / it.acceleration_gain[:, None]
        rate = frame.imu[:, 3:] - it.gyro_bias_rad_s
        turned = it.rotation @ np.stack([force, rate], -1)
        return np.ascontiguousarray(turned[..., 0]), np.ascontiguousarray(turned[..., 1])

    def step(self, frame: Frame) -> np.ndarray:
        """Take one frame and return (7, 4) world-from-segment quaternions, w first."""
        return self.quaternions(*self.segment_signals(frame))

    def quaternions(self, force: np.ndarray, rate: np.ndarray) -> np.ndarray:
        """Take signals (7, 3) in segment axes and return (7, 4), as `step` does."""
        answer = np.empty((len(SENSORS), 4))
        for row, each in enumerate(self._filters):
            each.update(rate[row], force[row])
            answer[row] = each.getQuat6D()
        return answer


class ClassicalPipeline:
    """Turn frames into joint moments: VQF, angles, differences, pinocchio.

    Where the ground presses is not known to it, so that its moments hold for legs in swing.
    """

    def __init__(self, *, body: Body, mounting: MountingArrays, period_s: float) -> None:
        self._orientations = Orientations(mounting=mounting, period_s=period_s)
        self._dynamics = PinocchioDynamics(body)
        self._period = period_s
        self._b, self._a = butter(2, 2.0 * CUTOFF_HZ * period_s)
        self._memory = np.zeros((2, 16))
        self._last = np.zeros(7)

    def step(self, frame: Frame) -> np.ndarray:
        """Take one frame and return (9,) generalized forces, N and N m."""
        force, rate = self._orientations.segment_signals(frame)
        w, x, y, z = self._orientations.quaternions(force, rate).T
        # The vertical in segment axes gives the inclination, whatever the heading.
        inclination = np.arctan2(2.0 * (x * z - w * y), 1.0 - 2.0 * (x * x + y * y))
        turning = -rate[:, 1]
        cos, sin = np.cos(inclination[0]), np.sin(inclination[0])
        forward = cos * force[0, 0] - sin * force[0, 2]
        up = sin * force[0, 0] + cos * force[0, 2] - GRAVITY
        smooth = self._low_pass(
            np.array(
                [
                    *(inclination[0], *joint_angles(inclination)),
                    *(turning[0], *joint_angles(turning)),
                    *(forward, up),
                ]
            )
        )
        speed, acceleration = smooth[7:14], smooth[14:]
        change = (speed - self._last) / self._period
        self._last = speed
        still = np.zeros(2)
        self._dynamics.place_motion(
            q=np.concatenate([still, smooth[:7]]),
            qd=np.concatenate([still, speed]),
            qdd=np.concatenate([acceleration, change]),
        )
        self._dynamics.solve()
        return self._dynamics.forces()

    def _low_pass(self, raw: np.ndarray) -> np.ndarray:
        """Return the newest values without what is faster than the cut-off."""
        smooth: np.ndarray = self._b[0] * raw + self._memory[0]
        self._memory[0] = self._b[1] * raw - self._a[1] * smooth + self._memory[1]
        self._memory[1] = self._b[2] * raw - self._a[2] * smooth
        return smooth
