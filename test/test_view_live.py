# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watch a real node through `sspinnpose view`, from its topics to a real browser."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from browser import CHROMIUM, MISSING, browser
from made_recordings import SUBJECT
from node_process import PATIENCE_S, Wearer, estimator_process, write_model
from test_view import view_process

from sspinnpose_ros.cli.private_domain import domain_environment
from sspinnpose_ros.core.conventions import JOINTS, SENSORS
from sspinnpose_ros.evaluation.view_rows import COLUMNS
from sspinnpose_ros.ros.conversions import TFMessage, stamp_ns

pytestmark = pytest.mark.ros

START_NS = 1_700_000_000 * 10**9
FRAMES = 150
NAMESPACE = 'anna'


class Listener:
    """Read the events of a page as they come."""

    def __init__(self, url: str) -> None:
        host = url.removeprefix('http://').rstrip('/')
        self._connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
        self._connection.request('GET', '/events')
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        kind = ''
        for line in self._answer:
            word, _, rest = line.decode().rstrip('\n').partition(': ')
            if word == 'event':
                kind = rest
            elif word == 'data':
                self.heard[kind].append(json.loads(rest))

    def rows(self) -> np.ndarray:
        """Return all rows so far, (n, len(COLUMNS))."""
        rows = [row for some in self.heard['rows'] for row in some]
        return np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS))

    def wait_for(self, kind: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not self.heard[kind]:
            assert time.monotonic() < end, f'no event {kind} came within {PATIENCE_S} s'
            time.sleep(0.02)

    def join(self) -> None:
        self._thread.join(timeout=PATIENCE_S)
        assert not self._thread.is_alive()
        self._connection.close()


@pytest.fixture(scope='module')
def watched(
    tmp_path_factory: pytest.TempPathFactory, domain: int, samples: np.ndarray
) -> Iterator[tuple[Wearer, Listener, str]]:
    """Play a wearer to a node in a namespace, beside one without, and watch the first."""
    folder = tmp_path_factory.mktemp('live')
    write_model(folder / 'model')
    (folder / 'subject.yaml').write_text(SUBJECT)
    parameters = {
        'model': folder / 'model',
        'subject': folder / 'subject.yaml',
        'use_sim_time': 'true',
        'settle_s': 0.3,
        'frame_prefix': f'{NAMESPACE}_',
    }
    others = {**parameters, 'frame_prefix': '""'}
    with ExitStack() as stack:
        stack.enter_context(estimator_process(domain, parameters, '-r', f'__ns:=/{NAMESPACE}'))
        stack.enter_context(estimator_process(domain, others))
        view = stack.enter_context(
            view_process('--namespace', NAMESPACE, env=dict(domain_environment(domain)))
        )
        url = view.url()
        listener = Listener(url)
        wearer, other = Wearer(domain, namespace=NAMESPACE), Wearer(domain)
        for each in (wearer, other):
            stack.callback(each.close)
            each.wait_until_heard()
        wearer.wait_for(lambda: listener.heard['robot'], 'the robot description')
        # Rates are told from the second message on.
        wearer.wait_for(lambda: listener.heard['diagnostics'], 'the first diagnostics')
        wearer.get_in_step(samples[0], until_ns=START_NS)
        other.publish_instant(START_NS, samples[0])
        listener.heard['rows'].clear()
        diagnostics = listener.heard['diagnostics']
        wearer.play_in_step(samples[:FRAMES], start_ns=START_NS)
        wearer.wait_for(
            lambda: any(each['sensors']['pelvis']['rate_hz'] for each in diagnostics),
            'diagnostics of sensors that speak',
        )
        wearer.wait_for(
            lambda: len(listener.rows()) >= len(wearer.received['human/joint_states']) > 100,
            'rows of all estimates',
        )
        yield wearer, listener, url
        code, err = view.end()
        assert code == 130
        assert 'Traceback' not in err
        listener.join()


def test_rows_are_what_the_node_published(watched: tuple[Wearer, Listener, str]) -> None:
    wearer, listener, _ = watched
    rows = listener.rows()
    states = {stamp_ns(each.header.stamp): each for each in wearer.received['human/joint_states']}
    sigmas = {stamp_ns(each.header.stamp): each for each in wearer.received['human/uncertainty']}
    stamps = sorted(states)
    # Times count from the first stamp that was heard.
    shift = rows[-1, 0] - 1e-9 * (stamps[-1] - stamps[0])
    by_time = {round(100 * (row[0] - shift)): row for row in rows}
    matched = 0
    for stamp in stamps:
        row = by_time.get(round(1e-7 * (stamp - stamps[0])))
        if row is None:
            continue
        matched += 1
        for index, joint in enumerate(JOINTS):
            for name, value in (
                (f'angle_{joint}', states[stamp].position[index]),
                (f'moment_{joint}', states[stamp].effort[index]),
                (f'sigma_angle_{joint}', sigmas[stamp].position[index]),
            ):
                assert row[COLUMNS.index(name)] == pytest.approx(value, abs=1e-4), name
    assert matched > 0.9 * len(stamps)


def test_forces_are_turned_into_the_world(watched: tuple[Wearer, Listener, str]) -> None:
    wearer, listener, _ = watched
    rows = listener.rows()
    for side in 'rl':
        wrenches = wearer.received[f'human/wrench/foot_{side}']
        sizes = [np.hypot(each.wrench.force.x, each.wrench.force.z) for each in wrenches]
        columns = [COLUMNS.index(f'grf_{way}_{side}') for way in ('forward', 'up')]
        shown = np.linalg.norm(rows[:, columns], axis=-1)
        assert np.isfinite(shown).mean() > 0.9
        assert np.nanmedian(shown) == pytest.approx(np.median(sizes), rel=0.05)
    if TFMessage is not None:
        assert np.ptp(rows[:, COLUMNS.index('position_pelvis_forward')]) > 0.0
        assert np.ptp(rows[:, COLUMNS.index('angle_pelvis_tilt')]) > 0.0


def test_the_robot_is_the_one_of_the_namespace(watched: tuple[Wearer, Listener, str]) -> None:
    robot = watched[1].heard['robot'][-1]
    assert robot['prefix'] == f'{NAMESPACE}_'
    assert robot['mass_kg'] == pytest.approx(70.0)
    if TFMessage is not None:
        assert set(robot['sensors']) == set(SENSORS)
        assert robot['sensors']['foot_l']['link'] == 'foot_l'


def test_status_and_diagnostics_are_told(watched: tuple[Wearer, Listener, str]) -> None:
    wearer, listener, _ = watched
    messages = {each.message for each in wearer.received['human/status']}
    estimating = {each['message'] for each in listener.heard['status'] if each['level'] in (0, 1)}
    assert estimating
    assert estimating <= messages
    published = [
        {pair.key: pair.value for pair in status.values}
        for each in wearer.received['/diagnostics']
        for status in each.status
        if status.name == f'{NAMESPACE}/sspinnpose: estimator'
    ]
    latencies = {float(each['latency_p99_ms']) for each in published if each['latency_p99_ms']}
    told_latencies = {each['latency_p99_ms'] for each in listener.heard['diagnostics']} - {None}
    assert told_latencies
    assert told_latencies <= latencies
    assert all(set(each['sensors']) == set(SENSORS) for each in listener.heard['diagnostics'])
    # The other node, whose sensors hardly spoke, is not this wearer's.
    told = [
        each['sensors']['pelvis']['message']
        for each in listener.heard['diagnostics']
        if each['sensors']['pelvis']['rate_hz']
    ]
    assert told
    assert all(text.startswith('heard') for text in told)


@pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
def test_a_browser_shows_the_live_node(
    watched: tuple[Wearer, Listener, str], samples: np.ndarray
) -> None:
    wearer, listener, url = watched
    with browser() as page:
        page.open(url)
        page.wait_for("document.getElementById('level').innerText === 'STALE'")
        page.wait_for('Object.keys(sspinnpose.wearer.links).length === 9')
        wearer.play_in_step(samples[FRAMES : FRAMES + 50], start_ns=START_NS + 10_000_000 * FRAMES)
        page.wait_for('sspinnpose.source.count > 20')
        last = listener.rows()[-1]
        expected = [np.rad2deg(last[COLUMNS.index(f'angle_knee_angle_{side}')]) for side in 'rl']
        page.wait_for(
            f'Math.abs(sspinnpose.source.at(sspinnpose.source.index)[{COLUMNS.index("time")}]'
            f' - {last[0]}) < 0.005'
        )
        shown = "[...document.querySelectorAll('[data-quantity=angle_knee_angle] output')]"
        for index, value in enumerate(expected):
            page.wait_for(f'Math.abs({shown}[{index}].value.slice(2) - {value}) < 0.06')
        page.wait_for("document.querySelector('[data-sensor=pelvis] td:last-child').innerText")
        assert page.run("document.getElementById('slider').checkVisibility()") is False
        # Then the wearer is silent.
        page.wait_for("document.getElementById('level').innerText === 'STALE'")
        end_ns = START_NS + 10_000_000 * (FRAMES + 50)
        for second in range(1, 6):
            wearer.tell_time(end_ns + second * 10**9)
            wearer.spin(0.5)
        page.wait_for("document.querySelector('[data-sensor=pelvis]').dataset.level === 'STALE'")
        assert all(each == 'about:blank' or each.startswith(url) for each in page.requested())
        assert page.complaints() == []


def test_a_listener_that_dies_is_told(domain: int) -> None:
    with view_process(env=dict(domain_environment(domain))) as view:
        listener = Listener(view.url())
        children = Path(f'/proc/{view.process.pid}/task/{view.process.pid}/children')
        (child,) = children.read_text().split()
        os.kill(int(child), signal.SIGKILL)
        listener.wait_for('ended')
        assert 'ended with code -9' in listener.heard['ended'][0]['message']
        code, err = view.end()
        assert code == 130
        assert 'The listener to the node ended with code -9' in err
