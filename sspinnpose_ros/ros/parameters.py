# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Declare every parameter of the node from one table."""

from __future__ import annotations

import difflib
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    InvalidTopicNameException,
    ParameterUninitializedException,
)
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.validate_full_topic_name import validate_full_topic_name

from sspinnpose_ros.core.brief import brief
from sspinnpose_ros.core.conventions import JOINTS, SENSORS
from sspinnpose_ros.core.errors import UserError

NOT_OURS = re.compile(r'use_sim_time|start_type_description_service|qos_overrides\..*')
"""Parameters of every node, which rclpy declares."""

LONGEST_PATH = 500
"""Systems take eight times as much, but nobody reads it in a sentence."""

NEAR = 0.7
"""How like a known name, 0 to 1, an unknown one must be to count as its misspelling."""

FRAME_PREFIX = re.compile(r'(?:[^\s/][^\s]*)?')
FRAME = re.compile(r'[^\s/][^\s]*')

Value = bool | int | float | str | list[str]


class ParameterError(UserError):
    """Report a parameter of the wrong type or out of its range."""


@dataclass(frozen=True)
class Parameter:
    """Describe one parameter.

    Attributes:
        name: as users write it.
        default: which also fixes the type.
        description: one sentence, with the unit.
        range: smallest and largest value of a number.
        choices: allowed values of a text.
        read_only: whether it is fixed from the start; the others are read at configuration.

    """

    name: str
    default: Value
    description: str
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def kind(self) -> str:
        """Name of the type, as ROS prints it."""
        return {
            bool: 'bool',
            int: 'integer',
            float: 'double',
            str: 'string',
            list: 'string_array',
        }[type(self.default)]

    @property
    def expected(self) -> str:
        """Words for what the value must be."""
        words = {'bool': 'true or false', 'integer': 'a whole number', 'double': 'a number'}
        text = words.get(self.kind, 'a text' if self.kind == 'string' else 'a list of texts')
        if self.range:
            text += f' from {self.range[0]:g} to {self.range[1]:g}'
        if self.choices:
            text = f'one of {", ".join(self.choices)}'
        return text


