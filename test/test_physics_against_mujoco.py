# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compare the physics with MuJoCo's, which reads the body from the package's own URDF."""

from __future__ import annotations

import numpy as np
import pytest
from random_states import RandomStates, random_states

from sspinnpose_ros.core.body import nominal_sensor_position
from sspinnpose_ros.core.conventions import SEGMENTS
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.virtual_imu import virtual_imu
from sspinnpose_ros.evaluation.peer_dynamics import MujocoDynamics, mujoco_spec

mujoco = pytest.importorskip('mujoco')

COUNT = 200


def peer(state: RandomStates, position: np.ndarray) -> MujocoDynamics:
    """Build MuJoCo's model of one person with sensors and solve the same state."""
    spec = mujoco_spec(state.body)
    for segment, (x, z) in zip(SEGMENTS, position, strict=True):
        spec.body(segment).add_site(name=segment, pos=[x, 0.0, z])
        for kind in (mujoco.mjtSensor.mjSENS_ACCELEROMETER, mujoco.mjtSensor.mjSENS_GYRO):
            spec.add_sensor(type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=segment)
    it = MujocoDynamics(state.body, spec=spec)
    it.place(q=state.q, qd=state.qd, qdd=state.qdd, contact_force=state.force)
    it.solve()
    return it


def assert_equal_to_1e_9(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Compare each column relative to its own scale over all states."""
    scale = np.abs(theirs).max(axis=0)
    assert (scale > 0.0).all()
    assert (np.abs(ours - theirs) / scale).max() < 1e-9


def test_inverse_dynamics_and_virtual_imu() -> None:
    states = random_states(seed=33, count=COUNT)
    rng = np.random.default_rng(8)
    position = nominal_sensor_position(height_m=states.body.height_m)
    position = position + rng.normal(scale=0.1, size=position.shape)
    forces, signals = [], []
    for index in range(COUNT):
        state = states[index]
        it = peer(state, position[index])
        assert it.model.body_mass.sum() == pytest.approx(float(state.body.mass_kg), rel=1e-9)
        forces.append(it.forces())
        imu = it.data.sensordata.reshape(7, 6)
        signals.append(np.stack([imu[:, 0], imu[:, 2], -imu[:, 4]], -1))
    ours = inverse_dynamics(
        body=states.body,
        motion=states.motion,
        contact_offset=states.contact.from_ankle,
        contact_force=states.force,
    )
    assert_equal_to_1e_9(ours, np.stack(forces))
    assert_equal_to_1e_9(virtual_imu(motion=states.motion, position=position), np.stack(signals))
