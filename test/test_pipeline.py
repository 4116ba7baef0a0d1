# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follow the estimator's state through resets, gaps and missing sensors."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimate_status import Level
from sspinnpose_ros.core.fault import Fault, FaultKind
from sspinnpose_ros.core.fault_watch import FaultWatch
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.pipeline import Outcome, Pipeline, PipelineConfig
from sspinnpose_ros.core.recent_frames import RecentFrames
from sspinnpose_ros.core.recent_residual import RecentResidual
from sspinnpose_ros.core.recent_values import RecentValues
from sspinnpose_ros.core.stream_timing import StreamTimer
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig


class Counter:
    """An estimator whose pelvis moves a metre a step and which fails on demand."""

    rate_hz = 100.0

    def __init__(self) -> None:
        self.mounted = np.ones(7, dtype=bool)
        self.angles_rad = np.zeros(6)
        self.all_settled = True
        self.residual = np.zeros((7, 3))

    def initial_state(self) -> int:
        return 0

    def settled(self, state: int) -> np.ndarray:
        return np.full(7, self.all_settled)

    def step(
        self, state: int, frame: Frame, *, used: np.ndarray | None = None
    ) -> tuple[int, Estimate]:
        zeros = np.zeros((2, 2))
        estimate = Estimate(
            time_s=frame.time_s,
            q=np.array([float(state), 0.9, 0.0, *self.angles_rad]),
            qd=np.zeros(9),
            qdd=np.zeros(9),
            effort=np.zeros(6),
            contact_force=np.zeros((2, 2, 2)),
            ground_force=zeros,
            cop_forward=np.full(2, np.nan),
            sole_wrench=np.zeros((2, 3)),
            pelvis_residual=np.zeros(3),
            virtual_imu=np.zeros((7, 3)),
            residual=self.residual.copy(),
            present=frame.present if used is None else frame.present & used,
        )
        if frame.imu[0, 0] == 666.0:
            estimate = dataclasses.replace(estimate, effort=np.full(6, np.nan))
        return state + 1, estimate


def run(
    pipeline: Pipeline,
    *,
    begin: int = 0,
    end: int = 20,
    sensors: tuple[str, ...] = SENSORS,
    force: float = 1.0,
) -> list[Outcome]:
    outcomes = []
    for index in range(begin, end):
        for sensor in sensors:
            sample = np.full(6, force + 1e-3 * index * (force != 666.0))
            sample[5] = index
            pipeline.push(
                sensor=sensor, stamp_s=0.01 * index, sample=sample, arrival_s=0.01 * index
            )
            outcomes += pipeline.drain(now_s=0.01 * index)
    return outcomes


