# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pin the estimate of a stored recording: its numbers change by decision only."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from golden_recording import (
    DIGEST,
    RECORDED,
    TRIAL,
    differences,
    digest,
    estimate,
    model_hash,
    sha256_of,
)
from made_recordings import RECORDINGS

from sspinnpose_ros.core.model_file import default_model_path

pytestmark = pytest.mark.skipif(
    not default_model_path().exists(), reason='no model is shipped in this checkout'
)

ADVICE = 'if that is meant, run `make golden` and make test/golden part of the change'


@pytest.fixture(scope='module')
def golden() -> dict[str, Any]:
    return dict(json.loads(DIGEST.read_text()))


@pytest.fixture(scope='module')
def fresh(golden: dict[str, Any]) -> dict[str, Any]:
    """Return the golden digest if it belongs to the shipped model and the stored trial."""
    assert golden['model_sha256'] == model_hash(), (
        f'{DIGEST.name} was made with the model {golden["model_sha256"][:12]} and '
        f'{model_hash()[:12]} is shipped: run `make golden`.'
    )
    assert golden['trial_sha256'] == sha256_of(TRIAL), (
        f'{DIGEST.name} was made of another recording than the stored one: run `make golden`.'
    )
    return golden


@pytest.fixture(scope='module')
def rows() -> np.ndarray:
    return estimate(TRIAL)


def test_the_estimate_of_the_golden_recording(fresh: dict[str, Any], rows: np.ndarray) -> None:
    changed = differences(digest(rows), fresh['simulated'])
    assert not changed, f'{"; ".join(changed)}; {ADVICE}'


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason='the recorded trials are not here')
def test_the_estimate_of_a_recorded_trial(fresh: dict[str, Any]) -> None:
    assert RECORDED in fresh['recorded'], 'run `make golden` where the recorded trials are'
    changed = differences(digest(estimate(RECORDINGS / RECORDED)), fresh['recorded'][RECORDED])
    assert not changed, f'{"; ".join(changed)}; {ADVICE}'


def test_a_changed_number_is_seen(rows: np.ndarray) -> None:
    before = digest(rows)
    assert not differences(before, before)
    for name, change in (('angle_knee_angle_r', 0.01), ('moment_ankle_angle_l', 1.0)):
        other = rows.copy()
        other[name] += change
        assert [line.split()[0] for line in differences(digest(other), before)] == [name]
    other = rows.copy()
    other['status'][-3:] = 2
    assert any('status' in line for line in differences(digest(other), before))
    assert differences(digest(rows[:-1]), before)
