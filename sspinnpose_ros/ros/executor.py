# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choose the executor of a process."""

from __future__ import annotations

from rclpy.executors import Executor, SingleThreadedExecutor


def make_executor(kind: str) -> Executor:
    """Return an executor.

    In some releases `spin()` of the events executor never calls back; `spin_once` does.

    Args:
        kind: 'events' for the one that costs least, where this rclpy has it; else 'single'.

    """
    if kind == 'events':
        try:
            from rclpy.experimental import EventsExecutor
        except ImportError:
            return SingleThreadedExecutor()
        return EventsExecutor()
    return SingleThreadedExecutor()
