# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Guess which segment each of some unnamed IMUs is worn on, from how the wearer walks.

Down a leg the segments turn ever faster, and in walking only feet come to rest in every stride.
The pelvis turns least, the trunk is pushed about less than it. The legs move half a stride apart.
Neighbours share a joint, whose velocity both must tell alike: that confirms a guess. Which leg is
the right one shows in the pelvis, which is pushed towards the leg that swings. No mounting needs
to be known and nothing is learned.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.calibration import NOMINAL_HEIGHT_M
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.drift_free import closure_bias, level_motion
from sspinnpose_ros.core.gait_tracks import GaitTracks, gait_tracks
from sspinnpose_ros.core.leg_sides import NEAREST_RAD, SHORTEST_WALKING_STRIDE_S, swap_phase
from sspinnpose_ros.core.neighbour_agreement import neighbour_agreement
from sspinnpose_ros.core.stride import longest_run, stride_period, walking

HIGH, FAIR, LOW, NONE = 'high', 'fair', 'low', 'none'
"""Confidence, from the joints confirm it to nothing tells."""

LEG_PARTS = ('foot', 'shank', 'thigh')
"""From the segment that turns fastest to the slowest."""

STILL_RAD_S = 0.1
STILL_M_S2 = 0.3
"""A sensor that turns and is pushed less than this, as root mean square, is not worn by somebody
who walks."""

SHORTEST_S = 3.0
LEAST_REPEAT = 0.35
FEWEST_STRIDES = 4
LONGEST_WALK_S = 30.0
MOST_LEG_SENSORS = 6

AGREEING = 0.94
"""Agreement of neighbours about their joints, 0 to 1, that confirms which leg each is on, and
how far ahead of any other division of the sensors it must be. Recordings reach 0.96 and more,
other divisions of their sensors 0.92."""
LEAST_LEAD = 0.015

RESTING = 0.3
"""Rate that a foot stays below for three tenths of a walk, over its root mean square; recorded
feet 0.27 at most, shanks 0.37 at least. This and the bounds below were set by hand with the
recordings in view."""

THIGH_BELOW = 0.8
"""Rate of a runner's thigh over that of the shank is below this, of a shank over that of its foot
above."""

SHANK_CYCLE = 0.35
"""Turns of a shank in a stride, as root mean square rate times stride over 2 pi, above this."""

CENTRAL_BELOW = 0.8
"""Part of the slowest leg sensor's rate that the pelvis and trunk stay below."""


@dataclass(frozen=True)
class PlacementGuess:
    """Hold where sensors seem to sit.

    Attributes:
        part: (S) 'pelvis', 'trunk', 'thigh', 'shank', 'foot', or None where nothing tells.
        leg: (S) 0 or 1 for the sensors of one leg and of the other, None elsewhere.
        part_confidence: 'high', 'fair', 'low' or 'none'.
        right_leg: the leg, 0 or 1, that seems to be the right one; None where nothing tells.
        stride_s: duration of a stride, s; NaN where nobody walks.
        sentences: what the guess rests on, in words.

    """

    part: tuple[str | None, ...]
    leg: tuple[int | None, ...]
    part_confidence: str
    right_leg: int | None
    stride_s: float
    sentences: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Walk:
    """Hold a stretch of walking: (T, S, 3) signals, and what each sensor does in it (S,)."""

    acceleration: np.ndarray
    angular_rate: np.ndarray
    period: int
    step_s: float
    pace: np.ndarray
    rest: np.ndarray
    push: np.ndarray

    @property
    def stride_s(self) -> float:
        return self.period * self.step_s

    @property
    def runs(self) -> bool:
        return self.stride_s < SHORTEST_WALKING_STRIDE_S


