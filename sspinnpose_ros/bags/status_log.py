# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read what a recording's human/status said, and when it changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sspinnpose_ros.bags.bag_reader import open_reader, unreadable
from sspinnpose_ros.bags.status_cdr import S, read_verdict
from sspinnpose_ros.core.estimate_status import Level

TOPIC = '/human/status'
LEVELS = {int(level) for level in Level}


@dataclass(frozen=True)
class StatusChange:
    """Hold a verdict that came up.

    Attributes:
        time_s: when, since the verdict on the first estimate, s.
        level: the grade.
        message: why, in words.

    """

    time_s: float
    level: Level
    message: str


def read_status_log(path: Path) -> list[StatusChange]:
    """Read the verdicts in a recording, each where it first differs from the one before.

    Args:
        path: the rosbag2 folder.

    Returns:
        The changes in order of time; none for a recording without verdicts or estimates.

    Raises:
        RecordingError: for a recording that cannot be read.

    """
    rows: list[tuple[int, int, str]] = []
    first_ns: int | None = None
    try:
        with open_reader(path) as reader:
            wanted = [each for each in reader.connections if each.topic == TOPIC]
            for _, time_ns, raw in reader.messages(wanted) if wanted else ():
                level, message = read_verdict(raw)
                if level not in LEVELS:
                    raise ValueError(f'a status of level {level}')
                if first_ns is None and level in (Level.OK, Level.WARN):
                    first_ns = time_ns
                if not rows or rows[-1][1:] != (level, message):
                    rows.append((time_ns, level, message))
    except Exception as error:
        raise unreadable(path, error) from None
    if first_ns is None:
        return []
    return [
        StatusChange(time_s=(time_ns - first_ns) / S, level=Level(level), message=message)
        for time_ns, level, message in rows
    ]
