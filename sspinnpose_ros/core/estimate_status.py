# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Judge whether an estimate may be trusted, and say why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sspinnpose_ros.core.fault import Fault
from sspinnpose_ros.core.level import Level

__all__ = ['EstimateStatus', 'Level', 'estimate_status']


@dataclass(frozen=True)
class EstimateStatus:
    """Hold the verdict on one estimate, or on there being none.

    Attributes:
        level: the grade; nothing is published beside it at ERROR and STALE.
        message: why, in words.
        missing: sensors that are worn but were absent or not trusted.
        faults: names of the faults found, each with its sensors.

    """

    level: Level
    message: str
    missing: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def estimate_status(
    *,
    missing: Sequence[str],
    settling_s: float,
    watched: Sequence[str] = (),
    unchecked: bool = False,
    uncertain: Sequence[str] = (),
    largest_angle_sigma_deg: float = 0.0,
    impossible: Sequence[str] = (),
    faults: Sequence[Fault] = (),
) -> EstimateStatus:
    """Grade an estimate that there is.

    Args:
        missing: sensors that are worn but were absent, not trusted or have no mounting.
        settling_s: time the estimator still needs after a start, s; not positive once settled.
        watched: those of them that are back, but have to prove themselves first.
        unchecked: whether nobody has yet looked at units and gravity of the signals.
        uncertain: joints whose angle has a larger sigma than it may.
        largest_angle_sigma_deg: that limit, degrees.
        impossible: joints whose angle lately was one that no person can take.
        faults: of the sensors, none of which makes the estimate wrong altogether.

    Returns:
        OK, or WARN with every reason.

    """
    reasons = []
    if missing:
        reasons.append(f'estimated without {", ".join(missing)}')
    if watched:
        reasons.append(f'{", ".join(watched)} back, but not yet steady and in agreement')
    if settling_s > 0.0:
        reasons.append(f'settling for another {settling_s:.1f} s')
    if unchecked:
        reasons.append('signals not checked yet')
    if uncertain:
        reasons.append(
            f'{", ".join(uncertain)} uncertain by more than {largest_angle_sigma_deg:g} deg '
            '(one sigma)'
        )
    if impossible:
        reasons.append(f'{", ".join(impossible)} at an impossible angle')
    reasons += [fault.sentence.rstrip('.') for fault in faults]
    if not reasons:
        return EstimateStatus(Level.OK, 'estimating')
    labels = tuple(fault.label for fault in faults)
    return EstimateStatus(Level.WARN, '; '.join(reasons), tuple(missing), labels)
