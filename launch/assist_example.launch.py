# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the estimator and the example of a controller that follows it."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    """Describe the arguments, the controller and the estimator, whose arguments hold here too."""
    share = FindPackageShare('sspinnpose_ros')
    example = PathJoinSubstitution([share, 'config', 'assist_example.yaml'])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of the nodes and topics.'
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=example,
                description='Parameter file of the estimator; it must name the assisted joints.',
            ),
            DeclareLaunchArgument(
                'assist_params_file',
                default_value=example,
                description='Parameter file of the controller.',
            ),
            DeclareLaunchArgument(
                'command_topic',
                default_value='exo/torque_command',
                description='Where the torques go, such as /effort_controller/commands.',
            ),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='false',
                choices=['true', 'false'],
                description='Whether time comes from /clock, as with a bag or a simulator.',
            ),
            Node(
                package='sspinnpose_ros',
                executable='assist_example',
                name='assist_example',
                namespace=LaunchConfiguration('namespace'),
                parameters=[
                    LaunchConfiguration('assist_params_file'),
                    {
                        'use_sim_time': ParameterValue(
                            LaunchConfiguration('use_sim_time'), value_type=bool
                        )
                    },
                ],
                remappings=[('exo/torque_command', LaunchConfiguration('command_topic'))],
                output='screen',
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(
                    PathJoinSubstitution([share, 'launch', 'estimator.launch.py'])
                )
            ),
        ]
    )
