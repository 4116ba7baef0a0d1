# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write estimates as the files that OpenSim reads: motions, joint moments, ground reactions.

OpenSim's ground has x forward, y up and z to the right. Its pelvis turns about z, so that leaning
back is positive, as here; hip flexion, dorsiflexion and their moments are signed as here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from sspinnpose_ros.bags.reference import TIME, TOTAL, net_moments
from sspinnpose_ros.core.conventions import JOINTS, SIDES
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.urdf import HIP_HALF_WIDTH_FRACTION

COORDINATES = 'coordinates.mot'
MOMENTS = 'inverse_dynamics.sto'
PERSON_MOMENTS = 'inverse_dynamics_person.sto'
FORCES = 'ground_reactions.mot'
LOADS = 'external_loads.xml'
FILES = (COORDINATES, MOMENTS, PERSON_MOMENTS, FORCES, LOADS)

FARTHEST_M = 5.0
"""How far Rajagopal's pelvis goes before it is held, m."""

PREFIX = {'r': '', 'l': 'l_'}
FORCE_PARTS = ('vx', 'vy', 'vz', 'px', 'py', 'pz')


@dataclass(frozen=True)
class OpenSimModel:
    """Say how a family of OpenSim models counts.

    Attributes:
        knee_sign: 1 where knee flexion is positive, -1 where it is negative.
        hip_m: (forward, up) of the hips from the origin of the pelvis in the unscaled model, m.
        height_m: stature that the unscaled model stands for, m.

    """

    knee_sign: float
    hip_m: tuple[float, float]
    height_m: float


MODELS = {
    'rajagopal': OpenSimModel(knee_sign=1.0, hip_m=(-0.0563, -0.0785), height_m=1.70),
    'gait2392': OpenSimModel(knee_sign=-1.0, hip_m=(-0.0707, -0.0661), height_m=1.80),
}
"""Rajagopal et al. (2016) and models made from it, such as those of OpenCap; gait2392, gait2354
and gait10dof18musc, made from Delp et al. (1990)."""


@dataclass(frozen=True, eq=False)
class OpenSimTable:
    """Hold one file: columns by name, the first of them `time`, each (n,)."""

    name: str
    columns: Mapping[str, np.ndarray]
    in_degrees: bool


def opensim_tables(
    arrays: Mapping[str, np.ndarray],
    *,
    height_m: float,
    model: OpenSimModel,
    in_place: bool = False,
) -> dict[str, OpenSimTable]:
    """Arrange an estimate as OpenSim does; rows without an estimate are left out.

    Args:
        arrays: of an estimate.npz.
        height_m: stature of the wearer, which scales where the hips are in the pelvis, m.
        model: whose signs and pelvis to use.
        in_place: whether to take the mean speed off all positions, as on a treadmill; a frame at
            constant speed leaves forces and moments as they are.

    Returns:
        Tables by file name: degrees and m; N m; N and m, centres of pressure on the ground and,
        sideways, below the hips.

    Raises:
        RecordingError: for an estimate without the pelvis, or without a single whole row.

    """
    needed = ('angle_pelvis_tilt', 'position_pelvis_forward', 'position_pelvis_up')
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise RecordingError(
            f'The estimate holds no {missing[0]}, expected what `sspinnpose estimate` writes; '
            'estimate again.'
        )
    net = net_moments(arrays)
    whole = np.isfinite(
        [
            *(arrays[name] for name in needed),
            *(arrays[f'angle_{joint}'] for joint in JOINTS),
            *(net[f'moment_{joint}'] for joint in JOINTS),
            *(arrays[f'{kind}_{side}'] for kind in ('grf_forward', 'grf_up') for side in SIDES),
        ]
    ).all(0)
    if not whole.any():
        raise RecordingError(
            'The estimate has not a single row with all angles, moments and forces, expected '
            'some; look at what `sspinnpose estimate` printed.'
        )

    chosen = {
        name: np.asarray(values[whole], dtype=np.float64)
        for name, values in arrays.items()
        if values.shape == whole.shape
    }
    time, forward = chosen[TIME], chosen['position_pelvis_forward']
    if in_place and len(time) > 1:
        forward = forward - np.polyval(np.polyfit(time, forward, 1), time)
    chosen['position_pelvis_forward'] = forward
    tables = {
        COORDINATES: OpenSimTable(
            'Coordinates',
            {TIME: time, **_coordinates(chosen, height_m=height_m, model=model)},
            in_degrees=True,
        ),
        MOMENTS: _moments(time, net_moments(chosen), model),
        FORCES: OpenSimTable(
            'Ground reactions',
            {TIME: time, **_forces(chosen, height_m=height_m)},
            in_degrees=False,
        ),
    }
    if any(name.startswith(TOTAL) for name in arrays):
        tables[PERSON_MOMENTS] = _moments(time, chosen, model)
    return tables


