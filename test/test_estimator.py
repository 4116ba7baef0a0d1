# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold the streaming estimator against the batch pipeline that training uses."""

import numpy as np
import pytest

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.native_step import SWITCH, is_native
from sspinnpose_ros.core.subject import make_subject

torch = pytest.importorskip('torch')


@pytest.fixture(scope='module', params=['python', 'c'])
def estimator(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, str(int(request.param == 'c')))
        if is_native() != (request.param == 'c'):
            pytest.skip('the package was installed without a C compiler')
        return make_estimator()


def make_estimator():
    return Estimator(
        model=load_model('default'),
        subject=make_subject(mass_kg=71.0, height_m=1.76, sensor_axes='segment aligned'),
        mounting=aligned_mounting(),
    )


@pytest.fixture(scope='module')
def recording():
    """Return (T, 7, 6) raw readings of a simulated walker, 2 s at 100 Hz."""
    from sspinnpose_ros.training.gait_style import draw_gait
    from sspinnpose_ros.training.recordings import synthetic_streams
    from sspinnpose_ros.training.synthetic_gait import synthesize

    rng = np.random.default_rng(3)
    motions = synthesize([draw_gait(rng, speed_mps=1.3)], iterations=150)
    streams, _ = synthetic_streams(motions, samples=200, period_s=0.01, rng=rng)
    raw = np.zeros((200, 7, 6))
    # Segment-aligned sensors have the axes x forward, y up, z right.
    raw[..., [0, 1, 5]] = streams.sagittal[0].numpy()
    return raw


def stream(estimator, recording, present):
    state = estimator.initial_state()
    estimates = []
    for index, (imu, there) in enumerate(zip(recording, present, strict=True)):
        frame = Frame(time_s=0.01 * index, imu=imu * there[:, None], present=there)
        state, estimate = estimator.step(state, frame)
        estimates.append(estimate)
    return estimates


def batch(estimator, recording, present):
    """Run the batch pipeline in torch, float64 but for the network."""
    from sspinnpose_ros.core.mechanics import mechanics
    from sspinnpose_ros.core.network import GaitNetwork, network_weights
    from sspinnpose_ros.training.recordings import UnlabelledRecording, recorded_streams
    from sspinnpose_ros.training.train import run_network

    network = GaitNetwork(hidden=estimator.model.hidden)
    network.load_state_dict(network_weights(estimator.model.weights))
    streams = recorded_streams(
        [
            UnlabelledRecording(
                sagittal=estimator.sagittal(recording) * present[..., None],
                present=present,
                body=estimator.body,
                sensor_position=estimator.subject.sensor_position_m[:, [0, 2]],
            )
        ],
        samples=len(recording),
        period_s=0.01,
    )
    with torch.no_grad():
        state, _ = run_network(network, streams=streams, seen=torch.ones(1, 7))
        effort = mechanics(body=streams.body.over_time(), state=state).effort
    return state, effort[0].numpy()


@pytest.mark.parametrize('missing', [(), ('pelvis', 'foot_l')])
def test_streaming_equals_batch(estimator, recording, missing):
    present = np.ones((len(recording), 7), bool)
    for name in missing:
        present[60:, SENSORS.index(name)] = False
    estimates = stream(estimator, recording, present)
    state, wanted = batch(estimator, recording, present)
    q = np.stack([e.q for e in estimates])
    np.testing.assert_allclose(q[:, 1:], state.q[0, :, 1:], atol=1e-5)
    scale = 71.0 * 9.81
    effort = np.stack([e.effort for e in estimates]) / scale
    np.testing.assert_allclose(effort, wanted / scale, atol=1e-5)
    ground = np.stack([e.contact_force for e in estimates]) / scale
    np.testing.assert_allclose(ground, state.contact_force[0] / scale, atol=1e-5)


def test_every_number_is_finite_with_any_sensors(estimator, recording):
    rng = np.random.default_rng(0)
    present = rng.random((len(recording), 7)) < 0.6
    for estimate in stream(estimator, recording, present):
        for value in (estimate.q, estimate.qd, estimate.effort, estimate.sole_wrench):
            assert np.isfinite(value).all()
        assert np.isnan(estimate.residual[~estimate.present]).all()
        assert np.isfinite(estimate.residual[estimate.present]).all()


def test_the_state_passed_in_stays_as_it_was(estimator, recording):
    frame = Frame(time_s=0.0, imu=recording[0], present=np.ones(7, bool))
    state = estimator.initial_state()
    first = estimator.step(state, frame)[1]
    again = estimator.step(state, frame)[1]
    np.testing.assert_array_equal(first.q, again.q)
    assert not state.recurrent.any()


def test_a_sensor_without_mounting_counts_as_absent(recording):
    worn = tuple(name for name in SENSORS if name != 'pelvis')
    estimator = Estimator(
        model=load_model('default'),
        subject=make_subject(mass_kg=71.0, height_m=1.76),
        mounting=aligned_mounting(worn),
    )
    frame = Frame(time_s=0.0, imu=recording[0], present=np.ones(7, bool))
    estimate = estimator.step(estimator.initial_state(), frame)[1]
    np.testing.assert_array_equal(estimate.present, [name != 'pelvis' for name in SENSORS])


def test_the_sole_wrench_is_the_ground_reaction_seen_from_the_sole(estimator, recording):
    estimates = stream(estimator, recording, np.ones((len(recording), 7), bool))
    for estimate in estimates[::20]:
        size = np.hypot(estimate.ground_force[:, 0], estimate.ground_force[:, 1])
        np.testing.assert_allclose(
            np.hypot(estimate.sole_wrench[:, 0], estimate.sole_wrench[:, 1]), size, rtol=1e-9
        )
