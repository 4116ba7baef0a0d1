# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A minute of wear with faults: nothing is lost outside of them, and nothing grows.

The hour is `make soak`; its figures are in docs/reliability.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch', reason='torch is not installed: no wearer is simulated')

from command_line import write_model

sys.path.insert(0, str(Path(__file__).parents[1] / 'benchmarks'))

import faulty_wearer
import soak
from faulty_wearer import ALL_SENSORS, ONE_SENSOR, RECOVERY_S, Fault, draw_faults

MINUTES = 1.0


@pytest.fixture(scope='module')
def short_pauses() -> Iterator[None]:
    """Let every kind of fault come within the minute."""
    with pytest.MonkeyPatch.context() as patch:
        for kinds in ('ONE_SENSOR', 'ALL_SENSORS'):
            durations = getattr(faulty_wearer, kinds)
            short = {kind: (low, min(high, low + 0.5)) for kind, (low, high) in durations.items()}
            patch.setattr(faulty_wearer, kinds, short)
        patch.setattr(faulty_wearer, 'PAUSE_S', (0.5, 1.0))
        yield


@pytest.fixture(scope='module')
def ledger(short_pauses: None, tmp_path_factory: pytest.TempPathFactory) -> soak.Ledger:
    model = write_model(tmp_path_factory.mktemp('soak') / 'model')
    return soak.soak_pipeline(minutes=MINUTES, seed=3, model=str(model))


def test_nothing_is_lost_outside_of_faults(ledger: soak.Ledger) -> None:
    assert {fault.kind for fault in ledger.faults} == {*ONE_SENSOR, *ALL_SENSORS}
    _, outside = ledger.lost(until_s=60.0 * MINUTES - 2.0 * RECOVERY_S)
    assert not outside
    assert ledger.not_finite == 0
    assert ledger.backwards == 0


def test_one_sensor_alone_costs_no_estimate(ledger: soak.Ledger) -> None:
    """With one of seven sensors in trouble the estimate goes on with the rest."""
    lost, _ = ledger.lost(until_s=60.0 * MINUTES - 2.0 * RECOVERY_S)
    assert {kind: lost[kind] for kind in ONE_SENSOR if lost[kind]} == {}
    assert lost['all silent'], 'without any sensor there is no estimate'


def test_buffers_stay_small(ledger: soak.Ledger) -> None:
    assert ledger.minutes
    assert max(minute.held_samples for minute in ledger.minutes) < 200
    assert sum(minute.estimates for minute in ledger.minutes) == len(ledger.times_s)


def test_the_estimate_waits_no_longer_at_the_end(ledger: soak.Ledger) -> None:
    """On the clock of the wearer, which knows no speed of computers."""
    delay = np.array(ledger.delays_s)
    quarter = len(delay) // 4
    first, last = np.median(delay[:quarter]), np.median(delay[-quarter:])
    assert last < first + 0.5 * soak.PERIOD_S


def test_a_lost_estimate_is_seen() -> None:
    fault = Fault(kind='silence', sensors=('pelvis',), begin_s=20.0, end_s=21.0)
    times = np.arange(3.0, 58.0, soak.PERIOD_S)
    ledger = soak.Ledger(faults=[fault], seconds=60.0)
    for time in times:
        during = 20.5 < time < 20.65
        if not (during or 40.0 < time < 40.05):
            ledger.note(float(time), level='OK')
    lost, outside = ledger.lost(until_s=58.0)
    assert 14 <= lost['silence'] <= 16
    assert len(outside) == 1
    assert 39.9 < outside[0][0] < 40.01


def test_faults_leave_time_to_recover() -> None:
    for seed in range(20):
        faults = draw_faults(np.random.default_rng(seed), seconds=600.0)
        assert {fault.kind for fault in faults} == {*ONE_SENSOR, *ALL_SENSORS}
        for before, after in pairwise(faults):
            assert after.begin_s > before.over_s


def test_a_trend_is_a_slope() -> None:
    assert soak.trend([100.0, 3.0, 4.0, 5.0, 6.0]) == pytest.approx(60.0)
    assert abs(soak.trend([100.0, *[7.0] * 30])) < 1e-9
    assert np.isnan(soak.trend([1.0]))
