# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Relay messages of any type as sensor_msgs/Imu, one topic a sensor, in SI units."""

from __future__ import annotations

import math
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Imu

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.ros.conversions import blank_imu, set_stamp
from sspinnpose_ros.ros.estimator_node import SAMPLES
from sspinnpose_ros.ros.field_path import FieldError, message_type
from sspinnpose_ros.ros.imu_mapping import (
    FORCE_UNITS,
    NS_OF_STAMP,
    RATE_UNITS,
    ImuMapping,
    imu_mapping,
)
from sspinnpose_ros.ros.parameters import (
    Parameter,
    ParameterError,
    chosen_sensors,
    declare_table,
    read_parameters,
    resolved_topic,
    unknown_parameters,
)
from sspinnpose_ros.ros.small_node import run_small_node
from sspinnpose_ros.ros.topic_qos import overridable

NODE_NAME = 'imu_relay'
WARNING_PERIOD_S = 10.0

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        'type',
        'sensor_msgs/msg/Imu',
        'Type of the messages to relay; its package must be installed.',
        read_only=True,
    ),
    Parameter(
        'sensors',
        list(SENSORS),
        f'Sensors to relay, names out of {", ".join(SENSORS)}.',
        read_only=True,
    ),
    Parameter(
        'specific_force',
        [f'linear_acceleration.{axis}' for axis in 'xyz'],
        'Paths of the specific force along x, y and z of the sensor, gravity included; a minus '
        'in front turns a sign, {key} stands for the key of the sensor.',
        read_only=True,
    ),
    Parameter(
        'specific_force_unit',
        'm/s^2',
        'Unit of these numbers.',
        choices=tuple(FORCE_UNITS),
        read_only=True,
    ),
    Parameter(
        'specific_force_factor',
        1.0,
        'By which they are multiplied besides, as for raw counts [1].',
        range=(-1e6, 1e6),
        read_only=True,
    ),
    Parameter(
        'angular_rate',
        [f'angular_velocity.{axis}' for axis in 'xyz'],
        'Paths of the angular rate about x, y and z of the sensor, likewise.',
        read_only=True,
    ),
    Parameter(
        'angular_rate_unit',
        'rad/s',
        'Unit of these numbers.',
        choices=tuple(RATE_UNITS),
        read_only=True,
    ),
    Parameter(
        'angular_rate_factor',
        1.0,
        'By which they are multiplied besides [1].',
        range=(-1e6, 1e6),
        read_only=True,
    ),
    Parameter(
        'stamp',
        'header.stamp',
        'Path of the time of measurement, a Time or a number; empty stamps the messages when they '
        'arrive.',
        read_only=True,
    ),
    Parameter(
        'stamp_unit',
        'ns',
        'Unit of a stamp that is a number, counted since 1970.',
        choices=tuple(NS_OF_STAMP),
        read_only=True,
    ),
    *(
        Parameter(
            f'imu.{sensor}.input',
            f'imu/{sensor}/custom',
            f'Topic with the messages of the {sensor} sensor; several sensors may share one.',
            read_only=True,
        )
        for sensor in SENSORS
    ),
    *(
        Parameter(
            f'imu.{sensor}.key',
            '',
            f'What stands for {{key}} in the paths of the {sensor} sensor.',
            read_only=True,
        )
        for sensor in SENSORS
    ),
    *(
        Parameter(
            f'imu.{sensor}.output',
            f'imu/{sensor}/data_raw',
            f'Topic on which the {sensor} sensor is published.',
            read_only=True,
        )
        for sensor in SENSORS
    ),
)


def mappings(values: Mapping[str, Any]) -> dict[str, ImuMapping]:
    """Return the mapping of each relayed sensor.

    Args:
        values: of the parameters, by name.

    Raises:
        ParameterError: for sensors that there are not.
        FieldError: for a type or a field that there is not.

    """
    message = message_type(values['type'])
    wanted = ('specific_force', 'angular_rate')
    shared: dict[str, Any] = {
        name: values[name] for stem in wanted for name in (stem, f'{stem}_unit', f'{stem}_factor')
    }
    for name in ('specific_force_factor', 'angular_rate_factor'):
        if not math.isfinite(values[name]) or values[name] == 0.0:
            raise ParameterError(
                f'The parameter {name} is {values[name]:g}, expected a number other than 0; '
                'correct it.'
            )
    return {
        sensor: imu_mapping(
            message=message,
            key=values[f'imu.{sensor}.key'],
            stamp=values['stamp'],
            stamp_unit=values['stamp_unit'],
            **shared,
        )
        for sensor in chosen_sensors(values['sensors'])
    }