def write_opensim_files(folder: Path, tables: Mapping[str, OpenSimTable]) -> None:
    """Write tables, and the external loads that say which foot each ground reaction is on."""
    for name, table in tables.items():
        with (folder / name).open('w', encoding='ascii') as file:
            _write(file, table)
    (folder / LOADS).write_text(_external_loads(), encoding='ascii')


def _coordinates(
    rows: Mapping[str, np.ndarray], *, height_m: float, model: OpenSimModel
) -> dict[str, np.ndarray]:
    tilt = rows['angle_pelvis_tilt']
    forward, up = (part * height_m / model.height_m for part in model.hip_m)
    cos, sin = np.cos(tilt), np.sin(tilt)
    return {
        'pelvis_tilt': np.rad2deg(tilt),
        'pelvis_tx': rows['position_pelvis_forward'] - (cos * forward - sin * up),
        'pelvis_ty': rows['position_pelvis_up'] - (sin * forward + cos * up),
        **{joint: np.rad2deg(_signed(rows[f'angle_{joint}'], joint, model)) for joint in JOINTS},
    }


def _moments(
    time: np.ndarray, rows: Mapping[str, np.ndarray], model: OpenSimModel
) -> OpenSimTable:
    moments = {f'{name}_moment': _signed(rows[f'moment_{name}'], name, model) for name in JOINTS}
    return OpenSimTable(
        'Inverse Dynamics Generalized Forces', {TIME: time, **moments}, in_degrees=False
    )


def _signed(values: np.ndarray, joint: str, model: OpenSimModel) -> np.ndarray:
    return model.knee_sign * values if 'knee' in joint else values


def _forces(rows: Mapping[str, np.ndarray], *, height_m: float) -> dict[str, np.ndarray]:
    nothing = np.zeros(len(rows[TIME]))
    columns = {}
    for side in SIDES:
        aside = HIP_HALF_WIDTH_FRACTION * height_m * (1.0 if side == 'r' else -1.0)
        values = (
            rows[f'grf_forward_{side}'],
            rows[f'grf_up_{side}'],
            nothing,
            _pressure(rows, side=side),
            nothing,
            nothing + aside,
        )
        for part, value in zip(FORCE_PARTS, values, strict=True):
            columns[f'{PREFIX[side]}ground_force_{part}'] = value
    for side in SIDES:
        for part in 'xyz':
            columns[f'{PREFIX[side]}ground_torque_{part}'] = nothing
    return columns


def _pressure(rows: Mapping[str, np.ndarray], *, side: str) -> np.ndarray:
    """Return (n,) where the force acts, m forward; between where it is known, on a line."""
    time, hips = rows[TIME], rows['position_pelvis_forward']
    place = hips + rows.get(f'cop_forward_{side}', np.full(len(time), np.nan))
    known = np.isfinite(place)
    return np.interp(time, time[known], place[known]) if known.any() else hips


def _write(file: TextIO, table: OpenSimTable) -> None:
    values = np.stack(list(table.columns.values()), -1)
    file.write(
        f'{table.name}\nversion=1\nnRows={len(values)}\nnColumns={len(table.columns)}\n'
        f'inDegrees={"yes" if table.in_degrees else "no"}\n\n'
        'Units are S.I. units (second, meters, Newtons, ...)\n'
        'If the header above contains a line with inDegrees, this indicates whether rotational '
        'values are in degrees (yes) or radians (no).\n\nendheader\n'
    )
    file.write('\t'.join(table.columns) + '\n')
    np.savetxt(file, values, fmt='%.8f', delimiter='\t')


def _external_loads() -> str:
    forces = ''.join(
        f"""      <ExternalForce name="{name}">
        <applied_to_body>calcn_{side}</applied_to_body>
        <force_expressed_in_body>ground</force_expressed_in_body>
        <point_expressed_in_body>ground</point_expressed_in_body>
        <force_identifier>{PREFIX[side]}ground_force_v</force_identifier>
        <point_identifier>{PREFIX[side]}ground_force_p</point_identifier>
        <torque_identifier>{PREFIX[side]}ground_torque_</torque_identifier>
        <data_source_name>Unassigned</data_source_name>
      </ExternalForce>
"""
        for side, name in (('r', 'right'), ('l', 'left'))
    )
    return f"""<?xml version="1.0" encoding="UTF-8" ?>
<OpenSimDocument Version="40000">
  <ExternalLoads name="ground_reactions">
    <objects>
{forces}    </objects>
    <groups />
    <datafile>{FORCES}</datafile>
  </ExternalLoads>
</OpenSimDocument>
"""
