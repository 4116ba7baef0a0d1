# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keep angles, moments and forces over time in npz files, references and estimates alike."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sspinnpose_ros.core.atomic_output import file_beside
from sspinnpose_ros.core.conventions import JOINTS, SENSORS, SIDES
from sspinnpose_ros.core.errors import RecordingError

TIME = 'time'
STATUS = 'status'
TOTAL = 'moment_total_'
SMALL_BYTES = 64 * 2**20
LARGEST_RATIO = 100
"""Archives that unpack to more than this many times their size are no measurements."""

ESTIMATE_ROW = np.dtype(
    [
        (TIME, 'f8'),
        *((f'angle_{joint}', 'f4') for joint in JOINTS),
        *((f'velocity_{joint}', 'f4') for joint in JOINTS),
        *((f'moment_{joint}', 'f4') for joint in JOINTS),
        *((f'{kind}_{side}', 'f4') for kind in ('grf_forward', 'grf_up') for side in SIDES),
        *((f'cop_forward_{side}', 'f4') for side in SIDES),
        *((f'sigma_angle_{joint}', 'f4') for joint in JOINTS),
        *((f'sigma_moment_{joint}', 'f4') for joint in JOINTS),
        *((f'sigma_{kind}_{side}', 'f4') for kind in ('grf_forward', 'grf_up') for side in SIDES),
        ('angle_pelvis_tilt', 'f4'),
        ('position_pelvis_forward', 'f4'),
        ('position_pelvis_up', 'f4'),
        ('residual', 'f4', (len(SENSORS), 3)),
        ('present', '?', (len(SENSORS),)),
        *((f'moment_total_{joint}', 'f4') for joint in JOINTS),
        (STATUS, 'u1'),
    ]
)
"""Columns of estimate.npz: s, rad, rad/s, N m, N, m; `sigma_*` in the unit of what they belong to,
NaN from a model without uncertainty; `moment_*` without, `moment_total_*` with the torque of a
worn device, the latter only where there is one; residuals as `Estimate`; `status` as the levels of
diagnostic_msgs/DiagnosticStatus."""


class EstimateTable:
    """Collect rows of `ESTIMATE_ROW` on disk and save them as columns, in fixed memory."""

    def __init__(self, scratch: Path) -> None:
        """Keep rows in the file `scratch` until `close`."""
        self._scratch = scratch
        self._file = scratch.open('w+b')
        self._blocks: list[tuple[int, int]] = []

    def close(self) -> None:
        """Remove the scratch file."""
        self._file.close()
        self._scratch.unlink(missing_ok=True)

    def append(self, rows: np.ndarray) -> None:
        """Add (n,) rows of `ESTIMATE_ROW`."""
        self._blocks.append((self._file.tell(), len(rows)))
        # Column by column, so that a column can be gathered without reading the others.
        for name in ESTIMATE_ROW.names or ():
            self._file.write(rows[name].tobytes())

    def save(self, path: Path, *, with_total: bool = False) -> None:
        """Write the columns of all rows to an npz file; `moment_total_*` only `with_total`."""
        count = sum(rows for _, rows in self._blocks)
        names = [
            name for name in ESTIMATE_ROW.names or () if with_total or not name.startswith(TOTAL)
        ]
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name in names:
                kind, offset, *_ = (ESTIMATE_ROW.fields or {})[name]
                header = {
                    'descr': np.lib.format.dtype_to_descr(kind.base),
                    'fortran_order': False,
                    'shape': (count, *kind.shape),
                }
                with archive.open(f'{name}.npy', 'w', force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, header)
                    for begin, rows in self._blocks:
                        self._file.seek(begin + rows * offset)
                        member.write(self._file.read(rows * kind.itemsize))
        self._file.seek(0, 2)


