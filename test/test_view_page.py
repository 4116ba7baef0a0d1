# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Look at the page of `sspinnpose view` in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, MISSING, Browser, browser
from command_line import write_model
from made_recordings import SUBJECT, write_trial

from sspinnpose_ros.bags.reference import load_estimate
from sspinnpose_ros.cli.view import recorded_page
from sspinnpose_ros.cli.view_server import ViewServer
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SEGMENTS, SENSORS
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.subject import load_subject

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

DRAWN = 'Number(document.documentElement.dataset.frames) > 0'
UNKNOWN = '\u2013'
WEIGHT_M = 0.9
"""Length of an arrow of one body weight, m."""

NAME = '<img src=x onerror=alert(1)>'


@pytest.fixture(scope='module')
def page() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope='module')
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an estimate: standing up to 3 s, from 4 s without a sensor, from 5 s without any."""
    from sspinnpose_ros.cli.main import sspinnpose

    folder = tmp_path_factory.mktemp('page')
    write_model(folder / 'model')
    write_trial(folder / 'trial')
    arguments = ('estimate', folder / 'trial', '--model', folder / 'model', '-o', folder / NAME)
    sspinnpose.main([str(each) for each in arguments], standalone_mode=False)
    path = folder / NAME / 'estimate.npz'
    arrays = load_estimate(path)
    late, lost = arrays['time'] > 3.995, arrays['time'] > 4.995
    arrays['residual'][late, SENSORS.index('shank_l')] = np.nan
    arrays['residual'][late, SENSORS.index('thigh_r')] *= 100.0
    for name, values in arrays.items():
        if name.startswith(('angle', 'moment', 'grf', 'cop', 'position', 'residual', 'sigma')):
            values[lost] = np.nan
    arrays['status'][lost] = 3
    np.savez(path, **arrays)
    return folder / NAME


@contextmanager
def serving(server: ViewServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.02})
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope='module')
def url(out: Path) -> Iterator[str]:
    page = recorded_page(out, subject_path=None)
    with serving(ViewServer(host='127.0.0.1', port=0, **page)) as address:
        yield address


def row_at(out: Path, time_s: float) -> dict[str, Any]:
    arrays = load_estimate(out / 'estimate.npz')
    index = int(np.argmin(np.abs(arrays['time'] - time_s)))
    return {name: values[index] for name, values in arrays.items()}


def show(page: Browser, url: str, time_s: float, **options: Any) -> None:
    page.events.clear()
    page.open(f'{url}#t={time_s}', **options)
    page.wait_for(DRAWN)
    assert page.wait_for('document.documentElement.dataset.time') == f'{time_s:.4f}'


def seek(page: Browser, time_s: float) -> None:
    page.run(f"location.hash = '#t={time_s}'")
    page.wait_for(f"document.documentElement.dataset.time === '{time_s:.4f}'")


def readouts(page: Browser, quantity: str) -> list[str]:
    selector = f'[data-quantity={quantity}] output'
    found = page.run(f"[...document.querySelectorAll('{selector}')].map(each => each.value)")
    return list(found)


def text_of(page: Browser, selector: str) -> str:
    return str(page.run(f"document.querySelector('{selector}').innerText"))


def test_the_numbers_are_those_of_the_estimate(page: Browser, url: str, out: Path) -> None:
    show(page, url, 1.0)
    for time_s in (2.0, 3.5):
        seek(page, time_s)
        row = row_at(out, time_s)
        for joint in ('hip_flexion', 'knee_angle', 'ankle_angle'):
            expected = [f'R {np.rad2deg(row[f"angle_{joint}_r"]):.1f}'.replace('-0.0', '0.0')]
            expected += [f'L {np.rad2deg(row[f"angle_{joint}_l"]):.1f}'.replace('-0.0', '0.0')]
            shown = [text.replace('-0.0', '0.0') for text in readouts(page, f'angle_{joint}')]
            assert shown == expected
            moments = [float(text[2:]) for text in readouts(page, f'moment_{joint}')]
            np.testing.assert_allclose(
                moments, [row[f'moment_{joint}_{side}'] / 70.0 for side in 'rl'], atol=0.0051
            )
        forces = [float(text[2:]) for text in readouts(page, 'grf_up')]
        np.testing.assert_allclose(
            forces, [row[f'grf_up_{side}'] / (0.7 * GRAVITY) for side in 'rl'], atol=0.51
        )


def test_the_skeleton_is_where_the_kinematics_put_it(page: Browser, url: str, out: Path) -> None:
    show(page, url, 3.5)
    row = row_at(out, 3.5)
    pelvis = ('position_pelvis_forward', 'position_pelvis_up', 'angle_pelvis_tilt')
    q = np.array([row[name] for name in (*pelvis, *(f'angle_{joint}' for joint in JOINTS))])
    body = load_subject(out / 'subject.yaml').body()
    motion = kinematics(body=body, q=q, qd=0 * q, qdd=0 * q)
    drawn = page.run(
        'Object.fromEntries(Object.entries(sspinnpose.wearer.links).map(([name, link]) => {'
        ' link.updateWorldMatrix(true, false);'
        ' return [name, [...link.matrixWorld.elements]]; }))'
    )
    for index, segment in enumerate(SEGMENTS):
        matrix = np.array(drawn[segment]).reshape(4, 4).T
        np.testing.assert_allclose(matrix[[0, 2], 3], motion.position[index], atol=1e-5)
        forward = [motion.cos[index], 0.0, motion.sin[index]]
        np.testing.assert_allclose(matrix[:3, 0], forward, atol=1e-5)
    assert np.array(drawn['sole_r']).reshape(4, 4)[3, 1] < 0.0
    assert page.run('sspinnpose.wearer.renderer.info.render.triangles') > 5000


def test_the_arrows_are_the_forces(page: Browser, url: str, out: Path) -> None:
    show(page, url, 3.5)
    row = row_at(out, 3.5)
    loaded = [side for side in 'rl' if np.isfinite(row[f'cop_forward_{side}'])]
    assert loaded
    for index, side in enumerate('rl'):
        arrow = page.run(
            '(({arrow, head}) => ({visible: arrow.visible, at: arrow.position.toArray(),'
            ' length: head.position.y + 0.05 * head.scale.y,'
            ' tip: head.getWorldPosition(arrow.position.clone()).toArray()}))'
            f'(sspinnpose.wearer.arrows[{index}])'
        )
        assert arrow['visible'] == (side in loaded)
        if not arrow['visible']:
            continue
        force = np.array([row[f'grf_forward_{side}'], row[f'grf_up_{side}']])
        start = row['position_pelvis_forward'] + row[f'cop_forward_{side}']
        assert arrow['at'][0] == pytest.approx(start, abs=1e-5)
        assert arrow['at'][2] == 0.0
        length = WEIGHT_M * np.linalg.norm(force) / (70.0 * GRAVITY)
        assert arrow['length'] == pytest.approx(length, rel=1e-4)
        along = np.array(arrow['tip'])[[0, 2]] - np.array(arrow['at'])[[0, 2]]
        np.testing.assert_allclose(
            along / np.linalg.norm(along), force / np.linalg.norm(force), atol=1e-4
        )


def test_something_is_seen(page: Browser, url: str, tmp_path: Path) -> None:
    image = pytest.importorskip('matplotlib.image')
    colors = []
    for scheme in ('light', 'dark'):
        show(page, url, 3.5, scheme=scheme)
        picture = image.imread(page.screenshot(tmp_path / f'{scheme}.png'))[..., :3]
        assert picture.shape == (800, 1280, 3)
        stage = picture[60:500, 30:600]
        red, green, blue = (stage[..., channel] for channel in range(3))
        assert ((red > 1.6 * green) & (red > 1.6 * blue)).sum() > 500, 'the right leg'
        assert ((blue > 1.5 * red) & (blue > 0.25)).sum() > 500, 'the left leg'
        colors.append(float(picture[5, 5].mean()))
    assert colors[0] > 0.9
    assert colors[1] < 0.2


def test_the_status_is_said_in_words(page: Browser, url: str) -> None:
    show(page, url, 3.0)
    for time_s, level, words in (
        (0.5, 'WARN', 'settling'),
        (3.5, 'OK', 'estimating'),
        (5.5, 'STALE', ''),
    ):
        seek(page, time_s)
        assert text_of(page, '#level') == level
        assert words in text_of(page, '#message')
    assert readouts(page, 'angle_knee_angle') == [f'R {UNKNOWN}', f'L {UNKNOWN}']
    assert not page.run('sspinnpose.wearer.arrows.some(({arrow}) => arrow.visible)')


def test_each_sensor_has_its_verdict(page: Browser, url: str) -> None:
    def level(sensor: str) -> Any:
        return page.run(f"document.querySelector('[data-sensor={sensor}]').dataset.level")

    def color(sensor: str) -> Any:
        return page.run(f"'#' + sspinnpose.wearer.sensors.{sensor}.material.color.getHexString()")

    show(page, url, 3.5)
    assert level('shank_l') == 'OK'
    seek(page, 4.5)
    levels = {sensor: level(sensor) for sensor in SENSORS}
    assert levels['shank_l'] == 'ERROR'
    assert levels['thigh_r'] == 'WARN'
    assert levels['shank_r'] == 'OK'
    assert 'absent' in text_of(page, '[data-sensor=shank_l]')
    assert 'more than usual' in text_of(page, '[data-sensor=thigh_r]')
    assert len({color('shank_l'), color('thigh_r'), color('shank_r')}) == 3
    seek(page, 5.5)
    assert level('shank_l') == 'STALE'


def test_it_plays_pauses_and_seeks(page: Browser, url: str) -> None:
    time = 'Number(document.documentElement.dataset.time)'
    page.events.clear()
    page.open(url)
    page.wait_for(f'{time} > 0.3')
    page.run("document.getElementById('play').click()")
    page.wait_for('!sspinnpose.source.playing')
    paused = page.run('sspinnpose.source.time')
    frames = page.run('document.documentElement.dataset.frames')
    page.wait_for(f'Number(document.documentElement.dataset.frames) > {frames} + 3')
    assert page.run('sspinnpose.source.time') == paused
    page.run(
        "(s => { s.value = 2.5; s.dispatchEvent(new Event('input')); })"
        "(document.getElementById('slider'))"
    )
    page.wait_for(f'Math.abs({time} - 2.5) < 0.006')
    for key, expected in (('ArrowRight', 2.51), ('ArrowLeft', 2.5)):
        page.run(
            f"document.body.dispatchEvent(new KeyboardEvent('keydown', "
            f"{{key: '{key}', bubbles: true}}))"
        )
        page.wait_for(f'Math.abs({time} - {expected}) < 0.003')
    # At the end it starts over, or stays.
    page.run("sspinnpose.source.seek(1e9); document.getElementById('play').click()")
    page.wait_for(f'{time} < 4')
    page.run("document.getElementById('loop').click(); sspinnpose.source.seek(5.9)")
    page.wait_for('!sspinnpose.source.playing')
    assert page.run(time) == pytest.approx(page.run('sspinnpose.source.last'), abs=1e-3)


def test_it_asks_its_own_host_alone_and_complains_of_nothing(page: Browser, url: str) -> None:
    show(page, url, 3.5)
    asked = [each for each in page.requested() if each != 'about:blank']
    assert f'{url}rows.f32' in asked
    assert all(each.startswith(url) for each in asked)
    assert page.complaints() == []
    # What is foreign is kept out even where the page would ask for it.
    refused = page.run("fetch('http://127.0.0.1:1/').then(() => 'sent', error => String(error))")
    assert 'Failed to fetch' in refused
    assert any('Content Security Policy' in each for each in page.complaints())


def test_names_are_text(page: Browser, url: str) -> None:
    show(page, url, 3.5)
    assert text_of(page, '#name') == NAME
    assert page.run("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize(('width', 'height'), [(1280, 800), (390, 844), (320, 640), (1920, 1080)])
def test_it_fits_the_screen(page: Browser, url: str, width: int, height: int) -> None:
    show(page, url, 3.5, width=width, height=height)
    outside = page.run(
        "[...document.querySelectorAll('body *')].filter(each =>"
        f' each.getBoundingClientRect().right > {width}.5).map(each => each.outerHTML)'
    )
    assert outside == []
    assert page.run('document.documentElement.scrollWidth') <= width
    if width > 1000:
        assert page.run('document.documentElement.scrollHeight') <= height
    boxes = page.run(
        "[...document.querySelectorAll('figure canvas, #wearer')].map(e =>"
        ' [e.clientWidth, e.clientHeight])'
    )
    assert len(boxes) == 9
    assert min(min(each) for each in boxes) >= 50


def test_without_webgl_the_curves_are_there_all_the_same(
    page: Browser, url: str, out: Path
) -> None:
    script = page.send(
        'Page.addScriptToEvaluateOnNewDocument',
        source='HTMLCanvasElement.prototype.getContext = (get => function (kind, ...more) {'
        " return kind.startsWith('webgl') ? null : get.call(this, kind, ...more); })"
        '(HTMLCanvasElement.prototype.getContext);',
    )
    try:
        show(page, url, 3.5)
        assert page.run("document.getElementById('no-webgl').checkVisibility()")
        knee = np.rad2deg(row_at(out, 3.5)['angle_knee_angle_r'])
        assert readouts(page, 'angle_knee_angle')[0] == f'R {knee:.1f}'
    finally:
        page.send('Page.removeScriptToEvaluateOnNewDocument', identifier=script['identifier'])


def test_an_estimate_of_bare_arrays_is_shown(page: Browser, tmp_path: Path) -> None:
    time = np.arange(300) / 100.0
    arrays = {'time': time}
    for joint in JOINTS:
        arrays[f'angle_{joint}'] = 0.3 * np.sin(time)
        arrays[f'moment_{joint}'] = np.zeros(300)
    for side in 'rl':
        arrays[f'grf_up_{side}'] = np.full(300, 350.0)
        arrays[f'grf_forward_{side}'] = np.zeros(300)
    np.savez(tmp_path / 'estimate.npz', **arrays)
    (tmp_path / 'subject.yaml').write_text(SUBJECT)
    server = ViewServer(host='127.0.0.1', port=0, **recorded_page(tmp_path, subject_path=None))
    with serving(server) as url:
        show(page, url, 2.0)
        assert readouts(page, 'grf_up') == ['R 51', 'L 51']
        assert page.complaints() == []
        assert text_of(page, '#level') == 'OK'
        assert not page.run('sspinnpose.wearer.arrows.some(({arrow}) => arrow.visible)')
