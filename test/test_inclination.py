# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Check the causal inclination filter."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sspinnpose_ros.core.inclination import (
    inclination_sequence,
    inclination_step,
    initial_inclination_state,
)

GRAVITY = 9.81


def swinging(samples=1500, period_s=0.01, offset=0.2, size=0.6, frequency_hz=0.9):
    time = np.arange(samples) * period_s
    omega = 2 * np.pi * frequency_hz
    angle = offset + size * np.sin(omega * time)
    rate = size * omega * np.cos(omega * time)
    signals = np.zeros((samples, 7, 3))
    signals[..., 0] = (GRAVITY * np.sin(angle))[:, None]
    signals[..., 1] = (GRAVITY * np.cos(angle))[:, None]
    signals[..., 2] = rate[:, None]
    return angle, signals


@settings(max_examples=25, deadline=None)
@given(angle=st.floats(-3.0, 3.0))
def test_a_still_sensor_is_read_at_once(angle):
    still = np.zeros((3, 7, 3))
    still[..., 0], still[..., 1] = GRAVITY * np.sin(angle), GRAVITY * np.cos(angle)
    found, change = inclination_sequence(sagittal=still, period_s=0.01)
    np.testing.assert_allclose(found, angle, atol=1e-9)
    np.testing.assert_allclose(change, 0.0)


def test_a_swinging_segment_is_followed():
    angle, signals = swinging()
    found, _ = inclination_sequence(sagittal=signals, period_s=0.01)
    assert np.rad2deg(np.abs(found - angle[:, None])).max() < 0.2


def test_horizontal_acceleration_is_averaged_out():
    angle, signals = swinging()
    time = np.arange(len(angle)) * 0.01
    shove = 4.0 * np.sin(2 * np.pi * 1.8 * time)
    signals[..., 0] += (np.cos(angle) * shove)[:, None]
    signals[..., 1] += (-np.sin(angle) * shove)[:, None]
    found, _ = inclination_sequence(sagittal=signals, period_s=0.01)
    assert np.rad2deg(np.abs(found - angle[:, None]))[500:].max() < 1.5


def test_a_gyro_bias_is_learnt():
    angle, signals = swinging(samples=6000)
    signals[..., 2] += 0.05
    found, _ = inclination_sequence(sagittal=signals, period_s=0.01)
    assert np.rad2deg(np.abs(found - angle[:, None]))[4000:].max() < 0.5


def test_a_sensor_that_returns_starts_anew():
    _, signals = swinging(samples=400)
    present = np.ones((400, 7), bool)
    present[100:200, 3] = False
    found, change = inclination_sequence(sagittal=signals, present=present, period_s=0.01)
    assert not found[100:200, 3].any()
    assert not change[100:201, 3].any()
    fresh, _ = inclination_sequence(sagittal=signals[200:], period_s=0.01)
    np.testing.assert_allclose(found[200:, 3], fresh[:, 3], atol=1e-12)


def test_steps_leave_their_state_alone_and_batches_agree():
    _, signals = swinging(samples=50)
    state = initial_inclination_state()
    inclination_step(state=state, sagittal=signals[0], present=np.ones(7, bool), period_s=0.01)
    assert not state.count.any()
    batch = np.stack([signals, signals[::-1]])
    both, _ = inclination_sequence(sagittal=batch, period_s=0.01)
    alone, _ = inclination_sequence(sagittal=signals[::-1], period_s=0.01)
    np.testing.assert_array_equal(both[1], alone)
