# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node says in its log about sensors that misbehave."""

from __future__ import annotations

import time

import numpy as np
import pytest
from made_recordings import swinging

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.fault import Fault, FaultKind
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


def test_bad_samples_are_named_once_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    log, now = Log(), [0.0]
    monkeypatch.setattr(time, 'monotonic', lambda: now[0])
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()), estimator=None
    )

    def spoil(stamp_s: float) -> None:
        pipeline.push(
            sensor='foot_l', stamp_s=stamp_s, sample=np.full(6, np.nan), arrival_s=stamp_s
        )

    spoil(0.0)
    watch = InputWatch(
        topics={sensor: f'imu/{sensor}/data_raw' for sensor in SENSORS},
        pipeline=pipeline,
        missing_topic_s=600.0,
        logger=log,
        count_publishers=lambda topic: 1,
    )
    watch.look(now_s=0.0)
    assert not log.said, 'those of an earlier session'
    spoil(0.1)
    for _ in range(60):
        now[0] += 1.0
        watch.look(now_s=now[0])
    assert len(log.said) == 1
    assert '2 of 2 samples of foot_l' in log.said[0]
    spoil(0.2)
    watch.look(now_s=now[0])
    assert len(log.said) == 2


@pytest.mark.ros
def test_faults_of_every_level_can_be_said_one_after_the_other() -> None:
    """The logger of rclpy raises where one line of code logs at two levels."""
    logging = pytest.importorskip('rclpy.logging')
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()), estimator=None
    )
    watch = InputWatch(
        topics={sensor: f'imu/{sensor}/data_raw' for sensor in SENSORS},
        pipeline=pipeline,
        missing_topic_s=600.0,
        logger=logging.get_logger('test_input_watch'),
        count_publishers=lambda topic: 1,
    )
    for kind in (*FaultKind, *reversed(FaultKind)):
        fault = Fault(kind=kind, sensors=('foot_l',), sentence=f'{kind.value}.', size=1.0)
        pipeline.watch.faults = (fault,)
        watch.look(now_s=0.0)


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
