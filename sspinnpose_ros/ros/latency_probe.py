# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Play seven IMUs to a running estimator and time its answers, from another process.

A program of its own, which `sspinnpose bench --node` starts; it prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu, JointState

from sspinnpose_ros.bags.message_template import STAMP_SENTINEL, MessageTemplate, placeholder
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.ros.conversions import blank_imu
from sspinnpose_ros.ros.executor import make_executor

PATIENCE_S = 30.0
WARM_UP_S = 3.0
TAIL_S = 0.5
"""Time given to the last estimates, s."""

GRID_HZ = 100.0
STRIDES_PER_S = 0.9
TICK_NS = 100_000
"""Stamps that differ by less than half of this are the same."""

CLOCK_TICKS_PER_S = os.sysconf('SC_CLK_TCK')


class LatencyProbe(Node):
    """Send samples and note when the estimate of each stamp comes back."""

    def __init__(self) -> None:
        """Find the topics of the estimator."""
        super().__init__('latency_probe')
        self.executor_ = make_executor('events')
        self.executor_.add_node(self)
        self._inputs = [
            self.create_publisher(Imu, f'imu/{sensor}/data_raw', qos_profile_sensor_data)
            for sensor in SENSORS
        ]
        self._templates = [_template(sensor) for sensor in SENSORS]
        self.heard_ns: dict[int, int] = {}
        self.diagnostics: dict[str, dict[str, str]] = {}
        self.create_subscription(
            JointState,
            'human/joint_states',
            self._on_joint_states,
            QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE),
            raw=True,
        )
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    def _on_joint_states(self, raw: bytes) -> None:
        now = time.monotonic_ns()
        seconds, nanoseconds = np.frombuffer(raw, '<u4', count=2, offset=4).tolist()
        self.heard_ns[_tick(seconds * 1_000_000_000 + nanoseconds)] = now

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name.split(': ')[-1]] = {
                pair.key: pair.value for pair in status.values
            }

    def wait_until_heard(self) -> bool:
        """Return whether somebody listens to every sensor within `PATIENCE_S`."""
        end = time.monotonic() + PATIENCE_S
        while any(each.get_subscription_count() < 1 for each in self._inputs):
            if time.monotonic() > end:
                return False
            self.executor_.spin_once(timeout_sec=0.05)
        self.spin_until(time.monotonic() + 0.5)
        return True

    def spin_until(self, end: float) -> None:
        """Take messages until `time.monotonic()` is `end`."""
        while (left := end - time.monotonic()) > 0.0:
            self.executor_.spin_once(timeout_sec=left)

    def play(self, *, rate_hz: float, seconds: float) -> dict[int, int]:
        """Send all sensors at a rate, stamped alike.

        Returns:
            For each stamp when the last of its messages was handed over, ns.

        """
        sent: dict[int, int] = {}
        count = round(rate_hz * seconds)
        samples = _samples(np.arange(count) / rate_hz)
        begin, begin_ns = time.monotonic(), self.get_clock().now().nanoseconds
        for index in range(count):
            self.spin_until(begin + index / rate_hz)
            stamp_ns = begin_ns + round(1e9 * index / rate_hz)
            raw = [
                template.fill_one(stamp_ns=stamp_ns, values=sample)
                for template, sample in zip(self._templates, samples[:, index], strict=True)
            ]
            for publisher, message in zip(self._inputs, raw, strict=True):
                # What comes back may be faster than the return of the last call.
                sent[_tick(stamp_ns)] = time.monotonic_ns()
                publisher.publish(message)
        self.spin_until(time.monotonic() + TAIL_S)
        return sent


def _tick(stamp_ns: int) -> int:
    return round(stamp_ns / TICK_NS)


def _template(sensor: str) -> MessageTemplate:
    message = blank_imu(sensor)
    message.header.stamp.sec, message.header.stamp.nanosec = STAMP_SENTINEL
    force, rate = message.linear_acceleration, message.angular_velocity
    force.x, force.y, force.z, rate.x, rate.y, rate.z = map(placeholder, range(6))
    return MessageTemplate(serialize_message(message), values=6)


