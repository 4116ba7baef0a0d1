# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compute joint moments from motion and contact forces by planar Newton-Euler recursion."""

from __future__ import annotations

from sspinnpose_ros.core.arrays import Array, components, join
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
    lever_x, lever_z = components(rotate(cos=motion.cos, sin=motion.sin, vector=body.segment_com))
    alpha, w2 = motion.angular_acceleration, motion.rate * motion.rate
    forward, up = components(motion.acceleration)
    mass_x = body.segment_mass * (forward - alpha * lever_z - w2 * lever_x)
    mass_z = body.segment_mass * (up + alpha * lever_x - w2 * lever_z + GRAVITY)
    moment = components(body.segment_inertia * alpha + lever_x * mass_z - lever_z * mass_x)
    force_x, force_z = components(mass_x), components(mass_z)
    joint_x, joint_z = (components(axis) for axis in components(motion.position))

    ground = _ground(contact_offset, contact_force)
    hips_x, hips_z, hips, joints = [], [], [], []
    for side, thigh in enumerate((1, 4)):
        shank, foot = thigh + 1, thigh + 2
        fx, fz, about = force_x[foot], force_z[foot], moment[foot]
        if ground is not None:
            fx, fz, about = (
                own - of_ground[side]
                for own, of_ground in zip((fx, fz, about), ground, strict=True)
            )
        ankle = about
        below_x, below_z = joint_x[foot] - joint_x[shank], joint_z[foot] - joint_z[shank]
        knee = ankle + moment[shank] + below_x * fz - below_z * fx
        fx, fz = fx + force_x[shank], fz + force_z[shank]
        below_x, below_z = joint_x[shank] - joint_x[thigh], joint_z[shank] - joint_z[thigh]
        hip = knee + moment[thigh] + below_x * fz - below_z * fx
        hips_x.append(fx + force_x[thigh])
        hips_z.append(fz + force_z[thigh])
        hips.append(hip)
        joints += [hip, -knee, ankle]
    root = [
        force_x[0] + hips_x[0] + hips_x[1],
        force_z[0] + hips_z[0] + hips_z[1],
        moment[0] + hips[0] + hips[1],
    ]
    return join(root + joints)


def _ground(offset: Array | None, force: Array | None) -> tuple[tuple[Array, ...], ...] | None:
    """Return force forward and up and moment about the ankle, of the right and the left side."""
    if offset is None or force is None:
        return None
    (x, z), (fx, fz) = components(offset), components(force)
    return tuple(components(values.sum(-1)) for values in (fx, fz, x * fz - z * fx))
