# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that finds how the sensors sit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from sspinnpose_ros.cli.json_file import json_option, write_json
from sspinnpose_ros.cli.options import (
    bag_argument,
    output_option,
    overwrite_option,
    sensors_option,
    skip_bad_samples_option,
    stamps_option,
    subject_option,
    time_offset_option,
    topic_option,
)


@click.command(short_help='Find how the sensors sit, from walking.')
@bag_argument
@subject_option
@sensors_option
@topic_option
@stamps_option
@time_offset_option
@skip_bad_samples_option
@output_option(metavar='CALIBRATION.yaml', text='File to write.')
@json_option('Write the calibration and its verdict to this file as well.')
@overwrite_option
def calibrate(
    bag_path: Path,
    subject_path: Path | None,
    sensors: tuple[str, ...] | None,
    topics: Mapping[str, str],
    stamps_at_arrival: bool,
    time_offset_s: Mapping[str, float],
    skip_bad_samples: bool,
    output: Path,
    json_path: Path | None,
    overwrite: bool,
) -> None:
    """Find how the sensors sit on the segments, from walking and any quiet standing.

    BAG is a rosbag2 recording or a trial folder with at least ten strides of steady walking; a
    second of upright standing makes it better. Also finds accelerometer gains and gyro biases,
    and prints a verdict.
    """
    from sspinnpose_ros.bags.imu_bag import open_imu_bag
    from sspinnpose_ros.bags.recording_calibration import calibrate_recording
    from sspinnpose_ros.bags.trial import find_trial, subject_of
    from sspinnpose_ros.core.atomic_output import require_free
    from sspinnpose_ros.core.calibration_file import calibration_to_mapping, save_calibration
    from sspinnpose_ros.core.conventions import OPTIONAL_SENSORS

    for path in (output, json_path):
        if path is not None:
            require_free(path, overwrite=overwrite)
    trial = find_trial(bag_path)
    with open_imu_bag(
        trial.bag, sensors=sensors, topics=topics, stamps_at_arrival=stamps_at_arrival
    ) as bag:
        for remark in bag.remarks:
            click.echo(remark)
        ignored = [sensor for sensor in bag.sensors if sensor in OPTIONAL_SENSORS]
        subject = subject_of(trial, named=subject_path)
        calibration = calibrate_recording(
            bag,
            subject=subject,
            sensors=sensors,
            skip_bad_samples=skip_bad_samples,
            time_offset_s=time_offset_s,
        )
    save_calibration(output, calibration)
    if json_path is not None:
        write_json(json_path, calibration_to_mapping(calibration), overwrite=overwrite)
    for sentence in calibration.sentences:
        click.echo(sentence)
    for sensor in ignored:
        click.echo(f'The recording holds a sensor {sensor}, which is not used.')
