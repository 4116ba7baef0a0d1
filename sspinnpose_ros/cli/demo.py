# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that shows the estimator node at work, without hardware."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from sspinnpose_ros.cli.options import FiniteRange, model_option
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SIDES
from sspinnpose_ros.core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from sspinnpose_ros.bags.human_topics import HumanTopics
    from sspinnpose_ros.cli.child_process import ChildProcess
    from sspinnpose_ros.core.subject import Subject

RESULT = ('bag', 'estimate.npz', 'subject.yaml', 'calibration.yaml', 'demo.png')
"""What OUT holds; a folder with anything else in it is never replaced."""

START_S = 60.0
"""Longest time from starting the processes to the first sample."""

LINE_S = 2.0
"""Time between lines where the output is no terminal."""

RATE_HZ = 100.0
"""Of the grid on which signals are checked."""

LEVELS = ('OK', 'WARN', 'ERROR', 'STALE')


class DemoError(UserError):
    """Report a demo whose processes failed."""


@dataclass(frozen=True, eq=False)
class Source:
    """Hold what is played and what is known of it.

    Attributes:
        bag: recording.
        subject: the wearer.
        subject_file: of the wearer.
        calibration: file made for it, None for aligned sensors.
        reference: arrays of a reference.npz, None without.

    """

    bag: Path
    subject: Subject
    subject_file: Path
    calibration: Path | None
    reference: Mapping[str, np.ndarray] | None


@click.command(short_help='Show the live estimator at work, without hardware.')
@click.option(
    '--bag',
    'bag_path',
    metavar='TRIAL',
    type=click.Path(path_type=Path),
    help='Trial folder to play (bag/, subject.yaml). Default: a simulated wearer.',
)
@model_option
@click.option(
    '--seconds',
    default=15.0,
    show_default=True,
    type=FiniteRange(8.0, 3600.0),
    help='How much to play, in real time [s]; the node checks the signals for the first 3.',
)
@click.option(
    '--speed',
    default=1.3,
    show_default=True,
    type=FiniteRange(0.0, 5.0),
    help='Speed of the simulated wearer [m/s].',
)
@click.option(
    '-o',
    '--output',
    default='demo_out',
    show_default=True,
    metavar='OUT',
    type=click.Path(path_type=Path),
    help='Folder for the recorded bag and the plot; an earlier demo in it is replaced.',
)
def demo(
    bag_path: Path | None, model_path: str, seconds: float, speed: float, output: Path
) -> None:
    """Show the live estimator: a wearer's IMUs in, a moving skeleton out, over real topics.

    One process publishes the IMU messages of a simulated or recorded wearer in real time, the
    estimator node turns them into joint states, wrenches and frames, a third process records
    everything. They talk to each other alone, on this machine.
    """
    from sspinnpose_ros.core.atomic_output import folder_beside
    from sspinnpose_ros.core.model_file import load_model

    _require_ros()
    load_model(model_path)
    with (
        folder_beside(output, overwrite=True, contents=RESULT) as folder,
        TemporaryDirectory(prefix='sspinnpose_') as scratch,
    ):
        if bag_path is None:
            bag_path = Path(scratch) / 'wearer'
            _simulate(bag_path, speed_mps=speed, seconds=seconds + 1.0)
        source = _prepare(bag_path, folder=folder, seconds=seconds)
        _run(source, model=model_path, seconds=seconds, bag=folder / 'bag')
        topics = _summarize(source, folder=folder)
        _plot(topics, source=source, path=folder / 'demo.png')
    click.echo(f'Recorded bag: {output / "bag"}')
    click.echo(f'Plot: {output / "demo.png"}')
    if not (topics.arrays['status'] == 0).any():
        raise DemoError(
            f'Not one of {len(topics.arrays["status"])} estimates had status OK, expected most '
            'after the first 3 s; the lines above and /human/status in the recorded bag say why.'
        )


def _require_ros() -> None:
    from importlib.util import find_spec

    if find_spec('rclpy') is None:
        raise DemoError(
            'rclpy is not installed, expected ROS 2 for a live demo; run make demo, source a '
            'ROS 2 distribution, or use sspinnpose estimate, which needs none.'
        )


def _simulate(trial: Path, *, speed_mps: float, seconds: float) -> None:
    from sspinnpose_ros.cli.progress import progress_bar
    from sspinnpose_ros.cli.simulate import SimulationConfig, simulate_to_bag

    config = SimulationConfig(speed_mps=speed_mps, seconds=seconds)
    click.echo(f'Simulating a wearer at {speed_mps:g} m/s (about 15 s) ...')
    with progress_bar(label='simulating', total=config.iterations) as progress:
        simulate_to_bag(trial, config=config, progress=progress)


