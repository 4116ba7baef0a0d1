# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure how the cost grows with sensors, rate, people, training batch and length of a bag.

    python benchmarks/scaling.py --plot docs/scaling.svg --docs docs/performance.md

Everything is processor time of one thread, so that other programs disturb little. The points of a
series take turns, and of each the median counts. Every exponent is the slope in the log-log plot:
1 is linear, less is better.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.pipeline import Pipeline, PipelineConfig
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.evaluation.accuracy_table import replace_tables

if TYPE_CHECKING:
    from faulty_wearer import Wearer

BEGIN, END = '<!-- scaling: begin -->', '<!-- scaling: end -->'
ORDER = ('foot_r', 'foot_l', 'thigh_r', 'thigh_l', 'pelvis', 'shank_r', 'shank_l')
"""Sensors in the order in which they are put on."""

COUNTS = (2, 3, 4, 5, 6, 7)
RATES_HZ = (50.0, 100.0, 200.0, 400.0, 1000.0)
PEOPLE = (1, 2, 3, 4)
BATCHES = (16, 32, 64, 128, 256)
LENGTHS_S = (15.0, 30.0, 60.0, 120.0, 240.0)
SETTLED_S = 4.0
"""Of every stream that is not timed: filters and checks settle."""


@dataclass(frozen=True)
class Series:
    """Hold a cost over what it depends on.

    Attributes:
        what: what grows.
        unit: of it.
        cost: what it costs.
        cost_unit: of that.
        at: (n,) sizes.
        took: (n,) costs.

    """

    what: str
    unit: str
    cost: str
    cost_unit: str
    at: np.ndarray
    took: np.ndarray

    @property
    def exponent(self) -> float:
        """Slope of the least-squares line through the logarithms."""
        return float(np.polyfit(np.log(self.at), np.log(self.took), 1)[0])


def in_turns(points: Sequence[Callable[[], float]], *, rounds: int) -> np.ndarray:
    """Return the median of what each point costs, after one round that does not count."""
    return np.median([[point() for point in points] for _ in range(rounds + 1)][1:], axis=0)


def make_estimator() -> Estimator:
    """Return the shipped model on one person."""
    subject = make_subject(mass_kg=75.0, height_m=1.75, sensor_axes='aligned')
    return Estimator(model=load_model('default'), subject=subject, mounting=aligned_mounting())


def measured(wearer: Wearer, *, rate_hz: float, seconds: float) -> dict[str, np.ndarray]:
    """Return samples (n, 6) of every sensor, those that are not timed first."""
    time_s = np.arange(round((SETTLED_S + seconds) * rate_hz)) / rate_hz
    rng = np.random.default_rng(0)
    return {name: wearer.measure(name, time_s, rng) for name in ORDER}


def wear(samples: dict[str, np.ndarray], estimator: Estimator, *, rate_hz: float) -> float:
    """Return the processor time of a second of wear in the pipeline, s."""
    sensors = tuple(samples)
    time_s = np.arange(len(samples[sensors[0]])) / rate_hz
    seconds = len(time_s) / rate_hz - SETTLED_S
    pipeline = Pipeline(
        synchronizer=Synchronizer(
            sensors=sensors, config=SynchronizerConfig(rate_hz=estimator.rate_hz)
        ),
        estimator=estimator,
        config=PipelineConfig(min_sensors=min(2, len(sensors))),
    )
    estimates, begin = 0, 0.0
    for row, now in enumerate(time_s.tolist()):
        if begin == 0.0 and now >= SETTLED_S:
            estimates, begin = 0, time.process_time()
        for name in sensors:
            pipeline.push(sensor=name, stamp_s=now, sample=samples[name][row], arrival_s=now)
            estimates += sum(o.estimate is not None for o in pipeline.drain(now_s=now))
    took = time.process_time() - begin
    if estimates < 0.95 * seconds * estimator.rate_hz:
        raise SystemExit(f'Only {estimates} estimates of {seconds} s from {sensors}.')
    return took / seconds


def by_sensors(wearer: Wearer, estimator: Estimator, *, seconds: float, rounds: int) -> Series:
    """Measure two to seven sensors at 100 Hz."""
    samples = measured(wearer, rate_hz=100.0, seconds=seconds)
    some = [{name: samples[name] for name in ORDER[:count]} for count in COUNTS]
    points = [partial(wear, each, estimator, rate_hz=100.0) for each in some]
    took = 1e3 * in_turns(points, rounds=rounds)
    return Series('sensors', '', 'time for 1 s of wear', 'ms', np.array(COUNTS, float), took)


