# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0

import os
from glob import glob

from setuptools import Extension, find_packages, setup

package_name = 'sspinnpose_ros'


def share(folder):
    """Return the data_files entry that installs a folder's files under share/."""
    files = sorted(path for path in glob(f'{folder}/*') if os.path.isfile(path))
    return (f'share/{package_name}/{folder}', files)


setup(
    name=package_name,
    version='0.1.0',
    description='Live joint angles, joint moments and ground reaction forces from body-worn IMUs',
    author='The sspinnpose_ros authors',
    author_email='maintainers@users.noreply.r-seed-4462a88f.example',
    maintainer='The sspinnpose_ros authors',
    maintainer_email='maintainers@users.noreply.r-seed-4462a88f.example',
    license='Apache-2.0',
    packages=find_packages(exclude=['test*']),
    package_data={
        package_name: ['py.typed', 'models/*', 'models/*/*', 'training/*.json', 'cli/view_page/*']
    },
    # Without a compiler the package installs all the same, and the estimator steps in Python.
    ext_modules=[
        Extension(
            f'{package_name}.core.native._step',
            [f'{package_name}/core/native/{name}.c' for name in ('step', 'watch')],
            extra_compile_args=['-O3', '-std=gnu11', '-Wall', '-Wextra'],
            optional=True,
        )
    ],
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{package_name}']),
        (f'share/{package_name}', ['package.xml']),
        share('launch'),
        share('config'),
        share('config/drivers'),
        share('config/sros2'),
        share('rviz'),
        share('urdf'),
    ],
    zip_safe=False,
    python_requires='>=3.10',
    install_requires=['click', 'numpy', 'pyyaml'],
    extras_require={
        'bags': ['rosbags'],
        'foxglove': ['foxglove-sdk'],
        'plot': ['matplotlib'],
        'train': ['scipy', 'torch>=1.13'],
        'test': ['hypothesis', 'pytest', 'pytest-timeout'],
        'dev': ['mypy', 'ruff', 'types-PyYAML'],
        'docs': ['furo', 'myst-parser', 'sphinx'],
    },
    entry_points={
        'console_scripts': [
            'sspinnpose = sspinnpose_ros.cli.main:main',
            'estimator = sspinnpose_ros.ros.estimator_node:main',
            'demo_wearer = sspinnpose_ros.ros.demo_wearer:main',
            'imu_relay = sspinnpose_ros.ros.imu_relay:main',
            'assist_example = sspinnpose_ros.ros.assist_example:main',
        ],
    },
)
