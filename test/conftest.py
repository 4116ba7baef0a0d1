# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keep every test to one thread, as small tensors only lose by more; give nodes what all need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import numpy as np

os.environ.setdefault('OMP_NUM_THREADS', '1')

# numpy must not be imported before, and rosbags is not everywhere: hence imports in fixtures.


@pytest.fixture(scope='module')
def domain() -> Iterator[int]:
    """Return a ROS_DOMAIN_ID that no other test has."""
    from sspinnpose_ros.cli.private_domain import private_domain

    with private_domain() as number:
        yield number


@pytest.fixture(scope='module')
def samples() -> np.ndarray:
    """Return (T, 7, 6) of 8 s of slowly swinging segments."""
    import numpy as np
    from made_recordings import swinging

    from sspinnpose_ros.core.conventions import SENSORS

    series = swinging(seconds=8.0)
    return np.stack([series[sensor].sample for sensor in SENSORS], 1)
