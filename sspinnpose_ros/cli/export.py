# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that writes an estimate for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from sspinnpose_ros.cli.options import output_option, overwrite_option, subject_option

OPENSIM, CSV = 'opensim', 'csv'


@click.command(short_help='Write an estimate for OpenSim or as CSV.')
@click.argument('estimate_path', metavar='OUT', type=click.Path(path_type=Path))
@click.option(
    '--format',
    'kind',
    type=click.Choice((OPENSIM, CSV)),
    default=OPENSIM,
    show_default=True,
    help='Files of OpenSim, or one table.',
)
@click.option(
    '--opensim-model',
    'model_name',
    type=click.Choice(('rajagopal', 'gait2392')),
    default='rajagopal',
    show_default=True,
    help='Whose signs and pelvis to use: knee flexion is positive in Rajagopal (2016), negative '
    'in gait2354, gait2392 and gait10dof18musc.',
)
@click.option(
    '--in-place',
    is_flag=True,
    help='For OpenSim: take the mean speed off all positions, as on a treadmill. Forces and '
    'moments stay as they are.',
)
@subject_option
@output_option(metavar='FOLDER', text='Folder to make.')
@overwrite_option
def export(
    estimate_path: Path,
    kind: str,
    model_name: str,
    in_place: bool,
    subject_path: Path | None,
    output: Path,
    overwrite: bool,
) -> None:
    """Write what `estimate` wrote to OUT for other programs.

    For OpenSim: coordinates.mot (degrees, m), inverse_dynamics.sto (N m), ground_reactions.mot
    (N, m) and external_loads.xml, which names the foot of each force. As CSV: estimate.csv with
    all of estimate.npz in SI units. OUT may be an npz file.
    """
    from sspinnpose_ros.bags import estimate_csv, opensim_files
    from sspinnpose_ros.bags.reference import load_estimate
    from sspinnpose_ros.bags.trial import Trial, subject_of
    from sspinnpose_ros.core.atomic_output import folder_beside, require_free

    require_free(output, overwrite=overwrite)
    file = estimate_path / 'estimate.npz' if estimate_path.is_dir() else estimate_path
    arrays = load_estimate(file)
    contents = (*opensim_files.FILES, estimate_csv.CSV)
    if kind == CSV:
        with folder_beside(output, overwrite=overwrite, contents=contents) as folder:
            estimate_csv.write_estimate_csv(folder / estimate_csv.CSV, arrays)
        click.echo(f'{output / estimate_csv.CSV}: {len(arrays["time"])} rows.')
        return
    beside = file.with_name('subject.yaml')
    wearer = subject_of(
        Trial(bag=file, subject=beside if beside.exists() else None, reference=None),
        named=subject_path,
    )
    tables = opensim_files.opensim_tables(
        arrays,
        height_m=wearer.height_m,
        model=opensim_files.MODELS[model_name],
        in_place=in_place,
    )
    with folder_beside(output, overwrite=overwrite, contents=contents) as folder:
        opensim_files.write_opensim_files(folder, tables)
    coordinates = tables[opensim_files.COORDINATES].columns
    rows = len(coordinates['time'])
    left_out = len(arrays['time']) - rows
    click.echo(
        f'{output}: {rows} rows for {model_name}'
        + (f', {left_out} without an estimate left out.' if left_out else '.')
    )
    farthest = float(abs(coordinates['pelvis_tx']).max())
    if farthest > opensim_files.FARTHEST_M:
        click.echo(
            f'The pelvis gets {farthest:.0f} m forward. Some models of OpenSim stop it at '
            f'{opensim_files.FARTHEST_M:.0f} m: for these add --in-place.'
        )
