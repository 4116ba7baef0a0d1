# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Check the losses of training against the same losses written down plainly."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip('torch')

from sspinnpose_ros.core.arrays import components, join, pieces, planes  # noqa: E402
from sspinnpose_ros.core.body import body_from_anthropometry, nominal_sensor_position  # noqa: E402
from sspinnpose_ros.core.conventions import COORDINATES, GRAVITY  # noqa: E402
from sspinnpose_ros.core.decoder import OUTPUTS, decode  # noqa: E402
from sspinnpose_ros.core.kinematics import segment_angles  # noqa: E402
from sspinnpose_ros.core.mechanics import mechanics  # noqa: E402
from sspinnpose_ros.core.network import GaitNetwork  # noqa: E402
from sspinnpose_ros.core.virtual_imu import virtual_imu  # noqa: E402
from sspinnpose_ros.training.losses import (  # noqa: E402
    HUBER_BETA,
    LossScales,
    LossWeights,
    physics_losses,
    weigh,
)
from sspinnpose_ros.training.placement_fit import PlacementPrior  # noqa: E402
from sspinnpose_ros.training.recordings import Streams  # noqa: E402

PERIOD_S = 0.01
PHYSICS = 0.7


def huber(residual):
    size = residual.abs()
    return torch.where(size < HUBER_BETA, size**2, 2.0 * HUBER_BETA * size - HUBER_BETA**2)


def explained_by_placement(motion, virtual, residual, measured):
    """Fit each sensor of each window by solving its normal equations."""
    prior = PlacementPrior()
    sigma = torch.tensor([prior.mounting_rad] + 2 * [prior.position_m], dtype=virtual.dtype)
    explained = torch.zeros_like(residual)
    for window in range(residual.shape[0]):
        for sensor in range(7):
            at = (window, slice(None), sensor)
            alpha, square = motion.angular_acceleration[at], motion.rate[at] ** 2
            columns = torch.stack(
                [
                    torch.stack([virtual[at][:, 1], -square, -alpha], -1),
                    torch.stack([-virtual[at][:, 0], alpha, -square], -1),
                ],
                1,
            )
            weight = measured[at][:, None, None] / (prior.specific_force**2 * prior.correlated)
            tall, right = columns.detach().flatten(0, 1), residual[at].detach().flatten()
            normal = tall.T @ (columns.detach() * weight).flatten(0, 1) + torch.diag(sigma**-2)
            found = torch.linalg.solve(normal, (columns.detach() * weight).flatten(0, 1).T @ right)
            explained[at] = columns @ found
    return explained


