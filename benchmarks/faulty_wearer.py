# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An endless wearer whose sensors, radio and clocks fail at random, and note when they do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.training.gait_style import draw_gait
from sspinnpose_ros.training.simulated_recording import simulate_recording
from sspinnpose_ros.training.synthetic_gait import synthesize
from sspinnpose_ros.training.wearer import SensorErrors

MASS_KG, HEIGHT_M, SPEED_MPS = 75.0, 1.75, 1.3
FORCE_NOISE, RATE_NOISE = 0.05, 0.01
"""White noise of the sensors, m/s^2 and rad/s."""

TRAVEL_S, JITTER_S = 0.003, 0.001
"""From measurement to arrival: at least, and the mean of what comes on top."""

PAUSE_S = (3.0, 10.0)
"""Between two faults; the pause begins when the estimate should be whole again."""

RECOVERY_S = 1.0
"""After a fault, until every estimate must be there again."""

ONE_SENSOR = {
    'dropouts': (0.5, 3.0),
    'silence': (0.3, 5.0),
    'duplicates': (0.5, 3.0),
    'out of order': (0.5, 3.0),
    'bursts': (0.5, 3.0),
    'NaN and infinity': (0.2, 2.0),
    'stamps of another clock': (0.2, 3.0),
    'stamps run ahead': (0.2, 3.0),
}
ALL_SENSORS = {
    'all dropouts': (0.5, 2.0),
    'all silent': (0.3, 3.0),
    'all stamps jump forward': (0.0, 0.0),
    'all stamps jump back': (0.0, 0.0),
    'reader stalls': (0.2, 2.0),
}
"""Faults and how long they last, s. Jumps of the clock last for good."""

JUMP_S = 30.0
DROPOUT_SHARE = 0.4
BURST_S = 0.2
DISORDER_S = 0.02
AHEAD_S = 0.6


@dataclass(frozen=True)
class Fault:
    """One fault: what, of which sensors, and from when to when in s of wear."""

    kind: str
    sensors: tuple[str, ...]
    begin_s: float
    end_s: float

    @property
    def over_s(self) -> float:
        """When every estimate must be there again, s of wear."""
        return self.end_s + RECOVERY_S


@dataclass(frozen=True, eq=False)
class Arrival:
    """A sample on its way: when it is there and what its stamp says, s of wear."""

    arrival_s: float
    sensor: str
    stamp_s: float
    sample: np.ndarray


def draw_faults(rng: np.random.Generator, *, seconds: float, first_s: float = 8.0) -> list[Fault]:
    """Draw faults for some time of wear, one after the other, every kind about as often."""
    durations = {**ONE_SENSOR, **ALL_SENSORS}
    faults: list[Fault] = []
    kinds: list[str] = []
    begin = first_s
    while True:
        if not kinds:
            kinds = list(rng.permutation(list(durations)))
        kind = kinds.pop()
        end = begin + rng.uniform(*durations[kind])
        if end + RECOVERY_S > seconds:
            return faults
        hurt = (str(rng.choice(SENSORS)),) if kind in ONE_SENSOR else SENSORS
        faults.append(Fault(kind=kind, sensors=hurt, begin_s=begin, end_s=end))
        begin = faults[-1].over_s + rng.uniform(*PAUSE_S)


