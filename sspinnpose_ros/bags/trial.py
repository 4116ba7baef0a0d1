# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find recording, subject and reference of a trial folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sspinnpose_ros.core.errors import SubjectError
from sspinnpose_ros.core.subject import Subject, load_subject

BAG = 'bag'
SUBJECT = 'subject.yaml'
REFERENCE = 'reference.npz'


@dataclass(frozen=True)
class Trial:
    """Name the files of a trial.

    Attributes:
        bag: the recording.
        subject: SUBJECT.yaml of the wearer, where the trial brings one.
        reference: what a laboratory measured, where the trial brings it.

    """

    bag: Path
    subject: Path | None
    reference: Path | None


def find_trial(path: Path) -> Trial:
    """Tell a trial folder (`bag/`, `subject.yaml`, `reference.npz`) from a plain recording.

    Args:
        path: either of them.

    Returns:
        The recording and what else there is; nothing is opened.

    """
    if not (path / BAG).is_dir() or (path / 'metadata.yaml').exists():
        return Trial(bag=path, subject=None, reference=None)
    subject, reference = path / SUBJECT, path / REFERENCE
    return Trial(
        bag=path / BAG,
        subject=subject if subject.exists() else None,
        reference=reference if reference.exists() else None,
    )


def subject_of(trial: Trial, *, named: Path | None = None) -> Subject:
    """Load the wearer of a trial.

    Args:
        trial: as found.
        named: a SUBJECT.yaml that holds instead of the trial's own.

    Returns:
        The subject.

    Raises:
        SubjectError: where there is none, or it is not usable.

    """
    path = named or trial.subject
    if path is None:
        raise SubjectError(
            f'{trial.bag} comes without a subject.yaml, expected mass and height of the wearer; '
            'name a SUBJECT.yaml with --subject.'
        )
    return load_subject(path)
