# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw the last seconds of an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SHOWN_S = 5.0
COLORS = {'r': '#c8503c', 'l': '#3f7fb5'}
NAMES = {'r': 'right', 'l': 'left'}


def save_plot(
    path: Path,
    *,
    estimate: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None,
    joints: Sequence[str],
    weight_n: float,
) -> None:
    """Draw angles, moments and vertical forces of both sides into an image.

    Args:
        path: PNG file to write.
        estimate: arrays of an estimate.npz.
        reference: arrays of a reference.npz, drawn dashed; None without.
        joints: names, right ones then left ones.
        weight_n: body weight, N.

    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    kinds = len(joints) // 2
    figure, axes = pyplot.subplots(
        kinds + 1, 2, figsize=(12.0, 10.0), sharex=True, layout='constrained'
    )
    panels = {}
    for row in range(kinds):
        title = joints[row].split('_')[0]
        panels[axes[row, 0]] = (f'{title} angle [deg]', 'angle', row, 180.0 / np.pi)
        panels[axes[row, 1]] = (f'{title} moment [N m]', 'moment', row, 1.0)
    for axis, (label, kind, row, scale) in panels.items():
        axis.set_ylabel(label)
        for side, joint in zip('rl', (joints[row], joints[row + kinds]), strict=True):
            _draw(axis, f'{kind}_{joint}', side, scale, estimate, reference)
    for axis, kind in zip(axes[kinds], ('up', 'forward'), strict=True):
        axis.set_ylabel(f'GRF {kind} [% body weight]')
        axis.set_xlabel('time [s]')
        for side in 'rl':
            _draw(axis, f'grf_{kind}_{side}', side, 100.0 / weight_n, estimate, reference)
    end = float(estimate['time'][-1])
    axes[0, 0].set_xlim(max(float(estimate['time'][0]), end - SHOWN_S), end)
    axes[0, 0].legend(loc='upper right', fontsize='small')
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw(
    axis: Any,
    name: str,
    side: str,
    scale: float,
    estimate: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None,
) -> None:
    end = float(estimate['time'][-1])
    for arrays, style, label in (
        (reference or {}, '--', f'{NAMES[side]}, reference'),
        (estimate, '-', NAMES[side]),
    ):
        if name not in arrays:
            continue
        shown = (arrays['time'] >= end - SHOWN_S) & (arrays['time'] <= end)
        axis.plot(
            arrays['time'][shown],
            scale * arrays[name][shown],
            style,
            color=COLORS[side],
            linewidth=1.2,
            alpha=0.6 if style == '--' else 1.0,
            label=label,
        )
    axis.grid(alpha=0.3)