PARAMETERS: tuple[Parameter, ...] = (
    Parameter('mass_kg', 75.0, 'Mass of the wearer with clothes [kg].', range=(10.0, 300.0)),
    Parameter('height_m', 1.75, 'Stature of the wearer [m].', range=(0.8, 2.5)),
    Parameter(
        'subject',
        '',
        'Path of a SUBJECT.yaml; where given it replaces mass_kg and height_m and adds segment '
        'lengths, sensor positions and whether the sensors are aligned with their segments.',
    ),
    Parameter('model', 'default', 'Folder of a trained model; default is the shipped one.'),
    Parameter(
        'sensor_axes',
        'unknown',
        'Whether the sensors are aligned with their segments (x forward, y up, z right) or sit '
        'in unknown ways and need a calibration; a subject file wins over it.',
        choices=('unknown', 'aligned'),
    ),
    Parameter(
        'calibration',
        '',
        'Path of a CALIBRATION.yaml; empty for aligned sensors and for calibrating anew.',
    ),
    Parameter(
        'calibration_output',
        '~/.ros/sspinnpose_calibration.yaml',
        'Where ~/save_calibration writes; name this file as calibration to use it again.',
    ),
    Parameter(
        'sensors',
        list(SENSORS),
        f'Sensors that are worn, names out of {", ".join(SENSORS)}.',
    ),
    *(
        Parameter(
            f'imu.{sensor}.topic',
            f'imu/{sensor}/data_raw',
            f'Topic of the {sensor} sensor, sensor_msgs/Imu in its own axes.',
        )
        for sensor in SENSORS
    ),
    *(
        Parameter(
            f'imu.{sensor}.time_offset_s',
            0.0,
            f'Added to every stamp of the {sensor} sensor: negative for one that stamps late [s].',
            range=(-3600.0, 3600.0),
        )
        for sensor in SENSORS
    ),
    Parameter(
        'stamps',
        'header',
        'Time of a sample: header for the stamp of its message, arrival for drivers whose '
        'stamps are dead; samples that arrive together are then spread evenly.',
        choices=('header', 'arrival'),
    ),
    Parameter(
        'max_wait_s',
        0.05,
        'Longest time an estimate waits for missing sensors once two sensors have reached it; '
        'above the period of the slowest [s].',
        range=(0.0, 1.0),
    ),
    Parameter(
        'sensor_timeout_s',
        0.2,
        'Time after which a silent sensor is no longer waited for [s].',
        range=(0.01, 10.0),
    ),
    Parameter(
        'max_gap_s',
        0.1,
        'Longest gap between two samples that is interpolated over [s].',
        range=(0.001, 1.0),
    ),
    Parameter(
        'max_jump_s',
        1.0,
        'A stamp further than this from the others, either way, starts everything afresh [s].',
        range=(0.1, 60.0),
    ),
    Parameter(
        'max_ahead_s',
        0.2,
        'A stamp further ahead than this of the clock that most sensors show is refused; an '
        'estimate that only one sensor has reached waits this much longer [s].',
        range=(0.01, 10.0),
    ),
    Parameter(
        'max_lag_s',
        0.5,
        'Once an estimate is overdue by this, all but the newest are skipped [s].',
        range=(0.05, 10.0),
    ),
    Parameter(
        'averaging_s',
        0.01,
        'Sensors clearly faster than the estimates are averaged over this long around the time '
        'of each, which waits for half of it; 0 takes the nearest sample without waiting [s].',
        range=(0.0, 0.1),
    ),
    Parameter(
        'rejoin_s',
        1.5,
        'A sensor that was silent for sensor_timeout_s is used again once it was there for this '
        'long without a gap and agrees with the rest [s].',
        range=(0.0, 60.0),
    ),
    Parameter(
        'min_sensors',
        3,
        'Estimates stop while fewer sensors than this are heard.',
        range=(1, len(SENSORS)),
    ),
    Parameter(
        'settle_s',
        1.0,
        'Estimates are marked WARN this long after a start [s].',
        range=(0.0, 60.0),
    ),
    Parameter(
        'largest_angle_sigma_deg',
        15.0,
        'Estimates are marked WARN while one sigma of a joint angle is larger than this [deg].',
        range=(0.1, 180.0),
    ),
    Parameter(
        'stale_after_s',
        0.2,
        'Time without an estimate after which the status says STALE [s].',
        range=(0.02, 60.0),
    ),
    Parameter(
        'missing_topic_s',
        5.0,
        'Time after activation at which topics that were never heard are named [s].',
        range=(0.5, 600.0),
    ),
    Parameter(
        'calibration_memory_s',
        60.0,
        'Time before ~/calibrate whose samples it uses [s].',
        range=(5.0, 600.0),
    ),
    Parameter(
        'exo.topic',
        'exo/joint_states',
        'Topic of the torque that a worn device applies, sensor_msgs/JointState; heard only '
        'where a name below is given.',
    ),
    Parameter(
        'exo.timeout_s',
        0.1,
        'Time after its stamp for which a torque of the device is known; then the effort of its '
        'joint is 0 and the status WARN [s].',
        range=(0.005, 1.0),
    ),
    *(
        Parameter(
            f'exo.{joint}.name',
            '',
            f'Name that the device gives to {joint}; empty where it applies no torque there.',
        )
        for joint in JOINTS
    ),
    *(
        Parameter(
            f'exo.{joint}.factor',
            1.0,
            f'Turns the effort that the device reports into its torque along {joint}: -1 where '
            'it counts the other way, a gear ratio where it reports the motor [1].',
            range=(-1000.0, 1000.0),
        )
        for joint in JOINTS
    ),
    Parameter(
        'world_frame',
        'odom',
        'Frame in which the pelvis moves; it drifts forward, as REP-105 allows of odom.',
    ),
    Parameter('frame_prefix', '', 'Put before every frame, to tell wearers apart.'),
    Parameter(
        'publish_tf',
        True,
        'Whether to publish /tf and /tf_static.',
    ),
    Parameter(
        'publish_joint_tf',
        True,
        'Whether /tf holds the joints too; false leaves them to robot_state_publisher.',
    ),
    Parameter(
        'markers_rate_hz',
        20.0,
        'Rate of human/markers; 0 for none [Hz].',
        range=(0.0, 200.0),
    ),
    Parameter(
        'autostart',
        True,
        'Whether the node configures and activates itself.',
        read_only=True,
    ),
    Parameter(
        'executor',
        'events',
        'Executor of the process: events where rclpy has it, else single.',
        choices=('events', 'single'),
        read_only=True,
    ),
)


