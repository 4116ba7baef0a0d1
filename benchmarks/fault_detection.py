# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show how far recorded people are from every limit of a fault, and how soon faults are found.

Run `python benchmarks/fault_detection.py DATA`. Prints two markdown tables, as docs/faults.md
quotes them: what clean recordings reach of each limit, and what became of faults put into them.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.recorded_grid import read_grid
from sspinnpose_ros.bags.recording_calibration import find_mounting
from sspinnpose_ros.bags.trial import find_trial, subject_of
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.fault import Fault
from sspinnpose_ros.core.fault_watch import FaultWatch
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.joint_agreement import BETTER, JointAgreement
from sspinnpose_ros.core.leg_sides import NEAREST_RAD, swap_phase
from sspinnpose_ros.core.mean_faults import (
    FARTHEST_ASIDE_DEG,
    LARGEST_GAIN,
    LARGEST_RATE_BIAS,
    POSTURE_DEG,
)
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.plausibility import FASTEST_LEG_TURN, FASTEST_TURN
from sspinnpose_ros.core.recent_frames import RecentFrames
from sspinnpose_ros.core.stride_comparison import (
    FARTHEST_LEG_TURN_DEG,
    FARTHEST_TURN_DEG,
    LARGEST_RATE_FACTOR,
    SAME_SHAPE,
    compare_strides,
    stride_of,
)
from sspinnpose_ros.core.stride_window import NEEDED_S, stride_window, window_mean
from sspinnpose_ros.evaluation.fault_injection import Injection, Recorded, injections

PERIOD_S = 0.01
BEGIN_S = 8.0
"""Where the pieces of recordings begin that faults are put into: all people walk by then."""

IN_USE_S, AFTER_S, STARTED_S = 7.5, 4.5, 4.5
EVERY_S = 0.5


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path)
    parser.add_argument('--trials', nargs='*', help='Names of those to use; all when left out.')
    arguments = parser.parse_args()
    trials = {
        folder.name: load(folder)
        for folder in sorted(path.parent for path in arguments.data.glob('*/bag'))
        if not arguments.trials or folder.name in arguments.trials
    }
    print_margins(trials)
    print()
    print_detections(trials)


def load(folder: Path) -> tuple[Recorded, Estimator]:
    """Return a recording on the grid and the estimator for its wearer."""
    trial = find_trial(folder)
    subject = subject_of(trial)
    with open_imu_bag(trial.bag) as bag:
        mounting = find_mounting(bag, subject=subject, sensors=SENSORS).mounting
        series = max(
            read_grid(bag, sensors=SENSORS, rate_hz=1.0 / PERIOD_S, longest_s=300.0),
            key=lambda piece: len(piece.time_s),
        )
    recorded = Recorded(
        acceleration=series.acceleration,
        angular_rate=series.angular_rate,
        mounting=mounting,
        period_s=PERIOD_S,
    )
    return recorded, Estimator(model=load_model('default'), subject=subject, mounting=mounting)


def watched(
    acceleration: np.ndarray, rate: np.ndarray, estimator: Estimator
) -> tuple[list[tuple[float, tuple[Fault, ...]]], float]:
    """Return the faults after every frame at which they changed, and the time a frame took, s."""
    watch = FaultWatch(rate_hz=1.0 / PERIOD_S)
    imu = np.concatenate([acceleration, rate], axis=-1)
    present = np.ones(len(SENSORS), dtype=bool)
    changes: list[tuple[float, tuple[Fault, ...]]] = []
    begin = time.process_time()
    for number, values in enumerate(imu):
        frame = Frame(time_s=number * PERIOD_S, imu=values, present=present)
        watch.note(frame, estimator=estimator)
        if watch.faults != (changes[-1][1] if changes else ()):
            changes.append(((number + 1) * PERIOD_S, watch.faults))
    return changes, (time.process_time() - begin) / len(imu)


