# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw ground reaction, centre of pressure and the health of every sensor."""

from __future__ import annotations

import math
from collections.abc import Sequence

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from sspinnpose_ros.core.conventions import SENSORS, SIDES
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.ros.conversions import set_stamp

METRES_PER_NEWTON = 1e-3
FORCE_COLOR = ColorRGBA(r=0.95, g=0.75, b=0.10, a=0.9)
PRESSURE_COLOR = ColorRGBA(r=0.90, g=0.30, b=0.10, a=1.0)
PRESENT_COLOR = ColorRGBA(r=0.20, g=0.75, b=0.30, a=1.0)
ABSENT_COLOR = ColorRGBA(r=0.85, g=0.15, b=0.15, a=1.0)


class Markers:
    """Own the message of human/markers."""

    def __init__(
        self,
        *,
        sensors: Sequence[str],
        world_frame: str,
        frame_prefix: str,
        hip_half_width: float,
    ) -> None:
        """Make every marker once.

        Args:
            sensors: those to show, each at its frame `imu_<segment>`.
            world_frame: frame of the forces.
            frame_prefix: of the sensor frames.
            hip_half_width: lateral distance of a foot from the mid-plane, m.

        """
        self._stamp = Time()
        self._lateral = (-hip_half_width, hip_half_width)
        self._arrows = [self._marker('ground_reaction', i, world_frame) for i in range(2)]
        self._spots = [self._marker('centre_of_pressure', i, world_frame) for i in range(2)]
        for arrow in self._arrows:
            arrow.type, arrow.color = Marker.ARROW, FORCE_COLOR
            arrow.scale.x, arrow.scale.y, arrow.scale.z = 0.02, 0.05, 0.08
            arrow.points = [Point(), Point()]
        for spot in self._spots:
            spot.type, spot.color = Marker.SPHERE, PRESSURE_COLOR
            spot.scale.x = spot.scale.y = 0.05
            spot.scale.z = 0.01
        self._sensors = []
        for name in sensors:
            row = SENSORS.index(name)
            cube = self._marker('sensors', row, f'{frame_prefix}imu_{name}')
            cube.type, cube.frame_locked = Marker.CUBE, True
            cube.scale.x, cube.scale.y, cube.scale.z = 0.045, 0.03, 0.012
            self._sensors.append((row, cube))
        self.message = MarkerArray(
            markers=[*self._arrows, *self._spots, *(cube for _, cube in self._sensors)]
        )

    def _marker(self, namespace: str, index: int, frame_id: str) -> Marker:
        marker = Marker(ns=namespace, id=index)
        marker.header.frame_id = frame_id
        marker.header.stamp = self._stamp
        marker.pose.orientation.w = 1.0
        return marker

    def fill(self, estimate: Estimate, stamp_ns: int) -> MarkerArray:
        """Write an estimate; arrows are a millimetre a newton and vanish without load."""
        set_stamp(self._stamp, stamp_ns)
        forward = float(estimate.q[0])
        for side in range(len(SIDES)):
            arrow, spot = self._arrows[side], self._spots[side]
            pressure = float(estimate.cop_forward[side])
            shown = Marker.ADD if math.isfinite(pressure) else Marker.DELETE
            arrow.action = spot.action = shown
            if shown == Marker.DELETE:
                continue
            force_x, force_z = estimate.ground_force[side].tolist()
            start, tip = arrow.points
            start.x, start.y, start.z = forward + pressure, self._lateral[side], 0.0
            tip.x = start.x + METRES_PER_NEWTON * force_x
            tip.y, tip.z = start.y, METRES_PER_NEWTON * force_z
            spot.pose.position.x, spot.pose.position.y = start.x, start.y
        for row, cube in self._sensors:
            cube.color = PRESENT_COLOR if estimate.present[row] else ABSENT_COLOR
        return self.message
