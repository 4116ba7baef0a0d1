# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Derive the planar body's equations of motion anew, with sympy and Kane's method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from sspinnpose_ros.core.arrays import Array, namespace
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY, JOINT_SIGNS

CHAIN = ((), (0,), (0, 1), (0, 1, 2), (3,), (3, 4), (3, 4, 5))
"""Joints between the pelvis and each segment."""


@dataclass(frozen=True)
class KaneEquations:
    """Hold generalized forces as sympy expressions of state, contact forces and body.

    Attributes:
        symbols: in the order of `arguments`.
        forces: nine expressions, as `core.dynamics.inverse_dynamics` orders them.

    """

    symbols: tuple[Any, ...]
    forces: tuple[Any, ...]

    def function(self, module: str) -> Callable[..., Any]:
        """Return the forces as a function of numbers ('math') or arrays ('numpy', 'torch')."""
        import sympy

        function: Callable[..., Any] = sympy.lambdify(
            self.symbols, list(self.forces), modules=module, cse=True
        )
        return function


@cache
def kane_equations() -> KaneEquations:
    """Derive the equations of motion of seven rigid segments under gravity and contact.

    Raises:
        ImportError: without sympy.

    Source: Kane and Levinson (1985), as `sympy.physics.mechanics` implements it.

    """
    import sympy
    from sympy.physics import mechanics

    q, u = mechanics.dynamicsymbols('q:9'), mechanics.dynamicsymbols('u:9')
    coordinate, speed, acceleration = (sympy.symbols(f'{name}:9') for name in ('c', 's', 'a'))
    force = sympy.symbols('f:8')
    mass, inertia, ahead, above = (sympy.symbols(f'{name}:7') for name in ('m', 'i', 'x', 'z'))
    length = sympy.symbols('l:2')
    point_ahead, point_above = sympy.symbols('px:2'), sympy.symbols('pz:2')
    gravity = sympy.symbols('g')

    # x forward, y up, z to the right: inclinations are positive about z.
    world, origin = mechanics.ReferenceFrame('world'), mechanics.Point('origin')
    origin.set_vel(world, 0)
    hips = origin.locatenew('hips', q[0] * world.x + q[1] * world.y)
    hips.set_vel(world, u[0] * world.x + u[1] * world.y)
    frames = []
    for index, chain in enumerate(CHAIN):
        frame = mechanics.ReferenceFrame(f'segment{index}')
        signs = [(JOINT_SIGNS[joint], 3 + joint) for joint in chain]
        frame.orient_axis(world, world.z, q[2] + sum(int(s) * q[at] for s, at in signs))
        frame.set_ang_vel(world, (u[2] + sum(int(s) * u[at] for s, at in signs)) * world.z)
        frames.append(frame)

    def fixed(name: str, origin: Any, frame: Any, x: Any, y: Any) -> Any:
        point = origin.locatenew(name, x * frame.x + y * frame.y)
        point.v2pt_theory(origin, world, frame)
        return point

    proximal = [hips]
    for thigh, shank in ((1, 2), (4, 5)):
        knee = fixed(f'knee{thigh}', hips, frames[thigh], 0, -length[0])
        ankle = fixed(f'ankle{thigh}', knee, frames[shank], 0, -length[1])
        proximal += [hips, knee, ankle]
    bodies, loads = [], []
    for index, (joint, frame) in enumerate(zip(proximal, frames, strict=True)):
        centre = fixed(f'centre{index}', joint, frame, ahead[index], above[index])
        tensor = mechanics.inertia(frame, 0, 0, inertia[index])
        bodies.append(
            mechanics.RigidBody(f'body{index}', centre, frame, mass[index], (tensor, centre))
        )
        loads.append((centre, -mass[index] * gravity * world.y))
    for side, foot in enumerate((3, 6)):
        for point in range(2):
            at = fixed(
                f'contact{side}{point}',
                proximal[foot],
                frames[foot],
                point_ahead[point],
                point_above[point],
            )
            first = 4 * side + 2 * point
            loads.append((at, force[first] * world.x + force[first + 1] * world.y))
    method = mechanics.KanesMethod(
        world, q_ind=q, u_ind=u, kd_eqs=[a - b.diff() for a, b in zip(u, q, strict=True)]
    )
    active, inertial = method.kanes_equations(bodies, loads)
    time = mechanics.dynamicsymbols._t
    missing = -(active + inertial)
    missing = missing.xreplace(
        {a.diff(time): b for a, b in zip(u, acceleration, strict=True)}
    ).xreplace(dict(zip((*q, *u), (*coordinate, *speed), strict=True)))
    return KaneEquations(
        symbols=(
            *coordinate, *speed, *acceleration, *force, *mass, *inertia, *ahead, *above, *length,
            *point_ahead, *point_above, gravity,
        ),
        forces=tuple(missing),
    )  # fmt: skip


def arguments(
    *, body: Body, q: Array, qd: Array, qdd: Array, contact_force: Array
) -> tuple[Array | float, ...]:
    """Return the values of `KaneEquations.symbols`, each but the last of batch shape `...`.

    Args:
        body: batch shape `...` (or broadcastable).
        q: (..., 9) `conventions.COORDINATES`, m and rad.
        qd: (..., 9) velocities.
        qdd: (..., 9) accelerations.
        contact_force: (..., 2, 2, 2) side, heel and toe, (forward, up), world axes, N.

    """
    flat = (
        q, qd, qdd, contact_force.reshape(*contact_force.shape[:-3], 8), body.segment_mass,
        body.segment_inertia, body.segment_com[..., 0], body.segment_com[..., 1],
        body.leg_length, body.contact_point[..., 0], body.contact_point[..., 1],
    )  # fmt: skip
    values = [part[..., index] for part in flat for index in range(part.shape[-1])]
    return (*values, GRAVITY)


def kane_inverse_dynamics(
    function: Callable[..., Any],
    *,
    body: Body,
    q: Array,
    qd: Array,
    qdd: Array,
    contact_force: Array,
) -> Array:
    """Return what `core.dynamics.inverse_dynamics` returns, by Kane's equations.

    Args:
        function: of `KaneEquations.function`, for numpy or torch as the arrays are.
        body: as `arguments` takes it, and so the rest.
        q: (..., 9).
        qd: (..., 9).
        qdd: (..., 9).
        contact_force: (..., 2, 2, 2).

    Returns:
        (..., 9) generalized forces, N and N m.

    """
    values = function(*arguments(body=body, q=q, qd=qd, qdd=qdd, contact_force=contact_force))
    return namespace(q).stack(values, -1)


def floats(
    *, body: Body, q: np.ndarray, qd: np.ndarray, qdd: np.ndarray, contact_force: np.ndarray
) -> list[float]:
    """Return `arguments` of one state as Python's floats, which 'math' takes fastest."""
    given = arguments(body=body, q=q, qd=qd, qdd=qdd, contact_force=contact_force)
    return [float(value) for value in given]
