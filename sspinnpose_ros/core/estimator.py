# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn synchronized IMU frames into estimates, one at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.decoder import BodyState, decode
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimator_state import EstimatorState
from sspinnpose_ros.core.features import network_input
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.inclination import (
    has_settled,
    inclination_step,
    initial_inclination_state,
)
from sspinnpose_ros.core.mechanics import mechanics
from sspinnpose_ros.core.model_file import Model
from sspinnpose_ros.core.mounting import Mounting, sagittal_signals
from sspinnpose_ros.core.native_step import NativeStep, is_native
from sspinnpose_ros.core.network_step import NetworkStep
from sspinnpose_ros.core.subject import Subject
from sspinnpose_ros.core.uncertainty import (
    Uncertainty,
    UncertaintyHead,
    follow_residual,
    has_head,
    unknown_uncertainty,
)
from sspinnpose_ros.core.virtual_imu import virtual_imu

LOADED_SHARE = 0.03
"""Share of body weight from which a foot has a centre of pressure."""


class Estimator:
    """Estimate motion, moments and ground reaction of one wearer.

    The state goes in and out of `step`; the object holds constants, and where it steps in C the
    memory to work on, so that threads must not share it.

    Raises:
        ModelError: for weights of another network.
        CalibrationError: for a mounting that lacks a sensor.

    """

    def __init__(self, *, model: Model, subject: Subject, mounting: Mounting) -> None:
        self.model = model
        self.subject = subject
        self.rate_hz = model.rate_hz
        self.body: Body = subject.body()
        self._network = NetworkStep(model.weights)
        self._head = (
            UncertaintyHead(model.weights, body=self.body) if has_head(model.weights) else None
        )
        # A sensor that was never calibrated must never be read; it then counts as absent.
        self.mounted = np.array([name in mounting.sensors for name in model.sensors])
        self.mounting = mounting
        self.mounting_arrays = mounting.arrays(
            [name for name in model.sensors if name in mounting.sensors]
        )
        self.sensor_position_m = subject.sensor_position_m[:, [0, 2]]
        self._native = (
            NativeStep(
                weights=model.weights,
                body=self.body,
                mounting=mounting,
                sensor_position=self.sensor_position_m,
                rate_hz=model.rate_hz,
            )
            if is_native()
            else None
        )

    def initial_state(self) -> EstimatorState:
        """Return the state before the first frame."""
        return EstimatorState(
            inclination=initial_inclination_state(),
            recurrent=self._network.initial_state(),
            pelvis_forward=0.0,
            last_speed=float('nan'),
            residual_square=np.full((len(self.mounted), 2), np.nan),
        )

    def sagittal(self, imu: np.ndarray) -> np.ndarray:
        """Turn raw readings into sagittal signals.

        Args:
            imu: (..., 7, 6) specific force [m/s^2] and angular rate [rad/s], sensor axes.

        Returns:
            (..., 7, 3) as `conventions.SAGITTAL_CHANNELS`; zero for sensors without mounting.

        """
        signals = np.zeros((*imu.shape[:-1], 3))
        chosen = imu[..., self.mounted, :]
        signals[..., self.mounted, :] = sagittal_signals(
            acceleration=chosen[..., :3],
            angular_rate=chosen[..., 3:],
            mounting=self.mounting_arrays,
        )
        return signals

    def settled(self, state: EstimatorState) -> np.ndarray:
        """Return (7,) bool: whose inclination filter has found the vertical."""
        return has_settled(state.inclination, period_s=1.0 / self.rate_hz)

    def step(
        self, state: EstimatorState, frame: Frame, *, used: np.ndarray | None = None
    ) -> tuple[EstimatorState, Estimate]:
        """Advance by one frame.

        Args:
            state: from the previous step, left as it is.
            frame: the next grid point, one period after the previous one.
            used: (7,) bool, the sensors to estimate from; all when None. Of the others that are
                there, inclination and residual are still followed.

        Returns:
            The following state and the estimate.

        """
        there = frame.present & self.mounted
        chosen = there if used is None else there & used
        if self._native is not None:
            return self._native(state, frame, there=there, chosen=chosen)
        present = chosen.astype(np.float64)
        period = 1.0 / self.rate_hz
        measured = self.sagittal(frame.imu) * there[:, None]
        inclination, angle, change = inclination_step(
            state=state.inclination, sagittal=measured, present=there, period_s=period
        )
        sagittal, angle, change = measured * present[:, None], angle * present, change * present
        inputs = network_input(
            sagittal=sagittal,
            rate_change=change,
            inclination=angle,
            present=present,
            mass_kg=self.body.mass_kg,
            height_m=self.body.height_m,
        )
        output, recurrent = self._network(inputs, state.recurrent)
        body_state = decode(
            output=output.astype(np.float64),
            inclination=angle,
            rate=sagittal[:, 2],
            present=present,
            body=self.body,
        )
        speed = float(body_state.qd[0])
        last = speed if np.isnan(state.last_speed) else state.last_speed
        forward = state.pelvis_forward + 0.5 * (speed + last) * period
        estimate = self._estimate(
            frame=frame,
            state=body_state,
            forward=forward,
            measured=measured,
            there=there,
            present=chosen,
        )
        residual_square = follow_residual(
            state.residual_square, residual=estimate.residual, present=present, period_s=period
        )
        sigma = self._uncertainty(
            recurrent=recurrent, present=present, residual_square=residual_square
        )
        following = EstimatorState(
            inclination=inclination,
            recurrent=recurrent,
            pelvis_forward=forward,
            last_speed=speed,
            residual_square=residual_square,
        )
        return following, replace(
            estimate,
            angle_sigma=sigma.angle,
            effort_sigma=sigma.effort,
            ground_force_sigma=sigma.ground_force,
        )

    def _uncertainty(
        self, *, recurrent: np.ndarray, present: np.ndarray, residual_square: np.ndarray
    ) -> Uncertainty:
        if self._head is None:
            return unknown_uncertainty()
        return self._head(recurrent=recurrent[-1, 0], present=present, mean_square=residual_square)

    def _estimate(
        self,
        *,
        frame: Frame,
        state: BodyState,
        forward: float,
        measured: np.ndarray,
        there: np.ndarray,
        present: np.ndarray,
    ) -> Estimate:
        body = self.body
        found = mechanics(body=body, state=state)
        motion, points = found.motion, found.points
        virtual = virtual_imu(motion=motion, position=self.sensor_position_m)
        q = state.q.copy()
        q[0] = forward
        return Estimate(
            time_s=frame.time_s,
            q=q,
            qd=state.qd,
            qdd=state.qdd,
            effort=found.effort,
            contact_force=state.contact_force,
            ground_force=state.contact_force.sum(-2),
            cop_forward=_centre_of_pressure(
                position=points.position, force=state.contact_force, weight=self._weight
            ),
            sole_wrench=_sole_wrench(
                offset=points.from_ankle,
                force=state.contact_force,
                cos=motion.cos[[3, 6]],
                sin=motion.sin[[3, 6]],
                ankle_height=float(body.ankle_height),
            ),
            pelvis_residual=found.pelvis_residual,
            virtual_imu=virtual,
            residual=np.where(there[:, None], measured - virtual, np.nan),
            present=present,
        )

    @property
    def steps_in_c(self) -> bool:
        """Whether the step runs in C; else in Python, with the same result, but slower."""
        return self._native is not None

    @property
    def tells_sigma(self) -> bool:
        """Whether the estimates have sigmas: the model is of version 2 or later."""
        return self._head is not None

    @property
    def _weight(self) -> float:
        return float(self.body.mass_kg) * GRAVITY


def _centre_of_pressure(*, position: np.ndarray, force: np.ndarray, weight: float) -> np.ndarray:
    load = force[..., 1].sum(-1)
    loaded = load > LOADED_SHARE * weight
    moment = (position[..., 0] * force[..., 1]).sum(-1)
    return np.where(loaded, moment / np.where(loaded, load, 1.0), np.nan)


def _sole_wrench(
    *,
    offset: np.ndarray,
    force: np.ndarray,
    cos: np.ndarray,
    sin: np.ndarray,
    ankle_height: float,
) -> np.ndarray:
    total = force.sum(-2)
    sole = ankle_height * np.stack([sin, -cos], -1)
    arm = offset - sole[:, None]
    about_right = (arm[..., 0] * force[..., 1] - arm[..., 1] * force[..., 0]).sum(-1)
    return np.stack(
        [
            cos * total[:, 0] + sin * total[:, 1],
            cos * total[:, 1] - sin * total[:, 0],
            -about_right,
        ],
        -1,
    )
