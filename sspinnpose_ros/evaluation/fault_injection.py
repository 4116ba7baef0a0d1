# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Put faults into recorded signals, to show that they are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.drift_free import level_motion
from sspinnpose_ros.core.fault import ESTIMATE_WRONG, FaultKind
from sspinnpose_ros.core.mounting import Mounting
from sspinnpose_ros.core.stride import stride_period

Signals = tuple[np.ndarray, np.ndarray]
ROW = {name: row for row, name in enumerate(SENSORS)}


@dataclass(frozen=True, eq=False)
class Recorded:
    """Hold a recording on a grid.

    Attributes:
        acceleration: (T, 7, 3) as read, sensor axes, m/s^2.
        angular_rate: (T, 7, 3) as read, sensor axes, rad/s.
        mounting: of the sensors.
        period_s: between samples, s.

    """

    acceleration: np.ndarray
    angular_rate: np.ndarray
    mounting: Mounting
    period_s: float


@dataclass(frozen=True, eq=False)
class Injection:
    """Hold one fault to put in.

    Attributes:
        name: what it is, for a table.
        kinds: names of which any is right.
        sensors: it is put into.
        spoil: returns the whole signals with the fault in all of them.
        from_start: whether it makes sense, and can be seen, from the first sample on.
        in_use: whether it makes sense in the middle of a recording.

    """

    name: str
    kinds: frozenset[FaultKind]
    sensors: tuple[str, ...]
    spoil: Callable[[Recorded], Signals]
    from_start: bool = True
    in_use: bool = True

    def apply(self, recorded: Recorded, *, begin: int) -> Signals:
        """Return acceleration and rate (T, 7, 3) with the fault from sample `begin` on."""
        acceleration, rate = recorded.acceleration.copy(), recorded.angular_rate.copy()
        force, turning = self.spoil(recorded)
        for sensor in self.sensors:
            row = ROW[sensor]
            acceleration[begin:, row] = force[begin:, row]
            rate[begin:, row] = turning[begin:, row]
        return acceleration, rate


