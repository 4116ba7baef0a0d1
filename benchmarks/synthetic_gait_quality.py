"""Show how well synthetic wearers obey mechanics and keep to the published cycles they aim for.

Run `python benchmarks/synthetic_gait_quality.py`.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.training.gait_style import NODES, draw_gaits
from sspinnpose_ros.training.synthetic_gait import sample, synthesize

LOADED_SHARE = 0.1


def main() -> None:
    """Print residuals, slip, tracking and double support per kind of gait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--wearers', type=int, default=64)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    targets = draw_gaits(np.random.default_rng(3), arguments.wearers)
    motions = synthesize(targets)
    weight = (motions.body.mass_kg * GRAVITY)[:, None, None]
    aimed = torch.tensor(np.stack([target.force for target in targets]))[..., 1]
    found = motions.force.sum(-2)[..., 1] / weight
    for kind in ('walking', 'running', 'standing'):
        rows = [row for row, target in enumerate(targets) if target.kind == kind]
        off = []
        for row in rows:
            one = motions.part(slice(row, row + 1))
            times = torch.arange(NODES) / NODES * targets[row].duration_s
            angles = sample(one, time_s=times).q[0, :, 3:].numpy()
            off.append(np.rad2deg(np.sqrt(np.square(angles - targets[row].angles).mean())))
        both = [(share[rows] > LOADED_SHARE).all(-1).double().mean() for share in (aimed, found)]
        residual = 100 * motions.residual[rows].mean(0)
        print(
            f'{kind:9s} {len(rows):3d} wearers: pelvis residual {residual[0]:.2f} and '
            f'{residual[1]:.2f} %BW, slip {motions.slip[rows].mean():.2f} m/s, '
            f'{np.mean(off):.1f} deg from the aim, both feet loaded {both[1]:.3f} of the cycle '
            f'(aim {both[0]:.3f})'
        )


if __name__ == '__main__':
    main()
