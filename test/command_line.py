# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the command line inside the test process."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sspinnpose_ros.cli import main as command_line
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.model_file import Model, save_model
from sspinnpose_ros.core.network_step import expected_shapes
from sspinnpose_ros.core.uncertainty import head_shapes


@dataclass(frozen=True)
class Finished:
    """What a command left."""

    code: int
    out: str
    err: str


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> Finished:
    """Run `sspinnpose` with arguments and return how it ended."""
    monkeypatch.setattr('sys.argv', ['sspinnpose', *(str(each) for each in arguments)])
    before = signal.getsignal(signal.SIGTERM)
    capsys.readouterr()
    try:
        with pytest.raises(SystemExit) as ended:
            command_line.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    printed = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return Finished(code=ended.value.code, out=printed.out, err=printed.err)


def write_model(path: Path, *, hidden: int = 8) -> Path:
    """Write a model with random weights and return its folder."""
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(scale=0.03, size=shape).astype(np.float32)
        for name, shape in expected_shapes(hidden).items()
    }
    weights |= {
        name: np.full(shape, -3.0 if len(shape) == 1 else 0.001, np.float32)
        for name, shape in head_shapes(hidden).items()
    }
    save_model(
        path,
        Model(weights=weights, hidden=hidden, rate_hz=100.0, sensors=SENSORS, provenance={}),
    )
    return path
