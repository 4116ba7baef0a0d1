# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that makes a recording of CSV and NPZ files."""

from __future__ import annotations

from pathlib import Path

import click

from sspinnpose_ros.cli.options import FiniteRange, output_option, overwrite_option

TRIAL = ('bag', 'subject.yaml')


@click.command('import', short_help='Make a trial folder of CSV or NPZ files.')
@click.argument('files', metavar='[SENSOR=]FILE...', nargs=-1, required=True)
@click.option(
    '--acceleration-unit',
    type=click.Choice(('m/s2', 'g')),
    help='Default: what the names of the columns say, else m/s2.',
)
@click.option(
    '--rate-unit',
    type=click.Choice(('rad/s', 'deg/s')),
    help='Default: what the names of the columns say, else rad/s.',
)
@click.option(
    '--time-unit',
    type=click.Choice(('s', 'ms', 'us', 'ns')),
    help='Default: what the name of the column says, else what gives a possible rate.',
)
@click.option(
    '--rate-hz',
    type=FiniteRange(1.0, 10000.0),
    help='Sampling rate of files without a time [Hz].',
)
@click.option(
    '--start-together',
    is_flag=True,
    help='Take the first samples of all files as measured at once, whatever their clocks say.',
)
@click.option('--mass', 'mass_kg', type=float, help='Mass of the wearer [kg].')
@click.option('--height', 'height_m', type=float, help='Stature of the wearer [m].')
@click.option(
    '--subject',
    'subject_path',
    metavar='SUBJECT.yaml',
    type=click.Path(path_type=Path),
    help='Put this file into the trial folder instead of --mass and --height.',
)
@output_option(metavar='TRIAL', text='Trial folder to make: bag/, and subject.yaml of a wearer.')
@overwrite_option
def import_tables(
    files: tuple[str, ...],
    acceleration_unit: str | None,
    rate_unit: str | None,
    time_unit: str | None,
    rate_hz: float | None,
    start_together: bool,
    mass_kg: float | None,
    height_m: float | None,
    subject_path: Path | None,
    output: Path,
    overwrite: bool,
) -> None:
    """Make a trial folder of CSV or NPZ files, for recordings that were made without ROS.

    A FILE holds one sensor (columns time, acc_x to acc_z, gyr_x to gyr_z) or many, with the name
    of the sensor before each column, such as thigh_r_acc_x. Exports of Xsens are known. An NPZ
    file holds time and SENSOR_acc, SENSOR_gyr of shape (n, 3). Acceleration is with gravity.
    Sensors are told by the names of columns and files, or by SENSOR=FILE.
    """
    from sspinnpose_ros.bags.imu_bag_writer import write_imu_bag
    from sspinnpose_ros.bags.table_import import TableOptions
    from sspinnpose_ros.bags.table_import import import_tables as read_tables
    from sspinnpose_ros.core.atomic_output import folder_beside, require_free
    from sspinnpose_ros.core.errors import SubjectError
    from sspinnpose_ros.core.subject import load_subject, make_subject, save_subject

    require_free(output, overwrite=overwrite)
    subject = None
    if subject_path is not None:
        subject = load_subject(subject_path)
    elif mass_kg is not None and height_m is not None:
        subject = make_subject(mass_kg=mass_kg, height_m=height_m)
    elif mass_kg is not None or height_m is not None:
        raise SubjectError(
            'Only one of --mass and --height is given, expected both; add the other one.'
        )
    recording = read_tables(
        [_file(text) for text in files],
        options=TableOptions(
            acceleration_unit=acceleration_unit,
            rate_unit=rate_unit,
            time_unit=time_unit,
            rate_hz=rate_hz,
            start_together=start_together,
        ),
    )
    with folder_beside(output, overwrite=overwrite, contents=TRIAL) as folder:
        write_imu_bag(
            folder / 'bag',
            series=recording.series,
            origin_ns=recording.origin_ns,
            topics=recording.topics,
        )
        if subject is not None:
            save_subject(folder / 'subject.yaml', subject)
    longest = max(float(one.stamp_s[-1]) for one in recording.series.values())
    click.echo(f'{output}: {longest:.1f} s of {", ".join(recording.series)}.')
    for remark in recording.remarks:
        click.echo(remark)
    if recording.unknown:
        click.echo(
            f'Nothing tells which sensor {", ".join(recording.unknown)} is: name it as '
            f'SENSOR=FILE, or let `sspinnpose info {output} --write-mapping FILE` guess.'
        )
    if subject is None:
        click.echo('Other commands need --subject, as no mass and height were given.')


def _file(text: str) -> tuple[str | None, Path]:
    name, equals, rest = text.partition('=')
    if equals and rest and not Path(text).exists():
        return name, Path(rest)
    return None, Path(text)
