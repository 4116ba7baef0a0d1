"""Compare the physics with MuJoCo's, which reads the body from the package's own URDF."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_states import RandomStates, random_states

from sspinnpose_ros.core.body import nominal_sensor_position
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SEGMENTS, SIDES
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.urdf import body_urdf
from sspinnpose_ros.core.virtual_imu import virtual_imu

mujoco = pytest.importorskip('mujoco')

COUNT = 200

WORLD = (
    '<mujoco><compiler fusestatic="true" balanceinertia="false"/></mujoco>'
    '<link name="odom"/><joint name="odom_to_pelvis" type="floating">'
    '<parent link="odom"/><child link="pelvis"/></joint>'
)


def peer(state: RandomStates, position: np.ndarray) -> tuple[Any, Any]:
    """Build MuJoCo's model of one person with sensors and put it into the same state."""
    urdf = body_urdf(body=state.body).replace('</robot>', WORLD + '</robot>')
    spec = mujoco.MjSpec.from_string(urdf)
    for segment, (x, z) in zip(SEGMENTS, position, strict=True):
        spec.body(segment).add_site(name=segment, pos=[x, 0.0, z])
        for kind in (mujoco.mjtSensor.mjSENS_ACCELEROMETER, mujoco.mjtSensor.mjSENS_GYRO):
            spec.add_sensor(type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=segment)
    model = spec.compile()
    model.opt.gravity[:] = 0.0, 0.0, -GRAVITY
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONSTRAINT
    data = mujoco.MjData(model)
    tilt = state.q[2]
    data.qpos[:7] = state.q[0], 0.0, state.q[1], np.cos(tilt / 2), 0.0, -np.sin(tilt / 2), 0.0
    data.qvel[:6] = state.qd[0], 0.0, state.qd[1], 0.0, -state.qd[2], 0.0
    data.qacc[:6] = state.qdd[0], 0.0, state.qdd[1], 0.0, -state.qdd[2], 0.0
    for index, name in enumerate(JOINTS):
        joint = model.joint(name)
        data.qpos[joint.qposadr] = state.q[3 + index]
        data.qvel[joint.dofadr] = state.qd[3 + index]
        data.qacc[joint.dofadr] = state.qdd[3 + index]
    mujoco.mj_inverse(model, data)
    return model, data


def generalized_forces(state: RandomStates, model: Any, data: Any) -> np.ndarray:
    """Return what MuJoCo asks for beyond the contact forces, along our nine coordinates."""
    applied = np.zeros(model.nv)
    for side, name in enumerate(SIDES):
        foot = model.body(f'foot_{name}').id
        rotation = data.xmat[foot].reshape(3, 3)
        for point in range(2):
            x, z = state.body.contact_point[point]
            forward, up = state.force[side, point]
            where = data.xpos[foot] + rotation @ np.array([x, 0.0, z])
            mujoco.mj_applyFT(
                model, data, np.array([forward, 0.0, up]), np.zeros(3), where, foot, applied
            )
    tau = data.qfrc_inverse - applied
    joints = [tau[model.joint(name).dofadr[0]] for name in JOINTS]
    return np.array([tau[0], tau[2], -tau[4], *joints])


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
        model, data = peer(state, position[index])
        assert model.body_mass.sum() == pytest.approx(float(state.body.mass_kg), rel=1e-9)
        forces.append(generalized_forces(state, model, data))
        imu = data.sensordata.reshape(7, 6)
        signals.append(np.stack([imu[:, 0], imu[:, 2], -imu[:, 4]], -1))
    ours = inverse_dynamics(
        body=states.body,
        motion=states.motion,
        contact_offset=states.contact.from_ankle,
        contact_force=states.force,
    )
    assert_equal_to_1e_9(ours, np.stack(forces))
    assert_equal_to_1e_9(virtual_imu(motion=states.motion, position=position), np.stack(signals))
