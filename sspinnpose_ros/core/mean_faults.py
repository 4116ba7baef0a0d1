# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recognize faults that show in the means of a sensor's signals over one stride."""

from __future__ import annotations

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.fault import Fault, FaultKind
from sspinnpose_ros.core.mounting import MountingArrays
from sspinnpose_ros.core.plausibility import unit_fault
from sspinnpose_ros.core.stride_window import StrideWindow, WindowMean

LARGEST_GAIN = 0.15
"""How far the mean size of the specific force may be off gravity; recorded people, walking,
running and in between, stay within 0.07."""

NOT_GRAVITY = (0.7, 1.3)

FARTHEST_RAD = np.deg2rad(120.0)
"""A sitting wearer's thigh lies level, nobody's points down."""

POSTURE_DEG = {
    'pelvis': (-45.0, 45.0),
    'thigh': (-35.0, 55.0),
    'shank': (-75.0, 30.0),
    'foot': (-70.0, 40.0),
}
"""Where the mean force over a stride points, forward of up; recorded walkers and runners stay 30
degrees within."""

FARTHEST_ASIDE_DEG = 40.0
"""The same to either side; recorded walkers and runners stay within 18 degrees."""

FARTHEST_ASIDE_AT_REST_DEG = 50.0

LARGEST_RATE_BIAS = {'pelvis': 0.25, 'thigh': 0.35, 'shank': 0.45, 'foot': 0.7}
"""Mean rate over a stride that repeats, rad/s; recordings reach half of it."""

QUIET_FORCE = 0.3
"""Root mean square deviation of the force, m/s^2, below which a sensor is at rest."""

RESTING_RATE = 0.15
"""Largest mean rate at rest, rad/s."""


def unit_faults(window: StrideWindow, *, mean: WindowMean, judged: np.ndarray) -> list[Fault]:
    """Name sensors whose unit or kind of signal is wrong.

    Args:
        window: of raw signals.
        mean: its means.
        judged: (7,) bool, whose mean force is steady enough to be judged.

    """
    faults = []
    fastest = _nearly_largest(window.speed)
    turning = np.sqrt((window.speed**2).mean(0))
    reading = np.linalg.norm(window.mean_acceleration, axis=-1)
    force, spread = mean.size, mean.spread
    for row in np.flatnonzero(window.usable).tolist():
        fault = unit_fault(
            SENSORS[row],
            fastest_rad_s=float(fastest[row]),
            mean_force=float(force[row]) if judged[row] else float('nan'),
            force_spread=float(spread[row]),
            mean_rate=float(turning[row]),
            mean_reading=float(reading[row]),
        )
        if fault is not None:
            faults.append(fault)
    return faults


def _nearly_largest(values: np.ndarray) -> np.ndarray:
    """Return the 99th percentile over the first axis, as `numpy.percentile` does more slowly."""
    rank = 0.99 * (len(values) - 1)
    below = int(rank)
    above = min(below + 1, len(values) - 1)
    ordered = np.partition(values, (below, above), axis=0)
    nearly: np.ndarray = ordered[below] + (rank - below) * (ordered[above] - ordered[below])
    return nearly


