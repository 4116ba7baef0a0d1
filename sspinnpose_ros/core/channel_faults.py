# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recognize channels that stand still or stop at the end of their range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.fault import Fault, FaultKind
from sspinnpose_ros.core.recent_frames import FrameSeries

KINDS = (('linear_acceleration', 'm/s^2'), ('angular_velocity', 'rad/s'))

LOWEST_LIMIT = (15.0, 2.0)
"""Ranges of sensors end above this, m/s^2 and rad/s; the smallest are 2 g and 125 deg/s."""

_PARTS = (slice(0, 3), slice(3, 6))
_LOWEST_LIMITS = np.repeat(LOWEST_LIMIT, 3)

FEWEST_ENDS = 4
"""How often a channel must give its greatest value, or once less where two follow each other;
recordings give it once."""

COARSE = 0.1
"""Part of the values that are not new, above which the resolution is coarse."""

COARSE_ENDS = 2
SHORT_STEPS, MORE_ENDS = 3, 2
"""How many more ends it takes then, and for each value that is so many steps or less short."""

SAME = 1e-9
"""Part of a value within which two are the same: what interpolation between equals leaves."""

STILL_S = 1.0
MOVING = (0.5, 0.3)
"""Deviation of force (m/s^2) and of rate (rad/s) from their means, above which a sensor moves."""

IN_PLANE = 0.4
"""Part of an axis that shows in the sagittal plane, from which it is missed when it is still."""


def saturated_channels(series: FrameSeries) -> list[Fault]:
    """Name sensors whose force or rate stays at one extreme value again and again.

    Args:
        series: the newest frames, sensor axes.

    """
    size = np.abs(series.imu)
    # The older half may hold peaks from before the range was changed.
    whole, newest = _ends(size), _ends(size[len(size) // 2 :])
    if whole is None and newest is None:
        return []
    faults = []
    for kind, part in enumerate(_PARTS):
        found = [each for each in (whole, newest) if each is not None]
        ends = next((each for each in found if each.stopped[:, part].any()), None)
        if ends is None:
            continue
        name, unit = KINDS[kind]
        stopped = ends.stopped[:, part]
        for row in np.flatnonzero(stopped.any(-1)).tolist():
            limit = float(ends.largest[row, part][stopped[row]].max())
            faults.append(
                Fault(
                    kind=FaultKind.SATURATED,
                    sensors=(SENSORS[row],),
                    sentence=f'{SENSORS[row]} stops at {limit:.4g} {unit} in {name}, expected '
                    'peaks of various heights: this is the end of its range; set a wider range in '
                    'its driver.',
                    size=float(ends.number[row, part].max()),
                )
            )
    return faults


@dataclass(frozen=True, eq=False)
class _Ends:
    """Hold of (7, 6) channels whether they stop at an end, where, and how often."""

    stopped: np.ndarray
    largest: np.ndarray
    number: np.ndarray


def _ends(size: np.ndarray) -> _Ends | None:
    """Look for ends in (T, 7, 6) sizes; None where no channel reaches its largest value often."""
    largest = size.max(0)
    at_end = size >= largest * (1.0 - SAME)
    if np.count_nonzero(at_end) < largest.size + FEWEST_ENDS - 2:
        # Each channel is there once, so that none can be there often enough.
        return None
    number = at_end.sum(0) + (at_end[1:] & at_end[:-1]).any(0)
    # A value that never changes is stuck, not saturated.
    stopped = (number >= FEWEST_ENDS) & (largest > _LOWEST_LIMITS) & (at_end.mean(0) < 0.5)
    for row, axis in np.argwhere(stopped).tolist():
        stopped[row, axis] = number[row, axis] >= FEWEST_ENDS + _by_chance(size[:, row, axis])
    return _Ends(stopped=stopped, largest=largest, number=number)


def _by_chance(size: np.ndarray) -> int:
    """Return how many more ends it takes for (T,) sizes whose resolution is coarse.

    Coarse sensors give the same greatest value by chance, but then nearly the greatest as often.
    """
    levels = np.unique(size)
    levels = levels[np.append(np.diff(levels) > 2.0 * SAME * levels[-1], True)]
    at_end = size >= levels[-1] * (1.0 - SAME)
    if len(size) - at_end.sum() - len(levels) + 1 < COARSE * len(size):
        return 0
    step = float(np.diff(levels).min(initial=np.inf))
    short = ~at_end & (size > levels[-1] - (SHORT_STEPS + 0.5) * step)
    return COARSE_ENDS + MORE_ENDS * int(short.sum())


def still_channels(
    series: FrameSeries, *, period_s: float, lateral: np.ndarray | None
) -> list[Fault]:
    """Name sensors of which one kind of channel stands still while the other kind moves.

    Args:
        series: the newest frames, sensor axes.
        period_s: between frames, s.
        lateral: (7, 3) axis to the left in sensor axes, NaN where the mounting is unknown; None
            where none is known. A single axis that is hardly lateral (force) or nearly lateral
            (rate) is then missed too.

    """
    number = round(STILL_S / period_s)
    if len(series.time_s) < number:
        return []
    newest = series.imu[-number:]
    unchanged = (newest == newest[0]).all(0)
    if not unchanged.any():
        return []
    present = series.present[-number:].all(0)
    spread = newest.std(0)
    moving = [
        np.linalg.norm(spread[:, part], axis=-1) > MOVING[k] for k, part in enumerate(_PARTS)
    ]
    faults = []
    for kind, part in enumerate(_PARTS):
        still = unchanged[:, part]
        # A motion in one plane turns about one axis only, so without mounting no fewer count.
        missed = still.all(-1)
        if lateral is not None:
            aside = np.abs(lateral)
            shown = np.sqrt(np.maximum(1.0 - aside**2, 0.0)) if kind == 0 else aside
            missed |= (still & (shown > IN_PLANE)).any(-1)
        missed &= present & moving[1 - kind]
        name, _ = KINDS[kind]
        for row in np.flatnonzero(missed).tolist():
            axes = ', '.join('xyz'[axis] for axis in np.flatnonzero(still[row]))
            faults.append(
                Fault(
                    kind=FaultKind.STUCK_AXIS,
                    sensors=(SENSORS[row],),
                    sentence=f'{SENSORS[row]} repeats the same {name}.{axes} while it moves, '
                    f'expected the noise of a live sensor; switch this part on in its driver, or '
                    'replace the sensor.',
                    size=float(still[row].sum()),
                )
            )
    return faults
