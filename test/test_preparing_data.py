# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make the mistakes of docs/preparing_imu_data.md with the real node, and compare what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from made_recordings import swinging
from node_process import NodeProcess, Wearer, estimator_process, write_wearer
from sensor_msgs.msg import Imu

from sspinnpose_ros.core.calibration_progress import CalibrationProgress
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate_status import EstimateStatus
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.level import Level
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.pipeline import Outcome, Pipeline
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig

pytestmark = pytest.mark.ros

PAGE = Path(__file__).parents[1] / 'docs' / 'preparing_imu_data.md'
WARN, STALE = bytes([1]), bytes([3])
HOUR_NS = 3600 * 10**9


def pattern(sentence: str) -> str:
    """Return a sentence without its numbers."""
    return re.sub(r'\d+(?:\.\d+)?', '#', sentence)


def require_documented(sentence: str) -> None:
    found = f'`{pattern(sentence)}`' in pattern(PAGE.read_text())
    assert found, f'docs/preparing_imu_data.md lacks: {sentence}'


@pytest.fixture(scope='module')
def node(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    folder = tmp_path_factory.mktemp('mistakes')
    parameters = {
        **write_wearer(folder),
        'settle_s': 0.1,
        'missing_topic_s': 5.0,
    }
    with estimator_process(domain, parameters) as process:
        yield process
    assert 'Traceback' not in process.log


class SpoiltWearer(Wearer):
    """Four sensors with a mistake each, three that are fine."""

    def publish(self, sensor: str, stamp_ns: int, sample: Any) -> None:
        message = Imu()
        if sensor not in self.publishers:
            return
        if sensor == 'shank_r':
            message.angular_velocity_covariance[0] = -1.0
        if sensor == 'foot_r':
            stamp_ns = 0
        if sensor == 'foot_l':
            stamp_ns += HOUR_NS
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        force, rate = message.linear_acceleration, message.angular_velocity
        force.x, force.y, force.z, rate.x, rate.y, rate.z = (float(value) for value in sample)
        self.publishers[sensor].publish(message)


def test_what_the_node_says_of_streams(
    domain: int, node: NodeProcess, samples: np.ndarray
) -> None:
    wearer = SpoiltWearer(domain)
    wearer.node.destroy_publisher(wearer.publishers.pop('thigh_l'))
    try:
        wearer.wait_until_heard()
        wearer.play(samples[:400])
        spoilt = samples[400:600].copy()
        spoilt[:, SENSORS.index('shank_l')] = np.nan
        wearer.play(spoilt)
        for words in ('NaN', 'Nothing was heard'):
            wearer.wait_for(lambda: words in node.log, f'the warning {words}')  # noqa: B023
        wearer.wait_for(lambda: wearer.received['/diagnostics'], 'diagnostics')
        for start in (
            'Nothing was heard on',
            'shank_r declares',
            'foot_r sends',
            'The stamps of foot_l',
        ):
            (line,) = [line for line in node.lines if f': {start}' in line]
            require_documented(line[line.index(start) :])
        line = next(line for line in node.lines if 'NaN or infinite' in line)
        require_documented(line.partition(']: ')[2])
        estimated = [s for s in wearer.received['human/status'] if s.level == WARN]
        without = [s.message for s in estimated if s.message.startswith('estimated without')]
        require_documented(without[-1])
        wearer.spin(1.5)
        silent = wearer.received['human/status'][-1]
        assert silent.level == STALE
        require_documented(silent.message)
        said = {
            entry.name.removeprefix('sspinnpose: imu '): entry.message
            for array in wearer.received['/diagnostics'][:5]
            for entry in array.status
        }
        for sensor in ('thigh_l', 'foot_l'):
            require_documented(said[sensor])
    finally:
        wearer.close()


Change = Callable[[np.ndarray], np.ndarray]


def aligned_pipeline() -> Pipeline:
    """Return the pipeline of a wearer with aligned sensors."""
    return Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Estimator(
            model=load_model('default'),
            subject=make_subject(mass_kg=70.0, height_m=1.75, sensor_axes='segment aligned'),
            mounting=aligned_mounting(),
        ),
    )


