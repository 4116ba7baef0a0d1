# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that shows a recording or a live node in a browser."""

from __future__ import annotations

import os
import re
import sys
import threading
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sspinnpose_ros.cli.estimate import estimate
from sspinnpose_ros.cli.view_foxglove import FOXGLOVE_PORT, serve_foxglove
from sspinnpose_ros.core.errors import UserError

if TYPE_CHECKING:
    from sspinnpose_ros.cli.view_server import Feed, ViewServer

PORT = 8642
LOOK_S = 0.02
NAMESPACE = r'/?([A-Za-z_]\w*(/[A-Za-z_]\w*)*)?/?'
NOT_HERE = ('bag_path', 'output', 'overwrite', 'realtime_factor', 'json_path')
"""What `estimate` takes and `view` does not."""


class ViewError(UserError):
    """Report what cannot be shown."""


@click.command(short_help='Show a recording or a live node in the browser.')
@click.argument('path', metavar='[OUT|BAG]', required=False, type=click.Path(path_type=Path))
@click.option(
    '--port',
    default=PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help='Port to serve the page at; 0 for any that is free.',
)
@click.option(
    '--host',
    default='127.0.0.1',
    show_default=True,
    metavar='ADDRESS',
    help='Address to serve the page at: by default this machine alone can see it; 0.0.0.0 lets '
    'everybody see it who reaches this machine.',
)
@click.option(
    '--namespace',
    default='',
    metavar='NAME',
    help='Namespace of the live node, where there are several wearers.',
)
@click.option(
    '--foxglove',
    is_flag=True,
    help='Serve the live node to the Foxglove app in place of a page (port 8765 unless --port '
    'says another); takes the package foxglove-sdk.',
)
@click.option('--no-browser', is_flag=True, help='Only print the address, open no browser.')
@click.pass_context
def view(
    context: click.Context,
    path: Path | None,
    port: int,
    host: str,
    namespace: str,
    foxglove: bool,
    no_browser: bool,
    **estimating: Any,
) -> None:
    """Show a moving skeleton, ground reaction, joint curves, sensors and latency on a local page.

    OUT is what `estimate` or `demo` wrote; it is played with a slider. A recording (BAG or a
    trial folder) is estimated first, with the options of `estimate`. Without either, a live node
    is shown, which takes ROS 2. The page loads nothing from the internet. Ctrl-C ends it.
    """
    show = _live if path is None else _recording
    given = {
        name: value
        for name, value in estimating.items()
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    if foxglove:
        if path is not None:
            raise ViewError(
                f'--foxglove was given with {path}, expected it for a live node only; open the '
                '.mcap file in the folder bag of an estimate in Foxglove as it is.'
            )
        _require_live(context, namespace=namespace, given=given)
        chosen = context.get_parameter_source('port') is not ParameterSource.DEFAULT
        serve_foxglove(
            host=host,
            port=port if chosen else FOXGLOVE_PORT,
            ros_arguments=_in_namespace(namespace),
        )
        return
    with show(context, path=path, namespace=namespace, estimating=estimating, given=given) as page:
        from sspinnpose_ros.cli.view_server import ViewServer, warn_of_others

        with ViewServer(host=host, port=port, **page) as server:
            warn_of_others(host)
            _announce(server, open_browser=not no_browser)
            server.serve_forever(poll_interval=0.2)


view.params += [each for each in estimate.params if each.name not in NOT_HERE]


def _announce(server: ViewServer, *, open_browser: bool) -> None:
    click.echo(f'{server.url} shows it; Ctrl-C ends it.')
    sys.stdout.flush()
    # Without a display a text browser would take the terminal.
    has_display = sys.platform != 'linux' or any(
        os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY')
    )
    if open_browser and has_display:
        webbrowser.open(server.url)


@contextmanager
def _recording(
    context: click.Context,
    *,
    path: Path | None,
    namespace: str,
    estimating: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    assert path is not None
    if namespace:
        raise ViewError(
            f'--namespace {namespace} was given with {path}, expected it for a live node only; '
            'leave out one of them.'
        )
    if (path / 'estimate.npz').is_file():
        unused = [name for name in given if name != 'subject_path']
        if unused:
            option = next(each.opts[-1] for each in context.command.params if each.name in unused)
            raise ViewError(
                f'{option} was given, but {path} is an estimate already, expected a recording to '
                f'estimate with {option}; leave it out or name the recording.'
            )
        yield recorded_page(path, subject_path=estimating['subject_path'])
        return
    with TemporaryDirectory(prefix='sspinnpose_') as scratch:
        out = Path(scratch) / (path.resolve().name or 'recording')
        context.invoke(
            estimate,
            bag_path=path,
            output=out,
            overwrite=False,
            realtime_factor=None,
            **estimating,
        )
        page = recorded_page(out, subject_path=None)
    yield page


def recorded_page(out: Path, *, subject_path: Path | None) -> dict[str, Any]:
    """Read what `estimate` wrote and return `scene` and `rows` for a `ViewServer`.

    Raises:
        UserError: for a folder that holds no whole estimate.

    """
    import numpy as np

    from sspinnpose_ros.bags.latency_log import read_latency_log
    from sspinnpose_ros.bags.reference import load_estimate
    from sspinnpose_ros.bags.status_log import read_status_log
    from sspinnpose_ros.core.calibration_file import load_calibration
    from sspinnpose_ros.core.errors import SubjectError
    from sspinnpose_ros.core.subject import load_subject
    from sspinnpose_ros.evaluation import view_scene
    from sspinnpose_ros.evaluation.estimate_health import estimate_health
    from sspinnpose_ros.evaluation.gait_cycles import find_strides, gait_timing
    from sspinnpose_ros.evaluation.view_rows import recording_rows

    arrays = load_estimate(out / 'estimate.npz')
    if subject_path is None and not (out / 'subject.yaml').exists():
        raise SubjectError(
            f'There is no subject.yaml in {out}, expected mass and height of the wearer; name a '
            'SUBJECT.yaml with --subject.'
        )
    subject = load_subject(subject_path or out / 'subject.yaml')
    calibration_path, bag = out / 'calibration.yaml', out / 'bag'
    calibration = load_calibration(calibration_path) if calibration_path.exists() else None
    strides = find_strides(arrays, mass_kg=subject.mass_kg)
    gait = gait_timing(strides, estimate=arrays).gait
    rows = recording_rows(arrays)
    first = int(np.argmax(np.isfinite(arrays['angle_hip_flexion_r'])))
    begin_s = float(arrays['time'][first])
    changes = read_status_log(bag) if bag.is_dir() else []
    latency = read_latency_log(bag) if bag.is_dir() else None
    scene = {
        **view_scene.scene(name=out.resolve().name, live=False, gait=gait),
        'robot': view_scene.robot_of(subject),
        'status': [[begin_s + each.time_s, int(each.level), each.message] for each in changes],
        'trust': view_scene.trust(estimate_health(arrays, calibration=calibration, gait=gait)),
        'latency': None
        if latency is None
        else {
            'p50_ms': float(np.median(latency.latency_ms[:, 0])),
            'p99_ms': float(np.median(latency.latency_ms[:, 1])),
            'max_ms': float(latency.latency_ms[:, 2].max()),
        },
    }
    return {'scene': scene, 'rows': rows.tobytes()}


@contextmanager
def _live(
    context: click.Context,
    *,
    path: Path | None,
    namespace: str,
    estimating: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    from sspinnpose_ros.cli.child_process import child_process
    from sspinnpose_ros.cli.view_server import Feed
    from sspinnpose_ros.evaluation import view_scene

    _require_live(context, namespace=namespace, given=given)
    words = f'live node in {namespace}' if namespace else 'live node'
    feed, stopped = Feed(), threading.Event()
    arguments = ['sspinnpose_ros.ros.view_listener', *_in_namespace(namespace)]
    env = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    with child_process('listener', arguments, env=env) as listener:
        thread = threading.Thread(target=_pump, args=(listener, feed, stopped), daemon=True)
        thread.start()
        try:
            yield {'scene': view_scene.scene(name=words, live=True), 'feed': feed}
        finally:
            stopped.set()
            feed.close()
            thread.join(timeout=1.0)


def _require_live(context: click.Context, *, namespace: str, given: Mapping[str, Any]) -> None:
    """Refuse what makes no sense for a live node, and where there is no ROS."""
    from importlib.util import find_spec

    if given:
        name = next(iter(given))
        option = next(each.opts[-1] for each in context.command.params if each.name == name)
        raise ViewError(
            f'{option} was given without a recording, expected one to estimate; name it, or leave '
            f'{option} out to see a live node.'
        )
    if not re.fullmatch(NAMESPACE, namespace):
        raise ViewError(
            f'--namespace is {namespace!r}, expected names of letters, digits and _ with / '
            'between them; name the namespace that the node was started in.'
        )
    if find_spec('rclpy') is None:
        raise ViewError(
            'rclpy is not installed, expected ROS 2 to listen to a live node; name a recording, '
            'source a ROS 2 distribution, or run make setup.'
        )


def _in_namespace(namespace: str) -> list[str]:
    name = namespace.strip('/')
    return ['--ros-args', '-r', f'__ns:=/{name}'] if name else []


def _pump(listener: Any, feed: Feed, stopped: threading.Event) -> None:
    """Pass on what the listener prints: a kind, a space and JSON a line."""
    import json

    while not stopped.wait(LOOK_S):
        code = listener.code
        for line in listener.lines():
            kind, space, data = line.partition(' ')
            if space and kind.isalpha() and kind.islower() and data[:1] in '{[':
                feed.send(kind, data)
        if code is not None:
            said = ' '.join(listener.last_lines[-2:]) or 'nothing'
            message = f'The listener to the node ended with code {code} and said: {said}'
            click.echo(message, err=True)
            feed.send('ended', json.dumps({'message': message}))
            return
