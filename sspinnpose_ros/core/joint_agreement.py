# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recognize exchanged and reversed sensors by the joints that two segments share.

Both segments of a joint move its centre, so its acceleration seen from either must agree. Where
it agrees better once two sensors are exchanged, one is worn back to front or a rate is scaled,
they are. It takes one stride of walking or running and no network.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core import native_watch
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.fault import Fault, FaultKind
from sspinnpose_ros.core.mounting import MountingArrays

BETTER = 0.9
"""Part of the disagreement that is left by an arrangement that is believed. Of recorded people,
rightly worn, any other arrangement leaves 1.4 times as much or more, wrong rates 1.1 times."""

LEAST_DISAGREEMENT = 1.5
"""Mean disagreement of a joint below which nothing is changed, m/s^2."""

MOST_UNLIKE = 0.7
"""Most of what two ends of a joint do that may be left as disagreement by an arrangement; 1 is
what ends that have nothing to do with each other leave, recorded joints 0.1 to 0.5."""

SMOOTHED_S = 0.09
SAMPLED_S = 0.03
RATE_FACTORS = (0.5, 2.0)
"""Wrong gains of a gyro that is set to half or twice its range."""

PELVIS = 0
LEGS = ((1, 2, 3), (4, 5, 6))
"""Rows of thigh, shank and foot of either leg."""

Stream = tuple[int, int, int, float]
"""Row of a sensor, row whose mounting it has, 1 or -1 where it is worn back to front, factor of
its rate."""


@dataclass(frozen=True)
class Arrangement:
    """Hold who is on which segment, if not who the names say.

    Attributes:
        kind: the fault that it would be.
        rows: sensors concerned.
        streams: for each segment concerned, the sensor that is on it.

    """

    kind: FaultKind
    rows: tuple[int, ...]
    streams: tuple[tuple[int, Stream], ...]


def arrangements() -> Iterator[Arrangement]:
    """Return every arrangement that is thought of."""
    (tr, sr, fr), (tl, sl, fl) = LEGS
    for a, b in ((tr, tl), (sr, sl), (fr, fl), (tr, sr), (tl, sl), (sr, fr), (sl, fl)):
        # Worn on each other's segments alike, or named after each other as they are worn.
        for on_a, on_b in ((b, a), (a, b)):
            streams = ((a, (b, on_a, 1, 1.0)), (b, (a, on_b, 1, 1.0)))
            yield Arrangement(FaultKind.SWAPPED, (a, b), streams)
    for row in range(len(SENSORS)):
        yield Arrangement(FaultKind.BACK_TO_FRONT, (row,), ((row, (row, row, -1, 1.0)),))
    # Only shanks part rightly from wrongly scaled rates by far.
    for row in (sr, sl):
        for factor in RATE_FACTORS:
            yield Arrangement(FaultKind.RATE_GAIN, (row,), ((row, (row, row, 1, factor)),))


