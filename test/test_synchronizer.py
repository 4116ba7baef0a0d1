"""Feed made-up schedules of samples to the synchronizer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig

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


@pytest.mark.parametrize('step', [-30.0, -2.0, 5.0, 1e6])
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
    """Old frames are given up and counted; lag does not grow."""
    synchronizer = make()
    for arrival, sensor, stamp in synchronous(300):
        synchronizer.push(sensor=sensor, stamp_s=stamp, sample=signal(stamp, 0), arrival_s=arrival)
    frames = synchronizer.drain(now_s=EPOCH + 3.0)
    assert 45 <= len(frames) <= 52
    assert synchronizer.statistics.skipped_frames == 300 - len(frames)


def test_unknown_sensors_are_refused() -> None:
    """A programming mistake is loud."""
    with pytest.raises(ValueError, match='distinct names'):
        Synchronizer(sensors=('knee',), config=SynchronizerConfig())


@dataclass(frozen=True)
class Conditions:
    """Say how the sensors of a random schedule behave, in s and fractions of all samples."""

    seed: int
    rates_hz: tuple[float, ...]
    delay: float
    loss: float
    repeat: float
    jump: float

    def schedule(self) -> list[tuple[float, str, float]]:
        """Draw 1.2 s of samples with an outage of each sensor and one jump of the clock."""
        rng = np.random.default_rng(self.seed)
        schedule = []
        for sensor, rate in zip(SENSORS, self.rates_hz, strict=True):
            stamp = EPOCH + rng.uniform(0, 0.05)
            quiet_from = rng.uniform(0, 3)
            while stamp < EPOCH + 1.2:
                stamp += (1.0 + 0.3 * rng.uniform(-1, 1) * (rate < 300)) / rate
                if rng.uniform() < self.loss or quiet_from < stamp - EPOCH < quiet_from + 0.4:
                    continue
                shown = stamp + (self.jump if stamp - EPOCH > 0.6 else 0.0)
                for _ in range(2 if rng.uniform() < self.repeat else 1):
                    schedule.append((stamp + self.delay * rng.uniform(), sensor, shown))
        return sorted(schedule)


CONDITIONS = st.builds(
    Conditions,
    seed=st.integers(0, 2**32 - 1),
    rates_hz=st.tuples(*[st.sampled_from([25.0, 100.0, 100.0, 200.0, 1000.0])] * len(SENSORS)),
    delay=st.sampled_from([0.0, 0.004, 0.03, 0.2]),
    loss=st.sampled_from([0.0, 0.02, 0.4]),
    repeat=st.sampled_from([0.0, 0.1]),
    jump=st.sampled_from([0.0, 0.0, -40.0, -0.3, 0.3, 40.0]),
)


@settings(max_examples=50, deadline=None)
@given(CONDITIONS)
def test_any_schedule_gives_steady_bounded_frames(conditions: Conditions) -> None:
    """Output is steady between resets, finite, never repeated and never waits too long."""
    config = SynchronizerConfig()
    synchronizer = Synchronizer(sensors=SENSORS, config=config)
    last: Frame | None = None
    resets = 0
    reached: list[tuple[float, float]] = []
    schedule = conditions.schedule()
    for arrival, sensor, stamp in schedule:
        row = SENSORS.index(sensor)
        synchronizer.push(
            sensor=sensor, stamp_s=stamp, sample=signal(stamp, row), arrival_s=arrival
        )
        if synchronizer.statistics.resets != resets:
            resets, last, reached = synchronizer.statistics.resets, None, []
        reached.append((stamp, arrival))
        for frame in synchronizer.drain(now_s=arrival):
            if last is not None:
                assert abs(frame.time_s - last.time_s - PERIOD) < 1e-6
                both = frame.present & last.present
                assert not (frame.imu == last.imu)[both].all(-1).any()
            assert np.isfinite(frame.imu).all()
            assert np.all(frame.imu[~frame.present] == 0.0)
            truth = np.stack([signal(frame.time_s, row) for row in range(len(SENSORS))])
            assert np.abs(frame.imu - truth)[frame.present].max(initial=0.0) < 3e-3
            last = frame
        if last is not None:
            due = last.time_s + PERIOD
            reached = [(s, a) for s, a in reached if due <= s < due + config.max_jump_s]
            assert all(arrival - a <= config.max_wait_s + 1e-6 for _, a in reached)
    counts = synchronizer.statistics.sensors.values()
    assert sum(c.received for c in counts) == len(schedule)
