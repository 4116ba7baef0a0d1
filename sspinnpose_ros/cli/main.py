# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Gather the sub-commands and turn a user's mistakes into one sentence each."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import click

from sspinnpose_ros import __version__
from sspinnpose_ros.cli.accuracy import accuracy
from sspinnpose_ros.cli.bench import bench
from sspinnpose_ros.cli.calibrate import calibrate
from sspinnpose_ros.cli.completion import completion
from sspinnpose_ros.cli.demo import demo
from sspinnpose_ros.cli.estimate import estimate
from sspinnpose_ros.cli.evaluate import evaluate
from sspinnpose_ros.cli.export import export
from sspinnpose_ros.cli.import_tables import import_tables
from sspinnpose_ros.cli.info import info
from sspinnpose_ros.cli.locate_sensors import locate_sensors
from sspinnpose_ros.cli.report import report
from sspinnpose_ros.cli.simulate import simulate
from sspinnpose_ros.cli.train import train
from sspinnpose_ros.cli.view import view
from sspinnpose_ros.core.errors import UserError

MISTAKE = 2
INTERRUPTED = 130
TERMINATED = 143


@click.group(
    context_settings={'help_option_names': ['-h', '--help'], 'max_content_width': 99},
    epilog='Exit codes: 0 done, 2 a mistake in input or options (one sentence says which), 130 '
    'stopped with Ctrl-C, 143 stopped with SIGTERM. Colours show on a terminal only, and not '
    'where NO_COLOR is set.',
)
@click.version_option(__version__, prog_name='sspinnpose')
def sspinnpose() -> None:
    """Turn body-worn IMUs into joint angles, joint moments and ground reaction forces.

    Results are moved into place when they are complete. Every command has a --help.
    """


for command in (
    simulate,
    import_tables,
    info,
    calibrate,
    train,
    estimate,
    evaluate,
    report,
    view,
    export,
    locate_sensors,
    accuracy,
    bench,
    demo,
    completion,
):
    sspinnpose.add_command(command)


def main() -> None:
    """Run the command line and exit."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = sspinnpose.main(standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        click.echo('stopped', err=True)
        code = INTERRUPTED
    except UserError as error:
        _complain(str(error))
        code = MISTAKE
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except OSError as error:
        place = f'{error.filename} ' if error.filename else 'A file '
        _complain(
            f'{place}cannot be read or written ({error.strerror or error}), expected '
            'access to it; check the path, its permissions and the free space.'
        )
        code = MISTAKE
    sys.exit(code if isinstance(code, int) else 0)


def _complain(sentence: str) -> None:
    # click leaves colours out where stderr is no terminal.
    color = False if os.environ.get('NO_COLOR') else None
    click.echo(f'{click.style("Error:", fg="red", bold=True)} {sentence}', err=True, color=color)


def _terminate(signal_number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)
