# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Set the parameters of a real node to anything, and configure it with what it accepts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import rclpy
from command_line import write_model
from rclpy.parameter import Parameter

from fuzz.campaign import Failure, Target
from fuzz.mutation import INTERESTING_DOUBLES
from sspinnpose_ros.cli.private_domain import private_domain
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.urdf import body_urdf
from sspinnpose_ros.ros.estimator_node import EstimatorNode
from sspinnpose_ros.ros.parameters import PARAMETERS

NAME = 'parameters'
WORDS = (
    *('', ' ', '~', '~nobody/x', '/', '//', '/dev/null', '/dev/zero', '/proc/self/mem', '.', '..'),
    *('default', 'header', 'arrival', 'aligned', 'odom', 'imu/pelvis/data_raw', '/imu/', 'imu//x'),
    *('~/x', '{node}', '{nothing}', '{', '}', '{{}}', '9x', 'a b', 'a__b', '_', 'x' * 300, 'é'),
    *('a' * 5000, '/a' * 3000, 'tf\n', '\x07', '\x1b[31m', '<link>', '"&\'', 'a\0b'),
    *('\U0001f600', '--ros-args', '../../etc/passwd', 'right_hip', '\u2028', '\ufffe', ']]>'),
)
NUMBERS = (*INTERESTING_DOUBLES, 1.0, 9.999, 10.0, 75.0, 300.0, 300.0000001)
COUNTS = (-(2**63), -1, 0, 1, 3, 7, 8, 2**31, 2**63 - 1)

Values = Mapping[str, Any]


class RefusedError(Exception):
    """A value that the node did not take when it was set."""


def _value(rng: Random, like: object) -> Any:
    kinds: Sequence[Any] = (
        lambda: rng.choice(WORDS),
        lambda: rng.choice(NUMBERS),
        lambda: 10.0 ** rng.uniform(-4.0, 4.0),
        lambda: rng.choice(COUNTS),
        lambda: rng.random() < 0.5,
        lambda: [rng.choice((*SENSORS, *WORDS[:3])) for _ in range(rng.randrange(0, 9))],
        lambda: rng.sample(SENSORS, rng.randrange(1, 8)),
    )
    own = {str: kinds[:1], float: kinds[1:3], int: kinds[3:4], bool: kinds[4:5], list: kinds[5:]}
    chosen = own[type(like)] if rng.random() < 0.9 else kinds
    return rng.choice(chosen)()


def _draw(rng: Random) -> Values:
    if rng.random() < 0.05:
        return {}
    free = [parameter for parameter in PARAMETERS if not parameter.read_only]
    chosen = rng.sample(free, 1 + int(rng.random() ** 3 * 6))
    return {one.name: _value(rng, one.default) for one in chosen}


class _Configuration:
    """Set the values on a node and configure it, as `ros2 param set` and `ros2 lifecycle` do."""

    def __init__(self, folder: Path) -> None:
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
        self._open = ExitStack()
        rclpy.init(domain_id=self._open.enter_context(private_domain()))
        self._open.callback(rclpy.try_shutdown)
        self._node = EstimatorNode()
        self._open.callback(self._node.destroy_node)
        model = str(write_model(folder / 'parameter_model', hidden=2))
        given = {one.name: one.default for one in PARAMETERS if not one.read_only}
        self._defaults = {**given, 'model': model}

    def close(self) -> None:
        """End the node."""
        self._open.close()

    def __call__(self, given: Values) -> None:
        self._set(self._defaults)
        self._set(given)
        try:
            self._node._configure()
            prefix = str(self._node._values['frame_prefix'])
            urdf = body_urdf(body=self._node._wearer.subject.body(), frame_prefix=prefix)
            links = {link.get('name') for link in ElementTree.fromstring(urdf).iter('link')}
            if f'{prefix}pelvis' not in links:
                raise Failure(f'{prefix!r} is not in {links}')
        finally:
            self._node._clean_up()

    def _set(self, values: Values) -> None:
        for name, value in values.items():
            (result,) = self._node.set_parameters([Parameter(name, value=value)])
            if not result.successful:
                if not (result.reason and result.reason.isprintable()):
                    raise Failure(f'{name} = {value!r} is refused with {result.reason!r}')
                raise RefusedError(result.reason)


def parameter_target(folder: Path) -> Target:
    """Return the target, which holds a node until its `read` is closed."""
    return Target(NAME, 600, _draw, _Configuration(folder), (RefusedError,))
