# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A real controller beside a real estimator lets go when the estimate ends, however it ends."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from diagnostic_msgs.msg import DiagnosticStatus
from made_recordings import swinging
from node_process import (
    PATIENCE_S,
    NodeProcess,
    Wearer,
    estimator_process,
    ros_process,
    stamps_of,
    write_wearer,
)
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from sspinnpose_ros.core.conventions import JOINTS, SENSORS

pytestmark = pytest.mark.ros

OK, WARN, ERROR, STALE = (bytes([level]) for level in range(4))
ASSISTED = ('hip_flexion_r', 'knee_angle_l')
LIMIT_NM, SLOPE_NM_S, FADE_S, TIMEOUT_S = 6.0, 60.0, 0.4, 0.2
CLOCKS_S = 0.05
"""How far apart two clocks of one machine may be read."""


@pytest.fixture(scope='module')
def long_samples() -> np.ndarray:
    """Return (T, 7, 6) of 40 s of slowly swinging segments."""
    series = swinging(seconds=40.0)
    return np.stack([series[sensor].sample for sensor in SENSORS], 1)


@pytest.fixture
def estimator(domain: int, tmp_path: Path) -> Iterator[NodeProcess]:
    parameters = {
        **write_wearer(tmp_path),
        'settle_s': 0.1,
        # A busy machine may hold the controller up for a moment.
        'exo.timeout_s': 0.5,
        **{f'exo.{joint}.name': joint for joint in ASSISTED},
    }
    with estimator_process(domain, parameters) as process:
        yield process
    assert 'Traceback' not in process.log


@pytest.fixture
def controller(domain: int) -> Iterator[NodeProcess]:
    parameters = {
        'joints': f'[{", ".join(ASSISTED)}]',
        'gain': 0.3,
        'limit_nm': LIMIT_NM,
        'slope_nm_s': SLOPE_NM_S,
        'fade_s': FADE_S,
        'timeout_s': TIMEOUT_S,
        'return_s': 0.2,
    }
    with ros_process('assist_example', domain, parameters) as process:
        yield process
    assert process.process.returncode == 0, process.log
    assert 'Traceback' not in process.log


@pytest.fixture
def wearer(domain: int, estimator: NodeProcess, controller: NodeProcess) -> Iterator[Wearer]:
    wearer = Wearer(domain)
    wearer.listen('exo/torque_command', Float64MultiArray, 100)
    wearer.listen('exo/joint_states', JointState, 100)
    wearer.listen('human/joint_states_total', JointState, 100)
    wearer.wait_until_heard()
    wearer.wait_for(lambda: wearer.received['exo/torque_command'], 'the first command')
    yield wearer
    wearer.close()


def reported(wearer: Wearer) -> tuple[np.ndarray, np.ndarray]:
    """Return stamps (T,) in s and torques (T, 2) that the controller told the estimator."""
    messages = list(wearer.received['exo/joint_states'])
    return 1e-9 * stamps_of(messages), np.array([message.effort for message in messages])


def assisting(wearer: Wearer) -> bool:
    return any(abs(torque) > 0.2 for torque in wearer.received['exo/torque_command'][-1].data)


def play_until(wearer: Wearer, samples: np.ndarray, condition: Callable[[], bool]) -> int:
    """Play until a condition holds, and return how many samples that took."""
    for begin in range(0, len(samples) - 100, 20):
        if condition():
            return begin
        wearer.play(samples[begin : begin + 20], rest_s=0.0)
    raise AssertionError('the samples ended before the condition held')


def now_s(wearer: Wearer) -> float:
    return 1e-9 * wearer.node.get_clock().now().nanoseconds


def require_gone(wearer: Wearer, *, ended_s: float) -> None:
    """Require zero torque from `FADE_S` after an end on, and a bounded slope throughout."""
    wearer.wait_for(lambda: reported(wearer)[0][-1] > ended_s + FADE_S + 0.5, 'later commands')
    stamp_s, torque = reported(wearer)
    assert not torque[stamp_s > ended_s + FADE_S + CLOCKS_S].any()
    require_bounded(wearer)


