"""Write the parameter table of docs/ros_api.md from the one that the node declares."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from sspinnpose_ros.ros.parameters import PARAMETERS, Parameter

BEGIN, END = '<!-- parameters: begin -->', '<!-- parameters: end -->'


def parameter_table() -> str:
    """Return the table as markdown, one row a parameter."""
    rows = ['| parameter | type | default | allowed | meaning |', '|---|---|---|---|---|']
    rows += [_row(parameter) for parameter in PARAMETERS]
    return '\n'.join(rows)


def with_table(document: str) -> str:
    """Return a document with the table between its markers.

    Raises:
        ValueError: for a document without the markers.

    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f'The document lacks the lines {BEGIN} and {END}; add them.')
    return f'{before}{BEGIN}\n\n{parameter_table()}\n\n{END}{after}'


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
    """Print the table, or put it into the document that is named.

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
