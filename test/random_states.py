# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw random people in random motion, for tests of the physics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.arrays import Array
from sspinnpose_ros.core.body import Body, body_from_anthropometry
from sspinnpose_ros.core.contact import ContactPoints, contact_points
from sspinnpose_ros.core.kinematics import Kinematics, kinematics

POSITION_SPREAD = np.array([5.0, 1.0, *[0.7] * 7])
VELOCITY_SPREAD = np.array([4.0, 1.0, *[6.0] * 7])
ACCELERATION_SPREAD = np.array([10.0, 10.0, *[80.0] * 7])


@dataclass(frozen=True)
class RandomStates:
    """Hold people, their motion and the ground's forces, leading dimensions `...` alike.

    Attributes:
        body: (...) people.
        q: (..., 9) coordinates.
        qd: (..., 9) velocities.
        qdd: (..., 9) accelerations.
        force: (..., 2, 2, 2) side, point, (forward, up), N.

    """

    body: Body
    q: Array
    qd: Array
    qdd: Array
    force: Array

    @property
    def motion(self) -> Kinematics:
        return kinematics(body=self.body, q=self.q, qd=self.qd, qdd=self.qdd)

    @property
    def contact(self) -> ContactPoints:
        return contact_points(body=self.body, motion=self.motion)

    def tensor(self) -> RandomStates:
        """Return the same numbers as torch tensors in double precision."""
        import torch

        q, qd, qdd, force = (
            torch.from_numpy(np.ascontiguousarray(value))
            for value in (self.q, self.qd, self.qdd, self.force)
        )
        return RandomStates(body=self.body.tensor(like=q), q=q, qd=qd, qdd=qdd, force=force)

    def __getitem__(self, index: object) -> RandomStates:
        return RandomStates(
            body=self.body.map(lambda value: value[index]),
            q=self.q[index],
            qd=self.qd[index],
            qdd=self.qdd[index],
            force=self.force[index],
        )


def random_states(*, seed: int, count: int) -> RandomStates:
    """Draw `count` people of 40-120 kg and 1.4-2.1 m in wild motion, one state each."""
    rng = np.random.default_rng(seed)
    return RandomStates(
        body=body_from_anthropometry(
            mass_kg=rng.uniform(40.0, 120.0, count), height_m=rng.uniform(1.4, 2.1, count)
        ),
        q=rng.normal(size=(count, 9)) * POSITION_SPREAD,
        qd=rng.normal(size=(count, 9)) * VELOCITY_SPREAD,
        qdd=rng.normal(size=(count, 9)) * ACCELERATION_SPREAD,
        force=rng.normal(size=(count, 2, 2, 2)) * np.array([300.0, 900.0]),
    )
