# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The classical baseline recovers a motion that is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from sspinnpose_ros.core.body import Body, body_from_anthropometry, nominal_sensor_position
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SIDES
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.virtual_imu import virtual_imu

pytest.importorskip('scipy')

from sspinnpose_ros.evaluation.classical_baseline import classical_estimate

MASS, HEIGHT, RATE = 75.0, 1.75, 100.0
WEIGHT = MASS * GRAVITY
SETTLED = slice(300, None)

Curves = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope='module')
def body() -> Body:
    return body_from_anthropometry(mass_kg=MASS, height_m=HEIGHT)


@pytest.fixture(scope='module')
def position() -> np.ndarray:
    return np.asarray(nominal_sensor_position(height_m=HEIGHT))


def times(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE


def striding(time: np.ndarray) -> Curves:
    """Return coordinates and two derivatives of legs that swing once a second."""
    q, qd, qdd = (np.zeros((len(time), 9)) for _ in range(3))
    qd[:, 0] = 1.2
    q[:, 0] = 1.2 * time
    q[:, 1] = 0.9
    q[:, 3:] = [0.2, 0.6, 0.0, 0.2, 0.6, 0.0]
    waves = [(1, 0.015, 2, 0.0)]
    for first, phase in ((3, 0.0), (6, np.pi)):
        waves += [
            (first, 0.4, 1, phase),
            (first + 1, 0.5, 1, phase + 1.5),
            (first + 2, 0.2, 1, phase + 2.5),
        ]
    for coordinate, size, harmonic, phase in waves:
        speed = 2.0 * np.pi * harmonic
        angle = speed * time + phase
        q[:, coordinate] += size * np.sin(angle)
        qd[:, coordinate] += size * speed * np.cos(angle)
        qdd[:, coordinate] -= size * speed**2 * np.sin(angle)
    return q, qd, qdd


def holding(time: np.ndarray, *, joints: list[float]) -> Curves:
    """Return a pose that is held."""
    q = np.zeros((len(time), 9))
    q[:, 3:] = joints
    return q, np.zeros_like(q), np.zeros_like(q)


def worn(body: Body, position: np.ndarray, curves: Curves) -> np.ndarray:
    q, qd, qdd = curves
    return np.asarray(
        virtual_imu(motion=kinematics(body=body, q=q, qd=qd, qdd=qdd), position=position)
    )


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values[SETTLED] ** 2)))


def estimate(
    body: Body, position: np.ndarray, time: np.ndarray, curves: Curves, *, zero_phase: bool = False
) -> dict[str, np.ndarray]:
    return classical_estimate(
        time_s=time,
        sagittal=worn(body, position, curves),
        body=body,
        sensor_position=position,
        zero_phase=zero_phase,
    )


@pytest.mark.parametrize('zero_phase', [False, True])
def test_clean_sensors_give_angles_and_velocities(
    body: Body, position: np.ndarray, zero_phase: bool
) -> None:
    time = times(10.0)
    curves = striding(time)
    found = estimate(body, position, time, curves, zero_phase=zero_phase)
    for index, joint in enumerate(JOINTS):
        assert rms(found[f'angle_{joint}'] - curves[0][:, 3 + index]) < np.radians(2.0), joint
        speed = curves[1][:, 3 + index]
        assert rms(found[f'velocity_{joint}'] - speed) < 0.15 * rms(speed), joint


def test_forces_and_moments_are_newton_s(body: Body, position: np.ndarray) -> None:
    time = times(10.0)
    q, qd, qdd = striding(time)
    found = estimate(body, position, time, (q, qd, qdd), zero_phase=True)
    total = inverse_dynamics(body=body, motion=kinematics(body=body, q=q, qd=qd, qdd=qdd))
    assert total[:, 1].min() > 0.0
    up = found['grf_up_r'] + found['grf_up_l']
    forward = found['grf_forward_r'] + found['grf_forward_l']
    assert rms(up - total[:, 1]) < 0.05 * WEIGHT
    assert rms(forward - total[:, 0]) < 0.05 * WEIGHT
    assert up[SETTLED].mean() == pytest.approx(WEIGHT, rel=0.02)


def test_keys_and_shapes_are_those_of_an_estimate(body: Body, position: np.ndarray) -> None:
    time = times(1.0)
    found = estimate(body, position, time, striding(time))
    expected = {'time'}
    expected |= {f'{kind}_{name}' for kind in ('angle', 'velocity', 'moment') for name in JOINTS}
    expected |= {
        f'{kind}_{side}' for kind in ('grf_forward', 'grf_up', 'cop_forward') for side in SIDES
    }
    assert set(found) == expected
    assert all(values.shape == time.shape for values in found.values())
    finite = [name for name in found if not name.startswith('cop')]
    assert all(np.isfinite(found[name]).all() for name in finite)


def test_quiet_standing_is_carried_by_both_feet(body: Body, position: np.ndarray) -> None:
    time = times(2.0)
    found = estimate(body, position, time, holding(time, joints=[0.0] * 6))
    heel, toe = body.contact_point[:, 0]
    for side in SIDES:
        np.testing.assert_allclose(found[f'grf_up_{side}'], 0.5 * WEIGHT, rtol=1e-6)
        np.testing.assert_allclose(found[f'grf_forward_{side}'], 0.0, atol=1e-6 * WEIGHT)
        assert heel < found[f'cop_forward_{side}'].min()
        assert found[f'cop_forward_{side}'].max() < toe
        for joint in ('hip_flexion', 'knee_angle'):
            assert np.abs(found[f'moment_{joint}_{side}']).max() < 0.02 * WEIGHT
        np.testing.assert_allclose(found[f'angle_knee_angle_{side}'], 0.0, atol=1e-9)


def test_the_lower_foot_carries(body: Body, position: np.ndarray) -> None:
    time = times(2.0)
    curves = holding(time, joints=[0.6, 1.2, 0.0, 0.0, 0.0, 0.0])
    found = estimate(body, position, time, curves)
    assert found['grf_up_l'].min() > 0.95 * WEIGHT
    assert np.isnan(found['cop_forward_r']).all()


def test_a_falling_body_has_no_centre_of_pressure(body: Body, position: np.ndarray) -> None:
    time = times(2.0)
    q, qd, qdd = holding(time, joints=[0.0] * 6)
    qdd[150:, 1] = -GRAVITY
    found = estimate(body, position, time, (q, qd, qdd))
    for side in SIDES:
        assert np.abs(found[f'grf_up_{side}'][-20:]).max() < 0.03 * WEIGHT
        assert np.isnan(found[f'cop_forward_{side}'][-20:]).all()


def test_it_is_causal_unless_told_otherwise(body: Body, position: np.ndarray) -> None:
    time = times(3.0)
    curves = striding(time)
    whole = estimate(body, position, time, curves)
    half = estimate(body, position, time[:150], tuple(curve[:150] for curve in curves))
    for name, values in half.items():
        np.testing.assert_allclose(values, whole[name][:150], atol=1e-9, err_msg=name)


def test_exchanging_the_legs_exchanges_the_answers(body: Body, position: np.ndarray) -> None:
    time = times(2.0)
    signals = worn(body, position, striding(time))
    order = [0, 4, 5, 6, 1, 2, 3]
    found, exchanged = (
        classical_estimate(time_s=time, sagittal=each, body=body, sensor_position=position)
        for each in (signals, signals[:, order])
    )
    for name, values in found.items():
        if name != 'time':
            other = name[:-1] + ('l' if name.endswith('r') else 'r')
            np.testing.assert_allclose(exchanged[other], values, atol=1e-6, err_msg=name)