class JointAgreement:
    """Compare how the segments of one wearer move their common joints during a stride.

    Attributes:
        arrangements: those thought of.
        stream_table: of `native_watch.STREAM`, what is asked of the sensors.
        end_table: of `native_watch.END`, what two of which make a joint.
        pair_table: (n, 2) numbers of the ends of each joint, as worn and arranged.

    """

    def __init__(
        self,
        *,
        mounting: MountingArrays,
        mounted: np.ndarray,
        position_m: np.ndarray,
        leg_length_m: np.ndarray,
    ) -> None:
        """Know the wearer.

        Args:
            mounting: of the mounted sensors.
            mounted: (7,) bool.
            position_m: (7, 2) sensors in their segments, forward and up, m.
            leg_length_m: (2,) hip to knee and knee to ankle, m.

        """
        self._mounted = mounted
        self._position = position_m
        thigh, shank = (np.array([0.0, -float(length)]) for length in leg_length_m)
        top = np.zeros(2)
        # Parent and child of every joint, each with the joint in its segment.
        joints = [
            joint
            for leg in LEGS
            for joint in (
                ((PELVIS, top), (leg[0], top)),
                ((leg[0], thigh), (leg[1], top)),
                ((leg[1], shank), (leg[2], top)),
            )
        ]
        self._streams: dict[Stream, int] = {}
        self._ends: list[tuple[int, float, float]] = []
        self._pairs: list[tuple[int, int]] = []
        self._sensors_of_pairs: list[tuple[int, ...]] = []
        self.arrangements = tuple(arrangements())
        worn = [self._pair(joint, {}) for joint in joints]
        # Number of the arrangement, pair as worn, the same pair arranged.
        cases = []
        for case, one in enumerate(self.arrangements):
            streams = dict(one.streams)
            for number, joint in enumerate(joints):
                if joint[0][0] in streams or joint[1][0] in streams:
                    cases.append((case, worn[number], self._pair(joint, streams)))
        self._cases = np.array(cases)
        swapped = np.array([one.kind == FaultKind.SWAPPED for one in self.arrangements])
        self._enough = np.where(swapped, 2, np.bincount(self._cases[:, 0]))
        self._needed = np.array(self._sensors_of_pairs)
        place = np.cumsum(mounted) - 1
        # What is not mounted is never asked; any mounting does.
        rows = [int(place[on]) if mounted[on] else 0 for _, on, _, _ in self._streams]
        of_streams = MountingArrays(
            rotation=mounting.rotation[rows],
            acceleration_gain=mounting.acceleration_gain[rows],
            gyro_bias_rad_s=mounting.gyro_bias_rad_s[rows],
            acceleration_bias_m_s2=mounting.acceleration_bias_m_s2[rows],
        )
        self.stream_table = _arranged_streams(list(self._streams), mounting=of_streams)
        self.end_table = np.array(self._ends, dtype=native_watch.END)
        self.pair_table = np.array(self._pairs, dtype=np.intc)

    def ratios(
        self,
        *,
        acceleration: np.ndarray,
        angular_rate: np.ndarray,
        known: np.ndarray,
        period_s: float,
    ) -> Generator[None, None, tuple[np.ndarray, np.ndarray]]:
        """Return for each arrangement the disagreement of its joints over that as worn.

        Args:
            acceleration: (P, 7, 3) of one stride as received, sensor axes, m/s^2.
            angular_rate: (P, 7, 3) the same, rad/s.
            known: (7,) bool, sensors that can be used.
            period_s: between samples, s.

        Yields:
            Now and then, so that the work can be spread.

        Returns:
            The ratios, below 1 where the arrangement is better than what the names say and
            infinite where no joint can tell; and by how much in all, m/s^2.

        """
        yield
        at, lever = sampled_motion(
            acceleration=acceleration,
            angular_rate=angular_rate,
            streams=self.stream_table,
            period_s=period_s,
        )
        yield
        swing, apart = swings(at=at, lever=lever, ends=self.end_table, pairs=self.pair_table)
        yield
        own = np.sqrt((swing[self.pair_table] ** 2).sum(-1) + 1e-9)
        told = known[self._needed].all(-1)
        case, worn, arranged = self._cases.T
        seen = told[worn] & told[arranged]

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(case, np.where(seen, values, 0.0), len(self.arrangements))

        number = total(np.ones(len(case)))
        before, after = total(apart[worn]), total(apart[arranged])
        alike = total((apart / own)[arranged]) <= MOST_UNLIKE * number
        judged = alike & (number >= self._enough) & (before > LEAST_DISAGREEMENT * number)
        found = np.full(len(judged), np.inf)
        np.divide(after, before, out=found, where=judged)
        gained = np.where(judged, before - after, 0.0)
        return found, gained

    def search(
        self,
        *,
        acceleration: np.ndarray,
        angular_rate: np.ndarray,
        known: np.ndarray,
        period_s: float,
    ) -> Generator[None, None, Fault | None]:
        """Return the arrangement that explains the joints best if it does so much better.

        Arguments and pauses are those of `ratios`.
        """
        ratios, gained = yield from self.ratios(
            acceleration=acceleration,
            angular_rate=angular_rate,
            known=known & self._mounted,
            period_s=period_s,
        )
        better = ratios < BETTER
        if not better.any():
            return None
        # The one that mends most, not the one that mends its own joints best.
        best = int(np.argmax(np.where(better, gained, -np.inf)))
        one = self.arrangements[best]
        return _fault(one.kind, tuple(SENSORS[row] for row in one.rows), float(ratios[best]))

    def _pair(
        self,
        joint: tuple[tuple[int, np.ndarray], tuple[int, np.ndarray]],
        streams: dict[int, Stream],
    ) -> int:
        ends = []
        needed: list[int] = []
        for row, place in joint:
            stream = streams.get(row, (row, row, 1, 1.0))
            lever = place - self._position[row]
            column = self._streams.setdefault(stream, len(self._streams))
            self._ends.append((column, float(lever[0]), float(lever[1])))
            ends.append(len(self._ends) - 1)
            needed += stream[:2]
        self._pairs.append((ends[0], ends[1]))
        self._sensors_of_pairs.append(tuple(needed))
        return len(self._pairs) - 1


