# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cut gait cycles, judge an estimate, and make the page of a report."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from sspinnpose_ros.bags.latency_log import read_latency_log
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SENSORS, SIDES
from sspinnpose_ros.evaluation.estimate_health import (
    CAUTION,
    FAULTY,
    FINE,
    estimate_health,
    residual_history,
)
from sspinnpose_ros.evaluation.gait_cycles import Strides, average, cut, find_strides, gait_timing
from sspinnpose_ros.training.gait_style import mean_cycles

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

MASS, HEIGHT = 70.0, 1.75
STRIDE_S = 1.1
SPEED = 1.2
STANCE = {'r': 0.64, 'l': 0.58}


def walk(seconds: float = 14.0, *, stride_s: float = STRIDE_S) -> dict[str, np.ndarray]:
    """Return an estimate whose cycles are known: joint angles are sines of the phase."""
    time = np.arange(round(100 * seconds)) / 100.0
    estimate = {'time': time}
    for side in SIDES:
        phase = (time / stride_s + (0.5 if side == 'l' else 0.0)) % 1.0
        loaded = phase < STANCE[side]
        force = np.where(loaded, np.abs(np.sin(np.pi * phase / STANCE[side])) ** 0.25, 0.0)
        estimate[f'grf_up_{side}'] = force * MASS * GRAVITY
        estimate[f'grf_forward_{side}'] = 0.1 * force * MASS * GRAVITY
        for joint in (joint for joint in JOINTS if joint.endswith(side)):
            estimate[f'angle_{joint}'] = 0.5 * np.sin(2.0 * np.pi * phase)
            estimate[f'moment_{joint}'] = 20.0 * np.cos(2.0 * np.pi * phase)
    for name in [name for name in estimate if name.startswith(('angle', 'moment', 'grf'))]:
        estimate[f'sigma_{name}'] = np.full(len(time), 0.1 * np.abs(estimate[name]).max())
    estimate['position_pelvis_forward'] = SPEED * time
    estimate['residual'] = np.full((len(time), len(SENSORS), 3), 0.05)
    estimate['present'] = np.ones((len(time), len(SENSORS)), dtype=bool)
    estimate['status'] = np.zeros(len(time), dtype=np.uint8)
    return estimate


def write_out(folder: Path, estimate: dict[str, np.ndarray]) -> Path:
    folder.mkdir()
    np.savez(folder / 'estimate.npz', **estimate)
    (folder / 'subject.yaml').write_text(f'mass_kg: {MASS}\nheight_m: {HEIGHT}\n')
    return folder


# Cycles


def test_cycles_are_cut_at_heel_strikes() -> None:
    estimate = walk()
    strides = find_strides(estimate, mass_kg=MASS)
    assert len(strides['r']) == 9
    for side, shift in (('r', 0.0), ('l', 0.5)):
        phase = (strides[side].strike_s / STRIDE_S + shift) % 1.0
        assert np.minimum(phase, 1.0 - phase).max() < 0.02
        name = f'angle_knee_angle_{side}'
        cycle = average(cut(time=estimate['time'], values=estimate[name], strides=strides[side]))
        assert cycle is not None
        assert cycle.cycles == len(strides[side])
        expected = 0.5 * np.sin(2.0 * np.pi * np.linspace(0.0, 1.0, 101))
        np.testing.assert_allclose(cycle.mean, expected, atol=0.04)
        assert cycle.spread.max() < 0.03


def test_the_spread_is_that_between_cycles() -> None:
    cycles = np.stack([np.full(101, value) for value in (1.0, 2.0, 3.0, np.nan)])
    cycle = average(cycles)
    assert cycle is not None
    assert cycle.cycles == 3
    np.testing.assert_allclose(cycle.mean, 2.0)
    np.testing.assert_allclose(cycle.spread, 1.0)
    assert average(cycles[3:]) is None


