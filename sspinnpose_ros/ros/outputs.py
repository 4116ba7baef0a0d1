# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Own every publisher of the node and the message that goes over it, mostly as its bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import WrenchStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from sspinnpose_ros.bags.status_cdr import StatusCdr
from sspinnpose_ros.core.conventions import SIDES
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimate_status import EstimateStatus
from sspinnpose_ros.core.skeleton import resting_poses, sensor_poses, sole_poses
from sspinnpose_ros.core.urdf import body_urdf, hip_half_width
from sspinnpose_ros.ros.conversions import (
    JointStateMessage,
    SkeletonMessage,
    TFMessage,
    UncertaintyMessage,
    WrenchMessages,
    WrenchSigmaMessages,
    static_message,
)
from sspinnpose_ros.ros.markers import Markers
from sspinnpose_ros.ros.parameters import ParameterError
from sspinnpose_ros.ros.topic_qos import overridable
from sspinnpose_ros.ros.wearer import Wearer

STREAM = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
FRAMES = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class Outputs:
    """Publish what is known of one wearer; QoS can be overridden by `qos_overrides.<topic>`."""

    def __init__(
        self,
        node: LifecycleNode,
        *,
        wearer: Wearer,
        world_frame: str,
        frame_prefix: str,
        hardware_id: str,
        with_frames: bool,
        with_joints: bool,
        with_total: bool = False,
    ) -> None:
        """Create publishers and messages.

        Args:
            node: that publishes.
            wearer: whose body and sensors it is about.
            world_frame: frame in which the pelvis moves, without prefix.
            frame_prefix: put before every frame.
            hardware_id: of human/status.
            with_frames: whether to publish /tf and /tf_static.
            with_joints: whether these hold the joints and the soles.
            with_total: whether a device is worn, so that its torque and the person's own share
                have a topic each.

        Raises:
            ParameterError: for `qos_overrides` that cannot be used; then no publisher is left.

        """
        self._node = node
        self._prefix = frame_prefix
        self._with_joints = with_joints
        # A group keeps a reference to all it ever held, so it goes when the publishers go.
        self._group = MutuallyExclusiveCallbackGroup()
        self._all: list[Any] = []
        body = wearer.subject.body()
        self._joint_states = self._publisher(JointState, 'human/joint_states', STREAM)
        self._total = (
            self._publisher(JointState, 'human/joint_states_total', STREAM) if with_total else None
        )
        self._wrenches = [
            self._publisher(WrenchStamped, f'human/wrench/foot_{side}', STREAM) for side in SIDES
        ]
        self._uncertainty = self._publisher(JointState, 'human/uncertainty', STREAM)
        self._wrench_sigmas = [
            self._publisher(WrenchStamped, f'human/wrench_sigma/foot_{side}', STREAM)
            for side in SIDES
        ]
        self._markers = self._publisher(MarkerArray, 'human/markers', STREAM)
        self._status = self._publisher(DiagnosticStatus, 'human/status', STREAM)
        self._diagnostics = self._publisher(DiagnosticArray, '/diagnostics', STREAM)
        self._robot_description = self._publisher(String, 'robot_description', LATCHED)
        self._tf = self._tf_static = None
        if with_frames:
            self._tf = self._publisher(TFMessage, '/tf', FRAMES)
            self._tf_static = self._publisher(TFMessage, '/tf_static', LATCHED)
            self._skeleton_message = SkeletonMessage(
                resting=resting_poses(body=body),
                world_frame=frame_prefix + world_frame,
                frame_prefix=frame_prefix,
                with_joints=with_joints,
            )
        self._joint_state_message = JointStateMessage()
        self._total_message = JointStateMessage()
        self._wrench_messages = WrenchMessages(frame_prefix=frame_prefix)
        self._uncertainty_message = UncertaintyMessage()
        self._wrench_sigma_messages = WrenchSigmaMessages(world_frame=frame_prefix + world_frame)
        self._marker_message = Markers(
            sensors=wearer.sensors,
            world_frame=frame_prefix + world_frame,
            frame_prefix=frame_prefix,
            hip_half_width=hip_half_width(body=body),
        )
        self._verdict = StatusCdr(name='human', hardware_id=hardware_id, sensors=wearer.sensors)

    def _publisher(self, kind: Any, topic: str, qos: QoSProfile) -> Any:
        try:
            with overridable(qos, topic=topic) as settings:
                publisher = self._node.create_lifecycle_publisher(
                    kind, topic, callback_group=self._group, **settings
                )
        except ParameterError:
            self.destroy()
            raise
        self._all.append(publisher)
        return publisher

    def destroy(self) -> None:
        """Take all publishers away."""
        for publisher in self._all:
            self._node.destroy_lifecycle_publisher(publisher)
        self._all = []

    def publish_joint_states(self, estimate: Estimate, stamp_ns: int) -> None:
        """Publish angles, velocities and moments."""
        self._joint_states.publish(self._joint_state_message.serialize(estimate, stamp_ns))

    def publish_total(self, estimate: Estimate, stamp_ns: int) -> None:
        """Publish the net moments of person and device, where one is worn."""
        if self._total is not None:
            self._total.publish(self._total_message.serialize(estimate, stamp_ns))

    def publish_wrenches(self, estimate: Estimate, stamp_ns: int) -> None:
        """Publish the ground reaction on both feet."""
        messages = self._wrench_messages.serialize(estimate, stamp_ns)
        for publisher, message in zip(self._wrenches, messages, strict=True):
            publisher.publish(message)

    def publish_uncertainty(self, estimate: Estimate, stamp_ns: int) -> None:
        """Publish one sigma of angles, moments and ground reactions, where they are known."""
        if not estimate.has_sigma:
            return
        self._uncertainty.publish(self._uncertainty_message.serialize(estimate, stamp_ns))
        messages = self._wrench_sigma_messages.serialize(estimate, stamp_ns)
        for publisher, message in zip(self._wrench_sigmas, messages, strict=True):
            publisher.publish(message)

    def publish_frames(self, estimate: Estimate, stamp_ns: int) -> None:
        """Publish the moving frames, where that is switched on."""
        if self._tf is not None:
            self._tf.publish(self._skeleton_message.serialize(estimate, stamp_ns))

    def publish_markers(self, estimate: Estimate, stamp_ns: int) -> None:
        """Publish the markers, where somebody looks at them."""
        if self._markers.get_subscription_count():
            self._markers.publish(self._marker_message.fill(estimate, stamp_ns))

    def publish_status(
        self,
        status: EstimateStatus,
        *,
        stamp_ns: int | None,
        age_s: float,
        residual: np.ndarray | None,
    ) -> None:
        """Publish a verdict, as `StatusCdr.serialize`."""
        self._status.publish(
            self._verdict.serialize(status, stamp_ns=stamp_ns, age_s=age_s, residual=residual)
        )

    def publish_diagnostics(self, message: DiagnosticArray) -> None:
        """Publish a message of /diagnostics."""
        self._diagnostics.publish(message)

    def publish_fixed(self, wearer: Wearer, stamp_ns: int) -> None:
        """Publish the latched description of the body, and where soles and sensors sit."""
        body = wearer.subject.body()
        self._robot_description.publish(
            String(data=body_urdf(body=body, frame_prefix=self._prefix))
        )
        if self._tf_static is None:
            return
        # robot_state_publisher places the soles, as it does the joints.
        poses = sole_poses(body=body) if self._with_joints else []
        if wearer.mounting is not None:
            poses = poses + sensor_poses(
                position_m=wearer.subject.sensor_position_m,
                mounting=wearer.mounting,
                sensors=wearer.sensors,
            )
        self._tf_static.publish(
            static_message(poses, frame_prefix=self._prefix, stamp_ns=stamp_ns)
        )