def _samples(time_s: np.ndarray) -> np.ndarray:
    """Return (7, T, 6) of sensors that swing like a walker's, x forward, y up, z right."""
    phase = 2.0 * np.pi * STRIDES_PER_S * time_s + np.arange(len(SENSORS))[:, None]
    angle, rate = 0.3 * np.sin(phase), 0.6 * np.pi * STRIDES_PER_S * np.cos(phase)
    still = np.zeros_like(phase)
    noise = np.random.default_rng(0).normal(scale=0.02, size=(*phase.shape, 6))
    swing = [GRAVITY * np.sin(angle), GRAVITY * np.cos(angle), still, still, still, rate]
    return np.asarray(np.stack(swing, -1) + noise)


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process so far, s."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_S


def measure(
    probe: LatencyProbe, *, rate_hz: float, seconds: float, wait_s: float, pid: int
) -> dict[str, Any]:
    """Play at a rate and sum up what came back.

    Args:
        probe: that plays.
        rate_hz: of every sensor, Hz.
        seconds: how long to play, s.
        wait_s: how far beyond an estimate's stamp the node is set to wait for samples, s.
        pid: of the estimator.

    Returns:
        `latency_ms`, from the hand-over of the last message that an estimate waited for to its
        joint states, in order of time; `expected` and `lost` estimates; `sent_samples` and
        `lost_samples`; `cpu_share` of the estimator in cores; and `inside`, what the estimator
        says of itself.

    """
    received = sum(_received(probe))
    cpu, begin = _cpu_s(pid), time.monotonic()
    sent = probe.play(rate_hz=rate_hz, seconds=seconds)
    cpu_share = (_cpu_s(pid) - cpu) / (time.monotonic() - begin)
    probe.spin_until(time.monotonic() + 1.5)
    stamps = np.array(sorted(sent))
    last_needed = np.searchsorted(stamps, stamps + wait_s * 1e9 / TICK_NS - 0.5)
    answered = [
        (stamp, int(stamps[row]))
        for stamp, row in zip(stamps.tolist(), last_needed.tolist(), strict=True)
        if stamp in probe.heard_ns and row < len(stamps)
    ]
    latency = [1e-6 * (probe.heard_ns[stamp] - sent[needed]) for stamp, needed in answered]
    first, last = int(stamps[0]), int(stamps[-1]) - round(wait_s * 1e9 / TICK_NS)
    expected = math.floor((last - first) * TICK_NS * 1e-9 * GRID_HZ + 0.01) + 1
    return {
        'rate_hz': rate_hz,
        'latency_ms': latency,
        'expected': expected,
        'lost': expected - len(answered),
        'sent_samples': len(sent) * len(SENSORS),
        'lost_samples': len(sent) * len(SENSORS) - (sum(_received(probe)) - received),
        'cpu_share': cpu_share,
        'inside': probe.diagnostics.get('estimator', {}),
    }


def _received(probe: LatencyProbe) -> list[int]:
    rows = (probe.diagnostics.get(f'imu {sensor}', {}) for sensor in SENSORS)
    return [int(row.get('received', '0')) for row in rows]


def main() -> int:
    """Measure at each rate in turn and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--pid', type=int, required=True, help='of the estimator')
    parser.add_argument('--seconds', type=float, default=20.0, help='of each rate')
    parser.add_argument('--rate', type=float, action='append', required=True, help='Hz')
    parser.add_argument('--wait', type=float, default=0.0, help='that the node is set to [s]')
    options = parser.parse_args()
    rclpy.init()
    try:
        probe = LatencyProbe()
        if not probe.wait_until_heard():
            sys.stderr.write('No estimator listens, expected one in this domain.\n')
            return 1
        probe.play(rate_hz=options.rate[0], seconds=WARM_UP_S)
        probe.spin_until(time.monotonic() + 1.5)
        for rate_hz in options.rate:
            found = measure(
                probe,
                rate_hz=rate_hz,
                seconds=options.seconds,
                wait_s=options.wait,
                pid=options.pid,
            )
            sys.stdout.write(json.dumps(found) + '\n')
            sys.stdout.flush()
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
