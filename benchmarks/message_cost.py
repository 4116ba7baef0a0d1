# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Print what it costs to read and to publish messages, as objects and as bytes.

Run it with the node's packages at hand (`make setup`); a subscriber in the same process listens.
"""

from __future__ import annotations

import os

os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
os.environ.setdefault('ROS_DOMAIN_ID', '99')

import time
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import WrenchStamped
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Imu, JointState

from sspinnpose_ros.bags.status_cdr import StatusCdr
from sspinnpose_ros.core.body import body_from_anthropometry
from sspinnpose_ros.core.conventions import JOINTS, SENSORS
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.skeleton import half_turns, resting_poses
from sspinnpose_ros.ros.conversions import (
    JointStateMessage,
    SkeletonMessage,
    TFMessage,
    WrenchMessages,
    set_stamp,
    transform_message,
)
from sspinnpose_ros.ros.imu_message import read_imu

ROUNDS, CALLS = 25, 100
STAMP_NS = 1_700_000_000_123_456_789


def fastest_us(function: Callable[[], object]) -> float:
    """Return the time of a call in the fastest of many rounds, us."""
    best = float('inf')
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(CALLS):
            function()
        best = min(best, (time.perf_counter() - begin) / CALLS)
    return 1e6 * best


def an_estimate() -> Estimate:
    """Return an estimate with something in every field."""
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        'q': (9,),
        'qd': (9,),
        'qdd': (9,),
        'effort': (6,),
        'contact_force': (2, 2, 2),
        'ground_force': (2, 2),
        'cop_forward': (2,),
        'sole_wrench': (2, 3),
        'pelvis_residual': (3,),
        'virtual_imu': (7, 3),
        'residual': (7, 3),
    }
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return Estimate(time_s=0.0, present=np.ones(7, bool), **arrays)


def main() -> None:
    """Measure and print a table."""
    rclpy.init()
    node = rclpy.create_node('message_cost')
    estimate = an_estimate()
    rows: list[tuple[str, float, float]] = []

    def publisher(kind: Any) -> Any:
        topic = f'cost/{kind.__name__.lower()}'
        node.create_subscription(kind, topic, lambda raw: None, QoSProfile(depth=1), raw=True)
        return node.create_publisher(kind, topic, QoSProfile(depth=1))

    raw = serialize_message(Imu())
    rows.append(
        (
            'read sensor_msgs/Imu',
            fastest_us(lambda: deserialize_message(raw, Imu)),
            fastest_us(lambda: read_imu(raw)),
        )
    )

    joints, states = publisher(JointState), JointState(name=list(JOINTS))

    def publish_joints() -> None:
        set_stamp(states.header.stamp, STAMP_NS)
        states.position = array('d', estimate.q[3:].tobytes())
        states.velocity = array('d', estimate.qd[3:].tobytes())
        states.effort = array('d', estimate.effort.tobytes())
        joints.publish(states)

    filled = JointStateMessage()
    rows.append(
        (
            'publish JointState',
            fastest_us(publish_joints),
            fastest_us(lambda: joints.publish(filled.serialize(estimate, STAMP_NS))),
        )
    )

    wrenches, wrench = publisher(WrenchStamped), WrenchStamped()

    def publish_wrenches() -> None:
        for row in estimate.sole_wrench.tolist():
            set_stamp(wrench.header.stamp, STAMP_NS)
            wrench.wrench.force.x, wrench.wrench.force.z, wrench.wrench.torque.y = row
            wrenches.publish(wrench)

    feet = WrenchMessages(frame_prefix='')

    def publish_wrench_bytes() -> None:
        for message in feet.serialize(estimate, STAMP_NS):
            wrenches.publish(message)

    rows.append(
        (
            'publish WrenchStamped, both feet',
            fastest_us(publish_wrenches),
            fastest_us(publish_wrench_bytes),
        )
    )

    verdicts = publisher(DiagnosticStatus)
    values = [KeyValue(key=f'residual {sensor}') for sensor in SENSORS]
    verdict = DiagnosticStatus(name='human', level=DiagnosticStatus.OK, values=values)
    status = EstimateStatus(Level.OK, 'estimating')

    def publish_verdict() -> None:
        verdict.message = status.message
        for value, row in zip(values, estimate.residual.tolist(), strict=True):
            value.value = '{:.2f} {:.2f} m/s^2 {:.2f} rad/s'.format(*row)
        verdicts.publish(verdict)

    serial = StatusCdr(name='human', hardware_id='', sensors=SENSORS)
    rows.append(
        (
            'publish DiagnosticStatus',
            fastest_us(publish_verdict),
            fastest_us(
                lambda: verdicts.publish(
                    serial.serialize(
                        status, stamp_ns=STAMP_NS, age_s=0.001, residual=estimate.residual
                    )
                )
            ),
        )
    )

    if TFMessage is not None:
        frames = publisher(TFMessage)
        resting = resting_poses(body=body_from_anthropometry(mass_kg=75.0, height_m=1.75))
        moving = TFMessage(transforms=[transform_message(p, frame_prefix='') for p in resting])

        def publish_frames() -> None:
            turned, kept = half_turns(estimate.q)
            for each, y, w in zip(moving.transforms, turned.tolist(), kept.tolist(), strict=True):
                set_stamp(each.header.stamp, STAMP_NS)
                each.transform.rotation.y, each.transform.rotation.w = y, w
            frames.publish(moving)

        skeleton = SkeletonMessage(
            resting=resting, world_frame='odom', frame_prefix='', with_joints=True
        )
        rows.append(
            (
                'publish TFMessage, seven frames',
                fastest_us(publish_frames),
                fastest_us(lambda: frames.publish(skeleton.serialize(estimate, STAMP_NS))),
            )
        )
    print(f'{"one call, us":<34}{"objects":>9}{"bytes":>9}{"ratio":>9}')
    for name, objects, as_bytes in rows:
        print(f'{name:<34}{objects:>9.1f}{as_bytes:>9.1f}{objects / as_bytes:>9.1f}')
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()
