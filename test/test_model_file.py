# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Check that models come back as they were written and that damage is told, not met."""

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import ModelError, OutputError
from sspinnpose_ros.core.model_file import Model, load_model, save_model
from sspinnpose_ros.core.network_step import expected_shapes
from sspinnpose_ros.core.uncertainty import HEAD_BIAS, HEAD_WEIGHT, head_shapes


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    return Model(
        weights={
            name: rng.normal(size=shape).astype(np.float32)
            for name, shape in (expected_shapes(8) | head_shapes(8)).items()
        },
        hidden=8,
        rate_hz=100.0,
        sensors=SENSORS,
        provenance={'seed': 3},
    )


@pytest.fixture
def saved(tmp_path, model):
    save_model(tmp_path / 'model', model)
    return tmp_path / 'model'


def test_round_trip(saved, model):
    loaded = load_model(saved)
    assert loaded.hidden == 8
    assert loaded.provenance == {'seed': 3}
    for name, value in model.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], value)


def test_the_weights_are_a_safetensors_file(saved, model):
    safetensors = pytest.importorskip('safetensors.numpy')
    loaded = safetensors.load_file(saved / 'weights.safetensors')
    assert set(loaded) == set(model.weights)
    for name, value in model.weights.items():
        np.testing.assert_array_equal(loaded[name], value)


def test_an_existing_model_is_replaced_and_anything_else_is_not(saved, model, tmp_path):
    save_model(saved, model)
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'letter.txt').write_text('dear reader')
    with pytest.raises(OutputError):
        save_model(other, model)
    assert (other / 'letter.txt').exists()


def describe(saved, **changes):
    file = saved / 'model.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'sensors': ['pelvis', 'wrist']}, 'sensors'),
        ({'version': 99}, 'version'),
        ({'format': 'other'}, 'format'),
        ({'hidden': 10**9}, 'hidden'),
        ({'hidden': 9}, 'shape'),
        ({'rate_hz': 0}, 'rate_hz'),
        ({'sha256': '0'}, 'sha256'),
    ],
)
def test_a_wrong_description_is_refused_with_a_sentence(saved, changes, words):
    describe(saved, **changes)
    with pytest.raises(ModelError, match=words):
        load_model(saved)


def without(model, *names):
    return replace(model, weights={k: v for k, v in model.weights.items() if k not in names})


def test_a_model_without_uncertainty_is_of_version_1_and_loads(tmp_path, model, saved):
    assert json.loads((saved / 'model.json').read_text())['version'] == 2
    save_model(tmp_path / 'plain', without(model, HEAD_WEIGHT, HEAD_BIAS))
    assert json.loads((tmp_path / 'plain' / 'model.json').read_text())['version'] == 1
    assert set(load_model(tmp_path / 'plain').weights) == set(expected_shapes(8))


@pytest.mark.parametrize('name', [HEAD_WEIGHT, HEAD_BIAS])
def test_a_head_that_is_not_whole_is_refused(tmp_path, model, name):
    save_model(tmp_path / 'half', without(model, name))
    with pytest.raises(ModelError, match=name):
        load_model(tmp_path / 'half')
    short = replace(model, weights=dict(model.weights) | {name: model.weights[name][:-1]})
    save_model(tmp_path / 'short', short)
    with pytest.raises(ModelError, match='shape'):
        load_model(tmp_path / 'short')


def test_missing_and_unreadable_files_are_refused(saved, tmp_path):
    with pytest.raises(ModelError, match='no model'):
        load_model(tmp_path / 'nowhere')
    (saved / 'model.json').write_text('{')
    with pytest.raises(ModelError, match='JSON'):
        load_model(saved)


def test_damaged_weights_never_raise_anything_else(saved, monkeypatch):
    """Flip and cut bytes; with the checksum disarmed the parser itself must hold."""
    import hashlib

    blob = (saved / 'weights.safetensors').read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(
            blob[: int(rng.integers(0, len(blob)))] if rng.random() < 0.3 else blob
        )
        for _ in range(int(rng.integers(0, 6))):
            if damaged:
                damaged[int(rng.integers(min(len(damaged), 1200)))] = int(rng.integers(256))
        (saved / 'weights.safetensors').write_bytes(damaged)
        describe(saved, sha256=hashlib.sha256(damaged).hexdigest())
        with contextlib.suppress(ModelError):
            load_model(saved)


def test_not_a_number_is_refused(tmp_path, model):
    weights = dict(model.weights)
    weights['inner.bias'] = np.full(8, np.nan, np.float32)
    save_model(
        tmp_path / 'model',
        Model(weights=weights, hidden=8, rate_hz=100.0, sensors=SENSORS, provenance={}),
    )
    with pytest.raises(ModelError, match='NaN'):
        load_model(tmp_path / 'model')