def by_rate(wearer: Wearer, estimator: Estimator, *, seconds: float, rounds: int) -> Series:
    """Measure seven sensors at all rates; there are always 100 estimates a second."""
    points = [
        partial(wear, measured(wearer, rate_hz=rate, seconds=seconds), estimator, rate_hz=rate)
        for rate in RATES_HZ
    ]
    took = 1e3 * in_turns(points, rounds=rounds)
    return Series(
        'rate of the sensors', 'Hz', 'time for 1 s of wear', 'ms', np.array(RATES_HZ), took
    )


def by_people(wearer: Wearer, *, seconds: float, rounds: int) -> Series:
    """Measure processes that each run a pipeline at the same time, 200 Hz, and add them up."""
    with tempfile.TemporaryDirectory(prefix='sspinnpose_scaling_') as place:
        recorded = Path(place) / 'samples.npz'
        np.savez(recorded, **measured(wearer, rate_hz=200.0, seconds=seconds))
        command = [sys.executable, __file__, '--one-person', str(recorded)]

        def together(count: int) -> float:
            crowd = [
                subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
                for _ in range(count)
            ]
            for child in crowd:
                assert child.stdout is not None
                child.stdout.readline()
            for child in crowd:
                assert child.stdin is not None
                child.stdin.write('go\n')
                child.stdin.flush()
            answers = [child.communicate()[0] for child in crowd]
            if not all(answers):
                raise SystemExit('A process of one person ended early, see above.')
            return sum(map(float, answers))

        took = 1e3 * in_turns([partial(together, count) for count in PEOPLE], rounds=rounds)
    return Series('people', '', 'time for 1 s of wear of all', 'ms', np.array(PEOPLE, float), took)


def one_person(recorded: Path) -> None:
    """Say that everything is there, wait, and print the processor time of a second of wear, s."""
    with np.load(recorded) as file:
        samples = dict(file)
    estimator = make_estimator()
    print('ready', flush=True)
    sys.stdin.readline()
    print(wear(samples, estimator, rate_hz=200.0), flush=True)


def by_batch(*, rounds: int) -> Series:
    """Measure a training step, forward and backward, with windows of 100 samples."""
    from training_throughput import make_step

    def timed(step: Callable[[], object]) -> Callable[[], float]:
        def point() -> float:
            begin = time.process_time()
            step()
            return time.process_time() - begin

        for _ in range(3):
            step()
        return point

    took = in_turns(
        [timed(make_step(batch=batch, window=100)) for batch in BATCHES], rounds=rounds
    )
    return Series(
        'windows of a training step',
        '',
        'time of a step',
        'ms',
        np.array(BATCHES, float),
        1e3 * took,
    )


def by_length(wearer: Wearer, *, rounds: int) -> tuple[Series, Series]:
    """Measure `sspinnpose estimate` from bag to bag in a process of its own: time and memory."""
    with tempfile.TemporaryDirectory(prefix='sspinnpose_scaling_') as place:
        folder = Path(place)
        for length in LENGTHS_S:
            _write_bag(wearer, folder / f'{length:.0f}', seconds=length)

        def estimate(length: float) -> tuple[float, float]:
            done = subprocess.run(
                [sys.executable, __file__, '--one-bag', folder / f'{length:.0f}'],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            seconds, megabytes = map(float, done.stdout.split())
            return seconds, megabytes

        found = [[estimate(length) for length in LENGTHS_S] for _ in range(rounds)]
    seconds, megabytes = np.median(found, axis=0).T
    at = np.array(LENGTHS_S)
    return (
        Series('length of a bag', 's', 'time to estimate it', 's', at, seconds),
        Series('length of a bag', 's', 'most memory', 'MB', at, megabytes),
    )


def _write_bag(wearer: Wearer, path: Path, *, seconds: float) -> None:
    from sspinnpose_ros.bags.imu_bag import ImuSeries
    from sspinnpose_ros.bags.imu_bag_writer import write_imu_bag

    time_s = np.arange(round(seconds * 100.0)) / 100.0
    rng = np.random.default_rng(0)
    write_imu_bag(
        path,
        series={
            name: ImuSeries(stamp_s=time_s, sample=wearer.measure(name, time_s, rng))
            for name in SENSORS
        },
        origin_ns=1_700_000_000_000_000_000,
    )


def one_bag(path: Path) -> None:
    """Print the processor time of estimating a bag, s, and the most memory, MB."""
    from sspinnpose_ros.bags.imu_bag import open_imu_bag
    from sspinnpose_ros.bags.recording_estimate import estimate_recording

    estimator = make_estimator()
    with tempfile.TemporaryDirectory() as out, open_imu_bag(path) as bag:
        begin = time.process_time()
        estimate_recording(
            bag,
            folder=Path(out),
            estimator=estimator,
            mounting=aligned_mounting(),
            sensors=SENSORS,
        )
        took = time.process_time() - begin
    # Other than ru_maxrss, this is not inherited from the process that started this one.
    status = Path('/proc/self/status').read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith('VmHWM'))
    print(took, float(kilobytes) / 1024)


