# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show a live node in the Foxglove app."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec

import click

from sspinnpose_ros.core.errors import UserError

FOXGLOVE_PORT = 8765
"""Where the app looks by itself."""

START_S = 30.0
LOOK_S = 0.05


class FoxgloveError(UserError):
    """Report that Foxglove cannot be served."""


def serve_foxglove(*, host: str, port: int, ros_arguments: list[str]) -> None:
    """Relay a live node until stopped.

    Args:
        host: address to listen on.
        port: 0 for any that is free.
        ros_arguments: of the node that listens, such as its namespace.

    Raises:
        FoxgloveError: without foxglove-sdk, or where the relay ends.

    """
    from sspinnpose_ros.cli.child_process import child_process
    from sspinnpose_ros.cli.view_server import warn_of_others

    if find_spec('foxglove') is None:
        raise FoxgloveError(
            'foxglove-sdk is not installed, expected it for --foxglove; python3 -m pip install '
            'foxglove-sdk, or use foxglove_bridge of your ROS distribution.'
        )
    arguments = ['--host', host, '--port', str(port), *ros_arguments]
    env = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    with child_process(
        'relay', ['sspinnpose_ros.ros.foxglove_relay', *arguments], env=env
    ) as relay:
        due: float | None = time.monotonic() + START_S
        while True:
            ended = relay.code
            for line in relay.lines():
                kind, _, rest = line.partition(' ')
                if kind == 'error':
                    raise FoxgloveError(rest)
                if kind == 'port' and due is not None:
                    due = None
                    warn_of_others(host)
                    shown = f'[{host}]' if ':' in host else host
                    click.echo(
                        f'ws://{shown}:{rest} serves it to Foxglove (Open connection, Foxglove '
                        'WebSocket); Ctrl-C ends it.'
                    )
            if ended is not None or (due is not None and time.monotonic() > due):
                said = ' '.join(relay.last_lines[-2:]) or 'nothing'
                raise FoxgloveError(
                    f'The relay to Foxglove ended with code {ended} and said: {said}; expected it '
                    'to run until Ctrl-C.'
                )
            time.sleep(LOOK_S)
