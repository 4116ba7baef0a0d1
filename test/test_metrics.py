# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score known differences."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from sspinnpose_ros.bags.reference import (
    ESTIMATE_ROW,
    EstimateTable,
    load_reference,
    save_reference,
)
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.evaluation.metrics import as_json, as_table, evaluate, interpolate, score

MASS, HEIGHT = 70.0, 1.75


def curves(rate_hz: float = 100.0, seconds: float = 20.0) -> dict[str, np.ndarray]:
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return {
        'time': time,
        'angle_knee_angle_r': 0.5 + 0.5 * np.sin(2 * np.pi * time),
        'moment_knee_angle_r': 50.0 * np.sin(2 * np.pi * time),
        'grf_up_r': 350.0 + 300.0 * np.sin(2 * np.pi * time),
        'grf_up_l': 350.0 - 300.0 * np.sin(2 * np.pi * time),
        'grf_forward_r': 60.0 * np.cos(2 * np.pi * time),
    }


def scores(estimate: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> dict:
    return as_json(evaluate(estimate=estimate, reference=reference, mass_kg=MASS, height_m=HEIGHT))


def test_a_known_offset_is_reported_in_the_unit_of_the_field() -> None:
    reference = curves()
    weight = MASS * GRAVITY
    estimate = {
        **reference,
        'angle_knee_angle_r': reference['angle_knee_angle_r'] + np.deg2rad(4.0),
        'moment_knee_angle_r': reference['moment_knee_angle_r'] - 0.02 * weight * HEIGHT,
        'grf_up_r': reference['grf_up_r'] + 0.1 * weight,
    }
    found = scores(estimate, reference)
    assert found['angle_rmsd_deg'] == pytest.approx(4.0)
    assert found['angle_rmsd_bias_free_deg'] == pytest.approx(0.0, abs=1e-9)
    assert found['moment_rmsd_bwbh'] == pytest.approx(2.0)
    assert found['moment_rmsd_nm_per_kg'] == pytest.approx(0.02 * GRAVITY * HEIGHT)
    assert found['parts']['moment']['knee_angle_r']['bias_bwbh'] == pytest.approx(-2.0)
    assert found['grf_rmsd_bw'] == pytest.approx(5.0)
    assert found['parts']['grf_up']['r']['rmsd_bw'] == pytest.approx(10.0)
    assert found['grf_forward_rmsd_bw'] == 0.0
    assert found['scored_s'] == pytest.approx(17.0, abs=0.02)


def test_quantities_without_reference_are_null() -> None:
    reference = {k: v for k, v in curves().items() if not k.startswith(('angle', 'moment'))}
    found = scores(curves(), reference)
    assert found['angle_rmsd_deg'] is None
    assert found['moment_rmsd_bwbh'] is None
    assert found['moment_rmsd_nm_per_kg'] is None
    assert found['grf_rmsd_bw'] == 0.0
    json.dumps(found, allow_nan=False)


def test_the_start_and_every_nan_are_left_out() -> None:
    reference, estimate = curves(), curves()
    estimate['angle_knee_angle_r'][:300] += 10.0
    estimate['angle_knee_angle_r'][500:600] = np.nan
    reference['angle_knee_angle_r'][700:900] = np.nan
    found = scores(estimate, reference)
    assert found['angle_rmsd_deg'] == pytest.approx(0.0, abs=1e-9)
    assert found['parts']['angle']['knee_angle_r']['samples'] == 2000 - 300 - 100 - 200


def test_estimates_are_read_at_the_times_of_the_reference() -> None:
    fine = curves(rate_hz=1000.0)
    shifted = {name: values[3:] for name, values in fine.items()}
    found = scores(shifted, curves(rate_hz=60.0))
    assert found['angle_rmsd_deg'] < 0.01
    assert found['angle_r2'] > 0.9999


def test_long_gaps_are_not_interpolated() -> None:
    at = np.array([0.0, 0.1, 0.5, 0.6])
    seen = interpolate(
        time=np.array([-0.1, 0.05, 0.1, 0.3, 0.5, 0.55, 0.7]), at=at, values=2.0 * at
    )
    np.testing.assert_allclose(seen, [np.nan, 0.1, 0.2, np.nan, 1.0, 1.1, np.nan])


def test_r2_is_the_coefficient_of_determination() -> None:
    reference = np.sin(np.linspace(0.0, 20.0, 500))
    assert score(reference, reference).r2 == 1.0
    assert score(np.full(500, reference.mean()), reference).r2 == pytest.approx(0.0)
    assert score(reference, np.ones(500)).r2 is None


def test_the_table_names_every_quantity() -> None:
    reference = curves()
    table = as_table(
        evaluate(estimate=reference, reference=reference, mass_kg=MASS, height_m=HEIGHT)
    )
    for word in ('knee_angle_r', 'BWBH%', 'vertical GRF', 'forward GRF', 'N m/kg', '17 s'):
        assert word in table


def test_reference_files_read_back_and_bad_ones_are_named(tmp_path: Path) -> None:
    save_reference(tmp_path / 'a.npz', curves())
    assert set(load_reference(tmp_path / 'a.npz')) == set(curves())
    (tmp_path / 'b.npz').write_text('no archive')
    np.savez(tmp_path / 'c.npz', angle_knee_angle_r=np.zeros(3))
    np.savez(tmp_path / 'd.npz', time=np.arange(3.0), angle_knee_angle_r=np.zeros(4))
    np.save(tmp_path / 'e.npy', np.zeros(3))
    for name, words in (
        ('b.npz', 'cannot be read'),
        ('c.npz', 'no rising array `time`'),
        ('d.npz', 'has shape'),
        ('e.npy', 'cannot be read'),
        ('none.npz', 'does not exist'),
    ):
        with pytest.raises(RecordingError, match=words):
            load_reference(tmp_path / name)


def test_an_estimate_table_keeps_rows_on_disk_until_saved(tmp_path: Path) -> None:
    rows = np.zeros(5, dtype=ESTIMATE_ROW)
    rows['time'] = np.arange(5.0)
    rows['angle_hip_flexion_l'] = 0.25
    with closing(EstimateTable(tmp_path / 'scratch')) as table:
        table.append(rows[:2])
        table.append(rows[2:])
        table.save(tmp_path / 'estimate.npz')
    assert [path.name for path in tmp_path.iterdir()] == ['estimate.npz']
    loaded = load_reference(tmp_path / 'estimate.npz')
    assert loaded['time'].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert loaded['angle_hip_flexion_l'].tolist() == [0.25] * 5
