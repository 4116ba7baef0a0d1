# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compare the physics with Kane's equations, which sympy derives from the segments anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_states import RandomStates, random_states

from sspinnpose_ros.core.dynamics import inverse_dynamics
from sspinnpose_ros.evaluation.kane import KaneEquations, kane_equations, kane_inverse_dynamics

pytest.importorskip('sympy')

COUNT = 300


@pytest.fixture(scope='module')
def equations() -> KaneEquations:
    return kane_equations()


def both_answers(states: RandomStates, function: Any) -> tuple[np.ndarray, np.ndarray]:
    theirs = kane_inverse_dynamics(
        function,
        body=states.body,
        q=states.q,
        qd=states.qd,
        qdd=states.qdd,
        contact_force=states.force,
    )
    ours = inverse_dynamics(
        body=states.body,
        motion=states.motion,
        contact_offset=states.contact.from_ankle,
        contact_force=states.force,
    )
    return np.asarray(ours), np.asarray(theirs)


def assert_equal_to_1e_9(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Compare each column relative to its own scale over all states."""
    scale = np.abs(theirs).max(axis=0)
    assert (scale > 0.0).all()
    assert (np.abs(ours - theirs) / scale).max() < 1e-9


def test_inverse_dynamics_with_contact_in_numpy(equations: KaneEquations) -> None:
    states = random_states(seed=41, count=COUNT)
    assert_equal_to_1e_9(*both_answers(states, equations.function('numpy')))


def test_inverse_dynamics_with_contact_in_torch(equations: KaneEquations) -> None:
    pytest.importorskip('torch')
    states = random_states(seed=42, count=COUNT).tensor()
    assert_equal_to_1e_9(*both_answers(states, equations.function('torch')))


def test_a_segment_too_heavy_is_seen(equations: KaneEquations) -> None:
    states = random_states(seed=43, count=20)
    function = equations.function('numpy')
    ours, _ = both_answers(states, function)
    heavier = states.body.map(lambda value: value.copy())
    heavier.segment_mass[:, 5] *= 1.001
    theirs = kane_inverse_dynamics(
        function,
        body=heavier,
        q=states.q,
        qd=states.qd,
        qdd=states.qdd,
        contact_force=states.force,
    )
    with pytest.raises(AssertionError):
        assert_equal_to_1e_9(ours, theirs)
