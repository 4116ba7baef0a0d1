# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The physics keeps to mechanics: gradients, gravity, energy, symmetry, batches, scaling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_states import RandomStates, random_states

from sspinnpose_ros.core.body import (
    LENGTH_OVERRIDES,
    Body,
    body_from_anthropometry,
    nominal_sensor_position,
)
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import GRAVITY, SEGMENTS
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.errors import SubjectError
from sspinnpose_ros.core.kinematics import Kinematics, joint_angles, kinematics, segment_angles
from sspinnpose_ros.core.virtual_imu import virtual_imu

COUNT = 100


@pytest.fixture
def states() -> RandomStates:
    return random_states(seed=1, count=COUNT)


@pytest.fixture
def position(states: RandomStates) -> np.ndarray:
    nominal = nominal_sensor_position(height_m=states.body.height_m)
    return nominal + np.random.default_rng(2).normal(scale=0.1, size=nominal.shape)


def forces_of(states: RandomStates) -> Any:
    return inverse_dynamics(
        body=states.body,
        motion=states.motion,
        contact_offset=states.contact.from_ankle,
        contact_force=states.force,
    )


def everything(states: RandomStates, position: Any) -> dict[str, Any]:
    """Return all that the physics computes from one set of states, by name."""
    motion, contact = states.motion, states.contact
    results = {f.name: getattr(motion, f.name) for f in fields(Kinematics)}
    results |= {f'contact_{f.name}': getattr(contact, f.name) for f in fields(contact)}
    results['imu'] = virtual_imu(motion=motion, position=position)
    results['forces'] = forces_of(states)
    return results


def resting(q: np.ndarray) -> dict[str, np.ndarray]:
    return {'q': q, 'qd': np.zeros_like(q), 'qdd': np.zeros_like(q)}


def test_numpy_equals_torch(states: RandomStates, position: np.ndarray) -> None:
    torch = pytest.importorskip('torch')
    theirs = everything(states.tensor(), torch.from_numpy(position))
    for name, ours in everything(states, position).items():
        assert isinstance(ours, np.ndarray)
        assert isinstance(theirs[name], torch.Tensor)
        np.testing.assert_allclose(theirs[name].numpy(), ours, rtol=1e-12, atol=1e-9, err_msg=name)


def test_batch_equals_loop(states: RandomStates, position: np.ndarray) -> None:
    batch = everything(states, position)
    for index in range(0, COUNT, 7):
        for name, one in everything(states[index], position[index]).items():
            np.testing.assert_allclose(
                batch[name][index], one, rtol=1e-12, atol=1e-10, err_msg=name
            )


def test_one_body_serves_a_whole_series(states: RandomStates) -> None:
    series = RandomStates(
        body=states[:4].body.over_time(),
        q=states.q.reshape(4, 25, 9),
        qd=states.qd.reshape(4, 25, 9),
        qdd=states.qdd.reshape(4, 25, 9),
        force=states.force.reshape(4, 25, 2, 2, 2),
    )
    ours = forces_of(series)
    assert ours.shape == (4, 25, 9)
    for person in range(4):
        alone = RandomStates(
            body=states.body.map(lambda value, person=person: value[person]),
            q=series.q[person],
            qd=series.qd[person],
            qdd=series.qdd[person],
            force=series.force[person],
        )
        np.testing.assert_allclose(ours[person], forces_of(alone), rtol=1e-12, atol=1e-9)


def gradcheck(function: Callable[..., Any], inputs: list[Any]) -> bool:
    torch = pytest.importorskip('torch')
    inputs = [value.clone().requires_grad_() for value in inputs]
    return bool(torch.autograd.gradcheck(function, tuple(inputs), eps=1e-6, atol=1e-3, rtol=1e-5))


def few(count: int = 2) -> RandomStates:
    """Return a few torch states of walking size, which finite differences resolve well."""
    wild = random_states(seed=5, count=count)
    calm = RandomStates(
        body=wild.body, q=wild.q, qd=0.2 * wild.qd, qdd=0.1 * wild.qdd, force=0.1 * wild.force
    )
    return calm.tensor()


