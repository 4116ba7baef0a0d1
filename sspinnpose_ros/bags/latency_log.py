# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read how late estimates were from the /diagnostics of a recorded node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rosbags.typesys import get_typestore

from sspinnpose_ros.bags.bag_reader import open_reader, unreadable
from sspinnpose_ros.bags.imu_bag_writer import TYPES

TOPIC = '/diagnostics'
ESTIMATOR = ': estimator'
"""End of the name under which the node reports itself."""

KEYS = ('latency_p50_ms', 'latency_p99_ms', 'latency_max_ms')


@dataclass(frozen=True, eq=False)
class LatencyLog:
    """Hold what the node said about the time from a stamp to its publication.

    Attributes:
        time_s: (n,) when it said so, since the first time, s.
        latency_ms: (n, 3) p50, p99 and longest of its recent estimates, ms.

    """

    time_s: np.ndarray
    latency_ms: np.ndarray


def read_latency_log(path: Path) -> LatencyLog | None:
    """Read the latencies in a recording.

    Args:
        path: the rosbag2 folder.

    Returns:
        The latencies; None for a recording that holds none, as that of `sspinnpose estimate`.

    Raises:
        RecordingError: for a recording that cannot be read.

    """
    store = get_typestore(TYPES)
    times, rows = [], []
    try:
        with open_reader(path) as reader:
            wanted = [each for each in reader.connections if each.topic == TOPIC]
            for connection, received_ns, raw in reader.messages(wanted) if wanted else ():
                message = store.deserialize_cdr(raw, connection.msgtype)
                for status in message.status:  # type: ignore[attr-defined]
                    values = {pair.key: pair.value for pair in status.values}
                    row = [_number(values.get(key, '')) for key in KEYS]
                    if status.name.endswith(ESTIMATOR) and np.isfinite(row).all():
                        times.append(received_ns * 1e-9)
                        rows.append(row)
    except Exception as error:
        raise unreadable(path, error) from None
    if not rows:
        return None
    return LatencyLog(time_s=np.array(times) - times[0], latency_ms=np.array(rows))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float('nan')
