# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Take SIGINT and SIGTERM as a wish to stop, which a node fulfils when it is ready."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import rclpy
from rclpy.signals import SignalHandlerOptions


def start_rclpy(args: list[str] | None, *, example: str) -> bool:
    """Start rclpy without signal handlers of its own.

    Args:
        args: of the command line.
        example: of ROS arguments, for the sentence on standard error where they cannot be read.

    Returns:
        Whether it started.

    """
    try:
        # rclpy's own handlers shut the context down while callbacks still publish.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        sys.stderr.write(
            f'The arguments cannot be read ({" ".join(str(error).split())}), expected ROS '
            f'arguments such as {example}; correct them.\n'
        )
        return False
    return True


def told_to_stop() -> Callable[[], bool]:
    """Return a function that tells whether SIGINT or SIGTERM came since."""
    stops: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, frame: stops.append(received))
    return lambda: bool(stops)


def ignore_stop() -> None:
    """Ignore both from now on.

    The interpreter gives handlers up while it ends; being told again would then kill it.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
