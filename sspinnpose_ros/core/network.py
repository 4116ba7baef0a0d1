"""Define the recurrent network for training, in torch."""

from __future__ import annotations

import torch

from sspinnpose_ros.core.decoder import OUTPUTS
from sspinnpose_ros.core.features import INPUTS

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
        inner = torch.nn.functional.elu(self.inner(recurrent))
        return self.outer(inner) + self.skip(inputs), following
