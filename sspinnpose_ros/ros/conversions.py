"""Fill ROS messages from estimates, reusing each message object."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped, WrenchStamped
from sensor_msgs.msg import JointState

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


class JointStateMessage:
    """Own the message of human/joint_states."""

    def __init__(self) -> None:
        """Name all six joints; the frame stays empty, as joints are in none."""
        self.message = JointState(name=list(JOINTS))

    def fill(self, estimate: Estimate, stamp_ns: int) -> JointState:
        """Write an estimate: angles (rad), velocities (rad/s) and moments (N m)."""
        message = self.message
        set_stamp(message.header.stamp, stamp_ns)
        message.position = array('d', estimate.q[3:].tobytes())
        message.velocity = array('d', estimate.qd[3:].tobytes())
        message.effort = array('d', estimate.effort.tobytes())
        return message


class WrenchMessages:
    """Own the messages of human/wrench/foot_r and human/wrench/foot_l."""

    def __init__(self, *, frame_prefix: str) -> None:
        """Put the wrenches in and about `sole_r` and `sole_l`."""
        self.messages = [WrenchStamped() for _ in SIDES]
        for side, message in zip(SIDES, self.messages, strict=True):
            message.header.frame_id = f'{frame_prefix}sole_{side}'

    def fill(self, estimate: Estimate, stamp_ns: int) -> Sequence[WrenchStamped]:
        """Write the ground reaction on the person, right then left."""
        for message, row in zip(self.messages, estimate.sole_wrench.tolist(), strict=True):
            set_stamp(message.header.stamp, stamp_ns)
            message.wrench.force.x, message.wrench.force.z, message.wrench.torque.y = row
        return self.messages


class UncertaintyMessage:
    """Own the message of human/uncertainty."""

    def __init__(self) -> None:
        """Name all six joints; the frame and the velocities stay empty."""
        self.message = JointState(name=list(JOINTS))

    def fill(self, estimate: Estimate, stamp_ns: int) -> JointState:
        """Write one sigma of angles (rad) and moments (N m)."""
        message = self.message
        set_stamp(message.header.stamp, stamp_ns)
        message.position = array('d', estimate.angle_sigma.tobytes())
        message.effort = array('d', estimate.effort_sigma.tobytes())
        return message


class WrenchSigmaMessages:
    """Own the messages of human/wrench_sigma/foot_r and human/wrench_sigma/foot_l.

    What has no sigma is NaN, since zero would say that it is certain.
    """

    def __init__(self, *, world_frame: str) -> None:
        """Put the sigmas along the axes of the world."""
        self.messages = [WrenchStamped() for _ in SIDES]
        for message in self.messages:
            message.header.frame_id = world_frame
            message.wrench.force.y = math.nan
            torque = message.wrench.torque
            torque.x = torque.y = torque.z = math.nan

    def fill(self, estimate: Estimate, stamp_ns: int) -> Sequence[WrenchStamped]:
        """Write one sigma of the ground reaction (N), right then left."""
        for message, row in zip(self.messages, estimate.ground_force_sigma.tolist(), strict=True):
            set_stamp(message.header.stamp, stamp_ns)
            message.wrench.force.x, message.wrench.force.z = row
        return self.messages


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
        self._transforms = [
            transform_message(pose, frame_prefix=frame_prefix)
            for pose in resting[: len(SEGMENTS) if with_joints else 1]
        ]
        self._transforms[0].header.frame_id = world_frame
        self.message = TFMessage(transforms=self._transforms)
        self._transforms = self.message.transforms
        self._stamp = Time()
        for transform in self._transforms:
            transform.header.stamp = self._stamp

    def fill(self, estimate: Estimate, stamp_ns: int) -> Any:
        """Write where the pelvis is and how far every joint is turned."""
        set_stamp(self._stamp, stamp_ns)
        turned, kept = half_turns(estimate.q)
        pelvis = self._transforms[0].transform.translation
        pelvis.x, pelvis.z = estimate.q[:2].tolist()
        for transform, y, w in zip(self._transforms, turned.tolist(), kept.tolist(), strict=False):
            rotation = transform.transform.rotation
            rotation.y, rotation.w = y, w
        return self.message


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
