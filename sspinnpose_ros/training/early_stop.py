# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keep the best weights by a criterion that needs no labels, and say when to stop."""

from __future__ import annotations

from typing import Any

import torch


class EarlyStop:
    """Remember the weights with the least loss on data that training does not see.

    Attributes:
        best: least loss so far; infinite before the first.
        iteration: when it was reached.
        stale: checks since then.

    """

    def __init__(self, *, patience: int) -> None:
        """Give up after `patience` checks without a better one, never if it is 0."""
        self.patience = patience
        self.best = float('inf')
        self.iteration = 0
        self.stale = 0
        self._weights: dict[str, torch.Tensor] = {}

    @property
    def enough(self) -> bool:
        """Whether more training is unlikely to help."""
        return 0 < self.patience <= self.stale

    def note(self, loss: float, *, iteration: int, network: torch.nn.Module) -> None:
        """Take one check of the network."""
        if loss < self.best:
            self.best, self.iteration, self.stale = loss, iteration, 0
            self._weights = {name: w.detach().clone() for name, w in network.state_dict().items()}
        else:
            self.stale += 1

    def restore(self, network: torch.nn.Module) -> None:
        """Give the network its best weights back; leave it alone before the first check."""
        if self._weights:
            network.load_state_dict(self._weights)

    def state(self) -> dict[str, Any]:
        """Return everything a checkpoint needs."""
        return {
            'best': self.best,
            'iteration': self.iteration,
            'stale': self.stale,
            'weights': self._weights,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.best, self.iteration = float(state['best']), int(state['iteration'])
        self.stale, self._weights = int(state['stale']), dict(state['weights'])
