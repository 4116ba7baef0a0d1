# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write estimates as the node publishes them, into a rosbag2 recording.

Markers and /diagnostics are left out: the first repeat what frames and wrenches say, the second
tell of a live node.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_typestore

from sspinnpose_ros.bags.imu_bag_writer import BAG_VERSION, TYPES
from sspinnpose_ros.bags.instant_writer import InstantWriter, equal_records, one_record
from sspinnpose_ros.bags.message_template import STAMP_SENTINEL, MessageTemplate, placeholder
from sspinnpose_ros.bags.status_cdr import S, StatusCdr
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import JOINTS, SEGMENTS, SIDES
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.mounting import Mounting
from sspinnpose_ros.core.pipeline import Outcome
from sspinnpose_ros.core.skeleton import (
    FramePose,
    half_turns,
    resting_poses,
    sensor_poses,
    sole_poses,
)
from sspinnpose_ros.core.urdf import body_urdf

STATUS_NAME, HARDWARE_ID = 'human', ''
"""As the node without a namespace."""

WORLD = 'odom'
BLOCK = 512
"""Outcomes that are serialised together."""

FOREVER = QosTime(2147483647, 4294967295)
LATCHED = Qos(
    history=QosHistory.KEEP_LAST,
    depth=1,
    reliability=QosReliability.RELIABLE,
    durability=QosDurability.TRANSIENT_LOCAL,
    deadline=FOREVER,
    lifespan=FOREVER,
    liveliness=QosLiveliness.AUTOMATIC,
    liveliness_lease_duration=FOREVER,
    avoid_ros_namespace_conventions=False,
)


