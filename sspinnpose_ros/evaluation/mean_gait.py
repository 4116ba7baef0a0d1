# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answer with a mean gait, to find out whether a test set can be passed without measuring."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SIDES

NEAREST_SHARE = 1.0 / 3.0
"""Share of the people with the same gait who are averaged: those nearest in speed."""

LEAST_PEOPLE = 8

SPEED_STEP_MPS = 0.05
"""Resolution of the speed it is told."""


@dataclass(frozen=True, eq=False)
class MeanGait:
    """Predict a person's motion from the mean of others, given what no sensor tells it.

    It is told the true phase at every moment, the true speed, and whether the person walks, runs
    or stands, and answers with the mean cycle of those people of the same gait who are nearest
    in speed. More than this no mean can know.

    Attributes:
        gait: (N) 'walking', 'running' or 'standing', of the people it may average.
        speed_mps: (N,) their mean forward speed, m/s.
        angle: (N, P, 6) cycles of their joint angles, P evenly spaced phases from 0, rad.
        moment: (N, P, 6) cycles of their joint moments over mass, gravity and height.
        force: (N, P, 2, 2) cycles of ground reaction (side, (forward, up)), body weights.

    """

    gait: tuple[str, ...]
    speed_mps: np.ndarray
    angle: np.ndarray
    moment: np.ndarray
    force: np.ndarray

    def estimate(
        self,
        *,
        time_s: np.ndarray,
        phase: np.ndarray,
        gait: np.ndarray,
        speed_mps: np.ndarray,
        mass_kg: float,
        height_m: float,
    ) -> dict[str, np.ndarray]:
        """Answer for one person.

        Args:
            time_s: (T,) s.
            phase: (T,) true part of the cycle, 0 to 1.
            gait: (T,) true gait.
            speed_mps: (T,) true mean speed around that time, m/s.
            mass_kg: body mass, kg.
            height_m: stature, m.

        Returns:
            `time`, `angle_*`, `moment_*`, `grf_forward_*` and `grf_up_*` (T,), SI units.

        Raises:
            ValueError: where nobody of that gait is known.

        """
        weight = mass_kg * GRAVITY
        angle, moment = np.zeros((len(time_s), 6)), np.zeros((len(time_s), 6))
        force = np.zeros((len(time_s), 2, 2))
        level = np.round(np.asarray(speed_mps) / SPEED_STEP_MPS).astype(np.int64)
        for kind, step in sorted(set(zip(np.asarray(gait).tolist(), level.tolist(), strict=True))):
            at = (np.asarray(gait) == kind) & (level == step)
            people = self._people(kind, step * SPEED_STEP_MPS)
            angle[at] = _at(self.angle[people].mean(0), phase[at])
            moment[at] = weight * height_m * _at(self.moment[people].mean(0), phase[at])
            force[at] = weight * _at(self.force[people].mean(0), phase[at])
        answer = {'time': np.asarray(time_s, dtype=np.float64)}
        for index, joint in enumerate(JOINTS):
            answer[f'angle_{joint}'] = angle[:, index]
            answer[f'moment_{joint}'] = moment[:, index]
        for index, side in enumerate(SIDES):
            answer[f'grf_forward_{side}'] = force[:, index, 0]
            answer[f'grf_up_{side}'] = force[:, index, 1]
        return answer

    def _people(self, gait: str, speed_mps: float) -> np.ndarray:
        """Return which people of a gait are nearest in speed."""
        people = np.flatnonzero([each == gait for each in self.gait])
        if not len(people):
            raise ValueError(f'nobody {gait} is known, only {", ".join(sorted(set(self.gait)))}')
        count = max(LEAST_PEOPLE, round(NEAREST_SHARE * len(people)))
        order = np.argsort(np.abs(self.speed_mps[people] - speed_mps), kind='stable')
        return np.asarray(people[order[:count]])


def _at(cycle: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Read a cycle (P, ...) at phases (T,)."""
    node = np.asarray(phase, dtype=np.float64) % 1.0 * len(cycle)
    low = node.astype(np.int64) % len(cycle)
    part = (node - np.floor(node)).reshape(-1, *[1] * (cycle.ndim - 1))
    return np.asarray(cycle[low] * (1.0 - part) + cycle[(low + 1) % len(cycle)] * part)
