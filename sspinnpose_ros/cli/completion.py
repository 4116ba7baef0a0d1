# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that prints what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ('bash', 'zsh', 'fish')
PROGRAM = 'sspinnpose'


@click.command(short_help='Print a script that completes commands and options.')
@click.argument('shell', type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script with which SHELL completes the commands, options and files of sspinnpose.

    For bash, in this shell: eval "$(sspinnpose completion bash)". For always: put that line into
    ~/.bashrc, for zsh into ~/.zshrc; for fish, write the script to
    ~/.config/fish/completions/sspinnpose.fish.
    """
    made = get_completion_class(shell)
    assert made is not None
    variable = f'_{PROGRAM.upper()}_COMPLETE'
    click.echo(made(context.find_root().command, {}, PROGRAM, variable).source())