def print_margins(trials: dict[str, tuple[Recorded, Estimator]]) -> None:
    """Print what clean recordings reach of each limit."""
    reached: dict[str, tuple[float, str]] = {}
    alarms = []
    costs = []
    for name, (recorded, estimator) in trials.items():
        changes, cost = watched(recorded.acceleration, recorded.angular_rate, estimator)
        costs.append(cost)
        alarms += [f'{name}: {fault.label}' for _, faults in changes for fault in faults]
        for quantity, share in shares(recorded, estimator).items():
            if share > reached.get(quantity, (-1.0, ''))[0]:
                reached[quantity] = (share, name)
    print('| quantity | share of its limit, at most | in |')
    print('| --- | ---: | --- |')
    for quantity, (share, name) in reached.items():
        print(f'| {quantity} | {share:.0%} | {name} |')
    print()
    print(
        f'False alarms in {len(trials)} clean recordings: {", ".join(alarms) or "none"}. '
        f'The watch took {1e6 * float(np.median(costs)):.0f} us a frame of CPU time.'
    )


def shares(recorded: Recorded, estimator: Estimator) -> dict[str, float]:
    """Return how much of each limit a clean recording reaches, 1 where it would be a fault."""
    mounting = estimator.mounting_arrays
    agreement = JointAgreement(
        mounting=mounting,
        mounted=estimator.mounted,
        position_m=estimator.sensor_position_m,
        leg_length_m=np.asarray(estimator.body.leg_length),
    )
    recent = RecentFrames(capacity=round(NEEDED_S / PERIOD_S) + 1)
    imu = np.concatenate([recorded.acceleration, recorded.angular_rate], axis=-1)
    known = np.ones(len(SENSORS), dtype=bool)
    parts = [sensor.split('_')[0] for sensor in SENSORS]
    found: dict[str, float] = defaultdict(float)
    reference = None
    steady = 0
    for number, values in enumerate(imu):
        recent.append(Frame(time_s=number * PERIOD_S, imu=values, present=known))
        if number % round(EVERY_S / PERIOD_S) or number * PERIOD_S < NEEDED_S:
            continue
        window = stride_window(recent.last(len(recent)), period_s=PERIOD_S)
        assert window is not None
        bias = mounting.acceleration_bias_m_s2
        if not bias.any():
            gain = window_mean(window).size / GRAVITY / mounting.acceleration_gain
            note(found, 'mean force: gain', abs(gain - 1.0) / LARGEST_GAIN)
        fastest = np.percentile(np.linalg.norm(window.angular_rate, axis=-1), 99.0, axis=0)
        limit = [FASTEST_TURN.get(sensor, FASTEST_LEG_TURN) for sensor in SENSORS]
        note(found, 'fastest rate: deg/s', fastest / limit)
        if not window.steady:
            continue
        mean = np.einsum('sij,sj->si', mounting.rotation, window.acceleration.mean(0) - bias)
        along = np.rad2deg(np.arctan2(mean[:, 0], mean[:, 2]))
        aside = np.rad2deg(np.arctan2(mean[:, 1], np.hypot(mean[:, 0], mean[:, 2])))
        low, high = np.array([POSTURE_DEG[part] for part in parts]).T
        note(found, 'mean force: worn otherwise', np.maximum(along / high, along / low))
        note(found, 'mean force: to the side', abs(aside) / FARTHEST_ASIDE_DEG)
        turning = np.einsum(
            'sj,sj->s',
            mounting.rotation[:, 1],
            window.angular_rate.mean(0) - mounting.gyro_bias_rad_s,
        )
        note(
            found,
            'mean rate: bias',
            abs(turning) / np.array([LARGEST_RATE_BIAS[part] for part in parts]),
        )
        ratios, _ = finished(
            agreement.ratios(
                acceleration=window.acceleration,
                angular_rate=window.angular_rate,
                known=known,
                period_s=PERIOD_S,
            )
        )
        for one, ratio in zip(agreement.arrangements, ratios, strict=True):
            note(found, f'joints: {one.kind.value}', BETTER / ratio)
        left = window.acceleration[:, 0] @ mounting.rotation[0, 1]
        phase = swap_phase(
            left_force=left / mounting.acceleration_gain[0],
            turning=np.linalg.norm(window.angular_rate, axis=-1),
            known=known,
            period_s=PERIOD_S,
        )
        note(found, 'pelvis push: legs swapped', (np.pi - phase) / (np.pi - NEAREST_RAD))
        steady += 1
        if steady * EVERY_S < 2.0:
            continue
        stride = stride_of(window)
        if reference is None:
            reference = stride
            continue
        compared = compare_strides(reference, stride)
        if compared.comparable:
            limit = [FARTHEST_TURN_DEG.get(sensor, FARTHEST_LEG_TURN_DEG) for sensor in SENSORS]
            note(found, 'strides: turned', compared.turned_deg / limit)
            factor = abs(np.log(compared.rate_factor)) / np.log(LARGEST_RATE_FACTOR)
            judged = (compared.alike > SAME_SHAPE) & (np.array(SENSORS) != 'pelvis')
            note(found, 'strides: gain of rate', np.where(judged, factor, 0.0))
    return found