class Wearer:
    """Walk for ever; one stride is simulated and repeated, the noise is new."""

    def __init__(self, *, seed: int = 0, iterations: int = 100) -> None:
        """Simulate the stride, with aligned sensors."""
        rng = np.random.default_rng(seed)
        target = draw_gait(
            rng, speed_mps=SPEED_MPS, style='usual', mass_kg=MASS_KG, height_m=HEIGHT_M
        )
        motions = synthesize([target], seed=seed, iterations=iterations, body_spread=0.0)
        self.stride_s = float(motions.targets[0].duration_s)
        recording = simulate_recording(
            motions,
            seconds=3.0 * self.stride_s,
            rate_hz=500.0,
            rng=rng,
            errors=SensorErrors(**{field.name: 0.0 for field in fields(SensorErrors)}),
        )
        self._time = recording.time_s
        self._imu = recording.imu

    def measure(self, sensor: str, time_s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return samples (n, 6) at times (n,) of wear, sensor axes, with noise."""
        within = self.stride_s + np.mod(time_s, self.stride_s)
        signals = self._imu[:, SENSORS.index(sensor)]
        clean = np.stack([np.interp(within, self._time, column) for column in signals.T], -1)
        noise = rng.normal(size=clean.shape) * ([FORCE_NOISE] * 3 + [RATE_NOISE] * 3)
        noisy: np.ndarray = clean + noise
        return noisy


def stream(
    wearer: Wearer,
    *,
    seconds: float,
    rate_hz: float,
    faults: Sequence[Fault],
    rng: np.random.Generator,
) -> Iterator[list[Arrival]]:
    """Yield what arrives in each second of wear, in order of arrival.

    Jumps of the clock of everything are left to the caller, who shifts what it is told.
    """
    phase = rng.uniform(0.0, 1.0 / rate_hz, size=len(SENSORS))
    pending: list[Arrival] = []
    for second in range(math.ceil(seconds)):
        active = [f for f in faults if f.begin_s < second + 1 and f.end_s > second]
        for row, sensor in enumerate(SENSORS):
            time = second + phase[row] + np.arange(round(rate_hz)) / rate_hz
            samples = wearer.measure(sensor, time, rng)
            arrivals = time + TRAVEL_S + rng.exponential(JITTER_S, size=len(time))
            stamps = time.copy()
            kept = np.ones(len(time), dtype=bool)
            again = np.zeros(len(time), dtype=bool)
            for fault in active:
                if sensor in fault.sensors:
                    during = (time >= fault.begin_s) & (time < fault.end_s)
                    _hurt(
                        fault.kind,
                        during,
                        time=time,
                        stamps=stamps,
                        arrivals=arrivals,
                        samples=samples,
                        kept=kept,
                        again=again,
                        rng=rng,
                    )
            for index in np.flatnonzero(kept).tolist():
                arrival = Arrival(
                    float(arrivals[index]), sensor, float(stamps[index]), samples[index]
                )
                pending.append(arrival)
                if again[index]:
                    later = arrival.arrival_s + 0.002
                    pending.append(Arrival(later, sensor, arrival.stamp_s, arrival.sample))
        pending.sort(key=lambda each: each.arrival_s)
        due = next((i for i, a in enumerate(pending) if a.arrival_s >= second + 1), len(pending))
        yield pending[:due]
        del pending[:due]


def _hurt(
    kind: str,
    during: np.ndarray,
    *,
    time: np.ndarray,
    stamps: np.ndarray,
    arrivals: np.ndarray,
    samples: np.ndarray,
    kept: np.ndarray,
    again: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Change what one sensor sends in place, all (n,) of one second."""
    number = int(during.sum())
    if kind in ('dropouts', 'all dropouts'):
        kept[during] &= rng.random(number) >= DROPOUT_SHARE
    elif kind in ('silence', 'all silent'):
        kept[during] = False
    elif kind == 'duplicates':
        again[during] = True
    elif kind == 'out of order':
        arrivals[during] += rng.uniform(0.0, DISORDER_S, size=number)
    elif kind == 'bursts':
        arrivals[during] = (np.floor(arrivals[during] / BURST_S) + 1.0) * BURST_S
    elif kind == 'NaN and infinity':
        bad = rng.choice([np.nan, np.inf, -np.inf, 1e30], size=number)
        samples[during, rng.integers(0, 6, size=number)] = bad
    elif kind == 'stamps of another clock':
        stamps[during] -= 3600.0
    elif kind == 'stamps run ahead':
        stamps[during] += AHEAD_S