def plain_losses(*, state, streams, body):
    """Write every loss as its description says, with neither layout nor shortcuts."""
    s = LossScales()
    found = mechanics(body=body, state=state)
    virtual = virtual_imu(motion=found.motion, position=streams.sensor_position[:, None])
    off = streams.sagittal - virtual
    there = streams.present
    force_off = off[..., :2] - explained_by_placement(found.motion, virtual, off[..., :2], there)
    weight = (body.mass_kg * GRAVITY)[..., None]
    height = body.height_m[..., None]
    up = state.contact_force[..., 1] / weight[..., None]
    moment = found.effort / weight / height
    speed, gap = found.points.velocity, found.points.position[..., 1]
    lean = (segment_angles(state.q) - streams.inclination) * there
    mean_lean = lean.sum(1) / there.sum(1).clamp(min=1)
    drift = (state.q[:, 1:] - state.q[:, :-1]) / PERIOD_S - (
        state.qd[:, 1:] + state.qd[:, :-1]
    ) / 2
    jump = (state.qd[:, 1:] - state.qd[:, :-1]) / PERIOD_S - (
        state.qdd[:, 1:] + state.qdd[:, :-1]
    ) / 2
    drifts = torch.cat([drift[..., 1:2] / s.height_velocity, drift[..., 2:] / s.velocity], -1)
    jumps = torch.cat([jump[..., :2] / s.pelvis_acceleration, jump[..., 2:] / s.acceleration], -1)
    knees = state.q[..., [COORDINATES.index(f'knee_angle_{side}') for side in 'rl']]
    pelvis = torch.cat(
        [
            found.pelvis_residual[..., :2] / weight / s.pelvis_force,
            found.pelvis_residual[..., 2:] / weight / height / s.pelvis_moment,
        ],
        -1,
    )
    contact = huber(up[..., None] * speed / s.slip).sum(-1) + huber(up * gap / s.gap)
    return {
        'specific_force': (huber(force_off / s.specific_force).mean(-1) * there).sum()
        / there.sum(),
        'rate': (huber(off[..., 2] / s.rate) * there).sum() / there.sum(),
        'inclination': (huber(mean_lean / s.inclination) * there.sum(1)).sum() / there.sum(),
        'velocity': huber(drifts).mean(),
        'acceleration': huber(jumps).mean(),
        'pelvis': PHYSICS * huber(pelvis).mean(),
        'contact': PHYSICS * contact.mean(),
        'penetration': huber((-gap).clamp(min=0) / s.penetration).mean(),
        'knee_limit': ((-knees).clamp(min=0) / s.hyperextension).square().mean(),
        'smoothness': PHYSICS * (up.diff(dim=1) / s.force_step).square().mean()
        + PHYSICS * (moment.diff(dim=1) / s.moment_step).square().mean(),
        'effort': PHYSICS * (moment / s.effort).square().mean(),
        'lean': (state.lean / s.lean).square().mean()
        + (state.lean.diff(dim=1) / PERIOD_S / s.lean_rate).square().mean(),
    }


def some_streams(*, count=3, samples=12, seed=0):
    """Return streams in double precision; some sensors are missing, one for the whole window."""
    draw = np.random.default_rng(seed).normal
    height = torch.tensor(1.7 + 0.1 * draw(size=count))
    present = np.ones((count, samples, 7))
    present[0, 3:8, 2] = present[1, :, 5] = 0.0
    return Streams(
        sagittal=torch.tensor(4.0 * draw(size=(count, samples, 7, 3))),
        inclination=torch.tensor(0.3 * draw(size=(count, samples, 7))),
        rate_change=torch.tensor(draw(size=(count, samples, 7))),
        present=torch.tensor(present),
        body=body_from_anthropometry(
            mass_kg=torch.tensor(70.0 + 5.0 * draw(size=count)), height_m=height
        ),
        sensor_position=nominal_sensor_position(height_m=height),
    )


def differentiated(function, streams, outputs):
    """Return all losses and the derivative of each with respect to the network's outputs."""
    outputs = outputs.detach().requires_grad_()
    body = streams.body.over_time()
    state = decode(
        output=planes(outputs) if streams.sagittal.stride(0) == 1 else outputs,
        inclination=streams.inclination,
        rate=streams.sagittal[..., 2],
        present=streams.present,
        body=body,
    )
    losses = function(state=state, streams=streams, body=body)
    gradients = {
        name: torch.autograd.grad(value, outputs, retain_graph=True)[0]
        for name, value in losses.items()
    }
    return losses, gradients


def fast_losses(*, state, streams, body):
    return physics_losses(
        state=state,
        sagittal=streams.sagittal,
        inclination=streams.inclination,
        measured=streams.present,
        sensor_position=streams.sensor_position,
        body=body,
        period_s=PERIOD_S,
        physics=PHYSICS,
    )


