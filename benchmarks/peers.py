# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time what a user would pick instead of this package, on one recording, beside our own step.

Run `python benchmarks/peers.py TRIAL --rajagopal FILE.osim --planar FILE.osim` with the packages
opensim, vqf, pin, mujoco, sympy and torch; what is not installed is named and left out.
TRIAL is a trial folder, recorded or of `sspinnpose simulate`. `--docs docs/performance.md` puts
the tables between its markers. All take turns on one thread. Ratios are of processor time, medians
over the turns, so that they hold on a busy machine as well; the percentiles want a quiet one.
"""

from __future__ import annotations

import os

os.environ['OMP_NUM_THREADS'] = '1'
os.environ['OPENBLAS_NUM_THREADS'] = '1'
os.environ['MKL_NUM_THREADS'] = '1'

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.recorded_grid import read_grid
from sspinnpose_ros.bags.recording_calibration import find_mounting
from sspinnpose_ros.bags.reference import load_reference
from sspinnpose_ros.bags.trial import Trial, find_trial, subject_of
from sspinnpose_ros.core.atomic_output import file_beside
from sspinnpose_ros.core.body import body_from_anthropometry
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import JOINTS, SENSORS
from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.core.errors import RecordingError, UserError
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import Mounting
from sspinnpose_ros.core.native_step import SWITCH
from sspinnpose_ros.evaluation.accuracy_table import replace_tables
from sspinnpose_ros.evaluation.kane import arguments, floats, kane_equations
from sspinnpose_ros.evaluation.peer_dynamics import ENGINES
from sspinnpose_ros.evaluation.timing import measure_in_turn

BEGIN, END = '<!-- peers: begin -->', '<!-- peers: end -->'
OURS = 'ours, the whole step in C'
OURS_NUMPY = 'ours, the whole step in numpy'
SETTLED_S = 3.0
LONGEST_S = 20.0
COMPARED = 200
"""Frames whose moments are compared between engines."""

BATCH, LENGTH = 256, 100
PACKAGES = ('opensim', 'vqf', 'pin', 'mujoco', 'sympy', 'torch', 'numpy')
GIVES_ALL = 'angles, moments, ground forces, uncertainty'
GIVES_MOMENTS = 'moments, of a motion and forces that are known'


@dataclass
class Peer:
    """Hold what takes its turn: its row, what one frame of it gives, and how to call it."""

    name: str
    gives: str
    step: Callable[[], object]


@dataclass
class Row:
    """Hold what a frame takes, ms, and how many times our processor time, with quartiles."""

    name: str
    gives: str
    p50_ms: float
    p99_ms: float
    ratio: float
    quartiles: tuple[float, float]


@dataclass
class Result:
    """Hold all that is printed."""

    trial: str
    frames: int
    cores: int
    load: float
    versions: dict[str, str]
    models: dict[str, str]
    rows: list[Row]
    opensim_accuracy: float
    batch: list[Row] = field(default_factory=list)
    agreement: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class Wearer:
    """Hold a recording as frames, and what our estimator says of them."""

    def __init__(self, trial: Trial, *, model: str) -> None:
        self.subject = subject_of(trial)
        self.model = load_model(model)
        with open_imu_bag(trial.bag) as bag:
            self.mounting: Mounting = find_mounting(
                bag, subject=self.subject, sensors=SENSORS
            ).mounting
            parts = read_grid(
                bag, sensors=SENSORS, rate_hz=self.model.rate_hz, longest_s=LONGEST_S
            )
        series = max(parts, key=lambda part: len(part.time_s))
        imu = np.concatenate([series.acceleration, series.angular_rate], axis=-1)
        complete = series.present.all(axis=1)
        self.frames = [
            Frame(time_s=float(time), imu=values, present=present)
            for time, values, present in zip(
                series.time_s[complete], imu[complete], series.present[complete], strict=True
            )
        ]
        self.period_s = 1.0 / self.model.rate_hz
        if len(self.frames) < 2.0 * SETTLED_S / self.period_s:
            raise RecordingError(
                f'{trial.bag} holds {len(self.frames)} frames with all seven sensors, expected '
                f'{2.0 * SETTLED_S:g} s of them; take a longer recording.'
            )
        self.estimates = self._estimates()

    def estimator(self) -> Estimator:
        """Return a new estimator of this wearer."""
        return Estimator(model=self.model, subject=self.subject, mounting=self.mounting)

    def _estimates(self) -> list[Estimate]:
        estimator, found = self.estimator(), []
        state = estimator.initial_state()
        for frame in self.frames:
            state, estimate = estimator.step(state, frame)
            found.append(estimate)
        return found

    @property
    def time_s(self) -> np.ndarray:
        """Times (T,) of the frames, s since the recording's first stamp."""
        return np.array([frame.time_s for frame in self.frames])