def note(found: dict[str, float], quantity: str, share: np.ndarray | float) -> None:
    """Keep the greatest share."""
    largest = float(np.nanmax(share)) if np.isfinite(share).any() else 0.0
    found[quantity] = max(found[quantity], largest)


def finished(work: Generator[None, None, Any]) -> Any:
    """Run a generator to its end and return what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def print_detections(trials: dict[str, tuple[Recorded, Estimator]]) -> None:
    """Print what became of faults put into the recordings."""
    print('| fault | named | found | median | latest | missed in, other names given |')
    print('| --- | --- | ---: | ---: | ---: | --- |')
    for injection in injections():
        for in_use in (False, True):
            if injection.in_use if in_use else injection.from_start:
                print_detection(injection, trials, in_use=in_use)


def print_detection(
    injection: Injection, trials: dict[str, tuple[Recorded, Estimator]], *, in_use: bool
) -> None:
    """Print one line."""
    delays, remarks = [], []
    for name, (recorded, estimator) in trials.items():
        delay, others = detect(injection, recorded, estimator, in_use=in_use)
        if delay is None:
            remarks.append(name)
        else:
            delays.append(delay)
        remarks += [f'{name}: {other}' for other in others]
    kinds = sorted(kind.value for kind in injection.kinds)
    named = ' or '.join(kinds) if len(kinds) < 4 else 'any that stops estimates'
    times = f'{np.median(delays):.1f} s | {max(delays):.1f} s' if delays else '- | -'
    when = 'in use' if in_use else 'from the start'
    print(
        f'| {injection.name} ({", ".join(injection.sensors)}), {when} | {named} | '
        f'{len(delays)} of {len(trials)} | {times} | {"; ".join(remarks)} |',
        flush=True,
    )


def detect(
    injection: Injection, recorded: Recorded, estimator: Estimator, *, in_use: bool
) -> tuple[float | None, list[str]]:
    """Return after how many seconds a fault was named, and other faults that were."""
    begin = min(round(BEGIN_S / PERIOD_S), len(recorded.acceleration) // 4)
    onset_s = IN_USE_S if in_use else 0.0
    number = round((onset_s + (AFTER_S if in_use else STARTED_S)) / PERIOD_S)
    piece = Recorded(
        acceleration=recorded.acceleration[begin : begin + number],
        angular_rate=recorded.angular_rate[begin : begin + number],
        mounting=recorded.mounting,
        period_s=PERIOD_S,
    )
    changes, _ = watched(*injection.apply(piece, begin=round(onset_s / PERIOD_S)), estimator)
    delay = None
    others: list[str] = []
    for at_s, faults in changes:
        for fault in faults:
            right = fault.kind in injection.kinds and set(fault.sensors) & set(injection.sensors)
            if right and at_s > onset_s and delay is None:
                delay = at_s - onset_s
            elif not right and fault.label not in others:
                others.append(fault.label)
    return delay, others


if __name__ == '__main__':
    main()
