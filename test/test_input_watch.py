# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node says in its log about sensors that misbehave."""

from __future__ import annotations

from made_recordings import swinging

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.ros.input_watch import InputWatch


class Log:
    """Keep what would be logged."""

    def __init__(self) -> None:
        """Begin empty."""
        self.said: list[str] = []

    def warning(self, sentence: str) -> None:
        """Keep a warning."""
        self.said.append(sentence)

    error = warning


def test_a_sensor_that_hangs_is_named() -> None:
    log = Log()
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()), estimator=None
    )
    watch = InputWatch(
        topics={sensor: f'imu/{sensor}/data_raw' for sensor in SENSORS},
        pipeline=pipeline,
        missing_topic_s=60.0,
        logger=log,
        count_publishers=lambda topic: 1,
    )
    series = swinging(seconds=3.0)
    for k, stamp in enumerate(series['pelvis'].stamp_s.tolist()):
        for sensor, one in series.items():
            sample = one.sample[min(k, 50) if sensor == 'shank_l' else k]
            pipeline.push(sensor=sensor, stamp_s=stamp, sample=sample, arrival_s=stamp)
            watch.timers[sensor].note(stamp_s=stamp, arrival_s=stamp)
        pipeline.drain(now_s=stamp)
        if k == 100:
            watch.look(now_s=stamp)
            assert not log.said
    watch.look(now_s=3.0)
    assert any(s.startswith('shank_l repeated the same values for 2.5 s') for s in log.said)


def test_refused_sensors_are_not_called_absent() -> None:
    log = Log()
    watch = InputWatch(
        topics={sensor: f'imu/{sensor}/data_raw' for sensor in ('pelvis', 'foot_r')},
        pipeline=Pipeline(
            synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
            estimator=None,
        ),
        missing_topic_s=0.0,
        logger=log,
        count_publishers=lambda topic: 1,
    )
    watch.refuse('pelvis', 'pelvis sends stamps of zero')
    watch.look(now_s=0.0)
    (missing,) = [sentence for sentence in log.said if 'Nothing was heard' in sentence]
    assert 'foot_r' in missing
    assert 'pelvis' not in missing
    assert watch.only_refused() == ('pelvis',)