def injections() -> list[Injection]:
    """Return the faults to try."""
    wrong = ESTIMATE_WRONG
    found = [
        _make('rate in deg/s', FaultKind.UNIT_DEG_S, ('shank_r',), _scaled(1.0, 180.0 / np.pi)),
        _make(
            'rate in deg/s, pelvis', FaultKind.UNIT_DEG_S, ('pelvis',), _scaled(1.0, 180.0 / np.pi)
        ),
        _make('rate in deg/s, all', FaultKind.UNIT_DEG_S, SENSORS, _scaled(1.0, 180.0 / np.pi)),
        _make('force in g', FaultKind.UNIT_G, ('foot_l',), _scaled(1.0 / GRAVITY, 1.0)),
        _make('force in g, pelvis', FaultKind.UNIT_G, ('pelvis',), _scaled(1.0 / GRAVITY, 1.0)),
        _make('force in g, all', FaultKind.UNIT_G, SENSORS, _scaled(1.0 / GRAVITY, 1.0)),
        _make('force in mm/s^2', FaultKind.FORCE_UNIT, ('thigh_l',), _scaled(1000.0, 1.0)),
        _make('gravity removed', FaultKind.GRAVITY_REMOVED, ('thigh_r',), _without_gravity),
        _make('gravity removed, all', FaultKind.GRAVITY_REMOVED, SENSORS, _without_gravity),
        _make('force ends at 2 g', FaultKind.SATURATED, ('foot_r',), _clipped(19.6, np.inf)),
        _make('rate ends at 125 deg/s', FaultKind.SATURATED, ('shank_l',), _clipped(np.inf, 2.18)),
        _make('gyro gives zero', FaultKind.STUCK_AXIS, ('thigh_r',), _scaled(1.0, 0.0)),
        _make('force stands still', FaultKind.STUCK_AXIS, ('foot_l',), _still_force),
        _make('one axis stands still', FaultKind.STUCK_AXIS, ('shank_r',), _still_axis),
        _make('force 1.3 times', FaultKind.FORCE_GAIN, ('shank_l',), _scaled(1.3, 1.0)),
        _make('force 0.75 times', FaultKind.FORCE_GAIN, ('pelvis',), _scaled(0.75, 1.0)),
        _make('force +3 m/s^2 up', FaultKind.FORCE_GAIN, ('thigh_r',), _biased((0, 0, 3.0), 0.0)),
        _make(
            'force +6 m/s^2 forward',
            (FaultKind.FORCE_BIAS, FaultKind.FORCE_GAIN),
            ('shank_r',),
            _biased((6.0, 0, 0), 0.0),
            from_start=False,
        ),
        _make('rate 2 times', FaultKind.RATE_GAIN, ('shank_r',), _scaled(1.0, 2.0)),
        _make('rate 0.5 times', FaultKind.RATE_GAIN, ('shank_l',), _scaled(1.0, 0.5)),
        _make(
            'rate 2 times, thigh',
            FaultKind.RATE_GAIN,
            ('thigh_l',),
            _scaled(1.0, 2.0),
            from_start=False,
        ),
        _make('rate +0.6 rad/s', FaultKind.RATE_BIAS, ('thigh_r',), _biased((0, 0, 0), 0.6)),
        _make('rate -1 rad/s', FaultKind.RATE_BIAS, ('foot_l',), _biased((0, 0, 0), -1.0)),
        _make('shanks swapped', FaultKind.SWAPPED, ('shank_r', 'shank_l'), _swapped),
        _make('thighs swapped', FaultKind.SWAPPED, ('thigh_r', 'thigh_l'), _swapped),
        _make('feet swapped', FaultKind.SWAPPED, ('foot_r', 'foot_l'), _swapped),
        _make('thigh and shank swapped', FaultKind.SWAPPED, ('thigh_r', 'shank_r'), _swapped),
        _make('shank and foot swapped', FaultKind.SWAPPED, ('shank_l', 'foot_l'), _swapped),
        _make(
            'legs swapped',
            FaultKind.LEGS_SWAPPED,
            ('thigh_r', 'thigh_l', 'shank_r', 'shank_l', 'foot_r', 'foot_l'),
            _swapped,
        ),
        _make('topics of shanks swapped', wrong, ('shank_r', 'shank_l'), _exchanged),
        _make('topics of thigh and shank swapped', wrong, ('thigh_l', 'shank_l'), _exchanged),
        _make('back to front, shank', FaultKind.BACK_TO_FRONT, ('shank_l',), _turned(180.0, 2)),
        _make('back to front, foot', FaultKind.BACK_TO_FRONT, ('foot_r',), _turned(180.0, 2)),
        _make('upside down', FaultKind.WORN_OTHERWISE, ('pelvis',), _turned(180.0, 0)),
        _make('on its side', FaultKind.WORN_OTHERWISE, ('thigh_l',), _turned(90.0, 0)),
    ]
    for degrees, sensor in ((35.0, 'thigh_r'), (45.0, 'shank_l'), (60.0, 'pelvis')):
        for axis, about in enumerate(('forward', 'left', 'up')):
            found.append(
                _make(
                    f'{sensor.split("_")[0]} turned {degrees:.0f} deg about {about}',
                    (FaultKind.TURNED, FaultKind.WORN_OTHERWISE),
                    (sensor,),
                    _turned(degrees, axis),
                    from_start=False,
                )
            )
    return found


def _make(
    name: str,
    kinds: FaultKind | tuple[FaultKind, ...] | frozenset[FaultKind],
    sensors: tuple[str, ...],
    spoil: Callable[[Recorded, tuple[str, ...]], Signals],
    *,
    from_start: bool = True,
) -> Injection:
    return Injection(
        name=name,
        kinds=frozenset({kinds} if isinstance(kinds, FaultKind) else kinds),
        sensors=sensors,
        spoil=lambda recorded: spoil(recorded, sensors),
        from_start=from_start,
    )


def _scaled(force: float, rate: float) -> Callable[[Recorded, tuple[str, ...]], Signals]:
    return lambda recorded, sensors: (
        force * recorded.acceleration,
        rate * recorded.angular_rate,
    )


