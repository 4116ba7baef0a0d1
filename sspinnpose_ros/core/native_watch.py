# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the heavy sums of the watch for faults in C, where the package was built with a compiler.

`drift_free`, `stride_window` and `joint_agreement` say what is right; without C they compute it
themselves, more slowly.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np

from sspinnpose_ros.core.native_step import is_native, library

STREAM = np.dtype(
    [
        ('row', 'f8'),
        ('forward', 'f8', 3),
        ('up', 'f8', 3),
        ('rate', 'f8', 3),
        ('force_bias', 'f8', 3),
        ('rate_bias', 'f8', 3),
    ]
)
"""A sensor as it would be on some segment: its row, what its axes add to the sagittal signals, and
its biases."""

END = np.dtype([('stream', 'f8'), ('forward', 'f8'), ('up', 'f8')])
"""An end of a joint: number of its stream and where it is from the sensor, m."""

_INT, _DOUBLE, _ARRAY = ctypes.c_int, ctypes.c_double, ctypes.c_void_p
_ARGUMENTS = {
    'steady_mean': [_INT, _INT, _ARRAY, _ARRAY, _DOUBLE, _ARRAY, _ARRAY],
    'unlikeness': [_INT, _INT, _INT, _ARRAY, _DOUBLE, _ARRAY],
    'sampled_motion': [
        *(_INT, _INT, _ARRAY, _ARRAY, _INT, _ARRAY, _DOUBLE, _INT, _INT),
        *(_ARRAY, _ARRAY, _ARRAY),
    ],
    'phases': [_INT, _INT, _ARRAY, _ARRAY, _DOUBLE, _INT, _ARRAY],
    'compare': [_INT, _INT, _ARRAY, _ARRAY, _ARRAY, _ARRAY, _ARRAY, _ARRAY],
    'swings': [_INT, _ARRAY, _ARRAY, _INT, _ARRAY, _INT, _ARRAY, _ARRAY, _ARRAY, _ARRAY],
}


@lru_cache(maxsize=1)
def _code() -> ctypes.PyDLL | None:
    found = library()
    if found is None:
        return None
    try:
        if ctypes.c_size_t.in_dll(found, 'sspinnpose_stream_size').value != STREAM.itemsize:
            return None
        for name, kinds in _ARGUMENTS.items():
            function = getattr(found, f'sspinnpose_{name}')
            function.argtypes, function.restype = kinds, _INT if name == 'compare' else None
    except (AttributeError, ValueError):
        return None
    return found


def watches_in_c() -> bool:
    """Tell whether the functions below may be called; if not, Python has to do."""
    return is_native() and _code() is not None


def steady_mean(
    *, angular_rate: np.ndarray, acceleration: np.ndarray, step_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `drift_free.steady_mean` does."""
    rate, force = _doubles(angular_rate), _doubles(acceleration)
    count, sensors, _ = rate.shape
    mean, rotation = np.empty((sensors, 3)), np.empty((sensors, 3, 3))
    _run('steady_mean', count, sensors, rate, force, step_s, mean, rotation)
    return mean, rotation


def unlikeness(signal: np.ndarray, *, tail: int, floor: float) -> np.ndarray:
    """Return what `stride_window.unlikeness` does."""
    signal = _doubles(signal)
    count, sensors, _ = signal.shape
    unlike = np.empty(count - tail + 1)
    _run('unlikeness', count, sensors, tail, signal, floor, unlike)
    return unlike


def sampled_motion(
    *,
    acceleration: np.ndarray,
    angular_rate: np.ndarray,
    streams: np.ndarray,
    period_s: float,
    half: int,
    step: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `joint_agreement.sampled_motion` does, of (n,) streams of `STREAM`."""
    force, rate = _doubles(acceleration), _doubles(angular_rate)
    count, sensors, _ = force.shape
    number = len(streams)
    at, lever = np.empty((2, number, -(-count // step)), complex)
    room = np.empty(5 * count)
    sizes = (number, streams, period_s, half, step)
    _run('sampled_motion', count, sensors, force, rate, *sizes, room, at, lever)
    return at, lever


def swings(
    *, at: np.ndarray, lever: np.ndarray, ends: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `joint_agreement.swings` does, of (n,) `END` and (m, 2) int32 pairs of them."""
    samples = at.shape[1]
    swing, apart = np.empty(len(ends)), np.empty(len(pairs))
    room = np.empty(2 * samples * len(ends))
    given = (at, lever, len(ends), ends, len(pairs), pairs)
    _run('swings', samples, *given, room, swing, apart)
    return swing, apart


def phases(
    *, acceleration: np.ndarray, angular_rate: np.ndarray, unit: float, number: int
) -> np.ndarray:
    """Return the signal of `stride_comparison.stride_of`."""
    force, rate = _doubles(acceleration), _doubles(angular_rate)
    count, sensors, _ = force.shape
    signal = np.empty((number, sensors, 6))
    _run('phases', count, sensors, force, rate, unit, number, signal)
    return signal


def compare(
    before: np.ndarray, after: np.ndarray, *, usable: np.ndarray
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Return what `stride_comparison.compared` does."""
    number, sensors, _ = before.shape
    found = np.empty((3, sensors))
    given = (_doubles(before), _doubles(after), _doubles(usable))
    later = _run('compare', number, sensors, *given, *found)
    return int(later or 0), *found


def _doubles(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)


def _run(name: str, *arguments: np.ndarray | float) -> int | None:
    function = getattr(_code(), f'sspinnpose_{name}')
    result: int | None = function(
        *(a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments)
    )
    return result
