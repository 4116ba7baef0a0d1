# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Check that sigmas are calibrated on wearers nobody has seen, and grow with what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sspinnpose_ros.core.body import body_from_anthropometry
from sspinnpose_ros.core.conventions import SENSOR_SETS, SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.uncertainty import (
    HEAD_BIAS,
    HEAD_WEIGHT,
    QUANTITIES,
    UncertaintyHead,
    follow_residual,
    head_input,
    head_shapes,
    join_quantities,
    split_quantities,
)

torch = pytest.importorskip('torch')

from sspinnpose_ros.core.network import GaitNetwork, network_weights  # noqa: E402
from sspinnpose_ros.training.gait_style import draw_gaits  # noqa: E402
from sspinnpose_ros.training.recordings import synthetic_streams  # noqa: E402
from sspinnpose_ros.training.synthetic_gait import synthesize  # noqa: E402
from sspinnpose_ros.training.train import TrainingConfig  # noqa: E402
from sspinnpose_ros.training.uncertainty_fit import (  # noqa: E402
    ErrorSamples,
    UncertaintyConfig,
    error_samples,
    fit_head,
    head_inputs,
    hide_sensors,
    synthesize_strangers,
)

GROUPS = {
    'angle': list(range(6)),
    'moment': list(range(6, 12)),
    'grf_forward': [12, 14],
    'grf_up': [13, 15],
}
BANDS = {'usual': ((0.56, 0.86), 0.90), 'strangers': ((0.48, 0.79), 0.80)}
"""Least shares within one and two sigma, and the largest within one."""

HOPELESS = ('pelvis', 'foot_r')


@pytest.fixture(scope='module')
def network():
    model = load_model('default')
    network = GaitNetwork(hidden=model.hidden)
    network.load_state_dict(network_weights(model.weights))
    return network


@pytest.fixture(scope='module')
def motions():
    """Return wearers of the training's kind and strangers, from seeds nobody else uses."""
    usual = synthesize(draw_gaits(np.random.default_rng(7001), 32), seed=7001, iterations=800)
    strange = synthesize_strangers(32, seed=7002, iterations=800)
    return {'usual': usual, 'strangers': strange}


def samples_of(network, motions, kept, seed=0):
    rng = np.random.default_rng(seed)
    streams, truth = synthetic_streams(
        motions, samples=600, period_s=0.01, rng=rng, errors=TrainingConfig().errors
    )
    seen = torch.as_tensor(np.isin(SENSORS, kept).astype(np.float32)).expand(len(streams), 600, 7)
    return error_samples(
        network,
        streams=hide_sensors(streams, seen),
        truth=truth,
        rng=rng,
        per_stream=30,
        period_s=0.01,
        first=200,
    )


def sigma_of(inputs):
    weights = load_model('default').weights
    return np.exp(inputs.numpy() @ weights[HEAD_WEIGHT].T + weights[HEAD_BIAS])


@pytest.mark.parametrize('population', ['usual', 'strangers'])
@pytest.mark.parametrize('name', SENSOR_SETS)
def test_the_usual_shares_of_errors_lie_within_one_and_two_sigma(
    network, motions, population, name
):
    """Wearers of the training's own kind are easier than those the head was fitted to."""
    samples = samples_of(network, motions[population], SENSOR_SETS[name])
    ratio = samples.errors.abs().numpy() / sigma_of(samples.inputs)
    lowest, highest = BANDS[population]
    for group, columns in GROUPS.items():
        within = [(ratio[:, columns] <= count).mean() for count in (1, 2)]
        assert lowest[0] <= within[0] <= highest, (group, within)
        assert within[1] >= lowest[1], (group, within)