def body_of(state: RandomStates, values: tuple[Any, ...]) -> Body:
    return Body(state.body.mass_kg, state.body.height_m, *values)


def constants(state: RandomStates) -> list[Any]:
    return [getattr(state.body, f.name) for f in fields(Body)[2:]]


def test_gradients_of_kinematics_and_contact() -> None:
    pytest.importorskip('torch')
    state = few()

    def outputs(q: Any, qd: Any, qdd: Any, *values: Any) -> tuple[Any, ...]:
        body = body_of(state, values)
        motion = kinematics(body=body, q=q, qd=qd, qdd=qdd)
        contact = contact_points(body=body, motion=motion)
        return (
            motion.position, motion.velocity, motion.acceleration, motion.cos, motion.rate,
            contact.position, contact.velocity, contact.from_ankle,
        )  # fmt: skip

    assert gradcheck(outputs, [state.q, state.qd, state.qdd, *constants(state)])


def test_gradients_of_virtual_imu() -> None:
    torch = pytest.importorskip('torch')
    state = few()
    nominal = nominal_sensor_position(height_m=state.body.height_m)
    assert isinstance(nominal, torch.Tensor)

    def outputs(q: Any, qd: Any, qdd: Any, at: Any) -> Any:
        return virtual_imu(motion=kinematics(body=state.body, q=q, qd=qd, qdd=qdd), position=at)

    assert gradcheck(outputs, [state.q, state.qd, state.qdd, nominal])


def test_gradients_of_inverse_dynamics() -> None:
    pytest.importorskip('torch')
    state = few()

    def outputs(q: Any, qd: Any, qdd: Any, force: Any, *values: Any) -> Any:
        body = body_of(state, values)
        return forces_of(RandomStates(body=body, q=q, qd=qd, qdd=qdd, force=force))

    assert gradcheck(outputs, [state.q, state.qd, state.qdd, state.force, *constants(state)])


def test_a_still_sensor_reads_plus_g(states: RandomStates, position: np.ndarray) -> None:
    upright = kinematics(body=states.body, **resting(np.zeros((COUNT, 9))))
    reading = virtual_imu(motion=upright, position=position)
    np.testing.assert_allclose(reading[..., 1], GRAVITY, rtol=1e-14)
    np.testing.assert_allclose(reading[..., [0, 2]], 0.0, atol=1e-14)
    leaning = virtual_imu(
        motion=kinematics(body=states.body, **resting(states.q)), position=position
    )
    np.testing.assert_allclose(
        np.hypot(*np.moveaxis(leaning[..., :2], -1, 0)), GRAVITY, rtol=1e-12
    )
    inclination = segment_angles(states.q)
    np.testing.assert_allclose(leaning[..., 0], GRAVITY * np.sin(inclination), atol=1e-12)
    np.testing.assert_allclose(leaning[..., 1], GRAVITY * np.cos(inclination), atol=1e-12)


def test_a_body_in_free_fall_reads_nothing_and_needs_no_moments(
    states: RandomStates, position: np.ndarray
) -> None:
    qd, qdd = np.zeros((COUNT, 9)), np.zeros((COUNT, 9))
    qd[:, :2] = states.qd[:, :2]
    qdd[:, 1] = -GRAVITY
    motion = kinematics(body=states.body, q=states.q, qd=qd, qdd=qdd)
    np.testing.assert_allclose(virtual_imu(motion=motion, position=position), 0.0, atol=1e-13)
    forces = inverse_dynamics(body=states.body, motion=motion)
    np.testing.assert_allclose(forces, 0.0, atol=1e-10)


def swinging(states: RandomStates, *, time: float) -> RandomStates:
    """Move every state along the parabola it defines, by `time` seconds."""
    return RandomStates(
        body=states.body,
        q=states.q + states.qd * time + 0.5 * states.qdd * time**2,
        qd=states.qd + states.qdd * time,
        qdd=states.qdd,
        force=states.force,
    )


