# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold the step in C against the functions in Python that say what is right."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sspinnpose_ros.core import native_step
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.estimator_state import EstimatorState
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.inclination import InclinationState
from sspinnpose_ros.core.model_file import Model
from sspinnpose_ros.core.mounting import Mounting, SensorMounting
from sspinnpose_ros.core.network_step import expected_shapes
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.uncertainty import head_shapes

SOURCES = sorted((Path(native_step.__file__).parent / 'native').glob('*.c'))

needs_native = pytest.mark.skipif(
    native_step.library() is None, reason='the package was installed without a C compiler'
)


def random_model(rng: np.random.Generator, *, hidden: int, with_head: bool) -> Model:
    shapes = expected_shapes(hidden) | (head_shapes(hidden) if with_head else {})
    return Model(
        weights={
            name: rng.normal(scale=0.7 / np.sqrt(shape[-1]), size=shape).astype(np.float32)
            for name, shape in shapes.items()
        },
        hidden=hidden,
        rate_hz=float(rng.choice([50.0, 100.0, 200.0])),
        sensors=SENSORS,
        provenance={},
    )


def random_mounting(rng: np.random.Generator) -> Mounting:
    sensors = {}
    for name in SENSORS:
        axes, triangle = np.linalg.qr(rng.normal(size=(3, 3)))
        axes *= np.sign(np.diag(triangle))
        axes[:, 0] *= np.sign(np.linalg.det(axes))
        sensors[name] = SensorMounting(
            rotation=axes,
            acceleration_gain=float(rng.uniform(0.8, 1.2)),
            gyro_bias_rad_s=rng.normal(scale=0.1, size=3),
            acceleration_bias_m_s2=rng.normal(scale=0.3, size=3),
        )
    if rng.random() < 0.3:
        del sensors[str(rng.choice(SENSORS))]
    return Mounting(sensors=sensors)


def random_state(rng: np.random.Generator, *, hidden: int) -> EstimatorState:
    square = rng.exponential(size=(7, 2)) * 10.0 ** rng.integers(-4, 5)
    square[rng.random(7) < 0.2] = np.nan
    return EstimatorState(
        inclination=InclinationState(
            turned=rng.normal(scale=3.0, size=7),
            bias=rng.uniform(-0.15, 0.15, size=7),
            last_rate=rng.normal(scale=4.0, size=7),
            count=rng.integers(0, 320, size=7).astype(float),
            average=rng.normal(scale=6.0, size=(7, 2, 2)),
        ),
        recurrent=np.tanh(rng.normal(size=(2, 2, hidden))).astype(np.float32),
        pelvis_forward=float(rng.normal(scale=20.0)),
        last_speed=float(rng.normal()) if rng.random() < 0.8 else float('nan'),
        residual_square=square,
    )


def pair(seed: int) -> tuple[Estimator, Estimator, np.random.Generator, int]:
    """Return an estimator in Python and one in C of the same random model and wearer."""
    rng = np.random.default_rng(seed)
    hidden = int(rng.choice([3, 8, 16, 40, 128]))
    arguments = {
        'model': random_model(rng, hidden=hidden, with_head=rng.random() < 0.8),
        'subject': make_subject(
            mass_kg=float(rng.uniform(40.0, 130.0)), height_m=float(rng.uniform(1.4, 2.1))
        ),
        'mounting': random_mounting(rng),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(native_step.SWITCH, '0')
        plain = Estimator(**arguments)
    native = Estimator(**arguments)
    assert native.steps_in_c
    assert not plain.steps_in_c
    return plain, native, rng, hidden


def random_frame(rng: np.random.Generator, index: int) -> tuple[Frame, np.ndarray | None]:
    present = rng.random(7) < rng.choice([0.5, 0.9, 1.0])
    imu = np.concatenate(
        [rng.normal(scale=12.0, size=(7, 3)), rng.normal(scale=4.0, size=(7, 3))], -1
    )
    used = rng.random(7) < 0.8 if rng.random() < 0.4 else None
    return Frame(time_s=0.01 * index, imu=imu * present[:, None], present=present), used


def assert_alike(first: object, second: object, *, rtol: float, atol: float) -> None:
    for field in fields(first):  # type: ignore[arg-type]
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, InclinationState):
            assert_alike(one, other, rtol=rtol, atol=atol)
        else:
            np.testing.assert_allclose(one, other, rtol=rtol, atol=atol, err_msg=field.name)


