# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Listen to a live node and print what the page of `sspinnpose view` draws.

A program of its own, which `sspinnpose view` starts. Every line is a kind, a space and JSON:
`robot`, `rows` (of `view_rows.COLUMNS`), `status` and `diagnostics`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import WrenchStamped
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from sspinnpose_ros.core.conventions import JOINTS, SEGMENTS, SENSORS, SIDES
from sspinnpose_ros.core.errors import UserError
from sspinnpose_ros.core.urdf import DescribedBody, described_body
from sspinnpose_ros.evaluation import view_scene
from sspinnpose_ros.evaluation.live_rows import Instant, live_row
from sspinnpose_ros.ros.conversions import TFMessage, stamp_ns
from sspinnpose_ros.ros.executor import make_executor

STREAM = QoSProfile(depth=200)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LATCHED_OF_ALL = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)

EVERY_S = 0.033
WAIT_NS = 100_000_000
"""How long the parts of an instant are waited for once a newer one is whole."""

MOST_INSTANTS = 200
SECOND_NS = 1_000_000_000


class ViewListener(Node):
    """Put together what the topics of one wearer say of the same stamp."""

    def __init__(self) -> None:
        """Listen to the topics in the namespace of this node."""
        super().__init__('sspinnpose_view')
        self.events: list[tuple[str, Any]] = []
        self._instants: dict[int, Instant] = defaultdict(Instant)
        self._origin_ns: int | None = None
        self._urdf = ''
        self._body: DescribedBody | None = None
        self._places: dict[str, tuple[str, list[float]]] = {}
        self._fixed: dict[str, tuple[str, list[float]]] = {}
        self._residual: dict[str, tuple[float, float]] = {}
        self._missing: set[str] = set()
        self.create_subscription(JointState, 'human/joint_states', self._on_joints, STREAM)
        self.create_subscription(JointState, 'human/uncertainty', self._on_sigmas, STREAM)
        for side in SIDES:
            self.create_subscription(
                WrenchStamped,
                f'human/wrench/foot_{side}',
                lambda message, side=side: self._on_wrench(side, message),
                STREAM,
            )
        self.create_subscription(DiagnosticStatus, 'human/status', self._on_status, STREAM)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, STREAM)
        self.create_subscription(String, 'robot_description', self._on_robot, LATCHED)
        if TFMessage is not None:
            self.create_subscription(TFMessage, '/tf', self._on_tf, STREAM)
            self.create_subscription(TFMessage, '/tf_static', self._on_tf_static, LATCHED_OF_ALL)

    def _on_joints(self, message: JointState) -> None:
        if tuple(message.name) == JOINTS and len(message.position) == len(message.effort) == 6:
            instant = self._instants[stamp_ns(message.header.stamp)]
            instant.angle, instant.moment = np.array(message.position), np.array(message.effort)

    def _on_sigmas(self, message: JointState) -> None:
        if tuple(message.name) == JOINTS and len(message.position) == len(message.effort) == 6:
            instant = self._instants[stamp_ns(message.header.stamp)]
            instant.angle_sigma = np.array(message.position)
            instant.moment_sigma = np.array(message.effort)

    def _on_wrench(self, side: str, message: WrenchStamped) -> None:
        force, torque = message.wrench.force, message.wrench.torque
        wrench = np.array([force.x, force.z, torque.y])
        self._instants[stamp_ns(message.header.stamp)].sole_wrench[side] = wrench

    def _on_status(self, message: DiagnosticStatus) -> None:
        values = {each.key: each.value for each in message.values}
        level = message.level[0]
        self._missing = set(values.get('missing', '').split())
        self.events.append(
            ('status', {'level': level, 'message': message.message, 'age_ms': _age(values)})
        )
        seconds, _, nanoseconds = values.get('stamp', '').partition('.')
        if level in (0, 1) and seconds.isdigit() and nanoseconds.isdigit():
            instant = self._instants[int(seconds) * SECOND_NS + int(nanoseconds)]
            instant.level, instant.latency_ms = level, _age(values)

    def _on_tf(self, message: Any) -> None:
        if self._body is None:
            return
        pelvis = self._body.frame_prefix + SEGMENTS[0]
        for each in message.transforms:
            if each.child_frame_id == pelvis:
                place, turn = each.transform.translation, each.transform.rotation
                tilt = -2.0 * math.atan2(turn.y, turn.w)
                instant = self._instants[stamp_ns(each.header.stamp)]
                instant.pelvis = np.array([place.x, place.z, tilt])

    def _on_tf_static(self, message: Any) -> None:
        for each in message.transforms:
            place = each.transform.translation
            self._fixed[each.child_frame_id] = (
                each.header.frame_id,
                [place.x, place.y, place.z],
            )
        self._place_sensors()

    def _on_robot(self, message: String) -> None:
        try:
            body = described_body(message.data)
        except UserError:
            return
        self._body, self._urdf = body, message.data
        self._places = {}
        self._place_sensors(always=True)

    def _place_sensors(self, *, always: bool = False) -> None:
        """Tell the page where the sensors of this wearer sit, where that is news."""
        if self._body is None:
            return
        prefix = self._body.frame_prefix
        places = {
            name: (link.removeprefix(prefix), xyz)
            for name in SENSORS
            if (found := self._fixed.get(f'{prefix}imu_{name}')) is not None
            for link, xyz in (found,)
        }
        if always or places != self._places:
            self._places = places
            self.events.append(('robot', view_scene.robot(urdf=self._urdf, sensors=places)))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        mine = self.get_namespace().strip('/')
        found: dict[str, Any] = {}
        for status in message.status:
            node, _, what = status.name.rpartition(': ')
            if node.rpartition('/')[0] != mine:
                continue
            values = {each.key: each.value for each in status.values}
            if what == 'estimator':
                found |= {
                    key: _number(values.get(key, ''))
                    for key in ('rate_hz', 'latency_p50_ms', 'latency_p99_ms', 'latency_max_ms')
                }
                found['compute_p50_ms'] = _number(values.get('compute_p50_ms', ''))
                found['skipped_frames'] = _number(values.get('skipped_frames', ''))
            elif (sensor := what.removeprefix('imu ')) in SENSORS:
                numbers = ('rate_hz', 'jitter_ms', 'age_ms', 'dropped')
                found.setdefault('sensors', {})[sensor] = {
                    'level': status.level[0],
                    'message': status.message,
                    **{key: _number(values.get(key, '')) for key in numbers},
                }
                force, rate = (
                    _number(values.get(key, '')) for key in ('residual_force', 'residual_rate')
                )
                self._residual[sensor] = (
                    math.nan if force is None else force,
                    math.nan if rate is None else rate,
                )
        if found:
            self.events.append(('diagnostics', found))

    def take(self) -> list[tuple[str, Any]]:
        """Return what is new, as pairs of a kind and what JSON can hold."""
        events, self.events = self.events, []
        # Of the verdicts of a tick the last one counts.
        last = {kind: row for row, (kind, _) in enumerate(events)}
        events = [each for row, each in enumerate(events) if last[each[0]] == row]
        rows = self._rows()
        if rows:
            events.append(('rows', rows))
        return events

    def _rows(self) -> list[list[float | None]]:
        if self._body is None:
            self._instants.clear()
            return []
        newest = max((ns for ns, each in self._instants.items() if each.whole), default=None)
        if newest is None:
            return []
        rows = []
        residual = {
            name: pair for name, pair in self._residual.items() if name not in self._missing
        }
        for stamp in sorted(self._instants):
            instant = self._instants[stamp]
            # An instant with a frame that is still under way is worth waiting a tick for.
            ready = instant.whole and (instant.pelvis is not None or stamp < newest)
            if not ready and stamp > newest - WAIT_NS:
                continue
            del self._instants[stamp]
            if instant.angle is not None:
                # Stamps since 1970 would be too long for the numbers of the page.
                self._origin_ns = stamp if self._origin_ns is None else self._origin_ns
                time_s = 1e-9 * (stamp - self._origin_ns)
                row = live_row(instant, time_s=time_s, body=self._body, residual=residual)
                rows.append(view_scene.row_list(row))
        for stamp in sorted(self._instants)[:-MOST_INSTANTS]:
            del self._instants[stamp]
        return rows


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _age(values: Mapping[str, str]) -> float | None:
    return _number(values.get('age_ms', ''))


def main() -> int:
    """Print lines until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args(remove_ros_args(sys.argv)[1:])
    rclpy.init()
    try:
        node = ViewListener()
        executor = make_executor('events')
        executor.add_node(node)
        due = time.monotonic()
        while rclpy.ok():
            executor.spin_once(timeout_sec=0.01)
            if time.monotonic() < due:
                continue
            due = time.monotonic() + EVERY_S
            for kind, content in node.take():
                print(kind, json.dumps(content, allow_nan=False), flush=True)
    except (KeyboardInterrupt, ExternalShutdownException, BrokenPipeError):
        pass
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
