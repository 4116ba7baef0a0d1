# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Play a recorded or simulated wearer's IMUs in real time, as their drivers would."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Imu

from sspinnpose_ros.bags.imu_bag import ImuSeries, open_imu_bag
from sspinnpose_ros.bags.trial import find_trial
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import UserError
from sspinnpose_ros.ros.conversions import blank_imu, set_stamp
from sspinnpose_ros.ros.parameters import Parameter, declare_table
from sspinnpose_ros.ros.topic_qos import overridable

NODE_NAME = 'demo_wearer'
DISCOVERY_S = 0.5
SIMULATED_S = 60.0

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        'bag',
        '',
        'Recording or trial folder to play; empty for a simulated wearer.',
        read_only=True,
    ),
    Parameter(
        'speed_mps', 1.3, 'Speed of a simulated wearer [m/s].', range=(0.0, 5.0), read_only=True
    ),
    Parameter(
        'mass_kg', 75.0, 'Mass of a simulated wearer [kg].', range=(10.0, 300.0), read_only=True
    ),
    Parameter(
        'height_m', 1.75, 'Stature of a simulated wearer [m].', range=(0.8, 2.5), read_only=True
    ),
    Parameter('loop', True, 'Whether to begin again at the end.', read_only=True),
    Parameter(
        'seconds',
        0.0,
        'Time after which to stop; 0 plays to the end, or for ever in a loop [s].',
        range=(0.0, 1e6),
        read_only=True,
    ),
    Parameter(
        'wait_for',
        1,
        'Listeners that every topic must have before it begins.',
        range=(0, 100),
        read_only=True,
    ),
    Parameter(
        'patience_s',
        30.0,
        'Longest time to wait for these listeners [s].',
        range=(0.0, 1e6),
        read_only=True,
    ),
)


class DemoWearer(Node):
    """Publish the samples of every sensor at their time, stamped with the node's clock."""

    def __init__(self) -> None:
        """Declare parameters.

        Raises:
            ParameterError: for a parameter of the wrong type or out of range.

        """
        super().__init__(NODE_NAME)
        declare_table(self, PARAMETERS)

    def play(self, series: Mapping[str, ImuSeries]) -> None:
        """Publish until the end, the time limit, or the process is told to stop."""
        publishers = {}
        for sensor in series:
            topic = f'imu/{sensor}/data_raw'
            with overridable(qos_profile_sensor_data, topic=topic) as settings:
                publishers[sensor] = self.create_publisher(Imu, topic, **settings)
        self._wait_for_listeners(
            [publisher for sensor, publisher in publishers.items() if sensor in SENSORS]
        )
        messages = {sensor: blank_imu(sensor) for sensor in series}
        schedule = _schedule(series)
        period = _turn_s(series)
        limit = self._value('seconds') or np.inf
        start_ns, start = self.get_clock().now().nanoseconds, time.monotonic()
        turn = 0
        self.get_logger().info(f'Playing {", ".join(series)}.')
        while rclpy.ok(context=self.context):
            for time_s, sensor, sample in schedule:
                due = turn * period + time_s
                if due > limit or not rclpy.ok(context=self.context):
                    return
                wait = start + due - time.monotonic()
                if wait > 0.0:
                    time.sleep(wait)
                message = messages[sensor]
                set_stamp(message.header.stamp, start_ns + round(1e9 * due))
                force, rate = message.linear_acceleration, message.angular_velocity
                force.x, force.y, force.z, rate.x, rate.y, rate.z = sample
                publishers[sensor].publish(message)
            if not self._value('loop'):
                return
            turn += 1

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _wait_for_listeners(self, publishers: list[Any]) -> None:
        wanted = self._value('wait_for')
        end = time.monotonic() + self._value('patience_s')
        while any(each.get_subscription_count() < wanted for each in publishers):
            if time.monotonic() > end or not rclpy.ok(context=self.context):
                self.get_logger().warning(
                    f'Fewer than {wanted} nodes listen to {publishers[0].topic_name} and the '
                    'others: playing all the same.'
                )
                break
            time.sleep(0.02)
        # The listeners still have to find this publisher, which they know nothing of so far.
        time.sleep(DISCOVERY_S)


def load_series(node: DemoWearer) -> dict[str, ImuSeries]:
    """Read the recording that the parameters name, or simulate a wearer.

    Raises:
        UserError: for a recording that cannot be played.

    """
    bag = str(node.get_parameter('bag').value)
    if bag:
        return _read(Path(bag).expanduser())
    given = {name: node.get_parameter(name).value for name in ('speed_mps', 'mass_kg', 'height_m')}
    node.get_logger().info('Simulating a wearer; this takes some seconds.')
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / 'wearer'
        program = 'from sspinnpose_ros.cli.main import main; main()'
        options = [f'--{name.split("_")[0]}={value}' for name, value in given.items()]
        options.append(f'--seconds={SIMULATED_S}')
        done = subprocess.run(
            [sys.executable, '-c', program, 'simulate', *options, '-o', str(trial)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UserError(done.stderr.strip().removeprefix('Error: '))
        return _read(trial)


def _read(path: Path) -> dict[str, ImuSeries]:
    with open_imu_bag(find_trial(path).bag) as bag:
        return bag.series()


def _schedule(series: Mapping[str, ImuSeries]) -> list[tuple[float, str, list[float]]]:
    events = [
        (float(stamp), sensor, sample)
        for sensor, one in series.items()
        for stamp, sample in zip(one.stamp_s, one.sample.tolist(), strict=True)
    ]
    return sorted(events, key=lambda event: event[0])


def _turn_s(series: Mapping[str, ImuSeries]) -> float:
    """Return the time from the first sample to where the next turn begins."""
    last = max(float(one.stamp_s[-1]) for one in series.values())
    period = min(float(np.median(np.diff(one.stamp_s))) for one in series.values())
    return last + period


def main(args: list[str] | None = None) -> int:
    """Play until told to stop.

    Returns:
        0 after an ordinary stop, 1 where nothing could be played.

    """
    rclpy.init(args=args)
    try:
        node = DemoWearer()
        node.play(load_series(node))
    except UserError as error:
        rclpy.logging.get_logger(NODE_NAME).fatal(str(error))
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except Exception:
        # Publishing fails where the context is gone, which is how a stop looks from here.
        if rclpy.ok():
            raise
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
