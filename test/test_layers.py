# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Imports point one way: core <- training, evaluation, bags <- ros, cli."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = 'sspinnpose_ros'
ROOT = Path(__file__).parents[1] / PACKAGE
SOURCES = sorted(ROOT.rglob('*.py'))

MAY_IMPORT = {
    'core': {'core'},
    'training': {'core', 'training'},
    'evaluation': {'core', 'evaluation'},
    'bags': {'core', 'bags'},
    'ros': {'core', 'training', 'evaluation', 'bags', 'ros'},
    'cli': {'core', 'training', 'evaluation', 'bags', 'cli'},
}

CORE_NEEDS = {'numpy', 'yaml', 'safetensors', 'torch'}
"""Third-party packages that the core may name; of these only numpy must be there to compute."""

TORCH_AT_IMPORT = {'core/network.py'}
TORCH_IN_FUNCTIONS = {'core/arrays.py', 'core/body.py'}


@dataclass(frozen=True)
class Import:
    """One imported module: its full name, and whether importing the file imports it too."""

    module: str
    line: int
    in_function: bool

    @property
    def top(self) -> str:
        return self.module.split('.')[0]


def imports_of(path: Path) -> list[Import]:
    tree = ast.parse(path.read_text(), filename=str(path))
    return list(_walk(tree, path=path, in_function=False))


def _walk(node: ast.AST, *, path: Path, in_function: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, in_function)
        elif isinstance(child, ast.ImportFrom):
            base = _absolute(child, path=path)
            for alias in child.names:
                yield Import(f'{base}.{alias.name}', child.lineno, in_function)
        elif isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.unparse(child.test):
            for branch in child.orelse:
                yield from _walk(branch, path=path, in_function=in_function)
        else:
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _walk(child, path=path, in_function=in_function or inside)


def _absolute(node: ast.ImportFrom, *, path: Path) -> str:
    if node.level == 0:
        return node.module or ''
    package = [PACKAGE, *path.relative_to(ROOT).parent.parts]
    kept = package[: len(package) - node.level + 1]
    return '.'.join([*kept, *([node.module] if node.module else [])])


def layer_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else ''


def layer_named(module: str) -> str | None:
    parts = module.split('.')
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 and parts[1] in MAY_IMPORT else None


each_source = pytest.mark.parametrize(
    'path', SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES]
)


@each_source
def test_arrows_point_one_way(path: Path) -> None:
    allowed = MAY_IMPORT.get(layer_of(path), set())
    wrong = [
        f'line {each.line} imports {each.module}'
        for each in imports_of(path)
        if (layer := layer_named(each.module)) is not None and layer not in allowed
    ]
    assert not wrong


@each_source
def test_every_file_has_a_layer(path: Path) -> None:
    assert layer_of(path) in {'', *MAY_IMPORT}


@each_source
def test_ros_stays_in_the_ros_layer(path: Path) -> None:
    if layer_of(path) == 'ros':
        return
    wrong = [each for each in imports_of(path) if is_ros(each.top)]
    assert not wrong


def is_ros(top: str) -> bool:
    return top in {'rclpy', 'rcl_interfaces', 'tf2_ros', 'std_srvs', 'launch', 'launch_ros'} or (
        top.endswith(('_msgs', '_interfaces')) or top.startswith('ament_')
    )


@pytest.mark.parametrize(
    'path',
    [path for path in SOURCES if layer_of(path) == 'core'],
    ids=[str(path.relative_to(ROOT)) for path in SOURCES if layer_of(path) == 'core'],
)
def test_the_core_needs_numpy_only(path: Path) -> None:
    known = sys.stdlib_module_names | CORE_NEEDS | {PACKAGE}
    wrong = [
        f'line {each.line}: {each.module}' for each in imports_of(path) if each.top not in known
    ]
    assert not wrong
    name = path.relative_to(ROOT).as_posix()
    for each in imports_of(path):
        if each.top == 'torch' and name not in TORCH_AT_IMPORT:
            assert name in TORCH_IN_FUNCTIONS, f'line {each.line} imports {each.module}'
            assert each.in_function, f'line {each.line} imports torch on import'


def test_the_core_runs_where_only_numpy_is_installed() -> None:
    modules = [
        '.'.join([PACKAGE, *path.relative_to(ROOT).with_suffix('').parts])
        for path in SOURCES
        if layer_of(path) == 'core' and path.stem not in ('__init__', 'network')
    ]
    program = f"""
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {{'torch', 'scipy', 'rclpy', 'rosbags', 'click', 'matplotlib'}}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
for module in {modules!r}:
    importlib.import_module(module)
from sspinnpose_ros.core.body import body_from_anthropometry
from sspinnpose_ros.core.urdf import body_urdf
assert '<robot' in body_urdf(body=body_from_anthropometry(mass_kg=75.0, height_m=1.75))
"""
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=ROOT.parent
    )
    assert done.returncode == 0, done.stderr
