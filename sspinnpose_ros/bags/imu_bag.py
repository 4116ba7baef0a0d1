# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read the IMU messages of a rosbag2 recording as a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Any

import numpy as np

from sspinnpose_ros.bags.bag_reader import (
    COMPRESSED,
    LATEST_NS,
    METADATA,
    OpenReader,
    open_reader,
    recovery_remark,
    unreadable,
)
from sspinnpose_ros.bags.decompression import plain_message
from sspinnpose_ros.bags.imu_cdr import ImuBlock, MalformedImuError, parse_imus
from sspinnpose_ros.core.arrival_stamps import ArrivalStamps
from sspinnpose_ros.core.conventions import OPTIONAL_SENSORS, SENSORS
from sspinnpose_ros.core.errors import RecordingError

IMU_TYPES = ('sensor_msgs/msg/Imu', 'sensor_msgs/Imu')
DEFAULT_TOPIC = '/imu/{sensor}/data_raw'
BLOCK = 2048
"""Messages that are parsed at once; all that a reader keeps of a bag."""

STORAGE_SUFFIXES = ('.mcap', '.db3')
OTHER_FILES = {
    '.bag': ('a recording of ROS 1', 'rosbags-convert, which comes with rosbags'),
    **dict.fromkeys(('.csv', '.txt', '.npz'), ('a table', 'sspinnpose import')),
}
"""Files that are taken for recordings: what they are, and what makes a recording of them."""

ONE_CLOCK_NS = 60_000_000_000
"""Stamps farther before the others than this come from a clock that was not yet set."""

ImuSample = tuple[str, float, np.ndarray, float]
"""Sensor, header stamp in s since the bag's first, (6,) sample, time of recording in s."""


@dataclass(frozen=True)
class ImuSeries:
    """Hold all that one sensor measured.

    Attributes:
        stamp_s: (n,) measurement times since the bag's first stamp, increasing, s.
        sample: (n, 6) specific force, m/s^2, then angular rate, rad/s, sensor axes.

    """

    stamp_s: np.ndarray
    sample: np.ndarray


