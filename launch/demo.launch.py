# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show the estimator without hardware: a simulated wearer, the estimator, RViz if present."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import launch_config
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from sspinnpose_ros.core.subject import make_subject, save_subject

SIMULATING_S = '120.0'


def generate_launch_description():
    """Describe the arguments, the wearer and the estimator, whose arguments all hold here too."""
    share = FindPackageShare('sspinnpose_ros')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'speed_mps',
                default_value='1.3',
                description='Speed of the simulated wearer, who runs above about 2.1 [m/s].',
            ),
            DeclareLaunchArgument(
                'mass_kg', default_value='75.0', description="The simulated wearer's mass [kg]."
            ),
            DeclareLaunchArgument(
                'height_m', default_value='1.75', description="The simulated wearer's height [m]."
            ),
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of the nodes and topics.'
            ),
            DeclareLaunchArgument(
                'rviz',
                default_value='true',
                choices=['true', 'false'],
                description='Whether to show the wearer in RViz, where that is installed.',
            ),
            OpaqueFunction(function=_wearer),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([share, 'launch', 'estimator.launch.py'])
                ),
                # The simulation takes its time before the first sample.
                launch_arguments={'missing_topic_s': SIMULATING_S}.items(),
            ),
        ]
    )


def _wearer(context):
    body = {}
    for name in ('mass_kg', 'height_m'):
        text = LaunchConfiguration(name).perform(context)
        try:
            body[name] = float(text)
        except ValueError:
            raise RuntimeError(f'{name} is {text!r}, expected a number without a unit.') from None
    # The simulated sensors are aligned with their segments, which only a SUBJECT.yaml can say.
    subject = Path(launch_config.log_dir) / 'subject.yaml'
    save_subject(subject, make_subject(**body, sensor_axes='segment aligned'))
    speed = ParameterValue(LaunchConfiguration('speed_mps'), value_type=float)
    return [
        SetLaunchConfiguration('subject', str(subject)),
        Node(
            package='sspinnpose_ros',
            executable='demo_wearer',
            name='demo_wearer',
            namespace=LaunchConfiguration('namespace'),
            parameters=[{'speed_mps': speed, **body}],
            output='screen',
        ),
    ]
