# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run a node that is nothing but callbacks: a mistake of the user is one sentence and code 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

from sspinnpose_ros.core.errors import UserError
from sspinnpose_ros.ros.executor import make_executor
from sspinnpose_ros.ros.stop_signal import ignore_stop, start_rclpy, told_to_stop

LOOK_S = 0.1
"""Longest time between two looks at whether the node is to stop."""

RCLError = rclpy_implementation.RCLError


class SmallNode(Protocol):
    """A node that may need a moment before it can stop."""

    node: Node

    def stop(self) -> bool:
        """Begin to stop; return whether the node may go now."""


def run_small_node(make: Callable[[], SmallNode], *, name: str, args: list[str] | None) -> int:
    """Run a node until it is told to stop and has stopped.

    Args:
        make: makes it; may raise a `UserError`.
        name: of the node, for the log.
        args: of the command line.

    Returns:
        0 after an ordinary stop, 1 where the node could not start.

    """
    told = told_to_stop()
    if not start_rclpy(args, example='--ros-args --params-file FILE'):
        return 1
    try:
        small = make()
        executor = make_executor('events')
        executor.add_node(small.node)
        try:
            while rclpy.ok() and not (told() and small.stop()):
                executor.spin_once(timeout_sec=LOOK_S)
        finally:
            executor.remove_node(small.node)
            executor.shutdown()
            small.node.destroy_node()
    except UserError as error:
        rclpy.logging.get_logger(name).fatal(str(error))
        return 1
    except RCLError as error:
        rclpy.logging.get_logger(name).fatal(
            f'The node cannot be made ({" ".join(str(error).split())}), expected valid arguments '
            'and parameter files; correct them.'
        )
        return 1
    except ExternalShutdownException:
        pass
    finally:
        rclpy.try_shutdown()
        ignore_stop()
    return 0
