# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Digest the estimate of the golden recording; `make golden` writes the digest anew.

`test/golden/trial` is a simulated wearer, stored so that it is the same on every computer.
`test/golden/estimate.json` says what the pipeline makes of it, and of a recorded trial where that
is at hand, with the hash of the model and of the recording.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from made_recordings import RECORDINGS

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.recording_calibration import find_mounting
from sspinnpose_ros.bags.recording_estimate import estimate_rows, recorded_outcomes
from sspinnpose_ros.bags.trial import find_trial, subject_of
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import WEIGHTS_FILE, default_model_path, load_model

FOLDER = Path(__file__).parent / 'golden'
TRIAL, DIGEST = FOLDER / 'trial', FOLDER / 'estimate.json'
RECORDED = 'overground_walk_p1'

SIMULATED = {'seconds': 8.0, 'standing_s': 1.0, 'seed': 7, 'iterations': 100}
STEPS = 256.0
"""The stored samples are whole multiples of one over this, which makes the recording small."""

TOLERANCE = 1e-3
"""Of the spread of a signal: far more than the rounding of another computer, far less than any
change that somebody means to make."""


def sha256_of(path: Path) -> str:
    """Return the hash of a file, or of all files of a folder in the order of their names."""
    files = (
        [path] if path.is_file() else sorted(each for each in path.rglob('*') if each.is_file())
    )
    found = hashlib.sha256()
    for each in files:
        found.update(each.read_bytes())
    return found.hexdigest()


def model_hash() -> str:
    """Return the hash of the shipped model's weights."""
    return sha256_of(default_model_path() / WEIGHTS_FILE)


def estimate(path: Path) -> np.ndarray:
    """Return the rows that `sspinnpose estimate` makes of a trial with the shipped model."""
    trial = find_trial(path)
    subject = subject_of(trial)
    with open_imu_bag(trial.bag, sensors=SENSORS) as bag:
        found = find_mounting(bag, subject=subject, sensors=SENSORS)
        estimator = Estimator(
            model=load_model('default'), subject=subject, mounting=found.mounting
        )
        return estimate_rows(list(recorded_outcomes(bag, estimator=estimator, sensors=SENSORS)))


def digest(rows: np.ndarray) -> dict[str, Any]:
    """Return how many rows of each status there are, and five numbers of every signal.

    These are mean, standard deviation, least, greatest and the value two thirds of the way, zero
    where it is not known.
    """
    signals = {}
    for name in rows.dtype.names or ():
        if rows[name].dtype.kind == 'f' and name != 'time' and np.isfinite(rows[name]).any():
            column = rows[name].astype(np.float64).reshape(len(rows), -1)
            later = column[2 * len(rows) // 3]
            known, later = column[np.isfinite(column)], later[np.isfinite(later)]
            middle = later.mean() if len(later) else 0.0
            numbers = (known.mean(), known.std(), known.min(), known.max(), middle)
            signals[name] = [float(f'{number:.7g}') for number in numbers]
    levels, counts = np.unique(rows['status'], return_counts=True)
    return {
        'rows': len(rows),
        'status': {str(level): int(count) for level, count in zip(levels, counts, strict=True)},
        'signals': signals,
    }


def differences(seen: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return what two digests do not agree in, in words."""
    found = [
        f'{key} is {seen[key]}, it was {expected[key]}'
        for key in ('rows', 'status')
        if seen[key] != expected[key]
    ]
    names = set(seen['signals']) ^ set(expected['signals'])
    found += [f'{name} is in one of them only' for name in sorted(names)]
    for name, numbers in expected['signals'].items():
        others = seen['signals'].get(name, numbers)
        allowed = TOLERANCE * max(abs(numbers[1]), 1e-6)
        worst = max(abs(one - other) for one, other in zip(numbers, others, strict=True))
        if not worst <= allowed:
            found.append(f'{name} is off by {worst:.3g}, at most {allowed:.3g} is rounding')
    return found


def make_trial() -> None:
    """Simulate the trial anew and round its samples."""
    from dataclasses import replace

    from sspinnpose_ros.bags.imu_bag_writer import write_imu_bag
    from sspinnpose_ros.cli.simulate import ORIGIN_NS, SimulationConfig, simulate_to_bag
    from sspinnpose_ros.core.atomic_output import folder_beside

    contents = ('bag', 'subject.yaml', 'reference.npz')
    with folder_beside(TRIAL, overwrite=True, contents=contents) as folder:
        made = folder / 'made'
        simulate_to_bag(made, config=SimulationConfig(**SIMULATED))
        with open_imu_bag(made / 'bag') as bag:
            series = {
                name: replace(one, sample=np.round(one.sample * STEPS) / STEPS)
                for name, one in bag.series().items()
            }
        write_imu_bag(folder / 'bag', series=series, origin_ns=ORIGIN_NS)
        (made / 'subject.yaml').rename(folder / 'subject.yaml')
        for each in sorted(made.rglob('*'), reverse=True):
            each.rmdir() if each.is_dir() else each.unlink()
        made.rmdir()


def main() -> int:
    """Write the digest, and the trial too where it is asked for or missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--trial', action='store_true', help='simulate the trial anew, too')
    if parser.parse_args().trial or not TRIAL.exists():
        make_trial()
    content: dict[str, Any] = {
        'made_by': 'make golden',
        'model_sha256': model_hash(),
        'trial_sha256': sha256_of(TRIAL),
        'simulated': digest(estimate(TRIAL)),
        'recorded': {},
    }
    if (RECORDINGS / RECORDED).exists():
        content['recorded'][RECORDED] = digest(estimate(RECORDINGS / RECORDED))
    DIGEST.write_text(json.dumps(content, indent=1) + '\n')
    print(f'{DIGEST}: {content["simulated"]["rows"]} rows, recorded: {list(content["recorded"])}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
