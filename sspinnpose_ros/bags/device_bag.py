# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read what torque a worn device applied from the sensor_msgs/JointState of a recording."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rosbags.typesys import get_typestore

from sspinnpose_ros.bags.imu_bag import ImuBag
from sspinnpose_ros.bags.imu_bag_writer import TYPES
from sspinnpose_ros.core.conventions import JOINTS
from sspinnpose_ros.core.device_torque import DeviceTorque, DeviceTorqueConfig
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.pipeline import Outcome

KIND = 'sensor_msgs/msg/JointState'
DEFAULT_TOPIC = '/exo/joint_states'


@dataclass(frozen=True)
class DeviceJoint:
    """Say how the device calls a joint, and what turns its effort into our torque.

    Attributes:
        name: in the device's messages.
        factor: torque along our joint divided by the device's effort.

    """

    name: str
    factor: float = 1.0


@dataclass(frozen=True)
class DeviceTopic:
    """Say where the device speaks, and of which joints.

    Attributes:
        topic: of the recording.
        joints: by our names, in the order of `conventions.JOINTS`.

    """

    topic: str
    joints: Mapping[str, DeviceJoint]


@dataclass(frozen=True)
class DeviceSample:
    """Hold the torques of one message.

    Attributes:
        logged_s: when it was recorded, s since the bag's first IMU stamp.
        stamp_s: its header stamp, on the same scale.
        torque: N m along the joint, by joint.

    """

    logged_s: float
    stamp_s: float
    torque: dict[str, float]


def find_device(
    bag: ImuBag, *, topic: str | None = None, joints: Mapping[str, DeviceJoint] | None = None
) -> DeviceTopic | None:
    """Find the device of a recording.

    Args:
        bag: the open recording.
        topic: where the device speaks; by default the one topic that ends in exo/joint_states.
        joints: those that it drives; by default all of ours that its messages name.

    Returns:
        The device; None where nobody asked for one and there is none.

    Raises:
        RecordingError: where one was asked for and is not there, and for several topics or
            joints that are never named.

    """
    kinds = bag.topic_kinds
    asked = topic is not None or bool(joints)
    if topic is None:
        ending = re.compile(r'(?:.*/)?exo/joint_states')
        found = sorted(name for name in kinds if ending.fullmatch(name) and kinds[name] == KIND)
        if len(found) > 1:
            raise RecordingError(
                f'{bag.path} holds {", ".join(found)}, expected one topic of a device; name it '
                'with --exo-topic TOPIC.'
            )
        topic = found[0] if found else DEFAULT_TOPIC
    if kinds.get(topic) != KIND:
        if not asked:
            return None
        others = sorted(name for name, kind in kinds.items() if kind == KIND)
        raise RecordingError(
            f'{bag.path} holds no {KIND} on {topic} (such topics there: '
            f'{", ".join(others) or "none"}), expected the torques of the device; name its topic '
            'with --exo-topic.'
        )
    named = {name for names in _names(bag, topic) for name in names}
    if joints:
        lost = [each.name for each in joints.values() if each.name not in named]
        if lost:
            raise RecordingError(
                f'{topic} in {bag.path} names {", ".join(sorted(named)) or "no joint"}, expected '
                f'{lost[0]} too; correct --exo-joint.'
            )
        chosen = {joint: joints[joint] for joint in JOINTS if joint in joints}
    else:
        chosen = {joint: DeviceJoint(joint) for joint in JOINTS if joint in named}
    if not chosen:
        raise RecordingError(
            f'{topic} in {bag.path} names {", ".join(sorted(named)) or "no joint"}, expected some '
            f'of {", ".join(JOINTS)}; say which is which with --exo-joint JOINT=NAME, or leave '
            'the device out with --no-exo.'
        )
    return DeviceTopic(topic=topic, joints=chosen)


def device_samples(bag: ImuBag, device: DeviceTopic) -> Iterator[DeviceSample]:
    """Yield the torques in the order in which they were recorded.

    Args:
        bag: the open recording.
        device: as found.

    Yields:
        One message's torques of the device's joints, where it has any.

    Raises:
        RecordingError: for a message whose efforts do not belong to its names, for torques that
            are not numbers, and for damaged files.

    """
    joint_of = {each.name: (joint, each.factor) for joint, each in device.joints.items()}
    for logged_ns, message in _messages(bag, device.topic):
        if len(message.effort) != len(message.name):
            raise RecordingError(
                f'{device.topic} in {bag.path} holds {len(message.effort)} efforts for '
                f'{len(message.name)} joints, expected one each; record the torques that the '
                'device applies, or leave it out with --no-exo.'
            )
        stamp = message.header.stamp
        torque = {}
        for name, effort in zip(message.name, message.effort, strict=True):
            if name in joint_of:
                joint, factor = joint_of[name]
                torque[joint] = factor * float(effort)
        if not np.isfinite(list(torque.values())).all():
            raise RecordingError(
                f'{device.topic} in {bag.path} holds torques that are NaN or infinite, expected '
                'N m; check the driver of the device, or leave it out with --no-exo.'
            )
        if torque:
            yield DeviceSample(
                logged_s=1e-9 * (logged_ns - bag.origin_ns),
                stamp_s=1e-9 * (int(stamp.sec) * 10**9 + int(stamp.nanosec) - bag.origin_ns),
                torque=torque,
            )


def _names(bag: ImuBag, topic: str) -> set[tuple[str, ...]]:
    return {tuple(message.name) for _, message in _messages(bag, topic)}


def _messages(bag: ImuBag, topic: str) -> Iterator[tuple[int, Any]]:
    store = get_typestore(TYPES)
    for logged_ns, raw in bag.raw_messages(topic):
        try:
            message = store.deserialize_cdr(raw, KIND)
        except Exception:
            raise RecordingError(
                f'{topic} in {bag.path} holds bytes that are no {KIND}, expected plain CDR; '
                'record the topic again, or leave the device out with --no-exo.'
            ) from None
        yield logged_ns, message


class DevicePlayback:
    """Take a recorded device's torques off estimates, as the live node does."""

    def __init__(self, bag: ImuBag, device: DeviceTopic) -> None:
        """Begin before the first message."""
        self._samples = device_samples(bag, device)
        self._next = next(self._samples, None)
        self._torque = DeviceTorque(config=DeviceTorqueConfig(joints=tuple(device.joints)))
        self.unknown = 0
        """Estimates so far at which a torque was not known."""

    def hear(self, until_s: float) -> None:
        """Take what was recorded up to this time, s since the first IMU stamp.

        Raises:
            RecordingError: as for `device_samples`.
            DeviceError: for torques in another unit.

        """
        while self._next is not None and self._next.logged_s <= until_s:
            self._torque.push(stamp_s=self._next.stamp_s, torque=self._next.torque)
            self._next = next(self._samples, None)

    def share(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the person's own share, as `DeviceTorque.share`."""
        shared = self._torque.share(outcome)
        self.unknown += shared.status is not outcome.status
        return shared