def test_sigma_grows_when_sensors_vanish(network, motions):
    def mean(kept):
        return sigma_of(samples_of(network, motions['usual'], kept).inputs).mean(0)

    everything = mean(SENSORS)
    for name, kept in SENSOR_SETS.items():
        if name != 'all':
            sparse = mean(kept)
            for columns in GROUPS.values():
                assert sparse[columns].mean() > 1.05 * everything[columns].mean(), name
    hopeless = mean(HOPELESS)
    assert hopeless[:6].max() > 2.0 * everything[:6].max()
    assert np.rad2deg(hopeless[:6].max()) > 15.0


def test_worse_sensors_raise_sigma(network, motions):
    """The residual tells badly worn sensors, which presence alone cannot."""
    rng = np.random.default_rng(3)
    sizes = {}
    for factor in (0.2, 2.5):
        usual = TrainingConfig().errors
        errors = replace(
            usual, mounting_rad=factor * usual.mounting_rad, wobble=factor * usual.wobble
        )
        streams, _ = synthetic_streams(
            motions['usual'], samples=500, period_s=0.01, rng=rng, errors=errors
        )
        inputs, _ = head_inputs(network, streams=streams, period_s=0.01)
        sizes[factor] = sigma_of(inputs[:, 200:].flatten(0, 1)).mean(0)
    assert (sizes[2.5][:12] > 1.08 * sizes[0.2][:12]).all()


@pytest.fixture(scope='module')
def worn(motions):
    """Return (T, 7, 6) raw readings of aligned sensors on one wearer."""
    streams, _ = synthetic_streams(
        motions['usual'].part(slice(0, 1)),
        samples=200,
        period_s=0.01,
        rng=np.random.default_rng(5),
    )
    raw = np.zeros((200, 7, 6))
    raw[..., [0, 1, 5]] = streams.sagittal[0].numpy()
    return raw


def wearer(model):
    return Estimator(
        model=model,
        subject=make_subject(mass_kg=71.0, height_m=1.76, sensor_axes='segment aligned'),
        mounting=aligned_mounting(),
    )


def stream(estimator, raw, present):
    state = estimator.initial_state()
    for index, (imu, there) in enumerate(zip(raw, present, strict=True)):
        frame = Frame(time_s=0.01 * index, imu=imu * there[:, None], present=there)
        state, estimate = estimator.step(state, frame)
        yield estimate


@pytest.mark.parametrize('missing', [(), ('pelvis', 'foot_l')])
def test_streaming_equals_batch(network, worn, missing):
    from sspinnpose_ros.training.recordings import UnlabelledRecording, recorded_streams

    estimator = wearer(load_model('default'))
    present = np.ones((len(worn), 7), bool)
    for name in missing:
        present[60:, SENSORS.index(name)] = False
    streams = recorded_streams(
        [
            UnlabelledRecording(
                sagittal=estimator.sagittal(worn) * present[..., None],
                present=present,
                body=estimator.body,
                sensor_position=estimator.subject.sensor_position_m[:, [0, 2]],
            )
        ],
        samples=len(worn),
        period_s=0.01,
    )
    inputs, _ = head_inputs(network, streams=streams, period_s=0.01)
    weight = 71.0 * 9.81
    found = [
        join_quantities(
            angle=estimate.angle_sigma,
            effort=estimate.effort_sigma / (weight * 1.76),
            ground_force=estimate.ground_force_sigma / weight,
        )
        for estimate in stream(estimator, worn, present)
    ]
    np.testing.assert_allclose(found, sigma_of(inputs[0]), rtol=2e-3)


def test_sigmas_are_numbers_with_any_sensors(worn):
    present = np.random.default_rng(0).random((len(worn), 7)) < 0.4
    present[:20] = False
    estimator = wearer(load_model('default'))
    for estimate in stream(estimator, worn, present):
        assert estimate.has_sigma
        for sigma in (
            estimate.angle_sigma,
            estimate.effort_sigma,
            estimate.ground_force_sigma,
        ):
            assert np.isfinite(sigma).all()
            assert (sigma > 0.0).all()