def _prepare(path: Path, *, folder: Path, seconds: float) -> Source:
    """Read a trial, calibrate where that is needed, and refuse what `estimate` would refuse."""
    from sspinnpose_ros.bags.imu_bag import open_imu_bag
    from sspinnpose_ros.bags.recorded_grid import read_grid
    from sspinnpose_ros.bags.recording_calibration import find_mounting
    from sspinnpose_ros.bags.reference import load_reference
    from sspinnpose_ros.bags.trial import find_trial, subject_of
    from sspinnpose_ros.core.calibration_file import save_calibration
    from sspinnpose_ros.core.conventions import SENSORS
    from sspinnpose_ros.core.subject import save_subject

    trial = find_trial(path)
    subject_file = folder / 'subject.yaml'
    calibration = None
    with open_imu_bag(trial.bag, sensors=SENSORS) as bag:
        subject = subject_of(trial)
        save_subject(subject_file, subject)
        found = find_mounting(bag, subject=subject, sensors=SENSORS)
        read_grid(
            bag,
            sensors=SENSORS,
            rate_hz=RATE_HZ,
            longest_s=seconds,
            mounting=found.mounting,
        )
    if found.calibration is not None:
        click.echo(found.reason)
        for sentence in found.calibration.sentences:
            click.echo(f'  {sentence}')
        calibration = folder / 'calibration.yaml'
        save_calibration(calibration, found.calibration)
    return Source(
        bag=trial.bag,
        subject=subject,
        subject_file=subject_file,
        calibration=calibration,
        reference=None if trial.reference is None else load_reference(trial.reference),
    )


def _run(source: Source, *, model: str, seconds: float, bag: Path) -> None:
    """Play the source through the node for some seconds and record what comes into `bag`."""
    from sspinnpose_ros.cli.child_process import child_process
    from sspinnpose_ros.cli.private_domain import domain_environment, private_domain

    parameters: dict[str, object] = {
        'model': model,
        'subject': source.subject_file.absolute(),
        'missing_topic_s': START_S,
    }
    if source.calibration is not None:
        parameters['calibration'] = source.calibration.absolute()
    if model != 'default':
        parameters['model'] = Path(model).absolute()
    with private_domain() as domain:
        env = domain_environment(domain)
        with (
            child_process(
                'estimator',
                ['sspinnpose_ros.ros.estimator_node', *_ros_arguments(parameters)],
                env=env,
            ) as estimator,
            child_process(
                'recorder', ['sspinnpose_ros.ros.demo_recorder', str(bag.absolute())], env=env
            ) as recorder,
            child_process(
                'wearer',
                [
                    'sspinnpose_ros.ros.demo_wearer',
                    *_ros_arguments(
                        {
                            'bag': source.bag.absolute(),
                            'seconds': seconds,
                            'loop': 'false',
                            'wait_for': 2,
                        }
                    ),
                ],
                env=env,
            ) as wearer,
        ):
            click.echo(
                f'The estimator listens on /imu/<sensor>/data_raw (ROS_DOMAIN_ID={domain}).'
            )
            _watch(
                estimator,
                recorder,
                wearer,
                seconds=seconds,
                weight_n=source.subject.mass_kg * GRAVITY,
            )


def _ros_arguments(parameters: Mapping[str, object]) -> list[str]:
    arguments = ['--ros-args']
    for name, value in parameters.items():
        arguments += ['-p', f'{name}:={value}']
    return arguments


def _watch(
    estimator: ChildProcess,
    recorder: ChildProcess,
    wearer: ChildProcess,
    *,
    seconds: float,
    weight_n: float,
) -> None:
    """Print live lines until the wearer has played to the end."""
    end = time.monotonic() + START_S + 1.5 * seconds
    with _live_line(weight_n) as show:
        first: float | None = None
        while wearer.code is None:
            if time.monotonic() > end:
                raise DemoError(
                    f'The demo did not end within {START_S + 1.5 * seconds:.0f} s, expected '
                    f'{seconds:.0f} s of playing; free the processor and try again.'
                )
            for child in (estimator, recorder):
                if child.code is not None:
                    raise _failed(child)
            for line in estimator.lines():
                if '[WARN]' in line or '[ERROR]' in line:
                    click.echo(f'\n{line}')
            for line in recorder.lines():
                content = _parse(line)
                if 'position' in content:
                    first = content['stamp'] if first is None else first
                    show(content, content['stamp'] - first)
                elif first is not None and 'message' in content:
                    show(content, None)
            time.sleep(0.05)
        if wearer.code != 0:
            raise _failed(wearer)
        # What was published last is still under way.
        time.sleep(0.5)


def _failed(child: ChildProcess) -> DemoError:
    child.lines()
    said = ' / '.join(child.last_lines[-3:]) or 'nothing'
    return DemoError(
        f'The {child.name} process ended with code {child.code} and said: {said}; expected it to '
        'run to the end.'
    )