def declare_parameters(node: Node) -> None:
    """Declare the parameters of the estimator on a node.

    Raises:
        ParameterError: for a given value of the wrong type or out of range.

    """
    declare_table(node, PARAMETERS)


def declare_table(node: Node, table: Sequence[Parameter]) -> None:
    """Declare parameters on a node; whole numbers are taken where a double is expected.

    Raises:
        ParameterError: for a given value of the wrong type or out of range.

    """
    for parameter in table:
        given = _given(node, parameter)
        whole = parameter.kind == 'double' and type(given) is int
        value = float(given) if whole else parameter.default
        try:
            node.declare_parameter(
                parameter.name, value, _descriptor(parameter), ignore_override=whole
            )
        except (InvalidParameterTypeException, InvalidParameterValueException):
            raise ParameterError(
                f'The parameter {parameter.name} is {given!r}, expected {parameter.expected}: '
                f'{parameter.description}'
            ) from None
        try:
            declared = node.get_parameter(parameter.name).value
        except ParameterUninitializedException:
            raise ParameterError(
                f'The parameter {parameter.name} is empty, expected {parameter.expected}: '
                f'{parameter.description}'
            ) from None
        check_choice(parameter, declared)


def read_parameters(node: Node, table: Sequence[Parameter] = PARAMETERS) -> dict[str, Any]:
    """Return the values of all parameters by name.

    Args:
        node: on which they are declared.
        table: of them.

    Raises:
        ParameterError: for a parameter without a value.

    """
    try:
        return {p.name: node.get_parameter(p.name).value for p in table}
    except ParameterUninitializedException as error:
        raise ParameterError(f'{error}, expected a value; set it or leave it out.') from None


def check_choice(parameter: Parameter, value: Any) -> None:
    """Refuse a text that is none of the choices.

    Raises:
        ParameterError: naming the choices.

    """
    if parameter.choices and value not in parameter.choices:
        raise ParameterError(
            f'The parameter {parameter.name} is {brief(value)}, expected '
            f'{parameter.expected}; set it to one of these.'
        )


def chosen_sensors(names: Sequence[str]) -> tuple[str, ...]:
    """Return the worn sensors in the order of `conventions.SENSORS`.

    Raises:
        ParameterError: for an unknown name, a name given twice, or no name.

    """
    unknown = [name for name in names if name not in SENSORS]
    if unknown:
        raise ParameterError(
            f'The parameter sensors names {brief(unknown[0])}, expected names out of '
            f'{", ".join(SENSORS)}; correct or remove it.'
        )
    if not names or len(set(names)) != len(names):
        raise ParameterError(
            f'The parameter sensors is {brief(list(names))}, expected each worn sensor once; list '
            f'some of {", ".join(SENSORS)}.'
        )
    return tuple(name for name in SENSORS if name in names)


def check_frames(values: Mapping[str, Any]) -> None:
    """Refuse names that tf2 takes for no frames.

    Raises:
        ParameterError: for spaces, a leading slash, an empty world frame, and what does not print.

    """
    for name, allowed in (('world_frame', FRAME), ('frame_prefix', FRAME_PREFIX)):
        if not (allowed.fullmatch(values[name]) and values[name].isprintable()):
            raise ParameterError(
                f'The parameter {name} is {brief(values[name])}, expected a frame name without '
                f'spaces and without a leading slash; set it to such as '
                f'{"odom" if name == "world_frame" else "anna_"}.'
            )


def file_path(values: Mapping[str, Any], name: str) -> Path:
    """Return the path that a parameter names, with ~ written out.

    Args:
        values: of the parameters, by name.
        name: of the parameter.

    Raises:
        ParameterError: for what cannot be a path, and for a home that nobody has.

    """
    text = values[name]
    if len(text) > LONGEST_PATH or not text.isprintable():
        raise ParameterError(
            f'The parameter {name} is {brief(text)}, expected a path of at most {LONGEST_PATH} '
            'printable characters; correct it.'
        )
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ParameterError(
            f'The parameter {name} is {brief(text)}, expected a path, but there is no such home '
            'directory; write the path without ~.'
        ) from None


