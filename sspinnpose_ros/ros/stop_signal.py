# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Take SIGINT and SIGTERM as a wish to stop, which a node fulfils when it is ready."""

from __future__ import annotations

import signal
from collections.abc import Callable


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
