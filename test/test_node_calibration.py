# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibrate the real node over its services, save, restart, and estimate without calibrating."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from node_process import PERIOD_NS, NodeProcess, Wearer, estimator_process, write_model
from walking_sensors import random_rotation, walk

from sspinnpose_ros.core.calibration_file import FORMAT, VERSION, load_calibration
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig

pytestmark = pytest.mark.ros

ERROR = bytes([2])
START_NS = 1_700_000_000 * 10**9


def strapped_on(*, standing_s: float, seconds: float) -> np.ndarray:
    """Return (T, 7, 6) of a walker whose sensors are turned at random."""
    worn = walk(seconds=seconds, standing_s=standing_s)
    generator = np.random.default_rng(5)
    samples = np.concatenate([worn.acceleration, worn.angular_rate], -1)
    for row in range(len(SENSORS)):
        turn = random_rotation(generator)
        for part in (slice(0, 3), slice(3, 6)):
            samples[:, row, part] = samples[:, row, part] @ turn.T
    return samples + 0.02 * generator.normal(size=samples.shape)


def parameters(folder: Path) -> dict[str, object]:
    return {
        'model': folder / 'model',
        'use_sim_time': 'true',
        'settle_s': 0.1,
        'calibration_output': folder / 'saved' / 'calibration.yaml',
    }


def pipeline_efforts(samples: np.ndarray, folder: Path) -> np.ndarray:
    """Return (T, 6) what the pipeline gives with the saved calibration."""
    calibration = load_calibration(folder / 'saved' / 'calibration.yaml')
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Estimator(
            model=load_model(folder / 'model'),
            subject=make_subject(mass_kg=75.0, height_m=1.75),
            mounting=calibration.mounting,
        ),
    )
    found = []
    for index, instant in enumerate(samples):
        time_s = 0.01 * index
        for sensor, sample in zip(SENSORS, instant, strict=True):
            pipeline.push(sensor=sensor, stamp_s=time_s, sample=sample, arrival_s=time_s)
        found += [o.estimate.effort for o in pipeline.drain(now_s=time_s) if o.estimate]
    return np.array(found)


def error_said(wearer: Wearer, words: str) -> str:
    """Return the newest ERROR of the status that holds some words, empty without one."""
    said = [s.message for s in wearer.received['human/status'] if s.level == ERROR]
    return next((message for message in said[::-1] if words in message), '')


def led_to_the_call(wearer: Wearer, node: NodeProcess, samples: np.ndarray) -> int:
    """Stand and walk until the node says that it is enough; return the time then in ns."""
    now_ns = START_NS
    wearer.play_in_step(samples[:50], start_ns=now_ns, answer=None)
    now_ns += 50 * PERIOD_NS
    wearer.wait_for(lambda: error_said(wearer, 'not calibrated'), 'the status')
    refused = wearer.call('sspinnpose/calibrate')
    assert not refused.success
    assert 'expected some standing and twenty seconds of walking' in refused.message
    assert 'no calibration yet' in wearer.call('sspinnpose/save_calibration').message
    wearer.play_in_step(samples[50:-100], start_ns=now_ns, answer=None)
    now_ns += PERIOD_NS * (len(samples) - 150)
    # The node looks at what there is once a second.
    for row in range(len(samples) - 100, len(samples)):
        if 'Call ~/calibrate' in node.log and error_said(wearer, 'calibrate'):
            break
        wearer.play_in_step(samples[row : row + 1], start_ns=now_ns, answer=None)
        now_ns += PERIOD_NS
    assert not wearer.received['human/joint_states']
    return now_ns


@pytest.mark.parametrize(
    ('standing_s', 'verdict', 'words'),
    [
        (1.5, 'Calibration good', 'quiet standing'),
        (0.0, 'Calibration usable', 'from walking alone; expect them within about 6 degrees'),
    ],
)
def test_a_calibration_is_led_to_judged_saved_and_survives_a_restart(
    standing_s: float, verdict: str, words: str, domain: int, tmp_path: Path
) -> None:
    write_model(tmp_path / 'model')
    samples = strapped_on(standing_s=standing_s, seconds=15.0 + standing_s)
    with estimator_process(domain, parameters(tmp_path)) as node:
        wearer = Wearer(domain)
        try:
            wearer.wait_until_heard()
            now_ns = led_to_the_call(wearer, node, samples)
            assert 'Call ~/calibrate' in node.log
            answer = wearer.call('sspinnpose/calibrate')
            assert answer.success, answer.message
            assert answer.message.startswith(verdict)
            assert words in answer.message
            assert 'strides of 1.10 s' in answer.message
            wearer.play_in_step(samples[-60:], start_ns=now_ns)
            assert wearer.received['human/joint_states']
            saved = wearer.call('sspinnpose/save_calibration')
            assert saved.success
            assert str(tmp_path / 'saved' / 'calibration.yaml') in saved.message
        finally:
            wearer.close()
    assert node.process.returncode == 0, node.log
    path = tmp_path / 'saved' / 'calibration.yaml'
    content = yaml.safe_load(path.read_text())
    assert (content['format'], content['version']) == (FORMAT, VERSION)
    assert ' '.join(load_calibration(path).sentences) == answer.message

    expected = pipeline_efforts(samples[-80:], tmp_path)
    with estimator_process(domain, {**parameters(tmp_path), 'calibration': path}) as node:
        wearer = Wearer(domain)
        try:
            wearer.wait_until_heard()
            wearer.get_in_step(samples[-80], until_ns=START_NS)
            wearer.play_in_step(samples[-80:], start_ns=START_NS)
            seen = np.array([state.effort for state in wearer.received['human/joint_states']])
        finally:
            wearer.close()
    assert 'mounting of the sensors is unknown' not in node.log
    np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-9)


def test_a_file_of_another_version_stops_the_start(domain: int, tmp_path: Path) -> None:
    write_model(tmp_path / 'model')
    path = tmp_path / 'calibration.yaml'
    path.write_text(f'format: {FORMAT}\nversion: {VERSION + 1}\n')
    with estimator_process(domain, {**parameters(tmp_path), 'calibration': path}) as node:
        assert node.wait() == 1, node.log
    assert (
        f'version is {VERSION + 1}, expected 1 or {VERSION}; a newer release made it' in node.log
    )
    assert 'Traceback' not in node.log
