# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make small recordings: an upright wearer who swings a little, in segment-aligned axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from sspinnpose_ros.bags.imu_bag import ImuSeries
from sspinnpose_ros.bags.imu_bag_writer import write_imu_bag
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS

ORIGIN_NS = 1_700_000_000_000_000_000
RECORDINGS = Path(__file__).parents[2] / 'shared' / 'data'
"""Recorded trials, which are not part of the repository."""

SUBJECT = (
    'mass_kg: 70.0\nheight_m: 1.75\nsensor_axes: "segment aligned: x forward, y up, z right"\n'
)


def swinging(
    *,
    seconds: float = 6.0,
    rate_hz: float = 100.0,
    sensors: tuple[str, ...] = SENSORS,
) -> dict[str, ImuSeries]:
    """Return what sensors x forward, y up, z right measure on slowly swinging segments."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    series = {}
    for row, sensor in enumerate(sensors):
        phase = 2.0 * np.pi * 0.9 * time + row
        angle, rate = 0.3 * np.sin(phase), 0.3 * 0.9 * 2.0 * np.pi * np.cos(phase)
        zero = np.zeros_like(time)
        sample = np.stack(
            [GRAVITY * np.sin(angle), GRAVITY * np.cos(angle), zero, zero, zero, rate], -1
        )
        noise = np.random.default_rng(row).normal(scale=0.02, size=sample.shape)
        series[sensor] = ImuSeries(stamp_s=time, sample=sample + noise)
    return series


def write_trial(
    folder: Path,
    *,
    series: Mapping[str, ImuSeries] | None = None,
    subject: str | None = SUBJECT,
    topics: Mapping[str, str] | None = None,
) -> Path:
    """Write a trial folder and return it."""
    folder.mkdir(parents=True)
    write_imu_bag(
        folder / 'bag',
        series=swinging() if series is None else series,
        origin_ns=ORIGIN_NS,
        topics=topics,
    )
    if subject is not None:
        (folder / 'subject.yaml').write_text(subject)
    return folder


def copy_bag(
    source: Path,
    target: Path,
    *,
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
    span: slice = slice(None),
) -> None:
    """Write the messages of a bag in another storage."""
    store = get_typestore(Stores.ROS2_JAZZY)
    writer = Writer(target, version=9, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    with Reader(source) as reader, writer:
        connections = {
            each.id: writer.add_connection(each.topic, each.msgtype, typestore=store)
            for each in reader.connections
        }
        for connection, time, raw in list(reader.messages())[span]:
            writer.write(connections[connection.id], time, raw)


def restamp_bag(source: Path, target: Path, *, topic: str, offset_s: int) -> None:
    """Copy a bag with the header stamps of one topic moved, but not when it was recorded."""
    store = get_typestore(Stores.ROS2_JAZZY)
    writer = Writer(target, version=9, storage_plugin=StoragePlugin.MCAP)
    with Reader(source) as reader, writer:
        connections = {
            each.id: writer.add_connection(each.topic, each.msgtype, typestore=store)
            for each in reader.connections
        }
        for connection, time, raw in reader.messages():
            if connection.topic == topic:
                message = store.deserialize_cdr(raw, connection.msgtype)
                message.header.stamp.sec += offset_s
                raw = bytes(store.serialize_cdr(message, connection.msgtype))
            writer.write(connections[connection.id], time, raw)


def add_joint_states(
    source: Path,
    target: Path,
    *,
    topic: str,
    stamp_ns: Sequence[int],
    names: Sequence[str],
    effort: np.ndarray,
    delay_ns: int = 1_000_000,
) -> None:
    """Copy a bag with a JointState topic of efforts (n, names) more, recorded `delay_ns` late."""
    store = get_typestore(Stores.ROS2_JAZZY)
    kind = 'sensor_msgs/msg/JointState'
    make = store.types
    writer = Writer(target, version=9, storage_plugin=StoragePlugin.MCAP)
    with Reader(source) as reader, writer:
        connections = {
            each.id: writer.add_connection(each.topic, each.msgtype, typestore=store)
            for each in reader.connections
        }
        messages = [(time, connections[c.id], bytes(raw)) for c, time, raw in reader.messages()]
        added = writer.add_connection(topic, kind, typestore=store)
        for stamp, values in zip(stamp_ns, effort, strict=True):
            message = make[kind](
                header=make['std_msgs/msg/Header'](
                    stamp=make['builtin_interfaces/msg/Time'](*divmod(int(stamp), 10**9)),
                    frame_id='',
                ),
                name=list(names),
                position=np.array([]),
                velocity=np.array([]),
                effort=np.asarray(values, dtype=np.float64),
            )
            raw = bytes(store.serialize_cdr(message, kind))
            messages.append((int(stamp) + delay_ns, added, raw))
        for time, connection, raw in sorted(messages, key=lambda each: each[0]):
            writer.write(connection, time, raw)


def write_text_bag(path: Path) -> None:
    """Write a bag that holds one std_msgs/String and nothing else."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/chatter', 'std_msgs/msg/String', typestore=store)
        message = store.types['std_msgs/msg/String'](data='hello')
        writer.write(connection, ORIGIN_NS, store.serialize_cdr(message, 'std_msgs/msg/String'))
