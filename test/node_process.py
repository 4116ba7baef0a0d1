# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the estimator as a process and talk to it over real topics, in a domain of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import WrenchStamped
from lifecycle_msgs.srv import ChangeState, GetState
from made_recordings import SUBJECT
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from sspinnpose_ros.cli.private_domain import domain_environment
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.model_file import Model, save_model
from sspinnpose_ros.core.network_step import expected_shapes
from sspinnpose_ros.core.uncertainty import head_shapes

PATIENCE_S = float(os.environ.get('SSPINNPOSE_TEST_PATIENCE_S', '30'))
"""Time limit of anything that is waited for; a loaded machine may need seconds."""

PERIOD_NS = 10_000_000
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LATCHED_OF_ALL = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""For topics that several nodes latch: a reader of depth 1 keeps the last message of them all."""
TOPICS: Mapping[str, tuple[Any, Any]] = {
    'human/joint_states': (JointState, 100),
    'human/wrench/foot_r': (WrenchStamped, 100),
    'human/wrench/foot_l': (WrenchStamped, 100),
    'human/uncertainty': (JointState, 100),
    'human/wrench_sigma/foot_r': (WrenchStamped, 100),
    'human/wrench_sigma/foot_l': (WrenchStamped, 100),
    'human/markers': (MarkerArray, 100),
    'human/status': (DiagnosticStatus, 100),
    '/diagnostics': (DiagnosticArray, 100),
    'robot_description': (String, LATCHED),
}


def write_model(folder: Path, *, hidden: int = 8) -> Path:
    """Write a small untrained model and return its folder."""
    generator = np.random.default_rng(0)
    weights = {
        name: (0.03 * generator.normal(size=shape)).astype(np.float32)
        for name, shape in expected_shapes(hidden).items()
    }
    weights |= {
        name: np.full(shape, -3.0 if len(shape) == 1 else 0.001, np.float32)
        for name, shape in head_shapes(hidden).items()
    }
    model = Model(weights=weights, hidden=hidden, rate_hz=100.0, sensors=SENSORS, provenance={})
    save_model(folder, model)
    return folder


def write_wearer(folder: Path) -> dict[str, object]:
    """Write a small model and a subject, and return the parameters that name them."""
    subject = folder / 'subject.yaml'
    subject.write_text(SUBJECT)
    return {'model': write_model(folder / 'model'), 'subject': subject}


class NodeProcess:
    """A process with the lines it logged."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def log(self) -> str:
        return '\n'.join(self.lines)

    def wait(self) -> int:
        code = self.process.wait(timeout=PATIENCE_S)
        self._reader.join(timeout=5.0)
        return code


@contextmanager
def estimator_process(
    domain: int, parameters: Mapping[str, object], *arguments: str, code: str | None = None
) -> Iterator[NodeProcess]:
    """Start the node; end it, whatever happens."""
    with ros_process('estimator_node', domain, parameters, *arguments, code=code) as node:
        yield node


