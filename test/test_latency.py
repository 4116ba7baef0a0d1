# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keep speed from rotting: ratios to other work in the same run, never times."""

from __future__ import annotations

import gc
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run

from sspinnpose_ros.bags.message_template import MessageTemplate, placeholder
from sspinnpose_ros.bags.status_cdr import StatusCdr
from sspinnpose_ros.cli import bench
from sspinnpose_ros.cli.bench_node import node_table
from sspinnpose_ros.core import native_step
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.features import INPUTS
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.network_step import NetworkStep
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.evaluation.timing import paired_ratio

needs_native = pytest.mark.skipif(
    native_step.library() is None, reason='the package was installed without a C compiler'
)


def make_estimator() -> Estimator:
    return Estimator(
        model=load_model('default'),
        subject=make_subject(mass_kg=75.0, height_m=1.75, sensor_axes='aligned'),
        mounting=aligned_mounting(),
    )


@pytest.fixture(scope='module')
def estimator() -> Estimator:
    return make_estimator()


def swinging_frame(index: int) -> Frame:
    phase = 0.06 * index + np.arange(7)
    imu = np.zeros((7, 6))
    imu[:, 0], imu[:, 1] = 9.8 * np.sin(0.3 * np.sin(phase)), 9.8
    imu[:, 5] = 1.7 * np.cos(phase)
    return Frame(time_s=0.01 * index, imu=imu, present=np.ones(7, bool))


class Stepping:
    """An estimator that is given one frame a call."""

    def __init__(self, estimator: Estimator) -> None:
        self.estimator, self.state, self.turn = estimator, estimator.initial_state(), 0
        self.frames = [swinging_frame(index) for index in range(200)]

    def __call__(self) -> None:
        self.state, _ = self.estimator.step(self.state, self.frames[self.turn % 200])
        self.turn += 1


class Streaming:
    """A pipeline that is given seven samples a call."""

    def __init__(self, estimator: Estimator) -> None:
        self.pipeline = Pipeline(
            synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
            estimator=estimator,
        )
        self.turn = self.estimates = 0

    def __call__(self) -> None:
        frame = swinging_frame(self.turn)
        for sensor, sample in zip(SENSORS, frame.imu, strict=True):
            self.pipeline.push(
                sensor=sensor, stamp_s=frame.time_s, sample=sample, arrival_s=frame.time_s
            )
            for outcome in self.pipeline.drain(now_s=frame.time_s):
                self.estimates += outcome.estimate is not None
        self.turn += 1


@pytest.fixture(scope='module')
def network() -> object:
    """Return what the rest is compared with: the network alone, in numpy."""
    step = NetworkStep(load_model('default').weights)
    inputs, state = np.random.default_rng(0).normal(size=INPUTS), step.initial_state()
    return lambda: step(inputs, state)


@needs_native
def test_a_step_takes_little_more_than_its_network_in_numpy(
    estimator: Estimator, network: object
) -> None:
    assert estimator.steps_in_c
    # 1.1 was measured.
    assert paired_ratio(Stepping(estimator), network) < 2.0  # type: ignore[arg-type]


