# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Let sensors of a walker fall silent, stamp late or lose their clocks before a real node."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from made_recordings import SUBJECT
from node_process import PERIOD_NS, Wearer, estimator_process, stamps_of
from walking_sensors import walk

from sspinnpose_ros.core.conventions import JOINTS, SENSORS

pytestmark = pytest.mark.ros

WARN, STALE = bytes([1]), bytes([3])
GONE = 'shank_r'


@pytest.fixture(scope='module')
def samples() -> np.ndarray:
    """Return (T, 7, 6) of a walker, x forward, y up, z right."""
    worn = walk(seconds=11.0)
    turned = [
        np.stack([part[..., 0], part[..., 2], -part[..., 1]], -1)
        for part in (worn.acceleration, worn.angular_rate)
    ]
    return np.concatenate(turned, -1)


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    path = tmp_path / 'subject.yaml'
    path.write_text(SUBJECT)
    return path


def missing(status: Any) -> str:
    return str(next(value.value for value in status.values if value.key == 'missing'))


def age_ms(status: Any) -> float:
    return float(next(value.value for value in status.values if value.key == 'age_ms'))


def require_new_and_finite(states: list[Any]) -> None:
    assert (np.diff(stamps_of(states)) > 0).all()
    for state in states:
        for values in (state.position, state.velocity, state.effort):
            assert len(values) == len(JOINTS)
            assert np.isfinite(values).all()


def test_a_sensor_is_masked_and_taken_back_and_too_few_stop_all(
    domain: int, subject: Path, samples: np.ndarray
) -> None:
    """With the shipped model, over real messages: silence, return, and then too little."""
    parameters = {'subject': subject, 'sensor_timeout_s': 0.3, 'rejoin_s': 0.8}
    with estimator_process(domain, parameters, '-r', '__ns:=/worn') as process:
        wearer = Wearer(domain, namespace='/worn')
        states, statuses = (
            wearer.received['human/joint_states'],
            wearer.received['human/status'],
        )
        try:
            wearer.wait_until_heard()
            # Without a pause in between, after which the estimate would start afresh.
            end_ns = wearer.play(samples[:300], rest_s=0.0)[-1]
            wearer.wait_for(lambda: statuses, 'the status')
            assert missing(statuses[-1]) == '', process.log

            statuses.clear()
            states.clear()
            without = [sensor for sensor in SENSORS if sensor != GONE]
            end_ns = wearer.play(
                samples[300:420], sensors=without, start_ns=end_ns + PERIOD_NS, rest_s=0.0
            )[-1]
            assert len(states) > 60
            assert missing(statuses[-1]) == GONE
            assert statuses[-1].level == WARN
            assert f'estimated without {GONE}' in statuses[-1].message

            # It has to be there for a while first, and is then used again.
            statuses.clear()
            wearer.play(samples[420:800], start_ns=end_ns + PERIOD_NS, rest_s=0.0)
            returning = [s for s in statuses if f'{GONE} back, but not yet' in s.message]
            assert returning
            assert {missing(status) for status in returning} == {GONE}
            assert missing(statuses[-1]) == ''
            require_new_and_finite(states)

            states.clear()
            stamps = wearer.play(samples[800:900], sensors=SENSORS[:2], rest_s=0.5)
            assert statuses[-1].level == STALE
            assert all(s.level != STALE for s in statuses[:100])
            left = stamps_of(states)
            assert not len(left) or left[-1] < stamps[0] + 30 * PERIOD_NS
            assert len(left) < 30
            assert any('too few sensors' in status.message for status in statuses)
        finally:
            wearer.close()
    assert process.process.returncode == 0, process.log


def test_the_end_of_estimates_is_said_at_once(
    domain: int, subject: Path, samples: np.ndarray
) -> None:
    """Nobody has to wait for `stale_after_s` where the reason is known."""
    parameters = {'subject': subject, 'stale_after_s': 60.0}
    with estimator_process(domain, parameters, '-r', '__ns:=/at_once') as process:
        wearer = Wearer(domain, namespace='/at_once')
        try:
            wearer.wait_until_heard()
            wearer.play(samples[:50])
            statuses = wearer.received['human/status']
            assert {status.level for status in statuses} == {WARN}
            wearer.play(samples[50:150], sensors=SENSORS[:2])
            (said,) = [status for status in statuses if status.level == STALE]
            assert 'too few sensors' in said.message
        finally:
            wearer.close()
    assert process.process.returncode == 0, process.log