class ImuBag:
    """Give the IMU samples of an open recording; made by `open_imu_bag`."""

    def __init__(
        self,
        *,
        path: Path,
        readers: Sequence[OpenReader],
        topics: Mapping[str, str],
        remarks: Sequence[str] = (),
        stamps_at_arrival: bool = False,
    ) -> None:
        """Keep the open readers, which topic each sensor is on and what is odd about the files."""
        self.path = path
        self._stamps_at_arrival = stamps_at_arrival
        self.remarks = tuple(remarks)
        self.topics = dict(topics)
        self._readers = readers
        wanted = set(topics.values())
        connections = [c for reader in readers for c in reader.connections]
        self._counts = {
            topic: sum(c.msgcount for c in connections if c.topic == topic) for topic in wanted
        }
        self._begin_ns = min((reader.start_time for reader in readers), default=0)
        self.origin_ns = self._first_stamp()

    @property
    def sensors(self) -> tuple[str, ...]:
        """Sensors of the recording, in the order of `conventions.SENSORS`."""
        return tuple(self.topics)

    @property
    def duration_s(self) -> float:
        """Time in s from the first to the last message of any topic."""
        begin = min(reader.start_time for reader in self._readers)
        return max(0.0, (max(reader.end_time for reader in self._readers) - begin) * 1e-9)

    @property
    def topic_kinds(self) -> dict[str, str]:
        """Message type of every topic that holds messages."""
        return {
            connection.topic: connection.msgtype
            for reader in self._readers
            for connection in reader.connections
            if connection.msgcount
        }

    def raw_messages(self, topic: str) -> Iterator[tuple[int, bytes]]:
        """Yield the time of recording in ns and the bytes of each message of any topic.

        Raises:
            RecordingError: for damaged files.

        """
        for _, time, data in self._messages({topic}):
            yield time, data

    def message_count(self, sensors: Sequence[str] | None = None) -> int:
        """Count the messages of some sensors, or of all."""
        return sum(self._counts[self.topics[s]] for s in sensors or self.sensors)

    def samples(self, sensors: Sequence[str] | None = None) -> Iterator[ImuSample]:
        """Yield the samples in the order in which they were recorded.

        Args:
            sensors: those to read, by default all.

        Yields:
            Sensor, header stamp in s since `origin_ns`, (6,) specific force [m/s^2] and angular
            rate [rad/s], and the time of recording in s since `origin_ns`.

        Raises:
            RecordingError: for damaged files and messages without force or rate.

        """
        for names, stamp_ns, sample, logged_ns in self._blocks(sensors or self.sensors):
            yield from zip(
                names,
                ((stamp_ns - self.origin_ns) * 1e-9).tolist(),
                sample,
                ((logged_ns - self.origin_ns) * 1e-9).tolist(),
                strict=True,
            )

    def series(self, sensors: Sequence[str] | None = None) -> dict[str, ImuSeries]:
        """Read whole sensors into memory, sorted by header stamp, without repeated stamps.

        Args:
            sensors: those to read, by default all.

        Returns:
            The series by sensor.

        Raises:
            RecordingError: for damaged files and messages without force or rate.

        """
        chosen = tuple(sensors or self.sensors)
        stamps: dict[str, list[np.ndarray]] = {sensor: [] for sensor in chosen}
        values: dict[str, list[np.ndarray]] = {sensor: [] for sensor in chosen}
        for names, stamp_ns, sample, _ in self._blocks(chosen):
            labels = np.asarray(names)
            for sensor in chosen:
                rows = labels == sensor
                stamps[sensor].append(stamp_ns[rows])
                values[sensor].append(sample[rows])
        return {
            sensor: self._sorted(np.concatenate(stamps[sensor]), np.concatenate(values[sensor]))
            for sensor in chosen
        }

    def _sorted(self, stamp_ns: np.ndarray, sample: np.ndarray) -> ImuSeries:
        unique, first = np.unique(stamp_ns, return_index=True)
        return ImuSeries(stamp_s=(unique - self.origin_ns) * 1e-9, sample=sample[first])

    def _first_stamp(self) -> int:
        block = next(self._blocks(self.sensors), None)
        if block is None:
            return 0
        stamps = block[1]
        return int(stamps[stamps > np.median(stamps) - ONE_CLOCK_NS].min())

    def _blocks(
        self, sensors: Sequence[str]
    ) -> Iterator[tuple[list[str], np.ndarray, np.ndarray, np.ndarray]]:
        sensor_of = {self.topics[sensor]: sensor for sensor in sensors}
        arrivals = {sensor: ArrivalStamps() for sensor in sensors}
        names: list[str] = []
        logged: list[int] = []
        raw: list[bytes] = []
        for topic, time, data in self._messages(set(sensor_of)):
            names.append(sensor_of[topic])
            logged.append(time)
            raw.append(data)
            if len(raw) == BLOCK:
                yield self._parse(names, logged, raw, arrivals)
                names, logged, raw = [], [], []
        if raw:
            yield self._parse(names, logged, raw, arrivals)

    def _messages(self, topics: set[str]) -> Iterator[tuple[str, int, bytes]]:
        wanted = [[c for c in r.connections if c.topic in topics] for r in self._readers]
        try:
            parts = [r.messages(c) for r, c in zip(self._readers, wanted, strict=True) if c]
            whole = parts[0] if len(parts) == 1 else merge(*parts, key=lambda m: m[1])
            for connection, time, data in whole:
                if not 0 <= time <= LATEST_NS:
                    raise ValueError(f'a message was recorded at {time} ns')
                yield connection.topic, time, plain_message(data)
        except Exception as error:
            raise unreadable(self.path, error) from None

    def _parse(
        self,
        names: list[str],
        logged: list[int],
        raw: list[bytes],
        arrivals: Mapping[str, ArrivalStamps],
    ) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
        received = np.asarray(logged, dtype=np.int64)
        stamp = np.empty(len(raw), dtype=np.int64)
        sample = np.empty((len(raw), 6))
        labels = np.asarray(names)
        for sensor in dict.fromkeys(names):
            rows = np.flatnonzero(labels == sensor)
            block = self._parse_sensor(sensor, [raw[row] for row in rows])
            stamp[rows], sample[rows] = block.stamp_ns, block.sample
            if self._stamps_at_arrival:
                # Counted from the first message, as a float holds no date to the nanosecond.
                since = (received[rows] - self._begin_ns) * 1e-9
                spread = [arrivals[sensor].stamp(each) for each in since.tolist()]
                stamp[rows] = self._begin_ns + np.round(np.array(spread) * 1e9).astype(np.int64)
        return names, stamp, sample, received

    def _parse_sensor(self, sensor: str, raw: Sequence[bytes]) -> ImuBlock:
        topic = self.topics[sensor]
        try:
            block = parse_imus(raw)
        except MalformedImuError:
            raise RecordingError(
                f'{topic} in {self.path} holds bytes that are no sensor_msgs/msg/Imu, expected '
                'plain CDR; record the topic again.'
            ) from None
        if not block.has_force or not block.has_rate:
            absent = 'angular_velocity' if block.has_force else 'linear_acceleration'
            raise RecordingError(
                f'{topic} in {self.path} declares {absent} absent (its covariance starts with '
                '-1), expected specific force and angular rate of every sensor; switch it on in '
                'the driver or leave the sensor out with --sensors.'
            )
        if len(raw) > 1 and not block.stamp_ns.any() and not self._stamps_at_arrival:
            raise RecordingError(
                f'{topic} in {self.path} has header stamps of zero, expected the time of '
                'measurement; let the driver stamp its messages, or add --stamps arrival.'
            )
        return block


