# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write the parameter tables of docs/ros_api.md from those that the nodes declare."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from sspinnpose_ros.ros import assist_example, imu_relay
from sspinnpose_ros.ros.parameters import PARAMETERS, Parameter

TABLES = {
    'parameters': PARAMETERS,
    'imu_relay': imu_relay.PARAMETERS,
    'assist_example': assist_example.PARAMETERS,
}


def parameter_table(parameters: Sequence[Parameter] = PARAMETERS) -> str:
    """Return a table as markdown, one row a parameter."""
    rows = ['| parameter | type | default | allowed | meaning |', '|---|---|---|---|---|']
    rows += [_row(parameter) for parameter in parameters]
    return '\n'.join(rows)


def with_table(document: str) -> str:
    """Return a document with every table between its markers.

    Raises:
        ValueError: for a document without the markers.

    """
    for name, parameters in TABLES.items():
        first, last = f'<!-- {name}: begin -->', f'<!-- {name}: end -->'
        before, begin, rest = document.partition(first)
        _, end, after = rest.partition(last)
        if not begin or not end:
            raise ValueError(f'The document lacks the lines {first} and {last}; add them.')
        document = f'{before}{first}\n\n{parameter_table(parameters)}\n\n{last}{after}'
    return document


def _row(parameter: Parameter) -> str:
    default = yaml.safe_dump(parameter.default, default_flow_style=True, width=1000)
    allowed = ', '.join(f'`{choice}`' for choice in parameter.choices)
    if parameter.range:
        allowed = '{:g} to {:g}'.format(*parameter.range)
    meaning = parameter.description + (' Fixed at the start.' if parameter.read_only else '')
    return (
        f'| `{parameter.name}` | {parameter.kind} | `{default.splitlines()[0]}` | {allowed} '
        f'| {meaning} |'
    )


def main() -> int:
    """Print the table of the estimator, or put all into the document that is named.

    Returns:
        0, or 2 for more than one argument.

    """
    match sys.argv[1:]:
        case []:
            print(parameter_table())
        case [name]:
            path = Path(name)
            path.write_text(with_table(path.read_text(encoding='utf-8')), encoding='utf-8')
        case _:
            print('usage: python -m sspinnpose_ros.ros.parameter_docs [FILE.md]', file=sys.stderr)
            return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
