# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the page of `sspinnpose view` is given, who may ask for it, and how the command behaves."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run, write_model
from made_recordings import write_trial

from sspinnpose_ros.bags.human_topics import read_human_topics
from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.recording_estimate import estimate_rows, recorded_outcomes
from sspinnpose_ros.bags.reference import load_estimate
from sspinnpose_ros.bags.status_cdr import StatusCdr, read_verdict
from sspinnpose_ros.bags.status_log import read_status_log
from sspinnpose_ros.cli.view import recorded_page
from sspinnpose_ros.cli.view_server import MOST_LISTENERS, MOST_WAITING, PAGE, Feed, ViewServer
from sspinnpose_ros.core.body import body_from_anthropometry
from sspinnpose_ros.core.conventions import SENSORS, SIDES
from sspinnpose_ros.core.errors import SubjectError
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.pipeline import Outcome
from sspinnpose_ros.core.recent_residual import RecentResidual
from sspinnpose_ros.core.subject import load_subject
from sspinnpose_ros.core.urdf import body_urdf, described_body
from sspinnpose_ros.evaluation import view_rows
from sspinnpose_ros.evaluation.live_rows import Instant, live_row
from sspinnpose_ros.evaluation.view_rows import COLUMNS, recording_rows
from sspinnpose_ros.evaluation.view_scene import row_list

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

