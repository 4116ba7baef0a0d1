# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write estimates for OpenSim and spreadsheets, and read them back as these do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip('rosbags')

from command_line import run
from made_recordings import SUBJECT

from sspinnpose_ros.bags.opensim_files import FILES, MODELS, opensim_tables
from sspinnpose_ros.bags.reference import ESTIMATE_ROW
from sspinnpose_ros.core.body import body_from_anthropometry
from sspinnpose_ros.core.conventions import COORDINATES, JOINTS
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.kinematics import kinematics

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

ROWS = 400
UNKNOWN = 7
"""Rows at the beginning without an estimate."""

HEIGHT_M = 1.75


def estimate() -> dict[str, np.ndarray]:
    """Return arrays of an estimate that differ everywhere."""
    rng = np.random.default_rng(2)
    arrays = {}
    for name in ESTIMATE_ROW.names or ():
        kind = ESTIMATE_ROW[name]
        values = rng.normal(scale=0.3, size=(ROWS, *kind.shape)).astype(kind.base)
        if kind.base.kind == 'f' and name != 'time':
            values[:UNKNOWN] = np.nan
        arrays[name] = values
    arrays['time'] = np.arange(ROWS) * 0.01
    arrays['position_pelvis_up'] += 0.9
    arrays['position_pelvis_forward'] += 1.3 * arrays['time'].astype(np.float32)
    arrays['cop_forward_r'][100:200] = np.nan
    arrays['status'][:] = 0
    return {name: values for name, values in arrays.items() if 'moment_total' not in name}


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    return estimate()


