# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read every IMU topic of a recording as it is, whatever it is called and however odd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sspinnpose_ros.bags.bag_reader import unreadable
from sspinnpose_ros.bags.decompression import plain_message
from sspinnpose_ros.bags.imu_bag import BLOCK, IMU_TYPES, open_storages
from sspinnpose_ros.bags.imu_cdr import ImuBlock, MalformedImuError, frame_of, parse_imus
from sspinnpose_ros.core.errors import RecordingError

LONGEST_S = 300.0
"""How much of the signals is kept, s; stamps are read to the end."""


@dataclass(frozen=True, eq=False)
class ImuTopic:
    """Hold what one topic of sensor_msgs/Imu says.

    Attributes:
        topic: its name.
        frames: frame ids seen, in order.
        stamp_ns: (n,) header stamps in the order of recording, ns.
        received_ns: (n,) when each was recorded, ns.
        sample: (m, 6) the first of them, as `ImuBlock.sample`, m <= n.
        has_force: whether no message declares its specific force absent.
        has_rate: whether no message declares its angular rate absent.

    """

    topic: str
    frames: tuple[str, ...]
    stamp_ns: np.ndarray
    received_ns: np.ndarray
    sample: np.ndarray
    has_force: bool
    has_rate: bool


@dataclass(frozen=True)
class ImuSurvey:
    """Hold the IMU topics of a recording.

    Attributes:
        topics: those with messages, by name.
        others: type and number of messages of every other topic.
        remarks: sentences about files that were never closed and messages that are none.

    """

    topics: tuple[ImuTopic, ...]
    others: Mapping[str, tuple[str, int]]
    remarks: tuple[str, ...]


@dataclass
class _Growing:
    raw: list[bytes] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    blocks: list[tuple[ImuBlock, np.ndarray]] = field(default_factory=list)
    frames: dict[str, None] = field(default_factory=dict)
    begin: int | None = None
    kept: int = 0
    malformed: int = 0

    def flush(self) -> None:
        if not self.raw:
            return
        received = np.array(self.received, dtype=np.int64)
        self.begin = int(received[0]) if self.begin is None else self.begin
        try:
            block = parse_imus(self.raw)
            for message in (self.raw[0], self.raw[-1]):
                self.frames.setdefault(frame_of(message))
        except MalformedImuError:
            self.malformed += len(received)
        else:
            if received[0] - self.begin > LONGEST_S * 1e9:
                block = ImuBlock(
                    stamp_ns=block.stamp_ns,
                    sample=np.empty((0, 6)),
                    has_force=block.has_force,
                    has_rate=block.has_rate,
                )
            self.blocks.append((block, received))
        self.raw, self.received = [], []


def survey_imus(path: Path) -> ImuSurvey:
    """Read all topics of sensor_msgs/Imu.

    Args:
        path: a rosbag2 folder or a single mcap or db3 file.

    Returns:
        What is there; no topic is required.

    Raises:
        RecordingError: for a path that is no recording, and for damaged files.

    """
    growing: dict[str, _Growing] = {}
    others: dict[str, tuple[str, int]] = {}
    with open_storages(path) as (readers, remarks):
        for reader in readers:
            for connection in reader.connections:
                if connection.msgtype in IMU_TYPES:
                    growing.setdefault(connection.topic, _Growing())
                elif connection.msgcount:
                    before = others.get(connection.topic, ('', 0))[1]
                    others[connection.topic] = (connection.msgtype, before + connection.msgcount)
        for topic, time, data in _messages(path, readers):
            one = growing[topic]
            one.raw.append(data)
            one.received.append(time)
            if len(one.raw) == BLOCK:
                one.flush()
    topics = []
    for name, one in sorted(growing.items()):
        one.flush()
        if one.malformed:
            remarks.append(
                f'{one.malformed} messages on {name} are no sensor_msgs/msg/Imu in plain CDR and '
                'are left out.'
            )
        if one.blocks:
            topics.append(_topic(name, one))
    return ImuSurvey(topics=tuple(topics), others=others, remarks=tuple(remarks))


def require_imus(path: Path, survey: ImuSurvey) -> None:
    """Refuse a recording without IMUs.

    Raises:
        RecordingError: which says what is there instead.

    """
    if not survey.topics:
        seen = ', '.join(f'{topic} ({kind})' for topic, (kind, _) in survey.others.items())
        raise RecordingError(
            f'{path} holds no sensor_msgs/msg/Imu messages but {seen or "nothing"}, expected the '
            'topics of the IMUs; record them.'
        )


def _messages(path: Path, readers: list) -> Iterator[tuple[str, int, bytes]]:
    for reader in readers:
        chosen = [c for c in reader.connections if c.msgtype in IMU_TYPES and c.msgcount]
        if not chosen:
            continue
        try:
            for connection, time, data in reader.messages(chosen):
                yield connection.topic, time, plain_message(data)
        except Exception as error:
            raise unreadable(path, error) from None


def _topic(name: str, one: _Growing) -> ImuTopic:
    received = np.concatenate([each for _, each in one.blocks])
    stamp = np.concatenate([block.stamp_ns for block, _ in one.blocks])
    return ImuTopic(
        topic=name,
        frames=tuple(one.frames),
        stamp_ns=stamp,
        received_ns=received,
        sample=np.concatenate([block.sample for block, _ in one.blocks]),
        has_force=all(block.has_force for block, _ in one.blocks),
        has_rate=all(block.has_rate for block, _ in one.blocks),
    )