def states(wearer: Wearer) -> Iterator[dict[str, np.ndarray]]:
    """Give the motion and forces of every estimate, again and again."""
    return cycle(
        [
            {'q': it.q, 'qd': it.qd, 'qdd': it.qdd, 'contact_force': it.contact_force}
            for it in wearer.estimates
        ]
    )


def ours(wearer: Wearer) -> list[Peer]:
    """Return our step, in C where it was built, and in numpy, and our inverse dynamics alone."""

    def whole(estimator: Estimator) -> Callable[[], object]:
        frames, state = cycle(wearer.frames), estimator.initial_state()

        def step() -> None:
            nonlocal state
            state, _ = estimator.step(state, next(frames))

        return step

    native = wearer.estimator()
    if not native.steps_in_c:
        raise UserError(
            'The step in C is not there, expected it to be compared; build the package with a C '
            'compiler, and unset SSPINNPOSE_NATIVE.'
        )
    os.environ[SWITCH] = '0'
    plain = wearer.estimator()
    del os.environ[SWITCH]
    body, given = native.body, states(wearer)

    def alone() -> None:
        it = next(given)
        motion = kinematics(body=body, q=it['q'], qd=it['qd'], qdd=it['qdd'])
        points = contact_points(body=body, motion=motion)
        inverse_dynamics(
            body=body,
            motion=motion,
            contact_offset=points.from_ankle,
            contact_force=it['contact_force'],
        )

    return [
        Peer(OURS, GIVES_ALL, whole(native)),
        Peer(OURS_NUMPY, GIVES_ALL, whole(plain)),
        Peer('ours, inverse dynamics alone in numpy', GIVES_MOMENTS, alone),
    ]


def world_from_segment(wearer: Wearer) -> np.ndarray:
    """Return orientations (T, 7, 3, 3) by VQF, with every segment heading forward.

    Without magnetometers headings drift, and segments that seem to turn against each other
    would lead inverse kinematics astray; the wearer walks straight ahead, as for our step.
    """
    from vqf_peer import Orientations

    follow = Orientations(mounting=wearer.mounting.arrays(), period_s=wearer.period_s)
    # The filters settle on the first frames before these are taken again.
    for frame in wearer.frames[: round(SETTLED_S / wearer.period_s)]:
        follow.step(frame)
    w, x, y, z = np.moveaxis(np.stack([follow.step(frame) for frame in wearer.frames]), -1, 0)
    rotation = np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
        ],
        -2,
    )
    left = rotation[..., :2, 1]
    heading = np.arctan2(-left[..., 0], left[..., 1])
    cos, sin, still = np.cos(heading), np.sin(heading), np.zeros_like(heading)
    back = np.stack(
        [
            np.stack([cos, sin, still], -1),
            np.stack([-sin, cos, still], -1),
            np.stack([still, still, still + 1.0], -1),
        ],
        -2,
    )
    return np.asarray(back @ rotation)


