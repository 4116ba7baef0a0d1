# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compute joint moments from motion and contact forces by planar Newton-Euler recursion."""

from __future__ import annotations

from sspinnpose_ros.core.arrays import Array, namespace
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.kinematics import Kinematics, rotate


def inverse_dynamics(
    *,
    body: Body,
    motion: Kinematics,
    contact_offset: Array | None = None,
    contact_force: Array | None = None,
) -> Array:
    """Return the generalized forces that produce a motion under gravity and contact.

    Args:
        body: batch shape `...` (or broadcastable).
        motion: of the seven segments, batch shape `...`.
        contact_offset: (..., 2, 2, 2) heel and toe from the ankle, world axes, m.
        contact_force: (..., 2, 2, 2) force of the ground on them, world axes, N.

    Returns:
        (..., 9) forces along pelvis forward and up (N), the moment about the hip mid-point
        along pelvis tilt, and the six joint moments (N m), each along its own coordinate. The
        first three must vanish for a body that only the ground touches: what is left of them
        is the residual of the equations of motion.

    Source: recursive Newton-Euler; Gambietz et al. (2026), equations of motion.

    """
    xp = namespace(motion.cos)
    lever = rotate(cos=motion.cos, sin=motion.sin, vector=body.segment_com)
    alpha, w2 = motion.angular_acceleration, motion.rate * motion.rate
    lever_x, lever_z = lever[..., 0], lever[..., 1]
    force_x = body.segment_mass * (motion.acceleration[..., 0] - alpha * lever_z - w2 * lever_x)
    force_z = body.segment_mass * (
        motion.acceleration[..., 1] + alpha * lever_x - w2 * lever_z + GRAVITY
    )
    moment = body.segment_inertia * alpha + lever_x * force_z - lever_z * force_x

    hips_x, hips_z, hips, joints = [], [], [], []
    for side, thigh in enumerate((1, 4)):
        shank, foot = thigh + 1, thigh + 2
        fx, fz, about = force_x[..., foot], force_z[..., foot], moment[..., foot]
        if contact_force is not None and contact_offset is not None:
            ground, offset = contact_force[..., side, :, :], contact_offset[..., side, :, :]
            fx = fx - ground[..., 0].sum(-1)
            fz = fz - ground[..., 1].sum(-1)
            about = about - (
                offset[..., 0] * ground[..., 1] - offset[..., 1] * ground[..., 0]
            ).sum(-1)
        ankle = about
        below = motion.position[..., foot, :] - motion.position[..., shank, :]
        knee = ankle + moment[..., shank] + below[..., 0] * fz - below[..., 1] * fx
        fx, fz = fx + force_x[..., shank], fz + force_z[..., shank]
        below = motion.position[..., shank, :] - motion.position[..., thigh, :]
        hip = knee + moment[..., thigh] + below[..., 0] * fz - below[..., 1] * fx
        hips_x.append(fx + force_x[..., thigh])
        hips_z.append(fz + force_z[..., thigh])
        hips.append(hip)
        joints += [hip, -knee, ankle]
    root = [
        force_x[..., 0] + hips_x[0] + hips_x[1],
        force_z[..., 0] + hips_z[0] + hips_z[1],
        moment[..., 0] + hips[0] + hips[1],
    ]
    return xp.stack(root + joints, -1)