def require_bounded(wearer: Wearer) -> None:
    """Require torques within their limit and their slope, over all that was commanded."""
    stamp_s, torque = reported(wearer)
    assert torque.any()
    assert np.isfinite(torque).all()
    assert np.abs(torque).max() <= LIMIT_NM
    # A stamp is read a moment after the torque was decided.
    most = SLOPE_NM_S * (np.diff(stamp_s) + CLOCKS_S)
    assert (np.abs(np.diff(torque, axis=0)).max(1) <= most).all()


def test_torque_is_zero_before_the_first_ok_and_the_share_of_the_person_lacks_it(
    wearer: Wearer, long_samples: np.ndarray
) -> None:
    played = play_until(wearer, long_samples, lambda: assisting(wearer))
    wearer.play(long_samples[played : played + 50])
    first_ok = next(s for s in wearer.received['human/status'] if s.level == OK)
    stamp = next(float(each.value) for each in first_ok.values if each.key == 'stamp')
    stamp_s, torque = reported(wearer)
    assert not torque[stamp_s < stamp].any()
    total = {
        int(stamp): np.array(message.effort)
        for stamp, message in zip(
            stamps_of(wearer.received['human/joint_states_total']),
            wearer.received['human/joint_states_total'],
            strict=True,
        )
    }
    rows = [JOINTS.index(joint) for joint in ASSISTED]
    compared = 0
    for message, stamp in zip(
        wearer.received['human/joint_states'],
        stamps_of(wearer.received['human/joint_states']),
        strict=True,
    ):
        nearby = np.abs(stamp_s - 1e-9 * stamp) < 0.02
        if int(stamp) not in total or not torque[nearby].any():
            continue
        device = (total[int(stamp)] - np.array(message.effort))[rows]
        assert (device >= torque[nearby].min(0) - 1.0).all()
        assert (device <= torque[nearby].max(0) + 1.0).all()
        compared += 1
    assert compared > 0


def test_killing_the_estimator_takes_the_torque_to_zero(
    wearer: Wearer, estimator: NodeProcess, controller: NodeProcess, long_samples: np.ndarray
) -> None:
    played = play_until(wearer, long_samples, lambda: assisting(wearer))
    wearer.play(long_samples[played : played + 50], rest_s=0.0)
    estimator.process.send_signal(signal.SIGKILL)
    estimator.process.wait(timeout=PATIENCE_S)
    ended_s = now_s(wearer)
    # The sensors do not know.
    wearer.play(long_samples[played + 50 : played + 100], rest_s=0.0)
    require_gone(wearer, ended_s=ended_s)
    wearer.wait_for(lambda: 'Not assisting' in controller.lines[-1], 'the remark')


def test_silent_sensors_take_the_torque_to_zero(wearer: Wearer, long_samples: np.ndarray) -> None:
    played = play_until(wearer, long_samples, lambda: assisting(wearer))
    wearer.play(long_samples[played : played + 30], rest_s=0.0)
    ended_s = now_s(wearer)
    # The last estimates still wait for samples that never come.
    wearer.wait_for(lambda: wearer.received['human/status'][-1].level == STALE, 'the status STALE')
    require_gone(wearer, ended_s=ended_s + TIMEOUT_S)


def test_a_controller_that_is_told_to_stop_lets_go_first(
    wearer: Wearer, controller: NodeProcess, long_samples: np.ndarray
) -> None:
    played = play_until(wearer, long_samples, lambda: assisting(wearer))
    controller.process.send_signal(signal.SIGTERM)
    wearer.play(long_samples[played : played + 100])
    assert controller.wait() == 0
    wearer.spin(0.3)
    assert not reported(wearer)[1][-1].any()
    assert list(wearer.received['exo/torque_command'][-1].data) == [0.0, 0.0]
    require_bounded(wearer)


