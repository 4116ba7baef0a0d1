# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compare the physics with pinocchio's, which reads the body from the package's own URDF."""

from __future__ import annotations

import numpy as np
import pytest
from random_states import RandomStates, random_states

from sspinnpose_ros.core.body import nominal_sensor_position
from sspinnpose_ros.core.conventions import GRAVITY, SEGMENTS
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.virtual_imu import virtual_imu
from sspinnpose_ros.evaluation.peer_dynamics import PinocchioDynamics

pin = pytest.importorskip('pinocchio')

COUNT = 300


def peer(state: RandomStates) -> PinocchioDynamics:
    """Build pinocchio's model of one person and put it into the same state."""
    it = PinocchioDynamics(state.body)
    it.place(q=state.q, qd=state.qd, qdd=state.qdd, contact_force=state.force)
    return it


def generalized_forces(state: RandomStates) -> np.ndarray:
    """Return what pinocchio's inverse dynamics asks for, along our nine coordinates."""
    it = peer(state)
    it.solve()
    return it.forces()


def imu_signals(state: RandomStates, position: np.ndarray) -> np.ndarray:
    """Return specific force and rate at a point of each link, in the link's axes."""
    it = peer(state)
    pin.forwardKinematics(it.model, it.data, it.q, it.v, it.a)
    signals = []
    for segment, (x, z) in zip(SEGMENTS, position, strict=True):
        link = it.model.frames[it.model.getFrameId(segment)]
        at = link.parentJoint, link.placement * pin.SE3(np.eye(3), np.array([x, 0.0, z]))
        acceleration = pin.getFrameClassicalAcceleration(it.model, it.data, *at).linear
        turning = pin.getFrameVelocity(it.model, it.data, *at).angular
        world_from_sensor = it.data.oMi[at[0]].rotation @ at[1].rotation
        force = acceleration + world_from_sensor.T @ np.array([0.0, 0.0, GRAVITY])
        signals.append([force[0], force[2], -turning[1]])
    return np.array(signals)


@pytest.fixture(scope='module')
def states() -> RandomStates:
    return random_states(seed=20260611, count=COUNT)


@pytest.fixture(scope='module')
def expected(states: RandomStates) -> np.ndarray:
    return np.stack([generalized_forces(states[index]) for index in range(COUNT)])


def assert_equal_to_1e_9(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Compare each column relative to its own scale over all states."""
    scale = np.abs(theirs).max(axis=0)
    assert (scale > 0.0).all()
    assert (np.abs(ours - theirs) / scale).max() < 1e-9


def test_inverse_dynamics_with_contact_in_numpy(
    states: RandomStates, expected: np.ndarray
) -> None:
    ours = inverse_dynamics(
        body=states.body,
        motion=states.motion,
        contact_offset=states.contact.from_ankle,
        contact_force=states.force,
    )
    assert_equal_to_1e_9(ours, expected)


def test_inverse_dynamics_with_contact_in_torch(
    states: RandomStates, expected: np.ndarray
) -> None:
    pytest.importorskip('torch')
    state = states.tensor()
    ours = inverse_dynamics(
        body=state.body,
        motion=state.motion,
        contact_offset=state.contact.from_ankle,
        contact_force=state.force,
    )
    assert_equal_to_1e_9(ours.numpy(), expected)


def test_virtual_imu(states: RandomStates) -> None:
    rng = np.random.default_rng(7)
    position = nominal_sensor_position(height_m=states.body.height_m)
    position = position + rng.normal(scale=0.1, size=position.shape)
    ours = virtual_imu(motion=states.motion, position=position)
    theirs = np.stack([imu_signals(states[index], position[index]) for index in range(COUNT)])
    assert_equal_to_1e_9(ours, theirs)