@needs_native
def test_a_step_in_c_takes_a_fraction_of_one_in_python(
    estimator: Estimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(native_step.SWITCH, '0')
    plain = make_estimator()
    assert not plain.steps_in_c
    # 11 was measured.
    assert paired_ratio(Stepping(plain), Stepping(estimator), rounds=7) > 4.0


@needs_native
def test_a_frame_from_samples_to_verdict_takes_some_networks(
    estimator: Estimator, network: object
) -> None:
    streaming = Streaming(estimator)
    # 4 was measured.
    assert paired_ratio(streaming, network) < 8.0  # type: ignore[arg-type]
    assert streaming.estimates > 0.9 * streaming.turn


def test_writing_messages_takes_less_than_a_network(network: object) -> None:
    raw = b'\0\1\0\0' + np.array([placeholder(index) for index in range(18)]).tobytes()
    template, values = MessageTemplate(raw, values=18), np.arange(18.0)
    verdict = StatusCdr(name='human', hardware_id='', sensors=SENSORS)
    status, residual = EstimateStatus(Level.OK, 'estimating'), np.ones((7, 3))

    def write() -> None:
        template.fill_one(stamp_ns=1_700_000_000_123_456_789, values=values)
        verdict.serialize(status, stamp_ns=1_700_000_000, age_s=0.001, residual=residual)

    # 0.5 was measured.
    assert paired_ratio(write, network) < 1.2  # type: ignore[arg-type]


@pytest.mark.parametrize('switch', ['0', '1'])
def test_nothing_that_is_allocated_stays(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native_step.SWITCH, switch)
    streaming = Streaming(make_estimator())

    def resident_kb() -> int:
        gc.collect()
        return (
            int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize() // 1024
        )

    # Rings and references of the watch for faults fill in the first seconds.
    for _ in range(1500):
        streaming()
    before = resident_kb()
    for _ in range(4000):
        streaming()
    # A hundred bytes of each frame would be 400.
    assert resident_kb() - before < 300


def measured() -> list[dict[str, Any]]:
    return [
        {
            'rate_hz': 200.0,
            'latency_ms': [*np.linspace(0.6, 0.9, 998), 4.0, 70.0],
            'expected': 1001,
            'lost': 1,
            'sent_samples': 14000,
            'lost_samples': 3,
            'cpu_share': 0.125,
            'inside': {f'compute_{name}_ms': '0.4' for name in ('p50', 'p99', 'max')},
        }
    ]


def test_the_distribution_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip('matplotlib', reason='matplotlib is not installed: nothing is drawn')
    from sspinnpose_ros.cli.bench_node_plot import save_node_plot

    one, other = tmp_path / 'one.png', tmp_path / 'other.png'
    save_node_plot(one, measured())
    save_node_plot(other, [*measured(), {**measured()[0], 'rate_hz': 400.0}])
    assert one.read_bytes().startswith(b'\x89PNG')
    assert one.read_bytes() != other.read_bytes()


@pytest.mark.parametrize(
    ('arguments', 'missing', 'sentence'),
    [
        (('--plot', 'a.png'), '', 'expected --node'),
        (('--node', '--plot', 'a.png'), 'matplotlib', 'not installed'),
    ],
)
def test_a_drawing_that_cannot_be_is_refused_before_anything_is_measured(
    arguments: tuple[str, ...],
    missing: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, 'find_spec', lambda name: None if name == missing else True)
    done = run(monkeypatch, capsys, 'bench', *arguments)
    assert done.code == 2
    assert sentence in done.err
    assert not list(tmp_path.iterdir())


def test_the_distribution_is_printed_with_its_slowest() -> None:
    found = measured()
    lines = node_table(found).splitlines()
    assert any(
        '0.75' in line and '70.00' in line and '1 of 1001, 3 of 14000' in line for line in lines
    )
    bars = {line.split(' ms')[0].strip(): line.count('#') for line in lines if '#' in line}
    assert bars == {'0.5 to 0.75': 50, '0.75 to 1': 50, '3 to 5': 1, '50 and more': 1}


@pytest.mark.ros
@pytest.mark.slow
def test_the_node_is_measured_from_another_process() -> None:
    pytest.importorskip('rclpy', reason='rclpy is not installed: the node is not measured')
    from sspinnpose_ros.cli.bench_node import measure_node

    (found,) = measure_node('default', seconds=3.0, rates_hz=(100.0,))
    assert found['expected'] == 300
    # A busy machine may lose some; how many is not for a test to say.
    assert 0 < len(found['latency_ms']) == found['expected'] - found['lost']
    assert min(found['latency_ms']) > 0.0
    assert f'{found["expected"]}' in node_table([found])
