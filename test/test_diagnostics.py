# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What /diagnostics says of one sensor."""

from __future__ import annotations

import math

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of diagnostics runs')

from diagnostic_msgs.msg import DiagnosticStatus

from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.recent_values import RecentValues
from sspinnpose_ros.core.stream_timing import StreamTiming
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.ros.diagnostics import Latency, SensorHealth, diagnostic_array

pytestmark = pytest.mark.ros


def told(*, rate_hz: float, silent_s: float, silent: bool) -> DiagnosticStatus:
    """Return the entry of a sensor."""
    statistics = Synchronizer(sensors=('pelvis',), config=SynchronizerConfig()).statistics
    message = diagnostic_array(
        prefix='sspinnpose',
        hardware_id='',
        stamp_ns=0,
        status=EstimateStatus(Level.OK, 'estimating'),
        sensors={
            'pelvis': SensorHealth(
                topic='/imu/pelvis/data_raw',
                timing=StreamTiming(
                    rate_hz=rate_hz, jitter_s=0.0, age_s=silent_s, silent_s=silent_s
                ),
                counts=statistics.sensors['pelvis'],
                refused=0,
                silent=silent,
                residual=(0.0, 0.0),
            )
        },
        statistics=statistics,
        latency=Latency(RecentValues(capacity=1), RecentValues(capacity=1)),
        model='default',
        rate_hz=0.0,
    )
    return message.status[1]


@pytest.mark.parametrize(
    ('rate_hz', 'silent_s', 'silent', 'level', 'words'),
    [
        (100.0, 0.01, False, DiagnosticStatus.OK, 'heard at 100 Hz'),
        # When all are silent nobody is waited for.
        (0.0, 4.0, False, DiagnosticStatus.STALE, 'silent for 4.0 s'),
        (0.0, 4.0, True, DiagnosticStatus.STALE, 'silent for 4.0 s'),
        (100.0, 0.01, True, DiagnosticStatus.STALE, 'heard, but its samples are late'),
        (math.nan, math.inf, False, DiagnosticStatus.STALE, 'never heard'),
    ],
)
def test_a_silent_sensor_is_stale(
    rate_hz: float, silent_s: float, silent: bool, level: bytes, words: str
) -> None:
    status = told(rate_hz=rate_hz, silent_s=silent_s, silent=silent)
    assert status.level == level
    assert status.message.startswith(words)
