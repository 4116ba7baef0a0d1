# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let pinocchio and MuJoCo do the inverse dynamics of a body, from its own URDF.

Both see a skeleton in space whose root flies freely; the state lies in the sagittal plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SIDES
from sspinnpose_ros.core.urdf import body_urdf

FLOATING_ROOT = (
    '<mujoco><compiler fusestatic="true" balanceinertia="false"/></mujoco>'
    '<link name="odom"/><joint name="odom_to_pelvis" type="floating">'
    '<parent link="odom"/><child link="pelvis"/></joint>'
)


class PinocchioDynamics:
    """Solve inverse dynamics with pinocchio's recursive Newton-Euler algorithm.

    `place` puts the model into a state, `solve` is pinocchio's call alone and `forces` reads its
    answer; a benchmark times `solve`.

    Attributes:
        model, data: pinocchio's, the root being a free flyer.
        q, v, a: pinocchio's coordinates, velocities and accelerations, once placed.

    Raises:
        ImportError: without the package pin.

    """

    def __init__(self, body: Body) -> None:
        import pinocchio as pin

        self._pin: Any = pin
        self._contact_point = np.asarray(body.contact_point)
        self.model = pin.buildModelFromXML(body_urdf(body=body), pin.JointModelFreeFlyer())
        self.model.gravity.linear = np.array([0.0, 0.0, -GRAVITY])
        self.data = self.model.createData()
        joints = [self.model.joints[self.model.getJointId(name)] for name in JOINTS]
        self._in_q = [joint.idx_q for joint in joints]
        self._in_v = [joint.idx_v for joint in joints]
        self._ankle = [self.model.getJointId(f'ankle_angle_{side}') for side in SIDES]
        self.q = pin.neutral(self.model)
        self.v, self.a = np.zeros(self.model.nv), np.zeros(self.model.nv)
        self._rotation = np.eye(3)
        self._applied = pin.StdVec_Force([pin.Force.Zero()] * self.model.njoints)

    def place(
        self, *, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray, contact_force: np.ndarray
    ) -> None:
        """Put the model into a state.

        Args:
            q: (9,) `conventions.COORDINATES`, m and rad.
            qd: (9,) velocities.
            qdd: (9,) accelerations.
            contact_force: (2, 2, 2) side, heel and toe, (forward, up), world axes, N.

        """
        self.place_motion(q=q, qd=qd, qdd=qdd)
        pin = self._pin
        pin.forwardKinematics(self.model, self.data, self.q)
        applied = [pin.Force.Zero() for _ in range(self.model.njoints)]
        for side, ankle in enumerate(self._ankle):
            foot_from_world = self.data.oMi[ankle].rotation.T
            for (x, z), (forward, up) in zip(
                self._contact_point, contact_force[side], strict=True
            ):
                force = foot_from_world @ np.array([forward, 0.0, up])
                applied[ankle] += pin.Force(force, np.cross([x, 0.0, z], force))
        self._applied = pin.StdVec_Force(applied)

    def place_motion(self, *, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray) -> None:
        """Put the model into a motion and leave the contact forces as they are."""
        # Inclinations turn about the axis to the right, that is about -y.
        tilt = float(q[2])
        cos, sin = np.cos(tilt), np.sin(tilt)
        self._rotation = np.array([[cos, 0.0, -sin], [0.0, 1.0, 0.0], [sin, 0.0, cos]])
        pelvis_from_world = self._rotation.T
        self.q[:3] = q[0], 0.0, q[1]
        self.q[3:7] = 0.0, -np.sin(0.5 * tilt), 0.0, np.cos(0.5 * tilt)
        self.v[:3] = pelvis_from_world @ (qd[0], 0.0, qd[1])
        self.v[4] = turning = -qd[2]
        self.a[:3] = pelvis_from_world @ (qdd[0], 0.0, qdd[1])
        # Pinocchio's accelerations are those of its moving axes.
        self.a[0] -= turning * self.v[2]
        self.a[2] += turning * self.v[0]
        self.a[4] = -qdd[2]
        self.q[self._in_q] = q[3:]
        self.v[self._in_v] = qd[3:]
        self.a[self._in_v] = qdd[3:]

    def solve(self) -> None:
        """Let pinocchio solve the placed state."""
        self._pin.rnea(self.model, self.data, self.q, self.v, self.a, self._applied)

    def forces(self) -> np.ndarray:
        """Return (9,) what was solved, as `core.dynamics.inverse_dynamics` orders it."""
        tau = self.data.tau
        root = self._rotation @ tau[:3]
        return np.array([root[0], root[2], -tau[4], *tau[self._in_v]])


