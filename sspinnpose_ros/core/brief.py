# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show a value from a file in a sentence, however long or odd it is."""

from __future__ import annotations

LONGEST = 60


def brief(value: object) -> str:
    """Return a value as Python spells it, on one line and cut to a length that reads well."""
    try:
        text = repr(value)
    except ValueError:
        # Python refuses to spell whole numbers of thousands of digits.
        text = f'a {type(value).__name__} of thousands of digits'
    return text if len(text) <= LONGEST else f'{text[: LONGEST - 3]}...'