def test_virtual_imu_is_the_second_difference_of_the_sensor_s_path(
    states: RandomStates, position: np.ndarray
) -> None:
    step = 1e-4

    def place(time: float) -> np.ndarray:
        motion = swinging(states, time=time).motion
        x, z = position[..., 0], position[..., 1]
        lever = np.stack([motion.cos * x - motion.sin * z, motion.sin * x + motion.cos * z], -1)
        return np.asarray(motion.position + lever)

    acceleration = (place(step) - 2.0 * place(0.0) + place(-step)) / step**2
    acceleration[..., 1] += GRAVITY
    motion = states.motion
    expected = np.stack(
        [
            motion.cos * acceleration[..., 0] + motion.sin * acceleration[..., 1],
            -motion.sin * acceleration[..., 0] + motion.cos * acceleration[..., 1],
        ],
        -1,
    )
    reading = virtual_imu(motion=motion, position=position)
    np.testing.assert_allclose(reading[..., :2], expected, atol=2e-4 * np.abs(expected).max())
    turned = [segment_angles(swinging(states, time=t).q) for t in (-step, step)]
    np.testing.assert_allclose(
        reading[..., 2], (turned[1] - turned[0]) / (2.0 * step), rtol=1e-6, atol=1e-6
    )


def test_velocities_and_accelerations_are_derivatives(states: RandomStates) -> None:
    step = 1e-5
    before, after = (swinging(states, time=t) for t in (-step, step))
    for name, rate in (('position', 'velocity'), ('velocity', 'acceleration')):
        difference = getattr(after.motion, name) - getattr(before.motion, name)
        exact = getattr(states.motion, rate)
        np.testing.assert_allclose(
            difference / (2.0 * step), exact, atol=1e-6 * np.abs(exact).max(), err_msg=name
        )
    difference = after.contact.position - before.contact.position
    exact = states.contact.velocity
    np.testing.assert_allclose(difference / (2.0 * step), exact, atol=1e-6 * np.abs(exact).max())


def mechanical_energy(states: RandomStates) -> np.ndarray:
    """Sum kinetic and potential energy over the segments, from their definitions, J."""
    motion, body = states.motion, states.body
    x, z = body.segment_com[..., 0], body.segment_com[..., 1]
    lever_x = motion.cos * x - motion.sin * z
    lever_z = motion.sin * x + motion.cos * z
    speed_x = motion.velocity[..., 0] - motion.rate * lever_z
    speed_z = motion.velocity[..., 1] + motion.rate * lever_x
    kinetic = body.segment_mass * (speed_x**2 + speed_z**2) + body.segment_inertia * motion.rate**2
    potential = body.segment_mass * GRAVITY * (motion.position[..., 1] + lever_z)
    return np.asarray((0.5 * kinetic + potential).sum(-1))


def test_energy_changes_by_the_power_of_moments_and_ground(states: RandomStates) -> None:
    step = 1e-5
    before, after = (mechanical_energy(swinging(states, time=t)) for t in (-step, step))
    ground = (states.force * states.contact.velocity).sum((-1, -2, -3))
    power = (forces_of(states) * states.qd).sum(-1) + ground
    np.testing.assert_allclose(
        (after - before) / (2.0 * step), power, atol=1e-6 * np.abs(power).max()
    )


def test_legs_are_interchangeable(states: RandomStates, position: np.ndarray) -> None:
    joints, segments = [0, 1, 2, 6, 7, 8, 3, 4, 5], [0, 4, 5, 6, 1, 2, 3]
    mirrored = RandomStates(
        body=states.body,
        q=states.q[:, joints],
        qd=states.qd[:, joints],
        qdd=states.qdd[:, joints],
        force=states.force[:, ::-1],
    )
    np.testing.assert_allclose(forces_of(mirrored), forces_of(states)[:, joints], rtol=1e-9)
    np.testing.assert_allclose(
        virtual_imu(motion=mirrored.motion, position=position[:, segments]),
        virtual_imu(motion=states.motion, position=position)[:, segments],
        rtol=1e-9,
    )
    np.testing.assert_allclose(mirrored.contact.position, states.contact.position[:, ::-1])


