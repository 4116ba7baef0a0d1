# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Look for garbage between messages, and never while an estimate is under way."""

from __future__ import annotations

import gc
import time

TIDY_S = 1.0
"""From one look to the next; one takes a millisecond or less."""


class Tidying:
    """Collect garbage when it is called and due; Python itself collects none from now on.

    What is there now stays: looking through it again and again would only cost pauses. What comes
    later is looked through once a second, and not whenever some hundred objects were made.
    """

    def __init__(self, *, every_s: float = TIDY_S) -> None:
        """Collect what garbage there is, and keep the rest out of all later looks.

        Args:
            every_s: from one look to the next, s.

        """
        gc.collect()
        gc.freeze()
        gc.disable()
        self._every_s = every_s
        self._last = time.monotonic()

    def tidy(self) -> None:
        """Collect garbage if it is time to; call it between messages."""
        if time.monotonic() - self._last > self._every_s:
            gc.collect()
            self._last = time.monotonic()
