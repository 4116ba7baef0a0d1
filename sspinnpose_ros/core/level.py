# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Grade how far something may be trusted."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """Grade an estimate, with the numbers of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3
