# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold the sums of the watch for faults in C against the functions in Python."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sspinnpose_ros.core import native_step, native_watch
from sspinnpose_ros.core.drift_free import cross_matrix, steady_mean
from sspinnpose_ros.core.joint_agreement import JointAgreement, sampled_motion, swings
from sspinnpose_ros.core.mounting import MountingArrays
from sspinnpose_ros.core.stride_comparison import compared, phases
from sspinnpose_ros.core.stride_window import unlikeness

needs_native = pytest.mark.skipif(
    not native_watch.watches_in_c(), reason='the package was installed without a C compiler'
)

Outcome = np.ndarray | tuple[np.ndarray, ...]


def require_alike(function: Callable[[], Outcome], *, size: float = 1.0) -> None:
    """Run a function in C and in Python; `size` is that of its results."""
    native = function()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native_step.SWITCH, '0')
        assert not native_watch.watches_in_c()
        plain = function()
    pairs = (
        [(native, plain)] if isinstance(native, np.ndarray) else zip(native, plain, strict=True)
    )
    for one, other in pairs:
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * size)


def random_walk(rng: np.random.Generator, *, count: int, speed: float) -> np.ndarray:
    """Return (count, 7, 3) signals that go to and fro and are sometimes quite still."""
    phase = np.linspace(0.0, rng.uniform(3.0, 30.0), count)[:, None, None]
    signal = speed * np.sin(phase + rng.uniform(0.0, 6.0, (7, 3))) + rng.normal(size=(count, 7, 3))
    return signal * (rng.random((7, 1)) > 0.1)


seeds = given(seed=st.integers(0, 2**32 - 1), speed=st.sampled_from([0.1, 3.0, 40.0, 900.0]))


@needs_native
@settings(max_examples=80, deadline=None)
@seeds
def test_means_in_steady_axes_agree(seed: int, speed: float) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 400))
    rate = random_walk(rng, count=count, speed=speed)
    force = 10.0 * rng.normal(size=(count, 7, 3))
    require_alike(
        lambda: steady_mean(angular_rate=rate, acceleration=force, step_s=0.01), size=10.0
    )


@needs_native
def test_a_constant_force_is_multiplied_by_the_mean_rotation() -> None:
    rng = np.random.default_rng(0)
    rate = random_walk(rng, count=110, speed=4.0)
    force = rng.normal(size=(7, 3))
    whole = np.broadcast_to(force, rate.shape)
    mean, rotation = steady_mean(angular_rate=rate, acceleration=whole, step_s=0.01)
    np.testing.assert_allclose(mean, np.einsum('sij,sj->si', rotation, force), atol=1e-12)


@needs_native
@settings(max_examples=80, deadline=None)
@seeds
def test_unlikeness_agrees_and_is_zero_at_the_start(seed: int, speed: float) -> None:
    rng = np.random.default_rng(seed)
    tail = int(rng.integers(1, 60))
    signal = random_walk(rng, count=tail + int(rng.integers(0, 200)), speed=speed)
    signal = signal[:, : int(rng.integers(1, 8))][::-1]
    require_alike(lambda: unlikeness(signal, tail=tail))
    assert abs(unlikeness(signal, tail=tail)[0]) < 1e-12


@needs_native
@settings(max_examples=60, deadline=None)
@seeds
def test_motion_of_joints_agrees(seed: int, speed: float) -> None:
    rng = np.random.default_rng(seed)
    count, period_s = int(rng.integers(50, 400)), float(rng.choice([0.005, 0.01, 0.02]))
    mounted = rng.random(7) < 0.9
    mounted[0] = True
    number = int(mounted.sum())
    agreement = JointAgreement(
        mounting=MountingArrays(
            rotation=np.linalg.qr(rng.normal(size=(number, 3, 3)))[0],
            acceleration_gain=rng.uniform(0.8, 1.2, number),
            gyro_bias_rad_s=rng.normal(scale=0.1, size=(number, 3)),
            acceleration_bias_m_s2=rng.normal(scale=0.3, size=(number, 3)),
        ),
        mounted=mounted,
        position_m=rng.normal(scale=0.2, size=(7, 2)),
        leg_length_m=np.array([0.45, 0.43]),
    )
    force = 10.0 * rng.normal(size=(count, 7, 3))
    rate = random_walk(rng, count=count, speed=speed)

    def motion() -> tuple[np.ndarray, np.ndarray]:
        return sampled_motion(
            acceleration=force,
            angular_rate=rate,
            streams=agreement.stream_table,
            period_s=period_s,
        )

    # A lever adds the square of the rate and its change.
    size = 20.0 + speed**2 + speed / period_s
    require_alike(motion, size=size)
    at, lever = motion()
    require_alike(
        lambda: swings(
            at=at,
            lever=lever,
            ends=agreement.end_table,
            pairs=agreement.pair_table,
        ),
        size=size,
    )


@needs_native
@settings(max_examples=100, deadline=None)
@seeds
def test_strides_on_phases_agree(seed: int, speed: float) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(40, 400))
    force, rate = 10.0 * rng.normal(size=(count, 7, 3)), random_walk(rng, count=count, speed=speed)
    require_alike(lambda: phases(acceleration=force, angular_rate=rate), size=10.0 + speed)


@needs_native
@settings(max_examples=150, deadline=None)
@seeds
def test_comparisons_of_strides_agree(seed: int, speed: float) -> None:
    rng = np.random.default_rng(seed)
    before = phases(
        acceleration=10.0 * rng.normal(size=(110, 7, 3)),
        angular_rate=random_walk(rng, count=110, speed=speed),
    )
    turned = np.linalg.qr(rng.normal(size=(7, 3, 3)))[0]
    after = np.einsum('sij,tskj->tski', turned, before.reshape(len(before), 7, 2, 3))
    after = after.reshape(before.shape) + rng.normal(scale=rng.choice([0.0, 0.3, 3.0]))
    after = np.roll(after, int(rng.integers(len(before))), axis=0)
    usable = rng.random(7) < rng.choice([0.0, 0.6, 1.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native_step.SWITCH, '0')
        phase, *plain = compared(before, after, usable=usable)
    found, *native = compared(before, after, usable=usable)
    assert found == phase
    moving = np.abs(before[..., 3:]).max((0, 2)) > 0.0
    for one, other in zip(native, plain, strict=True):
        # The arc cosine of 1 less rounding is no better than this.
        np.testing.assert_allclose(one[moving], other[moving], rtol=1e-7, atol=1e-6)


@needs_native
def test_a_turn_is_found_whatever_it_is() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(size=(40, 7, 6))
    for angle in (0.0, 1e-4, 1.0, np.pi - 1e-4, np.pi):
        axis = rng.normal(size=(7, 3))
        axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
        cross = cross_matrix(axis)
        turn = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
        after = np.einsum('sij,tskj->tski', turn, before.reshape(40, 7, 2, 3)).reshape(40, 7, 6)
        # Where both are in phase no other shift agrees as well.
        _, turned, alike, factor = compared(before, after, usable=np.zeros(7, bool))
        np.testing.assert_allclose(turned, angle, atol=1e-9)
        np.testing.assert_allclose((alike, factor), 1.0, atol=1e-9)


def test_a_library_without_these_sums_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_watch, 'STREAM', np.dtype('f8'))
    assert native_watch._code.__wrapped__() is None
