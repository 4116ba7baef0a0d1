# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The package as rosdep, colcon and pip see it."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from shutil import copytree, ignore_patterns
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'sspinnpose_ros'

# Keys that rosdep resolves on Humble to Lyrical and that come from apt: a package that depends on
# a pip key cannot be released.
ROSDEP_KEYS = {
    'ament_index_python',
    'diagnostic_msgs',
    'geometry_msgs',
    'launch',
    'launch_ros',
    'lifecycle_msgs',
    'python3-click',
    'python3-hypothesis',
    'python3-matplotlib',
    'python3-numpy',
    'python3-pytest',
    'python3-pytest-timeout',
    'python3-scipy',
    'python3-torch',
    'python3-yaml',
    'rcl_interfaces',
    'rclpy',
    'robot_state_publisher',
    'ros2bag',
    'ros2launch',
    'rosbag2_storage_mcap',
    'rviz2',
    'sensor_msgs',
    'std_msgs',
    'std_srvs',
    'tf2_msgs',
    'tf2_ros_py',
    'visualization_msgs',
}

# Modules whose key or project has another name.
KEY_OF_MODULE = {
    'builtin_interfaces': 'rclpy',
    'click': 'python3-click',
    'matplotlib': 'python3-matplotlib',
    'numpy': 'python3-numpy',
    'scipy': 'python3-scipy',
    'tf2_ros': 'tf2_ros_py',
    'torch': 'python3-torch',
    'yaml': 'python3-yaml',
}

# Modules without a rosdep key from apt: whoever imports one says what is lost without it.
OPTIONAL_MODULES = {'foxglove', 'mujoco', 'pinocchio', 'rosbags', 'sympy'}

COPYRIGHT = ('Copyright 2026 The sspinnpose_ros authors', 'SPDX-License-Identifier: Apache-2.0')

TF_MESSAGE_HASH = 'RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087'


@pytest.fixture(scope='module')
def manifest():
    return ElementTree.parse(ROOT / 'package.xml').getroot()


@pytest.fixture(scope='module')
def setup_arguments():
    """Return what setup.py passes to setup(), as far as it is literal."""
    for node in ast.walk(ast.parse((ROOT / 'setup.py').read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'setup':
            return {
                keyword.arg: ast.literal_eval(keyword.value)
                for keyword in node.keywords
                if keyword.arg in ('version', 'install_requires', 'entry_points')
            }
    raise AssertionError('setup.py does not call setup()')


def depends(manifest):
    return {element.text for element in manifest if element.tag.endswith('depend')}


def source_files():
    return sorted(PACKAGE.rglob('*.py'))


def test_manifest_is_format_3(manifest):
    assert manifest.tag == 'package'
    assert manifest.get('format') == '3'
    assert manifest.findtext('name') == 'sspinnpose_ros'
    assert manifest.findtext('export/build_type') == 'ament_python'
    assert manifest.find('maintainer').get('email')
    licence = manifest.find('license')
    assert licence.text == 'Apache-2.0'
    assert 'Apache License' in (ROOT / licence.get('file')).read_text()


def test_versions_agree(manifest, setup_arguments):
    text = (PACKAGE / '__init__.py').read_text()
    in_package = re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE).group(1)
    assert in_package == setup_arguments['version'] == manifest.findtext('version')
    assert metadata.version('sspinnpose_ros') == in_package


def test_the_changelog_is_one_that_release_tools_read(manifest):
    lines = (ROOT / 'CHANGELOG.rst').read_text().splitlines()
    assert lines[:3:2] == ['^' * len(lines[1])] * 2
    assert lines[1] == f'Changelog for package {manifest.findtext("name")}'
    headings = [above for above, below in pairwise(lines) if set(below) == {'-'}]
    assert headings
    for heading in headings[headings[0] == 'Forthcoming' :]:
        assert re.fullmatch(r'\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)', heading), heading


def test_hooks_run_the_tools_of_make_lint():
    config = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())
    (repository,) = config['repos']
    assert repository['repo'] == 'local', 'a tool from elsewhere has a version of its own'
    tools = {hook['entry'].split(' --')[0] for hook in repository['hooks']}
    lint = (ROOT / 'Makefile').read_text().split('lint: ', 1)[1].split('\n\n')[0]
    wanted = re.findall(r'\$\(BIN\)/(\w+(?: \w+)?)', lint)
    assert tools == {f'.venv/bin/{tool}' for tool in wanted}


def test_every_source_file_begins_with_its_copyright():
    folders = ('sspinnpose_ros', 'benchmarks', 'docs', 'launch', 'test')
    sources = [path for name in folders for path in (ROOT / name).rglob('*') if path.is_file()]
    for path in (ROOT / 'setup.py', *sources):
        if path.suffix in ('.py', '.c'):
            for line, wanted in zip(path.read_text().splitlines(), COPYRIGHT, strict=False):
                assert wanted in line, f'{path.relative_to(ROOT)} does not begin with {wanted!r}'


def test_dependencies_are_keys_that_rosdep_knows(manifest):
    assert depends(manifest) <= ROSDEP_KEYS


