# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Play a recording into the estimator, on the recording's own clock."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

CLOCK_HZ = '200'


def generate_launch_description():
    """Describe the arguments, the player and the estimator, whose arguments all hold here too."""
    share = FindPackageShare('sspinnpose_ros')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'bag',
                description='rosbag2 folder with the IMU topics, or a trial folder with bag/ and '
                'subject.yaml, which then holds unless the person is given.',
            ),
            DeclareLaunchArgument(
                'rate', default_value='1.0', description='Playback speed, 1.0 for real time.'
            ),
            DeclareLaunchArgument(
                'loop',
                default_value='false',
                choices=['true', 'false'],
                description='Whether to start over at the end instead of shutting down.',
            ),
            OpaqueFunction(function=_play),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([share, 'launch', 'estimator.launch.py'])
                ),
                launch_arguments={'use_sim_time': 'true'}.items(),
            ),
        ]
    )


def _play(context):
    bag = Path(LaunchConfiguration('bag').perform(context)).expanduser()
    if not bag.exists():
        raise RuntimeError(f'There is no recording at {bag}: name one with bag:=FOLDER.')
    actions = []
    if (bag / 'bag').is_dir():
        subject = bag / 'subject.yaml'
        person = ('subject', 'mass_kg', 'height_m')
        if subject.is_file() and not any(map(context.launch_configurations.get, person)):
            actions.append(SetLaunchConfiguration('subject', str(subject)))
        bag = bag / 'bag'
    command = ['ros2', 'bag', 'play', str(bag), '--clock', CLOCK_HZ, '--rate']
    command.append(LaunchConfiguration('rate'))
    if LaunchConfiguration('loop').perform(context) == 'true':
        command.append('--loop')
    player = ExecuteProcess(
        cmd=command, output='screen', on_exit=Shutdown(reason='the recording is over')
    )
    return [*actions, player]