@contextmanager
def ros_process(
    module: str,
    domain: int,
    parameters: Mapping[str, object],
    *arguments: str,
    folder: Path | None = None,
    code: str | None = None,
) -> Iterator[NodeProcess]:
    """Start a module of `sspinnpose_ros.ros`, or code, in a folder; end it, whatever happens."""
    program = ['-m', f'sspinnpose_ros.ros.{module}'] if code is None else ['-c', code]
    command = [sys.executable, *program, '--ros-args']
    for name, value in parameters.items():
        command += ['-p', f'{name}:={value}']
    process = subprocess.Popen(
        [*command, *arguments],
        cwd=folder,
        env=domain_environment(domain),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    node = NodeProcess(process)
    try:
        yield node
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=10.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert process.stdout is not None
        node._reader.join(timeout=5.0)
        process.stdout.close()


class Wearer:
    """Publish IMU messages and keep what the estimator answers."""

    def __init__(self, domain: int, *, namespace: str = '') -> None:
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node('wearer', namespace=namespace, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.received: dict[str, list[Any]] = defaultdict(list)
        self._clock: Any = None
        self.publishers = {
            sensor: self.node.create_publisher(
                Imu, f'imu/{sensor}/data_raw', qos_profile_sensor_data
            )
            for sensor in SENSORS
        }
        for topic, (kind, qos) in TOPICS.items():
            self.listen(topic, kind, qos)

    def listen(self, topic: str, kind: Any, qos: Any) -> None:
        self.node.create_subscription(kind, topic, self.received[topic].append, qos)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.executor.spin_once(timeout_sec=left)

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f'{what} did not come within {PATIENCE_S} s'
            self.executor.spin_once(timeout_sec=0.05)

    def wait_until_heard(self) -> None:
        """Wait until the node listens to every sensor."""
        self.wait_for(
            lambda: all(p.get_subscription_count() for p in self.publishers.values()),
            'the subscriptions of the node',
        )
        self.spin(0.2)

    def publish(self, sensor: str, stamp_ns: int, sample: Sequence[float]) -> None:
        message = Imu()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        message.orientation_covariance[0] = -1.0
        force, rate = message.linear_acceleration, message.angular_velocity
        force.x, force.y, force.z, rate.x, rate.y, rate.z = (float(value) for value in sample)
        self.publishers[sensor].publish(message)

    def play(
        self,
        samples: np.ndarray,
        *,
        sensors: Sequence[str] = SENSORS,
        start_ns: int | None = None,
        rest_s: float = 0.1,
    ) -> np.ndarray:
        """Publish samples (T, 7, 6) at 100 Hz, and return their stamps (T,) in ns."""
        if start_ns is None:
            start_ns = self.node.get_clock().now().nanoseconds
        stamps = start_ns + PERIOD_NS * np.arange(len(samples))
        begin = time.monotonic()
        for index, (stamp, instant) in enumerate(zip(stamps.tolist(), samples, strict=True)):
            for sensor in sensors:
                self.publish(sensor, stamp, instant[SENSORS.index(sensor)])
            self.spin(max(0.0, begin + (index + 1) * 0.01 - time.monotonic()))
        self.spin(rest_s)
        return stamps

    def play_in_step(
        self,
        samples: np.ndarray,
        *,
        start_ns: int,
        sensors: Sequence[str] = SENSORS,
        before: Callable[[int], None] | None = None,
        answer: str | None = 'human/joint_states',
        patience_s: float = 0.5,
    ) -> np.ndarray:
        """Publish samples (T, 7, 6) on a /clock of their own, each when the last was answered.

        Nothing depends on how fast the machine is: the node runs with use_sim_time.

        Args:
            samples: one row a period.
            start_ns: stamp of the first.
            sensors: those that speak.
            before: called with each stamp before its samples.
            answer: topic of stamped messages to wait for; None asks the node for its state now
                and then, which it answers once it has heard what was sent.
            patience_s: time to wait for one.

        Returns:
            The stamps (T,) in ns.

        """
        stamps = start_ns + PERIOD_NS * np.arange(len(samples))
        for index, (stamp, instant) in enumerate(zip(stamps.tolist(), samples, strict=True)):
            self.tell_time(stamp)
            if before is not None:
                before(stamp)
            self.publish_instant(stamp, instant, sensors=sensors)
            if answer is not None:
                self.wait_for_stamp(answer, stamp, patience_s=patience_s)
            elif index % 20 == 19:
                self.state()
        # The status of an estimate comes after its joint states.
        self.spin(0.2)
        return stamps

    def get_in_step(self, instant: np.ndarray, *, until_ns: int) -> None:
        """Publish one sample (7, 6) until it is answered again and again, then start afresh.

        Best-effort messages get lost until both sides have found each other.

        Args:
            instant: of all sensors.
            until_ns: what comes next may be stamped with this.

        """
        answered = 0
        for index in range(-400, 0):
            stamp = until_ns + index * PERIOD_NS
            self.tell_time(stamp)
            # A sample that is repeated to the last bit counts as one sent twice.
            self.publish_instant(stamp, instant + 1e-6 * (1 + index % 2))
            answered = answered + 1 if self.wait_for_stamp('human/joint_states', stamp) else 0
            if answered == 5:
                assert self.call('sspinnpose/reset').success
                for messages in self.received.values():
                    if messages and hasattr(messages[0], 'header'):
                        messages.clear()
                return
        raise AssertionError('the node does not answer')

    def tell_time(self, now_ns: int) -> None:
        """Set the clock of every node with use_sim_time."""
        if self._clock is None:
            self._clock = self.node.create_publisher(Clock, '/clock', 10)
            self.wait_for(self._clock.get_subscription_count, 'the listener to /clock')
        now = Clock()
        now.clock.sec, now.clock.nanosec = divmod(now_ns, 10**9)
        self._clock.publish(now)

    def publish_instant(
        self, stamp_ns: int, instant: np.ndarray, *, sensors: Sequence[str] = SENSORS
    ) -> None:
        """Publish one sample (7, 6) of some sensors."""
        for sensor in sensors:
            self.publish(sensor, stamp_ns, instant[SENSORS.index(sensor)])

    def wait_for_stamp(self, topic: str, stamp_ns: int, *, patience_s: float = 0.5) -> bool:
        """Wait until a message of this stamp or a later one came; return whether it did."""
        answers = self.received[topic]
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.05)
            if answers and int(stamps_of(answers[-1:])[0]) >= stamp_ns:
                return True
        return False

    def call(self, service: str, kind: Any = Trigger, request: Any = None) -> Any:
        client = self.node.create_client(kind, service)
        try:
            self.wait_for(client.service_is_ready, f'the service {service}')
            future = client.call_async(kind.Request() if request is None else request)
            self.wait_for(future.done, f'the answer of {service}')
            return future.result()
        finally:
            self.node.destroy_client(client)

    def change_state(self, transition: int, *, node: str = 'sspinnpose') -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        return bool(self.call(f'{node}/change_state', ChangeState, request).success)

    def state(self, *, node: str = 'sspinnpose') -> str:
        return str(self.call(f'{node}/get_state', GetState).current_state.label)


def stamps_of(messages: Sequence[Any]) -> np.ndarray:
    """Return header stamps in ns."""
    return np.array(
        [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages], dtype=np.int64
    )
