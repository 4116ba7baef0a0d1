# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time a training step: network, physics and losses, forward and backward, per sample.

It is processor time of one thread, so that other programs disturb little; of more threads it is
elapsed time.

With the folder of another version, both take turns on one core, and the ratio is that of
neighbours in time. The first version of this package, which everything is compared with:

    git worktree add /tmp/first 37885bb
    python benchmarks/training_throughput.py --first /tmp/first
"""

from __future__ import annotations

import argparse
import inspect
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

RATE_HZ = 100.0
OURS = Path(__file__).resolve().parents[1]


def make_step(*, batch: int, window: int, lstm: bool = False) -> Callable[[], float]:
    """Return a function that goes forward and backward once and returns the loss.

    It calls what every version has, and what makes it fast where a version has that.

    Args:
        batch: windows side by side.
        window: samples of each.
        lstm: whether to go through the recurrent layers alone.

    """
    import torch

    from sspinnpose_ros.core.body import body_from_anthropometry, nominal_sensor_position
    from sspinnpose_ros.core.network import GaitNetwork
    from sspinnpose_ros.training.losses import LossWeights, physics_losses, weigh
    from sspinnpose_ros.training.recordings import Streams
    from sspinnpose_ros.training.train import run_network

    try:
        from sspinnpose_ros.training.kept_memory import keep_freed_memory
    except ImportError:
        pass
    else:
        keep_freed_memory()
    torch.manual_seed(0)
    height = 1.75 + 0.1 * torch.randn(batch).clamp(-2, 2)
    network = GaitNetwork()
    plain = Streams(
        sagittal=torch.randn(batch, window, 7, 3) + torch.tensor([0.0, 9.81, 0.0]),
        inclination=0.3 * torch.randn(batch, window, 7),
        rate_change=torch.randn(batch, window, 7),
        present=torch.ones(batch, window, 7),
        body=body_from_anthropometry(mass_kg=torch.full((batch,), 75.0), height_m=height),
        sensor_position=nominal_sensor_position(height_m=height),
    )
    seen = torch.ones(batch, 7)
    looks_at_inclination = 'inclination' in inspect.signature(physics_losses).parameters

    def step() -> float:
        streams = plain.in_planes() if hasattr(plain, 'in_planes') else plain
        state, _ = run_network(network, streams=streams, seen=seen)
        losses = physics_losses(
            state=state,
            sagittal=streams.sagittal,
            measured=streams.present,
            sensor_position=streams.sensor_position,
            body=streams.body.over_time(),
            period_s=1 / RATE_HZ,
            **({'inclination': streams.inclination} if looks_at_inclination else {}),
        )
        loss = weigh(losses, LossWeights())
        network.zero_grad(set_to_none=True)
        loss.backward()
        return float(loss.detach())

    inputs = torch.randn(batch, window, network.lstm.input_size)
    slope = torch.randn(batch, window, network.hidden)

    def step_lstm() -> float:
        recurrent, _ = network.lstm(inputs)
        network.zero_grad(set_to_none=True)
        recurrent.backward(slope)
        return float(recurrent.detach()[0, 0, 0])

    return step_lstm if lstm else step


def work(*, batch: int, window: int, threads: int, lstm: bool) -> None:
    """Answer each line of the standard input with the seconds and the page faults of a step."""
    import torch

    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    step = make_step(batch=batch, window=window, lstm=lstm)
    for _ in sys.stdin:
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        begin = clock()
        step()
        took = clock() - begin
        print(took, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults, flush=True)


class Worker:
    """Run the steps of one version in a process of its own."""

    def __init__(self, folder: Path, *, batch: int, window: int, threads: int, lstm: bool) -> None:
        command = [sys.executable, __file__, '--work', '--batch', str(batch)]
        command += ['--lstm'] if lstm else []
        self.process = subprocess.Popen(
            [*command, '--window', str(window), '--threads', str(threads)],
            env={**os.environ, 'PYTHONPATH': str(folder), 'OMP_NUM_THREADS': str(threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd='/',
        )

    def step(self) -> tuple[float, float]:
        """Return how long one step takes, s, and its page faults."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write('step\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit('The measured process ended, see above.')
        took, faults = map(float, answer.split())
        return took, faults

    def close(self) -> None:
        """Let the process end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


def measure(
    folders: list[Path], *, batch: int, window: int, rounds: int, threads: int, lstm: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Let versions take turns.

    Returns:
        (rounds, versions) time per sample, us, and page faults of a step.

    """
    workers = [
        Worker(folder, batch=batch, window=window, threads=threads, lstm=lstm)
        for folder in folders
    ]
    try:
        for worker in workers:
            for _ in range(5):
                worker.step()
        found = np.array([[worker.step() for worker in workers] for _ in range(rounds)])
    finally:
        for worker in workers:
            worker.close()
    return 1e6 * found[..., 0] / (batch * window), found[..., 1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--first', metavar='FOLDER', type=Path, help='version to compare with')
    parser.add_argument('--batch', type=int, default=256, help='windows side by side')
    parser.add_argument('--window', type=int, default=100, help='samples of a window')
    parser.add_argument('--rounds', type=int, default=40, help='steps of each version')
    parser.add_argument('--threads', type=int, default=1, help='of torch')
    parser.add_argument('--lstm', action='store_true', help='go through the LSTM alone')
    parser.add_argument('--work', action='store_true', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(
            batch=options.batch,
            window=options.window,
            threads=options.threads,
            lstm=options.lstm,
        )
        return
    folders = [OURS] if options.first is None else [OURS, options.first.resolve()]
    if not all((folder / 'sspinnpose_ros' / 'training').is_dir() for folder in folders):
        raise SystemExit(
            f'{options.first} has no sspinnpose_ros/training, expected a checkout; make it with '
            'git worktree add /tmp/first 37885bb.'
        )
    took, faults = measure(
        folders,
        batch=options.batch,
        window=options.window,
        rounds=options.rounds,
        threads=options.threads,
        lstm=options.lstm,
    )
    print(
        f'{options.batch} windows of {options.window} samples, {options.rounds} steps, '
        f'threads: {options.threads}'
    )
    print(
        f'{"us a sample":<14}{"least":>8}{"p50":>8}{"p90":>8}{"p99":>8}{"page faults a step":>20}'
    )
    for name, column, fetched in zip(
        ('this version', 'first version'), took.T, faults.T, strict=False
    ):
        cells = (column.min(), *np.percentile(column, (50, 90, 99)))
        numbers = ''.join(f'{cell:>8.2f}' for cell in cells)
        print(f'{name:<14}{numbers}{np.median(fetched):>20.0f}')
    if len(folders) > 1:
        low, middle, high = np.percentile(took[:, 1] / took[:, 0], (25, 50, 75))
        least = took[:, 1].min() / took[:, 0].min()
        print(
            f'first over this, pair by pair: {middle:.2f} (quartiles {low:.2f} to {high:.2f}); '
            f'least over least: {least:.2f}'
        )


if __name__ == '__main__':
    main()
