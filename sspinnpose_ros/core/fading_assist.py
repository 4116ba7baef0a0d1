# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Assist with a part of an effort, and let go smoothly when it cannot be trusted any more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sspinnpose_ros.core.errors import DeviceError

NOTHING_LEFT = 1e-9
"""Shares of the full assistance below this are rounding, not assistance."""


@dataclass(frozen=True)
class FadingAssistConfig:
    """Hold the law of an assistance.

    Attributes:
        gain: torque per effort [1].
        limit_nm: largest torque at a joint, either way, N m.
        slope_nm_s: fastest change of a torque, N m/s.
        timeout_s: how long an OK and an effort are believed, s.
        fade_s: longest time from the last moment of both to a torque of zero; the time-out is
            part of it, s.
        return_s: time in which the full assistance comes back, s.
        longest_step_s: a longer time between two steps counts as this while the torque rises, s.

    """

    gain: float = 0.1
    limit_nm: float = 10.0
    slope_nm_s: float = 100.0
    timeout_s: float = 0.1
    fade_s: float = 0.3
    return_s: float = 1.0
    longest_step_s: float = 0.02

    def __post_init__(self) -> None:
        """Refuse a law that cannot be kept.

        Raises:
            DeviceError: for values that contradict each other.

        """
        for name, value in vars(self).items():
            if not math.isfinite(value) or value < 0.0 or (value == 0.0 and name != 'gain'):
                least = 'of zero or more' if name == 'gain' else 'above zero'
                raise DeviceError(f'{name} is {value:g}, expected a number {least}; correct it.')
        if self.timeout_s >= self.fade_s:
            raise DeviceError(
                f'timeout_s is {self.timeout_s:g} and fade_s {self.fade_s:g}, expected less time '
                'to notice a silence than to be at zero; lower timeout_s or raise fade_s.'
            )
        if self.slope_nm_s < self.limit_nm / self.span_s:
            raise DeviceError(
                f'slope_nm_s is {self.slope_nm_s:g}, expected at least {self.limit_nm:g} N m in '
                f'{self.span_s:g} s, {self.limit_nm / self.span_s:.3g}, to be at zero in time; '
                'raise slope_nm_s or fade_s, or lower limit_nm or timeout_s.'
            )

    @property
    def span_s(self) -> float:
        """Time in which the full torque fades, s."""
        return self.fade_s - self.timeout_s


@dataclass(frozen=True)
class FadingAssistState:
    """Hold all that an assistance remembers.

    Attributes:
        torque_nm: (J,) commanded, N m.
        share: of the full assistance that is allowed now, 0 to 1.
        time_s: of the last step; None before the first, s.
        ok_s: when the status last said OK; minus infinity where it never did or took it back, s.
        effort_s: when the effort was measured, likewise, s.
        effort_nm: (J,) last trusted, N m.

    """

    torque_nm: np.ndarray
    share: float
    time_s: float | None
    ok_s: float
    effort_s: float
    effort_nm: np.ndarray


class FadingAssist:
    """Follow an effort within limits while it is trusted; else take the torque to zero.

    It is trusted while the status said OK and an effort was measured no longer than `timeout_s`
    ago. Then the torque is `gain` times the effort, within `limit_nm`, and never changes faster
    than `slope_nm_s`. Otherwise it shrinks to zero in a straight line, at the latest `fade_s`
    after the last moment of trust; and comes back over `return_s`. Times are those of a clock that
    does not jump; if it goes back, all that was heard is forgotten.
    """

    def __init__(self, *, config: FadingAssistConfig, joints: Sequence[str]) -> None:
        """Prepare to assist some joints."""
        self.config = config
        self.joints = tuple(joints)

    def initial_state(self) -> FadingAssistState:
        """Return a state without torque in which nothing was heard."""
        zero = np.zeros(len(self.joints))
        return FadingAssistState(
            torque_nm=zero,
            share=0.0,
            time_s=None,
            ok_s=-math.inf,
            effort_s=-math.inf,
            effort_nm=zero,
        )

    def hear_status(
        self, state: FadingAssistState, *, time_s: float, ok: bool
    ) -> FadingAssistState:
        """Take a status.

        Args:
            state: before.
            time_s: of hearing, s.
            ok: whether it says OK; anything else takes the trust away at once.

        """
        return replace(state, ok_s=time_s if ok else -math.inf)

    def hear_effort(
        self, state: FadingAssistState, *, time_s: float, age_s: float, effort_nm: np.ndarray
    ) -> FadingAssistState:
        """Take an effort.

        Args:
            state: before.
            time_s: of hearing, s.
            age_s: time since it was measured, on the clock of its stamp; clocks may differ by the
                time-out, s.
            effort_nm: (J,), N m; not finite takes the trust away at once.

        """
        if not np.isfinite(effort_nm).all() or not age_s >= -self.config.timeout_s:
            return replace(state, effort_s=-math.inf)
        return replace(
            state,
            effort_s=time_s - max(age_s, 0.0),
            effort_nm=np.asarray(effort_nm, dtype=np.float64),
        )

    def trusts(self, state: FadingAssistState, *, time_s: float) -> bool:
        """Return whether status and effort are both fresh."""
        ages = (time_s - state.ok_s, time_s - state.effort_s)
        return all(0.0 <= age <= self.config.timeout_s for age in ages)

    def step(self, state: FadingAssistState, *, time_s: float) -> FadingAssistState:
        """Return the state with the torque to command now.

        Args:
            state: before.
            time_s: now, s.

        """
        config = self.config
        since_s = 0.0 if state.time_s is None else time_s - state.time_s
        if not since_s >= 0.0:
            kept = time_s if math.isfinite(time_s) else state.time_s
            return replace(state, time_s=kept, ok_s=-math.inf, effort_s=-math.inf)
        if not self.trusts(state, time_s=time_s):
            share = state.share - since_s / config.span_s
            share = share if share > NOTHING_LEFT else 0.0
            left = share / state.share if state.share > 0.0 else 0.0
            return replace(state, time_s=time_s, share=share, torque_nm=left * state.torque_nm)
        since_s = min(since_s, config.longest_step_s)
        share = min(1.0, state.share + since_s / config.return_s)
        wanted = np.clip(config.gain * state.effort_nm, -config.limit_nm, config.limit_nm) * share
        most = config.slope_nm_s * since_s
        change = np.clip(wanted - state.torque_nm, -most, most)
        return replace(state, time_s=time_s, share=share, torque_nm=state.torque_nm + change)