@pytest.fixture
def out(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    folder = tmp_path / 'OUT'
    folder.mkdir()
    np.savez(folder / 'estimate.npz', **arrays)
    (folder / 'subject.yaml').write_text(SUBJECT)
    return folder


def read_storage(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Read a .mot or .sto file as its format is described, and hold its header against it."""
    lines = path.read_text().splitlines()
    end = lines.index('endheader')
    header = dict(line.split('=', 1) for line in lines[:end] if '=' in line)
    names = lines[end + 1].split('\t')
    values = np.array([[float(field) for field in line.split('\t')] for line in lines[end + 2 :]])
    assert header['version'] == '1'
    assert int(header['nRows']) == len(values)
    assert int(header['nColumns']) == len(names) == values.shape[1]
    assert len(set(names)) == len(names)
    assert names[0] == 'time'
    assert (np.diff(values[:, 0]) > 0.0).all()
    return header, dict(zip(names, values.T, strict=True))


def knee_sign(model: str) -> float:
    return -1.0 if model == 'gait2392' else 1.0


@pytest.mark.parametrize('model', MODELS)
def test_files_for_opensim_hold_the_estimate(
    out: Path,
    arrays: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: Capture,
    model: str,
) -> None:
    folder = tmp_path / 'opensim'
    done = run(monkeypatch, capsys, 'export', out, '-o', folder, '--opensim-model', model)
    assert done.code == 0, done.err
    assert f'{ROWS - UNKNOWN} rows' in done.out
    assert f'{UNKNOWN} without an estimate left out' in done.out
    header, motion = read_storage(folder / 'coordinates.mot')
    assert header['inDegrees'] == 'yes'
    signs = [knee_sign(model) if 'knee' in joint else 1.0 for joint in JOINTS]
    for joint, sign in zip(JOINTS, signs, strict=True):
        wanted = np.rad2deg(sign * arrays[f'angle_{joint}'][UNKNOWN:])
        np.testing.assert_allclose(motion[joint], wanted, atol=1e-5)
    np.testing.assert_allclose(
        motion['pelvis_tilt'], np.rad2deg(arrays['angle_pelvis_tilt'][UNKNOWN:]), atol=1e-5
    )
    header, moments = read_storage(folder / 'inverse_dynamics.sto')
    assert header['inDegrees'] == 'no'
    assert list(moments) == ['time', *(f'{joint}_moment' for joint in JOINTS)]
    for joint, sign in zip(JOINTS, signs, strict=True):
        wanted = sign * arrays[f'moment_{joint}'][UNKNOWN:]
        np.testing.assert_allclose(moments[f'{joint}_moment'], wanted, atol=1e-6)
    header, forces = read_storage(folder / 'ground_reactions.mot')
    assert header['inDegrees'] == 'no'
    for side, prefix in (('r', ''), ('l', 'l_')):
        for part, name in (('vx', 'forward'), ('vy', 'up')):
            wanted = arrays[f'grf_{name}_{side}'][UNKNOWN:]
            np.testing.assert_allclose(forces[f'{prefix}ground_force_{part}'], wanted, atol=1e-6)
        assert not forces[f'{prefix}ground_force_py'].any()
        assert np.sign(forces[f'{prefix}ground_force_pz'][0]) == (1.0 if side == 'r' else -1.0)
    place = (arrays['position_pelvis_forward'] + arrays['cop_forward_r'])[UNKNOWN:]
    known = np.isfinite(place)
    np.testing.assert_allclose(forces['ground_force_px'][known], place[known], atol=1e-5)
    assert np.isfinite(forces['ground_force_px']).all()


def test_loads_name_columns_and_feet(
    out: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    folder = tmp_path / 'opensim'
    assert run(monkeypatch, capsys, 'export', out, '-o', folder).code == 0
    _, forces = read_storage(folder / 'ground_reactions.mot')
    loads = ElementTree.parse(folder / 'external_loads.xml').getroot()[0]
    assert (folder / loads.findtext('datafile', '')).exists()
    bodies = []
    for force in loads.iter('ExternalForce'):
        bodies.append(force.findtext('applied_to_body'))
        for tag, axes in (('force', 'xyz'), ('point', 'xyz'), ('torque', 'xyz')):
            prefix = force.findtext(f'{tag}_identifier')
            assert all(f'{prefix}{axis}' in forces for axis in axes)
    assert bodies == ['calcn_r', 'calcn_l']


@pytest.mark.parametrize('model', MODELS)
def test_legs_of_opensim_are_where_ours_are(arrays: dict[str, np.ndarray], model: str) -> None:
    """Place the hip and the knee as OpenSim does, from pelvis_tx, pelvis_ty and the angles."""
    table = opensim_tables(arrays, height_m=HEIGHT_M, model=MODELS[model])['coordinates.mot']
    motion = table.columns
    body = body_from_anthropometry(mass_kg=70.0, height_m=HEIGHT_M, segment_length_m={})
    coordinates = np.stack(
        [
            arrays['position_pelvis_forward'],
            arrays['position_pelvis_up'],
            arrays['angle_pelvis_tilt'],
            *(arrays[f'angle_{joint}'] for joint in COORDINATES[3:]),
        ],
        -1,
    )[UNKNOWN:].astype(np.float64)
    still = np.zeros_like(coordinates)
    ours = kinematics(body=body, q=coordinates, qd=still, qdd=still)
    tilt = np.deg2rad(motion['pelvis_tilt'])
    scale = HEIGHT_M / MODELS[model].height_m
    hip = np.stack([motion['pelvis_tx'], motion['pelvis_ty']], -1) + turned(
        tilt, scale * np.array(MODELS[model].hip_m)
    )
    np.testing.assert_allclose(hip, ours.position[:, 1], atol=1e-6)
    # A thigh hangs along -y of its frame, which turns about z by tilt and flexion.
    thigh = tilt + np.deg2rad(motion['hip_flexion_r'])
    length = np.linalg.norm(ours.position[0, 2] - ours.position[0, 1])
    knee = hip + turned(thigh, np.array([0.0, -length]))
    np.testing.assert_allclose(knee, ours.position[:, 2], atol=1e-6)
    shank = thigh - knee_sign(model) * np.deg2rad(motion['knee_angle_r'])
    length = np.linalg.norm(ours.position[0, 3] - ours.position[0, 2])
    ankle = knee + turned(shank, np.array([0.0, -length]))
    np.testing.assert_allclose(ankle, ours.position[:, 3], atol=1e-6)


def turned(angle: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return (n, 2) a point (x, y) turned about z by (n,) rad."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * point[0] - sin * point[1], sin * point[0] + cos * point[1]], -1)


def test_in_place_takes_off_a_constant_speed_alone(arrays: dict[str, np.ndarray]) -> None:
    def tables(in_place: bool) -> Mapping[str, Mapping[str, np.ndarray]]:
        made = opensim_tables(
            arrays, height_m=HEIGHT_M, model=MODELS['rajagopal'], in_place=in_place
        )
        return {name: table.columns for name, table in made.items()}

    there, here = tables(False), tables(True)
    assert abs(here['coordinates.mot']['pelvis_tx']).max() < 2.0
    moved = there['coordinates.mot']['pelvis_tx'] - here['coordinates.mot']['pelvis_tx']
    assert abs(np.diff(moved, 2)).max() < 1e-9
    forces = [each['ground_reactions.mot'] for each in (there, here)]
    also = forces[0]['l_ground_force_px'] - forces[1]['l_ground_force_px']
    np.testing.assert_allclose(also, moved, atol=1e-9)
    for name in ('ground_force_vx', 'l_ground_force_vy'):
        np.testing.assert_array_equal(forces[0][name], forces[1][name])


def test_the_moments_of_a_worn_device_are_told_apart(arrays: dict[str, np.ndarray]) -> None:
    arrays |= {f'moment_total_{joint}': 2.0 * arrays[f'moment_{joint}'] for joint in JOINTS}
    tables = opensim_tables(arrays, height_m=HEIGHT_M, model=MODELS['rajagopal'])
    total = tables['inverse_dynamics.sto'].columns['knee_angle_r_moment']
    own = tables['inverse_dynamics_person.sto'].columns['knee_angle_r_moment']
    np.testing.assert_allclose(total, 2.0 * own)


def test_csv_holds_all_of_the_estimate(
    out: Path,
    arrays: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: Patch,
    capsys: Capture,
) -> None:
    folder = tmp_path / 'csv'
    done = run(monkeypatch, capsys, 'export', out, '-o', folder, '--format', 'csv')
    assert done.code == 0, done.err
    lines = (folder / 'estimate.csv').read_text().splitlines()
    names = lines[0].split(',')
    table = np.array([[float(field or 'nan') for field in line.split(',')] for line in lines[1:]])
    found = dict(zip(names, table.T, strict=True))
    for name in ('time', 'angle_knee_angle_r', 'moment_ankle_angle_l', 'grf_up_r', 'status'):
        np.testing.assert_allclose(found[name], arrays[name], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        found['residual_thigh_r_rate_right'], arrays['residual'][:, 1, 2], rtol=1e-6
    )
    np.testing.assert_array_equal(found['present_foot_l'], arrays['present'][:, 6])
    width = sum(int(np.prod(values.shape[1:])) for values in arrays.values())
    assert len(names) == width


def test_mistakes_are_sentences_and_leave_nothing(
    out: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    target = tmp_path / 'target'
    done = run(monkeypatch, capsys, 'export', tmp_path / 'nowhere', '-o', target)
    assert done.code == 2
    assert 'does not exist' in done.err
    (out / 'subject.yaml').unlink()
    done = run(monkeypatch, capsys, 'export', out, '-o', target)
    assert done.code == 2
    assert '--subject' in done.err
    assert not target.exists()
    assert run(monkeypatch, capsys, 'export', out, '-o', target, '--format', 'csv').code == 0
    done = run(monkeypatch, capsys, 'export', out, '-o', target, '--format', 'csv')
    assert done.code == 2
    assert '--overwrite' in done.err
    again = ('export', out, '-o', target, '--format', 'csv', '--overwrite')
    assert run(monkeypatch, capsys, *again).code == 0


def test_an_estimate_without_a_whole_row_is_refused(arrays: dict[str, np.ndarray]) -> None:
    nothing = {**arrays, 'angle_hip_flexion_l': np.full(ROWS, np.nan)}
    with pytest.raises(RecordingError, match='not a single row'):
        opensim_tables(nothing, height_m=HEIGHT_M, model=MODELS['rajagopal'])
    del arrays['angle_pelvis_tilt']
    with pytest.raises(RecordingError, match='angle_pelvis_tilt'):
        opensim_tables(arrays, height_m=HEIGHT_M, model=MODELS['rajagopal'])


def test_opensim_opens_every_file(
    out: Path, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    # It leaves a log where it is imported.
    monkeypatch.chdir(tmp_path)
    opensim = pytest.importorskip('opensim', reason='opensim is not installed')
    folder = tmp_path / 'opensim'
    assert run(monkeypatch, capsys, 'export', out, '-o', folder).code == 0
    for name in FILES:
        path = folder / name
        if not path.exists() or path.suffix == '.xml':
            continue
        header, columns = read_storage(path)
        table = opensim.TimeSeriesTable(str(path))
        assert list(table.getColumnLabels()) == list(columns)[1:]
        np.testing.assert_array_equal(table.getIndependentColumn(), columns['time'])
        np.testing.assert_array_equal(
            table.getMatrix().to_numpy(), np.stack(list(columns.values())[1:], -1)
        )
        storage = opensim.Storage(str(path))
        assert storage.getSize() == ROWS - UNKNOWN
        assert storage.isInDegrees() == (header['inDegrees'] == 'yes')
    assert opensim.ExternalLoads(str(folder / 'external_loads.xml'), True).getSize() == 2