class ResultBag:
    """Append outcomes to a recording; nothing but fixed memory is kept of them."""

    def __init__(
        self,
        path: Path,
        *,
        body: Body,
        sensor_position_m: np.ndarray,
        mounting: Mounting,
        sensors: Sequence[str],
        origin_ns: int,
        with_sigma: bool,
        with_total: bool = False,
    ) -> None:
        """Make the recording and say what stays: the skeleton and where the sensors sit.

        Args:
            path: the rosbag2 folder to make; it must not exist.
            body: of the wearer.
            sensor_position_m: (7, 3) x forward, y left, z up in the segment frames, m.
            mounting: how the sensors sit.
            sensors: those that the estimates are made of.
            origin_ns: header stamp of time zero, ns.
            with_sigma: whether the estimates have sigmas.
            with_total: whether a device is worn, so that the net moments have a topic of their
                own.

        """
        self._store = get_typestore(TYPES)
        self._origin_ns = origin_ns
        self._verdict = StatusCdr(name=STATUS_NAME, hardware_id=HARDWARE_ID, sensors=sensors)
        self._last_stamp_ns: int | None = None
        self._pending: list[Outcome] = []
        self._totals: list[Outcome] = []
        self._writer = Writer(path, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        fixed = sole_poses(body=body) + sensor_poses(
            position_m=sensor_position_m, mounting=mounting, sensors=sensors
        )
        self._write_latched('/robot_description', 'std_msgs/msg/String', data=body_urdf(body=body))
        self._write_latched(
            '/tf_static',
            'tf2_msgs/msg/TFMessage',
            transforms=[self._fixed(pose) for pose in fixed],
        )
        self._joints = self._connect('/human/joint_states', 'sensor_msgs/msg/JointState')
        self._wrenches = [
            self._connect(f'/human/wrench/foot_{side}', 'geometry_msgs/msg/WrenchStamped')
            for side in SIDES
        ]
        self._total = (
            [self._connect('/human/joint_states_total', 'sensor_msgs/msg/JointState')]
            if with_total
            else []
        )
        self._sigmas = self._sigma_connections() if with_sigma else []
        self._tf = self._connect('/tf', 'tf2_msgs/msg/TFMessage')
        self._status = self._connect('/human/status', 'diagnostic_msgs/msg/DiagnosticStatus')
        self._joint_template = self._joint_state_template()
        self._wrench_templates = [self._wrench_template(side) for side in SIDES]
        self._sigma_template = self._joint_sigma_template()
        self._wrench_sigma_template = self._force_sigma_template()
        self._tf_template = self._skeleton_template(resting_poses(body=body))
        self._instants = InstantWriter(self._writer)

    def append(self, outcome: Outcome, *, total: Outcome | None = None) -> None:
        """Take one outcome; without an estimate only its status is written.

        Args:
            outcome: of one frame.
            total: the same before the torque of a device was taken off, where there is one.

        """
        self._pending.append(outcome)
        if self._total:
            self._totals.append(outcome if total is None else total)
        if len(self._pending) == BLOCK:
            self._write_pending()

    def close(self) -> None:
        """Write what is left and finish the recording."""
        self._write_pending()
        self._writer.close()

    def abort(self) -> None:
        """Close an unfinished recording."""
        self._writer.abort()

    def _write_pending(self) -> None:
        pending, self._pending = self._pending, []
        totals, self._totals = self._totals, []
        estimates = [outcome.estimate for outcome in pending if outcome.estimate is not None]
        size, places, records = 0, [], b''
        if estimates:
            stamp_ns = self._stamp_ns(np.array([e.time_s for e in estimates]))
            tables = []
            for connection, messages in self._messages(estimates, totals, stamp_ns=stamp_ns):
                tables.append(equal_records(connection, time_ns=stamp_ns, messages=messages))
                places.append((connection.id, size))
                size += tables[-1].shape[1]
            records = np.concatenate(tables, axis=1).tobytes()
        at = 0
        times = self._stamp_ns(np.array([outcome.frame.time_s for outcome in pending])).tolist()
        for outcome, time in zip(pending, times, strict=True):
            known = outcome.estimate is not None
            if known:
                self._last_stamp_ns = time
            status = one_record(
                self._status,
                time_ns=time,
                message=self._verdict.serialize(
                    outcome.status,
                    stamp_ns=self._last_stamp_ns,
                    age_s=0.0,  # a recording is not published
                    residual=None if outcome.estimate is None else outcome.estimate.residual,
                ),
            )
            if known:
                together = records[at : at + size] + status
                self._instants.write(time, together, [*places, (self._status.id, size)])
                at += size
            else:
                self._instants.write(time, status, [(self._status.id, 0)])

    def _messages(
        self, estimates: Sequence[Estimate], totals: Sequence[Outcome], *, stamp_ns: np.ndarray
    ) -> list[tuple[Connection, np.ndarray]]:
        """Return the (n, bytes) messages of each topic, in the order in which they are written."""
        q, qd = np.array([e.q for e in estimates]), np.array([e.qd for e in estimates])
        effort = np.array([e.effort for e in estimates])
        wrench = np.array([e.sole_wrench for e in estimates])
        y, w = half_turns(q)
        filled = [
            (
                self._joints,
                self._joint_template,
                np.concatenate([q[:, 3:], qd[:, 3:], effort], -1),
            ),
            *(
                (connection, template, wrench[:, side])
                for side, (connection, template) in enumerate(
                    zip(self._wrenches, self._wrench_templates, strict=True)
                )
            ),
            (self._tf, self._tf_template, np.concatenate([q[:, :2], y, w], -1)),
        ]
        if self._sigmas:
            angle = np.array([e.angle_sigma for e in estimates])
            moment = np.array([e.effort_sigma for e in estimates])
            force = np.array([e.ground_force_sigma for e in estimates])
            joints, *feet = self._sigmas
            filled.append((joints, self._sigma_template, np.concatenate([angle, moment], -1)))
            for side, connection in enumerate(feet):
                filled.append((connection, self._wrench_sigma_template, force[:, side]))
        for connection in self._total:
            net = [outcome.estimate for outcome in totals if outcome.estimate is not None]
            values = np.stack([np.concatenate([e.q[3:], e.qd[3:], e.effort]) for e in net])
            filled.append((connection, self._joint_template, values))
        return [
            (connection, template.fill_table(stamp_ns=stamp_ns, values=values))
            for connection, template, values in filled
        ]

    def _sigma_connections(self) -> list[Connection]:
        return [
            self._connect('/human/uncertainty', 'sensor_msgs/msg/JointState'),
            *(
                self._connect(
                    f'/human/wrench_sigma/foot_{side}', 'geometry_msgs/msg/WrenchStamped'
                )
                for side in SIDES
            ),
        ]

    def _stamp_ns(self, time_s: np.ndarray) -> np.ndarray:
        return np.asarray(self._origin_ns + np.round(time_s * 1e9).astype(np.int64))

    def _connect(self, topic: str, kind: str, *, latched: bool = False) -> Connection:
        return self._writer.add_connection(
            topic,
            kind,
            typestore=self._store,
            offered_qos_profiles=[LATCHED] if latched else [],
        )

    def _write_latched(self, topic: str, kind: str, **fields: Any) -> None:
        message = self._store.types[kind](**fields)
        raw = self._store.serialize_cdr(message, kind)
        self._writer.write(self._connect(topic, kind, latched=True), self._origin_ns, raw)

    def _type(self, name: str) -> Any:
        return self._store.types[name]

    def _header(self, frame_id: str, stamp: tuple[int, int] = STAMP_SENTINEL) -> Any:
        time = self._type('builtin_interfaces/msg/Time')(*stamp)
        return self._type('std_msgs/msg/Header')(stamp=time, frame_id=frame_id)

    def _vector(self, x: float, y: float, z: float) -> Any:
        return self._type('geometry_msgs/msg/Vector3')(x, y, z)

    def _transform(
        self, header: Any, child: str, *, translation: Any, rotation: Sequence[float]
    ) -> Any:
        return self._type('geometry_msgs/msg/TransformStamped')(
            header=header,
            child_frame_id=child,
            transform=self._type('geometry_msgs/msg/Transform')(
                translation=translation,
                rotation=self._type('geometry_msgs/msg/Quaternion')(*rotation),
            ),
        )

    def _fixed(self, pose: FramePose) -> Any:
        return self._transform(
            self._header(pose.parent, divmod(self._origin_ns, S)),
            pose.child,
            translation=self._vector(*pose.translation.tolist()),
            rotation=pose.rotation_xyzw.tolist(),
        )

    def _template(self, message: Any, *, values: int) -> MessageTemplate:
        raw = self._store.serialize_cdr(message, message.__msgtype__)
        return MessageTemplate(raw, values=values)

    def _joint_state_template(self) -> MessageTemplate:
        count = len(JOINTS)
        position, velocity, effort = (
            np.array([placeholder(count * kind + joint) for joint in range(count)])
            for kind in range(3)
        )
        message = self._type('sensor_msgs/msg/JointState')(
            header=self._header(''),
            name=list(JOINTS),
            position=position,
            velocity=velocity,
            effort=effort,
        )
        return self._template(message, values=3 * count)

    def _wrench_template(self, side: str) -> MessageTemplate:
        message = self._type('geometry_msgs/msg/WrenchStamped')(
            header=self._header(f'sole_{side}'),
            wrench=self._type('geometry_msgs/msg/Wrench')(
                force=self._vector(placeholder(0), 0.0, placeholder(1)),
                torque=self._vector(0.0, placeholder(2), 0.0),
            ),
        )
        return self._template(message, values=3)

    def _joint_sigma_template(self) -> MessageTemplate:
        count = len(JOINTS)
        position, effort = (
            np.array([placeholder(count * kind + joint) for joint in range(count)])
            for kind in range(2)
        )
        message = self._type('sensor_msgs/msg/JointState')(
            header=self._header(''),
            name=list(JOINTS),
            position=position,
            velocity=np.array([]),
            effort=effort,
        )
        return self._template(message, values=2 * count)

    def _force_sigma_template(self) -> MessageTemplate:
        message = self._type('geometry_msgs/msg/WrenchStamped')(
            header=self._header(WORLD),
            wrench=self._type('geometry_msgs/msg/Wrench')(
                force=self._vector(placeholder(0), math.nan, placeholder(1)),
                torque=self._vector(math.nan, math.nan, math.nan),
            ),
        )
        return self._template(message, values=2)

    def _skeleton_template(self, poses: Sequence[FramePose]) -> MessageTemplate:
        transforms = []
        for row, pose in enumerate(poses):
            x, y, z = pose.translation.tolist()
            if pose.parent == WORLD:
                x, z = placeholder(0), placeholder(1)
            turn = (0.0, placeholder(2 + row), 0.0, placeholder(2 + len(SEGMENTS) + row))
            transforms.append(
                self._transform(
                    self._header(pose.parent),
                    pose.child,
                    translation=self._vector(x, y, z),
                    rotation=turn,
                )
            )
        message = self._type('tf2_msgs/msg/TFMessage')(transforms=transforms)
        return self._template(message, values=2 + 2 * len(SEGMENTS))
