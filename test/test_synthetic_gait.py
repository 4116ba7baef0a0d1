# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Check that synthetic wearers move as mechanics allows."""

import numpy as np
import pytest

torch = pytest.importorskip('torch')

from sspinnpose_ros.core.contact import contact_points  # noqa: E402
from sspinnpose_ros.core.dynamics import inverse_dynamics  # noqa: E402
from sspinnpose_ros.core.kinematics import kinematics  # noqa: E402
from sspinnpose_ros.core.trunk import carry_trunk  # noqa: E402
from sspinnpose_ros.training.gait_style import STYLES, draw_gait, draw_gaits  # noqa: E402
from sspinnpose_ros.training.synthetic_gait import Motions, sample, synthesize  # noqa: E402
from sspinnpose_ros.training.wearer import SensorErrors, wear  # noqa: E402


@pytest.fixture(scope='module')
def motions():
    rng = np.random.default_rng(1)
    speeds = (0.8, 1.3, 3.2, 4.5, 0.0)
    return synthesize([draw_gait(rng, speed_mps=v) for v in speeds], iterations=2000)


def test_the_equations_of_motion_hold(motions):
    assert (100 * motions.residual[:, :2]).max() < 1.0, 'pelvis residual above 1 %BW'
    assert (10 * motions.residual[:, 2]).max() < 1.0, 'pelvis residual above 1 BWBH%'
    assert motions.slip.max() < 0.4


@pytest.mark.parametrize('speed_mps', [1.3, 3.5])
def test_forces_of_the_mean_cycle_come_in_time(speed_mps):
    target = draw_gait(np.random.default_rng(0), speed_mps=speed_mps, variation=0.0)
    found = synthesize([target], iterations=1000, body_spread=0.0)
    weight = target.mass_kg * 9.81
    up = found.force[0, :, 0, :, 1].sum(-1).numpy() / weight
    aim = target.force[:, 0, 1]
    late = [np.square(np.roll(up, -shift) - aim).mean() for shift in range(-4, 5)]
    assert abs(np.argmin(late) - 4) <= 1, 'forces lag or lead their aim by over a node'
    assert np.sqrt(late[4]) < 0.15


def test_samples_obey_mechanics_between_the_nodes(motions):
    time = torch.arange(400) * 0.0037
    moved = sample(motions, time_s=time)
    body = motions.body.over_time()
    motion = kinematics(body=body, q=moved.q, qd=moved.qd, qdd=moved.qdd)
    points = contact_points(body=body, motion=motion)
    lean = torch.tensor([t.lean_rad for t in motions.targets])[:, None].expand(-1, len(time))
    forces = inverse_dynamics(
        body=body,
        motion=carry_trunk(motion=motion, lean=lean),
        contact_offset=points.from_ankle,
        contact_force=moved.contact_force,
    )
    weight = (motions.body.mass_kg * 9.81)[:, None, None]
    assert ((forces[..., :2] / weight).square().mean(1).sqrt()).max() < 0.05
    torch.testing.assert_close(forces[..., 3:], moved.effort)
    assert points.position[..., 1].min() > -0.02


def test_derivatives_are_those_of_the_coordinates(motions):
    step = 1e-3
    moved = sample(motions, time_s=torch.arange(900) * step)
    velocity = (moved.q[:, 2:] - moved.q[:, :-2]) / (2 * step)
    acceleration = (moved.qd[:, 2:] - moved.qd[:, :-2]) / (2 * step)
    assert (velocity - moved.qd[:, 1:-1]).abs().max() < 0.05
    assert (acceleration - moved.qdd[:, 1:-1]).abs().max() < 4.0


def test_speeds_are_those_asked_for(motions):
    moved = sample(motions, time_s=torch.arange(1000) * 0.01)
    wanted = torch.tensor([t.speed_mps for t in motions.targets])
    assert ((moved.q[:, -1, 0] - moved.q[:, 0, 0]) / 9.99 - wanted).abs().max() < 0.05


def test_feet_push_and_do_not_pull(motions):
    force = sample(motions, time_s=torch.arange(200) * 0.01).contact_force
    assert (force[..., 1] >= 0).all()
    assert (force[..., 0].abs() <= 0.8 * force[..., 1] + 1e-3).all()


def test_running_flies_and_walking_does_not(motions):
    force = sample(motions, time_s=torch.arange(300) * 0.01).contact_force[..., 1].sum((2, 3))
    weight = motions.body.mass_kg * 9.81
    airborne = (force < 0.05 * weight[:, None]).float().mean(1)
    assert (airborne[:2] == 0).all()
    assert (airborne[2:4] > 0.1).all()
    assert airborne[4] == 0


def test_perfect_sensors_measure_the_virtual_imu(motions):
    moved = sample(motions, time_s=torch.arange(50) * 0.01)
    perfect = SensorErrors(*[0.0] * 8)
    worn = wear(
        motion=moved,
        body=motions.body,
        period_s=0.01,
        rng=np.random.default_rng(0),
        errors=perfect,
    )
    rate = moved.qd[..., 2] + moved.qd[..., 3] - moved.qd[..., 4]
    np.testing.assert_allclose(worn.sagittal[..., 2, 2], rate, atol=1e-5)
    mean = np.linalg.norm(worn.sagittal[4, :, :, :2], axis=-1).mean()
    assert abs(mean - 9.81) < 0.3, 'a standing wearer reads about +g'


def test_the_population_is_varied_and_seeded():
    gaits = draw_gaits(np.random.default_rng(5), 200)
    again = draw_gaits(np.random.default_rng(5), 200)
    assert all((a.angles == b.angles).all() for a, b in zip(gaits, again, strict=True))
    assert {g.kind for g in gaits} == {'walking', 'running', 'standing'}
    assert set(STYLES) <= {g.style for g in gaits}
    height = np.array([g.height_m for g in gaits])
    assert height.max() - height.min() > 0.35


def test_motions_survive_storage(motions):
    again = Motions.from_tensors(motions.tensors(), motions.targets)
    time = torch.arange(20) * 0.01
    torch.testing.assert_close(
        sample(again, time_s=time).effort, sample(motions, time_s=time).effort
    )
