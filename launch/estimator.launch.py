# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the estimator on the IMU topics of one wearer."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from sspinnpose_ros.core.subject import load_subject, make_subject
from sspinnpose_ros.core.urdf import body_urdf

# Arguments that, where given, win over the parameter file.
OVERRIDES = {
    'mass_kg': float,
    'height_m': float,
    'subject': str,
    'model': str,
    'calibration': str,
    'autostart': bool,
    'publish_tf': bool,
    'frame_prefix': str,
    'missing_topic_s': float,
}

JOINT_TF_HZ = 200.0


def generate_launch_description():
    """Describe the arguments, the estimator and RViz."""
    share = FindPackageShare('sspinnpose_ros')
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of the node and its topics.'
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=PathJoinSubstitution([share, 'config', 'estimator.yaml']),
                description='Parameter file; the arguments below win over it where given.',
            ),
            DeclareLaunchArgument(
                'mass_kg', default_value='', description="The wearer's mass with clothes [kg]."
            ),
            DeclareLaunchArgument(
                'height_m', default_value='', description="The wearer's height [m]."
            ),
            DeclareLaunchArgument(
                'subject',
                default_value='',
                description='SUBJECT.yaml of the wearer, in place of mass_kg and height_m.',
            ),
            DeclareLaunchArgument(
                'model',
                default_value='',
                description='Folder of the trained model, or "default" for the shipped one.',
            ),
            DeclareLaunchArgument(
                'calibration',
                default_value='',
                description='CALIBRATION.yaml of sspinnpose calibrate or ~/save_calibration.',
            ),
            DeclareLaunchArgument(
                'autostart',
                default_value='',
                description='Whether the node configures and activates itself: true or false.',
            ),
            DeclareLaunchArgument(
                'publish_tf',
                default_value='',
                description='Whether the node publishes /tf and /tf_static: true or false.',
            ),
            DeclareLaunchArgument(
                'frame_prefix',
                default_value='',
                description="Put before the wearer's frames, to tell several wearers apart.",
            ),
            DeclareLaunchArgument(
                'missing_topic_s',
                default_value='',
                description='Time after which topics that were never heard are named [s].',
            ),
            DeclareLaunchArgument(
                'robot_state_publisher',
                default_value='false',
                choices=['true', 'false'],
                description='Whether robot_state_publisher publishes the joints on /tf instead of '
                'the node; subject, or mass_kg and height_m, must be given here then.',
            ),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='false',
                choices=['true', 'false'],
                description='Whether time comes from /clock, as with a bag or a simulator.',
            ),
            DeclareLaunchArgument(
                'log_level', default_value='info', description='Log level of the estimator.'
            ),
            DeclareLaunchArgument(
                'rviz',
                default_value='false',
                choices=['true', 'false'],
                description='Whether to show the wearer in RViz, where that is installed.',
            ),
            DeclareLaunchArgument(
                'rviz_config',
                default_value=PathJoinSubstitution([share, 'rviz', 'sspinnpose.rviz']),
                description='RViz configuration.',
            ),
            OpaqueFunction(function=_estimator),
            OpaqueFunction(function=_robot_state_publisher),
            OpaqueFunction(function=_rviz),
        ]
    )


def _estimator(context):
    parameters = {'use_sim_time': _given(context, 'use_sim_time', bool)}
    for name, kind in OVERRIDES.items():
        value = _given(context, name, kind)
        if value is not None:
            parameters[name] = value
    if _given(context, 'robot_state_publisher', bool):
        parameters['publish_joint_tf'] = False
    return [
        LifecycleNode(
            package='sspinnpose_ros',
            executable='estimator',
            name='sspinnpose',
            namespace=LaunchConfiguration('namespace'),
            parameters=[LaunchConfiguration('params_file'), parameters],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            output='screen',
        )
    ]


def _robot_state_publisher(context):
    if not _given(context, 'robot_state_publisher', bool):
        return []
    path, mass_kg, height_m, prefix = (
        _given(context, name, OVERRIDES[name])
        for name in ('subject', 'mass_kg', 'height_m', 'frame_prefix')
    )
    if path:
        subject = load_subject(Path(path))
    elif mass_kg and height_m:
        subject = make_subject(mass_kg=mass_kg, height_m=height_m)
    else:
        raise RuntimeError(
            'robot_state_publisher:=true needs to know the person: give subject:=SUBJECT.yaml, or '
            'mass_kg and height_m.'
        )
    urdf = body_urdf(body=subject.body(), frame_prefix=prefix or '')
    return [
        Node(
            package='robot_state_publisher',
            executable='robot_state_publisher',
            namespace=LaunchConfiguration('namespace'),
            parameters=[
                {
                    'robot_description': ParameterValue(urdf, value_type=str),
                    'publish_frequency': JOINT_TF_HZ,
                    'use_sim_time': _given(context, 'use_sim_time', bool),
                }
            ],
            remappings=[
                ('joint_states', 'human/joint_states'),
                # The estimator publishes it already.
                ('robot_description', '~/robot_description'),
            ],
            output='screen',
        )
    ]


def _rviz(context):
    if not _given(context, 'rviz', bool):
        return []
    try:
        get_package_prefix('rviz2')
    except PackageNotFoundError:
        return [LogInfo(msg='RViz is not installed (package rviz2): going on without it.')]
    topics = ['joint_states', 'wrench/foot_r', 'wrench/foot_l', 'markers']
    return [
        Node(
            package='rviz2',
            executable='rviz2',
            name='rviz',
            namespace=LaunchConfiguration('namespace'),
            arguments=[
                '--display-config',
                LaunchConfiguration('rviz_config'),
                '--fixed-frame',
                f'{_given(context, "frame_prefix", str) or ""}odom',
            ],
            parameters=[{'use_sim_time': _given(context, 'use_sim_time', bool)}],
            # RViz wants absolute names in its file; here they move into the namespace.
            remappings=[
                ('/robot_description', 'robot_description'),
                *((f'/human/{topic}', f'human/{topic}') for topic in topics),
            ],
        )
    ]


def _given(context, name, kind):
    """Return an argument's value as its kind, or None where it was left empty."""
    text = LaunchConfiguration(name).perform(context)
    if not text:
        return None
    if kind is bool:
        if text.lower() not in ('true', 'false'):
            raise RuntimeError(f'{name} is {text!r}, expected true or false.')
        return text.lower() == 'true'
    try:
        return kind(text)
    except ValueError:
        raise RuntimeError(f'{name} is {text!r}, expected a number without a unit.') from None
