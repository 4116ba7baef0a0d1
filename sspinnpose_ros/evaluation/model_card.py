# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write the facts of a model card from the model itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sspinnpose_ros.core.model_file import Model
from sspinnpose_ros.evaluation.accuracy_results import AccuracyResults
from sspinnpose_ros.evaluation.accuracy_table import replace_tables
from sspinnpose_ros.evaluation.accuracy_targets import TargetRow, target_rows

BEGIN = '<!-- sspinnpose model: begin -->'
END = '<!-- sspinnpose model: end -->'


def facts(model: Model, *, results: AccuracyResults) -> str:
    """Return what a model says of itself, and what it reaches, as a markdown table.

    Args:
        model: the one whose card it is.
        results: scores whose first model it is.

    """
    provenance = model.provenance
    config: Mapping[str, Any] = provenance.get('config') or {}
    held_out = provenance.get('held_out_synthetic') or {}
    recorded = float(provenance.get('recorded_seconds') or 0.0)
    started = provenance.get('started_from')
    verdicts = Counter(_first_verdict(row) for row in target_rows(results))
    entries = {
        'network': f'two LSTM layers of {model.hidden} units, {_weights(model)} weights, '
        f'{model.rate_hz:g} Hz',
        'seed': config.get('seed', 'unknown'),
        'training': f'{provenance.get("iterations", "unknown")} steps on '
        f'{config.get("wearers", "unknown")} synthetic motions',
        "recorded people's IMU data in training": f'{recorded:.0f} s' if recorded else 'none',
        'labels in training': 'none',
        'started from': 'random weights' if not started else 'another model',
        'made with': f'version {provenance.get("package_version", "unknown")}, '
        f'torch {provenance.get("torch_version", "unknown")}',
        'held-out synthetic wearers like those of its training': ', '.join(
            f'{held_out[key]:.1f} {unit}'
            for key, unit in (
                ('angle_rmsd_deg', 'degrees'),
                ('moment_rmsd_bwbh', 'BWBH%'),
                ('grf_rmsd_bw', '%BW'),
            )
            if key in held_out
        )
        or 'unknown',
        'targets of the accuracy page': ', '.join(
            f'{count} {verdict}' for verdict, count in verdicts.most_common()
        ),
    }
    lines = ['| fact | value |', '| --- | --- |']
    return '\n'.join([*lines, *(f'| {name} | {value} |' for name, value in entries.items())])


def replace_facts(document: str, text: str, *, name: str) -> str:
    """Put the facts between the markers of a model card, as `replace_tables`."""
    return replace_tables(document, text, name=name, begin=BEGIN, end=END)


def _first_verdict(row: TargetRow) -> str:
    if row.verdict in ('no data here', 'does not count'):
        return row.verdict
    return 'met' if row.limit is not None and row.reached[0] <= row.limit else 'not met'


def _weights(model: Model) -> str:
    return f'{sum(value.size for value in model.weights.values()) / 1000:.0f} thousand'