def test_a_stride_with_a_gap_or_of_another_length_is_left_out() -> None:
    estimate = walk()
    whole = len(find_strides(estimate, mass_kg=MASS)['r'])
    broken = walk()
    # A swing: the stance is still found.
    gap = (broken['time'] > 6.0 * STRIDE_S + 0.85) & (broken['time'] < 6.0 * STRIDE_S + 1.05)
    broken['grf_up_r'] = np.where(gap, np.nan, broken['grf_up_r'])
    assert len(find_strides(broken, mass_kg=MASS)['r']) == whole - 1
    pausing = walk()
    pause = (pausing['time'] > 5.0 * STRIDE_S - 0.05) & (pausing['time'] < 6.0 * STRIDE_S - 0.05)
    pausing['grf_up_r'] = np.where(pause, 0.0, pausing['grf_up_r'])
    assert len(find_strides(pausing, mass_kg=MASS)['r']) == whole - 2


def test_steps_and_speed_of_a_known_gait() -> None:
    estimate = walk()
    timing = gait_timing(find_strides(estimate, mass_kg=MASS), estimate=estimate)
    assert timing.gait == 'walking'
    assert timing.cadence_steps_min == pytest.approx(120.0 / STRIDE_S, rel=0.01)
    assert timing.speed_m_s == pytest.approx((SPEED, 0.0), abs=1e-6)
    assert timing.stride_m[0] == pytest.approx(SPEED * STRIDE_S, rel=0.01)
    for side in SIDES:
        assert timing.sides[side].stance_share[0] == pytest.approx(STANCE[side], abs=0.02)
        assert timing.sides[side].stride_s[0] == pytest.approx(STRIDE_S, abs=0.01)
        assert timing.sides[side].step_s[0] == pytest.approx(STRIDE_S / 2.0, abs=0.01)


def test_the_step_is_that_of_the_foot_that_lands() -> None:
    def strides(first: float) -> Strides:
        strike = first + np.arange(4.0)
        return Strides(strike_s=strike, lift_s=strike + 0.6, next_s=strike + 1.0)

    timing = gait_timing({'r': strides(0.0), 'l': strides(0.4)}, estimate={})
    assert timing.sides['l'].step_s[0] == pytest.approx(0.4)
    assert timing.sides['r'].step_s[0] == pytest.approx(0.6)
    assert np.isnan(timing.speed_m_s[0])


# Verdict


def judge(estimate: dict[str, np.ndarray]) -> tuple[str, str]:
    health = estimate_health(estimate, calibration=None, gait='walking')
    return health.verdict, ' '.join(health.warnings)


def test_the_verdict_names_what_speaks_against_an_estimate() -> None:
    assert judge(walk()) == (FINE, '')
    absent = walk()
    absent['present'][:, SENSORS.index('foot_l')] = False
    absent['present'][:300, SENSORS.index('pelvis')] = False
    verdict, words = judge(absent)
    assert verdict == CAUTION
    assert 'Estimated without foot_l' in words
    assert 'pelvis was absent for 21 %' in words
    loose = walk()
    loose['residual'][:, SENSORS.index('shank_r'), 0] = 9.0
    assert 'The force of shank_r is explained badly (9.0' in judge(loose)[1]
    vague = walk()
    vague['sigma_angle_hip_flexion_r'][700:] = 0.5
    assert 'hip_flexion_r is uncertain by more than 15 deg' in judge(vague)[1]
    marked = walk()
    marked['status'][:600] = 1
    assert judge(marked) == (FINE, '')
    marked['status'][-140:] = 1
    assert '20 % of the estimate after the first 7 s is not marked OK' in judge(marked)[1]
    lost = walk()
    for joint in JOINTS:
        lost[f'angle_{joint}'][400:] = np.nan
    assert judge(lost)[0] == FAULTY


def test_residuals_are_averaged_over_seconds() -> None:
    estimate = walk(4.0)
    estimate['residual'][:] = [3.0, 4.0, -0.5]
    estimate['residual'][:, 2] = np.nan
    history = residual_history(estimate)
    assert history is not None
    assert history.time_s.tolist() == [0.5, 1.5, 2.5, 3.5]
    np.testing.assert_allclose(history.force_m_s2[:, 0], 5.0)
    np.testing.assert_allclose(history.rate_rad_s[:, 0], 0.5)
    assert np.isnan(history.force_m_s2[:, 2]).all()


