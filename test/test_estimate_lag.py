# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Estimates that are later than usual are marked, whatever clock their stamps are on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sspinnpose_ros.core.estimate_lag import CLOCK_DRIFT, EstimateLag
from sspinnpose_ros.core.estimate_status import EstimateStatus, Level

OK = EstimateStatus(Level.OK, 'estimating')
offsets = st.floats(-1e9, 1e9)


@given(offsets)
def test_a_backlog_is_marked_and_what_comes_after_it_is_not(offset_s: float) -> None:
    lag = EstimateLag(largest_s=0.5)
    # A stall of two seconds, of which the last half second waited in a queue.
    ages = [0.02] * 100 + [2.0 - 0.01 * index for index in range(50)] + [0.03] * 20
    said = [
        lag.mark(OK, time_s=0.01 * index, age_s=age_s + offset_s)
        for index, age_s in enumerate(ages)
    ]
    assert [status.level for status in said] == [Level.OK] * 100 + [Level.WARN] * 50 + [
        Level.OK
    ] * 20
    assert said[100].message.startswith('late by 2.0 s')


@given(offsets, st.floats(-0.9 * CLOCK_DRIFT, 0.9 * CLOCK_DRIFT))
def test_clocks_that_drift_apart_make_nothing_late(offset_s: float, drift: float) -> None:
    lag = EstimateLag(largest_s=0.05)
    for index in range(3000):
        time_s = 0.1 * index
        status = lag.mark(OK, time_s=time_s, age_s=offset_s + drift * time_s)
        assert status is OK


@pytest.mark.parametrize('step_s', [-3600.0, 3600.0])
def test_a_clock_that_was_set_makes_nothing_late(step_s: float) -> None:
    lag = EstimateLag(largest_s=0.5)
    lag.mark(OK, time_s=0.0, age_s=0.01)
    lag.clear()
    assert lag.mark(OK, time_s=0.01 + step_s, age_s=0.01 - step_s) is OK


def test_other_reasons_are_kept() -> None:
    lag = EstimateLag(largest_s=0.5)
    lag.mark(OK, time_s=0.0, age_s=0.01)
    stale = EstimateStatus(Level.ERROR, 'no', ('pelvis',), ('stuck pelvis',))
    said = lag.mark(stale, time_s=0.01, age_s=1.0)
    assert (said.level, said.missing, said.faults) == (Level.ERROR, ('pelvis',), ('stuck pelvis',))
    assert said.message.startswith('no; late by 1.0 s')
