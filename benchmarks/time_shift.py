# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show how the scores of recorded trials depend on a shift in time.

Run `python benchmarks/time_shift.py DATA`. IMUs and laboratory were synchronized by whoever
recorded a trial. The scores that count are those without a shift; this only tells how much of
an error may be time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.recording_calibration import find_mounting
from sspinnpose_ros.bags.recording_estimate import recorded_outcomes
from sspinnpose_ros.bags.reference import load_reference
from sspinnpose_ros.bags.trial import REFERENCE, find_trial, subject_of
from sspinnpose_ros.cli.accuracy_trials import as_estimate
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.evaluation.metrics import as_json, evaluate

SHIFTS_MS = (-20, -10, 0, 5, 10, 15, 20, 25, 30)
SCORES = {
    'angles [deg]': 'angle_rmsd_deg',
    'moments [BWBH%]': 'moment_rmsd_bwbh',
    'vertical GRF [%BW]': 'grf_rmsd_bw',
}


def main() -> None:
    """Print a markdown table: every trial with its scores at each shift."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data', type=Path)
    parser.add_argument('--model', default='default')
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    print('| trial | score |' + ''.join(f' {shift:+d} ms |' for shift in SHIFTS_MS))
    print('| --- | --- |' + ' ---: |' * len(SHIFTS_MS))
    for folder in sorted(path.parent for path in arguments.data.glob('*/bag')):
        trial = find_trial(folder)
        subject = subject_of(trial)
        reference = load_reference(folder / REFERENCE)
        with open_imu_bag(trial.bag) as bag:
            mounting = find_mounting(bag, subject=subject, sensors=SENSORS).mounting
            estimator = Estimator(model=model, subject=subject, mounting=mounting)
            estimate = as_estimate(
                list(recorded_outcomes(bag, estimator=estimator, sensors=SENSORS))
            )
        scores = [
            as_json(
                evaluate(
                    estimate=estimate | {'time': estimate['time'] - 1e-3 * shift},
                    reference=reference,
                    mass_kg=subject.mass_kg,
                    height_m=subject.height_m,
                )
            )
            for shift in SHIFTS_MS
        ]
        for title, key in SCORES.items():
            values = [score[key] for score in scores]
            if None not in values:
                cells = ''.join(f' {value:.1f} |' for value in values)
                print(f'| `{folder.name}` | {title} |{cells}')


if __name__ == '__main__':
    main()
