# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Gather who wears which sensors how, as the parameters say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sspinnpose_ros.core.calibration import Calibration
from sspinnpose_ros.core.calibration_file import load_calibration
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import Model, load_model
from sspinnpose_ros.core.mounting import Mounting, aligned_mounting
from sspinnpose_ros.core.subject import ALIGNED, Subject, load_subject, make_subject
from sspinnpose_ros.ros.parameters import chosen_sensors, file_path


@dataclass(frozen=True)
class Wearer:
    """Hold everything an estimator is made of.

    Attributes:
        subject: the person.
        sensors: those that are worn.
        model: the trained network.
        calibration: read or found; None without.
        mounting: how the sensors sit; None while that is unknown.

    """

    subject: Subject
    sensors: tuple[str, ...]
    model: Model
    calibration: Calibration | None
    mounting: Mounting | None

    def estimator(self) -> Estimator | None:
        """Return an estimator, or None while the mounting is unknown."""
        if self.mounting is None:
            return None
        return Estimator(model=self.model, subject=self.subject, mounting=self.mounting)

    def unmounted(self) -> tuple[str, ...]:
        """Return the worn sensors that the calibration does not know."""
        if self.mounting is None:
            return ()
        return tuple(name for name in self.sensors if name not in self.mounting.sensors)

    def calibrated(self, calibration: Calibration) -> Wearer:
        """Return the wearer with a calibration that was just found."""
        return replace(self, calibration=calibration, mounting=calibration.mounting)


def load_wearer(values: Mapping[str, Any]) -> Wearer:
    """Read the files that the parameters name.

    Args:
        values: of the parameters, by name.

    Returns:
        The wearer.

    Raises:
        UserError: for anything that is missing, unreadable or impossible, in one sentence.

    """
    sensors = chosen_sensors(values['sensors'])
    if values['subject']:
        subject = load_subject(file_path(values, 'subject'))
    else:
        subject = make_subject(
            mass_kg=values['mass_kg'],
            height_m=values['height_m'],
            sensor_axes=values['sensor_axes'],
        )
    model = values['model']
    calibration = mounting = None
    if values['calibration']:
        calibration = load_calibration(file_path(values, 'calibration'))
        mounting = calibration.mounting
    elif subject.sensor_axes == ALIGNED:
        mounting = aligned_mounting(sensors)
    return Wearer(
        subject=subject,
        sensors=sensors,
        model=load_model(model if model == 'default' else file_path(values, 'model')),
        calibration=calibration,
        mounting=mounting,
    )
