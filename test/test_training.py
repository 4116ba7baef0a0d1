# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Check that training learns from physics alone, repeats itself, and can be interrupted."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip('torch')

from sspinnpose_ros.core.body import body_from_anthropometry, nominal_sensor_position  # noqa: E402
from sspinnpose_ros.core.errors import ModelError  # noqa: E402
from sspinnpose_ros.core.model_file import load_model  # noqa: E402
from sspinnpose_ros.training import train as train_module  # noqa: E402
from sspinnpose_ros.training.early_stop import EarlyStop  # noqa: E402
from sspinnpose_ros.training.recordings import (  # noqa: E402
    UnlabelledRecording,
    recorded_streams,
    split_recording,
)
from sspinnpose_ros.training.train import TrainingConfig, train  # noqa: E402

TINY = TrainingConfig(
    iterations=24,
    wearers=8,
    gait_iterations=30,
    episodes=0,
    hidden=12,
    batch=4,
    stream=300,
    window=100,
    check_every=8,
    threads=1,
)


WITH_EPISODES = replace(TINY, seed=1, episodes=1, episode_iterations=100)


class Interrupted(Exception):
    pass


def test_the_same_seed_gives_the_same_model(tmp_path):
    first = train(output=tmp_path / 'a', config=TINY)
    second = train(output=tmp_path / 'b', config=TINY)
    other = train(output=tmp_path / 'c', config=replace(TINY, seed=1))
    for name, value in first.weights.items():
        np.testing.assert_array_equal(value, second.weights[name])
    assert any((first.weights[n] != other.weights[n]).any() for n in first.weights)
    assert load_model(tmp_path / 'a').provenance['iterations'] == TINY.iterations


def test_the_physics_loss_falls(tmp_path):
    seen = []

    def watch(stage, done, total, remark):
        if stage == 'training':
            words = remark.split()
            seen.append(dict(zip(words[::2], map(float, words[1::2]), strict=True)))

    train(
        output=tmp_path / 'model',
        config=replace(TINY, iterations=300, gait_iterations=200, ramp=0.0, hidden=32),
        progress=watch,
    )
    first, last = seen[0], seen[-1]
    assert last['contact'] + last['pelvis'] < 0.8 * (first['contact'] + first['pelvis'])
    assert last['specific_force'] < first['specific_force']


@pytest.mark.parametrize('last', [0, 12])
def test_an_interrupted_training_goes_on_where_it_was(last, tmp_path, monkeypatch):
    whole = train(output=tmp_path / 'whole', config=WITH_EPISODES)
    assert whole.provenance['episodes'] == 1
    monkeypatch.setattr(train_module, 'CHECKPOINTS', 4)

    steps = train_module._Training._save_checkpoint

    def save_and_stop(self, iteration):
        steps(self, iteration)
        if iteration == last:
            raise Interrupted

    monkeypatch.setattr(train_module._Training, '_save_checkpoint', save_and_stop)
    with pytest.raises(Interrupted):
        train(output=tmp_path / 'part', config=WITH_EPISODES)
    assert not (tmp_path / 'part').exists()
    monkeypatch.setattr(train_module._Training, '_save_checkpoint', steps)
    resumed = train(output=tmp_path / 'part', config=WITH_EPISODES, resume=True)
    assert not (tmp_path / 'part.checkpoint').exists()
    for name, value in whole.weights.items():
        np.testing.assert_allclose(value, resumed.weights[name], atol=1e-6)


def test_a_checkpoint_of_other_options_is_refused(tmp_path):
    with pytest.raises(ModelError, match='does not exist'):
        train(output=tmp_path / 'model', config=TINY, resume=True)
    (tmp_path / 'model.checkpoint').write_bytes(b'nothing')
    with pytest.raises(ModelError, match='cannot be read'):
        train(output=tmp_path / 'model', config=TINY, resume=True)


def test_real_recordings_join_in(tmp_path):
    rng = np.random.default_rng(0)
    recording = UnlabelledRecording(
        sagittal=rng.normal(size=(750, 7, 3)) + np.array([0.0, 9.81, 0.0]),
        present=np.ones((750, 7), bool),
        body=body_from_anthropometry(mass_kg=np.array(70.0), height_m=np.array(1.7)),
        sensor_position=nominal_sensor_position(height_m=np.array(1.7)),
    )
    streams = recorded_streams([recording], samples=300, period_s=0.01)
    assert len(streams) == 3
    np.testing.assert_allclose(streams.sagittal[2], recording.sagittal[-300:], rtol=1e-6)
    start = train(output=tmp_path / 'a', config=TINY)
    adapted = train(output=tmp_path / 'b', config=TINY, recordings=[recording], initial=start)
    assert adapted.provenance['recorded_seconds'] == 7.5
    assert adapted.provenance['kept_iteration'] == 24
    assert adapted.provenance['started_from']['iterations'] == TINY.iterations


def test_the_weights_with_the_least_unseen_loss_are_kept():
    network = torch.nn.Linear(1, 1, bias=False)
    stop = EarlyStop(patience=2)
    for iteration, loss in enumerate([3.0, 1.0, 2.0, 1.5]):
        assert not stop.enough
        with torch.no_grad():
            network.weight.fill_(loss)
        stop.note(loss, iteration=iteration, network=network)
    assert stop.enough
    assert stop.iteration == 1
    resumed = EarlyStop(patience=2)
    resumed.load(stop.state())
    resumed.restore(network)
    assert network.weight.item() == 1.0


def test_the_end_of_a_recording_is_kept_apart():
    recording = UnlabelledRecording(
        sagittal=np.arange(1000.0)[:, None, None] * np.ones((1, 7, 3)),
        present=np.ones((1000, 7), bool),
        body=body_from_anthropometry(mass_kg=np.array(70.0), height_m=np.array(1.7)),
        sensor_position=nominal_sensor_position(height_m=np.array(1.7)),
    )
    begin, end = split_recording(recording, share=0.2, least=100)
    assert (len(begin.sagittal), len(end.sagittal)) == (800, 200)
    assert end.sagittal[0, 0, 0] == 800.0
    short, same = split_recording(recording, share=0.2, least=600)
    assert short is same is recording
