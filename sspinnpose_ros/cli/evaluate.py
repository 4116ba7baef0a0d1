# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that scores an estimate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sspinnpose_ros.cli.json_file import json_option, write_json
from sspinnpose_ros.cli.options import FiniteRange, overwrite_option

if TYPE_CHECKING:
    from sspinnpose_ros.core.subject import Subject


@click.command(short_help='Score an estimate against a laboratory reference.')
@click.argument('estimate_path', metavar='OUT', type=click.Path(path_type=Path))
@click.argument('reference_path', metavar='REFERENCE.npz', type=click.Path(path_type=Path))
@click.option(
    '--subject',
    'subject_path',
    metavar='SUBJECT.yaml',
    type=click.Path(path_type=Path),
    help='Mass and height for %BW and BWBH%. Default: subject.yaml beside the reference, then '
    'the one in OUT.',
)
@click.option(
    '--skip-seconds',
    default=3.0,
    show_default=True,
    type=FiniteRange(min=0.0),
    help='Start of the recording that is not scored.',
)
@json_option('Write the scores to this file as well.')
@overwrite_option
def evaluate(
    estimate_path: Path,
    reference_path: Path,
    subject_path: Path | None,
    skip_seconds: float,
    json_path: Path | None,
    overwrite: bool,
) -> None:
    """Score what `estimate` wrote to OUT against a laboratory reference.

    Prints the root-mean-square difference of joint angles (degrees), joint moments (BWBH%:
    100 times moment over mass, gravity and height) and ground reaction forces (%BW), as they are
    and with the mean offset removed. No time shift is applied. Where a device was worn, moments
    are compared with its torque in them, as a laboratory measures them. REFERENCE.npz may be a
    trial folder, and OUT an npz file.
    """
    from sspinnpose_ros.bags.reference import load_reference, net_moments
    from sspinnpose_ros.core.atomic_output import require_free
    from sspinnpose_ros.core.errors import RecordingError
    from sspinnpose_ros.evaluation import metrics

    if json_path is not None:
        require_free(json_path, overwrite=overwrite)
    if reference_path.is_dir():
        reference_path = reference_path / 'reference.npz'
    file = estimate_path / 'estimate.npz' if estimate_path.is_dir() else estimate_path
    estimated, reference = load_reference(file), load_reference(reference_path)
    subject = _subject(subject_path, reference_path=reference_path, estimate_path=estimate_path)
    result = metrics.evaluate(
        estimate=net_moments(estimated),
        reference=reference,
        mass_kg=subject.mass_kg,
        height_m=subject.height_m,
        skipped_s=skip_seconds,
    )
    if not (result.angle or result.moment or result.grf_up or result.grf_forward):
        raise RecordingError(
            f'{file} and {reference_path} share no finite angle, moment or force after '
            f'{skip_seconds:g} s, expected an overlap; check that they belong to one recording.'
        )
    if json_path is not None:
        write_json(json_path, metrics.as_json(result), overwrite=overwrite)
    click.echo(metrics.as_table(result))


def _subject(named: Path | None, *, reference_path: Path, estimate_path: Path) -> Subject:
    from sspinnpose_ros.core.errors import SubjectError
    from sspinnpose_ros.core.subject import load_subject

    places = (reference_path.parent, estimate_path if estimate_path.is_dir() else None)
    for path in (named, *(place / 'subject.yaml' for place in places if place is not None)):
        if path is not None and (path == named or path.exists()):
            return load_subject(path)
    raise SubjectError(
        f'There is no subject.yaml beside {reference_path} or in {estimate_path}, expected mass '
        'and height of the wearer; name a SUBJECT.yaml with --subject.'
    )
