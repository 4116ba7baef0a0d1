# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Track IMU orientations with OpenSim's inverse kinematics, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import opensim

from sspinnpose_ros.core.conventions import JOINTS

opensim.Logger.setLevelString('Error')
opensim.Logger.removeFileSink()  # It would leave opensim.log wherever this runs.

BODIES = ('pelvis', 'femur_r', 'tibia_r', 'calcn_r', 'femur_l', 'tibia_l', 'calcn_l')
"""Of the usual gait models, in the order of `conventions.SENSORS`."""

GROUND_FROM_WORLD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""OpenSim's ground is x forward, y up, z right, and so are its bodies' axes."""


class OpenSimTracker:
    """Track orientations with a model of OpenSim, and solve its inverse dynamics.

    All orientations are handed over before, as a table: the streaming reference of the C++
    library cannot be filled in Python. Muscles are taken out, as inverse dynamics wants no
    muscle forces, which saves the kinematics their paths as well.

    Attributes:
        coordinates: how many the model has.

    """

    def __init__(
        self, path: Path, *, rotation: np.ndarray, period_s: float, accuracy: float
    ) -> None:
        """Load a model and assemble it at the first frame.

        Args:
            path: of the .osim file.
            rotation: (T, 7, 3, 3) world-from-segment, world axes x forward, z up.
            period_s: time between frames, s.
            accuracy: at which the solver may stop.

        """
        self._period = period_s
        self.model = opensim.Model(str(path))
        self.model.updForceSet().clearAndDestroy()
        self.model.initSystem()
        labels = opensim.StdVectorString()
        for name in BODIES:
            body = self.model.getBodySet().get(name)
            self.model.addComponent(
                opensim.PhysicalOffsetFrame(f'{name}_imu', body, opensim.Transform())
            )
            labels.append(f'{name}_imu')
        self.model.finalizeConnections()
        self.state = self.model.initSystem()
        coordinates = self.model.getCoordinateSet()
        self.coordinates = coordinates.getSize()
        self._joints = [coordinates.get(name) for name in JOINTS]

        table = opensim.TimeSeriesTableRotation()
        table.setColumnLabels(labels)
        turned = GROUND_FROM_WORLD @ rotation @ GROUND_FROM_WORLD.T
        for row, matrices in enumerate(turned):
            values = opensim.RowVectorRotation(len(BODIES))
            for column, matrix in enumerate(matrices):
                values.updElt(0, column).setRotationFromQuaternion(_quaternion(matrix))
            table.appendRow(row * period_s, values)
        # The solver keeps no copies of these.
        self._kept = (
            opensim.MarkersReference(),
            opensim.OrientationsReference(table),
            opensim.SimTKArrayCoordinateReference(),
        )
        self.solver = opensim.InverseKinematicsSolver(self.model, *self._kept, float('inf'))
        self.solver.setAccuracy(accuracy)
        self.state.setTime(0.0)
        self.solver.assemble(self.state)
        self._inverse_dynamics = opensim.InverseDynamicsSolver(self.model)
        self._last_q = self.state.getQ().to_numpy()
        self._last_u = np.zeros(self.state.getNU())

    def track(self, row: int) -> None:
        """Solve the inverse kinematics of one frame, beginning with the last solution."""
        self.state.setTime(row * self._period)
        self.solver.track(self.state)

    def track_and_solve(self, row: int) -> opensim.Vector:
        """Solve inverse kinematics, then inverse dynamics with differences of coordinates."""
        self.track(row)
        q = self.state.getQ().to_numpy()
        u = (q[: len(self._last_u)] - self._last_q[: len(self._last_u)]) / self._period
        change = (u - self._last_u) / self._period
        self._last_q, self._last_u = q, u
        self.state.setU(opensim.Vector.createFromMat(u))
        return self._inverse_dynamics.solve(self.state, opensim.Vector.createFromMat(change))

    def angles(self) -> np.ndarray:
        """Return (6,) joint angles of the state in the order of `conventions.JOINTS`, rad."""
        return np.array([joint.getValue(self.state) for joint in self._joints])

    def knee_signs(self) -> np.ndarray:
        """Return (6,) signs that make flexion positive, from the ranges of the coordinates."""
        signs = [
            -1.0 if joint.getRangeMin() < -joint.getRangeMax() else 1.0 for joint in self._joints
        ]
        return np.where([name.startswith('knee') for name in JOINTS], signs, 1.0)


def _quaternion(matrix: np.ndarray) -> opensim.Quaternion:
    rotation = opensim.Rotation()
    values = opensim.Mat33(*matrix.ravel().tolist())
    rotation.setRotationFromApproximateMat33(values)
    return rotation.convertRotationToQuaternion()