def mujoco_spec(body: Body) -> Any:
    """Return MuJoCo's editable description of a body whose root flies freely.

    Raises:
        ImportError: without the package mujoco.

    """
    import mujoco

    urdf = body_urdf(body=body).replace('</robot>', FLOATING_ROOT + '</robot>')
    return mujoco.MjSpec.from_string(urdf)


class MujocoDynamics:
    """Solve inverse dynamics with MuJoCo's `mj_inverse`, as `PinocchioDynamics` does with its.

    `mj_inverse` knows nothing of given contact forces, so `forces` takes them off.

    Attributes:
        model, data: MuJoCo's, the root being a free joint.

    Raises:
        ImportError: without the package mujoco.

    """

    def __init__(self, body: Body, *, spec: Any = None) -> None:
        """Compile `spec`, by default `mujoco_spec(body)`."""
        import mujoco

        self._mujoco: Any = mujoco
        self._contact_point = np.asarray(body.contact_point)
        self._contact_force = np.zeros((2, 2, 2))
        self.model = (mujoco_spec(body) if spec is None else spec).compile()
        self.model.opt.gravity[:] = 0.0, 0.0, -GRAVITY
        self.model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONSTRAINT
        self.data = mujoco.MjData(self.model)
        joints = [self.model.joint(name) for name in JOINTS]
        self._in_q = [int(joint.qposadr[0]) for joint in joints]
        self._in_v = [int(joint.dofadr[0]) for joint in joints]
        self._feet = [self.model.body(f'foot_{side}').id for side in SIDES]

    def place(
        self, *, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray, contact_force: np.ndarray
    ) -> None:
        """Put the model into a state; arguments as `PinocchioDynamics.place` takes them."""
        half, data = 0.5 * float(q[2]), self.data
        data.qpos[:7] = q[0], 0.0, q[1], np.cos(half), 0.0, -np.sin(half), 0.0
        for speeds, values in ((data.qvel, qd), (data.qacc, qdd)):
            speeds[:6] = values[0], 0.0, values[1], 0.0, -values[2], 0.0
            speeds[self._in_v] = values[3:]
        data.qpos[self._in_q] = q[3:]
        self._contact_force = contact_force

    def solve(self) -> None:
        """Let MuJoCo solve the placed state."""
        self._mujoco.mj_inverse(self.model, self.data)

    def forces(self) -> np.ndarray:
        """Return (9,) what was solved, as `core.dynamics.inverse_dynamics` orders it."""
        applied = np.zeros(self.model.nv)
        for side, foot in enumerate(self._feet):
            rotation = self.data.xmat[foot].reshape(3, 3)
            for (x, z), (forward, up) in zip(
                self._contact_point, self._contact_force[side], strict=True
            ):
                self._mujoco.mj_applyFT(
                    self.model,
                    self.data,
                    np.array([forward, 0.0, up]),
                    np.zeros(3),
                    self.data.xpos[foot] + rotation @ np.array([x, 0.0, z]),
                    foot,
                    applied,
                )
        tau = self.data.qfrc_inverse - applied
        return np.array([tau[0], tau[2], -tau[4], *tau[self._in_v]])


@dataclass(frozen=True)
class Engine:
    """Say what an engine is called.

    Attributes:
        name: in tables.
        module: that Python imports.
        package: to install from PyPI.
        solver: class that solves for one body.

    """

    name: str
    module: str
    package: str
    solver: type[PinocchioDynamics | MujocoDynamics]

    @property
    def installed(self) -> bool:
        """Whether the engine can be imported."""
        return find_spec(self.module) is not None


ENGINES = (
    Engine('pinocchio', 'pinocchio', 'pin', PinocchioDynamics),
    Engine('MuJoCo', 'mujoco', 'mujoco', MujocoDynamics),
)
"""Engines to stand beside ours."""
