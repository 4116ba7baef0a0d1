# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure the node from message to message, with its inputs from another process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sspinnpose_ros.core.errors import UserError

RATES_HZ = (200.0, 400.0, 1000.0)
SLACK_S = 60.0
PAUSE_S = 3.0
"""Between two rates, with the start of the node."""

LOOK_S = 0.2
BAR = 50
EDGES_MS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)


class BenchError(UserError):
    """Tell why the node cannot be measured."""


def measure_node(
    model: str,
    *,
    seconds: float,
    rates_hz: Sequence[float] = RATES_HZ,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """Run the estimator node and a process that plays seven sensors to it.

    Args:
        model: folder of the model, or 'default'.
        seconds: how long to play at each rate, s.
        rates_hz: of the sensors, one after the other, Hz.
        progress: called with the seconds since the last call, at most those it will take.

    Returns:
        What `ros.latency_probe` found at each rate.

    Raises:
        BenchError: without rclpy, or where either process ends early.

    """
    from importlib.util import find_spec

    from sspinnpose_ros.cli.child_process import ChildProcess, child_process
    from sspinnpose_ros.cli.private_domain import domain_environment, private_domain

    if find_spec('rclpy') is None:
        raise BenchError(
            'rclpy is not installed, expected ROS 2 to measure the node; source a ROS 2 '
            'distribution, run make setup, or leave out --node.'
        )
    name = model if model == 'default' else str(Path(model).absolute())
    parameters = {'model': name, 'mass_kg': 75.0, 'height_m': 1.75, 'sensor_axes': 'aligned'}
    arguments = ['--ros-args']
    for key, value in parameters.items():
        arguments += ['-p', f'{key}:={value}']

    def fail(child: ChildProcess) -> None:
        tail = ' '.join(child.last_lines[-3:]) or 'nothing'
        raise BenchError(
            f'The {child.name} ended early or took too long (it said: {tail}), expected a '
            'measurement; see that no other node runs and try again.'
        )

    found: list[dict[str, Any]] = []
    with private_domain() as domain:
        env = domain_environment(domain)
        with child_process(
            'estimator', ['sspinnpose_ros.ros.estimator_node', *arguments], env=env
        ) as node:
            options = ['--pid', str(node.pid), '--seconds', str(seconds)]
            for rate in rates_hz:
                options += ['--rate', str(rate)]
            with child_process(
                'latency probe', ['sspinnpose_ros.ros.latency_probe', *options], env=env
            ) as probe:
                needed_s = len(rates_hz) * (seconds + PAUSE_S)
                begin, told_s = time.monotonic(), 0
                end = begin + needed_s + SLACK_S
                while len(found) < len(rates_hz):
                    time.sleep(LOOK_S)
                    past_s = int(min(time.monotonic() - begin, needed_s))
                    if progress is not None and past_s > told_s:
                        progress(past_s - told_s)
                        told_s = past_s
                    ended = probe.code is not None
                    found += [json.loads(line) for line in probe.lines() if line[:1] == '{']
                    node.lines()
                    if node.code is not None:
                        fail(node)
                    if len(found) < len(rates_hz) and (ended or time.monotonic() > end):
                        fail(probe)
    if not all(each['latency_ms'] for each in found):
        raise BenchError(
            'Not a single estimate came back, expected 100 a second; give the computer less else '
            'to do and try again.'
        )
    return found


def node_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the measurements in words, with a histogram each."""
    import numpy as np

    heads = ''.join(f'{head:>9}' for head in ('p50', 'p99', 'p99.9', 'max'))
    lines = [
        'From handing over the last IMU message of an instant to its joint states, both in',
        'another process:',
        f'{"":<10}{heads}      cores  lost: estimates, samples',
    ]
    for each in found:
        latency, inside = np.asarray(each['latency_ms']), each['inside']
        cells = [*np.percentile(latency, (50.0, 99.0, 99.9)).tolist(), float(latency.max())]
        lines += [
            f'{each["rate_hz"]:>7.0f} Hz'
            + ''.join(f'{cell:>9.2f}' for cell in cells)
            + f' ms{each["cpu_share"]:>8.2f}  {each["lost"]} of {each["expected"]}, '
            f'{each["lost_samples"]} of {each["sent_samples"]}',
            f'{"":<10}from arrival in the node to publication: p50 {inside["compute_p50_ms"]}, '
            f'p99 {inside["compute_p99_ms"]}, longest {inside["compute_max_ms"]} ms',
            f'{"":<10}p50 of the first quarter {_median(latency, 0):.2f}, of the last '
            f'{_median(latency, -1):.2f} ms',
        ]
    for each in found:
        lines += ['', f'{each["rate_hz"]:.0f} Hz', *_histogram(np.asarray(each['latency_ms']))]
    return '\n'.join(lines)


def _median(latency: Any, quarter: int) -> float:
    import numpy as np

    return float(np.median(np.array_split(latency, 4)[quarter]))


def _histogram(latency_ms: Any) -> list[str]:
    import numpy as np

    edges = np.array([*EDGES_MS, np.inf])
    counts = np.histogram(latency_ms, edges)[0]
    last = int(np.flatnonzero(counts)[-1])
    lines = []
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        # A single late estimate must still show.
        bar = '#' * int(np.ceil(BAR * count / counts.max()))
        upper = f'to {high:g}' if np.isfinite(high) else 'and more'
        lines.append(f'{low:>6g} {upper:<8} ms {count:>7} {bar}'.rstrip())
    return lines[: last + 1]