@contextmanager
def open_imu_bag(
    path: Path,
    *,
    sensors: Sequence[str] | None = None,
    topics: Mapping[str, str] | None = None,
    stamps_at_arrival: bool = False,
) -> Iterator[ImuBag]:
    """Open a recording and find the topic of every sensor.

    Args:
        path: a rosbag2 folder or a single mcap or db3 file, compressed or not, split or not.
        sensors: those that must be there; by default all of `conventions.SENSORS`.
        topics: topic of a sensor where it is not '<anything>/imu/<sensor>/data_raw'; one without
            a leading slash may have any namespace before it, as in a parameter file of the node.
        stamps_at_arrival: whether to stamp samples when they were recorded, spread evenly where
            they came together, instead of with their header stamps.

    Yields:
        The open recording, with the required sensors and any optional ones.

    Raises:
        RecordingError: for a path that is no recording, and for missing topics or messages.

    """
    with open_storages(path) as (readers, remarks):
        connections = [c for reader in readers for c in reader.connections]
        found = _find_topics(path, connections, required=sensors, given=topics or {})
        yield ImuBag(
            path=path,
            readers=readers,
            topics=found,
            remarks=remarks,
            stamps_at_arrival=stamps_at_arrival,
        )


@contextmanager
def open_storages(path: Path) -> Iterator[tuple[list[OpenReader], list[str]]]:
    """Open every file of a recording, whether its recorder closed it or not.

    Args:
        path: as for `open_imu_bag`.

    Yields:
        The open readers, and sentences about files that were never closed.

    Raises:
        RecordingError: for a path that is no recording.

    """
    with ExitStack() as stack:
        readers: list[OpenReader] = []
        remarks: list[str] = []
        storages = _storages(path)
        last = storages[-1]
        for storage in storages:
            try:
                reader = stack.enter_context(open_reader(storage))
            except RecordingError as error:
                # A recorder that crashed leaves its last file in any state, even empty.
                if not readers or storage != last:
                    raise
                remarks.append(f'{error} It is left out; the files before it are used.')
                continue
            remark = recovery_remark(storage, reader)
            remarks += [remark] if remark else []
            readers.append(reader)
        yield readers, remarks


