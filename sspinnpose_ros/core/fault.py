# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Name what can be wrong with worn sensors, and how bad it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sspinnpose_ros.core.level import Level


class FaultKind(str, Enum):
    """Name a fault; the values are what tools read in `human/status` and `/diagnostics`."""

    UNIT_DEG_S = 'unit_deg_s'
    UNIT_G = 'unit_g'
    GRAVITY_REMOVED = 'gravity_removed'
    FORCE_UNIT = 'force_unit'
    ABSURD_VALUE = 'absurd_value'
    WORN_OTHERWISE = 'worn_otherwise'
    SWAPPED = 'swapped'
    LEGS_SWAPPED = 'legs_swapped'
    BACK_TO_FRONT = 'back_to_front'
    STUCK = 'stuck'
    STUCK_AXIS = 'stuck_axis'
    SATURATED = 'saturated'
    FORCE_GAIN = 'force_gain'
    FORCE_BIAS = 'force_bias'
    RATE_GAIN = 'rate_gain'
    RATE_BIAS = 'rate_bias'
    TURNED = 'turned'
    UNEXPLAINED = 'unexplained'


ESTIMATE_WRONG = frozenset(
    {
        FaultKind.UNIT_DEG_S,
        FaultKind.UNIT_G,
        FaultKind.GRAVITY_REMOVED,
        FaultKind.FORCE_UNIT,
        FaultKind.ABSURD_VALUE,
        FaultKind.WORN_OTHERWISE,
        FaultKind.SWAPPED,
        FaultKind.BACK_TO_FRONT,
    }
)
"""Faults under which no number would mean what its name says; nothing is estimated then. Exchanged
legs are not among them: how the pelvis is pushed is too weak a sign of it to stop a device."""


@dataclass(frozen=True)
class Fault:
    """Hold one fault.

    Attributes:
        kind: its name.
        sensors: which it is about.
        sentence: what was seen, what was expected, what to do.
        size: how large it is, in the unit of its kind; only for comparing with limits.

    """

    kind: FaultKind
    sensors: tuple[str, ...]
    sentence: str
    size: float = float('nan')

    @property
    def level(self) -> Level:
        """ERROR where nothing may be estimated, else WARN."""
        return Level.ERROR if self.kind in ESTIMATE_WRONG else Level.WARN

    @property
    def label(self) -> str:
        """Name and sensors in one word each."""
        return ' '.join((self.kind.value, *self.sensors))
