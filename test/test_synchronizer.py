# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Feed made-up schedules of samples to the synchronizer."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.synchronizer import (
    MAX_BUFFERED,
    Synchronizer,
    SynchronizerConfig,
)

EPOCH = 1_700_000_000.0
PERIOD = 0.01


def signal(time_s: float, row: int) -> np.ndarray:
    """Return a sample (6,) that is linear in time, so that interpolation is exact."""
    return (time_s - EPOCH) * np.arange(1.0, 7.0) + row


def feed(synchronizer: Synchronizer, schedule: list[tuple[float, str, float]]) -> list[Frame]:
    """Push (arrival, sensor, stamp) in order, drain after each, flush at the end."""
    frames = []
    for arrival, sensor, stamp in schedule:
        synchronizer.push(
            sensor=sensor,
            stamp_s=stamp,
            sample=signal(stamp, SENSORS.index(sensor)),
            arrival_s=arrival,
        )
        frames += synchronizer.drain(now_s=arrival)
    return frames + synchronizer.flush()


def synchronous(
    number: int, *, rate_hz: float = 100.0, start: float = EPOCH
) -> list[tuple[float, str, float]]:
    """Schedule `number` samples of every sensor at once."""
    return [
        (start + k / rate_hz, sensor, start + k / rate_hz)
        for k in range(number)
        for sensor in SENSORS
    ]


def make(**config: float) -> Synchronizer:
    """Make a synchronizer of all sensors."""
    return Synchronizer(sensors=SENSORS, config=SynchronizerConfig(**config))


def test_synchronous_input_passes_through_unchanged() -> None:
    """Every sample comes out once, bit for bit, at its own stamp."""
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(200, len(SENSORS), 6))
    synchronizer = make()
    frames = []
    for k, instant in enumerate(samples):
        stamp = EPOCH + k * PERIOD + rng.uniform(-4e-6, 4e-6)
        for sensor, sample in zip(SENSORS, instant, strict=True):
            synchronizer.push(sensor=sensor, stamp_s=stamp, sample=sample, arrival_s=stamp)
        frames += synchronizer.drain(now_s=stamp)
        assert len(frames) == k + 1
    assert np.array_equal(np.stack([frame.imu for frame in frames]), samples)
    assert all(frame.present.all() for frame in frames)
    assert synchronizer.statistics.incomplete_frames == 0


@pytest.mark.parametrize('rate_hz', [25.0, 37.0, 60.0, 99.7, 150.0, 333.0, 1000.0])
def test_other_rates_are_interpolated(rate_hz: float) -> None:
    """A signal linear in time is reproduced on the grid at any input rate."""
    synchronizer = make()
    frames = feed(synchronizer, synchronous(int(3 * rate_hz), rate_hz=rate_hz))
    assert len(frames) >= 295 - 100 / rate_hz
    for frame in frames:
        assert frame.present.all()
        for row in range(len(SENSORS)):
            np.testing.assert_allclose(frame.imu[row], signal(frame.time_s, row), atol=3e-3)