def load_reference(path: Path) -> dict[str, np.ndarray]:
    """Read a reference.npz or an estimate.npz.

    Args:
        path: the file.

    Returns:
        Its arrays by name, among them `time` (n,) in s; unknown names are kept.

    Raises:
        RecordingError: for a file that is missing, no npz, or without a rising `time`.

    """
    try:
        with path.open('rb') as file:
            require_archive(file)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise RecordingError(
            f'{path} does not exist, expected an npz file with time, angles, moments or forces; '
            'name an existing file.'
        ) from None
    # What zipfile, zlib and numpy raise for damage is not documented and of many kinds.
    except Exception as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else 'no npz file'
        raise RecordingError(
            f'{path} cannot be read ({detail}), expected an npz file with time, angles, moments '
            'or forces; name such a file.'
        ) from None
    time = arrays.get(TIME)
    if time is None or time.ndim != 1 or len(time) < 2 or not (np.diff(time) > 0).all():
        raise RecordingError(
            f'{path} holds no rising array `time`, expected seconds since the first bag stamp; '
            'add one value per sample.'
        )
    for name, values in arrays.items():
        if name.startswith(('angle_', 'moment_', 'grf_', 'sigma_')) and values.shape != time.shape:
            raise RecordingError(
                f'{name} in {path} has shape {values.shape}, expected {time.shape} as `time`; '
                'give one value per sample.'
            )
    return arrays


def require_archive(file: BinaryIO) -> None:
    """Refuse arrays that claim to be larger than what is stored, before memory is taken.

    Raises:
        ValueError: for these, and for arrays of objects, which only pickle could read.

    """
    size = file.seek(0, 2)
    most = max(SMALL_BYTES, LARGEST_RATIO * size)
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            most -= member.file_size
            if most < 0:
                raise ValueError('unpacks to too much')
            with archive.open(member) as one:
                version = np.lib.format.read_magic(one)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read(one)
            if dtype.kind not in 'biuf' or math.prod(shape) * dtype.itemsize > member.file_size:
                raise ValueError('holds no numbers or fewer than it says')
    file.seek(0)


def load_estimate(path: Path) -> dict[str, np.ndarray]:
    """Read an estimate.npz.

    Args:
        path: the file.

    Returns:
        Its arrays by name; all angles, moments and ground reactions are there.

    Raises:
        RecordingError: as for `load_reference`, and for a file without one of these or with
            arrays of another shape than `ESTIMATE_ROW` names.

    """
    arrays = load_reference(path)
    needed = [
        *(f'{kind}_{joint}' for kind in ('angle', 'moment') for joint in JOINTS),
        *(f'{kind}_{side}' for kind in ('grf_forward', 'grf_up') for side in SIDES),
    ]
    for name in needed:
        if name not in arrays:
            raise RecordingError(
                f'{path} holds no {name}, expected an estimate.npz with all angles, moments and '
                'forces; name the folder that `sspinnpose estimate` wrote.'
            )
    for name, values in arrays.items():
        if name in (ESTIMATE_ROW.names or ()):
            shape = (*arrays[TIME].shape, *ESTIMATE_ROW[name].shape)
            if values.shape != shape:
                raise RecordingError(
                    f'{name} in {path} has shape {values.shape}, expected {shape}; estimate again.'
                )
    return arrays


def net_moments(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays whose `moment_*` are those of person and device together.

    A laboratory measures only these, so an estimate is compared with it by them.

    Args:
        arrays: of an estimate or a reference, by name.

    Returns:
        The same arrays, `moment_*` from `moment_total_*` where these are there.

    """
    return {
        **arrays,
        **{
            f'moment_{name.removeprefix(TOTAL)}': values
            for name, values in arrays.items()
            if name.startswith(TOTAL)
        },
    }


def save_reference(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays with a common `time` to an npz file.

    Args:
        path: the file; an older one is replaced.
        arrays: numpy arrays by name, as `load_reference` returns them.

    Raises:
        OutputError: where the file cannot be written.

    """
    with file_beside(path, overwrite=True) as partial:
        np.savez_compressed(partial, **arrays)
