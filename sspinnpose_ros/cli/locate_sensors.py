# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that finds where the sensors sit, with frozen weights."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import click

from sspinnpose_ros.cli.json_file import json_option, write_json
from sspinnpose_ros.cli.options import (
    bag_argument,
    calibration_option,
    model_option,
    output_option,
    overwrite_option,
    sensors_option,
    skip_bad_samples_option,
    stamps_option,
    subject_option,
    time_offset_option,
    topic_option,
)


@click.command(name='locate-sensors', short_help='Find where the sensors sit on the segments.')
@bag_argument
@subject_option
@model_option
@calibration_option
@sensors_option
@topic_option
@stamps_option
@time_offset_option
@skip_bad_samples_option
@output_option(metavar='FILE', text='YAML to write: a SUBJECT.yaml with the found positions.')
@click.option(
    '--plot',
    'plot_path',
    metavar='PNG',
    type=click.Path(path_type=Path),
    help='Draw found against assumed positions on the body.',
)
@json_option('Write what was found of each sensor to this file as well.')
@overwrite_option
def locate_sensors(
    bag_path: Path,
    subject_path: Path | None,
    model_path: str,
    calibration_path: Path | None,
    sensors: tuple[str, ...] | None,
    topics: Mapping[str, str],
    stamps_at_arrival: bool,
    time_offset_s: Mapping[str, float],
    skip_bad_samples: bool,
    output: Path,
    plot_path: Path | None,
    json_path: Path | None,
    overwrite: bool,
) -> None:
    """Find where each sensor sits on its segment, and how it is turned in the sagittal plane.

    BAG is a rosbag2 recording or a trial folder of some strides. The node's own pipeline runs
    over it; the positions (forward and up from the proximal joint) that explain the
    accelerometers best are found around those of the subject, and a verdict says how well each
    is determined. FILE can be named as --subject wherever a SUBJECT.yaml is.
    """
    from sspinnpose_ros.bags.imu_bag import open_imu_bag
    from sspinnpose_ros.bags.recording_calibration import find_mounting
    from sspinnpose_ros.bags.recording_estimate import recorded_outcomes
    from sspinnpose_ros.bags.trial import find_trial, subject_of
    from sspinnpose_ros.cli.progress import progress_bar
    from sspinnpose_ros.core import sensor_location
    from sspinnpose_ros.core.atomic_output import file_beside, require_free
    from sspinnpose_ros.core.conventions import SENSORS
    from sspinnpose_ros.core.errors import OutputError
    from sspinnpose_ros.core.estimator import Estimator
    from sspinnpose_ros.core.model_file import load_model
    from sspinnpose_ros.core.sensor_location_file import locations_to_mapping, save_locations

    if plot_path is not None and find_spec('matplotlib') is None:
        raise OutputError(
            f'{plot_path} cannot be drawn (matplotlib is not installed), expected it for --plot; '
            'install it or leave --plot out.'
        )
    for path in (output, plot_path, json_path):
        if path is not None:
            require_free(path, overwrite=overwrite)
    trial = find_trial(bag_path)
    used = sensors or SENSORS
    remarks: list[str] = []
    with open_imu_bag(
        trial.bag, sensors=used, topics=topics, stamps_at_arrival=stamps_at_arrival
    ) as bag:
        remarks += bag.remarks
        subject = subject_of(trial, named=subject_path)
        model = load_model(model_path)
        found = find_mounting(
            bag,
            subject=subject,
            sensors=used,
            calibration_path=calibration_path,
            skip_bad_samples=skip_bad_samples,
            time_offset_s=time_offset_s,
        )
        if found.calibration is not None:
            click.echo(found.reason)
            for sentence in found.calibration.sentences:
                click.echo(sentence)
        with progress_bar(label='estimating', total=bag.message_count(used)) as progress:
            evidence = sensor_location.location_evidence(
                sensor_location.settled(
                    recorded_outcomes(
                        bag,
                        estimator=Estimator(model=model, subject=subject, mounting=found.mounting),
                        sensors=used,
                        skip_bad_samples=skip_bad_samples,
                        time_offset_s=time_offset_s,
                        progress=progress,
                        remark=remarks.append,
                    )
                ),
                subject=subject,
            )
    locations = sensor_location.locate_sensors(evidence=evidence, subject=subject)
    if plot_path is not None:
        from sspinnpose_ros.cli.location_plot import save_location_plot

        with file_beside(plot_path, overwrite=overwrite) as partial:
            save_location_plot(partial, locations=locations)
    save_locations(
        output,
        locations,
        notes={'source': f'located by sspinnpose in {bag_path.name} with the model {model_path}'},
    )
    if json_path is not None:
        write_json(json_path, locations_to_mapping(locations), overwrite=overwrite)
    for name, location in locations.sensors.items():
        click.echo(sensor_location.describe(name, location))
    for remark in remarks:
        click.echo(remark)
