# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Wear a device with the real node: its torque over a real topic, the shares over two others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from made_recordings import SUBJECT
from node_process import (
    PERIOD_NS,
    NodeProcess,
    Wearer,
    estimator_process,
    stamps_of,
    write_model,
)
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import JointState

from sspinnpose_ros.core.conventions import JOINTS, SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.subject import load_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig

pytestmark = pytest.mark.ros

OK, WARN = bytes([0]), bytes([1])
HIP, KNEE = JOINTS.index('hip_flexion_r'), JOINTS.index('knee_angle_l')
TIMEOUT_S = 0.1

START_NS = 1_700_000_000 * 10**9
played: list[None] = []
"""One for every instant so far, as time goes on from test to test."""

Torque = Callable[[float], Mapping[str, float]]


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('device')
    write_model(folder / 'model')
    (folder / 'subject.yaml').write_text(SUBJECT)
    return folder


def parameters(files: Path) -> dict[str, object]:
    return {
        'model': files / 'model',
        'subject': files / 'subject.yaml',
        'settle_s': 0.1,
        'use_sim_time': 'true',
        'exo.hip_flexion_r.name': 'right_hip',
        'exo.knee_angle_l.name': 'left_knee',
        'exo.knee_angle_l.factor': -2.0,
        'exo.timeout_s': TIMEOUT_S,
    }


@pytest.fixture(scope='module')
def node(domain: int, files: Path) -> Iterator[NodeProcess]:
    with estimator_process(domain, parameters(files)) as process:
        yield process
        assert process.process.poll() is None, process.log
    assert process.process.returncode == 0
    assert 'Traceback' not in process.log


@pytest.fixture(scope='module')
def wearer(domain: int, node: NodeProcess, samples: np.ndarray) -> Iterator[Wearer]:
    wearer = Wearer(domain)
    wearer.listen('human/joint_states_total', JointState, 100)
    wearer.device = wearer.node.create_publisher(
        JointState, 'exo/joint_states', qos_profile_sensor_data
    )
    wearer.wait_until_heard()
    wearer.wait_for(wearer.device.get_subscription_count, 'the listener to the device')
    wearer.get_in_step(samples[0], until_ns=START_NS)
    yield wearer
    wearer.close()


def applied(time_s: float) -> dict[str, float]:
    """Return the known torque along our joints, N m."""
    return {
        'hip_flexion_r': 20.0 * math.sin(4.0 * time_s),
        'knee_angle_l': 7.0 + 12.0 * math.cos(3.0 * time_s),
    }


def reported(time_s: float) -> dict[str, float]:
    """Return the same in the names, signs and units of the device, and a joint of its own."""
    ours = applied(time_s)
    return {
        'right_hip': ours['hip_flexion_r'],
        'left_knee': ours['knee_angle_l'] / -2.0,
        'boot': math.nan,
    }


def send(wearer: Wearer, stamp_ns: int, torque: Mapping[str, float]) -> None:
    message = JointState(name=list(torque), effort=list(torque.values()))
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    wearer.device.publish(message)


def play(wearer: Wearer, samples: np.ndarray, torque: Torque | None) -> None:
    """Publish samples (T, 7, 6) and the torque half a period before each."""
    for topic in ('human/joint_states', 'human/joint_states_total', 'human/status'):
        wearer.received[topic].clear()

    def speak(stamp: int) -> None:
        if torque is not None:
            early = stamp - PERIOD_NS // 2
            send(wearer, early, torque(1e-9 * (early - START_NS)))

    begin_ns = START_NS + PERIOD_NS * len(played)
    played.extend([None] * len(samples))
    wearer.play_in_step(
        samples, start_ns=begin_ns, before=speak, answer='human/joint_states_total'
    )


def efforts(messages: list[Any]) -> dict[int, np.ndarray]:
    return {
        int(stamp): np.array(message.effort)
        for stamp, message in zip(stamps_of(messages), messages, strict=True)
    }


def pipeline_efforts(samples: np.ndarray, files: Path) -> np.ndarray:
    """Return (T, 6) what the pipeline gives without knowing of any device."""
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Estimator(
            model=load_model(files / 'model'),
            subject=load_subject(files / 'subject.yaml'),
            mounting=aligned_mounting(),
        ),
    )
    found = []
    for index, instant in enumerate(samples):
        time_s = 0.01 * index
        for sensor, sample in zip(SENSORS, instant, strict=True):
            pipeline.push(sensor=sensor, stamp_s=time_s, sample=sample, arrival_s=time_s)
        found += [o.estimate.effort for o in pipeline.drain(now_s=time_s) if o.estimate]
    return np.array(found)