class FakeEstimator:
    """Speak to a controller on a /clock of its own, as an estimator would."""

    def __init__(self, domain: int) -> None:
        self.wearer = Wearer(domain, namespace='/fake')
        self.wearer.listen('exo/torque_command', Float64MultiArray, 100)
        node = self.wearer.node
        self._status = node.create_publisher(DiagnosticStatus, 'human/status', 10)
        self._states = node.create_publisher(JointState, 'human/joint_states', 10)
        self._now_ns = 1_700_000_000 * 10**9

    @property
    def torque(self) -> list[float]:
        return list(self.wearer.received['exo/torque_command'][-1].data)

    def speak(
        self,
        *,
        level: bytes | None = OK,
        effort: float | None = 10.0,
        joints: Sequence[str] = ASSISTED,
        age_s: float = 0.005,
        step_s: float = 0.01,
    ) -> None:
        """Send an estimate and its status, and let time go on."""
        if step_s:
            self._now_ns += round(1e9 * step_s)
            self.wearer.tell_time(self._now_ns)
        if effort is not None:
            state = JointState(name=list(joints), effort=[effort] * len(joints))
            stamp_ns = self._now_ns - round(1e9 * age_s)
            state.header.stamp.sec, state.header.stamp.nanosec = divmod(stamp_ns, 10**9)
            self._states.publish(state)
        if level is not None:
            self._status.publish(DiagnosticStatus(level=level, message='as told'))
        self.wearer.spin(0.01)

    def speak_until(self, condition: Callable[[], bool], **how: Any) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, 'the torque did not follow'
            self.speak(**how)


def test_every_way_to_lose_the_estimate_ends_at_zero(domain: int) -> None:
    parameters = {
        'joints': f'[{", ".join(ASSISTED)}]',
        'gain': 0.3,
        'return_s': 0.1,
        'timeout_s': 0.5,
        'fade_s': 0.8,
        'use_sim_time': 'true',
    }
    endings: Mapping[str, Mapping[str, Any]] = {
        'WARN': {'level': WARN},
        'ERROR': {'level': ERROR},
        'STALE without estimates': {'level': STALE, 'effort': None},
        'efforts alone': {'level': None},
        'status alone': {'effort': None},
        'old efforts': {'age_s': 0.7},
        'efforts of the future': {'age_s': -0.7},
        'not a number': {'effort': math.nan},
        'a joint is missing': {'joints': ASSISTED[:1]},
        'time and all else stand still': {'level': None, 'effort': None, 'step_s': 0.0},
        'a clock that jumps': {'level': None, 'effort': None, 'step_s': -1000.0},
    }
    with ros_process('assist_example', domain, parameters, '-r', '__ns:=/fake') as controller:
        fake = FakeEstimator(domain)
        try:
            commands = fake.wearer.received['exo/torque_command']
            fake.wearer.wait_for(lambda: commands, 'the first command')
            for name, ending in endings.items():
                fake.speak_until(lambda: fake.torque == [3.0, 3.0])
                fake.speak_until(lambda: fake.torque == [0.0, 0.0], **ending)
                before = len(commands)
                for _ in range(20):
                    fake.speak(**ending)
                assert not any(any(each.data) for each in commands[before:]), name
        finally:
            fake.wearer.close()
    assert controller.process.returncode == 0, controller.log
    assert 'Traceback' not in controller.log


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'joints': '[hip]'}, ("['hip']", 'each once')),
        ({'gain': 2.0}, ('gain is 2.0', 'from 0 to 0.5')),
        ({'limit_nm': 90.0}, ('slope_nm_s is 100', 'at least 90 N m in 0.2 s')),
        ({'fade': 0.3}, ('There is no parameter fade', 'perhaps fade_s')),
    ],
    ids=str,
)
def test_what_cannot_be_ends_in_one_sentence(
    domain: int, given: dict[str, object], words: tuple[str, ...]
) -> None:
    with ros_process('assist_example', domain, given, '-r', '__ns:=/bad') as process:
        assert process.wait() == 1, process.log
    assert 'Traceback' not in process.log
    (line,) = [line for line in process.lines if 'expected' in line]
    assert all(word in line for word in words), line
