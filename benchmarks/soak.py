# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Wear seven sensors of 200 Hz for an hour while things fail, and see what is lost.

`python benchmarks/soak.py` runs the pipeline through an hour of wear, faster than real time.
`--node-minutes 60` then lets a real node live through as much in real time, fed over ROS topics.
`--docs docs/reliability.md` puts the figures between its markers. `make soak` does all of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from faulty_wearer import (
    HEIGHT_M,
    JUMP_S,
    MASS_KG,
    RECOVERY_S,
    Arrival,
    Fault,
    Wearer,
    draw_faults,
    stream,
)

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate_status import Level
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.subject import make_subject, save_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.evaluation.accuracy_table import replace_tables

BEGIN, END = '<!-- soak: begin -->', '<!-- soak: end -->'
PERIOD_S = 0.01
TICK_S = 0.02
START_S = 3.0
"""Estimates are counted from here on: the first frames wait for every sensor."""

MINUTE_S = 60.0


@dataclass
class Minute:
    """What a minute of wear took."""

    estimates: int
    delay_ms: tuple[float, float]
    compute_ms: float
    memory_mib: float
    held_samples: int


@dataclass
class Ledger:
    """Account for every estimate that was due.

    A gap between two estimates is the fault's that was on, or that ended less than the time of
    recovery before; what is left over was lost outside of all faults.
    """

    faults: Sequence[Fault]
    seconds: float
    count: int = 0
    not_finite: int = 0
    backwards: int = 0
    levels: Counter[str] = field(default_factory=Counter)
    minutes: list[Minute] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Written once from end to end, lest the account itself look like memory that grows.
        self._noted = np.full((2, round(1.5 * self.seconds / PERIOD_S) + 1000), np.nan)

    @property
    def times_s(self) -> np.ndarray:
        """Return (count,) the times of the estimates, s of wear."""
        return self._noted[0, : self.count]

    @property
    def delays_s(self) -> np.ndarray:
        """Return (count,) how long after its time each of them came, s."""
        return self._noted[1, : self.count]

    def note(
        self, time_s: float, *, level: str, finite: bool = True, delay_s: float = 0.0
    ) -> None:
        """Take the time of an estimate, s of wear, and how long after that it came."""
        if self.count and time_s <= self.times_s[-1] + 0.5 * PERIOD_S:
            self.backwards += 1
        self._noted[:, self.count] = time_s, delay_s
        self.count += 1
        self.levels[level] += 1
        self.not_finite += not finite

    def lost(self, *, until_s: float) -> tuple[Counter[str], list[tuple[float, float]]]:
        """Return lost estimates by fault, and the gaps outside of all faults (begin, end in s)."""
        counted: Counter[str] = Counter()
        outside = []
        times = np.sort(self.times_s)
        times = np.concatenate([[START_S], times[times > START_S], [until_s]])
        for index in np.flatnonzero(np.diff(times) > 1.5 * PERIOD_S).tolist():
            begin, end = float(times[index]), float(times[index + 1])
            number = round((end - begin) / PERIOD_S) - 1
            whose = [f for f in self.faults if f.begin_s <= end and begin <= f.over_s]
            if whose:
                counted[whose[0].kind] += number
            else:
                outside.append((begin, end))
        return counted, outside


def soak_pipeline(
    *, minutes: float, rate_hz: float = 200.0, seed: int = 0, model: str = 'default'
) -> Ledger:
    """Let the node's pipeline live through some minutes of wear, as fast as it goes."""
    rng = np.random.default_rng(seed)
    seconds = MINUTE_S * minutes
    faults = draw_faults(rng, seconds=seconds)
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Estimator(
            model=load_model(model),
            subject=make_subject(mass_kg=MASS_KG, height_m=HEIGHT_M, sensor_axes='aligned'),
            mounting=aligned_mounting(),
        ),
    )
    ledger = Ledger(faults=faults, seconds=seconds)
    run = _PipelineRun(pipeline, ledger)
    wearer = Wearer(seed=seed)
    for number, arrivals in enumerate(
        stream(wearer, seconds=seconds, rate_hz=rate_hz, faults=faults, rng=rng), start=1
    ):
        run.take(arrivals, until_s=float(number))
        if number % MINUTE_S == 0 or number == round(seconds):
            run.end_minute()
    return ledger


