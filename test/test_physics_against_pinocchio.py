"""Compare the physics with pinocchio's, which reads the body from the package's own URDF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from random_states import RandomStates, random_states

from sspinnpose_ros.core.body import nominal_sensor_position
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SEGMENTS, SIDES
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.urdf import body_urdf
from sspinnpose_ros.core.virtual_imu import virtual_imu

pin = pytest.importorskip('pinocchio')

COUNT = 300


@dataclass(frozen=True)
class Peer:
    """Hold a pinocchio model in one state, the pelvis being a free flyer."""

    model: Any
    data: Any
    q: np.ndarray
    v: np.ndarray
    a: np.ndarray
    pelvis_from_world: np.ndarray

    def joint(self, name: str) -> Any:
        return self.model.joints[self.model.getJointId(name)]


def peer(state: RandomStates) -> Peer:
    """Build pinocchio's model of one person and put it into the same state."""
    model = pin.buildModelFromXML(body_urdf(body=state.body), pin.JointModelFreeFlyer())
    model.gravity.linear = np.array([0.0, 0.0, -GRAVITY])
    # Inclinations turn about the axis to the right, that is about -y.
    rotation = pin.rpy.rpyToMatrix(0.0, -state.q[2], 0.0)
    q, v, a = pin.neutral(model), np.zeros(model.nv), np.zeros(model.nv)
    q[:3] = state.q[0], 0.0, state.q[1]
    q[3:7] = pin.Quaternion(rotation).coeffs()
    turning = np.array([0.0, -state.qd[2], 0.0])
    v[:3] = rotation.T @ np.array([state.qd[0], 0.0, state.qd[1]])
    v[3:6] = turning
    a[:3] = rotation.T @ np.array([state.qdd[0], 0.0, state.qdd[1]]) - np.cross(turning, v[:3])
    a[4] = -state.qdd[2]
    for index, name in enumerate(JOINTS):
        joint = model.joints[model.getJointId(name)]
        q[joint.idx_q] = state.q[3 + index]
        v[joint.idx_v] = state.qd[3 + index]
        a[joint.idx_v] = state.qdd[3 + index]
    return Peer(model, model.createData(), q, v, a, rotation.T)


def generalized_forces(state: RandomStates) -> np.ndarray:
    """Return what pinocchio's inverse dynamics asks for, along our nine coordinates."""
    it = peer(state)
    pin.forwardKinematics(it.model, it.data, it.q)
    applied = [pin.Force.Zero() for _ in range(it.model.njoints)]
    for side, name in enumerate(SIDES):
        ankle = it.model.getJointId(f'ankle_angle_{name}')
        foot_from_world = it.data.oMi[ankle].rotation.T
        for point in range(2):
            x, z = state.body.contact_point[point]
            forward, up = state.force[side, point]
            force = foot_from_world @ np.array([forward, 0.0, up])
            applied[ankle] += pin.Force(force, np.cross([x, 0.0, z], force))
    tau = pin.rnea(it.model, it.data, it.q, it.v, it.a, pin.StdVec_Force(applied))
    root = it.pelvis_from_world.T @ tau[:3]
    joints = [tau[it.joint(name).idx_v] for name in JOINTS]
    return np.array([root[0], root[2], -tau[4], *joints])


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