def test_a_model_without_head_tells_no_sigma(worn):
    model = load_model('default')
    plain = replace(
        model, weights={k: v for k, v in model.weights.items() if k not in head_shapes(1)}
    )
    there = np.ones((3, 7), bool)
    with_sigma, without = (list(stream(wearer(each), worn[:3], there)) for each in (model, plain))
    for one, other in zip(with_sigma, without, strict=True):
        assert one.has_sigma
        assert not other.has_sigma
        assert np.isnan(other.ground_force_sigma).all()
        np.testing.assert_array_equal(one.q, other.q)


def test_units_come_from_the_wearer():
    body = body_from_anthropometry(mass_kg=np.array(80.0), height_m=np.array(1.8))
    weights = {name: np.zeros(shape, np.float32) for name, shape in head_shapes(4).items()}
    weights[HEAD_BIAS][:] = np.log(0.1)
    found = UncertaintyHead(weights, body=body)(
        recurrent=np.zeros(4), present=np.ones(7), mean_square=np.ones((7, 2))
    )
    np.testing.assert_allclose(found.angle, 0.1, rtol=1e-6)
    np.testing.assert_allclose(found.effort, 0.1 * 80.0 * 9.81 * 1.8, rtol=1e-6)
    np.testing.assert_allclose(found.ground_force, 0.1 * 80.0 * 9.81, rtol=1e-6)
    assert found.ground_force.shape == (2, 2)


def test_quantities_are_joined_and_split_alike():
    values = np.arange(float(QUANTITIES))
    parts = split_quantities(values)
    assert parts.ground_force[1, 0] == 14.0
    joined = join_quantities(
        angle=parts.angle, effort=parts.effort, ground_force=parts.ground_force
    )
    np.testing.assert_array_equal(joined, values)


def test_the_residual_forgets_and_waits_for_absent_sensors():
    present = np.ones(7)
    present[1] = 0.0
    residual = np.zeros((7, 3))
    residual[0] = [0.9, 1.2, 0.6]
    residual[1] = np.nan
    start = np.full((7, 2), np.nan)
    once = follow_residual(start, residual=residual, present=present, period_s=0.01)
    np.testing.assert_allclose(once[0], [1.0, 4.0])
    assert np.isnan(once[1]).all()
    assert np.isnan(start).all()
    later = once
    for _ in range(100):
        later = follow_residual(later, residual=np.zeros((7, 3)), present=present, period_s=0.01)
    np.testing.assert_allclose(later[0], np.array([1.0, 4.0]) * 0.99**100)
    shown = head_input(recurrent=np.zeros(4), present=present, mean_square=once)
    assert np.isfinite(shown).all()
    tensor = head_input(
        recurrent=torch.zeros(4),
        present=torch.as_tensor(present),
        mean_square=torch.as_tensor(once),
    )
    np.testing.assert_allclose(tensor, shown, atol=1e-6)


def test_the_fit_finds_sigmas_that_depend_on_the_inputs_in_spite_of_outliers():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(20000, 5)).astype(np.float32)
    sigma = np.exp(-2.0 + 0.5 * inputs[:, :1] * np.ones(QUANTITIES))
    errors = sigma * rng.normal(size=(20000, QUANTITIES))
    errors[::200] *= 50.0
    weights = fit_head(
        ErrorSamples(
            inputs=torch.as_tensor(inputs), errors=torch.as_tensor(errors, dtype=torch.float32)
        ),
        rng=rng,
        config=UncertaintyConfig(iterations=300, weight_decay=0.0),
    )
    found = np.exp(inputs @ weights[HEAD_WEIGHT].T + weights[HEAD_BIAS])
    np.testing.assert_allclose(np.median(found / sigma), 1.0, atol=0.05)
    np.testing.assert_allclose(weights[HEAD_WEIGHT][:, 0], 0.5, atol=0.06)
    np.testing.assert_allclose(weights[HEAD_WEIGHT][:, 1:], 0.0, atol=0.06)