@pytest.mark.parametrize('in_planes', [False, True])
@pytest.mark.parametrize('size', [0.3, 3.0])
def test_losses_and_gradients_are_those_that_are_described(in_planes, size):
    streams = some_streams()
    outputs = torch.tensor(
        size * np.random.default_rng(1).normal(size=(len(streams), streams.samples, OUTPUTS))
    )
    expected, slopes = differentiated(plain_losses, streams, outputs)
    found, found_slopes = differentiated(
        fast_losses, streams.in_planes() if in_planes else streams, outputs
    )
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-12)
        largest = slopes[name].abs().max()
        assert largest > 0.0, name
        torch.testing.assert_close(found_slopes[name], slopes[name], rtol=0, atol=1e-9 * largest)


def test_single_precision_differs_by_rounding_alone():
    streams = some_streams(samples=40)
    outputs = torch.tensor(np.random.default_rng(2).normal(size=(len(streams), 40, OUTPUTS)))
    single = Streams(
        sagittal=streams.sagittal.float(),
        inclination=streams.inclination.float(),
        rate_change=streams.rate_change.float(),
        present=streams.present.float(),
        body=streams.body.map(lambda value: value.float()),
        sensor_position=streams.sensor_position.float(),
    ).in_planes()
    expected, slopes = differentiated(plain_losses, streams, outputs)
    found, found_slopes = differentiated(fast_losses, single, outputs.float())
    total, slope = (
        weigh({name: torch.as_tensor(one) for name, one in values.items()}, LossWeights())
        for values in (expected, found)
    )
    torch.testing.assert_close(slope.double(), total, rtol=1e-5, atol=0)
    for name, gradient in slopes.items():
        off = (found_slopes[name].double() - gradient).norm() / gradient.norm()
        assert off < 1e-5, name


def test_the_network_reads_out_what_its_layers_say():
    torch.manual_seed(0)
    network = GaitNetwork(hidden=16)
    with torch.no_grad():
        network.skip.weight.normal_()
    inputs = torch.randn(4, 30, network.skip.in_features)
    weigh_by = torch.randn(4, 30, OUTPUTS)

    def plainly(recurrent):
        inner = torch.nn.functional.elu(network.inner(recurrent))
        return network.outer(inner) + network.skip(inputs)

    gradients = []
    for read_out in (plainly, lambda recurrent: network.read_out(recurrent, inputs)):
        network.zero_grad()
        recurrent, _ = network.lstm(inputs)
        outputs = read_out(recurrent)
        (outputs * weigh_by).sum().backward()
        gradients.append([outputs.detach(), *(p.grad.clone() for p in network.parameters())])
    for plain, fast in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-4 * float(plain.abs().max()))


@pytest.mark.parametrize('shape', [(3, 4, 5), (3, 4, 7, 2), (3, 4, 2, 2, 2)])
def test_layouts_change_no_number(shape):
    values = torch.randn(shape)
    laid = planes(values)
    assert torch.equal(laid, values)
    assert laid.stride()[:2] == (1, shape[0])
    assert torch.equal(planes(values, batch_axes=1), values)
    for array in (values, laid, values.numpy()):
        parts = components(array)
        np.testing.assert_array_equal(np.stack(parts, -1), values)
        np.testing.assert_array_equal(join(parts), values)
        first, rest = pieces(array, (1, shape[-1] - 1))
        np.testing.assert_array_equal(np.concatenate([first, rest], -1), values)
    one, *_ = components(laid + 1.0)
    assert one.stride()[:2] == (1, shape[0])


FAULTS = """
import resource, sys, torch
from sspinnpose_ros.training.kept_memory import keep_freed_memory
if sys.argv[1] == 'keep' and not keep_freed_memory():
    print('unknown')
    raise SystemExit
for _ in range(20):
    torch.ones(10_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    torch.ones(10_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_kept_memory_is_not_fetched_anew():
    faults = []
    for wish in ('keep', 'plain'):
        done = subprocess.run(
            [sys.executable, '-c', FAULTS, wish],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        if done.stdout.strip() == 'unknown':
            pytest.skip('the C library is not that of GNU')
        faults.append(int(done.stdout))
    kept, plain = faults
    assert kept < 0.1 * plain