ROOT = Path(__file__).parents[1]
PROGRAM = 'from sspinnpose_ros.cli.main import main; main()'
PATIENCE_S = 60.0


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, a trial and its estimate."""
    folder = tmp_path_factory.mktemp('view')
    write_model(folder / 'model')
    write_trial(folder / 'trial')
    from sspinnpose_ros.cli.main import sspinnpose

    arguments = ('estimate', folder / 'trial', '--model', folder / 'model', '-o', folder / 'OUT')
    sspinnpose.main([str(each) for each in arguments], standalone_mode=False)
    return folder


@pytest.fixture(scope='module')
def outcomes(files: Path) -> list[Outcome]:
    subject = load_subject(files / 'trial' / 'subject.yaml')
    estimator = Estimator(
        model=load_model(files / 'model'), subject=subject, mounting=aligned_mounting(SENSORS)
    )
    with open_imu_bag(files / 'trial' / 'bag') as bag:
        return list(recorded_outcomes(bag, estimator=estimator, sensors=SENSORS))


# What the page is given


def test_a_description_is_read_back_as_the_body_it_was_written_of() -> None:
    for lengths in ({}, {'thigh': 0.5, 'shank': 0.44, 'ankle_height': 0.08}):
        body = body_from_anthropometry(mass_kg=81.0, height_m=1.9, segment_length_m=lengths)
        found = described_body(body_urdf(body=body, frame_prefix='ada_'))
        assert found.frame_prefix == 'ada_'
        assert found.mass_kg == pytest.approx(81.0, rel=1e-9)
        np.testing.assert_allclose(found.leg_length, body.leg_length, rtol=1e-9)
        assert found.ankle_height == pytest.approx(float(body.ankle_height), rel=1e-9)


@pytest.mark.parametrize(
    'text',
    ['', 'no XML', '<robot/>', '<robot name="arm"><link name="base"/></robot>'],
    ids=['empty', 'text', 'bare', 'other'],
)
def test_another_robot_is_refused(text: str) -> None:
    with pytest.raises(SubjectError, match='expected the one that the estimator publishes'):
        described_body(text)


def test_a_robot_of_impossible_lengths_is_refused() -> None:
    body = body_from_anthropometry(mass_kg=81.0, height_m=1.9)
    length = f'{float(body.leg_length[0]):.12g}'
    for wrong in ('nan', 'inf', f'+{length}'):
        with pytest.raises(SubjectError):
            described_body(body_urdf(body=body).replace(f'-{length}"', f'{wrong}"'))


def test_a_verdict_is_read_back_and_cut_bytes_are_refused() -> None:
    cdr = StatusCdr(name='human', hardware_id='anna', sensors=SENSORS)
    for level, message in ((Level.OK, 'estimating'), (Level.WARN, 'ä ' * 40), (Level.STALE, '')):
        raw = cdr.serialize(
            EstimateStatus(level, message), stamp_ns=5, age_s=0.0, residual=np.zeros((7, 3))
        )
        assert read_verdict(raw) == (level, message)
        needed = raw.index(b'anna')
        for length in range(needed - 4 - len(message.encode()) % 4 - 4):
            with pytest.raises(ValueError, match='status'):
                read_verdict(raw[:length])


def test_the_status_log_holds_each_change(files: Path) -> None:
    log = read_status_log(files / 'OUT' / 'bag')
    estimate = load_estimate(files / 'OUT' / 'estimate.npz')
    assert log[0].time_s == 0.0
    assert all(one.time_s < other.time_s for one, other in pairwise(log))
    times = estimate['time'] - estimate['time'][0]
    for one, other in zip(log, [*log[1:], None], strict=True):
        end = np.inf if other is None else other.time_s
        during = (times > one.time_s - 1e-6) & (times < end - 1e-6)
        assert set(estimate['status'][during]) == {one.level}
    assert any('settling' in each.message for each in log)


def test_rows_are_the_estimate(files: Path) -> None:
    estimate = load_estimate(files / 'OUT' / 'estimate.npz')
    rows = recording_rows(estimate)
    assert rows.shape == (len(estimate['time']), len(COLUMNS))
    for name in COLUMNS:
        column = rows[:, COLUMNS.index(name)]
        if name in estimate:
            np.testing.assert_allclose(column, estimate[name], rtol=1e-6, err_msg=name)
    np.testing.assert_array_equal(rows[:, COLUMNS.index('level')], estimate['status'])
    recent = RecentResidual(rate_hz=100.0)
    for residual in estimate['residual']:
        recent.append(residual.astype(np.float64))
    last = rows[-1, [COLUMNS.index(f'residual_force_{name}') for name in SENSORS]]
    np.testing.assert_allclose(last, recent.root_mean_square()[:, 0], rtol=1e-5)


def test_what_an_estimate_lacks_is_nan_and_an_absent_sensor_is_none(files: Path) -> None:
    estimate = load_estimate(files / 'OUT' / 'estimate.npz')
    estimate['residual'] = estimate['residual'].copy()
    estimate['residual'][100:, 2] = np.nan
    del estimate['status'], estimate['cop_forward_r']
    rows = recording_rows(estimate)
    absent = rows[:, COLUMNS.index('residual_rate_shank_r')]
    assert np.isfinite(absent[:100]).all()
    assert np.isnan(absent[100:]).all()
    assert np.isnan(rows[:, COLUMNS.index('cop_forward_r')]).all()
    assert (rows[:, COLUMNS.index('level')] == Level.OK).all()
    assert None in row_list(rows[200])
    json.dumps(row_list(rows[200]), allow_nan=False)


def test_long_recordings_are_thinned_out(files: Path, monkeypatch: Patch) -> None:
    estimate = load_estimate(files / 'OUT' / 'estimate.npz')
    monkeypatch.setattr(view_rows, 'MOST_ROWS', 250)
    rows = recording_rows(estimate)
    assert len(rows) == 200
    np.testing.assert_allclose(np.diff(rows[:, 0]), 0.03, atol=1e-4)


def test_a_live_row_is_the_row_of_the_recording(files: Path, outcomes: list[Outcome]) -> None:
    table = estimate_rows(outcomes)
    assert table.dtype.names is not None
    expected = recording_rows({name: table[name] for name in table.dtype.names})
    urdf = body_urdf(body=load_subject(files / 'trial' / 'subject.yaml').body())
    body = described_body(urdf)
    left_out = [COLUMNS.index(name) for name in COLUMNS if name.startswith(('cop', 'residual'))]
    for index in range(0, len(outcomes), 37):
        estimate = outcomes[index].estimate
        assert estimate is not None
        instant = Instant(
            angle=estimate.q[3:],
            moment=estimate.effort,
            angle_sigma=estimate.angle_sigma,
            moment_sigma=estimate.effort_sigma,
            sole_wrench=dict(zip(SIDES, estimate.sole_wrench, strict=True)),
            pelvis=estimate.q[:3],
            level=int(outcomes[index].status.level),
            latency_ms=np.nan,
        )
        assert instant.whole
        row = live_row(instant, time_s=estimate.time_s, body=body, residual={})
        same = np.delete(row, left_out), np.delete(expected[index], left_out)
        np.testing.assert_allclose(*same, rtol=1e-4, atol=1e-4)


def test_without_frames_the_wearer_stands_on_the_ground(files: Path) -> None:
    urdf = body_urdf(body=load_subject(files / 'trial' / 'subject.yaml').body())
    body = described_body(urdf)
    instant = Instant(angle=np.zeros(6), moment=np.zeros(6))
    assert not instant.whole
    row = live_row(instant, time_s=0.0, body=body, residual={'pelvis': (1.0, 2.0)})
    up = row[COLUMNS.index('position_pelvis_up')]
    assert up == pytest.approx(sum(body.leg_length) + body.ankle_height)
    assert row[COLUMNS.index('residual_rate_pelvis')] == 2.0
    assert np.isnan(row[COLUMNS.index('grf_up_r')])


def test_a_recorded_node_tells_what_the_estimate_tells(files: Path) -> None:
    estimate = load_estimate(files / 'OUT' / 'estimate.npz')
    arrays = read_human_topics(files / 'OUT' / 'bag').arrays
    for name in ('position_pelvis_up', 'angle_pelvis_tilt', 'grf_up_l', 'grf_forward_r'):
        np.testing.assert_allclose(arrays[name], estimate[name], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(arrays['residual'], estimate['residual'], atol=0.006)
    np.testing.assert_array_equal(arrays['present'], estimate['present'])
    loaded = np.isfinite(estimate['cop_forward_r'])
    assert loaded.any()
    np.testing.assert_array_equal(np.isfinite(arrays['cop_forward_r']), loaded)


# Who may ask for it


@pytest.fixture
def server(files: Path) -> Iterator[ViewServer]:
    page = recorded_page(files / 'OUT', subject_path=None)
    with serving(ViewServer(host='127.0.0.1', port=0, **page)) as server:
        yield server


@contextmanager
def serving(server: ViewServer) -> Iterator[ViewServer]:
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(
    server: ViewServer, path: str, *, method: str = 'GET', host: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    port = server.server_address[1]
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=PATIENCE_S)
    try:
        connection.putrequest(method, path, skip_host=True)
        if host != '':
            connection.putheader('Host', host or f'127.0.0.1:{port}')
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def test_the_page_and_its_data_are_served(server: ViewServer, files: Path) -> None:
    for path, kind in (
        ('/', 'text/html'),
        ('/?x=1', 'text/html'),
        ('/view.css', 'text/css'),
        ('/view.js', 'text/javascript'),
        ('/three.min.js', 'text/javascript'),
        ('/three.LICENSE.txt', 'text/plain'),
        ('/scene.json', 'application/json'),
    ):
        status, headers, content = ask(server, path)
        assert status == 200, path
        assert headers['Content-Type'].startswith(kind)
        assert headers['X-Content-Type-Options'] == 'nosniff'
        assert "default-src 'none'" in headers['Content-Security-Policy']
        assert 'Access-Control-Allow-Origin' not in headers
        assert content
    scene = json.loads(ask(server, '/scene.json')[2])
    assert scene['columns'] == list(COLUMNS)
    assert scene['robot']['mass_kg'] == pytest.approx(70.0)
    rows = np.frombuffer(ask(server, '/rows.f32')[2], '<f4').reshape(-1, len(COLUMNS))
    estimate = load_estimate(files / 'OUT' / 'estimate.npz')
    np.testing.assert_allclose(
        rows[:, COLUMNS.index('angle_knee_angle_l')], estimate['angle_knee_angle_l']
    )


@pytest.mark.parametrize(
    'path',
    [
        '/../view.py',
        '/..%2fview.py',
        '//etc/passwd',
        '/etc/passwd',
        '/./view.js',
        '/view.js/../view.css',
        '/index.html%00',
        '/estimate.npz',
        '/events',
        'view.js',
        '*',
        'http://127.0.0.1/view.js',
    ],
)
def test_nothing_else_is_served(server: ViewServer, path: str) -> None:
    assert ask(server, path)[0] in (400, 404)


def test_only_get_is_answered(server: ViewServer) -> None:
    for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'CONNECT'):
        assert ask(server, '/', method=method)[0] == 501


def test_names_of_others_are_refused(server: ViewServer) -> None:
    port = server.server_address[1]
    for host in (f'localhost:{port}', f'LOCALHOST:{port}', f'127.0.0.1:{port}', f'[::1]:{port}'):
        assert ask(server, '/', host=host)[0] == 200, host
    for host in (
        '',
        f'evil.example:{port}',
        'evil.example',
        '127.0.0.1',
        f'127.0.0.1:{port + 1}',
        f'127.0.0.1.evil.example:{port}',
        f'localhost.evil.example:{port}',
        f'127.0.0.1:{port}@evil.example',
    ):
        status, _, content = ask(server, '/scene.json', host=host)
        assert status == 421, host
        assert b'columns' not in content


def test_strange_requests_do_not_stop_it(server: ViewServer) -> None:
    address = server.server_address[:2]
    for raw in (b'\0\xff\r\n\r\n', b'GET / HTTP/9.9\r\n\r\n', b'GET ' + b'/' * 70000, b''):
        with socket.create_connection(address, timeout=PATIENCE_S) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    assert ask(server, '/')[0] == 200


def test_the_page_names_its_own_files_alone() -> None:
    html = (PAGE / 'index.html').read_text()
    named = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(named) >= 3
    for path in PAGE.glob('*.js'):
        if path.name != 'three.min.js':
            named += re.findall(r"from '\./([^']+)'", path.read_text())
    for name in named:
        assert (PAGE / name).is_file(), name
    for path in PAGE.iterdir():
        if path.suffix in ('.js', '.css', '.html') and path.name != 'three.min.js':
            assert '://' not in path.read_text(), path.name
    assert 'style=' not in html
    assert '<script>' not in html


def test_three_is_the_release_that_is_named_and_brings_its_licence() -> None:
    package = json.loads((ROOT / 'third_party' / 'three' / 'package.json').read_text())
    revision = package['devDependencies']['three'].split('.')[1]
    bundle = (PAGE / 'three.min.js').read_text()
    assert bundle.startswith(f'/* three.js r{revision}, MIT License')
    assert re.search(rf'="{revision}"[;,]', bundle)
    assert 'The MIT License' in (PAGE / 'three.LICENSE.txt').read_text()


# Events


def test_who_comes_late_hears_what_still_holds() -> None:
    feed = Feed()
    feed.send('robot', '1')
    feed.send('rows', '[1]')
    feed.send('robot', '2')
    events = feed.listen()
    assert events is not None
    assert next(events) == [('robot', '2')]
    feed.send('rows', '[2]')
    assert next(events) == [('rows', '[2]')]


def test_who_is_slow_loses_the_oldest_and_others_lose_nothing() -> None:
    feed = Feed()
    slow = feed.listen()
    assert slow is not None
    for number in range(MOST_WAITING + 50):
        feed.send('rows', str(number))
    heard = next(slow)
    assert len(heard) == MOST_WAITING
    assert heard[-1] == ('rows', str(MOST_WAITING + 49))


def test_listeners_are_counted_and_go() -> None:
    feed = Feed()
    listeners = [feed.listen() for _ in range(MOST_LISTENERS)]
    assert feed.listen() is None
    feed.send('robot', '1')
    first = listeners[0]
    assert first is not None
    next(first)
    first.close()  # type: ignore[attr-defined]
    assert feed.listen() is not None


def test_events_are_streamed_until_the_feed_ends() -> None:
    feed = Feed()
    with serving(ViewServer(host='127.0.0.1', port=0, scene={}, feed=feed)) as server:
        feed.send('status', '{"level": 0}')
        port = server.server_address[1]
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=PATIENCE_S)
        connection.request('GET', '/events')
        answer = connection.getresponse()
        assert answer.headers['Content-Type'] == 'text/event-stream'
        assert answer.readline() == b'event: status\n'
        assert answer.readline() == b'data: {"level": 0}\n'
        feed.close()
        answer.read()
        connection.close()


# The command


class ViewProcess:
    """The command as a process, and where its page is."""

    def __init__(self, *arguments: object, env: dict[str, str] | None = None) -> None:
        words = ['view', '--no-browser', '--port', '0', *map(str, arguments)]
        self.process = subprocess.Popen(
            [sys.executable, '-c', PROGRAM, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=env,
        )
        self.said: list[str] = []

    def url(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.match(r'(http://\S+/) shows it', line):
                return found.group(1)
        assert self.process.stderr is not None
        raise AssertionError(f'it ended: {self.said} {self.process.stderr.read()}')

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, err


@contextmanager
def view_process(*arguments: object, env: dict[str, str] | None = None) -> Iterator[ViewProcess]:
    view = ViewProcess(*arguments, env=env)
    try:
        yield view
    finally:
        if view.process.poll() is None:
            view.process.kill()
            view.process.communicate()


def fetch(url: str, name: str) -> Any:
    host = url.removeprefix('http://').rstrip('/')
    connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
    try:
        connection.request('GET', f'/{name}')
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ('number', 'code', 'said'), [(signal.SIGINT, 130, 'stopped'), (signal.SIGTERM, 143, '')]
)
def test_it_serves_an_estimate_until_it_is_told_to_stop(
    files: Path, number: signal.Signals, code: int, said: str
) -> None:
    with view_process(files / 'OUT') as view:
        assert fetch(view.url(), 'scene.json')['name'] == 'OUT'
        ended, err = view.end(number)
        assert (ended, err.strip()) == (code, said)


def test_a_recording_is_estimated_first_and_nothing_is_left(files: Path, tmp_path: Path) -> None:
    env = {**os.environ, 'TMPDIR': str(tmp_path)}
    options = ('--model', files / 'model', '--sensors', 'feet+thighs')
    with view_process(files / 'trial', *options, env=env) as view:
        scene = fetch(view.url(), 'scene.json')
        assert scene['name'] == 'trial'
        assert 'Estimated without pelvis' in ' '.join(scene['trust']['warnings'])
        assert any('times real time' in line for line in view.said)
        assert list(tmp_path.iterdir()) == []
        assert view.end()[0] == 130


def test_others_on_the_network_are_let_in_on_demand_alone(files: Path) -> None:
    with view_process(files / 'OUT') as view:
        port = int(view.url().rstrip('/').rpartition(':')[2])
        addresses = [
            line.split()[1] for line in Path('/proc/net/tcp').read_text().splitlines()[1:]
        ]
        listening = [each for each in addresses if each.endswith(f':{port:04X}')]
        assert listening
        assert {each[:8] for each in listening} == {'0100007F'}
        view.end()
    with view_process(files / 'OUT', '--host', '0.0.0.0') as view:
        assert view.url().startswith('http://127.0.0.1:')
        assert 'Everybody who reaches this machine' in view.end()[1]


def test_mistakes_are_sentences(
    files: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    nobody = tmp_path / 'nobody'
    nobody.mkdir()
    (nobody / 'estimate.npz').write_bytes((files / 'OUT' / 'estimate.npz').read_bytes())
    taken = socket.create_server(('127.0.0.1', 0))
    port = taken.getsockname()[1]
    for arguments, words in (
        ((tmp_path / 'none',), 'none'),
        ((nobody,), '--subject'),
        ((files / 'OUT', '--sensors', 'all'), '--sensors was given'),
        ((files / 'OUT', '--namespace', 'anna'), '--namespace anna was given'),
        (('--model', files / 'model'), '--model was given without a recording'),
        (('--namespace', 'an na'), "--namespace is 'an na'"),
        ((files / 'OUT', '--foxglove'), '--foxglove was given with'),
        (('--foxglove', '--sensors', 'all'), '--sensors was given without a recording'),
        ((files / 'OUT', '--port', port), f'port {port}'),
        ((files / 'OUT', '--host', 'nowhere.invalid', '--port', 0), 'nowhere.invalid'),
    ):
        done = run(monkeypatch, capsys, 'view', '--no-browser', *arguments)
        assert done.code == 2, words
        assert len(done.err.splitlines()) == 1, done.err
        assert words in done.err
        assert 'expected' in done.err
    taken.close()


def test_without_ros_a_live_node_is_refused(monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    done = run(monkeypatch, capsys, 'view', '--no-browser')
    assert done.code == 2
    assert 'rclpy is not installed' in done.err


def test_without_the_sdk_foxglove_is_refused(monkeypatch: Patch, capsys: Capture) -> None:
    pytest.importorskip('rclpy')
    monkeypatch.setattr('sspinnpose_ros.cli.view_foxglove.find_spec', lambda name: None)
    done = run(monkeypatch, capsys, 'view', '--foxglove')
    assert done.code == 2
    assert 'python3 -m pip install foxglove-sdk' in done.err


def test_the_options_are_those_of_estimate() -> None:
    from sspinnpose_ros.cli.estimate import estimate
    from sspinnpose_ros.cli.view import NOT_HERE, view

    names = {each.name for each in view.params}
    assert {each.name for each in estimate.params} - set(NOT_HERE) <= names
    assert not names & set(NOT_HERE)