class _PipelineRun:
    """Do what the node does with each sample and each tick, on the wearer's clock."""

    def __init__(self, pipeline: Pipeline, ledger: Ledger) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._jumps = [f for f in ledger.faults if f.kind.startswith('all stamps jump')]
        self._stalls = [f for f in ledger.faults if f.kind == 'reader stalls']
        self._shift = 0.0
        self._tick = 0.0
        self._compute: list[float] = []
        self._counted = 0

    def take(self, arrivals: Sequence[Arrival], *, until_s: float) -> None:
        for arrival in arrivals:
            self._tick_until(arrival.arrival_s)
            self._jump(arrival.arrival_s)
            self._pipeline.push(
                sensor=arrival.sensor,
                stamp_s=arrival.stamp_s + self._shift,
                sample=arrival.sample,
                arrival_s=arrival.arrival_s + self._shift,
            )
            self._drain(arrival.arrival_s)
        self._tick_until(until_s)

    def end_minute(self) -> None:
        delay = self._ledger.delays_s[self._counted :] * 1e3
        middle, late = np.percentile(delay, [50.0, 99.0]) if len(delay) else (np.nan, np.nan)
        self._ledger.minutes.append(
            Minute(
                estimates=len(delay),
                delay_ms=(float(middle), float(late)),
                compute_ms=1e3 * float(np.median(self._compute)) if self._compute else np.nan,
                memory_mib=memory_mib(os.getpid()),
                held_samples=self._pipeline.synchronizer.held_samples,
            )
        )
        self._counted += len(delay)
        self._compute.clear()

    def _jump(self, now_s: float) -> None:
        while self._jumps and self._jumps[0].begin_s <= now_s:
            forward = self._jumps.pop(0).kind.endswith('forward')
            self._shift += JUMP_S if forward else -JUMP_S

    def _tick_until(self, now_s: float) -> None:
        while self._tick <= now_s:
            self._drain(self._tick)
            self._tick += TICK_S

    def _drain(self, now_s: float) -> None:
        while self._stalls and self._stalls[0].end_s <= now_s:
            del self._stalls[0]
        if self._stalls and self._stalls[0].begin_s <= now_s:
            return
        begin = time.thread_time()
        outcomes = self._pipeline.drain(now_s=now_s + self._shift)
        if not outcomes:
            return
        self._compute.append((time.thread_time() - begin) / len(outcomes))
        for outcome in outcomes:
            if outcome.estimate is None:
                continue
            estimate = outcome.estimate
            wear_s = outcome.frame.time_s - self._shift
            finite = all(
                np.isfinite(each).all() for each in (estimate.q, estimate.qd, estimate.effort)
            )
            self._ledger.note(
                wear_s, level=outcome.status.level.name, finite=finite, delay_s=now_s - wear_s
            )


