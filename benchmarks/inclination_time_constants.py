# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show how the inclination filter's error depends on its time constants, on synthetic wearers.

Run `python benchmarks/inclination_time_constants.py`. Legs turn out of the plane too, which
a planar filter meets as a gyro bias of some degrees per second, hence the large bias here.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from sspinnpose_ros.core import inclination
from sspinnpose_ros.core.kinematics import joint_angles
from sspinnpose_ros.training.gait_style import draw_gaits
from sspinnpose_ros.training.synthetic_gait import sample, synthesize
from sspinnpose_ros.training.wearer import SensorErrors, wear

PERIOD_S = 0.01
SETTLING = 500


def main() -> None:
    """Print the mean joint-angle RMSD of the filter alone for each pair of time constants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--wearers', type=int, default=60)
    parser.add_argument('--rate-bias', type=float, default=0.05, help='one sigma, rad/s')
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    motions = synthesize(draw_gaits(np.random.default_rng(0), arguments.wearers))
    truth = sample(motions, time_s=torch.arange(2500) * PERIOD_S)
    worn = wear(
        motion=truth,
        body=motions.body,
        period_s=PERIOD_S,
        rng=np.random.default_rng(1),
        errors=SensorErrors(mounting_rad=0.0, rate_bias=arguments.rate_bias),
    )
    averages = (0.3, 0.5, 0.75, 1.0, 1.5)
    print('bias loop [s]  average of' + ''.join(f'{tau:8.2f}' for tau in averages) + ' s')
    for loop in (3.0, 5.0, 8.0, float('inf')):
        inclination.BIAS_TIME_CONSTANT_S = loop
        errors = []
        for tau in averages:
            angle, _ = inclination.inclination_sequence(
                sagittal=worn.sagittal, period_s=PERIOD_S, time_constant_s=tau
            )
            off = joint_angles(np.unwrap(angle, axis=1)) - truth.q[..., 3:].numpy()
            errors.append(np.rad2deg(np.sqrt(np.square(off[:, SETTLING:]).mean(1)).mean()))
        print(f'{loop:13.0f}            ' + ''.join(f'{error:8.2f}' for error in errors) + ' deg')


if __name__ == '__main__':
    main()
