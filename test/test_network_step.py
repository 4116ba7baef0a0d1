# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold the numpy step against torch."""

import numpy as np
import pytest

from sspinnpose_ros.core.errors import ModelError
from sspinnpose_ros.core.features import INPUTS
from sspinnpose_ros.core.network_step import NetworkStep

torch = pytest.importorskip('torch')


@pytest.fixture
def network():
    from sspinnpose_ros.core.network import GaitNetwork

    torch.manual_seed(1)
    network = GaitNetwork(hidden=24)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def weights_of(network):
    return {name: value.detach().numpy() for name, value in network.state_dict().items()}


def test_steps_equal_the_sequence(network):
    inputs = np.random.default_rng(0).normal(size=(200, INPUTS)).astype(np.float32)
    with torch.no_grad():
        expected, (hidden, cell) = network(torch.tensor(inputs)[None])
    step = NetworkStep(weights_of(network))
    state = step.initial_state()
    for sample, wanted in zip(inputs, expected[0].numpy(), strict=True):
        output, state = step(sample, state)
        np.testing.assert_allclose(output, wanted, atol=2e-5)
    np.testing.assert_allclose(state[:, 0], hidden[:, 0].numpy(), atol=1e-5)
    np.testing.assert_allclose(state[:, 1], cell[:, 0].numpy(), atol=1e-5)


def test_the_state_passed_in_stays_as_it_was(network):
    step = NetworkStep(weights_of(network))
    state = step.initial_state()
    step(np.ones(INPUTS), state)
    assert not state.any()


def test_missing_and_misshapen_weights_are_named(network):
    weights = weights_of(network)
    weights['skip.weight'] = weights['skip.weight'][:, :-1]
    with pytest.raises(ModelError, match=r'skip\.weight'):
        NetworkStep(weights)
    del weights['inner.bias']
    with pytest.raises(ModelError, match=r'inner\.bias'):
        NetworkStep(weights)
