# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Serve serialized ROS messages to the Foxglove app over its WebSocket protocol.

Needs the optional package foxglove-sdk.
"""

from __future__ import annotations

import threading
from typing import Any

import foxglove
from foxglove.websocket import ServerListener
from rosbags.typesys import get_typestore

from sspinnpose_ros.bags.imu_bag_writer import TYPES
from sspinnpose_ros.core.errors import OutputError


class FoxgloveStream:
    """Own a server with one channel a topic; what is latched is sent to whoever comes later."""

    def __init__(self, *, host: str, port: int) -> None:
        """Listen; port 0 takes any that is free.

        Raises:
            OutputError: where that address or port is not to be had.

        """
        self._store = get_typestore(TYPES)
        self._context = foxglove.Context()
        self._channels: dict[str, foxglove.Channel] = {}
        self._last: dict[str, tuple[int, bytes] | None] = {}
        self._lock = threading.Lock()
        try:
            self._server = foxglove.start_server(
                name='sspinnpose',
                host=host,
                port=port,
                server_listener=_Latched(self),
                context=self._context,
            )
        # What it raises for a port in use is documented nowhere.
        except Exception as error:
            raise OutputError(
                f'Foxglove cannot be served at {host}, port {port} ({error}), expected a free '
                'port of this machine; name another with --port, or 0 for any.'
            ) from None

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.port)

    def add_topic(self, topic: str, kind: str, *, latched: bool = False) -> None:
        """Offer messages of the type `kind` on a topic."""
        text, _ = self._store.generate_msgdef(kind, ros_version=2)
        self._channels[topic] = foxglove.Channel(
            topic,
            schema=foxglove.Schema(name=kind, encoding='ros2msg', data=text.encode()),
            message_encoding='cdr',
            context=self._context,
        )
        if latched:
            self._last[topic] = None

    def send(self, topic: str, time_ns: int, raw: bytes) -> None:
        """Pass one message on as it came off the wire."""
        with self._lock:
            if topic in self._last:
                self._last[topic] = (time_ns, raw)
        self._channels[topic].log(raw, log_time=time_ns)

    def repeat(self, topic: str) -> None:
        """Send the last message of a latched topic again, where there was one."""
        with self._lock:
            last = self._last.get(topic)
        if last is not None:
            self._channels[topic].log(last[1], log_time=last[0])

    def close(self) -> None:
        """Let all clients go."""
        self._server.stop()


class _Latched(ServerListener):
    def __init__(self, stream: FoxgloveStream) -> None:
        self._stream = stream

    def on_subscribe(self, client: Any, channel: Any) -> None:
        self._stream.repeat(channel.topic)
