"""Judge whether an estimate may be trusted, and say why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """Grade an estimate, with the numbers of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class EstimateStatus:
    """Hold the verdict on one estimate, or on there being none.

    Attributes:
        level: the grade; nothing is published beside it at ERROR and STALE.
        message: why, in words.
        missing: sensors that are worn but were absent or not trusted.

    """

    level: Level
    message: str
    missing: tuple[str, ...] = ()


def estimate_status(
    *,
    missing: Sequence[str],
    settling_s: float,
    watched: Sequence[str] = (),
    unchecked: bool = False,
    uncertain: Sequence[str] = (),
    largest_angle_sigma_deg: float = 0.0,
    impossible: Sequence[str] = (),
    unexplained: Sequence[str] = (),
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
        unexplained: sensors that lately measured something else than the estimate explains.

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
    if unexplained:
        reasons.append(f'{", ".join(unexplained)} far from what the estimate explains')
    if not reasons:
        return EstimateStatus(Level.OK, 'estimating')
    return EstimateStatus(Level.WARN, '; '.join(reasons), tuple(missing))
