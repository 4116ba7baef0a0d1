# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write /diagnostics: the health of every sensor and the latency of the estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from sspinnpose_ros.core.estimate_status import EstimateStatus
from sspinnpose_ros.core.fault import Fault
from sspinnpose_ros.core.recent_values import RecentValues
from sspinnpose_ros.core.stream_timing import StreamTiming
from sspinnpose_ros.core.synchronizer import SensorCounts, SynchronizerStatistics
from sspinnpose_ros.ros.conversions import set_stamp

LEVELS = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)


@dataclass(frozen=True)
class SensorHealth:
    """Gather what is known of one sensor.

    Attributes:
        topic: where it is heard.
        timing: rate, jitter and age.
        counts: of its samples.
        refused: messages without usable stamp, force or rate.
        silent: whether it was not heard, or waited for in vain.
        residual: force (m/s^2) and rate (rad/s) that the estimate leaves unexplained.
        faults: of this sensor.

    """

    topic: str
    timing: StreamTiming
    counts: SensorCounts
    refused: int
    silent: bool
    residual: tuple[float, float]
    faults: Sequence[Fault] = ()


@dataclass(frozen=True)
class Latency:
    """Gather recent latencies, in s: stamp to publication, and computation alone."""

    stamp_to_publish: RecentValues
    compute: RecentValues


def diagnostic_array(
    *,
    prefix: str,
    hardware_id: str,
    stamp_ns: int,
    status: EstimateStatus,
    sensors: Mapping[str, SensorHealth],
    statistics: SynchronizerStatistics,
    latency: Latency,
    model: str,
    rate_hz: float,
    others: Sequence[DiagnosticStatus] = (),
) -> DiagnosticArray:
    """Build the message.

    Args:
        prefix: of every name, that of the node.
        hardware_id: of every status, that of the wearer.
        stamp_ns: now, ns.
        status: of the last estimate.
        sensors: health by name.
        statistics: of the synchronizer.
        latency: of recent estimates.
        model: which one is in use.
        rate_hz: estimates a second since the last message.
        others: of what else the node listens to.

    """
    message = DiagnosticArray()
    set_stamp(message.header.stamp, stamp_ns)
    message.status = [
        _estimator_status(
            prefix=prefix,
            status=status,
            statistics=statistics,
            latency=latency,
            model=model,
            rate_hz=rate_hz,
        ),
        *(_sensor_status(prefix, sensor, health) for sensor, health in sensors.items()),
        *others,
    ]
    for entry in message.status:
        entry.hardware_id = hardware_id
    return message


def _estimator_status(
    *,
    prefix: str,
    status: EstimateStatus,
    statistics: SynchronizerStatistics,
    latency: Latency,
    model: str,
    rate_hz: float,
) -> DiagnosticStatus:
    published = latency.stamp_to_publish.percentiles(50.0, 99.0, 100.0)
    computed = latency.compute.percentiles(50.0, 99.0, 100.0)
    return DiagnosticStatus(
        level=LEVELS[status.level],
        name=f'{prefix}: estimator',
        message=status.message,
        values=_values(
            {
                'model': model,
                'rate_hz': number_text(rate_hz, 1),
                **{
                    f'latency_{name}_ms': number_text(1e3 * value, 2)
                    for name, value in zip(('p50', 'p99', 'max'), published, strict=True)
                },
                **{
                    f'compute_{name}_ms': number_text(1e3 * value, 3)
                    for name, value in zip(('p50', 'p99', 'max'), computed, strict=True)
                },
                'frames': str(statistics.frames),
                'incomplete_frames': str(statistics.incomplete_frames),
                'skipped_frames': str(statistics.skipped_frames),
                'resets': str(statistics.resets),
                'reset_reason': statistics.reset_reason,
            }
        ),
    )


def _sensor_status(prefix: str, sensor: str, health: SensorHealth) -> DiagnosticStatus:
    counts, timing = health.counts, health.timing
    refused = f'; {health.refused} messages were refused, see the log' if health.refused else ''
    if not math.isfinite(timing.age_s):
        level, text = DiagnosticStatus.STALE, f'never heard on {health.topic}{refused}'
    elif health.silent or timing.rate_hz == 0.0:
        level, text = DiagnosticStatus.STALE, f'silent for {timing.silent_s:.1f} s{refused}'
        if timing.rate_hz > 0.0:
            text = 'heard, but its samples are late, repeated, future or of another clock'
    else:
        level, text = DiagnosticStatus.OK, 'heard'
        if math.isfinite(timing.rate_hz):
            text += f' at {timing.rate_hz:.0f} Hz'
    if health.faults and level == DiagnosticStatus.OK:
        level = LEVELS[max(fault.level for fault in health.faults)]
        text = ' '.join(fault.sentence for fault in health.faults)
    return DiagnosticStatus(
        level=level,
        name=f'{prefix}: imu {sensor}',
        message=text,
        values=_values(
            {
                'topic': health.topic,
                'rate_hz': number_text(timing.rate_hz, 1),
                'age_ms': number_text(1e3 * timing.age_s, 1),
                'jitter_ms': number_text(1e3 * timing.jitter_s, 2),
                'received': str(counts.received),
                'refused': str(health.refused),
                'dropped': str(counts.dropped),
                'duplicates': str(counts.duplicate),
                'late': str(counts.late),
                'not_finite': str(counts.not_finite),
                'wrong_clock': str(counts.wrong_clock),
                'future': str(counts.future),
                'missing_frames': str(counts.missing_frames),
                'residual_force': number_text(health.residual[0], 2),
                'residual_rate': number_text(health.residual[1], 3),
                'faults': ' '.join(fault.kind.value for fault in health.faults),
            }
        ),
    )


def _values(values: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value) for key, value in values.items()]


def number_text(value: float, digits: int) -> str:
    """Return a number as a value of /diagnostics, nothing where it is unknown."""
    return f'{value:.{digits}f}' if math.isfinite(value) else ''
