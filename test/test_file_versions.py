# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of another version are refused with what to do, whichever way they differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from command_line import write_model

from sspinnpose_ros.core import calibration_file, model_file, sensor_location_file
from sspinnpose_ros.core.errors import UserError


def model(path: Path, version: object) -> None:
    file = write_model(path) / 'model.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | {'version': version}))
    model_file.load_model(path)


def calibration(path: Path, version: object) -> None:
    path.write_text(yaml.safe_dump({'format': calibration_file.FORMAT, 'version': version}))
    calibration_file.load_calibration(path)


def locations(path: Path, version: object) -> None:
    content = {'mass_kg': 70.0, 'height_m': 1.75, 'format': sensor_location_file.FORMAT}
    path.write_text(yaml.safe_dump({**content, 'version': version}))
    sensor_location_file.load_locations(path)


each_kind = pytest.mark.parametrize('load', [model, calibration, locations])


@each_kind
def test_a_newer_file_asks_for_an_update(load: Callable[..., None], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'999.*expected .*update sspinnpose_ros'):
        load(tmp_path / 'it', 999)


@each_kind
@pytest.mark.parametrize('version', [0, -1, True, 1.0, '2', None, [1]])
def test_an_older_or_strange_file_asks_to_be_made_again(
    load: Callable[..., None], version: object, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r'version.*expected .*again with this release') as refused:
        load(tmp_path / 'it', version)
    assert 'update' not in str(refused.value)
