# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hide sensors during training, so that one network serves every sensor set."""

from __future__ import annotations

import numpy as np
import torch

from sspinnpose_ros.core.conventions import SENSOR_SETS, SENSORS

_SPARSE = [
    [SENSORS.index(name) for name in names] for key, names in SENSOR_SETS.items() if key != 'all'
]


def draw_masks(
    rng: np.random.Generator, count: int, *, sparse: float, random: float
) -> torch.Tensor:
    """Draw which sensors each of `count` streams lets the network see.

    Args:
        rng: source of chance.
        count: streams.
        sparse: share of streams with one of the paper's sparse sets.
        random: share of streams that lack one to three sensors at random.

    Returns:
        (count, 7) 1 where seen.

    """
    seen = torch.ones(count, len(SENSORS))
    for stream in range(count):
        chance = rng.random()
        if chance < sparse:
            seen[stream] = 0.0
            seen[stream, _SPARSE[int(rng.integers(len(_SPARSE)))]] = 1.0
        elif chance < sparse + random:
            lost = rng.choice(len(SENSORS), int(rng.integers(1, 4)), replace=False)
            seen[stream, lost] = 0.0
    return seen
