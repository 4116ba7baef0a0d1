# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write estimates into the bytes of ROS messages.

Publishing bytes that are serialised already costs a third of publishing message objects
(docs/performance.md); each class makes one message with rclpy and then only fills its numbers in.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped, WrenchStamped
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu, JointState

from sspinnpose_ros.bags.message_template import STAMP_SENTINEL, MessageTemplate, placeholder
from sspinnpose_ros.core.conventions import JOINTS, SEGMENTS, SIDES
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.skeleton import FramePose, half_turns

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None


def set_stamp(stamp: Time, nanoseconds: int) -> None:
    """Write a time in ns into a message's stamp."""
    stamp.sec, stamp.nanosec = divmod(nanoseconds, 1_000_000_000)


def stamp_ns(stamp: Time) -> int:
    """Return a message's stamp in ns."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def blank_imu(sensor: str) -> Imu:
    """Return a message of a sensor's frame that declares its orientation absent (REP-145)."""
    message = Imu()
    message.header.frame_id = f'imu_{sensor}'
    message.orientation_covariance[0] = -1.0
    return message


def _template(message: Any, *, values: int) -> MessageTemplate:
    return MessageTemplate(serialize_message(message), values=values)


def _mark(stamp: Time) -> None:
    stamp.sec, stamp.nanosec = STAMP_SENTINEL


class JointStateMessage:
    """Own the message of human/joint_states."""

    def __init__(self) -> None:
        """Name all six joints; the frame stays empty, as joints are in none."""
        message = JointState(name=list(JOINTS))
        _mark(message.header.stamp)
        places = [placeholder(index) for index in range(3 * len(JOINTS))]
        joints = len(JOINTS)
        message.position = places[:joints]
        message.velocity = places[joints : 2 * joints]
        message.effort = places[2 * joints :]
        self._template = _template(message, values=len(places))

    def serialize(self, estimate: Estimate, stamp_ns: int) -> bytes:
        """Write an estimate: angles (rad), velocities (rad/s) and moments (N m)."""
        values = np.concatenate((estimate.q[3:], estimate.qd[3:], estimate.effort))
        return self._template.fill_one(stamp_ns=stamp_ns, values=values)


class WrenchMessages:
    """Own the messages of human/wrench/foot_r and human/wrench/foot_l."""

    def __init__(self, *, frame_prefix: str) -> None:
        """Put the wrenches in and about `sole_r` and `sole_l`."""
        self._templates = []
        for side in SIDES:
            message = WrenchStamped()
            _mark(message.header.stamp)
            message.header.frame_id = f'{frame_prefix}sole_{side}'
            wrench = message.wrench
            wrench.force.x, wrench.force.z, wrench.torque.y = map(placeholder, range(3))
            self._templates.append(_template(message, values=3))

    def serialize(self, estimate: Estimate, stamp_ns: int) -> list[bytes]:
        """Write the ground reaction on the person, right then left."""
        return [
            template.fill_one(stamp_ns=stamp_ns, values=row)
            for template, row in zip(self._templates, estimate.sole_wrench, strict=True)
        ]


class UncertaintyMessage:
    """Own the message of human/uncertainty."""

    def __init__(self) -> None:
        """Name all six joints; the frame and the velocities stay empty."""
        message = JointState(name=list(JOINTS))
        _mark(message.header.stamp)
        places = [placeholder(index) for index in range(2 * len(JOINTS))]
        message.position, message.effort = places[: len(JOINTS)], places[len(JOINTS) :]
        raw = serialize_message(message)
        # For the empty list, rclpy sets bytes aside that it never writes.
        end = raw.index(struct.pack('<d', places[-1])) + 8
        self._template = MessageTemplate(raw[:end], values=len(places))

    def serialize(self, estimate: Estimate, stamp_ns: int) -> bytes:
        """Write one sigma of angles (rad) and moments (N m)."""
        values = np.concatenate((estimate.angle_sigma, estimate.effort_sigma))
        return self._template.fill_one(stamp_ns=stamp_ns, values=values)


class WrenchSigmaMessages:
    """Own the messages of human/wrench_sigma/foot_r and human/wrench_sigma/foot_l.

    What has no sigma is NaN, since zero would say that it is certain.
    """

    def __init__(self, *, world_frame: str) -> None:
        """Put the sigmas along the axes of the world."""
        message = WrenchStamped()
        _mark(message.header.stamp)
        message.header.frame_id = world_frame
        force, torque = message.wrench.force, message.wrench.torque
        force.x, force.y, force.z = placeholder(0), math.nan, placeholder(1)
        torque.x = torque.y = torque.z = math.nan
        self._template = _template(message, values=2)

    def serialize(self, estimate: Estimate, stamp_ns: int) -> list[bytes]:
        """Write one sigma of the ground reaction (N), right then left."""
        return [
            self._template.fill_one(stamp_ns=stamp_ns, values=row)
            for row in estimate.ground_force_sigma
        ]


class SkeletonMessage:
    """Own the message of /tf: `world_frame` to the pelvis, and the joints unless left out."""

    def __init__(
        self,
        *,
        resting: Sequence[FramePose],
        world_frame: str,
        frame_prefix: str,
        with_joints: bool,
    ) -> None:
        """Take the segments in their parents at upright standing, in the order of SEGMENTS."""
        self._count = count = len(SEGMENTS) if with_joints else 1
        transforms = [
            transform_message(pose, frame_prefix=frame_prefix) for pose in resting[:count]
        ]
        transforms[0].header.frame_id = world_frame
        pelvis = transforms[0].transform.translation
        pelvis.x, pelvis.z = placeholder(0), placeholder(1)
        for row, transform in enumerate(transforms):
            _mark(transform.header.stamp)
            rotation = transform.transform.rotation
            rotation.y, rotation.w = placeholder(2 + row), placeholder(2 + count + row)
        self._template = _template(TFMessage(transforms=transforms), values=2 + 2 * count)

    def serialize(self, estimate: Estimate, stamp_ns: int) -> bytes:
        """Write where the pelvis is and how far every joint is turned."""
        y, w = half_turns(estimate.q)
        values = np.concatenate((estimate.q[:2], y[: self._count], w[: self._count]))
        return self._template.fill_one(stamp_ns=stamp_ns, values=values)


def transform_message(pose: FramePose, *, frame_prefix: str) -> TransformStamped:
    """Turn a pose into a message without a stamp."""
    message = TransformStamped()
    message.header.frame_id = frame_prefix + pose.parent
    message.child_frame_id = frame_prefix + pose.child
    translation, rotation = message.transform.translation, message.transform.rotation
    translation.x, translation.y, translation.z = pose.translation.tolist()
    rotation.x, rotation.y, rotation.z, rotation.w = pose.rotation_xyzw.tolist()
    return message


def static_message(poses: Sequence[FramePose], *, frame_prefix: str, stamp_ns: int) -> Any:
    """Return the message of /tf_static."""
    transforms = [transform_message(pose, frame_prefix=frame_prefix) for pose in poses]
    for transform in transforms:
        set_stamp(transform.header.stamp, stamp_ns)
    return TFMessage(transforms=transforms)
