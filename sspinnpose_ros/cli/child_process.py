# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run other programs beside a command and never leave one behind."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue

POLITE_S = 5.0
SET_PARENT_DEATH_SIGNAL = 1


class ChildProcess:
    """A running program whose lines can be read without waiting."""

    def __init__(self, name: str, arguments: Sequence[str], *, env: Mapping[str, str]) -> None:
        """Start a Python module with arguments, its stderr with its stdout."""
        self.name = name
        self._lines: SimpleQueue[str] = SimpleQueue()
        self.last_lines: list[str] = []
        # In a session of its own, a Ctrl-C in the terminal reaches the command alone.
        self._process = subprocess.Popen(
            [sys.executable, '-m', *arguments],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip())

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit code, None while the program runs."""
        return self._process.poll()

    def lines(self) -> list[str]:
        """Return what the program printed since the last call."""
        found = []
        with suppress(Empty):
            while True:
                found.append(self._lines.get_nowait())
        self.last_lines = (self.last_lines + found)[-20:]
        return found

    def stop(self) -> int:
        """Ask the program to end, insist after some seconds, and return its exit code."""
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            self._process.send_signal(sign)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=POLITE_S)
        self._reader.join(timeout=1.0)
        self.lines()
        code = self._process.wait()
        if not self._reader.is_alive() and self._process.stdout is not None:
            self._process.stdout.close()
        return code


@contextmanager
def child_process(
    name: str, arguments: Sequence[str], *, env: Mapping[str, str]
) -> Iterator[ChildProcess]:
    """Run a Python module for the duration of a block.

    Args:
        name: for messages.
        arguments: module and its arguments.
        env: environment.

    Yields:
        The running program; it has ended when the block is left, however that happens.

    """
    child = ChildProcess(name, arguments, env=env)
    try:
        yield child
    finally:
        child.stop()


def _die_with_parent() -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
