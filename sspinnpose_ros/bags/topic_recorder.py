# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write serialized messages of any topic into a rosbag2 recording."""

from __future__ import annotations

from pathlib import Path

from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_typestore

from sspinnpose_ros.bags.imu_bag_writer import BAG_VERSION, TYPES
from sspinnpose_ros.bags.result_bag import LATCHED


class TopicRecorder:
    """Append messages to a new recording."""

    def __init__(self, path: Path) -> None:
        """Make the rosbag2 folder `path`, which must not exist."""
        self._store = get_typestore(TYPES)
        self._connections: dict[str, Connection] = {}
        self._writer = Writer(path, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()

    def add_topic(self, topic: str, kind: str, *, latched: bool = False) -> None:
        """Expect messages of the type `kind` on a topic."""
        self._connections[topic] = self._writer.add_connection(
            topic,
            kind,
            typestore=self._store,
            offered_qos_profiles=[LATCHED] if latched else [],
        )

    def write(self, topic: str, received_ns: int, raw: bytes) -> None:
        """Append one message as it came off the wire."""
        self._writer.write(self._connections[topic], received_ns, raw)

    def close(self) -> None:
        """Finish the recording."""
        self._writer.close()
