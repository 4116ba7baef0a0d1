"""Fill the message of human/status, what a controller watches before it trusts an estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate_status import EstimateStatus

LEVELS = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)


class StatusMessage:
    """Own the message of human/status.

    Its values are `stamp` (s, that of the estimate or the last one), `age_ms` (stamp to
    publication), `missing` (sensors), `faults` (each a name and its sensors, `; ` between) and,
    for each worn sensor, `residual <sensor>`: measured minus virtual force forward and up in
    m/s^2 and rate in rad/s, empty where it is absent.
    """

    def __init__(self, *, name: str, hardware_id: str, sensors: Sequence[str]) -> None:
        """Make every key once."""
        self._stamp, self._age, self._missing, self._faults = (
            KeyValue(key=key) for key in ('stamp', 'age_ms', 'missing', 'faults')
        )
        self._rows = [SENSORS.index(sensor) for sensor in sensors]
        self._residuals = [KeyValue(key=f'residual {sensor}') for sensor in sensors]
        self.message = DiagnosticStatus(
            name=name,
            hardware_id=hardware_id,
            values=[self._stamp, self._age, self._missing, self._faults, *self._residuals],
        )

    def fill(
        self,
        status: EstimateStatus,
        *,
        stamp_ns: int | None,
        age_s: float,
        residual: np.ndarray | None,
    ) -> DiagnosticStatus:
        """Write a verdict.

        Args:
            status: the verdict.
            stamp_ns: measurement time of the estimate, or of the last one; None before any.
            age_s: time since then, s.
            residual: (7, 3) measured minus virtual signals, NaN where absent; None without
                an estimate.

        """
        message = self.message
        message.level = LEVELS[status.level]
        message.message = status.message
        if stamp_ns is None:
            self._stamp.value = self._age.value = ''
        else:
            seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
            self._stamp.value = f'{seconds}.{nanoseconds:09d}'
            self._age.value = f'{1e3 * age_s:.2f}'
        self._missing.value = ' '.join(status.missing)
        self._faults.value = '; '.join(status.faults)
        rows = None if residual is None else residual.tolist()
        for row, value in zip(self._rows, self._residuals, strict=True):
            if rows is None or math.isnan(rows[row][0]):
                value.value = ''
            else:
                value.value = '{:.2f} {:.2f} m/s^2 {:.2f} rad/s'.format(*rows[row])
        return message