class ImuRelay:
    """Listen to every input once, and publish what each message says of each sensor."""

    def __init__(self) -> None:
        """Make the node.

        Raises:
            ParameterError: for a parameter of the wrong type or out of range, a name that is no
                topic, and two sensors with the same source or the same goal.
            FieldError: for a message type or a field that there is not.

        """
        self.node = node = Node(NODE_NAME)
        declare_table(node, PARAMETERS)
        for sentence in unknown_parameters(node, PARAMETERS):
            node.get_logger().warning(sentence)
        values = read_parameters(node, PARAMETERS)
        self._mappings = mappings(values)
        self._messages = {sensor: blank_imu(sensor) for sensor in self._mappings}
        self._warned: dict[str, float] = {}
        inputs = self._topics(values, 'input')
        outputs = self._topics(values, 'output')
        _require_one_source_each(inputs, self._mappings)
        _require_one_goal_each(outputs, inputs)
        self._publishers = {}
        for sensor, topic in outputs.items():
            with overridable(qos_profile_sensor_data, topic=topic) as settings:
                self._publishers[sensor] = node.create_publisher(Imu, topic, **settings)
        sensors_of = defaultdict(list)
        for sensor, topic in inputs.items():
            sensors_of[topic].append(sensor)
        for topic, sensors in sensors_of.items():
            with overridable(SAMPLES, topic=topic) as settings:
                node.create_subscription(
                    message_type(values['type']),
                    topic,
                    partial(self._relay, tuple(sensors)),
                    **settings,
                )
        node.get_logger().info(
            f'Relaying {values["type"]} of {", ".join(self._mappings)} from '
            f'{", ".join(sensors_of)}.'
        )

    def stop(self) -> bool:
        """There is nothing to wait for."""
        return True

    def _topics(self, values: Mapping[str, Any], end: str) -> dict[str, str]:
        return {
            sensor: resolved_topic(
                self.node, values, name=f'imu.{sensor}.{end}', example=f'imu/{sensor}/data_raw'
            )
            for sensor in self._mappings
        }

    def _relay(self, sensors: tuple[str, ...], message: Any) -> None:
        now_ns = self.node.get_clock().now().nanoseconds
        for sensor in sensors:
            try:
                sample = self._mappings[sensor].sample(message)
                stamp_ns = self._mappings[sensor].stamp_ns(message)
            except FieldError as error:
                self._warn(sensor, f'{sensor}: {error}')
                continue
            imu = self._messages[sensor]
            set_stamp(imu.header.stamp, now_ns if stamp_ns is None else stamp_ns)
            force, rate = imu.linear_acceleration, imu.angular_velocity
            force.x, force.y, force.z, rate.x, rate.y, rate.z = sample.tolist()
            self._publishers[sensor].publish(imu)

    def _warn(self, about: str, sentence: str) -> None:
        now = time.monotonic()
        if now - self._warned.get(about, -math.inf) >= WARNING_PERIOD_S:
            self._warned[about] = now
            self.node.get_logger().warning(sentence)


def _require_one_source_each(
    inputs: Mapping[str, str], mapping_of: Mapping[str, ImuMapping]
) -> None:
    """Refuse two sensors that would be relayed from the same fields."""
    owner: dict[tuple[str, ImuMapping], str] = {}
    for sensor, topic in inputs.items():
        twin = owner.setdefault((topic, mapping_of[sensor]), sensor)
        if twin != sensor:
            raise ParameterError(
                f'The sensors {twin} and {sensor} are both read from the same fields of {topic}, '
                f'expected others for each; change imu.{sensor}.input, or put {{key}} into the '
                f'paths and set imu.{sensor}.key.'
            )


def _require_one_goal_each(outputs: Mapping[str, str], inputs: Mapping[str, str]) -> None:
    """Refuse two sensors on one topic, and one that is heard as well."""
    owner: dict[str, str] = {}
    for sensor, topic in outputs.items():
        twin = owner.setdefault(topic, sensor)
        if twin != sensor:
            raise ParameterError(
                f'The sensors {twin} and {sensor} are both published on {topic}, expected a topic '
                f'for each; change imu.{sensor}.output.'
            )
        if topic in inputs.values():
            raise ParameterError(
                f'{topic} is an input and the output of {sensor}, expected another topic; change '
                f'imu.{sensor}.output.'
            )


def main(args: list[str] | None = None) -> int:
    """Relay until told to stop.

    Returns:
        0 after an ordinary stop, 1 where the node could not start.

    """
    return run_small_node(ImuRelay, name=NODE_NAME, args=args)


if __name__ == '__main__':
    sys.exit(main())
