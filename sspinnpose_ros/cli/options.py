# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Define the options that several sub-commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sspinnpose_ros.core.conventions import JOINTS, OPTIONAL_SENSORS, SENSOR_SETS, SENSORS

LARGEST_TIME_OFFSET_S = 3600.0

MAPPING = 'sspinnpose_ros.mapping'
"""Key of what --mapping says among what is kept while a command line is read."""

Command = TypeVar('Command', bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """Take numbers within bounds; unlike click's own, no NaN and no infinity."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or fail with a sentence."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f'{value} is not a finite number.', param, ctx)
        return number


overwrite_option = click.option(
    '--overwrite', is_flag=True, help='Replace an earlier result instead of refusing to.'
)

bag_argument = click.argument('bag_path', metavar='BAG', type=click.Path(path_type=Path))


def subject_option(command: Command) -> Command:
    """Add --subject."""
    return click.option(
        '--subject',
        'subject_path',
        metavar='SUBJECT.yaml',
        type=click.Path(path_type=Path),
        help="Mass, height and sensors of the wearer. Default: the trial folder's subject.yaml.",
    )(command)


def topic_option(command: Command) -> Command:
    """Add --mapping and --topic, repeatable.

    What the mapping says also holds for --sensors, --stamps and --time-offset where these are not
    given.
    """
    command = click.option(
        '--mapping',
        metavar='FILE',
        type=click.Path(path_type=Path),
        callback=_load_mapping,
        expose_value=False,
        is_eager=True,
        help='Which sensor is on which topic: a parameter file of the node, of which sensors, '
        'imu.SENSOR.topic and imu.SENSOR.time_offset_s are read. `sspinnpose info` writes one. '
        '--topic, --sensors and --time-offset go before it.',
    )(command)
    return click.option(
        '--topic',
        'topics',
        metavar='SENSOR=TOPIC',
        multiple=True,
        callback=_parse_topics,
        help='Topic of a sensor that is not on /imu/SENSOR/data_raw; may be repeated. An optional '
        'sensor trunk is known but not used.',
    )(command)


def stamps_option(command: Command) -> Command:
    """Add --stamps."""
    return click.option(
        '--stamps',
        'stamps_at_arrival',
        type=click.Choice(('header', 'arrival')),
        callback=_parse_stamps,
        help="Time of a sample, as the node's stamps: that of its message, or when it was "
        'recorded, for drivers whose stamps are dead. Default: header, or what the mapping says.',
    )(command)


def time_offset_option(command: Command) -> Command:
    """Add --time-offset, repeatable."""
    return click.option(
        '--time-offset',
        'time_offset_s',
        metavar='SENSOR=SECONDS',
        multiple=True,
        callback=_parse_time_offsets,
        help="Add this to every stamp of a sensor, as the node's imu.SENSOR.time_offset_s does: "
        'negative for one that stamps late; may be repeated.',
    )(command)


def sensors_option(command: Command) -> Command:
    """Add --sensors."""
    return click.option(
        '--sensors',
        metavar='A,B,C',
        callback=_parse_sensors,
        help=f'Use these sensors only: names out of {", ".join(SENSORS)}, or one of the sets '
        f'{", ".join(SENSOR_SETS)}. Default: all seven.',
    )(command)


def model_option(command: Command) -> Command:
    """Add --model."""
    return click.option(
        '--model',
        'model_path',
        metavar='MODEL',
        default='default',
        show_default=True,
        help='Model folder (weights.safetensors and model.json); default is the shipped one.',
    )(command)


def calibration_option(command: Command) -> Command:
    """Add --calibration."""
    return click.option(
        '--calibration',
        'calibration_path',
        metavar='CALIBRATION.yaml',
        type=click.Path(path_type=Path),
        help='How the sensors sit, as `sspinnpose calibrate` wrote it.',
    )(command)


def skip_bad_samples_option(command: Command) -> Command:
    """Add --skip-bad-samples."""
    return click.option(
        '--skip-bad-samples',
        is_flag=True,
        help='Treat samples that are NaN or infinite as missing instead of refusing them.',
    )(command)


def exo_options(command: Command) -> Command:
    """Add --exo-topic, --exo-joint and --no-exo."""
    for add in (
        click.option(
            '--no-exo',
            is_flag=True,
            help='Give the moments of person and device together, whatever the recording holds.',
        ),
        click.option(
            '--exo-joint',
            'exo_joints',
            metavar='JOINT=NAME[*FACTOR]',
            multiple=True,
            callback=_parse_exo_joints,
            help='A joint that a worn device drives, its name in the messages and what turns the '
            'effort there into torque along the joint, e.g. knee_angle_r=right_knee*-1; may be '
            'repeated. Default: all joints that the messages call as we do.',
        ),
        click.option(
            '--exo-topic',
            metavar='TOPIC',
            help='Torque of a worn device (sensor_msgs/JointState), which is taken off the '
            'moments. Default: the topic that ends in exo/joint_states, where there is one.',
        ),
    ):
        command = add(command)
    return command


def output_option(*, metavar: str, text: str) -> Callable[[Command], Command]:
    """Add the required -o."""
    return click.option(
        '-o',
        '--output',
        required=True,
        metavar=metavar,
        type=click.Path(path_type=Path),
        help=text,
    )


def _load_mapping(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    from sspinnpose_ros.bags.sensor_mapping import SensorMapping, load_mapping

    context.meta[MAPPING] = SensorMapping() if value is None else load_mapping(value)


def _parse_topics(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, str]:
    topics = dict(context.meta[MAPPING].topics)
    for pair in value:
        sensor, equals, topic = pair.partition('=')
        if not equals or not topic or sensor not in (*SENSORS, *OPTIONAL_SENSORS):
            raise click.BadParameter(
                f'{pair!r} is not SENSOR=TOPIC with a sensor out of {", ".join(SENSORS)}.'
            )
        topics[sensor] = topic if topic.startswith('/') else f'/{topic}'
    return topics


def _parse_stamps(context: click.Context, parameter: click.Parameter, value: str | None) -> bool:
    if value is None:
        mapping = context.meta.get(MAPPING)
        return mapping is not None and bool(mapping.stamps_at_arrival)
    return value == 'arrival'


def _parse_time_offsets(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, float]:
    mapping = context.meta.get(MAPPING)
    offsets = {} if mapping is None else dict(mapping.time_offset_s)
    for pair in value:
        sensor, _, text = pair.partition('=')
        try:
            offset_s = float(text)
        except ValueError:
            offset_s = math.nan
        if sensor not in SENSORS or not abs(offset_s) <= LARGEST_TIME_OFFSET_S:
            raise click.BadParameter(
                f'{pair!r} is not SENSOR=SECONDS with a sensor out of {", ".join(SENSORS)} and '
                f'at most {LARGEST_TIME_OFFSET_S:.0f} s either way.'
            )
        offsets[sensor] = offset_s
    return offsets


def _parse_exo_joints(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, tuple[str, float]]:
    joints: dict[str, tuple[str, float]] = {}
    for pair in value:
        joint, _, rest = pair.partition('=')
        name, star, factor = rest.partition('*')
        try:
            number = float(factor) if star else 1.0
        except ValueError:
            number = 0.0
        taken = any(name == other for other, _ in joints.values())
        if joint not in JOINTS or not name or taken or not math.isfinite(number) or not number:
            raise click.BadParameter(
                f'{pair!r} is not JOINT=NAME or JOINT=NAME*FACTOR with a joint out of '
                f'{", ".join(JOINTS)}, a name of its own and a factor other than 0.'
            )
        joints[joint] = (name, number)
    return joints


def _parse_sensors(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    if value is None:
        mapping = context.meta.get(MAPPING)
        worn: tuple[str, ...] | None = None if mapping is None else mapping.sensors
        return worn
    if value in SENSOR_SETS:
        return SENSOR_SETS[value]
    names = [name.strip() for name in value.split(',') if name.strip()]
    unknown = [name for name in names if name not in SENSORS]
    if unknown or not names:
        raise click.BadParameter(
            f'{unknown[0] if unknown else value!r} is no sensor; choose from '
            f'{", ".join(SENSORS)} or the sets {", ".join(SENSOR_SETS)}.'
        )
    return tuple(sensor for sensor in SENSORS if sensor in names)