def table(all_series: Sequence[Series]) -> str:
    """Return a markdown table."""
    lines = [
        '| cost | over | from | to | exponent |',
        '|---|---|---|---|---|',
    ]
    for s in all_series:
        unit = f' {s.unit}' if s.unit else ''
        ends = ' | '.join(
            f'{size:g}{unit}: {cost:.3g} {s.cost_unit}'
            for size, cost in ((s.at[0], s.took[0]), (s.at[-1], s.took[-1]))
        )
        lines.append(f'| {s.cost} | {s.what} | {ends} | {s.exponent:.2f} |')
    return '\n'.join(lines)


def draw(all_series: Sequence[Series], path: Path) -> None:
    """Draw one panel a series, with the line that linear growth from its first point is."""
    import matplotlib

    matplotlib.use('Agg')
    matplotlib.rcParams.update({'svg.hashsalt': 'sspinnpose', 'svg.fonttype': 'none'})
    from matplotlib import pyplot
    from matplotlib.ticker import NullFormatter, NullLocator

    figure, axes = pyplot.subplots(2, 3, figsize=(10.5, 6.2), layout='constrained')
    for axis, s in zip(axes.flat, all_series, strict=True):
        linear = s.took[0] * s.at / s.at[0]
        axis.loglog(s.at, linear, '--', color='0.6', label='linear')
        axis.loglog(s.at, s.took, 'o-', color='#3f7fb5', label='measured')
        axis.set_title(f'exponent {s.exponent:.2f}', fontsize='medium')
        axis.set_xlabel(f'{s.what} [{s.unit}]' if s.unit else s.what)
        axis.set_ylabel(f'{s.cost} [{s.cost_unit}]')
        axis.set_xticks(s.at, [f'{size:g}' for size in s.at])
        axis.xaxis.set_minor_locator(NullLocator())
        low, high = min(s.took.min(), linear.min()), max(s.took.max(), linear.max())
        marks = [
            step * 10.0**power
            for power in range(-4, 6)
            for step in (1, 2, 5)
            if 0.8 * low <= step * 10.0**power <= 1.25 * high
        ]
        axis.set_yticks(marks, [f'{mark:g}' for mark in marks])
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(color='0.9')
    axes.flat[0].legend(fontsize='small', loc='upper left')
    figure.suptitle('Processor time and memory; one thread a process')
    figure.savefig(path, metadata={'Date': None} if path.suffix == '.svg' else None)
    pyplot.close(figure)


def main() -> None:
    """Measure, print, and draw where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--plot', metavar='FILE', type=Path, help='picture to write')
    parser.add_argument('--docs', metavar='FILE', type=Path, help='page with markers to fill')
    parser.add_argument('--rounds', type=int, default=5, help='turns of each series')
    parser.add_argument('--seconds', type=float, default=5.0, help='of wear, timed')
    parser.add_argument('--one-person', metavar='FILE', type=Path, help=argparse.SUPPRESS)
    parser.add_argument('--one-bag', metavar='BAG', type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_person is not None:
        one_person(options.one_person)
        return
    if options.one_bag is not None:
        one_bag(options.one_bag)
        return
    from faulty_wearer import Wearer

    wearer, estimator = Wearer(), make_estimator()
    how = {'seconds': options.seconds, 'rounds': options.rounds}
    found = [
        by_sensors(wearer, estimator, **how),
        by_rate(wearer, estimator, **how),
        by_people(wearer, **how),
        by_batch(rounds=2 * options.rounds),
        *by_length(wearer, rounds=max(1, options.rounds // 2)),
    ]
    print(table(found))
    if options.plot is not None:
        draw(found, options.plot)
    if options.docs is not None:
        page = options.docs.read_text()
        options.docs.write_text(
            replace_tables(page, table(found), name=str(options.docs), begin=BEGIN, end=END)
        )


if __name__ == '__main__':
    main()
