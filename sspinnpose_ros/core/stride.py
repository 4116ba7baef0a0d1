# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find the stride period of cyclic gait and average signals over whole strides."""

from __future__ import annotations

import numpy as np

SHORTEST_STRIDE_S = 0.5
LONGEST_STRIDE_S = 2.4


def stride_period(*, angular_rate: np.ndarray, step_s: float) -> tuple[int, float]:
    """Return the stride period in samples and how strongly the signals repeat after it (0 to 1).

    `angular_rate` is (T, S, 3) in any constant axes: the summed autocorrelation does not depend
    on how the sensors are turned. The shortest strong peak is taken, so that two strides are
    never mistaken for one. Returns (0, 0.0) where nothing repeats.
    """
    signal = angular_rate - angular_rate.mean(axis=0)
    count = len(signal)
    shortest = int(np.ceil(SHORTEST_STRIDE_S / step_s))
    longest = min(int(LONGEST_STRIDE_S / step_s), count // 2)
    size = 1 << int(np.ceil(np.log2(2 * count)))
    spectrum = np.fft.rfft(signal.reshape(count, -1), size, axis=0)
    power = (spectrum * spectrum.conj()).real.sum(axis=1)
    correlation = np.fft.irfft(power, size)[: longest + 2]
    if longest <= shortest or correlation[0] <= 0.0:
        return 0, 0.0
    correlation = correlation / correlation[0] * count / (count - np.arange(len(correlation)))
    lags = np.arange(shortest, longest + 1)
    reach = max(1, shortest // 4)
    peaks = [
        lag
        for lag in lags
        if correlation[lag] == correlation[max(lag - reach, 0) : lag + reach + 1].max()
    ]
    if not peaks:
        return 0, 0.0
    best = max(correlation[lag] for lag in peaks)
    if best <= 0.0:
        return 0, 0.0
    period = next(lag for lag in peaks if correlation[lag] >= 0.85 * best)
    return int(period), float(min(correlation[period], 1.0))


def stride_average(values: np.ndarray, period: int) -> np.ndarray:
    """Return the running average of `values` (T, ...) over two strides, weighted by a triangle.

    A triangle of two strides removes every harmonic of the stride twice over, so small changes of
    cadence leak little. At the ends the weights that are left are normalized.
    """
    kernel = np.convolve(np.ones(period), np.ones(period))
    count = len(values)
    size = 1 << int(np.ceil(np.log2(count + len(kernel))))
    weights = np.fft.rfft(kernel, size)
    flat = values.reshape(count, -1)
    kept = slice(period - 1, period - 1 + count)
    summed = np.fft.irfft(np.fft.rfft(flat, size, axis=0) * weights[:, None], size, axis=0)[kept]
    total = np.fft.irfft(np.fft.rfft(np.ones(count), size) * weights, size)[kept]
    averaged: np.ndarray = (summed / total[:, None]).reshape(values.shape)
    return averaged


def walking(*, angular_rate: np.ndarray, period: int) -> np.ndarray:
    """Return (T,) whether the legs swing, from the rates (T, S, 3) [rad/s] of the leg sensors."""
    energy = stride_average((angular_rate**2).sum(axis=(1, 2)), period)
    moving: np.ndarray = energy > 0.3 * np.median(energy[energy > 0.1 * energy.max()])
    return moving


def longest_run(flags: np.ndarray) -> slice:
    """Return the longest stretch of true `flags` (T,), empty where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    if len(starts) == 0:
        return slice(0, 0)
    longest = int(np.argmax(ends - starts))
    return slice(int(starts[longest]), int(ends[longest]))
