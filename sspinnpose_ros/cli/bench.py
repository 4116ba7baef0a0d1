# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that measures speed."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sspinnpose_ros.cli.json_file import json_option, write_json
from sspinnpose_ros.cli.options import FiniteRange, model_option, overwrite_option

if TYPE_CHECKING:
    import numpy as np

    from sspinnpose_ros.bags.imu_bag import ImuSeries
    from sspinnpose_ros.core.body import Body
    from sspinnpose_ros.core.estimator import Estimator
    from sspinnpose_ros.core.mounting import Mounting
    from sspinnpose_ros.evaluation.timing import Timing

THREAD_VARIABLES = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')
PAPER_STEP_S = 3.5e-3
"""Network alone, as the paper states it."""

RATE_HZ = 100.0
BATCH, LENGTH = 256, 100
PARTS = 7
"""Of a measurement without the node."""

ORIGIN_NS = 1_700_000_000_000_000_000


@click.command(short_help='Measure latency and throughput.')
@model_option
@click.option(
    '--repeats',
    default=5000,
    show_default=True,
    type=click.IntRange(min=10),
    help='Timed steps; the batch and the recording take fewer.',
)
@click.option(
    '--seconds',
    default=60.0,
    show_default=True,
    type=FiniteRange(5.0, 7200.0),
    help='Length of the recording for the offline measurement [s].',
)
@click.option('--no-training', is_flag=True, help='Leave out what needs torch.')
@click.option(
    '--node',
    is_flag=True,
    help='Measure the node instead, from message to message between processes; needs rclpy.',
)
@click.option(
    '--node-seconds',
    default=20.0,
    show_default=True,
    type=FiniteRange(2.0, 3600.0),
    help='How long to play at each rate with --node [s].',
)
@click.option(
    '--plot',
    'plot_path',
    metavar='PNG',
    type=click.Path(path_type=Path),
    help='Draw what --node measures; needs matplotlib.',
)
@json_option('Write the numbers to this file as well.')
@overwrite_option
def bench(
    model_path: str,
    repeats: int,
    seconds: float,
    no_training: bool,
    node: bool,
    node_seconds: float,
    plot_path: Path | None,
    json_path: Path | None,
    overwrite: bool,
) -> None:
    """Measure latency and throughput on this machine, on one CPU thread.

    The streaming step is what the node does with one frame of seven sensors: inclination,
    network, physics. Times are percentiles of many repeats after a warm-up; compare ratios, not
    times, between machines.
    """
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, '1')
    from sspinnpose_ros.cli.bench_node import PAUSE_S, RATES_HZ, measure_node, node_table
    from sspinnpose_ros.cli.progress import progress_bar
    from sspinnpose_ros.core.atomic_output import file_beside, require_free
    from sspinnpose_ros.core.estimator import Estimator
    from sspinnpose_ros.core.model_file import load_model
    from sspinnpose_ros.core.mounting import aligned_mounting
    from sspinnpose_ros.core.native_step import SWITCH
    from sspinnpose_ros.core.subject import make_subject

    if plot_path is not None:
        _require_plot(plot_path, node=node)
    for path in (json_path, plot_path):
        if path is not None:
            require_free(path, overwrite=overwrite)
    if node:
        total = round(len(RATES_HZ) * (node_seconds + PAUSE_S))
        with progress_bar(label='measuring the node', total=total) as progress:
            found = measure_node(model_path, seconds=node_seconds, progress=progress)
        if json_path is not None:
            write_json(json_path, {'node': found}, overwrite=overwrite)
        if plot_path is not None:
            from sspinnpose_ros.cli.bench_node_plot import save_node_plot

            with file_beside(plot_path, overwrite=overwrite) as partial:
                save_node_plot(partial, found)
        click.echo(node_table(found))
        return
    mounting = aligned_mounting()
    model = load_model(model_path)
    subject = make_subject(mass_kg=75.0, height_m=1.75, sensor_axes='aligned')
    estimator = Estimator(model=model, subject=subject, mounting=mounting)
    results: dict[str, float] = {}
    with progress_bar(label='measuring', total=PARTS) as progress:
        _note(results, 'step', _time_step(estimator, repeats=repeats))
        progress(1)
        if estimator.steps_in_c:
            os.environ[SWITCH] = '0'
            plain = Estimator(model=model, subject=subject, mounting=mounting)
            del os.environ[SWITCH]
            _note(results, 'python_step', _time_step(plain, repeats=repeats))
        progress(1)
        _note(results, 'numpy_network', _time_network(estimator, repeats=repeats))
        progress(1)
        _note(results, 'synchronizer', _time_synchronizer(repeats=repeats))
        progress(1)
        for name, timing in _time_dynamics(estimator.body, repeats=repeats).items():
            _note(results, f'dynamics_{name}', timing)
        progress(1)
        results.update(_time_offline(estimator, mounting=mounting, seconds=seconds))
        progress(1)
        if not no_training:
            timing = _time_physics(repeats=max(10, repeats // 200))
            _note(results, 'physics_batch', timing)
            results['physics_samples_per_s'] = BATCH * LENGTH / timing.p50
        progress(1)
    results.update(_ratios(results))
    if json_path is not None:
        write_json(json_path, results, overwrite=overwrite)
    click.echo(_table(results))


def _require_plot(path: Path, *, node: bool) -> None:
    from sspinnpose_ros.core.errors import OutputError

    if not node:
        raise OutputError(
            f'{path} would stay empty (nothing but the node is drawn), expected --node beside '
            '--plot; add it or leave --plot out.'
        )
    if find_spec('matplotlib') is None:
        raise OutputError(
            f'{path} cannot be drawn (matplotlib is not installed), expected it for --plot; '
            'install it or leave --plot out.'
        )


def _note(results: dict[str, float], name: str, timing: Timing) -> None:
    results[f'{name}_p50_ms'] = 1e3 * timing.p50
    results[f'{name}_p99_ms'] = 1e3 * timing.p99
    results[f'{name}_p999_ms'] = 1e3 * timing.p999
    results[f'{name}_max_ms'] = 1e3 * timing.longest


def _signals(seconds: float) -> dict[str, ImuSeries]:
    """Return seven segment-aligned sensors that swing like a walker's."""
    import numpy as np

    from sspinnpose_ros.bags.imu_bag import ImuSeries
    from sspinnpose_ros.core.conventions import GRAVITY, SENSORS

    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(0)
    series = {}
    for row, sensor in enumerate(SENSORS):
        phase = 2.0 * np.pi * 0.9 * time_s + row
        angle, rate = 0.3 * np.sin(phase), 0.3 * 2.0 * np.pi * 0.9 * np.cos(phase)
        still = np.zeros_like(time_s)
        sample = np.stack(
            [GRAVITY * np.sin(angle), GRAVITY * np.cos(angle), still, still, still, rate], -1
        )
        sample += noise.normal(scale=0.02, size=sample.shape)
        series[sensor] = ImuSeries(stamp_s=time_s, sample=sample)
    return series


def _frames(count: int) -> list[Any]:
    import numpy as np

    from sspinnpose_ros.core.conventions import SENSORS
    from sspinnpose_ros.core.frame import Frame

    series = _signals(count / RATE_HZ)
    present = np.ones(len(SENSORS), dtype=bool)
    return [
        Frame(
            time_s=row / RATE_HZ,
            imu=np.stack([series[sensor].sample[row] for sensor in SENSORS]),
            present=present,
        )
        for row in range(count)
    ]


def _time_step(estimator: Estimator, *, repeats: int) -> Timing:
    from sspinnpose_ros.evaluation.timing import measure

    frames = _frames(500)
    state = estimator.initial_state()
    turn = 0

    def step() -> None:
        nonlocal state, turn
        state, _ = estimator.step(state, frames[turn % len(frames)])
        turn += 1

    return measure(step, repeats=repeats, warm_up=200)


def _time_network(estimator: Estimator, *, repeats: int) -> Timing:
    import numpy as np

    from sspinnpose_ros.core.features import INPUTS
    from sspinnpose_ros.core.network_step import NetworkStep
    from sspinnpose_ros.evaluation.timing import measure

    network = NetworkStep(estimator.model.weights)
    inputs = np.random.default_rng(0).normal(size=INPUTS)
    state = network.initial_state()

    def step() -> None:
        nonlocal state
        _, state = network(inputs, state)

    return measure(step, repeats=repeats, warm_up=200)


def _time_synchronizer(*, repeats: int) -> Timing:
    """Time one frame: seven samples pushed and read."""
    from sspinnpose_ros.core.conventions import SENSORS
    from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
    from sspinnpose_ros.evaluation.timing import measure

    warm_up = 200
    series = _signals((repeats + warm_up) / RATE_HZ + 1.0)
    samples: list[list[np.ndarray]] = [list(series[sensor].sample) for sensor in SENSORS]
    synchronizer = Synchronizer(sensors=SENSORS, config=SynchronizerConfig(rate_hz=RATE_HZ))
    row = 0

    def frame() -> None:
        nonlocal row
        stamp = row / RATE_HZ
        for sensor, values in zip(SENSORS, samples, strict=True):
            synchronizer.push(sensor=sensor, stamp_s=stamp, sample=values[row], arrival_s=stamp)
            synchronizer.drain(now_s=stamp)
        row += 1

    return measure(frame, repeats=repeats, warm_up=warm_up)


def _time_dynamics(body: Body, *, repeats: int) -> dict[str, Timing]:
    """Time the inverse dynamics of one state: ours in numpy, and engines that are installed."""
    import numpy as np

    from sspinnpose_ros.core.contact import contact_points
    from sspinnpose_ros.core.dynamics import inverse_dynamics
    from sspinnpose_ros.core.kinematics import kinematics
    from sspinnpose_ros.evaluation.peer_dynamics import ENGINES
    from sspinnpose_ros.evaluation.timing import measure_in_turn

    noise = np.random.default_rng(0)
    q, qd, qdd = noise.normal(size=(3, 9))
    force = noise.normal(scale=300.0, size=(2, 2, 2))

    def ours() -> None:
        motion = kinematics(body=body, q=q, qd=qd, qdd=qdd)
        points = contact_points(body=body, motion=motion)
        inverse_dynamics(
            body=body, motion=motion, contact_offset=points.from_ankle, contact_force=force
        )

    functions = {'numpy': ours}
    for engine in ENGINES:
        if engine.installed:
            solver = engine.solver(body)
            solver.place(q=q, qd=qd, qdd=qdd, contact_force=force)
            functions[engine.name.lower()] = solver.solve
    turns = measure_in_turn(functions, turns=max(1, repeats // 20), calls=20)
    return {name: turns.timing(name) for name in functions}


def _time_offline(estimator: Estimator, *, mounting: Mounting, seconds: float) -> dict[str, float]:
    """Time a recording from bag to bag, and reading it alone."""
    from sspinnpose_ros.bags.imu_bag import open_imu_bag
    from sspinnpose_ros.bags.imu_bag_writer import write_imu_bag
    from sspinnpose_ros.bags.recording_estimate import estimate_recording
    from sspinnpose_ros.core.conventions import SENSORS

    with tempfile.TemporaryDirectory(prefix='sspinnpose_bench_') as place:
        folder = Path(place)
        write_imu_bag(folder / 'bag', series=_signals(seconds), origin_ns=ORIGIN_NS)
        with open_imu_bag(folder / 'bag') as bag:
            begin = time.perf_counter()
            messages = sum(1 for _ in bag.samples())
            reading = time.perf_counter() - begin
        (folder / 'out').mkdir()
        gc.freeze()  # as `sspinnpose estimate` does
        with open_imu_bag(folder / 'bag') as bag:
            summary = estimate_recording(
                bag,
                folder=folder / 'out',
                estimator=estimator,
                mounting=mounting,
                sensors=SENSORS,
            )
    return {
        'read_messages_per_s': messages / reading,
        'offline_realtime_factor': summary.realtime_factor,
    }


def _time_physics(*, repeats: int) -> Timing:
    """Time a training batch: kinematics, contact, dynamics and sensors, forward and backward."""
    import torch

    from sspinnpose_ros.core.body import body_from_anthropometry, nominal_sensor_position
    from sspinnpose_ros.core.contact import contact_points
    from sspinnpose_ros.core.dynamics import inverse_dynamics
    from sspinnpose_ros.core.kinematics import kinematics
    from sspinnpose_ros.core.virtual_imu import virtual_imu
    from sspinnpose_ros.evaluation.timing import measure

    torch.set_num_threads(1)
    torch.manual_seed(0)
    height = torch.full((BATCH,), 1.75)
    body = body_from_anthropometry(mass_kg=torch.full((BATCH,), 75.0), height_m=height)
    position = nominal_sensor_position(height_m=height)[:, None]
    q, qd, qdd = (torch.randn(BATCH, LENGTH, 9, requires_grad=True) for _ in range(3))
    force = torch.rand(BATCH, LENGTH, 2, 2, 2, requires_grad=True)

    def forward_and_backward() -> None:
        wide = body.over_time()
        motion = kinematics(body=wide, q=q, qd=qd, qdd=qdd)
        points = contact_points(body=wide, motion=motion)
        effort = inverse_dynamics(
            body=wide, motion=motion, contact_offset=points.from_ankle, contact_force=force
        )
        sensed = virtual_imu(motion=motion, position=position)
        (effort.square().mean() + sensed.square().mean()).backward()

    return measure(forward_and_backward, repeats=repeats, warm_up=3)


def _ratios(results: Mapping[str, float]) -> dict[str, float]:
    ratios = {
        'ratio_paper_to_step': 1e3 * PAPER_STEP_S / results['step_p50_ms'],
        'ratio_step_to_numpy_network': results['step_p50_ms'] / results['numpy_network_p50_ms'],
        'ratio_period_to_step_p99': 1e3 / RATE_HZ / results['step_p99_ms'],
    }
    if 'python_step_p50_ms' in results:
        ratios['ratio_python_step_to_step'] = (
            results['python_step_p50_ms'] / results['step_p50_ms']
        )
    return ratios


def _cell(time_ms: float) -> str:
    return f'{time_ms:>9.{3 if time_ms >= 0.01 else 4}f}'


def _table(results: Mapping[str, float]) -> str:
    from sspinnpose_ros.evaluation.peer_dynamics import ENGINES

    lines = [f'{"one CPU thread, per call":<44}{"p50":>9}{"p99":>9}{"p99.9":>9}{"max":>9}']
    for name, text in (
        ('step', 'streaming step: inclination, network, physics'),
        ('python_step', 'the same without a compiler, in numpy'),
        ('numpy_network', 'the network alone, in numpy'),
        ('synchronizer', 'synchronizer: seven samples to a frame'),
        ('dynamics_numpy', 'motion and inverse dynamics alone, in numpy'),
        ('dynamics_pinocchio', "pinocchio's inverse dynamics, its call alone"),
        ('dynamics_mujoco', "MuJoCo's inverse dynamics, its call alone"),
        ('physics_batch', f'physics, torch, {BATCH} x {LENGTH}, both ways'),
    ):
        if f'{name}_p50_ms' in results:
            cells = (results[f'{name}_{part}_ms'] for part in ('p50', 'p99', 'p999', 'max'))
            lines.append(f'{text:<44}' + ''.join(map(_cell, cells)) + ' ms')
    lines += [
        f'{engine.name} is not installed: pip install {engine.package}'
        for engine in ENGINES
        if not engine.installed
    ]
    if 'physics_samples_per_s' in results:
        lines.append(f'physics: {results["physics_samples_per_s"] / 1e6:.2f} million samples/s')
    lines += [
        f'reading a bag: {results["read_messages_per_s"] / 1e3:.0f} thousand messages/s',
        f'offline, bag to bag: {results["offline_realtime_factor"]:.0f} times real time',
        f"the paper's 3.5 ms network over our whole step: {results['ratio_paper_to_step']:.1f}",
        f'whole step over the network alone in numpy: '
        f'{results["ratio_step_to_numpy_network"]:.1f}',
        f'period of {1e3 / RATE_HZ:g} ms over the p99 of the step: '
        f'{results["ratio_period_to_step_p99"]:.1f}',
    ]
    if 'ratio_python_step_to_step' in results:
        lines.append(
            f'step in numpy over the same in C: {results["ratio_python_step_to_step"]:.1f}'
        )
    return '\n'.join(lines)