def swung(
    rate_hz: float, frequency_hz: float, *, seconds: float = 3.0, **config: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return times (T,) and what comes of sin(2 pi f t) sampled by all sensors, (T,)."""
    synchronizer = make(**config)
    frames = []
    for k in range(round(seconds * rate_hz)):
        time = k / rate_hz
        for row, sensor in enumerate(SENSORS):
            sample = math.sin(2.0 * math.pi * frequency_hz * time) + np.arange(6.0) + row
            synchronizer.push(sensor=sensor, stamp_s=time, sample=sample, arrival_s=time)
            frames += synchronizer.drain(now_s=time)
    assert all(frame.present.all() for frame in frames)
    settled = [frame for frame in frames if frame.time_s > 0.5]
    return np.array([f.time_s for f in settled]), np.array([f.imu[0, 0] for f in settled])


@pytest.mark.parametrize('rate_hz', [200.0, 400.0, 1000.0])
@pytest.mark.parametrize('frequency_hz', [90.0, 98.0, 110.0])
def test_fast_vibration_is_averaged_out(rate_hz: float, frequency_hz: float) -> None:
    """What the grid cannot hold becomes small instead of a slow movement that never was."""
    _, averaged = swung(rate_hz, frequency_hz)
    _, picked = swung(rate_hz, frequency_hz, averaging_s=0.0)
    assert np.std(picked) > 0.6
    assert np.std(averaged) < 0.25 * np.std(picked)


@pytest.mark.parametrize('rate_hz', [25.0, 60.0, 130.0, 150.0, 200.0, 333.0, 1000.0])
def test_a_movement_comes_through_without_delay(rate_hz: float) -> None:
    """Three hertz, as legs move, keep their phase and nearly their size at any rate."""
    time, values = swung(rate_hz, 3.0)
    waves = np.exp(-2j * np.pi * 3.0 * time)
    waves, values = waves[: 100 * (len(waves) // 100)], values[: 100 * (len(values) // 100)]
    gain = 2j * (waves * values).mean()
    assert abs(np.angle(gain)) < 0.01
    assert abs(gain) == pytest.approx(1.0, abs=0.06 if rate_hz < 50.0 else 0.02)


def test_every_sample_of_a_fast_sensor_counts_once() -> None:
    """The frames together hold what was sampled together."""
    rng = np.random.default_rng(3)
    samples = rng.normal(size=(2000, 6))
    synchronizer = Synchronizer(sensors=('pelvis',), config=SynchronizerConfig())
    for k, sample in enumerate(samples):
        synchronizer.push(sensor='pelvis', stamp_s=0.001 * k, sample=sample, arrival_s=0.001 * k)
    frames = synchronizer.flush()
    inner = [frame.imu[0] for frame in frames if 0.1 < frame.time_s < 1.9]
    first = round(1000 * (next(f.time_s for f in frames if f.time_s > 0.1) - 0.005))
    last = first + 10 * len(inner)
    ends = 0.5 * (samples[first] + samples[last])
    expected = 0.1 * (samples[first + 1 : last].sum(0) + ends)
    np.testing.assert_allclose(np.sum(inner, axis=0), expected, atol=1e-9)


def test_a_fast_sensor_that_stops_leaves_with_what_there_is() -> None:
    """The window shrinks, and nothing waits longer than set."""
    synchronizer = make()
    delays = []
    for arrival, sensor, stamp in synchronous(400, rate_hz=200.0):
        if sensor == 'foot_l' and stamp - EPOCH > 1.0021:
            continue
        synchronizer.push(sensor=sensor, stamp_s=stamp, sample=signal(stamp, 0), arrival_s=arrival)
        for frame in synchronizer.drain(now_s=arrival):
            delays.append(arrival - frame.time_s)
            assert frame.present[SENSORS.index('foot_l')] == (frame.time_s - EPOCH < 1.0001)
    assert max(delays) <= 0.05 + 0.005 + 1e-6
    assert delays[-1] == pytest.approx(0.005, abs=1e-6)


def test_unequal_phases_and_rates_share_one_grid() -> None:
    """Sensors of different rates and phases are all present in every frame."""
    schedule = sorted(
        (EPOCH + 0.0013 * row + k / rate, sensor, EPOCH + 0.0013 * row + k / rate)
        for row, (sensor, rate) in enumerate(
            zip(SENSORS, (50, 100, 100, 200, 148, 400, 1000), strict=True)
        )
        for k in range(2 * rate)
    )
    frames = feed(make(), schedule)
    assert len(frames) > 190
    assert all(frame.present.all() for frame in frames[:-3])


def test_a_lost_sample_is_interpolated_over() -> None:
    """One missing sample costs one period of waiting and no gap."""
    schedule = [
        item
        for k, item in enumerate(synchronous(50))
        if not (item[1] == 'foot_l' and k // len(SENSORS) == 20)
    ]
    synchronizer = make()
    frames = feed(synchronizer, schedule)
    assert len(frames) == 50
    assert all(frame.present.all() for frame in frames)
    np.testing.assert_allclose(
        frames[20].imu[SENSORS.index('foot_l')],
        signal(frames[20].time_s, SENSORS.index('foot_l')),
        atol=1e-6,
    )


def test_a_silent_sensor_is_masked_and_taken_back() -> None:
    """Frames go on without it, soon without waiting for it, and with it when it returns."""
    row = SENSORS.index('shank_r')
    synchronizer = make()
    schedule = [
        item
        for item in synchronous(300)
        if not (item[1] == 'shank_r' and 1.0 <= item[2] - EPOCH < 2.0)
    ]
    frames = []
    delays = {}
    for arrival, sensor, stamp in schedule:
        synchronizer.push(sensor=sensor, stamp_s=stamp, sample=signal(stamp, 0), arrival_s=arrival)
        for frame in synchronizer.drain(now_s=arrival):
            frames.append(frame)
            delays[round((frame.time_s - EPOCH) / PERIOD)] = arrival - frame.time_s
    assert [frame.time_s - EPOCH for frame in frames] == pytest.approx(
        [k * PERIOD for k in range(len(frames))], abs=1e-6
    )
    assert all(frame.present[row] for frame in frames[:100])
    assert not any(frame.present[row] for frame in frames[101:200])
    assert all(frame.present[row] for frame in frames[205:])
    assert np.all(frames[150].imu[row] == 0.0)
    assert delays[105] <= 0.06
    assert delays[150] <= 1e-6
    assert delays[250] <= 1e-6
    assert synchronizer.statistics.sensors['shank_r'].missing_frames >= 99


def test_a_sensor_that_never_speaks_does_not_block() -> None:
    """Frames come without it from the start."""
    frames = feed(make(), [item for item in synchronous(100) if item[1] != 'pelvis'])
    assert len(frames) == 100
    assert not any(frame.present[0] for frame in frames)


def test_a_sensor_that_is_always_late_but_within_the_wait_is_kept() -> None:
    """A constant delay of one sensor delays the frames, it does not mask the sensor."""
    schedule = sorted(
        (stamp + (0.03 if sensor == 'foot_r' else 0.0), sensor, stamp)
        for _, sensor, stamp in synchronous(200)
        if not (sensor == 'foot_r' and 0.5 < stamp - EPOCH < 1.0)
    )
    frames = feed(make(), schedule)
    assert all(frame.present.all() for frame in frames[120:])


def test_duplicates_are_dropped_and_counted() -> None:
    """The same stamp, or the same values under a new stamp, count once."""
    synchronizer = make()
    for k in range(100):
        stamp = EPOCH + k * PERIOD
        for row, sensor in enumerate(SENSORS):
            resent = sensor == 'foot_r' and k % 10 == 5
            sample = signal(stamp - (PERIOD if resent else 0.0), row)
            for _ in range(2 if sensor == 'pelvis' else 1):
                synchronizer.push(sensor=sensor, stamp_s=stamp, sample=sample, arrival_s=stamp)
    frames = synchronizer.flush()
    assert synchronizer.statistics.sensors['pelvis'].duplicate == 100
    assert synchronizer.statistics.sensors['foot_r'].duplicate == 10
    row = SENSORS.index('foot_r')
    for frame in frames:
        np.testing.assert_allclose(frame.imu[row], signal(frame.time_s, row), atol=1e-6)


def test_the_time_that_values_are_repeated_is_counted() -> None:
    synchronizer = make()
    counts = synchronizer.statistics.sensors['foot_r']
    for k in range(300):
        stamp = EPOCH + k * PERIOD
        sample = signal(stamp if k < 50 or k >= 200 else EPOCH + 49 * PERIOD, 0)
        synchronizer.push(sensor='foot_r', stamp_s=stamp, sample=sample, arrival_s=stamp)
        if k == 199:
            assert counts.repeating_s == pytest.approx(150 * PERIOD)
    assert counts.repeating_s == 0.0
    assert counts.longest_repeat_s == pytest.approx(150 * PERIOD)


def test_sensors_that_all_repeat_give_no_frames() -> None:
    synchronizer = make()
    frames = []
    for k in range(400):
        stamp = EPOCH + k * PERIOD
        for row, sensor in enumerate(SENSORS):
            sample = signal(min(stamp, EPOCH + 99 * PERIOD), row)
            synchronizer.push(sensor=sensor, stamp_s=stamp, sample=sample, arrival_s=stamp)
        frames += synchronizer.drain(now_s=stamp)
    assert len(frames) == 100
    for counts in synchronizer.statistics.sensors.values():
        assert counts.longest_repeat_s == pytest.approx(3.0, abs=0.1)


def test_values_that_are_not_numbers_are_dropped_and_counted() -> None:
    """NaN never reaches a frame."""
    synchronizer = make()
    for arrival, sensor, stamp in synchronous(50):
        sample = signal(stamp, 1)
        if sensor == 'thigh_l':
            sample[2] = math.nan
        synchronizer.push(sensor=sensor, stamp_s=stamp, sample=sample, arrival_s=arrival)
    frames = synchronizer.flush()
    assert synchronizer.statistics.sensors['thigh_l'].not_finite == 50
    assert len(frames) == 50
    assert all(np.isfinite(frame.imu).all() for frame in frames)
    assert not any(frame.present[SENSORS.index('thigh_l')] for frame in frames)


@pytest.mark.parametrize('step', [-30.0, -2.0, 5.0, 1e5])
@pytest.mark.parametrize('clock_follows', [False, True])
def test_a_jump_of_the_clock_begins_a_new_grid(step: float, clock_follows: bool) -> None:
    """A bag that loops, or a clock that is set, costs no more than the waiting frames."""
    synchronizer = make()
    before, after = synchronous(100), synchronous(100, start=EPOCH + 1.0 + step)
    if not clock_follows:
        after = [(arrival - step, sensor, stamp) for arrival, sensor, stamp in after]
    frames = feed(synchronizer, before + after)
    assert synchronizer.statistics.resets == 1
    assert 's' in synchronizer.statistics.reset_reason
    assert len(frames) >= 198
    assert all(frame.present.all() for frame in frames)
    assert sum(counts.wrong_clock for counts in synchronizer.statistics.sensors.values()) == 0


def test_one_sensor_with_another_clock_is_left_out() -> None:
    """A single sensor far off in time neither resets the others nor reaches a frame."""
    synchronizer = make()
    schedule = [
        (arrival, sensor, stamp + (500.0 if sensor == 'shank_l' else 0.0))
        for arrival, sensor, stamp in synchronous(200)
    ]
    frames = feed(synchronizer, schedule)
    assert len(frames) == 200
    assert synchronizer.statistics.resets == 0
    assert synchronizer.statistics.sensors['shank_l'].wrong_clock == 200
    assert not any(frame.present[SENSORS.index('shank_l')] for frame in frames)


def test_a_reader_that_is_behind_skips_to_the_newest() -> None:
    """Old frames are given up and counted."""
    synchronizer = make()
    for arrival, sensor, stamp in synchronous(300):
        synchronizer.push(sensor=sensor, stamp_s=stamp, sample=signal(stamp, 0), arrival_s=arrival)
    (frame,) = synchronizer.drain(now_s=EPOCH + 3.0)
    assert frame.time_s == pytest.approx(EPOCH + 2.99)
    assert synchronizer.statistics.skipped_frames == 299


@pytest.mark.parametrize('cost_s', [0.004, 0.011, 0.05, 0.7])
def test_the_lag_of_a_slow_reader_does_not_grow(cost_s: float) -> None:
    """However long a frame takes its reader, no frame is given out later than set."""
    config = SynchronizerConfig()
    synchronizer = Synchronizer(sensors=SENSORS, config=config)
    schedule = synchronous(1000)
    now, lags = EPOCH, []
    while schedule:
        while schedule and schedule[0][0] <= now:
            arrival, sensor, stamp = schedule.pop(0)
            synchronizer.push(
                sensor=sensor, stamp_s=stamp, sample=signal(stamp, 0), arrival_s=arrival
            )
        frames = synchronizer.drain(now_s=now)
        lags += [now - frame.time_s for frame in frames]
        now += cost_s * len(frames) or 0.001
    assert max(lags) <= config.max_lag_s + config.max_wait_s + 1e-6
    assert len(lags) + synchronizer.statistics.skipped_frames >= 1000 - 0.7 / PERIOD
    assert (synchronizer.statistics.skipped_frames > 0) == (cost_s > PERIOD)


def test_waiting_longer_than_the_largest_lag_skips_nothing() -> None:
    """A long wait for a missing sensor is no lag of the reader."""
    synchronizer = make(max_wait_s=0.8, max_lag_s=0.1, sensor_timeout_s=10.0)
    frames = feed(synchronizer, [item for item in synchronous(200) if item[1] != 'foot_l'])
    assert len(frames) == 200
    assert synchronizer.statistics.skipped_frames == 0


@pytest.mark.parametrize('ahead_s', [0.03, 0.15, 0.5, 0.95, 30.0])
def test_a_sample_from_the_future_costs_its_own_sensor_alone(ahead_s: float) -> None:
    """No frame leaves early because of it, and the others stay in every frame."""
    row = SENSORS.index('shank_r')
    synchronizer = make()
    schedule = [
        (arrival, sensor, stamp + ahead_s * (sensor == 'shank_r' and index // 7 == 100))
        for index, (arrival, sensor, stamp) in enumerate(synchronous(300))
    ]
    frames = feed(synchronizer, schedule)
    assert len(frames) == 300
    assert all(np.delete(frame.present, row).all() for frame in frames)
    assert all(frame.present[row] for frame in frames[105:110] + frames[125:])
    counts = synchronizer.statistics.sensors['shank_r']
    assert (counts.future, counts.wrong_clock) == (0.2 < ahead_s < 1.0, ahead_s > 1.0)
    assert synchronizer.statistics.resets == 0


@pytest.mark.parametrize('ahead_s', [0.1, 0.6])
def test_a_sensor_whose_clock_runs_ahead_does_not_hurry_the_others(ahead_s: float) -> None:
    """It is used as far as it can be, or refused and counted; the others are in every frame."""
    row = SENSORS.index('pelvis')
    synchronizer = make()
    schedule = [
        (arrival, sensor, stamp + ahead_s * (sensor == 'pelvis'))
        for arrival, sensor, stamp in synchronous(300)
    ]
    frames = feed(synchronizer, schedule)[80:]
    assert len(frames) >= 140
    assert all(np.delete(frame.present, row).all() for frame in frames)
    counts = synchronizer.statistics.sensors['pelvis']
    if ahead_s > synchronizer.config.max_ahead_s:
        assert counts.future == counts.received - 1
        assert not any(frame.present[row] for frame in frames)
    else:
        assert counts.accepted == counts.received
        assert all(frame.present[row] for frame in frames)


@pytest.mark.parametrize('offset_s', [-1000.0, -0.6, -0.013, 0.04, 0.6])
def test_a_constant_offset_is_added_to_the_stamps_of_its_sensor(offset_s: float) -> None:
    """A clock that is wrong by a known time makes no difference."""
    synchronizer = Synchronizer(
        sensors=SENSORS, config=SynchronizerConfig(), time_offset_s={'foot_l': offset_s}
    )
    frames = []
    for arrival, sensor, stamp in synchronous(100):
        shown = stamp - offset_s * (sensor == 'foot_l')
        sample = signal(stamp, SENSORS.index(sensor))
        synchronizer.push(sensor=sensor, stamp_s=shown, sample=sample, arrival_s=arrival)
        frames += synchronizer.drain(now_s=arrival)
    assert len(frames) >= 99
    for frame in frames:
        assert frame.present.all()
        for row in range(len(SENSORS)):
            np.testing.assert_allclose(frame.imu[row], signal(frame.time_s, row), atol=1e-4)


def test_arrival_times_do_for_stamps_of_dead_clocks() -> None:
    """Stamped at arrival with some jitter and ordinary losses, every sensor is in every frame."""
    rng = np.random.default_rng(1)
    schedule = sorted(
        (arrival + rng.uniform(0.0, 0.006), sensor)
        for arrival, sensor, _ in synchronous(300)
        if rng.uniform() > 0.02
    )
    synchronizer = make()
    frames = feed(synchronizer, [(arrival, sensor, arrival) for arrival, sensor in schedule])
    assert len(frames) > 290
    assert all(frame.present.all() for frame in frames[:-2])


@pytest.mark.parametrize(('step', 'resets'), [(0.5, 1), (-0.5, 0)])
def test_a_small_jump_of_the_stamps_alone(step: float, resets: int) -> None:
    """Forward it begins a new grid, backward the frames wait until time goes on."""
    synchronizer = make()
    after = [(a, sensor, stamp + step) for a, sensor, stamp in synchronous(200, start=EPOCH + 1)]
    frames = feed(synchronizer, synchronous(100) + after)
    assert synchronizer.statistics.resets == resets
    assert len(frames) == (300 if step > 0 else 250)
    assert all(frame.present.all() for frame in frames)
    assert (np.diff([frame.time_s for frame in frames]) > 0.0).all()


def test_a_clock_that_is_put_back_a_little_does_not_stop_the_frames() -> None:
    """Frames that waited begin to wait anew, at most as long as set."""
    synchronizer = make()
    for arrival, sensor, stamp in synchronous(40):
        if sensor == 'foot_l' and stamp - EPOCH > 0.385:
            continue
        synchronizer.push(sensor=sensor, stamp_s=stamp, sample=signal(stamp, 0), arrival_s=arrival)
    assert len(synchronizer.drain(now_s=EPOCH + 0.39)) == 39
    assert synchronizer.drain(now_s=EPOCH - 0.3) == []
    assert synchronizer.drain(now_s=EPOCH - 0.26) == []
    assert len(synchronizer.drain(now_s=EPOCH - 0.249)) == 1


def test_memory_stays_bounded_when_nothing_is_read() -> None:
    """A reader that stopped, or a clock that stands, makes the oldest samples go."""
    synchronizer = make()
    for k in range(5000):
        stamp = EPOCH + 0.001 * k
        for row, sensor in enumerate(SENSORS[:2]):
            sample = signal(stamp, row)
            synchronizer.push(sensor=sensor, stamp_s=stamp, sample=sample, arrival_s=EPOCH)
    assert synchronizer.held_samples == 2 * MAX_BUFFERED
    assert len(synchronizer._lead) <= MAX_BUFFERED
    assert len(synchronizer._second) <= MAX_BUFFERED
    assert synchronizer.flush()


def test_unknown_sensors_are_refused() -> None:
    """A programming mistake is loud."""
    with pytest.raises(ValueError, match='distinct names'):
        Synchronizer(sensors=('knee',), config=SynchronizerConfig())


@dataclass(frozen=True)
class Event:
    """One delivery; `sensor` is empty for a mere tick of the reader."""

    arrival: float
    sensor: str = ''
    stamp: float = 0.0
    sample: np.ndarray = field(default_factory=lambda: np.zeros(6))


@dataclass(frozen=True)
class Conditions:
    """Say what goes wrong in a random schedule, in s and fractions of all samples."""

    seed: int
    rates_hz: tuple[float, ...]
    delay: float
    burst: float
    loss: float
    resent: float
    twice: float
    spoilt: float
    future: float
    stamp_jump: float
    clock_jump: float
    offset: float
    averaging: float

    def schedule(self) -> list[Event]:
        """Draw 1.2 s of samples with an outage of each sensor and a jump of each clock."""
        rng = np.random.default_rng(self.seed)
        events = [Event(EPOCH + PERIOD * k) for k in range(130)]
        for row, (sensor, rate) in enumerate(zip(SENSORS, self.rates_hz, strict=True)):
            stamp = EPOCH + rng.uniform(0, 0.05)
            quiet_from = rng.uniform(0, 3)
            burst = self.burst * rng.integers(0, 2)
            deliveries = []
            while stamp < EPOCH + 1.2:
                stamp += (1.0 + 0.3 * rng.uniform(-1, 1) * (rate < 300)) / rate
                if quiet_from < stamp - EPOCH < quiet_from + 0.4:
                    continue
                shown = stamp + (self.stamp_jump if stamp - EPOCH > 0.6 else 0.0)
                if rng.uniform() < self.future:
                    shown += 10.0 ** rng.uniform(-2, 1)
                arrival = stamp + self.delay * rng.uniform()
                if burst:
                    arrival = EPOCH + burst * math.ceil((arrival - EPOCH) / burst)
                deliveries.append((arrival, shown))
            before: np.ndarray | None = None
            for arrival, shown in sorted(deliveries):
                sample = signal(shown, row)
                if before is not None and rng.uniform() < self.loss:
                    if rng.uniform() >= self.resent:
                        continue
                    sample = before
                before = sample
                if rng.uniform() < self.spoilt:
                    before = sample = np.where(np.arange(6) == 3, np.nan, sample)
                for _ in range(2 if rng.uniform() < self.twice else 1):
                    events.append(Event(arrival, sensor, shown, sample))
        return [
            replace(event, arrival=event.arrival + self.clock_jump)
            if event.arrival > EPOCH + 0.9
            else event
            for event in sorted(events, key=lambda event: event.arrival)
        ]


SOMETIMES = st.sampled_from([0.0, 0.0, 0.02, 0.1])
JUMPS = st.sampled_from([0.0, 0.0, 0.0, -40.0, -0.3, 0.15, 0.3, 40.0])
CONDITIONS = st.builds(
    Conditions,
    seed=st.integers(0, 2**32 - 1),
    rates_hz=st.tuples(
        *[st.sampled_from([25.0, 60.0, 100.0, 100.0, 200.0, 1000.0])] * len(SENSORS)
    ),
    delay=st.sampled_from([0.0, 0.004, 0.03, 0.2]),
    burst=st.sampled_from([0.0, 0.0, 0.04, 0.15]),
    loss=st.sampled_from([0.0, 0.02, 0.4]),
    resent=st.sampled_from([0.0, 0.5, 1.0]),
    twice=SOMETIMES,
    spoilt=SOMETIMES,
    future=SOMETIMES,
    stamp_jump=JUMPS,
    clock_jump=JUMPS,
    offset=st.sampled_from([0.0, 0.7, -500.0]),
    averaging=st.sampled_from([0.0, 0.01, 0.01, 0.02]),
)


class Judge:
    """Hold what comes out of a synchronizer against what went in since its last reset."""

    def __init__(self, synchronizer: Synchronizer) -> None:
        self._synchronizer = synchronizer
        self._last: Frame | None = None
        self._skipped = self._synchronizer.statistics.skipped_frames
        self._stamps: dict[str, list[float]] = {sensor: [] for sensor in SENSORS}
        self._newest = dict.fromkeys(SENSORS, -math.inf)
        self._reached: list[tuple[float, float, float]] = []

    def note_replayed(self, event: Event) -> None:
        """Take a sample from before the reset, which may have been kept for the new grid."""
        insort(self._stamps[event.sensor], event.stamp)

    def note(self, event: Event) -> None:
        """Take a sample that was not refused."""
        insort(self._stamps[event.sensor], event.stamp)
        self._newest[event.sensor] = max(self._newest[event.sensor], event.stamp)
        second, first = sorted(self._newest.values())[-2:]
        self._reached.append((event.arrival, first, second))

    def require_good(self, frame: Frame) -> None:
        """Require a frame on the grid, of finite new values between near neighbours."""
        skipped = self._synchronizer.statistics.skipped_frames
        if self._last is not None:
            steps = (frame.time_s - self._last.time_s) / PERIOD
            assert abs(steps - round(steps)) < 1e-3
            assert 1 <= round(steps) <= 1 + skipped - self._skipped
            both = frame.present & self._last.present
            assert not (frame.imu == self._last.imu)[both].all(-1).any()
        assert np.isfinite(frame.imu).all()
        assert np.all(frame.imu[~frame.present] == 0.0)
        for row, sensor in enumerate(SENSORS):
            if frame.present[row]:
                assert np.abs(frame.imu[row] - signal(frame.time_s, row)).max() < 3e-3
                self._require_neighbours(self._stamps[sensor], frame.time_s)
        self._last, self._skipped = frame, skipped

    def _require_neighbours(self, stamps: list[float], time_s: float) -> None:
        snap = 0.021 * PERIOD
        after = bisect_left(stamps, time_s - snap)
        assert after < len(stamps)
        if stamps[after] > time_s + snap:
            assert after > 0
            gap = stamps[after] - stamps[after - 1]
            assert gap <= self._synchronizer.config.max_gap_s

    def require_nothing_overdue(self, now_s: float) -> None:
        """Require that the next frame does not wait longer than it may."""
        if self._last is None:
            return
        config = self._synchronizer.config
        skipped = self._synchronizer.statistics.skipped_frames - self._skipped
        due = self._last.time_s + (1 + skipped) * PERIOD
        # A clock that goes back makes the waiting begin anew.
        self._reached = [(min(a, now_s), b, c) for a, b, c in self._reached if b >= due]
        for arrival, _, second in self._reached:
            limit = config.max_wait_s + (0.0 if second >= due else config.max_ahead_s)
            assert now_s - arrival <= limit + 1e-6


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(CONDITIONS)
def test_any_schedule_gives_steady_bounded_frames(conditions: Conditions) -> None:
    """Whatever goes wrong, frames are on the grid, in time, true and counted."""
    synchronizer = Synchronizer(
        sensors=SENSORS,
        config=SynchronizerConfig(averaging_s=conditions.averaging),
        time_offset_s={'thigh_l': conditions.offset},
    )
    statistics = synchronizer.statistics
    judge = Judge(synchronizer)
    pushed = dict.fromkeys(SENSORS, 0)
    strangers: list[Event] = []
    frames = 0
    for event in conditions.schedule():
        if event.sensor:
            counts, resets = statistics.sensors[event.sensor], statistics.resets
            kept, strange = counts.accepted + counts.late, counts.wrong_clock + counts.future
            shift = conditions.offset * (event.sensor == 'thigh_l')
            synchronizer.push(
                sensor=event.sensor,
                stamp_s=event.stamp - shift,
                sample=event.sample,
                arrival_s=event.arrival,
            )
            pushed[event.sensor] += 1
            if statistics.resets != resets:
                judge = Judge(synchronizer)
                for stranger in strangers:
                    judge.note_replayed(stranger)
            elif counts.wrong_clock + counts.future > strange:
                strangers = [*strangers, event][-4 * len(SENSORS) :]
            if counts.accepted + counts.late > kept:
                judge.note(event)
        for frame in synchronizer.drain(now_s=event.arrival):
            frames += 1
            judge.require_good(frame)
        judge.require_nothing_overdue(event.arrival)
    for frame in synchronizer.flush():
        frames += 1
        judge.require_good(frame)
    assert statistics.frames == frames
    for sensor, counts in statistics.sensors.items():
        refused = counts.duplicate + counts.not_finite + counts.wrong_clock + counts.future
        assert counts.dropped == refused
        assert counts.received == pushed[sensor] == counts.accepted + counts.late + refused


class Thorough(Synchronizer):
    """Look at all sensors in every call, whatever the last one waited for."""

    def drain(self, *, now_s: float) -> list[Frame]:
        self._held = None
        return super().drain(now_s=now_s)


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(CONDITIONS)
def test_frames_leave_when_they_would_if_every_call_looked_at_all(conditions: Conditions) -> None:
    config = SynchronizerConfig(averaging_s=conditions.averaging)
    both = [each(sensors=SENSORS, config=config) for each in (Synchronizer, Thorough)]
    for event in conditions.schedule():
        found = []
        for synchronizer in both:
            if event.sensor:
                synchronizer.push(
                    sensor=event.sensor,
                    stamp_s=event.stamp,
                    sample=event.sample,
                    arrival_s=event.arrival,
                )
            found.append(synchronizer.drain(now_s=event.arrival))
        one, other = (
            [(frame.time_s, frame.imu.tobytes(), frame.present.tobytes()) for frame in frames]
            for frames in found
        )
        assert one == other
    assert both[0].statistics == both[1].statistics


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(CONDITIONS)
def test_any_arrivals_of_dead_clocks_give_steady_bounded_frames(conditions: Conditions) -> None:
    """Stamps that mean nothing are not read; frames are on the grid, in time, finite, counted."""
    config = SynchronizerConfig(stamps_at_arrival=True, averaging_s=conditions.averaging)
    synchronizer = Synchronizer(sensors=SENSORS, config=config)
    statistics = synchronizer.statistics
    last: Frame | None = None
    frames = resets = skipped = 0
    rng = np.random.default_rng(conditions.seed)
    for event in conditions.schedule():
        if event.sensor:
            synchronizer.push(
                sensor=event.sensor,
                stamp_s=float(rng.choice([0.0, np.nan, 1e9, event.stamp])),
                sample=event.sample,
                arrival_s=event.arrival,
            )
        for frame in synchronizer.drain(now_s=event.arrival):
            frames += 1
            assert frame.time_s <= event.arrival + 1e-6 or conditions.clock_jump < 0.0
            assert np.isfinite(frame.imu).all()
            if last is not None and statistics.resets == resets:
                steps = (frame.time_s - last.time_s) / PERIOD
                assert abs(steps - round(steps)) < 1e-3
                assert 1 <= round(steps) <= 1 + statistics.skipped_frames - skipped
            last, resets, skipped = frame, statistics.resets, statistics.skipped_frames
    frames += len(synchronizer.flush())
    assert statistics.frames == frames
    for counts in statistics.sensors.values():
        refused = counts.duplicate + counts.not_finite + counts.wrong_clock + counts.future
        assert counts.received == counts.accepted + counts.late + refused