def opensim_peers(
    wearer: Wearer, files: dict[str, Path | None], accuracy: float, left_out: list[str]
) -> tuple[list[Peer], dict[str, Any]]:
    """Return OpenSim's inverse kinematics and dynamics for each model that is there."""
    peers: list[Peer] = []
    trackers: dict[str, Any] = {}
    if not _has('opensim', 'opensim', left_out):
        return peers, trackers
    if find_spec('vqf') is None:
        left_out.append('OpenSim is left out, as its orientations come from vqf')
        return peers, trackers
    from opensim_peer import OpenSimTracker

    rotation = world_from_segment(wearer)

    def one(path: Path, solve: str) -> tuple[Any, Callable[[], object]]:
        tracker = OpenSimTracker(
            path, rotation=rotation, period_s=wearer.period_s, accuracy=accuracy
        )
        rows, call = cycle(range(len(rotation))), getattr(tracker, solve)
        return tracker, lambda: call(next(rows))

    for option, path in files.items():
        if path is None:
            left_out.append(f'no OpenSim model was given with {option} FILE.osim')
            continue
        tracker, track = one(path, 'track')
        _, both = one(path, 'track_and_solve')
        name = f'OpenSim, {path.stem} ({tracker.coordinates} coordinates)'
        peers += [
            Peer(f'{name}: IMU inverse kinematics', 'angles, of known orientations', track),
            Peer(
                f'{name}: inverse kinematics and dynamics',
                'angles; moments as if without ground',
                both,
            ),
        ]
        trackers[name] = tracker
    return peers, trackers


def vqf_peers(wearer: Wearer, left_out: list[str]) -> list[Peer]:
    """Return VQF alone, and with inverse dynamics behind it."""
    if not _has('vqf', 'vqf', left_out):
        return []
    from vqf_peer import ClassicalPipeline, Orientations

    mounting = wearer.mounting.arrays()
    alone = Orientations(mounting=mounting, period_s=wearer.period_s)
    first = cycle(wearer.frames)
    peers = [Peer('VQF, seven sensors', 'orientations', lambda: alone.step(next(first)))]
    if find_spec('pinocchio') is not None:
        pipeline = ClassicalPipeline(
            body=wearer.subject.body(), mounting=mounting, period_s=wearer.period_s
        )
        second = cycle(wearer.frames)
        peers.append(
            Peer(
                'VQF, differences, pinocchio',
                'angles; moments as if without ground',
                lambda: pipeline.step(next(second)),
            )
        )
    return peers


def dynamics_peers(wearer: Wearer, left_out: list[str]) -> tuple[list[Peer], list[str]]:
    """Return engines on our URDF, each on one state, and how far they are from ours."""
    peers, agreement, body = [], [], wearer.subject.body()
    for engine in ENGINES:
        if not _has(engine.module, engine.package, left_out):
            continue
        solver = engine.solver(body)

        def forces(it: dict[str, np.ndarray], solver: Any = solver) -> np.ndarray:
            solver.place(**it)
            solver.solve()
            return np.asarray(solver.forces())

        agreement.append(_difference(engine.name, wearer, forces))
        peers.append(Peer(f'{engine.name}, inverse dynamics', GIVES_MOMENTS, solver.solve))
    return peers, agreement


def kane_peers(wearer: Wearer, left_out: list[str]) -> tuple[list[Peer], list[str]]:
    """Return Kane's equations in floats and in torch, and how far they are from ours."""
    if not _has('sympy', 'sympy', left_out):
        return [], []
    equations, body = kane_equations(), wearer.subject.body()
    in_floats = equations.function('math')
    some = cycle([floats(body=body, **it) for it in islice(states(wearer), COMPARED)])
    name = "sympy, Kane's equations lambdified"
    peers = [Peer(f'{name}: floats', GIVES_MOMENTS, lambda: in_floats(*next(some)))]
    if _has('torch', 'torch', left_out):
        import torch

        torch.set_num_threads(1)
        in_torch = equations.function('torch')
        values = [torch.tensor(value, dtype=torch.float64) for value in next(some)]
        peers.append(Peer(f'{name}: torch', GIVES_MOMENTS, lambda: in_torch(*values)))
    return peers, [
        _difference(
            "Kane's equations",
            wearer,
            lambda it: np.array(in_floats(*floats(body=body, **it))),
        )
    ]