def test_imports_are_dependencies(manifest):
    allowed = depends(manifest) | set(sys.stdlib_module_names) | {'sspinnpose_ros'}
    for path in source_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            else:
                continue
            for name in (name.partition('.')[0] for name in names):
                if name not in OPTIONAL_MODULES:
                    where = f'{path.relative_to(ROOT)}:{node.lineno} imports {name}'
                    assert KEY_OF_MODULE.get(name, name) in allowed, where


def test_no_ros_package_is_required_of_pip(setup_arguments):
    assert set(setup_arguments['install_requires']) == {'click', 'numpy', 'pyyaml'}


def test_entry_points_exist(setup_arguments):
    for line in setup_arguments['entry_points']['console_scripts']:
        _, module, function = re.fullmatch(r'(\w+) = ([\w.]+):(\w+)', line).groups()
        path = ROOT / f'{module.replace(".", "/")}.py'
        names = [node.name for node in ast.parse(path.read_text()).body if hasattr(node, 'name')]
        assert function in names, f'{line}: {path.name} has no {function}'


def test_every_folder_of_modules_is_a_package():
    for folder in {path.parent for path in source_files()}:
        assert (folder / '__init__.py').is_file(), f'setup.py leaves {folder} out'


def test_every_requirement_is_pinned():
    for path in (ROOT / 'requirements').glob('*.txt'):
        for line in path.read_text().splitlines():
            if line and not line.startswith('#'):
                assert re.fullmatch(r'[\w-]+(\[\w+\])?==[\w.]+', line), f'{path.name}: {line}'


def test_only_a_machine_without_ros_builds_tf2_msgs():
    assert (ROOT / 'third_party/tf2_msgs/COLCON_IGNORE').is_file()


@pytest.mark.ros
def test_tf_message_is_the_one_everybody_else_speaks():
    tf2_msgs = pytest.importorskip('tf2_msgs')
    prefix = Path(tf2_msgs.__file__).parents[4]
    description = prefix / 'share/tf2_msgs/msg/TFMessage.json'
    if not description.is_file():
        pytest.skip(f'{prefix} carries no type descriptions')
    hashes = {
        entry['type_name']: entry['hash_string']
        for entry in json.loads(description.read_text())['type_hashes']
    }
    assert hashes['tf2_msgs/msg/TFMessage'] == TF_MESSAGE_HASH


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Build the package as pip does and return its source and the names inside."""
    return build_wheel(tmp_path_factory.mktemp('wheel'))


def build_wheel(folder, **environment):
    if tuple(int(part) for part in metadata.version('setuptools').split('.')[:1]) < (71,):
        pytest.skip('setuptools here needs another package to build a wheel')
    source = copytree(
        ROOT,
        folder / 'source',
        ignore=ignore_patterns('.*', '*.so', 'build', 'install', 'log', 'test'),
    )
    options = ['-qq', '--no-deps', '--no-build-isolation', '--wheel-dir', folder]
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', *options, source],
        check=True,
        timeout=120,
        env=os.environ | environment,
    )
    (path,) = folder.glob('*.whl')
    return source, set(zipfile.ZipFile(path).namelist())


def test_wheel_holds_every_module_and_model(wheel):
    source, names = wheel
    package = source / 'sspinnpose_ros'
    wanted = [path for path in package.rglob('*') if path.suffix in ('.py', '.json')]
    wanted += [path for path in (package / 'models').rglob('*') if path.is_file()]
    assert {str(path.relative_to(source)) for path in wanted} <= names


def test_wheel_holds_the_page_of_view_and_the_licence_of_what_it_draws_with(wheel):
    source, names = wheel
    page = source / 'sspinnpose_ros' / 'cli' / 'view_page'
    files = [str(path.relative_to(source)) for path in page.iterdir()]
    assert set(files) <= names
    assert 'sspinnpose_ros/cli/view_page/three.LICENSE.txt' in files
    assert not [name for name in names if 'node_modules' in name]


def compiled(names):
    return [name for name in names if 'core/native/_step.' in name]


def test_wheel_holds_the_step_in_c(wheel):
    if shutil.which('cc') is None and shutil.which('gcc') is None:
        pytest.skip('there is no C compiler')
    assert len(compiled(wheel[1])) == 1


def test_without_a_compiler_the_package_is_built_all_the_same(tmp_path):
    source, names = build_wheel(tmp_path, CC='/no/compiler')
    assert not compiled(names)
    modules = (source / 'sspinnpose_ros' / 'core').glob('*.py')
    assert {f'sspinnpose_ros/core/{path.name}' for path in modules} <= names


@pytest.mark.parametrize('folder', ['launch', 'config', 'config/drivers', 'rviz', 'urdf'])
def test_wheel_holds_what_goes_to_share(wheel, folder):
    source, names = wheel
    for path in (source / folder).glob('*.*'):
        assert any(name.endswith(f'/share/sspinnpose_ros/{folder}/{path.name}') for name in names)


def test_wheel_leaves_scripts_to_pip(wheel):
    assert not [name for name in wheel[1] if name.endswith(('/estimator', '/sspinnpose'))]


def test_wheel_is_found_by_ament(wheel):
    marker = 'data/share/ament_index/resource_index/packages/sspinnpose_ros'
    assert any(name.endswith(marker) for name in wheel[1])
    assert (ROOT / 'resource/sspinnpose_ros').is_file()
