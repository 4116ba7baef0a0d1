# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An assistance keeps its limits whatever it hears, and is gone in time when it hears nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sspinnpose_ros.core.errors import DeviceError
from sspinnpose_ros.core.fading_assist import (
    FadingAssist,
    FadingAssistConfig,
    FadingAssistState,
)

JOINTS = ('hip_flexion_r', 'hip_flexion_l')
PERIOD_S = 0.01
ROUNDING_NM = 1e-6


@dataclass(frozen=True)
class Event:
    """What happens before a step: how much time passes, what the status and the effort say."""

    passes_s: float
    status: bool | None
    effort: tuple[float, float] | None
    age_s: float


@st.composite
def configs(draw: Any) -> FadingAssistConfig:
    timeout_s = draw(st.floats(0.03, 0.3))
    span_s = draw(st.floats(0.02, 1.0))
    limit_nm = draw(st.floats(0.5, 50.0))
    return FadingAssistConfig(
        gain=draw(st.floats(0.0, 1.0)),
        limit_nm=limit_nm,
        slope_nm_s=limit_nm / span_s * draw(st.floats(1.001, 20.0)),
        timeout_s=timeout_s,
        fade_s=timeout_s + span_s,
        return_s=draw(st.floats(0.01, 3.0)),
    )


efforts = st.one_of(
    st.floats(-200.0, 200.0), st.sampled_from([math.nan, math.inf, -math.inf, 1e300, 0.0])
)
events = st.builds(
    Event,
    passes_s=st.one_of(st.just(PERIOD_S), st.floats(0.0, 0.5)),
    status=st.sampled_from([None, True, True, True, False]),
    effort=st.one_of(st.none(), st.tuples(efforts, efforts)),
    age_s=st.one_of(st.just(0.01), st.floats(-1.0, 1.0), st.just(math.nan)),
)
jumps = st.floats(-1e4, 0.0)


def after(
    assist: FadingAssist, state: FadingAssistState, event: Event, time_s: float
) -> FadingAssistState:
    """Return the state when an event was heard and a step taken."""
    if event.effort is not None:
        effort = np.array(event.effort)
        state = assist.hear_effort(state, time_s=time_s, age_s=event.age_s, effort_nm=effort)
    if event.status is not None:
        state = assist.hear_status(state, time_s=time_s, ok=event.status)
    return assist.step(state, time_s=time_s)


def trusting(
    assist: FadingAssist, *, seconds: float, effort: tuple[float, float]
) -> tuple[FadingAssistState, float]:
    """Return the state after all was well for a while, and the time then."""
    state, time_s = assist.initial_state(), 100.0
    fine = Event(PERIOD_S, True, effort, 0.01)
    for _ in range(round(seconds / PERIOD_S)):
        time_s += PERIOD_S
        state = after(assist, state, fine, time_s)
    return state, time_s


@given(configs(), st.lists(events, max_size=40))
@settings(max_examples=60)
def test_limits_hold_whatever_is_heard(config: FadingAssistConfig, heard: list[Event]) -> None:
    assist = FadingAssist(config=config, joints=JOINTS)
    state, time_s = assist.initial_state(), 0.0
    for event in heard:
        before, time_s = state.torque_nm, time_s + event.passes_s
        state = after(assist, state, event, time_s)
        assert np.isfinite(state.torque_nm).all()
        assert 0.0 <= state.share <= 1.0
        assert np.abs(state.torque_nm).max() <= config.limit_nm * state.share + ROUNDING_NM
        most = config.slope_nm_s * event.passes_s
        assert np.abs(state.torque_nm - before).max() <= most + ROUNDING_NM


@given(configs(), st.lists(events, max_size=20), st.sampled_from(['silent', 'told', 'no effort']))
@settings(max_examples=60)
def test_the_torque_is_gone_in_time(
    config: FadingAssistConfig, heard: list[Event], how: str
) -> None:
    assist = FadingAssist(config=config, joints=JOINTS)
    state, time_s = trusting(assist, seconds=0.3, effort=(60.0, -30.0))
    for event in heard:
        time_s += event.passes_s
        state = after(assist, state, event, time_s)
    last_ok_s = time_s
    state = after(assist, state, Event(0.0, True, (80.0, -80.0), 0.0), last_ok_s)
    while time_s < last_ok_s + config.fade_s:
        time_s += PERIOD_S
        if how == 'told':
            state = assist.hear_status(state, time_s=time_s, ok=False)
        elif how == 'no effort':
            state = assist.hear_status(state, time_s=time_s, ok=True)
        state = assist.step(state, time_s=time_s)
    assert not state.torque_nm.any()