def statuses(pipeline: Pipeline, *, steps: Mapping[str, int]) -> list[EstimateStatus]:
    """Return what a pipeline says when it gets every n-th sample of some sensors."""
    series = swinging(seconds=6.0)
    said = []
    for k, time_s in enumerate(series['pelvis'].stamp_s.tolist()):
        for sensor, step in steps.items():
            if k % step == 0:
                sample = series[sensor].sample[k]
                pipeline.push(sensor=sensor, stamp_s=time_s, sample=sample, arrival_s=time_s)
        said += [outcome.status for outcome in pipeline.drain(now_s=time_s)]
    return said


def estimated(changes: Mapping[str, Change]) -> Outcome:
    """Return the last outcome of a swinging wearer some of whose sensors are spoilt."""
    pipeline = aligned_pipeline()
    series = swinging(seconds=6.0)
    spoilt = {
        name: changes.get(name, lambda sample: sample)(one.sample) for name, one in series.items()
    }
    outcomes: list[Outcome] = []
    for k, time_s in enumerate(series['pelvis'].stamp_s.tolist()):
        for sensor in SENSORS:
            pipeline.push(
                sensor=sensor, stamp_s=time_s, sample=spoilt[sensor][k], arrival_s=time_s
            )
        outcomes += pipeline.drain(now_s=time_s)
    return outcomes[-1]


def in_degrees(sample: np.ndarray) -> np.ndarray:
    return sample * [1.0, 1.0, 1.0, 57.3, 57.3, 57.3]


def in_g(sample: np.ndarray) -> np.ndarray:
    return sample / [9.81, 9.81, 9.81, 1.0, 1.0, 1.0]


def without_gravity(sample: np.ndarray) -> np.ndarray:
    return sample * [0.01, 0.01, 0.01, 1.0, 1.0, 1.0]


def other_sign(sample: np.ndarray) -> np.ndarray:
    return sample * [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]


def hanging(sample: np.ndarray) -> np.ndarray:
    return np.concatenate([sample[:300], np.repeat(sample[300:301], len(sample) - 300, axis=0)])


def without_gyro(sample: np.ndarray) -> np.ndarray:
    return sample * [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ('sensor', 'change', 'level'),
    [
        ('shank_r', in_degrees, Level.ERROR),
        ('foot_l', in_g, Level.ERROR),
        ('foot_r', without_gravity, Level.ERROR),
        ('thigh_l', other_sign, Level.ERROR),
        ('foot_r', hanging, Level.WARN),
        ('thigh_r', without_gyro, Level.WARN),
    ],
    ids=lambda value: getattr(value, '__name__', ''),
)
def test_what_the_status_says_of_signals(sensor: str, change: Change, level: Level) -> None:
    status = estimated({sensor: change}).status
    assert status.level == level
    require_documented(status.message)


def test_a_right_wearer_is_fine() -> None:
    assert estimated({}).status.level == Level.OK


def test_what_the_status_says_of_a_wearer_who_is_not_calibrated_yet() -> None:
    progress = CalibrationProgress(standing_s=0.0, strides=0.0)
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()), estimator=None
    )
    pipeline.instruction = progress.instruction
    require_documented(statuses(pipeline, steps=dict.fromkeys(SENSORS, 1))[-1].message)


def test_what_the_status_says_of_too_few_sensors() -> None:
    said = statuses(aligned_pipeline(), steps={'pelvis': 1})
    require_documented(said[-1].message)


def test_a_driver_at_its_slow_default_counts_as_missing() -> None:
    said = statuses(aligned_pipeline(), steps={**dict.fromkeys(SENSORS, 1), 'foot_r': 100})
    without = [status for status in said if status.missing == ('foot_r',)]
    assert len(without) > 0.9 * len(said)
    assert 'foot_r' in without[-1].message
