# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write an estimate as one table of text, for spreadsheets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sspinnpose_ros.bags.reference import TIME
from sspinnpose_ros.core.conventions import SAGITTAL_CHANNELS, SENSORS

CSV = 'estimate.csv'
WHOLE = ('present', 'status')


def csv_columns(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of an estimate.npz as columns (n,), `time` first.

    What there is for each sensor becomes `present_<sensor>` and `residual_<sensor>_<channel>`.
    """
    count = len(arrays[TIME])
    columns = {TIME: arrays[TIME]}
    for name, values in arrays.items():
        if values.shape == (count,):
            columns[name] = values
        elif values.shape == (count, len(SENSORS)):
            columns |= {f'{name}_{s}': values[:, row] for row, s in enumerate(SENSORS)}
        elif values.shape == (count, len(SENSORS), len(SAGITTAL_CHANNELS)):
            columns |= {
                f'{name}_{sensor}_{channel}': values[:, row, part]
                for row, sensor in enumerate(SENSORS)
                for part, channel in enumerate(SAGITTAL_CHANNELS)
            }
    return columns


def write_estimate_csv(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write SI units as they are in estimate.npz; fields without an estimate are empty."""
    columns = csv_columns(arrays)
    forms = ['%d' if name.startswith(WHOLE) else '%.7g' for name in columns]
    forms[0] = '%.6f'
    with path.open('w', encoding='ascii') as file:
        file.write(','.join(columns) + '\n')
        for row in zip(*(values.tolist() for values in columns.values()), strict=True):
            file.write(
                ','.join(
                    '' if value != value else form % value
                    for form, value in zip(forms, row, strict=True)
                )
                + '\n'
            )