def _parse(line: str) -> dict[str, Any]:
    if not line.startswith('{'):
        return {}
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


@contextmanager
def _live_line(weight_n: float) -> Iterator[Any]:
    """Give a function that shows the newest estimate: in place on a terminal, else in lines."""
    terminal = sys.stdout.isatty()
    shown = [0.0]

    def show(content: dict[str, Any], time_s: float | None) -> None:
        say(_estimate(content, time_s, weight_n) if time_s is not None else _status(content))

    def say(text: str) -> None:
        if terminal:
            click.echo(f'\r{text}\x1b[K', nl=False)
        elif time.monotonic() - shown[0] >= LINE_S:
            shown[0] = time.monotonic()
            click.echo(text)

    yield show
    if terminal:
        click.echo()


def _estimate(content: Mapping[str, Any], time_s: float, weight_n: float) -> str:
    degrees = [57.29578 * angle for angle in content['position']]
    right, left = (' '.join(f'{angle:+4.0f}' for angle in degrees[i : i + 3]) for i in (0, 3))
    share = 100.0 / weight_n
    force = '/'.join(f'{share * content.get(f"foot_{side}", 0.0):3.0f}' for side in SIDES)
    return (
        f'{time_s:6.1f} s  hip/knee/ankle R {right}  L {left} deg  GRF R/L {force} %BW  '
        f'{content["latency_ms"]:5.1f} ms  {_level(content)}'
    )


def _status(content: Mapping[str, Any]) -> str:
    """Say why there is no estimate."""
    return f'no estimate: {content["message"]} ({_level(content)})'


def _level(content: Mapping[str, Any]) -> str:
    return LEVELS[int(content.get('level', 3)) % len(LEVELS)]


def _summarize(source: Source, *, folder: Path) -> HumanTopics:
    """Print what the recording holds, and keep it as estimate.npz."""
    import numpy as np

    from sspinnpose_ros.bags.human_topics import read_human_topics
    from sspinnpose_ros.evaluation.gait_numbers import gait_numbers

    topics = read_human_topics(folder / 'bag')
    arrays = topics.arrays
    np.savez_compressed(folder / 'estimate.npz', **arrays)
    time_s = arrays['time']
    span = float(time_s[-1] - time_s[0])
    rate = (len(time_s) - 1) / span if span > 0.0 else float('nan')
    p50, p99, worst = (1e3 * np.percentile(topics.latency_s, (50.0, 99.0, 100.0))).tolist()
    ok = float((arrays['status'] == 0).mean())
    click.echo('Summary')
    click.echo(
        f'  {len(time_s)} estimates in {span:.1f} s ({rate:.1f} Hz), {ok:.0%} with status OK'
    )
    click.echo(
        '  from the stamp of a measurement to its joint states in another process: '
        f'p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {worst:.1f} ms'
    )
    gait = gait_numbers(arrays, mass_kg=source.subject.mass_kg)
    if gait.strides:
        click.echo(
            f'  cadence {gait.cadence_steps_min:.0f} steps/min; right and left: stance '
            f'{_pair(gait.stance_share, 100.0)} % of the stride, knee range '
            f'{_pair(gait.knee_range_rad, 57.29578)} deg, greatest vertical force '
            f'{_pair(gait.peak_force_bw, 100.0)} % of body weight'
        )
    _compare(arrays, source)
    return topics


def _pair(values: tuple[float, float], scale: float) -> str:
    return ' and '.join(f'{scale * value:.0f}' for value in values)


def _compare(arrays: Mapping[str, np.ndarray], source: Source) -> None:
    """Print the differences from the reference, where there is one."""
    if source.reference is None:
        return
    from sspinnpose_ros.evaluation.metrics import evaluate

    result = evaluate(
        estimate=arrays,
        reference=source.reference,
        mass_kg=source.subject.mass_kg,
        height_m=source.subject.height_m,
    )
    parts = []
    for name, scores, unit in (
        ('angles', result.angle, 'deg'),
        ('moments', result.moment, 'BWBH%'),
        ('vertical force', result.grf_up, '%BW'),
    ):
        if scores:
            mean = sum(score.rmsd for score in scores.values()) / len(scores)
            parts.append(f'{name} {mean:.1f} {unit}')
    if parts:
        click.echo(f'  RMSD from the reference over {result.scored_s:.0f} s: {", ".join(parts)}')


def _plot(topics: HumanTopics, *, source: Source, path: Path) -> None:
    from sspinnpose_ros.cli.demo_plot import save_plot

    weight = source.subject.mass_kg * GRAVITY
    save_plot(
        path,
        estimate=topics.arrays,
        reference=source.reference,
        joints=JOINTS,
        weight_n=weight,
    )