def guess_placement(
    *, acceleration: np.ndarray, angular_rate: np.ndarray, step_s: float
) -> PlacementGuess:
    """Guess where unnamed sensors sit on somebody who walks or runs.

    Args:
        acceleration: (T, S, 3) specific force, sensor axes, m/s^2.
        angular_rate: (T, S, 3) sensor axes, rad/s.
        step_s: between samples, s.

    Returns:
        The guess; of no part where nobody walks.

    """
    count = angular_rate.shape[1]
    walk = _find_walk(acceleration, angular_rate, step_s=step_s)
    if walk is None:
        return _nothing(count, 'Nobody walks here, so the motion does not tell where sensors sit.')
    worn = np.flatnonzero((walk.pace > STILL_RAD_S) | (walk.push > STILL_M_S2))
    order = worn[np.argsort(walk.pace[worn])]
    central, legs = _split(order)
    if not 2 <= len(legs) <= MOST_LEG_SENSORS:
        return _nothing(
            count,
            f'{len(worn)} sensors move with the wearer, expected two to eight, the same on both '
            'legs; the motion does not tell where they sit.',
            stride_s=walk.stride_s,
        )
    first, confirmed, gait = _one_leg(walk, central, legs)
    if walk.runs and not confirmed:
        return _nothing(
            count,
            'Running tells too little of these sensors, as no joints confirm which of them are '
            'neighbours; record some walking.',
            stride_s=walk.stride_s,
        )
    other = [column for column in legs if column not in first]
    names = _leg_parts(walk, first, other, neighbours=confirmed)
    part: list[str | None] = [None] * count
    leg: list[int | None] = [None] * count
    for column, name in zip(central, _central_parts(walk, central), strict=True):
        part[column] = name
    for number, members in enumerate((first, other)):
        for name, column in zip(names, _by_pace(walk, members), strict=True):
            part[column], leg[column] = name, number
    confidence, sentences = _words(walk, central, legs, confirmed=confirmed)
    right = None
    if gait is not None and 'pelvis' in part:
        right = _right_leg(walk, part, leg, gait=gait)
    return PlacementGuess(
        part=tuple(part),
        leg=tuple(leg),
        part_confidence=confidence,
        right_leg=right,
        stride_s=walk.stride_s,
        sentences=sentences,
    )


def _nothing(count: int, sentence: str, *, stride_s: float = float('nan')) -> PlacementGuess:
    nobody: tuple[None, ...] = (None,) * count
    return PlacementGuess(
        part=nobody,
        leg=nobody,
        part_confidence=NONE,
        right_leg=None,
        stride_s=stride_s,
        sentences=(sentence,),
    )


def _find_walk(
    acceleration: np.ndarray, angular_rate: np.ndarray, *, step_s: float
) -> _Walk | None:
    if len(angular_rate) * step_s < SHORTEST_S:
        return None
    rate = angular_rate - np.median(angular_rate, axis=0)
    pace = np.sqrt((rate**2).sum(-1).mean(0))
    worn = pace > STILL_RAD_S
    if worn.sum() < 2:
        return None
    period, repeat = stride_period(angular_rate=rate[:, worn], step_s=step_s)
    if period == 0 or repeat < LEAST_REPEAT:
        return None
    span = longest_run(walking(angular_rate=rate[:, worn], period=period))
    span = slice(span.start, min(span.stop, span.start + round(LONGEST_WALK_S / step_s)))
    if span.stop - span.start < FEWEST_STRIDES * period:
        return None
    size = np.linalg.norm(angular_rate[span], axis=-1)
    pace = np.sqrt((size**2).mean(0))
    return _Walk(
        acceleration=acceleration[span],
        angular_rate=angular_rate[span],
        period=period,
        step_s=step_s,
        pace=pace,
        rest=np.percentile(size, 30.0, axis=0) / np.maximum(pace, 1e-9),
        push=np.sqrt(acceleration[span].var(axis=0).sum(-1)),
    )


def _split(order: np.ndarray) -> tuple[list[int], list[int]]:
    """Tell pelvis and trunk from the legs, which wear the same sensors on both sides."""
    central = 2 if len(order) > MOST_LEG_SENSORS + 1 else len(order) % 2
    return order[:central].tolist(), order[central:].tolist()