@pytest.fixture(autouse=True)
def _nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up samples of this file are no signals of sensors; test_faults has real ones."""
    monkeypatch.setattr(FaultWatch, 'note', lambda self, frame, *, estimator: None)


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Counter(),  # type: ignore[arg-type]
        config=PipelineConfig(settle_s=0.1),
    )


def steps(outcomes: list[Outcome]) -> list[float]:
    return [float('nan') if o.estimate is None else o.estimate.q[0] for o in outcomes]


def test_state_is_carried_from_frame_to_frame(pipeline: Pipeline) -> None:
    outcomes = run(pipeline)
    assert steps(outcomes) == list(range(20))
    assert [o.status.level for o in outcomes] == [Level.WARN] * 9 + [Level.OK] * 11
    assert 'settling' in outcomes[0].status.message


def test_an_impossible_angle_marks_the_next_second(pipeline: Pipeline) -> None:
    assert run(pipeline)[-1].status.level == Level.OK
    counter: Any = pipeline.estimator
    counter.angles_rad[1] = np.deg2rad(-40.0)
    (outcome,) = run(pipeline, begin=20, end=21)
    assert outcome.status.level == Level.WARN
    assert outcome.status.message == 'knee_angle_r at an impossible angle'
    counter.angles_rad[1] = 0.0
    levels = [o.status.level for o in run(pipeline, begin=21, end=130)]
    assert levels == [Level.WARN] * 100 + [Level.OK] * 9


def test_what_no_estimate_explains_is_marked(pipeline: Pipeline) -> None:
    assert run(pipeline)[-1].status.level == Level.OK
    counter: Any = pipeline.estimator
    counter.residual[:] = 40.0
    outcomes = run(pipeline, begin=20, end=120)
    assert outcomes[-1].status.level == Level.WARN
    assert 'far from what the estimate explains' in outcomes[-1].status.message


def test_a_reset_starts_afresh(pipeline: Pipeline) -> None:
    run(pipeline)
    pipeline.reset()
    assert steps(run(pipeline, begin=20, end=25)) == [0, 1, 2, 3, 4]


def test_a_gap_in_the_stamps_starts_afresh(pipeline: Pipeline) -> None:
    run(pipeline)
    outcomes = run(pipeline, begin=400, end=410)
    assert pipeline.synchronizer.statistics.resets == 1
    assert steps(outcomes) == list(range(10))


def test_without_calibration_there_is_an_error_and_no_estimate() -> None:
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()), estimator=None
    )
    outcomes = run(pipeline)
    assert len(outcomes) == 20
    assert all(o.estimate is None and o.status.level == Level.ERROR for o in outcomes)
    pipeline.estimator = Counter()  # type: ignore[assignment]
    assert steps(run(pipeline, begin=20, end=22)) == [0, 1]


def test_missing_sensors_are_named(pipeline: Pipeline) -> None:
    outcomes = run(pipeline, end=60, sensors=SENSORS[:-2])
    assert outcomes[-1].status.level == Level.WARN
    assert outcomes[-1].status.missing == SENSORS[-2:]
    assert outcomes[-1].estimate is not None


def test_sensors_that_are_not_worn_are_not_missed() -> None:
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS[:4], config=SynchronizerConfig()),
        estimator=Counter(),  # type: ignore[arg-type]
        config=PipelineConfig(settle_s=0.0),
    )
    outcomes = run(pipeline, sensors=SENSORS[:4])
    assert {o.status.level for o in outcomes} == {Level.OK}


def test_too_few_sensors_stop_the_estimates(pipeline: Pipeline) -> None:
    run(pipeline)
    outcomes = run(pipeline, begin=20, end=60, sensors=SENSORS[:2])
    assert outcomes[-1].estimate is None
    assert outcomes[-1].status.level == Level.STALE
    back = run(pipeline, begin=60, end=80)
    assert steps(back)[-1] < 25


def test_a_sensor_that_was_silent_is_watched_before_it_is_used() -> None:
    """It comes back steady for the set time, settled and in agreement, and never before."""
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=(counter := Counter()),  # type: ignore[arg-type]
        config=PipelineConfig(settle_s=0.1, rejoin_s=0.5),
    )
    gone = SENSORS[6]
    run(pipeline)
    away = run(pipeline, begin=20, end=100, sensors=SENSORS[:6])
    assert all(o.estimate is not None for o in away)
    back = run(pipeline, begin=100, end=200)
    used = [o.status.missing == () for o in back]
    assert used == sorted(used)
    first = back[used.index(True)].frame.time_s
    assert first == pytest.approx(1.0 + 0.5, abs=0.011)
    watched = back[used.index(True) - 1].status
    assert watched.level == Level.WARN
    assert watched.missing == (gone,)
    assert f'{gone} back, but not yet' in watched.message
    assert steps(back) == list(range(int(steps(back)[0]), int(steps(back)[0]) + len(back)))

    run(pipeline, begin=200, end=300, sensors=SENSORS[:6])
    counter.all_settled = False
    assert run(pipeline, begin=300, end=400)[-1].status.missing == (gone,)
    counter.all_settled = True
    assert run(pipeline, begin=400, end=410)[-1].status.missing == ()

    run(pipeline, begin=410, end=500, sensors=SENSORS[:6])
    counter.residual[6] = [4.0, 3.0, 0.0]
    assert run(pipeline, begin=500, end=700)[-1].status.missing == (gone,)
    counter.residual[6] = [1.0, 1.0, 0.0]
    assert run(pipeline, begin=700, end=900)[-1].status.missing == ()


def test_a_short_loss_costs_a_sensor_no_more_than_that(pipeline: Pipeline) -> None:
    run(pipeline)
    run(pipeline, begin=20, end=36, sensors=SENSORS[:6])
    outcomes = run(pipeline, begin=36, end=50)
    assert outcomes[-1].status.level == Level.OK


OUTAGES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 290), st.integers(1, 120)), max_size=12
)


@settings(max_examples=25, deadline=None)
@given(outages=OUTAGES, seed=st.integers(0, 2**32 - 1))
def test_any_outages_give_finite_estimates_or_none(
    outages: list[tuple[int, int, int]], seed: int
) -> None:
    """Estimates are new and finite, never without enough sensors, never of one just back."""
    config = PipelineConfig(settle_s=0.1, rejoin_s=0.3)
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Counter(),  # type: ignore[arg-type]
        config=config,
    )
    heard = np.ones((300, 7), dtype=bool)
    for row, begin, length in outages:
        heard[begin : begin + length, row] = False
    samples = np.random.default_rng(seed).normal(size=(300, 7, 6))
    outcomes = []
    for k in range(300):
        for row in np.flatnonzero(heard[k]):
            pipeline.push(
                sensor=SENSORS[row], stamp_s=0.01 * k, sample=samples[k, row], arrival_s=0.01 * k
            )
        outcomes += pipeline.drain(now_s=0.01 * k)
    times = [outcome.frame.time_s for outcome in outcomes]
    assert (np.diff(times) > 0.0).all()
    absent, there = np.zeros(7, int), np.zeros(7, int)
    out = np.zeros(7, dtype=bool)
    for outcome in outcomes:
        estimate, present = outcome.estimate, outcome.frame.present
        absent = np.where(present, 0, absent + 1)
        there = np.where(present, there + 1, 0)
        out = (out | (absent > 20)) & ~(there > 30)
        if estimate is None:
            assert outcome.status.level == Level.STALE
            # The estimator starts afresh, and so does the count of who was away.
            out[:], absent[:], there[:] = False, 0, 0
            continue
        assert estimate.time_s == outcome.frame.time_s
        assert estimate.present.sum() >= config.min_sensors
        assert not (estimate.present & ~present).any()
        if estimate.q[0] * 0.01 < config.settle_s:
            out[present] = False
        assert np.array_equal(estimate.present, present & ~out)
        assert set(outcome.status.missing) == {
            name for name, used in zip(SENSORS, estimate.present, strict=True) if not used
        }


def test_what_is_not_finite_never_leaves(pipeline: Pipeline) -> None:
    run(pipeline)
    outcomes = run(pipeline, begin=20, end=22, force=666.0)
    assert all(o.estimate is None and o.status.level == Level.ERROR for o in outcomes)
    assert steps(run(pipeline, begin=22, end=24)) == [0, 1]


def test_nothing_is_estimated_from_impossible_signals(pipeline: Pipeline) -> None:
    run(pipeline)
    pipeline.watch.faults = (
        Fault(FaultKind.UNIT_DEG_S, ('foot_r',), 'foot_r turns too fast.'),
        Fault(FaultKind.SATURATED, ('foot_l',), 'foot_l stops.'),
    )
    (outcome,) = run(pipeline, begin=20, end=21)
    assert outcome.estimate is None
    assert outcome.status.level == Level.ERROR
    assert outcome.status.message == 'foot_r turns too fast.'
    pipeline.watch.faults = pipeline.watch.faults[1:]
    (outcome,) = run(pipeline, begin=21, end=22)
    assert outcome.status.level == Level.WARN
    assert outcome.status.faults == ('saturated foot_l',)
    assert 'foot_l stops' in outcome.status.message
    pipeline.reset()
    assert steps(run(pipeline, begin=22, end=24)) == [0, 1]


def frame(time_s: float, missing: int | None = None) -> Frame:
    present = np.arange(7) != (-1 if missing is None else missing)
    return Frame(time_s=time_s, imu=np.full((7, 6), time_s), present=present)


def test_recent_frames_give_the_longest_complete_stretch() -> None:
    recent = RecentFrames(capacity=50)
    assert len(recent.longest_complete(SENSORS).time_s) == 0
    for index in range(100):
        recent.append(frame(0.01 * index, missing=3 if index in (60, 90) else None))
    assert len(recent) == 50
    np.testing.assert_allclose(recent.last(3).time_s, [0.97, 0.98, 0.99])
    chosen = recent.longest_complete(SENSORS)
    np.testing.assert_allclose(chosen.time_s[[0, -1]], [0.61, 0.89])
    assert chosen.acceleration.shape == (29, 7, 3)
    assert len(recent.longest_complete(('pelvis', 'foot_l')).time_s) == 50
    chosen = recent.longest_complete(SENSORS, newest=20)
    np.testing.assert_allclose(chosen.time_s[[0, -1]], [0.8, 0.89])


@pytest.mark.parametrize('jump_s', [5.0, -5.0, -0.4, 0.02])
def test_a_jump_in_time_ends_a_stretch(jump_s: float) -> None:
    recent = RecentFrames(capacity=100)
    for index in range(60):
        recent.append(frame(0.01 * index + (jump_s if index >= 40 else 0.0)))
    np.testing.assert_allclose(recent.longest_complete(SENSORS).time_s[[0, -1]], [0.0, 0.39])


def test_recent_values_keep_the_newest() -> None:
    values = RecentValues(capacity=10)
    assert np.isnan(values.percentiles(50.0)).all()
    for value in range(25):
        values.append(float(value))
    assert values.percentiles(0.0, 100.0) == (15.0, 24.0)


def test_timing_of_a_stream() -> None:
    timer = StreamTimer()
    assert not timer.heard
    assert timer.read(now_s=0.0).age_s == float('inf')
    for index in range(100):
        stamp_s = 0.01 * index + 0.001 * (index % 2)
        timer.note(stamp_s=stamp_s - 5.0, arrival_s=stamp_s)
    timing = timer.read(now_s=1.0)
    assert timing.rate_hz == pytest.approx(100.0)
    assert timing.jitter_s == pytest.approx(0.002)
    assert timing.age_s == pytest.approx(5.009)
    assert timing.silent_s == pytest.approx(0.009)


def test_residuals_forget() -> None:
    recent = RecentResidual(rate_hz=100.0, memory_s=0.1)
    residual = np.zeros((7, 3))
    residual[0] = [3.0, 4.0, 1.0]
    residual[1] = np.nan
    recent.append(residual)
    np.testing.assert_allclose(recent.root_mean_square()[0], [5.0, 1.0])
    assert np.isnan(recent.root_mean_square()[1]).all()
    for _ in range(300):
        recent.append(np.zeros((7, 3)))
    assert recent.root_mean_square().max() < 1e-3


def test_residuals_of_an_absent_sensor_are_forgotten() -> None:
    recent = RecentResidual(rate_hz=100.0, memory_s=0.1)
    residual = np.ones((7, 3))
    recent.append(residual)
    residual[2] = np.nan
    for _ in range(10):
        recent.append(residual)
    assert np.isfinite(recent.root_mean_square()).all(), 'a short loss costs nothing'
    recent.append(residual)
    assert np.isnan(recent.root_mean_square()).any(-1).tolist() == [row == 2 for row in range(7)]
    recent.append(2.0 * np.ones((7, 3)))
    np.testing.assert_allclose(recent.root_mean_square()[2], [np.sqrt(8.0), 2.0])


def test_a_sensor_that_left_is_not_held_against_the_estimate(pipeline: Pipeline) -> None:
    counter: Any = pipeline.estimator
    counter.residual[3] = 1000.0
    assert run(pipeline, end=120)[-1].status.faults == ('unexplained foot_r',)
    counter.residual[3] = np.nan
    without = tuple(sensor for sensor in SENSORS if sensor != 'foot_r')
    assert not run(pipeline, begin=120, end=240, sensors=without)[-1].status.faults


def test_one_peak_at_the_start_is_no_residual(pipeline: Pipeline) -> None:
    counter: Any = pipeline.estimator
    counter.residual[6] = 60.0
    outcomes = run(pipeline, end=1)
    counter.residual[6] = 1.0
    outcomes += run(pipeline, begin=1, end=150)
    assert len(outcomes) == 150
    assert not any(outcome.status.faults for outcome in outcomes)


def test_a_worn_sensor_without_mounting_is_reported_missing(pipeline: Pipeline) -> None:
    pipeline.estimator.mounted = np.array([name != 'pelvis' for name in SENSORS])
    outcomes = run(pipeline)
    assert outcomes
    assert all(outcome.status.missing == ('pelvis',) for outcome in outcomes)
    assert outcomes[-1].status.level == Level.WARN


def test_estimates_are_marked_until_their_signals_were_checked(pipeline: Pipeline) -> None:
    pipeline.unchecked = True
    status = run(pipeline)[-1].status
    assert status.level == Level.WARN
    assert 'not checked' in status.message
    pipeline.unchecked = False
    assert run(pipeline, begin=20, end=40)[-1].status.level == Level.OK
