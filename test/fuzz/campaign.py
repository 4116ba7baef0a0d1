# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run cases of a target and watch what hostile input must never do."""

from __future__ import annotations

import os
import re
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from sspinnpose_ros.core.errors import UserError

HANG_S = 20.0
"""A case that takes this long hangs; the usual ones take micro- to milliseconds."""

LONGEST_SENTENCE = 1000
MEMORY_MIB = 64.0
"""Most that the process may grow by over a run: caches fill, buffers are reused."""

PEAK_MIB = 512.0
"""Most that a single case may take for a moment."""


@dataclass(frozen=True)
class Target:
    """A reader and how to make input for it.

    `make` draws one input from a source of chance; about one in fifty is left valid, so that it is
    seen that these are accepted. `read` reads it, and raises a `UserError` or one of `refusals`
    where it refuses. `cases` are run in the tests.
    """

    name: str
    cases: int
    make: Callable[[Random], Any]
    read: Callable[[Any], object]
    refusals: tuple[type[Exception], ...] = ()


@dataclass
class Findings:
    """What came of a run."""

    accepted: int = 0
    refused: int = 0
    sentences: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    slowest_case: int = 0
    growth_mib: float = 0.0
    peak_mib: float = 0.0


class Failure(AssertionError):
    """A case that was answered by anything but a sentence; its text says how to repeat it."""

    case = -1


def run(target: Target, *, seed: int = 0, first: int = 0, cases: int | None = None) -> Findings:
    """Run cases of a target.

    Raises `Failure` for an exception that is no refusal, a refusal that is no sentence, a case
    that hangs, and memory that grows.
    """
    found = Findings()
    count = target.cases if cases is None else cases
    warm = min(count // 4, 500)
    before = resident_mib()
    peak = peak_mib()
    for case in range(first, first + count):
        if case == first + warm:
            before = resident_mib()
        try:
            run_case(target, seed=seed, case=case, found=found)
        except Failure as failure:
            failure.case = case
            raise
    found.growth_mib = resident_mib() - before
    found.peak_mib = max(0.0, peak_mib() - max(peak, before))
    if found.growth_mib > MEMORY_MIB:
        raise Failure(f'{target.name}: {count} cases took {found.growth_mib:.0f} MiB for good')
    if found.peak_mib > PEAK_MIB:
        raise Failure(f'{target.name}: a case took {found.peak_mib:.0f} MiB for a moment')
    return found


def run_case(target: Target, *, seed: int, case: int, found: Findings) -> None:
    """Run one case, which is the same whenever its seed and number are."""
    given = target.make(Random(f'{target.name} {seed} {case}'))
    begin = time.perf_counter()
    try:
        with time_limit():
            target.read(given)
    except target.refusals:
        found.refused += 1
    except UserError as error:
        found.refused += 1
        text = str(error)
        require_sentence(text, how=_repeat(target, seed, case))
        found.sentences[re.sub(r"'.*'|\d+|/\S+|\(.*\)", '#', text)[:60]] += 1
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise Failure(
            f'{type(error).__name__}: {error!s:.2000}\n{_repeat(target, seed, case)}\n'
            f'input: {_spelled(given)}'
        ) from error
    else:
        found.accepted += 1
    took = time.perf_counter() - begin
    if took > found.slowest_s:
        found.slowest_s, found.slowest_case = took, case


def require_sentence(text: str, *, how: str = '') -> None:
    """Fail for a message that a person could not read in one line of a log."""
    fine = (
        text.endswith('.')
        and text.isprintable()
        and len(text) <= LONGEST_SENTENCE
        and 'expected' in text
        and ';' in text
    )
    if not fine:
        raise Failure(f'no sentence that says what was seen and expected: {text!r:.1500}\n{how}')


def _spelled(given: object) -> str:
    try:
        return f'{given!r:.2000}'
    except ValueError:
        return 'too large a number to be spelled'


def _repeat(target: Target, seed: int, case: int) -> str:
    return (
        f"repeat: python -m fuzz --target '{target.name}' --seed {seed} --first {case} --cases 1"
    )


class Hang(BaseException):
    """Raised inside a case that takes too long; no handler of the product catches it."""


@contextmanager
def time_limit() -> Iterator[None]:
    """Interrupt what takes longer than `HANG_S`, even inside a loop that swallows exceptions."""
    signal.setitimer(signal.ITIMER_REAL, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


@contextmanager
def alarmed() -> Iterator[None]:
    """Let `time_limit` work; wrap a run in it."""

    def ring(number: int, frame: object) -> None:
        raise Hang(f'longer than {HANG_S} s')

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


def scratch_place() -> str | None:
    """Return a folder in memory where there is one; thousands of small files wear out disks."""
    shared = Path('/dev/shm')
    return str(shared) if os.access(shared, os.W_OK) else None


def resident_mib() -> float:
    """Return the memory that the process holds now, MiB."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak_mib() -> float:
    """Return the most memory that the process ever held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
