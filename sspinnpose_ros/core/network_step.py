# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the network one sample at a time, in numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sspinnpose_ros.core.decoder import OUTPUTS
from sspinnpose_ros.core.errors import ModelError
from sspinnpose_ros.core.features import INPUTS


class NetworkStep:
    """Evaluate the network of `core.network` with fused weights.

    The weights are those of `GaitNetwork.state_dict`, float32.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        hidden = _hidden_size(weights)
        self.hidden = hidden
        self._layers = []
        for layer in range(2):
            joined = np.concatenate(
                [weights[f'lstm.weight_ih_l{layer}'], weights[f'lstm.weight_hh_l{layer}']], 1
            )
            bias = weights[f'lstm.bias_ih_l{layer}'] + weights[f'lstm.bias_hh_l{layer}']
            # tanh serves all four gates: sigmoid(x) = (1 + tanh(x / 2)) / 2.
            half = np.full((4 * hidden, 1), 0.5, np.float32)
            half[2 * hidden : 3 * hidden] = 1.0
            self._layers.append(
                (np.ascontiguousarray(joined * half), (bias * half[:, 0]).astype(np.float32))
            )
        self._inner = (weights['inner.weight'], weights['inner.bias'])
        self._outer = (weights['outer.weight'], weights['outer.bias'])
        self._skip = weights['skip.weight']

    def initial_state(self) -> np.ndarray:
        """Return the state (2 layers, hidden and cell, hidden) before the first sample."""
        return np.zeros((2, 2, self.hidden), np.float32)

    def __call__(self, inputs: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advance by one sample.

        Args:
            inputs: (44,) from `features.network_input`.
            state: (2, 2, hidden) from the previous call; left as it is.

        Returns:
            (35,) outputs and the following state.

        """
        single = inputs.astype(np.float32)
        following = np.empty_like(state)
        size = self.hidden
        below = single
        for layer, (weight, bias) in enumerate(self._layers):
            gates = np.tanh(weight @ np.concatenate([below, state[layer, 0]]) + bias)
            entry = 0.5 * gates[:size] + 0.5
            keep = 0.5 * gates[size : 2 * size] + 0.5
            out = 0.5 * gates[3 * size :] + 0.5
            cell = keep * state[layer, 1] + entry * gates[2 * size : 3 * size]
            below = out * np.tanh(cell)
            following[layer, 0] = below
            following[layer, 1] = cell
        inner = self._inner[0] @ below + self._inner[1]
        inner = np.where(inner > 0.0, inner, np.expm1(np.minimum(inner, 0.0)))
        return self._outer[0] @ inner + self._outer[1] + self._skip @ single, following


def expected_shapes(hidden: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every weight of a network with `hidden` units."""
    shapes: dict[str, tuple[int, ...]] = {
        'inner.weight': (hidden, hidden),
        'inner.bias': (hidden,),
        'outer.weight': (OUTPUTS, hidden),
        'outer.bias': (OUTPUTS,),
        'skip.weight': (OUTPUTS, INPUTS),
    }
    for layer, inputs in enumerate((INPUTS, hidden)):
        shapes[f'lstm.weight_ih_l{layer}'] = (4 * hidden, inputs)
        shapes[f'lstm.weight_hh_l{layer}'] = (4 * hidden, hidden)
        shapes[f'lstm.bias_ih_l{layer}'] = (4 * hidden,)
        shapes[f'lstm.bias_hh_l{layer}'] = (4 * hidden,)
    return shapes


def _hidden_size(weights: Mapping[str, np.ndarray]) -> int:
    bias = weights.get('inner.bias')
    if bias is None or bias.ndim != 1:
        raise ModelError(
            'the model has no weight inner.bias of one axis, expected the weights of a '
            'sspinnpose gait network; choose another model.'
        )
    for name, shape in expected_shapes(len(bias)).items():
        seen = weights[name].shape if name in weights else None
        if seen != shape:
            raise ModelError(
                f"the model's weight {name} has shape {seen}, expected {shape}; "
                'it was made by another version of the network, train it again.'
            )
    return len(bias)
