# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stamp samples whose clocks are dead from when they arrive."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sspinnpose_ros.core.arrival_stamps import LONGEST_BURST_S, ArrivalStamps
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig


def stamped(arrivals: np.ndarray) -> np.ndarray:
    stamps = ArrivalStamps()
    return np.array([stamps.stamp(arrival) for arrival in arrivals.tolist()])


def in_bursts(measured: np.ndarray, every_s: float) -> np.ndarray:
    """Return when samples arrive that are sent together."""
    return np.ceil(measured / every_s - 1e-9) * every_s


@pytest.mark.parametrize('rate_hz', [25.0, 60.0, 100.0, 200.0, 1000.0])
@pytest.mark.parametrize('every_s', [0.04, 0.1, 0.2])
def test_samples_of_a_burst_are_spread_evenly(rate_hz: float, every_s: float) -> None:
    """After a second stamps are the times of measurement, but for a constant."""
    measured = 0.003 + np.arange(round(5.0 * rate_hz)) / rate_hz
    off = (stamped(in_bursts(measured, every_s)) - measured)[measured > 1.0]
    assert np.ptp(off) < 0.25 / rate_hz + 0.02 * every_s
    assert off.min() > -0.25 / rate_hz


def test_lost_samples_do_not_make_stamps_fall_behind() -> None:
    rng = np.random.default_rng(2)
    measured = np.arange(2000) / 100.0
    kept = measured[rng.uniform(size=len(measured)) > 0.05]
    off = (stamped(in_bursts(kept, 0.05)) - kept)[kept > 1.0]
    assert off.min() > -0.06
    assert np.abs(off).mean() < 0.03
    assert np.abs(np.median(off[-200:]) - np.median(off[:200])) < 0.02


def test_a_gap_begins_anew_at_the_rate_that_is_known() -> None:
    measured = np.arange(1000) / 100.0
    kept = measured[(measured < 4.0) | (measured > 6.0)]
    off = stamped(in_bursts(kept, 0.1)) - kept
    after = off[kept > 6.0 + 0.11]
    assert np.ptp(after) < 0.005


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rate_hz=st.sampled_from([25.0, 100.0, 333.0, 1000.0]),
    every_s=st.sampled_from([1e-9, 0.02, 0.15, 0.5]),
    jitter_s=st.sampled_from([0.0, 0.003, 0.03]),
    loss=st.sampled_from([0.0, 0.02, 0.4]),
)
def test_stamps_are_causal_and_in_order(
    seed: int, rate_hz: float, every_s: float, jitter_s: float, loss: float
) -> None:
    """Whatever the schedule, no stamp is after its arrival, before the last, or far behind."""
    rng = np.random.default_rng(seed)
    measured = np.arange(round(2.5 * rate_hz)) / rate_hz
    measured = measured[rng.uniform(size=len(measured)) >= loss]
    delayed = measured + jitter_s * rng.uniform(size=len(measured))
    arrivals = np.sort(in_bursts(delayed, every_s))
    stamps = stamped(arrivals)
    assert (stamps <= arrivals).all()
    assert (np.diff(stamps) >= 0.0).all()
    assert (arrivals - stamps).max() <= 2.0 * LONGEST_BURST_S


@pytest.mark.parametrize('every_s', [0.02, 0.04])
def test_bursts_of_dead_clocks_give_a_true_signal(every_s: float) -> None:
    """A swinging signal at 200 Hz in bursts comes out as it was, but for a constant delay."""
    synchronizer = Synchronizer(sensors=SENSORS, config=SynchronizerConfig(stamps_at_arrival=True))
    frames = []
    measured = np.arange(800) / 200.0
    arrivals = in_bursts(measured, every_s)
    for time, arrival in zip(measured.tolist(), arrivals.tolist(), strict=True):
        for row, sensor in enumerate(SENSORS):
            synchronizer.push(
                sensor=sensor,
                stamp_s=0.0,
                sample=np.sin(2.0 * np.pi * 2.0 * time + np.arange(6.0) + row),
                arrival_s=arrival,
            )
        frames += synchronizer.drain(now_s=arrival)
    settled = [frame for frame in frames if frame.time_s > 1.0]
    assert len(settled) > 280
    assert all(frame.present.all() for frame in settled)
    time = np.array([frame.time_s for frame in settled])
    got = np.stack([frame.imu[:, 0] for frame in settled])
    errors = [
        np.abs(got - np.sin(2.0 * np.pi * 2.0 * (time[:, None] - delay) + np.arange(7))).max()
        for delay in np.arange(-0.01, every_s, 0.001)
    ]
    assert min(errors) < 0.05


def test_a_clock_that_goes_back_begins_anew() -> None:
    arrivals = np.concatenate([np.arange(200) / 100.0, np.arange(200) / 100.0])
    stamps = stamped(arrivals)
    np.testing.assert_allclose(stamps[201:], arrivals[201:], atol=1e-6)
