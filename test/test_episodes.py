# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Check that wearers who start, change and stop move as mechanics allows."""

import numpy as np
import pytest

torch = pytest.importorskip('torch')

from sspinnpose_ros.core.contact import contact_points  # noqa: E402
from sspinnpose_ros.core.dynamics import inverse_dynamics  # noqa: E402
from sspinnpose_ros.core.kinematics import kinematics  # noqa: E402
from sspinnpose_ros.core.trunk import carry_trunk  # noqa: E402
from sspinnpose_ros.training.episode_plan import (  # noqa: E402
    MARGIN,
    PERIOD_S,
    PROGRAMS,
    draw_plan,
    draw_plans,
)
from sspinnpose_ros.training.episodes import (  # noqa: E402
    Episodes,
    perform,
    training_episodes,
)
from sspinnpose_ros.training.gait_style import STYLES  # noqa: E402
from sspinnpose_ros.training.recordings import episode_streams  # noqa: E402
from sspinnpose_ros.training.wearer import SensorErrors  # noqa: E402

KEPT = slice(MARGIN, -MARGIN)


@pytest.fixture(scope='module')
def plans():
    rng = np.random.default_rng(4)
    return [
        draw_plan(rng, program='start and stop', style='usual'),
        draw_plan(rng, program='change speed', style='crouch'),
        draw_plan(rng, program='walk, run, walk', style='usual'),
    ]


@pytest.fixture(scope='module')
def episodes(plans):
    return perform(plans, rng=np.random.default_rng(0), iterations=300)


def test_the_equations_of_motion_come_to_hold(plans, episodes):
    begun = perform(plans, rng=np.random.default_rng(0), iterations=0)
    assert begun.residual.amax(1).min() > 0.1
    assert not begun.converged().any()
    assert (episodes.residual < 0.1 * begun.residual).all()
    assert episodes.residual[:, :2].max() < 0.03


def test_moments_and_residuals_are_those_of_the_samples(plans, episodes):
    body, moved = episodes.body.over_time(), episodes.samples
    motion = kinematics(body=body, q=moved.q, qd=moved.qd, qdd=moved.qdd)
    points = contact_points(body=body, motion=motion)
    lean = torch.tensor(np.stack([plan.lean_rad[KEPT] for plan in plans]), dtype=torch.float32)
    forces = inverse_dynamics(
        body=body,
        motion=carry_trunk(motion=motion, lean=lean),
        contact_offset=points.from_ankle,
        contact_force=moved.contact_force,
    )
    weight = (episodes.body.mass_kg * 9.81)[:, None]
    found = forces[..., :2].square().mean(1).sqrt() / weight
    torch.testing.assert_close(found, episodes.residual[:, :2], rtol=0.01, atol=1e-4)
    torch.testing.assert_close(forces[..., 3:], moved.effort)
    assert points.position[..., 1].min() > -0.05


def test_derivatives_are_those_of_the_coordinates(episodes):
    moved = episodes.samples
    # Simpson's rule is exact for the pieces of a cubic spline.
    for whole, rate, size in ((moved.q, moved.qd, 0.005), (moved.qd, moved.qdd, 0.1)):
        gone = (whole[:, 2::2] - whole[:, :-2:2]) / (2 * PERIOD_S)
        mean = (rate[:, :-2:2] + 4 * rate[:, 1:-1:2] + rate[:, 2::2]) / 6
        assert (gone[..., 1:] - mean[..., 1:]).abs().max() < size
        assert (gone[..., 0] - mean[..., 0]).abs().max() < 2 * size


def test_who_stands_stands_still(plans, episodes):
    standing = torch.tensor(plans[0].moving[KEPT] < 1e-6)
    assert standing.float().mean() > 0.1
    moved = episodes.samples
    assert moved.qd[0, standing].abs().max() < 0.3
    assert moved.qd[0, ~standing, 3:].abs().max() > 2.0
    share = moved.contact_force[0, standing, ..., 1].sum(-1) / (episodes.body.mass_kg[0] * 9.81)
    assert share.min() > 0.05
    assert (share.sum(-1) - 1.0).abs().max() < 0.25


def test_speeds_change_as_planned(plans, episodes):
    second = np.ones(100) / 100
    for plan, speed in zip(plans, episodes.samples.qd[..., 0].numpy(), strict=True):
        found, wanted = (np.convolve(s, second, 'valid') for s in (speed, plan.speed_mps[KEPT]))
        assert np.ptp(wanted) > 0.3
        assert np.abs(found - wanted).max() < 0.35


def test_feet_push_and_do_not_pull(episodes):
    force = episodes.samples.contact_force
    assert (force[..., 1] >= 0).all()
    assert (force[..., 0].abs() <= 0.8 * force[..., 1] + 1e-3).all()


def test_strides_differ():
    plan = draw_plan(np.random.default_rng(2), program='irregular', style='usual')
    knee = plan.angles[:, 1]
    peaks = np.flatnonzero((knee[1:-1] > knee[:-2]) & (knee[1:-1] > knee[2:]) & (knee[1:-1] > 0.7))
    assert len(peaks) >= 5
    assert np.ptp(np.diff(peaks)) >= 2
    assert np.rad2deg(np.ptp(knee[peaks + 1])) > 2.0


def test_plans_are_varied_and_seeded():
    plans = draw_plans(np.random.default_rng(5), 60)
    again = draw_plans(np.random.default_rng(5), 60)
    assert all((a.angles == b.angles).all() for a, b in zip(plans, again, strict=True))
    assert {plan.program for plan in plans} == set(PROGRAMS)
    assert {plan.style for plan in plans} == set(STYLES)
    with pytest.raises(ValueError, match='no program'):
        draw_plan(np.random.default_rng(0), program='dance')


def test_the_same_seed_gives_the_same_episodes():
    first = training_episodes(1, seed=1, iterations=100)
    assert len(first) == 1
    again = training_episodes(1, seed=1, iterations=100)
    other = training_episodes(1, seed=1, rank=1, iterations=100)
    torch.testing.assert_close(first.samples.q, again.samples.q, rtol=0.0, atol=0.0)
    assert other.body.mass_kg.tolist() != first.body.mass_kg.tolist()


def test_pieces_are_cut_out_of_episodes(episodes):
    perfect = SensorErrors(*[0.0] * 8)
    streams, truth = episode_streams(
        episodes, samples=300, rng=np.random.default_rng(1), errors=perfect
    )
    assert streams.sagittal.shape == (3, 300, 7, 3)
    whole = episodes.samples.q[2]
    start = int((whole - truth.q[2, 0]).abs().sum(-1).argmin())
    torch.testing.assert_close(whole[start : start + 300], truth.q[2])
    torch.testing.assert_close(streams.sagittal[..., 0, 2], truth.qd[..., 2])


def test_episodes_survive_storage(episodes):
    again = Episodes.from_tensors(episodes.tensors())
    torch.testing.assert_close(again.samples.effort, episodes.samples.effort)
    assert len(again.part(torch.tensor([True, False, True]))) == 2