def _storages(path: Path) -> list[Path]:
    if not path.exists():
        raise RecordingError(
            f'{path} does not exist, expected a rosbag2 folder or a trial folder; '
            'name an existing recording.'
        )
    other = OTHER_FILES.get(path.suffix.lower())
    if other is not None and path.is_file():
        raise RecordingError(
            f'{path} is {other[0]}, expected a rosbag2 recording or a trial folder; make one of '
            f'it with {other[1]}.'
        )
    if path.is_file() or (path / METADATA).exists():
        return [path]
    files = sorted(
        (
            file
            for file in path.iterdir()
            if file.name.removesuffix(COMPRESSED).endswith(STORAGE_SUFFIXES)
        ),
        key=_number_last,
    )
    if not files:
        raise RecordingError(
            f'{path} holds neither {METADATA} nor mcap or db3 files, expected a rosbag2 '
            'folder; name the folder that `ros2 bag record` wrote.'
        )
    return files


def _number_last(file: Path) -> tuple[int, str]:
    """Sort walk_2.mcap before walk_10.mcap."""
    number = re.search(r'(\d+)\.', file.name)
    return (int(number[1]) if number else 0, file.name)


def _find_topics(
    path: Path,
    connections: Sequence[Any],
    *,
    required: Sequence[str] | None,
    given: Mapping[str, str],
) -> dict[str, str]:
    imus = {c.topic: 0 for c in connections if c.msgtype in IMU_TYPES}
    for connection in connections:
        if connection.topic in imus:
            imus[connection.topic] += connection.msgcount
    if not any(imus.values()):
        seen = ', '.join(sorted({f'{c.topic} ({c.msgtype})' for c in connections})) or 'nothing'
        raise RecordingError(
            f'{path} holds no sensor_msgs/msg/Imu messages but {seen}, expected topics such as '
            f'{DEFAULT_TOPIC.format(sensor="pelvis")}; record the IMU topics.'
        )
    known = (*SENSORS, *OPTIONAL_SENSORS)
    for sensor in (*given, *(required or ())):
        if sensor not in known:
            raise RecordingError(
                f'{sensor!r} is no sensor, expected one of {", ".join(known)}; correct the name.'
            )
    topics: dict[str, str] = {}
    for sensor in known:
        topic = given.get(sensor, DEFAULT_TOPIC.format(sensor=sensor)[1:])
        if not topic.startswith('/'):
            topic = _in_any_namespace(path, sensor, topic, imus)
        if topic is not None and imus.get(topic):
            topics[sensor] = topic
    for sensor, topic in topics.items():
        twin = next(other for other in topics if topics[other] == topic)
        if twin != sensor:
            raise RecordingError(
                f'{twin} and {sensor} are both said to be on {topic}, expected a topic of its own '
                'for each; correct --topic or the mapping.'
            )
    missing = [s for s in (required or SENSORS) if s not in topics]
    if missing:
        topic = given.get(missing[0], DEFAULT_TOPIC.format(sensor=missing[0]))
        raise RecordingError(
            f'{path} holds no messages of {", ".join(missing)} (IMU topics there: '
            f'{", ".join(sorted(t for t, n in imus.items() if n))}), expected {topic}; name the '
            f'topic with --topic {missing[0]}=TOPIC or --mapping FILE, or choose the sensors that '
            'are there with --sensors; sspinnpose info tells which sensor is where.'
        )
    return topics


def _in_any_namespace(path: Path, sensor: str, name: str, imus: Mapping[str, int]) -> str | None:
    if imus.get(f'/{name}'):
        return f'/{name}'
    matches = sorted(topic for topic in imus if imus[topic] and topic.endswith(f'/{name}'))
    if len(matches) > 1:
        raise RecordingError(
            f'{path} holds {", ".join(matches)}, expected one topic of {sensor}; '
            f'name it with --topic {sensor}=TOPIC.'
        )
    return matches[0] if matches else None
