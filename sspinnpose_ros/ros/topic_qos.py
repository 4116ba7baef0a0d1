# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let parameters override the QoS of every topic by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

from rclpy.exceptions import ParameterException
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

from sspinnpose_ros.ros.parameters import ParameterError


@contextmanager
def overridable(qos: QoSProfile, *, topic: str) -> Iterator[dict[str, Any]]:
    """Give the arguments of a publisher or subscription that `qos_overrides` may change.

    Args:
        qos: where nothing is overridden; left as it is.
        topic: which one it is.

    Raises:
        ParameterError: for overrides that cannot be used.

    """
    try:
        # rclpy writes the overrides into the profile that it is given.
        yield {
            'qos_profile': copy(qos),
            'qos_overriding_options': QoSOverridingOptions.with_default_policies(),
        }
    except (ParameterException, RuntimeError) as error:
        raise ParameterError(
            f'The topic {topic} cannot be made ({" ".join(str(error).split())}), expected '
            'qos_overrides such as reliability: best_effort or depth: 10; correct those of this '
            'topic.'
        ) from None
