# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Define the recurrent network for training, in torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from sspinnpose_ros.core.decoder import OUTPUTS
from sspinnpose_ros.core.features import INPUTS
from sspinnpose_ros.core.uncertainty import head_shapes

LAYERS = 2

RecurrentState = tuple[torch.Tensor, torch.Tensor]


class GaitNetwork(torch.nn.Module):
    """Map measurements to motion and forces: two LSTM layers, a small head, a linear skip.

    Source: Gambietz et al. (2026) use a recurrent network; sizes and the skip are our own.
    """

    def __init__(self, *, hidden: int = 128) -> None:
        super().__init__()
        self.hidden = hidden
        self.lstm = torch.nn.LSTM(INPUTS, hidden, LAYERS, batch_first=True)
        self.inner = torch.nn.Linear(hidden, hidden)
        self.outer = torch.nn.Linear(hidden, OUTPUTS)
        self.skip = torch.nn.Linear(INPUTS, OUTPUTS, bias=False)
        with torch.no_grad():
            self.outer.weight.mul_(0.1)
            self.outer.bias.zero_()
            self.skip.weight.zero_()

    def forward(
        self, inputs: torch.Tensor, state: RecurrentState | None = None
    ) -> tuple[torch.Tensor, RecurrentState]:
        """Run sequences.

        Args:
            inputs: (B, T, 44) from `features.network_input`.
            state: hidden and cell, each (2, B, hidden); zeros when None.

        Returns:
            (B, T, 35) outputs for `decoder.decode`, and the state after the last sample.

        """
        recurrent, following = self.lstm(inputs, state)
        return self.read_out(recurrent, inputs), following

    def read_out(self, recurrent: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs (B, T, 35) of recurrent outputs (B, T, hidden) and inputs."""
        # The recurrent layers work time by time; in their order nothing has to be copied.
        recurrent, inputs = recurrent.transpose(0, 1), inputs.transpose(0, 1)
        inner = torch.nn.functional.elu(_linear(self.inner, recurrent), inplace=True)
        outputs = _linear(self.outer, inner).add_(self.skip(inputs))
        return outputs.transpose(0, 1)


def _linear(layer: torch.nn.Linear, inputs: torch.Tensor) -> torch.Tensor:
    """Apply a layer by oneDNN where there is one, since torch's usual way is slow on AMD."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if there and inputs.device.type == 'cpu' and inputs.dtype == torch.float32:
        inputs = inputs.to_mkldnn()
    return torch.nn.functional.linear(inputs, layer.weight, layer.bias).to_dense()


def network_weights(weights: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Return the weights of a model that are `GaitNetwork`'s, without the head of its sigmas."""
    heads = head_shapes(1)
    return {name: torch.tensor(value) for name, value in weights.items() if name not in heads}