def resolved_topic(node: Node, values: Mapping[str, Any], *, name: str, example: str) -> str:
    """Return the full topic that a parameter names, remapped.

    Args:
        node: whose namespace and remappings hold.
        values: of the parameters, by name.
        name: of the parameter.
        example: a topic that would do.

    Raises:
        ParameterError: for a name that is no topic.

    """
    try:
        topic = str(node.resolve_topic_name(values[name]))
        validate_full_topic_name(topic)
    except (InvalidTopicNameException, ValueError, rclpy_implementation.RCLError):
        raise ParameterError(
            f'The parameter {name} is {brief(values[name])}, expected a topic name such as '
            f'{example}: letters, digits, _ and /, not beginning with a digit; correct it.'
        ) from None
    return topic


def resolved_topics(
    node: Node, values: Mapping[str, Any], sensors: Sequence[str]
) -> dict[str, str]:
    """Return the full topic of each sensor, remapped.

    Raises:
        ParameterError: for a name that is no topic, and for two sensors on one topic.

    """
    topics: dict[str, str] = {}
    for sensor in sensors:
        name = f'imu.{sensor}.topic'
        topic = resolved_topic(node, values, name=name, example=f'imu/{sensor}/data_raw')
        twin = next((other for other, taken in topics.items() if taken == topic), None)
        if twin is not None:
            raise ParameterError(
                f'The sensors {twin} and {sensor} are both on {topic}, expected a topic for each; '
                f'change imu.{sensor}.topic or its remapping.'
            )
        topics[sensor] = topic
    return topics


def unknown_parameters(node: Node, table: Sequence[Parameter] = PARAMETERS) -> list[str]:
    """Return a sentence for each given parameter that the node does not have.

    Args:
        node: which was given them.
        table: of those that it has.

    Raises:
        ParameterError: for a name that looks like a misspelling of one that it has.

    """
    known = [parameter.name for parameter in table]
    sentences = []
    for name in node._parameter_overrides:
        if name in known or NOT_OURS.fullmatch(name):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
        if near:
            raise ParameterError(
                f'There is no parameter {name}, expected perhaps {near[0]}; correct or remove it.'
            )
        sentences.append(
            f'There is no parameter {name}: it is ignored; docs/ros_api.md lists those there are.'
        )
    return sentences


def table_by_name() -> Mapping[str, Parameter]:
    """Return the table by parameter name."""
    return {parameter.name: parameter for parameter in PARAMETERS}


def parameter_file() -> str:
    """Return config/estimator.yaml: every parameter with its default and what it means."""
    lines = [
        '# Parameters of the node sspinnpose, under any name and namespace, with their defaults.',
        '# They are read at configuration; those marked fixed are read once, at the start.',
        '# Written by: python -m sspinnpose_ros.ros.parameters > config/estimator.yaml',
        '/**:',
        '  ros__parameters:',
    ]
    for parameter in PARAMETERS:
        text = parameter.description
        if parameter.range:
            text += ' From {:g} to {:g}.'.format(*parameter.range)
        if parameter.choices:
            text += f' One of {", ".join(parameter.choices)}.'
        if parameter.read_only:
            text += ' Fixed.'
        lines += textwrap.wrap(text, width=95, initial_indent='    # ', subsequent_indent='    # ')
        default = yaml.safe_dump(parameter.default, default_flow_style=True, width=1000)
        lines.append(f'    {parameter.name}: {default.splitlines()[0]}')
    return '\n'.join(lines) + '\n'


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=parameter.name,
        description=parameter.description,
        read_only=parameter.read_only,
    )
    if parameter.choices:
        descriptor.additional_constraints = parameter.expected
    if parameter.range and parameter.kind == 'double':
        low, high = parameter.range
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif parameter.range:
        low, high = (int(bound) for bound in parameter.range)
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return descriptor


def _given(node: Node, parameter: Parameter) -> Any:
    """Return the value from the command line or a parameter file, None without one."""
    override = node._parameter_overrides.get(parameter.name)
    return None if override is None else override.value


if __name__ == '__main__':
    sys.stdout.write(parameter_file())
