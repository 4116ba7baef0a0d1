# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keep a group of ROS processes to themselves on this machine."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sspinnpose_ros.core.errors import UserError

FIRST_DOMAIN, LAST_DOMAIN = 40, 100
"""Domains above 101 reach into the ports that Linux hands out itself."""


@contextmanager
def private_domain() -> Iterator[int]:
    """Reserve a ROS domain that no other process of this package uses.

    Yields:
        Its number; it is free again at the end, also after a crash.

    Raises:
        UserError: where all are taken.

    """
    folder = Path(tempfile.gettempdir())
    for domain in range(FIRST_DOMAIN, LAST_DOMAIN + 1):
        try:
            file = (folder / f'sspinnpose_domain_{domain}.lock').open('w')
        except PermissionError:
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield domain
            return
    raise UserError(
        f'All ROS domains from {FIRST_DOMAIN} to {LAST_DOMAIN} are in use by this package, '
        'expected a free one; wait for the others to end.'
    )


def domain_environment(domain: int) -> Mapping[str, str]:
    """Return the environment of a process in a domain that no other machine can reach."""
    return {
        **os.environ,
        'ROS_DOMAIN_ID': str(domain),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONUNBUFFERED': '1',
    }
