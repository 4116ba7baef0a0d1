# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that runs the node's pipeline over a recording."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from sspinnpose_ros.cli.json_file import json_option, write_json
from sspinnpose_ros.cli.options import (
    FiniteRange,
    bag_argument,
    calibration_option,
    exo_options,
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

RESULT = ('bag', 'estimate.npz', 'subject.yaml', 'calibration.yaml')
"""What OUT holds; a folder with anything else in it is never replaced."""


@click.command(short_help='Estimate angles, moments and forces from a recording.')
@bag_argument
@subject_option
@model_option
@calibration_option
@sensors_option
@topic_option
@stamps_option
@time_offset_option
@click.option(
    '--realtime-factor',
    type=FiniteRange(min=0.0, min_open=True),
    help='Pace: 1 runs as the recording did, 10 ten times faster. Default: as fast as possible.',
)
@exo_options
@skip_bad_samples_option
@output_option(metavar='OUT', text='Folder to make: bag/ (rosbag2) and estimate.npz.')
@json_option('Write counts, times, remarks and the calibration made to this file as well.')
@overwrite_option
def estimate(
    bag_path: Path,
    subject_path: Path | None,
    model_path: str,
    calibration_path: Path | None,
    sensors: tuple[str, ...] | None,
    topics: Mapping[str, str],
    stamps_at_arrival: bool,
    time_offset_s: Mapping[str, float],
    realtime_factor: float | None,
    exo_topic: str | None,
    exo_joints: Mapping[str, tuple[str, float]],
    no_exo: bool,
    skip_bad_samples: bool,
    output: Path,
    json_path: Path | None,
    overwrite: bool,
) -> None:
    """Estimate joint angles, moments and ground reaction forces from a recording.

    BAG is a rosbag2 recording or a trial folder (bag/, subject.yaml). The estimate is the node's
    own: same synchronizer, same estimator. Without --calibration, sensors of unknown mounting
    are calibrated from the recording first. Torques of a worn device in BAG are taken off the
    moments, which are then the person's own.
    """
    from sspinnpose_ros.bags.device_bag import DeviceJoint, DevicePlayback, find_device
    from sspinnpose_ros.bags.imu_bag import open_imu_bag
    from sspinnpose_ros.bags.recording_calibration import find_mounting
    from sspinnpose_ros.bags.recording_estimate import estimate_recording
    from sspinnpose_ros.bags.trial import find_trial, subject_of
    from sspinnpose_ros.cli.progress import progress_bar
    from sspinnpose_ros.core.atomic_output import folder_beside, require_free
    from sspinnpose_ros.core.calibration_file import calibration_to_mapping, save_calibration
    from sspinnpose_ros.core.conventions import OPTIONAL_SENSORS, SENSORS
    from sspinnpose_ros.core.estimator import Estimator
    from sspinnpose_ros.core.model_file import load_model
    from sspinnpose_ros.core.subject import save_subject

    for path in (output, json_path):
        if path is not None:
            require_free(path, overwrite=overwrite)
    trial = find_trial(bag_path)
    used = sensors or SENSORS
    remarks: list[str] = []
    with open_imu_bag(
        trial.bag, sensors=used, topics=topics, stamps_at_arrival=stamps_at_arrival
    ) as bag:
        remarks += bag.remarks
        remarks += [
            f'The recording holds a sensor {sensor}, which is not used.'
            for sensor in bag.sensors
            if sensor in OPTIONAL_SENSORS
        ]
        topic = (
            None
            if no_exo
            else find_device(
                bag,
                topic=exo_topic,
                joints={joint: DeviceJoint(*given) for joint, given in exo_joints.items()},
            )
        )
        device = None if topic is None else DevicePlayback(bag, topic)
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
        estimator = Estimator(model=model, subject=subject, mounting=found.mounting)
        # What is there now stays; to look through it again and again would only cost time.
        gc.freeze()
        with (
            folder_beside(output, overwrite=overwrite, contents=RESULT) as folder,
            progress_bar(label='estimating', total=bag.message_count(used)) as progress,
        ):
            summary = estimate_recording(
                bag,
                folder=folder,
                estimator=estimator,
                mounting=found.mounting,
                sensors=used,
                skip_bad_samples=skip_bad_samples,
                time_offset_s=time_offset_s,
                realtime_factor=realtime_factor,
                progress=progress,
                remark=remarks.append,
                device=device,
            )
            save_subject(folder / 'subject.yaml', subject)
            if found.calibration is not None:
                save_calibration(folder / 'calibration.yaml', found.calibration)
    click.echo(
        f'{output}: {summary.estimates} estimates of {summary.recorded_s:.1f} s in '
        f'{summary.elapsed_s:.1f} s ({summary.realtime_factor:.0f} times real time), '
        f'{summary.warnings} marked WARN, {summary.frames - summary.estimates} frames without.'
    )
    if topic is not None and device is not None:
        remarks.append(
            f"Moments are the person's own: the torque of the device at {', '.join(topic.joints)} "
            f'({topic.topic}) was taken off; moment_total_* and /human/joint_states_total hold '
            'both together.'
        )
        if device.unknown:
            remarks.append(
                f'For {device.unknown} estimates a torque of the device was not known: their '
                'moment there is 0 and their status WARN.'
            )
    for remark in remarks:
        click.echo(remark)
    if json_path is not None:
        write_json(
            json_path,
            {
                **asdict(summary),
                'realtime_factor': summary.realtime_factor,
                'remarks': remarks,
                'calibration': found.calibration and calibration_to_mapping(found.calibration),
            },
            overwrite=overwrite,
        )