def test_the_total_is_as_without_the_device_and_the_share_lacks_its_torque(
    wearer: Wearer, samples: np.ndarray, files: Path
) -> None:
    expected = pipeline_efforts(samples[:150], files)
    # Best-effort messages may get lost on a busy machine; then it is played again.
    for _ in range(4):
        assert wearer.call('sspinnpose/reset').success
        play(wearer, samples[:150], reported)
        total = efforts(wearer.received['human/joint_states_total'])
        person = efforts(wearer.received['human/joint_states'])
        seen = np.array(list(total.values()))
        if seen.shape == expected.shape and np.allclose(seen, expected, rtol=1e-9, atol=1e-9):
            break
    np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-9)
    assert list(person) == list(total)
    off = []
    for stamp, efforts_there in person.items():
        difference = total[stamp] - efforts_there
        undriven = [row for row in range(len(JOINTS)) if row not in (HIP, KNEE)]
        np.testing.assert_array_equal(difference[undriven], 0.0)
        if stamp - min(person) < 50_000_000:
            continue
        for row in (HIP, KNEE):
            # Held while a sample is late, interpolated otherwise: never outside of what was
            # applied in between.
            now = 1e-9 * (stamp - START_NS)
            nearby = np.linspace(now - TIMEOUT_S, now + 0.01, 23)
            possible = [applied(each)[JOINTS[row]] for each in nearby]
            assert min(possible) - 0.1 <= difference[row] <= max(possible) + 0.1
            off.append(abs(difference[row] - applied(now)[JOINTS[row]]))
    # The device changes by up to 80 N m/s and speaks every 10 ms.
    assert np.median(off) < 0.9


def test_angles_of_both_topics_are_the_same(wearer: Wearer, samples: np.ndarray) -> None:
    play(wearer, samples[:50], reported)
    both = zip(
        wearer.received['human/joint_states'],
        wearer.received['human/joint_states_total'],
        strict=True,
    )
    for person, total in both:
        assert person.header.stamp == total.header.stamp
        assert list(person.name) == list(total.name) == list(JOINTS)
        assert list(person.position) == list(total.position)
        assert list(person.velocity) == list(total.velocity)


def test_a_device_that_falls_silent_is_said_and_its_joints_have_no_effort(
    wearer: Wearer, samples: np.ndarray
) -> None:
    play(wearer, samples[:100], reported)
    wearer.wait_for(lambda: wearer.received['human/status'], 'the status')
    said = [s for s in wearer.received['human/status'][-60:] if s.level in (OK, WARN)]
    assert 'device' not in said[-20].message
    play(wearer, samples[100:200], None)
    estimated = [s for s in wearer.received['human/status'] if s.level in (OK, WARN)]
    assert estimated[-1].level == WARN
    assert 'torque of the device at hip_flexion_r, knee_angle_l unknown' in estimated[-1].message
    person = wearer.received['human/joint_states'][-1].effort
    total = wearer.received['human/joint_states_total'][-1].effort
    assert person[HIP] == person[KNEE] == 0.0
    assert total[HIP] != 0.0
    assert [v for row, v in enumerate(person) if row not in (HIP, KNEE)] == [
        v for row, v in enumerate(total) if row not in (HIP, KNEE)
    ]
    play(wearer, samples[200:260], reported)
    back = wearer.received['human/joint_states'][-1].effort
    assert back[HIP] != 0.0
    assert np.isfinite(back).all()


def test_useless_torques_are_refused_in_a_sentence(
    wearer: Wearer, node: NodeProcess, samples: np.ndarray
) -> None:
    play(wearer, samples[:40], lambda time_s: {'right_hip': math.nan, 'left_knee': 1.0})
    wearer.wait_for(lambda: 'applies nan at hip_flexion_r' in node.log, 'the warning')
    for state in wearer.received['human/joint_states']:
        assert np.isfinite(state.effort).all()


def test_diagnostics_tell_of_the_device(wearer: Wearer, samples: np.ndarray) -> None:
    wearer.received['/diagnostics'].clear()
    play(wearer, samples[:220], reported)
    wearer.wait_for(lambda: wearer.received['/diagnostics'], 'diagnostics')
    entries = [s for d in wearer.received['/diagnostics'] for s in d.status]
    device = [entry for entry in entries if entry.name == 'sspinnpose: exo']
    values = {each.key: each.value for each in device[-1].values}
    assert device[-1].level == OK
    assert values['topic'] == '/exo/joint_states'
    assert values['joints'] == 'hip_flexion_r knee_angle_l'
    assert float(values['rate_hz']) > 10.0
    assert int(values['received']) >= 200


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'exo.ankle_angle_r.name': 'left_knee'}, ("'left_knee'", 'a joint of the device')),
        ({'exo.knee_angle_l.factor': 0.0}, ('exo.knee_angle_l.factor is 0',)),
        ({'exo.timeout_s': 60.0}, ('exo.timeout_s', 'from 0.005 to 1')),
        ({'exo.topic': 'bad name!'}, ('exo.topic', "'bad name!'")),
    ],
    ids=str,
)
def test_a_device_that_cannot_be_ends_in_one_sentence(
    domain: int, files: Path, given: dict[str, object], words: tuple[str, ...]
) -> None:
    with estimator_process(domain, {**parameters(files), **given}, '-r', '__ns:=/bad') as process:
        assert process.wait() == 1, process.log
    assert 'Traceback' not in process.log
    (line,) = [line for line in process.lines if 'expected' in line]
    assert all(word in line for word in words), line
