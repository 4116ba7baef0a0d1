# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A wrench at the sole is the same force in the world, on the same line."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sspinnpose_ros.core.body import body_from_anthropometry
from sspinnpose_ros.core.contact import FEET
from sspinnpose_ros.core.kinematics import kinematics, rotate
from sspinnpose_ros.core.sole_wrench import ground_reaction, sole_positions

BODY = body_from_anthropometry(mass_kg=np.array(70.0), height_m=np.array(1.75))
LENGTHS = {'leg_length': BODY.leg_length, 'ankle_height': float(BODY.ankle_height)}

poses = arrays(np.float64, (4, 9), elements=st.floats(-0.8, 0.8))
wrenches = arrays(np.float64, (4, 2, 3), elements=st.floats(-300.0, 300.0))


@given(poses)
def test_soles_are_where_the_kinematics_put_them(q: np.ndarray) -> None:
    motion = kinematics(body=BODY.map(lambda v: v[None]), q=q, qd=0 * q, qdd=0 * q)
    down = np.array([0.0, -float(BODY.ankle_height)])
    for side, foot in enumerate(FEET):
        sole = motion.position[:, foot] + rotate(
            cos=motion.cos[:, foot], sin=motion.sin[:, foot], vector=down
        )
        np.testing.assert_allclose(sole_positions(q=q, **LENGTHS)[:, side], sole, atol=1e-12)


@given(poses, wrenches)
def test_force_and_moment_are_kept(q: np.ndarray, wrench: np.ndarray) -> None:
    force, ahead = ground_reaction(q=q, sole_wrench=wrench, least_load_n=20.0, **LENGTHS)
    np.testing.assert_allclose(
        np.linalg.norm(force, axis=-1), np.linalg.norm(wrench[..., :2], axis=-1), atol=1e-9
    )
    assert (np.isnan(ahead) == (force[..., 1] <= 20.0)).all()
    # From the sole to where the line of action meets the ground.
    arm = np.stack([ahead + q[:, None, 0], np.zeros_like(ahead)], -1)
    arm = arm - sole_positions(q=q, **LENGTHS)
    about_left = -(arm[..., 0] * force[..., 1] - arm[..., 1] * force[..., 0])
    loaded = np.isfinite(ahead)
    np.testing.assert_allclose(about_left[loaded], wrench[..., 2][loaded], atol=1e-6)


@given(arrays(np.float64, (2, 2, 2), elements=st.floats(5.0, 500.0)))
def test_on_flat_feet_it_is_the_mean_of_heel_and_toe(contact: np.ndarray) -> None:
    height = float(BODY.leg_length.sum() + BODY.ankle_height)
    q = np.array([3.0, height, *np.zeros(7)])
    points = BODY.contact_point[:, 0]
    up = contact[..., 1]
    total = contact.sum(1)
    wrench = np.concatenate([total, -(points * up).sum(-1)[:, None]], -1)
    force, ahead = ground_reaction(q=q, sole_wrench=wrench, least_load_n=1.0, **LENGTHS)
    np.testing.assert_allclose(force, total, rtol=1e-12)
    np.testing.assert_allclose(ahead, (points * up).sum(-1) / up.sum(-1), atol=1e-9)
