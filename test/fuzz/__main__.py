# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fuzz for as long as wanted: `PYTHONPATH=test python -m fuzz --minutes 60`, or `make fuzz`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from fuzz.campaign import Failure, alarmed, run, scratch_place
from fuzz.targets import close, targets


def main() -> int:
    """Run rounds of all targets, each with new cases, and print what came of every one."""
    parser = argparse.ArgumentParser(prog='fuzz', description=__doc__)
    parser.add_argument('--minutes', type=float, default=60.0, help='how long [60]')
    parser.add_argument('--seed', type=int, help='of all cases [the time]')
    parser.add_argument('--target', action='append', help='only these; may be given repeatedly')
    parser.add_argument('--first', type=int, help='with --cases: one run of these cases alone')
    parser.add_argument('--cases', type=int)
    given = parser.parse_args()
    seed = int(time.time()) if given.seed is None else given.seed
    failures = total = 0
    with tempfile.TemporaryDirectory(dir=scratch_place()) as folder, alarmed():
        known = targets(Path(folder))
        # Not before, as what libraries import may be old.
        warnings.simplefilter('error')
        chosen = {name: known[name] for name in given.target or known}
        end = time.monotonic() + 60.0 * given.minutes
        first = given.first or 0
        while True:
            for name, target in chosen.items():
                count = target.cases if given.cases is None else given.cases
                begin = time.monotonic()
                try:
                    found = run(target, seed=seed, first=first, cases=count)
                except Failure as failure:
                    failures += 1
                    print(f'FAILED {name}: {failure}', flush=True)
                    traceback.print_exception(failure.__cause__)
                    continue
                total += count
                print(
                    f'{name}: {count} cases in {time.monotonic() - begin:.1f} s, '
                    f'{found.accepted} accepted, {found.refused} refused in '
                    f'{len(found.sentences)} ways, slowest {1e3 * found.slowest_s:.1f} ms '
                    f'(case {found.slowest_case}), memory {found.growth_mib:+.1f} MiB',
                    flush=True,
                )
            if given.cases is not None or time.monotonic() > end:
                break
            first += max(target.cases for target in chosen.values())
        close(known)
    print(f'{total} cases without a finding, {failures} findings, seed {seed}')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