def test_nothing_old_is_called_right_after_a_stall(
    domain: int, subject: Path, samples: np.ndarray
) -> None:
    """What waits in queues while the node is stopped is skipped, or marked with its age."""
    parameters = {'subject': subject, 'max_lag_s': 0.2}
    with estimator_process(domain, parameters, '-r', '__ns:=/stalled') as process:
        wearer = Wearer(domain, namespace='/stalled')
        try:
            wearer.wait_until_heard()
            end_ns = wearer.play(samples[:450])[-1]
            statuses = wearer.received['human/status']
            usual = min(age_ms(status) for status in statuses if status.level != STALE)
            statuses.clear()
            process.process.send_signal(signal.SIGSTOP)
            try:
                wearer.play(samples[450:500], start_ns=end_ns + PERIOD_NS, rest_s=0.0)
            finally:
                process.process.send_signal(signal.SIGCONT)
            # Stamped anew, or what the wearer itself is behind would count as age.
            wearer.play(samples[500:700])
            estimated = [status for status in statuses if status.level != STALE]
            assert len(estimated) > 100
            for status in estimated:
                if age_ms(status) - usual > 250.0:
                    assert status.level == WARN, status
                    assert 'late by' in status.message
            assert min(age_ms(status) for status in estimated[-100:]) - usual < 250.0
        finally:
            wearer.close()
    assert process.process.returncode == 0, process.log


@pytest.mark.parametrize('offset_s', [0.0, -0.4])
def test_a_sensor_that_stamps_ahead_needs_its_offset(
    domain: int, subject: Path, samples: np.ndarray, offset_s: float
) -> None:
    """Stamps of the future are refused, unless the parameter takes them back."""
    parameters = {'subject': subject, 'imu.foot_l.time_offset_s': offset_s}
    with estimator_process(domain, parameters, '-r', '__ns:=/ahead') as process:
        wearer = Wearer(domain, namespace='/ahead')
        try:
            wearer.wait_until_heard()
            begin, start_ns = time.monotonic(), wearer.node.get_clock().now().nanoseconds
            for index, instant in enumerate(samples[:200]):
                stamp = start_ns + index * PERIOD_NS
                for row, sensor in enumerate(SENSORS):
                    ahead = 400_000_000 * (sensor == 'foot_l')
                    wearer.publish(sensor, stamp + ahead, instant[row])
                wearer.spin(max(0.0, begin + 0.01 * (index + 1) - time.monotonic()))
            wearer.spin(0.1)
            require_new_and_finite(wearer.received['human/joint_states'])
            last = [s for s in wearer.received['human/status'] if s.level != STALE][-1]
            assert missing(last) == ('foot_l' if offset_s == 0.0 else '')
        finally:
            wearer.close()
    assert process.process.returncode == 0, process.log


def test_bursts_of_dead_clocks_are_spread_onto_the_grid(
    domain: int, subject: Path, samples: np.ndarray
) -> None:
    """Every 40 ms come four samples of each sensor, all stamped with zero."""
    parameters = {'subject': subject, 'stamps': 'arrival'}
    with estimator_process(domain, parameters, '-r', '__ns:=/dead') as process:
        wearer = Wearer(domain, namespace='/dead')
        try:
            wearer.wait_until_heard()
            begin = time.monotonic()
            for index, instant in enumerate(samples[:400]):
                for row, sensor in enumerate(SENSORS):
                    wearer.publish(sensor, 0, instant[row])
                if index % 4 == 3:
                    wearer.spin(max(0.0, begin + 0.01 * (index + 1) - time.monotonic()))
            wearer.spin(0.2)
            states = wearer.received['human/joint_states']
            require_new_and_finite(states)
            steps = np.diff(stamps_of(states))[-200:] / PERIOD_NS
            assert len(states) > 250
            assert np.median(steps) == pytest.approx(1.0, abs=1e-3)
            last = [s for s in wearer.received['human/status'] if s.level != STALE][-1]
            assert missing(last) == ''
        finally:
            wearer.close()
    assert process.process.returncode == 0, process.log
