# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let one physics code serve numpy arrays and torch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
"""A numpy array or a torch tensor; a function returns the kind it was given."""


def namespace(array: Array) -> Any:
    """Return the module (numpy or torch) whose functions work on `array`."""
    if isinstance(array, (np.ndarray, np.generic, float, int)):
        return np
    import torch

    return torch