def batch_rows(left_out: list[str]) -> list[Row]:
    """Time inverse dynamics of a training batch, forward and backward, ours and Kane's."""
    if find_spec('torch') is None or find_spec('sympy') is None:
        return []
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    body = body_from_anthropometry(
        mass_kg=torch.full((BATCH,), 75.0), height_m=torch.full((BATCH,), 1.75)
    ).over_time()
    q, qd, qdd = (torch.randn(BATCH, LENGTH, 9, requires_grad=True) for _ in range(3))
    force = torch.rand(BATCH, LENGTH, 2, 2, 2, requires_grad=True)
    function = kane_equations().function('torch')

    def by_ours() -> None:
        motion = kinematics(body=body, q=q, qd=qd, qdd=qdd)
        points = contact_points(body=body, motion=motion)
        effort = inverse_dynamics(
            body=body, motion=motion, contact_offset=points.from_ankle, contact_force=force
        )
        effort.square().mean().backward()

    def by_kane() -> None:
        values = function(*arguments(body=body, q=q, qd=qd, qdd=qdd, contact_force=force))
        torch.stack(values, -1).square().mean().backward()

    names = {'ours': by_ours, "sympy, Kane's equations": by_kane}
    turns = measure_in_turn(names, turns=12, calls=1, unsettled=1, warm_up=2)
    return [_row(name, GIVES_MOMENTS, turns, 'ours') for name in names]


def angle_errors(wearer: Wearer, trial: Trial, trackers: dict[str, Any]) -> list[str]:
    """Compare the angles with a reference, so that it shows whether the peers are used rightly."""
    if trial.reference is None:
        return []
    reference = load_reference(trial.reference)
    time = wearer.time_s
    used = time >= time[0] + SETTLED_S
    wanted = np.stack(
        [
            np.interp(time, reference['time'], reference[f'angle_{joint}'])
            if f'angle_{joint}' in reference
            else np.full(len(time), np.nan)
            for joint in JOINTS
        ],
        -1,
    )
    answers = {'ours': np.stack([it.q[3:] for it in wearer.estimates])}
    for name, tracker in trackers.items():
        rows = []
        for row in range(len(time)):
            tracker.track(row)
            rows.append(tracker.angles())
        answers[name] = np.stack(rows) * tracker.knee_signs()
    lines = []
    for name, angles in answers.items():
        error = np.degrees(angles - wanted)[used]
        seen = np.isfinite(error).any(axis=0)
        if not seen.any():
            return []  # The reference holds no angles.
        spread = np.sqrt(np.nanmean(np.nanvar(error[:, seen], axis=0)))
        lines.append(
            f'{name}: angles {spread:.1f} deg from the reference, each without its mean offset '
            f'({int(seen.sum())} joints)'
        )
    return lines


def _difference(
    name: str, wearer: Wearer, forces: Callable[[dict[str, np.ndarray]], np.ndarray]
) -> str:
    body, worst, largest = wearer.subject.body(), 0.0, 0.0
    for it in islice(states(wearer), COMPARED):
        motion = kinematics(body=body, q=it['q'], qd=it['qd'], qdd=it['qdd'])
        mine = inverse_dynamics(
            body=body,
            motion=motion,
            contact_offset=contact_points(body=body, motion=motion).from_ankle,
            contact_force=it['contact_force'],
        )
        worst = max(worst, float(np.abs(forces(it) - mine)[3:].max()))
        largest = max(largest, float(np.abs(mine[3:]).max()))
    return (
        f'{name} and ours differ by at most {worst:.1e} N m in joint moments of up to '
        f'{largest:.0f} N m'
    )


def _has(module: str, package: str, left_out: list[str]) -> bool:
    if find_spec(module) is not None:
        return True
    sentence = f'{package} is not installed: pip install {package}'
    if sentence not in left_out:
        left_out.append(sentence)
    return False


def _row(name: str, gives: str, turns: Any, reference: str) -> Row:
    timing = turns.timing(name)
    ratio, low, high = turns.ratio(name, reference)
    return Row(name, gives, 1e3 * timing.p50, 1e3 * timing.p99, ratio, (low, high))