def test_a_standing_body_is_carried_by_its_weight() -> None:
    body = body_from_anthropometry(mass_kg=75.0, height_m=1.75)
    motion = kinematics(body=body, **resting(np.zeros(9)))
    contact = contact_points(body=body, motion=motion)
    com = np.sum(body.segment_mass * (motion.position[:, 0] + body.segment_com[:, 0])) / np.sum(
        body.segment_mass
    )
    heel, toe = body.contact_point[:, 0]
    share = (com - heel) / (toe - heel)
    assert 0.0 < share < 1.0
    force = np.zeros((2, 2, 2))
    force[:, :, 1] = 0.5 * 75.0 * GRAVITY * np.array([1.0 - share, share])
    forces = inverse_dynamics(
        body=body, motion=motion, contact_offset=contact.from_ankle, contact_force=force
    )
    np.testing.assert_allclose(forces[:3], 0.0, atol=1e-9)
    np.testing.assert_allclose(np.ptp(contact.position[..., 1]), 0.0, atol=1e-12)


def test_joint_angles_invert_segment_angles(states: RandomStates) -> None:
    np.testing.assert_allclose(joint_angles(segment_angles(states.q)), states.q[:, 3:], atol=1e-12)


@settings(deadline=None, max_examples=100)
@given(
    mass=st.floats(10.0, 300.0),
    height=st.floats(0.8, 2.5),
    lengths=st.dictionaries(st.sampled_from(LENGTH_OVERRIDES), st.floats(0.02, 1.0)),
)
def test_scaled_bodies_are_whole(mass: float, height: float, lengths: dict[str, float]) -> None:
    body = body_from_anthropometry(mass_kg=mass, height_m=height, segment_length_m=lengths)
    assert body.segment_mass.sum() == pytest.approx(mass, rel=1e-12)
    assert (body.segment_mass > 0.0).all()
    assert (body.segment_inertia > 0.0).all()
    assert (body.leg_length > 0.0).all()
    heel, toe = body.contact_point
    assert heel[0] < 0.0 < toe[0]
    assert heel[1] == toe[1] == -body.ankle_height < 0.0
    for name, value in lengths.items():
        if name in ('thigh', 'shank'):
            assert body.leg_length[('thigh', 'shank').index(name)] == pytest.approx(value)


def test_scaling_follows_mass_and_height() -> None:
    small = body_from_anthropometry(mass_kg=50.0, height_m=1.5)
    large = body_from_anthropometry(mass_kg=100.0, height_m=1.8)
    np.testing.assert_allclose(large.segment_mass, 2.0 * small.segment_mass)
    np.testing.assert_allclose(large.segment_com, 1.2 * small.segment_com)
    np.testing.assert_allclose(large.segment_inertia, 2.0 * 1.2**2 * small.segment_inertia)
    assert small.segment_mass.shape == (len(SEGMENTS),)


@pytest.mark.parametrize(
    ('mass', 'height', 'lengths', 'words'),
    [
        (0.0, 1.75, {}, ('mass_kg is 0', '10', '300 kg')),
        (75000.0, 1.75, {}, ('mass_kg is 75000',)),
        (float('nan'), 1.75, {}, ('mass_kg is nan',)),
        (75.0, 175.0, {}, ('height_m is 175', 'metres, not centimetres')),
        (75.0, 1.75, {'thigh': 43.0}, ('segment_length_m.thigh is 43', 'metres')),
        (75.0, 1.75, {'tail': 0.4}, ("'tail'", 'thigh, shank, foot, ankle_height')),
    ],
)
def test_an_impossible_person_is_refused_in_a_sentence(
    mass: float, height: float, lengths: dict[str, float], words: tuple[str, ...]
) -> None:
    with pytest.raises(SubjectError) as refusal:
        body_from_anthropometry(mass_kg=mass, height_m=height, segment_length_m=lengths)
    message = str(refusal.value)
    assert message.endswith('.')
    assert '\n' not in message
    assert all(word in message for word in words)