def _central_parts(walk: _Walk, central: Sequence[int]) -> list[str]:
    if len(central) < 2:
        return ['pelvis'] * len(central)
    lower = int(np.argmax(walk.push[list(central)]))
    return ['pelvis' if place == lower else 'trunk' for place in range(2)]


def _leg_parts(
    walk: _Walk, first: Sequence[int], other: Sequence[int], *, neighbours: bool
) -> tuple[str, ...]:
    """Return the parts that each leg wears, from the fastest to the slowest sensor."""
    if len(first) == len(LEG_PARTS):
        return LEG_PARTS
    legs = [_by_pace(walk, members) for members in (first, other)]
    fastest = [members[0] for members in legs]
    rests = float(walk.rest[fastest].mean()) < RESTING
    if len(first) == 1:
        cycle = float(walk.pace[fastest].mean()) * walk.stride_s / (2.0 * np.pi)
        return ('foot',) if rests else ('shank',) if cycle > SHANK_CYCLE else ('thigh',)
    if not neighbours:
        # Of a leg's segments only thigh and foot share no joint.
        return ('foot', 'thigh')
    if walk.runs:
        slower = float(np.mean([walk.pace[low] / walk.pace[high] for high, low in legs]))
        return ('shank', 'thigh') if slower < THIGH_BELOW else ('foot', 'shank')
    return ('foot', 'shank') if rests else ('shank', 'thigh')


def _by_pace(walk: _Walk, columns: Sequence[int]) -> list[int]:
    return sorted(columns, key=lambda column: -walk.pace[column])


def _one_leg(
    walk: _Walk, central: Sequence[int], legs: Sequence[int]
) -> tuple[list[int], bool, GaitTracks | None]:
    """Return the sensors of one leg, whether joints confirm them, and how all move if they do.

    Every division of the sensors into two legs is tried; the last is given for whole legs only.
    """
    half = len(legs) // 2
    if half == 1:
        return [legs[0]], False, None
    angular_rate = walk.angular_rate - closure_bias(
        acceleration=walk.acceleration,
        angular_rate=walk.angular_rate,
        period=walk.period,
        step_s=walk.step_s,
    )
    found: list[tuple[float, list[int], GaitTracks | None]] = []
    if half == len(LEG_PARTS):
        for first in _divisions(legs):
            gait = _whole_legs(walk, central, legs, first, angular_rate=angular_rate)
            agreement = min(
                agreement
                for name, agreement in gait.coherence.items()
                if name.startswith(('thigh', 'shank'))
            )
            found.append((agreement, first, gait))
    else:
        motion = level_motion(
            acceleration=walk.acceleration,
            angular_rate=angular_rate,
            period=walk.period,
            step_s=walk.step_s,
        )
        for first in _divisions(legs):
            agreement = 1.0
            for members in (first, [each for each in legs if each not in first]):
                lower, upper = _by_pace(walk, members)
                agreement = min(
                    agreement, neighbour_agreement(motion=motion, upper=upper, lower=lower)
                )
            found.append((agreement, first, None))
    found.sort(key=lambda each: -each[0])
    (best, first, whole), (second, *_) = found[:2]
    if best > AGREEING and best > second + LEAST_LEAD:
        return first, True, whole
    if half == len(LEG_PARTS):
        return first, False, None
    # No neighbours: two feet, which turn fastest, and two thighs.
    foot, _, *thighs = _by_pace(walk, legs)
    beat = dict(zip(legs, _phases(walk, legs), strict=True))
    return [foot, max(thighs, key=lambda each: np.cos(beat[each] - beat[foot]))], False, None


