# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watch what comes in, and name each fault of it in the log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from sspinnpose_ros.core.estimate_status import Level
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.stream_timing import StreamTimer

WARNING_PERIOD_S = 10.0
STRANGE_AGE_S = 1.0
HEARD_S = 1.0


class InputWatch:
    """Keep the timing of every sensor and say what is wrong with it, each fault once."""

    def __init__(
        self,
        *,
        topics: Mapping[str, str],
        pipeline: Pipeline,
        missing_topic_s: float,
        logger: Any,
        count_publishers: Callable[[str], int],
    ) -> None:
        """Begin to watch.

        Args:
            topics: where each sensor is heard.
            pipeline: that the samples go through; its `unchecked` is set.
            missing_topic_s: time after which silent topics are named, s.
            logger: of the node.
            count_publishers: tells how many publishers a topic has.

        """
        self.topics = topics
        self.refused = dict.fromkeys(topics, 0)
        self.timers = {sensor: StreamTimer() for sensor in topics}
        self._pipeline = pipeline
        pipeline.unchecked = True
        self._missing_topic_s = missing_topic_s
        self._logger = logger
        self._count_publishers = count_publishers
        self._begin = time.monotonic()
        self._named_missing = self._named_clock = False
        self._warned: dict[str, float] = {}
        self._named: set[str] = set()
        self._spoilt = self._spoilt_samples()

    def refuse(self, sensor: str, sentence: str) -> None:
        """Count a message that cannot be used, and say why now and then."""
        self.refused[sensor] += 1
        self.warn(f'message of {sensor}', sentence)

    def silent(self, *, now_s: float, limit_s: float) -> tuple[str, ...]:
        """Return the sensors that were not heard for `limit_s`, or never."""
        return tuple(
            sensor
            for sensor, timer in self.timers.items()
            if not timer.silent_s(now_s=now_s) < limit_s
        )

    def only_refused(self) -> tuple[str, ...]:
        """Return the sensors whose messages came, but could never be used."""
        return tuple(
            sensor
            for sensor, timer in self.timers.items()
            if self.refused[sensor] and not timer.heard
        )

    def look(self, *, now_s: float) -> None:
        """Look for every kind of fault.

        Args:
            now_s: on the clock of the samples, s.

        """
        self._name_missing_topics()
        self._name_bad_samples()
        self._name_other_clocks(now_s)
        self._name_faults()

    def warn(self, about: str, sentence: str) -> bool:
        """Log a sentence about a matter, at most every `WARNING_PERIOD_S`; tell whether it was."""
        now = time.monotonic()
        if now - self._warned.get(about, -math.inf) < WARNING_PERIOD_S:
            return False
        self._warned[about] = now
        self._logger.warning(sentence)
        return True

    def _name_missing_topics(self) -> None:
        waited = time.monotonic() - self._begin
        if self._named_missing or waited < self._missing_topic_s:
            return
        self._named_missing = True
        missing = [
            self.topics[sensor]
            for sensor, timer in self.timers.items()
            if not timer.heard and not self.refused[sensor]
        ]
        if missing:
            published = [topic for topic in missing if self._count_publishers(topic)]
            who = 'all' if len(published) == len(missing) else ', '.join(published)
            hint = f' ({who} have publishers that send nothing)' if published else ''
            self._logger.warning(
                f'Nothing was heard on {", ".join(missing)} for {waited:.0f} s{hint}, expected '
                'sensor_msgs/Imu on each: start the driver, remap the topic, set '
                'imu.<sensor>.topic or shorten the parameter sensors.'
            )

    def _spoilt_samples(self) -> dict[str, int]:
        counts = self._pipeline.synchronizer.statistics.sensors
        return {sensor: each.not_finite for sensor, each in counts.items()}

    def _name_bad_samples(self) -> None:
        counts = self._pipeline.synchronizer.statistics.sensors
        spoilt = [
            f'{each.not_finite} of {each.received} samples of {sensor}'
            for sensor, each in counts.items()
            if each.not_finite > self._spoilt.get(sensor, 0)
        ]
        if spoilt and self.warn(
            'numbers',
            f'{", ".join(spoilt)} were NaN or infinite and were dropped; check the driver.',
        ):
            self._spoilt = self._spoilt_samples()

    def _name_other_clocks(self, now_s: float) -> None:
        if self._named_clock:
            return
        for sensor, timer in self.timers.items():
            age_s = timer.age_s(now_s=now_s)
            if timer.silent_s(now_s=now_s) < HEARD_S and abs(age_s) > STRANGE_AGE_S:
                self._named_clock = True
                self._logger.warning(
                    f'The stamps of {sensor} are {abs(age_s):.0f} s '
                    f'{"behind" if age_s > 0.0 else "ahead of"} the clock of the node, expected '
                    'the time of measurement on this clock: play bags with --clock and '
                    'use_sim_time, synchronize the clocks, or set the parameter stamps to arrival.'
                )
                return

    def _name_faults(self) -> None:
        """Say each fault once, until it is gone and comes again."""
        faults = {fault.label: fault for fault in self._pipeline.faults}
        for label, fault in faults.items():
            if label in self._named:
                continue
            # A line of code may log at one level only, says rclpy, and raises at a second.
            if fault.level == Level.ERROR:
                self._logger.error(fault.sentence)
            else:
                self._logger.warning(fault.sentence)
        self._named = set(faults)
