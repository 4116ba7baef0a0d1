# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lead a wearer through the calibration, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sspinnpose_ros.core.calibration_progress import calibration_progress
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.recent_frames import RecentFrames

LOOK_BACK_S = 60.0
"""Looking at more would take so long that samples are lost meanwhile."""


class CalibrationGuide:
    """Say in the status what to do next, as long as there is no calibration."""

    def __init__(
        self, *, pipeline: Pipeline, recent: RecentFrames, sensors: Sequence[str], logger: Any
    ) -> None:
        """Begin to lead; `pipeline.instruction` is set, and steps are logged."""
        self._pipeline = pipeline
        self._recent = recent
        self._sensors = tuple(sensors)
        self._rows = [SENSORS.index(sensor) for sensor in sensors]
        self._logger = logger
        self._ready = False

    def look(self) -> None:
        """Look at what was heard so far, where a calibration is wanted."""
        if self._pipeline.estimator is not None:
            return
        rate_hz = self._pipeline.synchronizer.config.rate_hz
        heard = self._recent.longest_complete(self._sensors, newest=round(LOOK_BACK_S * rate_hz))
        progress = calibration_progress(
            angular_rate=heard.angular_rate[:, self._rows],
            sensors=self._sensors,
            step_s=1.0 / rate_hz,
        )
        self._pipeline.instruction = progress.instruction
        if progress.ready and not self._ready:
            self._logger.info(f'Call ~/calibrate: {progress.instruction}.')
        self._ready = progress.ready
