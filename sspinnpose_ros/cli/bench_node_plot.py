# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw how long the node takes from message to message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

COLORS = ('#3f7fb5', '#2f8f5b', '#d08a1d', '#c8503c')
PERCENTILES = (50.0, 99.0, 99.9)


def save_node_plot(path: Path, found: Sequence[Mapping[str, Any]]) -> None:
    """Draw the delays of all estimates, and how they come and go over time.

    Args:
        path: PNG file to write.
        found: what `bench_node.measure_node` returned, one curve each.

    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, (shares, course) = pyplot.subplots(1, 2, figsize=(12.0, 5.0), layout='constrained')
    longest = max(float(np.max(each['latency_ms'])) for each in found)
    fewest = min(1.0 / len(each['latency_ms']) for each in found)
    for number, each in enumerate(found):
        latency = np.asarray(each['latency_ms'], dtype=float)
        color = COLORS[number % len(COLORS)]
        label = f'{each["rate_hz"]:.0f} Hz'
        later = 1.0 - np.arange(len(latency)) / len(latency)
        shares.step(np.sort(latency), later, where='post', color=color, label=label)
        course.plot(
            np.linspace(0.0, 1.0, len(latency)), latency, '.', color=color, ms=2.5, alpha=0.5
        )
    for percentile in PERCENTILES:
        share = 1.0 - percentile / 100.0
        if share > 0.5 * fewest:
            shares.axhline(share, color='0.75', linewidth=0.8, zorder=0)
            shares.annotate(
                f'p{percentile:g}',
                (0.99, share),
                xycoords=('axes fraction', 'data'),
                ha='right',
                va='bottom',
                color='0.4',
                fontsize='small',
            )
    shares.set_yscale('log')
    shares.yaxis.set_major_formatter(lambda share, _: f'{100.0 * share:g} %')
    shares.set_xlim(0.0, 1.05 * longest)
    shares.set_xlabel('from the last IMU message to the joint states [ms]')
    shares.set_ylabel('share of estimates that took longer')
    shares.legend(title='rate of each sensor', loc='upper right', bbox_to_anchor=(0.94, 1.0))
    course.set_xlabel('part of the run')
    course.set_ylabel('delay [ms]')
    course.set_ylim(0.0, 1.05 * longest)
    for axis in (shares, course):
        axis.grid(alpha=0.25)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
