# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn IMU messages into published estimates while the node is active."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock

from sspinnpose_ros.bags.imu_cdr import MalformedImuError
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimate_lag import EstimateLag
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.pipeline import Outcome, Pipeline
from sspinnpose_ros.core.recent_frames import RecentFrames
from sspinnpose_ros.core.recent_values import RecentValues
from sspinnpose_ros.core.stream_timing import CountedRate
from sspinnpose_ros.ros.calibration_guide import CalibrationGuide
from sspinnpose_ros.ros.device_input import DeviceInput
from sspinnpose_ros.ros.diagnostics import Latency, SensorHealth, diagnostic_array
from sspinnpose_ros.ros.imu_message import read_imu
from sspinnpose_ros.ros.input_watch import InputWatch
from sspinnpose_ros.ros.outputs import Outputs

STALE_PERIOD_S = 0.1
LATENCIES = 2000

FARTHEST_S = 1e6
"""Seconds farther from their origin than this no longer tell single nanoseconds."""


class Session:
    """Carry samples to the pipeline and its estimates to the publishers.

    Times on the samples' way are seconds since the first stamp, which keeps them exact.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        pipeline: Pipeline,
        recent: RecentFrames,
        outputs: Outputs,
        watch: InputWatch,
        guide: CalibrationGuide,
        name: str,
        hardware_id: str,
        values: Mapping[str, Any],
        device: DeviceInput | None = None,
    ) -> None:
        """Begin without any sample.

        Args:
            clock: of the node.
            pipeline: that estimates.
            recent: takes every frame.
            outputs: publishers of the estimates.
            watch: told of every message.
            guide: leads through the calibration where one is wanted.
            name: put before every name in /diagnostics.
            hardware_id: of the wearer, in /diagnostics.
            values: of the parameters, by name.
            device: whose torque is taken off the moments; None where none is worn.

        """
        self._clock = clock
        self._pipeline = pipeline
        self._recent = recent
        self._outputs = outputs
        self._watch = watch
        self._guide = guide
        self._device = device
        self._name = name
        self._hardware_id = hardware_id
        self._from_header = values['stamps'] == 'header'
        self._stale_after_s = float(values['stale_after_s'])
        self._silent_after_s = max(float(values['sensor_timeout_s']), self._stale_after_s)
        self._model = str(values['model'])
        rate = float(values['markers_rate_hz'])
        self._marker_step = round(pipeline.synchronizer.config.rate_hz / rate) if rate else 0
        self._latency = Latency(
            stamp_to_publish=RecentValues(capacity=LATENCIES),
            compute=RecentValues(capacity=LATENCIES),
        )
        self._lag = EstimateLag(largest_s=float(values['max_lag_s']))
        self._resets = pipeline.synchronizer.statistics.resets
        self._origin_ns: int | None = None
        self._last_stamp_ns: int | None = None
        self._outcome = self._said = EstimateStatus(Level.STALE, 'no estimate yet')
        self._estimating = False
        self._published = 0
        self._rate = CountedRate(now_s=math.nan)
        self._estimated = self._framed = self._said_stale = time.monotonic()

    def on_imu(self, sensor: str, raw: bytes) -> None:
        """Take the bytes of one sensor_msgs/Imu."""
        begin = time.perf_counter()
        arrival_ns = self._clock.now().nanoseconds
        try:
            reading = read_imu(raw)
        except MalformedImuError:
            self._watch.refuse(
                sensor,
                f'{sensor} sent bytes that are no sensor_msgs/Imu, expected plain CDR; check its '
                'publisher.',
            )
            return
        if not reading.has_force or not reading.has_rate:
            absent = 'angular_velocity' if reading.has_force else 'linear_acceleration'
            self._watch.refuse(
                sensor,
                f'{sensor} declares its {absent} absent (its covariance starts with -1), expected '
                'specific force and angular rate; switch it on in the driver.',
            )
            return
        stamp_ns = reading.stamp_ns if self._from_header else arrival_ns
        if stamp_ns == 0:
            self._watch.refuse(
                sensor,
                f'{sensor} sends stamps of zero, expected the time of measurement; let its driver '
                'stamp the messages or set the parameter stamps to arrival.'
                if self._from_header
                else f'{sensor} is heard, but no /clock, expected one since use_sim_time is set; '
                'play bags with --clock or leave use_sim_time out.',
            )
            return
        if self._origin_ns is None:
            self._origin_ns = stamp_ns
            if self._device is not None:
                self._device.origin_ns = stamp_ns
        stamp_s = 1e-9 * (stamp_ns - self._origin_ns)
        arrival_s = 1e-9 * (arrival_ns - self._origin_ns)
        self._watch.timers[sensor].note(
            stamp_s=self._pipeline.synchronizer.corrected_stamp(sensor=sensor, stamp_s=stamp_s),
            arrival_s=arrival_s,
        )
        self._pipeline.push(
            sensor=sensor, stamp_s=stamp_s, sample=reading.sample, arrival_s=arrival_s
        )
        self._publish_due(arrival_s, begin)

    def tick(self) -> None:
        """Let frames go that have waited long enough, and say STALE when none come."""
        now_ns = self._clock.now().nanoseconds
        if self._origin_ns is not None:
            self._publish_due(1e-9 * (now_ns - self._origin_ns), time.perf_counter())
        now = time.monotonic()
        silent_s = now - self._estimated
        if silent_s < self._stale_after_s or now - self._said_stale < STALE_PERIOD_S:
            return
        self._said_stale = now
        if now - self._framed < self._stale_after_s:
            self._said = self._outcome
        else:
            silent = self._watch.silent(now_s=self._now_s(now_ns), limit_s=self._silent_after_s)
            everything = len(silent) == len(self._watch.timers)
            what = 'no usable IMU messages' if everything else 'no estimate'
            message = f'{what} for {silent_s:.1f} s'
            refused = self._watch.only_refused()
            if refused:
                message += f'; all messages of {", ".join(refused)} are refused, see the log'
            self._said = EstimateStatus(Level.STALE, message, silent)
        self._say(self._said)

    def diagnose(self) -> None:
        """Look for faults and publish /diagnostics."""
        now_ns = self._clock.now().nanoseconds
        now_s = self._now_s(now_ns)
        self._watch.look(now_s=now_s)
        self._guide.look()
        rate = self._rate.read(now_s=1e-9 * now_ns)
        message = diagnostic_array(
            prefix=self._name,
            hardware_id=self._hardware_id,
            stamp_ns=now_ns,
            status=self._said,
            sensors=self._health(now_s),
            statistics=self._pipeline.synchronizer.statistics,
            latency=self._latency,
            model=self._model,
            rate_hz=rate,
            others=self._others(),
        )
        self._outputs.publish_diagnostics(message)

    def stop(self) -> None:
        """Say STALE a last time, so that nobody has to wait for the silence to show."""
        self._say(EstimateStatus(Level.STALE, 'the node was deactivated'))

    def reset(self, reason: str) -> None:
        """Start the estimation afresh."""
        self._pipeline.reset(reason)
        if self._device is not None:
            self._device.clear()

    def _say(self, status: EstimateStatus) -> None:
        """Publish a verdict without an estimate."""
        last, now_ns = self._last_stamp_ns, self._clock.now().nanoseconds
        age_s = 0.0 if last is None else 1e-9 * (now_ns - last)
        self._outputs.publish_status(status, stamp_ns=last, age_s=age_s, residual=None)

    def _others(self) -> list[DiagnosticStatus]:
        if self._device is None:
            return []
        return [self._device.diagnose(prefix=self._name, hardware_id=self._hardware_id)]

    def _now_s(self, now_ns: int) -> float:
        return 0.0 if self._origin_ns is None else 1e-9 * (now_ns - self._origin_ns)

    def _publish_due(self, now_s: float, begin: float) -> None:
        for outcome in self._pipeline.drain(now_s=now_s):
            self._recent.append(outcome.frame)
            self._publish(outcome, begin)
            begin = time.perf_counter()
            if abs(outcome.frame.time_s) > FARTHEST_S:
                self._move_origin(outcome.frame.time_s)
                return

    def _move_origin(self, time_s: float) -> None:
        assert self._origin_ns is not None
        self._origin_ns += round(1e9 * time_s)
        if self._device is not None:
            self._device.origin_ns = self._origin_ns
        self.reset('the stamps are on another clock than at first')

    def _publish(self, outcome: Outcome, begin: float) -> None:
        self._framed = time.monotonic()
        total = outcome.estimate
        if self._device is not None:
            outcome = self._device.share(outcome)
        self._outcome = self._said = outcome.status
        if outcome.estimate is None or total is None:
            if self._estimating:
                self._estimating = False
                self._say(self._said)
            return
        self._estimating = True
        assert self._origin_ns is not None
        stamp_ns = self._origin_ns + round(1e9 * outcome.frame.time_s)
        age_s = self._publish_estimate(outcome.estimate, stamp_ns, begin)
        self._outputs.publish_total(total, stamp_ns)
        self._said = self._marked(outcome, age_s)
        self._outputs.publish_status(
            self._said, stamp_ns=stamp_ns, age_s=age_s, residual=outcome.estimate.residual
        )
        self._last_stamp_ns = stamp_ns
        self._estimated = self._framed
        self._published += 1
        self._rate.note()

    def _marked(self, outcome: Outcome, age_s: float) -> EstimateStatus:
        resets = self._pipeline.synchronizer.statistics.resets
        if resets != self._resets:
            self._resets = resets
            self._lag.clear()
        return self._lag.mark(outcome.status, time_s=outcome.frame.time_s, age_s=age_s)

    def _publish_estimate(self, estimate: Estimate, stamp_ns: int, begin: float) -> float:
        """Publish the joint states first, as controllers wait for them, and return their age."""
        outputs = self._outputs
        outputs.publish_joint_states(estimate, stamp_ns)
        self._latency.compute.append(time.perf_counter() - begin)
        age_s = 1e-9 * (self._clock.now().nanoseconds - stamp_ns)
        self._latency.stamp_to_publish.append(age_s)
        outputs.publish_wrenches(estimate, stamp_ns)
        outputs.publish_frames(estimate, stamp_ns)
        outputs.publish_uncertainty(estimate, stamp_ns)
        if self._marker_step and self._published % self._marker_step == 0:
            outputs.publish_markers(estimate, stamp_ns)
        return age_s

    def _health(self, now_s: float) -> dict[str, SensorHealth]:
        synchronizer, watch = self._pipeline.synchronizer, self._watch
        residual = self._pipeline.residual.root_mean_square()
        if time.monotonic() - self._estimated > self._silent_after_s:
            residual = np.full_like(residual, np.nan)
        faults = self._pipeline.faults
        silent = watch.silent(now_s=now_s, limit_s=self._silent_after_s)
        health = {}
        for sensor, topic in watch.topics.items():
            force, rate = residual[SENSORS.index(sensor)].tolist()
            health[sensor] = SensorHealth(
                topic=topic,
                timing=watch.timers[sensor].read(now_s=now_s),
                counts=synchronizer.statistics.sensors[sensor],
                refused=watch.refused[sensor],
                silent=synchronizer.is_silent(sensor) or sensor in silent,
                residual=(force, rate),
                faults=[fault for fault in faults if sensor in fault.sensors],
            )
        return health