@given(configs(), st.lists(events, max_size=20), st.lists(jumps, min_size=1, max_size=5))
@settings(max_examples=40)
def test_a_clock_that_goes_back_takes_the_trust_away(
    config: FadingAssistConfig, heard: list[Event], back: list[float]
) -> None:
    assist = FadingAssist(config=config, joints=JOINTS)
    state, time_s = trusting(assist, seconds=0.2, effort=(60.0, -30.0))
    for event in heard:
        time_s += event.passes_s
        state = after(assist, state, event, time_s)
    for jump in back:
        before, time_s = state.torque_nm, time_s + jump - 1e-3
        state = assist.step(state, time_s=time_s)
        assert not assist.trusts(state, time_s=time_s)
        np.testing.assert_array_equal(state.torque_nm, before)
    end = time_s + config.fade_s
    while time_s < end:
        time_s += PERIOD_S
        state = assist.step(state, time_s=time_s)
    assert not state.torque_nm.any()


@given(configs(), st.floats(-300.0, 300.0), st.floats(-300.0, 300.0))
@settings(max_examples=30)
def test_it_does_assist_while_all_is_well(
    config: FadingAssistConfig, right: float, left: float
) -> None:
    assist = FadingAssist(config=config, joints=JOINTS)
    seconds = config.return_s + 2.0 * config.limit_nm / config.slope_nm_s + 0.1
    state, time_s = trusting(assist, seconds=seconds, effort=(right, left))
    assert assist.trusts(state, time_s=time_s)
    wanted = np.clip(config.gain * np.array([right, left]), -config.limit_nm, config.limit_nm)
    np.testing.assert_allclose(state.torque_nm, wanted, atol=1e-6)


def test_the_fade_is_a_straight_line() -> None:
    config = FadingAssistConfig(gain=0.2, limit_nm=10.0, fade_s=0.3, timeout_s=0.1)
    assist = FadingAssist(config=config, joints=JOINTS)
    state, begin = trusting(assist, seconds=3.0, effort=(40.0, -20.0))
    np.testing.assert_allclose(state.torque_nm, [8.0, -4.0])
    state = assist.hear_status(state, time_s=begin, ok=False)
    for fraction in (0.25, 0.5, 0.75):
        state = assist.step(state, time_s=begin + fraction * config.span_s)
        np.testing.assert_allclose(state.torque_nm, np.array([8.0, -4.0]) * (1.0 - fraction))


@pytest.mark.parametrize('age_s', [0.5, -0.5, math.nan, math.inf])
def test_an_effort_of_another_time_is_not_followed(age_s: float) -> None:
    assist = FadingAssist(config=FadingAssistConfig(), joints=JOINTS)
    state = assist.hear_status(assist.initial_state(), time_s=1.0, ok=True)
    state = assist.hear_effort(state, time_s=1.0, age_s=age_s, effort_nm=np.array([5.0, 5.0]))
    assert not assist.trusts(state, time_s=1.0)


def test_a_process_that_was_held_up_does_not_jump() -> None:
    config = FadingAssistConfig(gain=0.5, return_s=0.01)
    assist = FadingAssist(config=config, joints=JOINTS)
    state, time_s = trusting(assist, seconds=1.0, effort=(0.0, 0.0))
    state = after(assist, state, Event(2.0, True, (100.0, -100.0), 0.0), time_s + 2.0)
    assert 0.0 < state.torque_nm[0] <= config.slope_nm_s * config.longest_step_s + ROUNDING_NM


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'timeout_s': 0.3}, ('timeout_s is 0.3', 'fade_s 0.3', 'lower timeout_s')),
        ({'limit_nm': 40.0}, ('slope_nm_s is 100', '200', 'raise slope_nm_s')),
        ({'gain': math.nan}, ('gain is nan',)),
        ({'limit_nm': 0.0}, ('limit_nm is 0',)),
        ({'return_s': -1.0}, ('return_s is -1',)),
    ],
    ids=str,
)
def test_a_law_that_cannot_be_kept_is_refused(
    change: dict[str, float], words: tuple[str, ...]
) -> None:
    with pytest.raises(DeviceError, match='expected') as caught:
        FadingAssistConfig(**change)
    assert all(word in str(caught.value) for word in words)
