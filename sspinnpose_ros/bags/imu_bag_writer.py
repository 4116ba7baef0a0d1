# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write IMU samples as a rosbag2 recording."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from sspinnpose_ros.bags.imu_bag import BLOCK, DEFAULT_TOPIC, ImuSeries
from sspinnpose_ros.bags.message_template import STAMP_SENTINEL, MessageTemplate, placeholder

BAG_VERSION: Final = 9
TYPES = Stores.ROS2_JAZZY


def write_imu_bag(
    path: Path,
    *,
    series: Mapping[str, ImuSeries],
    origin_ns: int,
    topics: Mapping[str, str] | None = None,
) -> None:
    """Write one sensor_msgs/Imu topic per sensor, without orientation, as mcap.

    Args:
        path: the rosbag2 folder to make; it must not exist.
        series: what each of one or more sensors measured.
        origin_ns: header stamp of time zero, ns.
        topics: topic of a sensor where it is not '/imu/<sensor>/data_raw'.

    """
    store = get_typestore(TYPES)
    writer = Writer(path, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        connections = [
            writer.add_connection(
                (topics or {}).get(sensor, DEFAULT_TOPIC.format(sensor=sensor)),
                'sensor_msgs/msg/Imu',
                typestore=store,
            )
            for sensor in series
        ]
        templates = [_template(store, sensor) for sensor in series]
        stamps = [
            origin_ns + np.round(measured.stamp_s * 1e9).astype(np.int64)
            for measured in series.values()
        ]
        samples = [measured.sample for measured in series.values()]
        whose = np.repeat(np.arange(len(stamps)), [len(each) for each in stamps])
        row = np.concatenate([np.arange(len(each)) for each in stamps])
        order = np.argsort(np.concatenate(stamps), kind='stable')
        for begin in range(0, len(order), BLOCK):
            block = order[begin : begin + BLOCK]
            filled = [
                iter(
                    templates[sensor].fill(
                        stamp_ns=stamps[sensor][row[block[whose[block] == sensor]]],
                        values=samples[sensor][row[block[whose[block] == sensor]]],
                    )
                )
                for sensor in range(len(stamps))
            ]
            for sensor, line in zip(whose[block].tolist(), row[block].tolist(), strict=True):
                time = int(stamps[sensor][line])
                writer.write(connections[sensor], time, next(filled[sensor]))


def _template(store: Any, sensor: str) -> MessageTemplate:
    types = store.types
    vector, quaternion = types['geometry_msgs/msg/Vector3'], types['geometry_msgs/msg/Quaternion']
    unknown = np.zeros(9)
    absent = np.array([-1.0, *[0.0] * 8])
    message = types['sensor_msgs/msg/Imu'](
        header=types['std_msgs/msg/Header'](
            stamp=types['builtin_interfaces/msg/Time'](*STAMP_SENTINEL),
            frame_id=f'imu_{sensor}',
        ),
        orientation=quaternion(0.0, 0.0, 0.0, 1.0),
        orientation_covariance=absent,
        angular_velocity=vector(*(placeholder(3 + axis) for axis in range(3))),
        angular_velocity_covariance=unknown,
        linear_acceleration=vector(*(placeholder(axis) for axis in range(3))),
        linear_acceleration_covariance=unknown,
    )
    return MessageTemplate(store.serialize_cdr(message, message.__msgtype__), values=6)