@needs_native
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_everything_but_the_network_agrees_to_rounding(seed: int) -> None:
    plain, native, rng, hidden = pair(seed)
    state = random_state(rng, hidden=hidden)
    frame, used = random_frame(rng, 0)
    following, estimate = native.step(state, frame, used=used)
    assert native._native is not None
    output = native._native.output.copy()
    # The network sums in another order in single precision; lend its outcome to the other.
    plain._network = lambda inputs, recurrent: (output, following.recurrent)  # type: ignore
    wanted_state, wanted = plain.step(state, frame, used=used)
    assert_alike(following, wanted_state, rtol=1e-9, atol=1e-9)
    # Moments of wild accelerations are some 1e4 N m, differences of larger parts.
    assert_alike(estimate, wanted, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(estimate.q, wanted.q, rtol=1e-9, atol=1e-9)


@needs_native
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_network_agrees_to_single_precision(seed: int) -> None:
    plain, native, rng, hidden = pair(seed)
    states = [random_state(rng, hidden=hidden)] * 2
    for index in range(40):
        frame, used = random_frame(rng, index)
        found = [
            each.step(state, frame, used=used)
            for each, state in zip((plain, native), states, strict=True)
        ]
        states = [state for state, _ in found]
        (_, wanted), (_, estimate) = found
        mass = float(plain.body.mass_kg)
        np.testing.assert_allclose(estimate.q[1:], wanted.q[1:], atol=1e-4)
        np.testing.assert_allclose(estimate.effort / mass, wanted.effort / mass, atol=1e-3)
        np.testing.assert_allclose(
            estimate.ground_force / mass, wanted.ground_force / mass, atol=1e-3
        )
        np.testing.assert_allclose(states[1].recurrent, states[0].recurrent, atol=2e-5, rtol=1e-5)


@needs_native
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), value=st.sampled_from([np.nan, np.inf, -np.inf, 1e300]))
def test_what_is_not_finite_stays_so_and_forgets_nothing_else(seed: int, value: float) -> None:
    plain, native, rng, _ = pair(seed)
    frame, _ = random_frame(rng, 0)
    imu = frame.imu.copy()
    imu[int(rng.integers(7)), int(rng.integers(6))] = value
    frame = replace(frame, imu=imu, present=np.ones(7, bool))
    with np.errstate(all='ignore'):
        _, wanted = plain.step(plain.initial_state(), frame)
    state, estimate = native.step(native.initial_state(), frame)
    for name in ('q', 'effort', 'sole_wrench'):
        known = np.isfinite(getattr(wanted, name)).all()
        assert np.isfinite(getattr(estimate, name)).all() == known, name
    # The next walker starts from nothing.
    assert not native.initial_state().recurrent.any()
    assert state is not None


@needs_native
def test_states_and_estimates_of_the_past_stay_as_they_were() -> None:
    _, native, rng, hidden = pair(5)
    state = random_state(rng, hidden=hidden)
    kept: list[tuple[object, list[np.ndarray]]] = []
    for index in range(5):
        frame, used = random_frame(rng, index)
        state, estimate = native.step(state, frame, used=used)
        for each in (state, state.inclination, estimate):
            kept.append((each, [np.array(getattr(each, f.name)) for f in _arrays(each)]))
    for each, values in kept:
        for field, value in zip(_arrays(each), values, strict=True):
            np.testing.assert_array_equal(getattr(each, field.name), value)


def _arrays(each: object) -> list:
    return [f for f in fields(each) if isinstance(getattr(each, f.name), np.ndarray)]  # type: ignore


@needs_native
def test_equal_steps_give_equal_bits() -> None:
    _, native, rng, hidden = pair(6)
    state = random_state(rng, hidden=hidden)
    frame, used = random_frame(rng, 0)
    first = native.step(state, frame, used=used)[1]
    other, other_used = random_frame(rng, 1)
    native.step(random_state(rng, hidden=hidden), other, used=other_used)
    again = native.step(state, frame, used=used)[1]
    for field in fields(Estimate):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))


def test_a_library_of_another_layout_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(native_step._RECORDS, 'state', np.dtype('f8'))
    assert native_step.library.__wrapped__() is None


@pytest.mark.parametrize('source', SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize('compiler', ['gcc', 'clang'])
def test_the_code_compiles_without_a_warning(compiler: str, source: Path, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f'{compiler} is not installed')
    flags = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Werror', '-c']
    command = [compiler, *flags, str(source), '-o', str(tmp_path / 'code.o')]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