def _divisions(legs: Sequence[int]) -> Iterator[list[int]]:
    for others in itertools.combinations(legs[1:], len(legs) // 2 - 1):
        yield [legs[0], *others]


def _whole_legs(
    walk: _Walk,
    central: Sequence[int],
    legs: Sequence[int],
    first: Sequence[int],
    *,
    angular_rate: np.ndarray,
) -> GaitTracks:
    """Return how sensors move if `first` are those of the right leg; rates without bias."""
    columns = {
        name: column
        for name, column in zip(_central_parts(walk, central), central, strict=True)
        if name == 'pelvis'
    }
    for side, members in (('r', first), ('l', [each for each in legs if each not in first])):
        for name, column in zip(LEG_PARTS, _by_pace(walk, members), strict=True):
            columns[f'{name}_{side}'] = column
    rows = list(columns.values())
    return gait_tracks(
        acceleration=walk.acceleration[:, rows],
        angular_rate=angular_rate[:, rows],
        sensors=tuple(columns),
        period=walk.period,
        step_s=walk.step_s,
        height_m=NOMINAL_HEIGHT_M,
    )


def _phases(walk: _Walk, legs: Sequence[int]) -> np.ndarray:
    """Return when in the stride each sensor turns fast, in rad after the liveliest one."""
    size = np.linalg.norm(walk.angular_rate[:, list(legs)], axis=-1)
    length = 2 * walk.period
    window = np.hanning(length + 1)[:-1]
    rhythm = np.exp(-2j * np.pi * np.arange(length) / walk.period) * window
    starts = range(0, len(size) - length + 1, max(1, walk.period // 2))
    pieces = np.stack([size[start : start + length] for start in starts])
    beat = np.einsum('wts,t->ws', pieces - pieces.mean(1, keepdims=True), rhythm)
    shared = beat.conj().T @ beat
    liveliest = int(np.argmax(shared.diagonal().real))
    phases: np.ndarray = np.angle(shared[liveliest])
    return phases


def _right_leg(
    walk: _Walk, part: Sequence[str | None], leg: Sequence[int | None], *, gait: GaitTracks
) -> int | None:
    """Return the leg that swings while the pelvis is pushed to the right."""
    left = gait.tracks['pelvis'].world[gait.used, 1].mean(0)
    force = walk.acceleration[:, part.index('pelvis')] @ left / gait.gain['pelvis']
    turning = np.zeros((len(force), len(SENSORS)))
    for column, name in enumerate(part):
        if leg[column] is not None:
            row = SENSORS.index(f'{name}_{"rl"[leg[column] or 0]}')
            turning[:, row] = np.linalg.norm(walk.angular_rate[:, column], axis=-1)
    apart = [
        swap_phase(
            left_force=force[start : start + walk.period],
            turning=turning[start : start + walk.period],
            known=np.ones(len(SENSORS), dtype=bool),
            period_s=walk.step_s,
        )
        for start in range(0, len(force) - walk.period + 1, walk.period)
    ]
    told = [each for each in apart if np.isfinite(each)]
    if not told or 2 * len(told) < len(apart):
        return None
    usual = float(np.median(told))
    if usual < NEAREST_RAD:
        return 1
    return 0 if usual > np.pi - NEAREST_RAD else None


def _words(
    walk: _Walk, central: Sequence[int], legs: Sequence[int], *, confirmed: bool
) -> tuple[str, tuple[str, ...]]:
    gait = 'running' if walk.runs else 'walking'
    whole = len(legs) == MOST_LEG_SENSORS
    slow = not central or float(walk.pace[list(central)].max()) < CENTRAL_BELOW * float(
        walk.pace[list(legs)].min()
    )
    basis = (
        f'{len(walk.acceleration) * walk.step_s:.0f} s of {gait} in strides of '
        f'{walk.stride_s:.2f} s: down a leg segments turn ever faster, the legs take turns'
    )
    if confirmed:
        agree = f'{basis}, and neighbours agree about the joints that they share'
        if whole:
            return HIGH, (f'{agree}.',)
        return (LOW if walk.runs else FAIR), (
            f'{agree}; which two segments of the leg these are, only their speed and rest tell.',
        )
    if whole:
        return (FAIR if slow and not walk.runs else LOW), (
            f'{basis}; whether neighbours agree about their joints could not be confirmed.',
        )
    return LOW, (
        f'{basis}. No joints confirm which segments these sensors sit on, nor which of them '
        'share a leg.',
    )
