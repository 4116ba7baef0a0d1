# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that says what a recording holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sspinnpose_ros.cli.json_file import json_option, write_json
from sspinnpose_ros.cli.options import bag_argument, overwrite_option

if TYPE_CHECKING:
    from sspinnpose_ros.bags.recording_info import RecordingInfo


@click.command(short_help='Say what a recording holds, and where its IMUs seem to be worn.')
@bag_argument
@json_option('Write what was found to this file as well.')
@click.option(
    '--write-mapping',
    'mapping_path',
    metavar='FILE',
    type=click.Path(path_type=Path),
    help='Write the proposed mapping, for --mapping of other commands and as params_file of the '
    'node.',
)
@overwrite_option
def info(
    bag_path: Path, json_path: Path | None, mapping_path: Path | None, overwrite: bool
) -> None:
    """Look at the IMU topics of a recording before anything is made of it.

    Prints rate, gaps, repeated stamps, jitter and delay of every sensor_msgs/Imu topic, what
    seems wrong with its unit or its clock, and which sensor it seems to be, from its names and
    from walking in BAG. A guess is a guess: its confidence is printed beside it.
    """
    from sspinnpose_ros.bags.recording_info import recording_info
    from sspinnpose_ros.bags.sensor_mapping import save_mapping
    from sspinnpose_ros.bags.trial import find_trial
    from sspinnpose_ros.core.atomic_output import require_free
    from sspinnpose_ros.core.errors import MappingError

    for path in (mapping_path, json_path):
        if path is not None:
            require_free(path, overwrite=overwrite)
    found = recording_info(find_trial(bag_path).bag)
    mapping = found.mapping
    if mapping_path is not None:
        if not mapping.topics:
            raise MappingError(
                f'Nothing tells which sensor is which in {bag_path}, expected names or walking '
                f'that do; write {mapping_path} by hand.'
            )
        save_mapping(mapping_path, mapping, remarks=_notes(found), overwrite=overwrite)
    if json_path is not None:
        write_json(json_path, _plain(found), overwrite=overwrite)
    for line in _lines(bag_path, found):
        click.echo(line)
    if mapping_path is not None:
        click.echo(f'{mapping_path}: the mapping, for --mapping and for params_file of the node.')


def _lines(path: Path, found: RecordingInfo) -> list[str]:
    from sspinnpose_ros.bags.sensor_mapping import mapping_text

    lines = [f'{path}: {found.duration_s:.1f} s, {len(found.topics)} topics of sensor_msgs/Imu']
    lines += found.remarks
    rows = [('topic', 'Hz', 's', 'samples', 'gaps', 'again', 'jitter ms', 'delay ms', 'frame')]
    for topic in found.topics:
        stamps = topic.stamps
        rows.append(
            (
                topic.topic,
                _number(stamps.rate_hz, '.1f'),
                _number(stamps.duration_s, '.1f'),
                str(stamps.samples),
                str(stamps.gaps),
                str(stamps.repeated + stamps.backward),
                _number(1e3 * stamps.jitter_s, '.1f'),
                _number(1e3 * stamps.delay_s, '.1f' if abs(stamps.delay_s) < 100.0 else '.3g'),
                ', '.join(topic.frames) or '-',
            )
        )
    lines += _table(rows)
    if found.others:
        lines.append(f'Other topics: {", ".join(found.others)}')
    wrong = [sentence for topic in found.topics for sentence in topic.sentences]
    lines += ['', *(wrong or ['Units, gravity and stamps look right.'])]
    proposal = found.proposal
    lines += ['', 'Where they seem to be worn:']
    lines += _table(
        [
            ('topic', 'sensor', 'segment', 'side', 'moves like'),
            *(
                (each.topic, each.sensor or '?', each.part, each.side or '-', each.moves or '?')
                for each in proposal.placements
            ),
        ]
    )
    lines += proposal.sentences
    mapping = found.mapping
    if mapping.topics:
        if proposal.missing:
            lines.append(f'Not found: {", ".join(proposal.missing)}.')
        lines += ['', *mapping_text(mapping).splitlines()]
    return lines


def _notes(found: RecordingInfo) -> list[str]:
    return [
        'Which sensor is on which topic, proposed by `sspinnpose info`: check it.',
        *(
            f'{each.sensor or "unknown"}: {each.topic} (segment {each.part}'
            + (f', side {each.side})' if each.side else ')')
            for each in found.proposal.placements
        ),
        *found.proposal.sentences,
    ]


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numbers = {
        column
        for column in range(len(rows[0]))
        if all(row[column][:1] in '-0123456789' for row in rows[1:]) and column > 0
    }
    return [
        '  '
        + '  '.join(
            text.rjust(width) if column in numbers else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else '-'


def _plain(found: RecordingInfo) -> dict[str, Any]:
    """Return what JSON can hold."""
    mapping = found.mapping
    return {
        'duration_s': found.duration_s,
        'topics': [asdict(topic) for topic in found.topics],
        'others': {
            topic: {'type': kind, 'messages': count}
            for topic, (kind, count) in found.others.items()
        },
        'placements': [
            {**asdict(each), 'confidence': each.confidence} for each in found.proposal.placements
        ],
        'mapping': {
            'sensors': mapping.sensors or (),
            'topics': mapping.topics,
            'stamps': 'arrival' if mapping.stamps_at_arrival else 'header',
        },
        'missing': found.proposal.missing,
        'sentences': found.proposal.sentences,
        'remarks': found.remarks,
    }