def memory_mib(pid: int) -> float:
    """Return the memory that a process holds, MiB."""
    pages = int(Path(f'/proc/{pid}/statm').read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def trend(values: Sequence[float]) -> float:
    """Return how much a straight line through values of each minute rises in an hour.

    The first tenth is left out: caches fill and buffers reach their size.
    """
    kept = np.array(values[max(1, len(values) // 10) :])
    kept = kept[np.isfinite(kept)]
    if len(kept) < 2:
        return float('nan')
    return float(np.polyfit(np.arange(len(kept)), kept, 1)[0] * MINUTE_S)


def soak_node(*, minutes: float, rate_hz: float = 200.0, seed: int = 1) -> Ledger:
    """Let a real node live through some minutes of wear, in real time, over ROS topics."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticStatus
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Imu, JointState

    from sspinnpose_ros.cli.private_domain import domain_environment, private_domain

    rng = np.random.default_rng(seed)
    seconds = MINUTE_S * minutes
    faults = draw_faults(rng, seconds=seconds, first_s=15.0)
    ledger = Ledger(faults=faults, seconds=seconds)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    wearer = Wearer(seed=seed)
    with private_domain() as domain, tempfile.TemporaryDirectory() as folder:
        subject = Path(folder) / 'subject.yaml'
        save_subject(
            subject, make_subject(mass_kg=MASS_KG, height_m=HEIGHT_M, sensor_axes='aligned')
        )
        process = subprocess.Popen(
            [
                *(sys.executable, '-m', 'sspinnpose_ros.ros.estimator_node'),
                *('--ros-args', '-p', f'subject:={subject}'),
            ],
            env=domain_environment(domain),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=domain)
        node = rclpy.create_node('soak', context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        publishers = {
            sensor: node.create_publisher(Imu, f'imu/{sensor}/data_raw', qos_profile_sensor_data)
            for sensor in SENSORS
        }
        shift = origin = 0.0
        counted = 0
        level = ['?']

        def heard(message: JointState) -> None:
            stamp = message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec
            wear = stamp - origin - shift
            values = (*message.position, *message.velocity, *message.effort)
            ledger.note(
                wear,
                level=level[0],
                finite=bool(np.isfinite(values).all()),
                delay_s=time.time() - origin - wear,
            )

        def told(message: DiagnosticStatus) -> None:
            level[0] = Level(message.level[0]).name

        node.create_subscription(JointState, 'human/joint_states', heard, 1000)
        node.create_subscription(DiagnosticStatus, 'human/status', told, 1000)
        try:
            end = time.monotonic() + 60.0
            while not all(each.get_subscription_count() for each in publishers.values()):
                if time.monotonic() > end or process.poll() is not None:
                    raise RuntimeError('the node does not listen')
                executor.spin_once(timeout_sec=0.1)
            jumps = [f for f in faults if f.kind.startswith('all stamps jump')]
            stalls = [f for f in faults if f.kind == 'reader stalls']
            stopped = False
            origin = time.time() + 0.5
            for number, arrivals in enumerate(
                stream(wearer, seconds=seconds, rate_hz=rate_hz, faults=faults, rng=rng), start=1
            ):
                for arrival in arrivals:
                    while time.time() < origin + arrival.arrival_s:
                        executor.spin_once(timeout_sec=0.0)
                    if stalls and stalls[0].begin_s <= arrival.arrival_s and not stopped:
                        process.send_signal(signal.SIGSTOP)
                        stopped = True
                    if stopped and stalls[0].end_s <= arrival.arrival_s:
                        process.send_signal(signal.SIGCONT)
                        del stalls[0]
                        stopped = False
                    while jumps and jumps[0].begin_s <= arrival.arrival_s:
                        forward = jumps.pop(0).kind.endswith('forward')
                        shift += JUMP_S if forward else -JUMP_S
                    publishers[arrival.sensor].publish(
                        _imu(arrival, stamp_s=origin + arrival.stamp_s + shift)
                    )
                if number % MINUTE_S == 0 or number == round(seconds):
                    delays = np.array(ledger.delays_s[counted:]) * 1e3
                    counted += len(delays)
                    middle, late = np.percentile(delays, [50.0, 99.0])
                    ledger.minutes.append(
                        Minute(
                            estimates=len(delays),
                            delay_ms=(float(middle), float(late)),
                            compute_ms=float('nan'),
                            memory_mib=memory_mib(process.pid),
                            held_samples=0,
                        )
                    )
                    print(f'node: {number} s', file=sys.stderr, flush=True)
        finally:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30.0)
            executor.shutdown()
            node.destroy_node()
            rclpy.try_shutdown(context=context)
        if process.returncode:
            raise RuntimeError(f'the node ended with {process.returncode}')
    return ledger


def _imu(arrival: Arrival, *, stamp_s: float) -> object:
    from sensor_msgs.msg import Imu

    message = Imu()
    nanoseconds = round(1e9 * stamp_s)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(nanoseconds, 10**9)
    message.orientation_covariance[0] = -1.0
    force, rate = message.linear_acceleration, message.angular_velocity
    force.x, force.y, force.z, rate.x, rate.y, rate.z = arrival.sample.tolist()
    return message


def report(ledger: Ledger, *, minutes: float, title: str, took_s: float) -> str:
    """Return the figures of a run as markdown."""
    until = MINUTE_S * minutes
    lost, outside = ledger.lost(until_s=until - 2.0 * RECOVERY_S)
    times = Counter(fault.kind for fault in ledger.faults)
    seconds: Counter[str] = Counter()
    for fault in ledger.faults:
        seconds[fault.kind] += round(fault.end_s - fault.begin_s)
    first, last = ledger.minutes[0], ledger.minutes[-1]
    memory = [minute.memory_mib for minute in ledger.minutes]
    middle = [minute.delay_ms[0] for minute in ledger.minutes]
    late = [minute.delay_ms[1] for minute in ledger.minutes]
    compute = [minute.compute_ms for minute in ledger.minutes]
    missing = sum(round((end - begin) / PERIOD_S) - 1 for begin, end in outside)
    levels = ', '.join(f'{name} {count}' for name, count in sorted(ledger.levels.items()))
    lines = [
        f'### {title}',
        '',
        f'{minutes:g} minutes of wear in {took_s / MINUTE_S:.1f} minutes, 7 sensors at 200 Hz, '
        f'{len(ledger.faults)} faults.',
        '',
        '| | |',
        '| --- | ---: |',
        f'| estimates | {len(ledger.times_s)} ({levels}) |',
        f'| lost outside of faults | {missing} |',
        f'| lost within faults and {RECOVERY_S:g} s after | {sum(lost.values())} |',
        f'| not finite, or not later than the one before | {ledger.not_finite}, '
        f'{ledger.backwards} |',
        f'| memory, first and last minute | {first.memory_mib:.1f}, {last.memory_mib:.1f} MiB |',
        f'| its trend | {_signed(trend(memory))} MiB an hour |',
        f'| from measurement to estimate, p50 and p99, first minute | {first.delay_ms[0]:.1f}, '
        f'{first.delay_ms[1]:.1f} ms |',
        f'| the same, last minute | {last.delay_ms[0]:.1f}, {last.delay_ms[1]:.1f} ms |',
        f'| trend of the p50 | {_signed(trend(middle))} ms an hour |',
        f'| largest p99 of a minute | {max(late):.1f} ms |',
    ]
    if np.isfinite(compute).all():
        lines += [
            f'| computing per estimate, p50, first and last minute | {compute[0]:.2f}, '
            f'{compute[-1]:.2f} ms |',
            f'| its trend | {_signed(trend(compute))} ms an hour |',
        ]
    lines += [
        '',
        '| fault | times | s in all | estimates lost |',
        '| --- | ---: | ---: | ---: |',
    ]
    lines += [
        f'| {kind} | {times[kind]} | {seconds[kind]} | {lost[kind]} |' for kind in sorted(times)
    ]
    return '\n'.join(lines)


def _signed(value: float) -> str:
    return 'too short to tell' if np.isnan(value) else f'{value:+.2f}'


def main() -> int:
    """Run, print the figures, and return 1 where an estimate was lost outside of faults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--minutes', type=float, default=60.0, help='of the pipeline [60]')
    parser.add_argument('--node-minutes', type=float, default=0.0, help='of a real node [0]')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--docs', type=Path, help='put the figures between the markers of this')
    given = parser.parse_args()
    parts, failed = [], False
    for minutes, title, soak in (
        (given.minutes, 'The pipeline, faster than real time', soak_pipeline),
        (given.node_minutes, 'A real node, in real time', soak_node),
    ):
        if not minutes:
            continue
        begin = time.monotonic()
        ledger = soak(minutes=minutes, seed=given.seed)
        text = report(ledger, minutes=minutes, title=title, took_s=time.monotonic() - begin)
        print(text, flush=True)
        parts.append(text)
        _, outside = ledger.lost(until_s=MINUTE_S * minutes - 2.0 * RECOVERY_S)
        for gap in outside:
            print(f'lost outside of faults: {gap[0]:.2f} to {gap[1]:.2f} s', file=sys.stderr)
        failed |= bool(outside) or ledger.not_finite > 0
    if given.docs is not None:
        machine = f'Python {platform.python_version()}, numpy {np.__version__}'
        figures = '\n\n'.join([f'Measured with {machine}, seed {given.seed}.', *parts])
        document = given.docs.read_text(encoding='utf-8')
        given.docs.write_text(
            replace_tables(document, figures, name=str(given.docs), begin=BEGIN, end=END),
            encoding='utf-8',
        )
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