def _clipped(force: float, rate: float) -> Callable[[Recorded, tuple[str, ...]], Signals]:
    return lambda recorded, sensors: (
        np.clip(recorded.acceleration, -force, force),
        np.clip(recorded.angular_rate, -rate, rate),
    )


def _biased(
    force: tuple[float, float, float], rate_right: float
) -> Callable[[Recorded, tuple[str, ...]], Signals]:
    """Add a force and a rate in segment axes."""

    def spoil(recorded: Recorded, sensors: tuple[str, ...]) -> Signals:
        arrays = recorded.mounting.arrays()
        added = np.array(force) @ arrays.rotation
        turning = np.array([0.0, -rate_right, 0.0]) @ arrays.rotation
        return recorded.acceleration + added, recorded.angular_rate + turning

    return spoil


def _without_gravity(recorded: Recorded, sensors: tuple[str, ...]) -> Signals:
    period, _ = stride_period(angular_rate=recorded.angular_rate[:, 1:], step_s=recorded.period_s)
    level = level_motion(
        acceleration=recorded.acceleration,
        angular_rate=recorded.angular_rate,
        period=period,
        step_s=recorded.period_s,
    ).level
    return recorded.acceleration - GRAVITY * level[..., 2, :], recorded.angular_rate


def _still_force(recorded: Recorded, sensors: tuple[str, ...]) -> Signals:
    held = np.broadcast_to(recorded.acceleration[:1], recorded.acceleration.shape)
    return held, recorded.angular_rate


def _still_axis(recorded: Recorded, sensors: tuple[str, ...]) -> Signals:
    rate = recorded.angular_rate.copy()
    for sensor in sensors:
        lateral = recorded.mounting.sensors[sensor].rotation[1]
        rate[:, ROW[sensor], int(np.argmax(np.abs(lateral)))] = 0.25
    return recorded.acceleration, rate


def _swapped(recorded: Recorded, sensors: tuple[str, ...]) -> Signals:
    """Exchange pairs of sensors that sit alike on their segments."""
    arrays = recorded.mounting.arrays()
    force, rate = recorded.acceleration.copy(), recorded.angular_rate.copy()
    for first, second in zip(sensors[::2], sensors[1::2], strict=True):
        for to, source in ((ROW[first], ROW[second]), (ROW[second], ROW[first])):
            corrected = (
                recorded.acceleration[:, source] - arrays.acceleration_bias_m_s2[source]
            ) / arrays.acceleration_gain[source]
            turn = arrays.rotation[source].T @ arrays.rotation[to]
            force[:, to] = (
                corrected @ turn * arrays.acceleration_gain[to] + arrays.acceleration_bias_m_s2[to]
            )
            rate[:, to] = (
                recorded.angular_rate[:, source] - arrays.gyro_bias_rad_s[source]
            ) @ turn + arrays.gyro_bias_rad_s[to]
    return force, rate


def _exchanged(recorded: Recorded, sensors: tuple[str, ...]) -> Signals:
    """Exchange the streams of pairs of sensors as they are."""
    force, rate = recorded.acceleration.copy(), recorded.angular_rate.copy()
    for first, second in zip(sensors[::2], sensors[1::2], strict=True):
        a, b = ROW[first], ROW[second]
        force[:, [a, b]] = recorded.acceleration[:, [b, a]]
        rate[:, [a, b]] = recorded.angular_rate[:, [b, a]]
    return force, rate


def _turned(degrees: float, axis: int) -> Callable[[Recorded, tuple[str, ...]], Signals]:
    """Turn a sensor about an axis of its segment."""

    def spoil(recorded: Recorded, sensors: tuple[str, ...]) -> Signals:
        angle = np.deg2rad(degrees)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        rotation = recorded.mounting.arrays().rotation
        own = np.swapaxes(rotation, -1, -2) @ turn @ rotation
        return (
            np.einsum('sij,tsj->tsi', own, recorded.acceleration),
            np.einsum('sij,tsj->tsi', own, recorded.angular_rate),
        )

    return spoil