# Page


class Page(HTMLParser):
    """Collect the tags, the addresses and the text of a page; every tag must be closed."""

    EMPTY = ('meta', 'path', 'use', 'rect')

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.addresses += [values[name] or '' for name in ('href', 'src') if name in values]
        self.ids += [values['id'] or ''] if 'id' in values else []
        if tag != 'meta':
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return ' '.join(' '.join(self.words).split())


def read_page(path: Path) -> Page:
    text = path.read_text(encoding='utf-8')
    assert 'http' not in text
    page = Page(text)
    assert not {'script', 'link', 'img', 'iframe', 'object'} & set(page.tags)
    assert all(address.startswith('#') for address in page.addresses)
    assert len(set(page.ids)) == len(page.ids)
    assert {address[1:] for address in page.addresses} <= set(page.ids)
    return page


def test_the_page_holds_the_numbers_and_loads_nothing(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    pytest.importorskip('matplotlib')
    out = write_out(tmp_path / 'OUT', walk())
    reference = walk()
    reference['angle_knee_angle_r'] = reference['angle_knee_angle_r'] - np.deg2rad(4.0)
    np.savez(tmp_path / 'reference.npz', **reference)
    path = tmp_path / 'report.html'

    done = run(monkeypatch, capsys, 'report', out, '-o', path)
    assert done.code == 0, done.err
    page = read_page(path)
    for words in (
        'Gait report: OUT',
        'Nothing in the recording speaks against this estimate.',
        '109 steps/min',
        '1.20 ± 0.00 m/s',
        '1.32 ± 0.00 m',
        'moment [N m/kg]',
        'moment [BWBH%]',
        'force [% body weight]',
        'Winter (1991)',
        'Hip flexion, knee flexion and ankle dorsiflexion are positive',
    ):
        assert words in page.text, words
    assert 'Errors against the reference' not in page.text
    assert 'Latency' not in page.text
    assert page.tags.count('svg') == 5

    done = run(monkeypatch, capsys, 'report', out, tmp_path / 'reference.npz', '-o', path)
    assert done.code == 2
    assert '--overwrite' in done.err
    arguments = ('report', out, tmp_path / 'reference.npz', '-o', path, '--overwrite')
    done = run(monkeypatch, capsys, *arguments)
    assert done.code == 0, done.err
    page = read_page(path)
    assert 'Errors against the reference' in page.text
    assert 'knee_angle_r 4.00 0.00 4.00' in page.text
    assert (
        '94 % of the errors lie within one sigma of the estimate and 100 % within two' in page.text
    )


@pytest.mark.parametrize('kind', ['standing', 'short', 'lost', 'bare'])
def test_recordings_without_a_gait_are_reported(
    kind: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    pytest.importorskip('matplotlib')
    estimate = walk(14.0 if kind == 'lost' else 0.5 if kind == 'short' else 5.0)
    if kind == 'standing':
        for side in SIDES:
            estimate[f'grf_up_{side}'][:] = 0.5 * MASS * GRAVITY
    if kind == 'lost':
        for name in estimate:
            if name.startswith(('angle', 'moment', 'grf', 'sigma')):
                estimate[name][:] = np.nan
        estimate['residual'][:] = np.nan
    if kind == 'bare':
        # What `demo` keeps.
        for name in ('residual', 'present', 'position_pelvis_forward'):
            del estimate[name]
        estimate['time'] = estimate['time'] * 0.2
    path = tmp_path / 'report.html'
    done = run(monkeypatch, capsys, 'report', write_out(tmp_path / 'OUT', estimate), '-o', path)
    assert done.code == 0, done.err
    assert 'No whole stride was found' in read_page(path).text


def test_mistakes_are_sentences(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    out = write_out(tmp_path / 'OUT', walk(2.0))
    short = walk(2.0)
    del short['moment_knee_angle_l']
    lacking = write_out(tmp_path / 'lacking', short)
    wrong = write_out(tmp_path / 'wrong', {**walk(2.0), 'residual': np.zeros((200, 3))})
    nobody = write_out(tmp_path / 'nobody', walk(2.0))
    (nobody / 'subject.yaml').unlink()
    (tmp_path / 'empty').mkdir()
    np.savez(tmp_path / 'other.npz', time=np.arange(100.0) + 500.0, angle_x=np.zeros(100))
    spoiled = write_out(tmp_path / 'spoiled', walk(2.0))
    (spoiled / 'bag').mkdir()
    path = tmp_path / 'report.html'
    for arguments, words in (
        ((tmp_path / 'none',), 'does not exist'),
        ((out / 'estimate.npz',), 'is a file'),
        ((tmp_path / 'empty',), 'subject.yaml'),
        ((lacking,), 'holds no moment_knee_angle_l'),
        ((wrong,), 'residual in'),
        ((nobody,), '--subject'),
        ((out, tmp_path / 'nothing.npz'), 'does not exist'),
        ((out, tmp_path / 'other.npz'), 'shares no finite'),
        ((spoiled,), 'cannot be read'),
    ):
        done = run(monkeypatch, capsys, 'report', *arguments, '-o', path)
        assert done.code == 2, words
        assert len(done.err.splitlines()) == 1
        assert words in done.err
        assert 'expected' in done.err
        assert not path.exists()


def test_a_report_needs_matplotlib_and_says_so(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    out = write_out(tmp_path / 'OUT', walk(2.0))
    done = run(monkeypatch, capsys, 'report', out, '-o', tmp_path / 'report.html')
    assert done.code == 2
    assert 'matplotlib is not installed' in done.err


def write_diagnostics(path: Path, latencies: list[tuple[str, str, str]]) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    kind = 'diagnostic_msgs/msg/DiagnosticArray'
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/diagnostics', kind, typestore=store)
        for second, values in enumerate(latencies):
            pairs = [
                types['diagnostic_msgs/msg/KeyValue'](key=f'latency_{name}_ms', value=value)
                for name, value in zip(('p50', 'p99', 'max'), values, strict=True)
            ]
            status = types['diagnostic_msgs/msg/DiagnosticStatus'](
                level=0, name='sspinnpose: estimator', message='', hardware_id='', values=pairs
            )
            header = types['std_msgs/msg/Header'](
                stamp=types['builtin_interfaces/msg/Time'](sec=second, nanosec=0), frame_id=''
            )
            message = types[kind](header=header, status=[status])
            writer.write(connection, second * 10**9, store.serialize_cdr(message, kind))


def test_latency_is_shown_where_a_node_reported_it(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    pytest.importorskip('matplotlib')
    out = write_out(tmp_path / 'OUT', walk(4.0))
    write_diagnostics(out / 'bag', [('', '', ''), ('2.0', '5.0', '9.5'), ('2.2', '5.0', '7.0')])
    log = read_latency_log(out / 'bag')
    assert log is not None
    assert log.time_s.tolist() == [0.0, 1.0]
    assert log.latency_ms.tolist() == [[2.0, 5.0, 9.5], [2.2, 5.0, 7.0]]
    path = tmp_path / 'report.html'
    done = run(monkeypatch, capsys, 'report', out, '-o', path)
    assert done.code == 0, done.err
    assert 'p50 2.1 ms, p99 5.0 ms, longest 9.5 ms' in read_page(path).text


# Published cycles


def test_published_cycles_have_a_spread_where_people_were_many() -> None:
    walking, *runners = mean_cycles()
    assert walking.kind == 'walking'
    assert set(walking.spread) == {'hip_flexion', 'knee_angle', 'ankle_angle', 'grf_up'}
    assert not any(runner.spread for runner in runners)
    swing = walking.force[:, 1] == 0.0
    assert 0.3 < swing.mean() < 0.4
    assert (walking.spread['grf_up'][swing] == 0.0).all()
    for name, spread in walking.spread.items():
        assert spread.shape == (100,)
        assert (spread >= 0.0).all()
        assert 0.04 < spread.max() < 0.2, name