def _versions() -> dict[str, str]:
    found = {'Python': platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def compare(given: argparse.Namespace) -> Result:
    """Time all that is installed."""
    load = os.getloadavg()[0]
    trial = find_trial(given.trial)
    wearer = Wearer(trial, model=given.model)
    left_out: list[str] = []
    files = {'--rajagopal': given.rajagopal, '--planar': given.planar}
    for path in files.values():
        if path is not None and not path.is_file():
            raise UserError(f'{path} is not there, expected an OpenSim model; name a .osim file.')
    simulators, trackers = opensim_peers(wearer, files, given.accuracy, left_out)
    engines, agreement = dynamics_peers(wearer, left_out)
    kane, kane_agreement = kane_peers(wearer, left_out)
    peers = [*ours(wearer), *simulators, *vqf_peers(wearer, left_out), *engines, *kane]
    turns = measure_in_turn(
        {peer.name: peer.step for peer in peers}, turns=given.turns, calls=given.calls
    )
    return Result(
        trial=given.trial.resolve().name,
        frames=given.turns * given.calls,
        cores=os.cpu_count() or 1,
        load=load,
        versions=_versions(),
        models={name.strip('-'): path.name for name, path in files.items() if path is not None},
        opensim_accuracy=given.accuracy,
        rows=[_row(peer.name, peer.gives, turns, OURS) for peer in peers],
        batch=batch_rows(left_out),
        agreement=[*agreement, *kane_agreement, *angle_errors(wearer, trial, trackers)],
        left_out=left_out,
    )


def report(result: Result) -> str:
    """Write the result as markdown."""
    versions = ', '.join(f'{name} {number}' for name, number in result.versions.items())
    lines = [
        f'{result.trial}, {result.frames} frames each, one thread; load average '
        f'{result.load:.1f} on {result.cores} cores when it began. {versions}.',
        '',
        *_table(result.rows, 'one frame', 'times our step in C'),
    ]
    if result.batch:
        lines += [
            '',
            *_table(
                result.batch,
                f'torch, {BATCH} x {LENGTH} frames, forward and backward',
                'times ours',
            ),
        ]
    for sentences in (result.agreement, result.left_out):
        if sentences:
            lines += ['', *(f'- {sentence}.' for sentence in sentences)]
    return '\n'.join(lines)


def _table(rows: list[Row], title: str, ratio: str) -> list[str]:
    return [
        f'| {title} | p50, ms | p99, ms | {ratio} (quartiles) | gives |',
        '|---|---|---|---|---|',
        *(
            f'| {row.name} | {_number(row.p50_ms)} | {_number(row.p99_ms)} | {_number(row.ratio)} '
            f'({_number(row.quartiles[0])} to {_number(row.quartiles[1])}) | {row.gives} |'
            for row in rows
        ),
    ]


def _number(value: float) -> str:
    return (
        f'{value:.0f}' if value >= 100.0 else f'{value:.3g}' if value >= 0.01 else f'{value:.4f}'
    )


def put_into(page: Path, text: str) -> str:
    """Return what a page says with `text` between its markers."""
    if not page.is_file():
        raise UserError(f'{page} is not there, expected a page with markers; name another.')
    document = page.read_text(encoding='utf-8')
    return replace_tables(document, text, name=str(page), begin=BEGIN, end=END)


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('trial', type=Path, metavar='TRIAL', help='trial folder, seven sensors')
    parser.add_argument('--model', default='default', help='of ours [default]')
    parser.add_argument('--rajagopal', type=Path, help='full-body OpenSim model')
    parser.add_argument('--planar', type=Path, help='planar OpenSim model, gait10dof18musc.osim')
    parser.add_argument(
        '--accuracy',
        type=float,
        default=1e-5,
        help="of OpenSim's solver [1e-5, as its own tools have it]",
    )
    parser.add_argument('--turns', type=int, default=100, help='of every peer [100]')
    parser.add_argument('--calls', type=int, default=20, help='frames in each turn [20]')
    parser.add_argument('--json', type=Path, help='write the numbers to this as well')
    parser.add_argument('--docs', type=Path, help='put the tables between the markers of this')
    given = parser.parse_args()
    if given.turns < 1 or given.calls < 1:
        parser.error('--turns and --calls must be at least 1')
    try:
        if given.docs is not None:
            put_into(given.docs, '')  # Better told before measuring than after.
        result = compare(given)
        text = report(result)
        print(text)
        if given.json is not None:
            with file_beside(given.json, overwrite=True) as partial:
                partial.write_text(json.dumps(asdict(result), indent=2) + '\n')
        if given.docs is not None:
            given.docs.write_text(put_into(given.docs, text), encoding='utf-8')
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