def reads_gravity(window: StrideWindow, *, force: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Return (7,) whether a sensor may read gravity, in steady axes or in its own.

    Args:
        window: of raw signals.
        force: (7,) size of the steady mean force, m/s^2.
        gain: (7,) reading divided by the true force.

    """
    reading = np.linalg.norm(window.mean_acceleration, axis=-1)
    largest = np.maximum(force, reading) / gain / GRAVITY
    smallest = np.minimum(force, reading) / gain / GRAVITY
    may: np.ndarray = (largest > NOT_GRAVITY[0]) & (smallest < NOT_GRAVITY[1])
    return may


def mounted_faults(
    window: StrideWindow,
    *,
    mean: WindowMean,
    mounting: MountingArrays,
    mounted: np.ndarray,
    judged: np.ndarray,
) -> list[Fault]:
    """Name sensors that misread, or sit otherwise than their mounting says.

    Args:
        window: of raw signals.
        mean: its means.
        mounting: of the mounted sensors.
        mounted: (7,) bool.
        judged: (7,) bool, whose mean force is steady enough to be judged.

    """
    chosen = np.flatnonzero(mounted)
    acceleration = window.mean_acceleration[chosen] - mounting.acceleration_bias_m_s2
    bias = np.einsum('sij,sj->si', mean.rotation[chosen], mounting.acceleration_bias_m_s2)
    size = np.linalg.norm(mean.force[chosen] - bias, axis=-1)
    gain = size / GRAVITY / mounting.acceleration_gain
    rate = window.angular_rate.mean(0)[chosen] - mounting.gyro_bias_rad_s
    pointing = np.einsum('sij,sj->si', mounting.rotation, acceleration)
    along = np.rad2deg(np.arctan2(pointing[:, 0], pointing[:, 2]))
    aside = np.rad2deg(np.arctan2(pointing[:, 1], np.hypot(pointing[:, 0], pointing[:, 2])))
    lateral = mounting.rotation[:, 1]
    bias = -np.einsum('sj,sj->s', lateral, rate)
    quiet = window.acceleration.std(0)[chosen].max(-1) < QUIET_FORCE
    faults = []
    for index, row in enumerate(chosen.tolist()):
        if not window.usable[row]:
            continue
        sensor = SENSORS[row]
        found = [_bias_fault(sensor, float(bias[index]), window.steady, bool(quiet[index]))]
        if judged[row]:
            found += [
                _gain_fault(sensor, float(gain[index])),
                _posture_fault(sensor, float(along[index]), float(aside[index]), window.steady),
            ]
        faults += [fault for fault in found if fault is not None]
    return faults


def _gain_fault(sensor: str, gain: float) -> Fault | None:
    if not abs(gain - 1.0) > LARGEST_GAIN:
        return None
    return Fault(
        kind=FaultKind.FORCE_GAIN,
        sensors=(sensor,),
        sentence=f'{sensor} reads {gain:.2f} g on average, expected 1.00 after its calibration: '
        'the gain or the bias of its accelerometer is wrong; calibrate again or replace it.',
        size=gain - 1.0,
    )


def _bias_fault(sensor: str, bias: float, steady: bool, quiet: bool) -> Fault | None:
    limit = RESTING_RATE if quiet else LARGEST_RATE_BIAS[sensor.split('_')[0]]
    if not (steady or quiet) or not abs(bias) > limit:
        return None
    when = 'at rest' if quiet else 'over a stride'
    return Fault(
        kind=FaultKind.RATE_BIAS,
        sensors=(sensor,),
        sentence=f'{sensor} turns by {bias:+.2f} rad/s {when}, expected none on average: its gyro '
        'has a bias; let it rest and start again, calibrate again or replace it.',
        size=bias,
    )


def _posture_fault(sensor: str, along: float, aside: float, steady: bool) -> Fault | None:
    low, high = POSTURE_DEG[sensor.split('_')[0]]
    if not steady:
        low, high = -np.rad2deg(FARTHEST_RAD), np.rad2deg(FARTHEST_RAD)
    farthest = FARTHEST_ASIDE_DEG if steady else FARTHEST_ASIDE_AT_REST_DEG
    if low <= along <= high and abs(aside) <= farthest:
        return None
    seen, where = (
        (along, 'in the sagittal plane') if not low <= along <= high else (aside, 'to the side')
    )
    return Fault(
        kind=FaultKind.WORN_OTHERWISE,
        sensors=(sensor,),
        sentence=f'{sensor} measures a mean force {abs(seen):.0f} degrees {where} from the up of '
        'its segment, expected near 0: it is worn otherwise than its mounting says, or its force '
        'has the wrong sign; turn it (x forward, y up, z right), or calibrate again with '
        'sensor_axes unknown.',
        size=seen,
    )