def sampled_motion(
    *, acceleration: np.ndarray, angular_rate: np.ndarray, streams: np.ndarray, period_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Follow sensors through a stride, after which they are as they were.

    Args:
        acceleration: (P, 7, 3) of one stride as received, sensor axes, m/s^2.
        angular_rate: (P, 7, 3) the same, rad/s.
        streams: (S,) of `native_watch.STREAM`.
        period_s: between samples, s.

    Returns:
        (S, p) the acceleration and what a lever forward adds to it, smoothed and sampled, as
        complex numbers forward and up in level axes; a lever up adds the latter times 1j.

    """
    half = max(1, round(0.5 * SMOOTHED_S / period_s))
    step = max(1, round(SAMPLED_S / period_s))
    if native_watch.watches_in_c():
        return native_watch.sampled_motion(
            acceleration=acceleration,
            angular_rate=angular_rate,
            streams=streams,
            period_s=period_s,
            half=half,
            step=step,
        )
    rows = streams['row'].astype(int)
    corrected = acceleration[:, rows] - streams['force_bias']
    forward = np.einsum('si,psi->ps', streams['forward'], corrected)
    up = np.einsum('si,psi->ps', streams['up'], corrected)
    rate = np.einsum('si,psi->ps', streams['rate'], angular_rate[:, rows] - streams['rate_bias'])
    rate = rate - rate.mean(0)
    angle = (np.cumsum(rate, axis=0) - 0.5 * rate) * period_s
    turn = np.exp(1j * angle)
    force = turn * (forward + 1j * up)
    mean = force.mean(0)
    upright = 1j * mean.conj() / np.maximum(np.abs(mean), 1e-9)
    change = (np.roll(rate, -1, axis=0) - np.roll(rate, 1, axis=0)) / (2.0 * period_s)
    ahead = turn * (-(rate**2) + 1j * change)
    at = upright * _circular_mean(force, half, step)
    return at.T, (upright * _circular_mean(ahead, half, step)).T


def swings(
    *, at: np.ndarray, lever: np.ndarray, ends: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare how ends of joints move.

    Args:
        at: (S, p) as from `sampled_motion`.
        lever: (S, p) the same.
        ends: (n,) of `native_watch.END`.
        pairs: (m, 2) numbers of ends.

    Returns:
        (n,) and (m,) root mean square of the acceleration of each end, and of the difference
        between those of each pair, both about their means, m/s^2.

    """
    if native_watch.watches_in_c():
        return native_watch.swings(at=at, lever=lever, ends=ends, pairs=pairs)
    stream = ends['stream'].astype(int)
    place = ends['forward'] + 1j * ends['up']
    moved = at[stream] + place[:, None] * lever[stream]
    moved = moved - moved.mean(-1, keepdims=True)
    apart = moved[pairs[:, 0]] - moved[pairs[:, 1]]
    return tuple(np.sqrt((np.abs(each) ** 2).mean(-1)) for each in (moved, apart))


def _arranged_streams(streams: list[Stream], *, mounting: MountingArrays) -> np.ndarray:
    """Return streams as `native_watch.STREAM`; `mounting` is the one of each."""
    row, _, sign, factor = (np.array(column) for column in zip(*streams, strict=True))
    arranged = np.zeros(len(streams), native_watch.STREAM)
    gain = mounting.acceleration_gain
    arranged['row'] = row
    arranged['forward'] = mounting.rotation[:, 0] * (sign / gain)[:, None]
    arranged['up'] = mounting.rotation[:, 2] / gain[:, None]
    arranged['rate'] = -mounting.rotation[:, 1] * (sign * factor)[:, None]
    arranged['force_bias'] = mounting.acceleration_bias_m_s2
    arranged['rate_bias'] = mounting.gyro_bias_rad_s
    return arranged


def _circular_mean(values: np.ndarray, half: int, step: int) -> np.ndarray:
    width = 2 * half + 1
    padded = np.concatenate([values[-half - 1 :], values, values[:half]])
    total = np.cumsum(padded, axis=0)
    mean: np.ndarray = (total[width::step] - total[:-width:step]) / width
    return mean


def _fault(kind: FaultKind, sensors: tuple[str, ...], ratio: float) -> Fault:
    how = f'{1.0 / ratio:.1f} times as well'
    if kind == FaultKind.SWAPPED:
        sentence = (
            f'{sensors[0]} and {sensors[1]} move their joints {how} with each other exchanged, '
            'expected best as they are named: they seem to be swapped; exchange the sensors or '
            'their topics.'
        )
    elif kind == FaultKind.BACK_TO_FRONT:
        sentence = (
            f'{sensors[0]} moves its joints {how} turned round, expected best as its mounting '
            'says: it seems to be worn back to front; turn it, or calibrate again.'
        )
    else:
        sentence = (
            f'{sensors[0]} moves its joints {how} with half or twice its rate, expected best as '
            'it is: the gain of its gyro is wrong; check the range set in its driver.'
        )
    return Fault(kind=kind, sensors=sensors, sentence=sentence, size=ratio)
