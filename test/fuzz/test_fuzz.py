# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A hundred thousand hostile inputs: no crash, no hang, no memory kept, and a sentence for each.

Longer runs with new cases: `make fuzz`. A failure prints the command that repeats its case.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip('rosbags')

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.campaign import Target, alarmed, require_sentence, run, scratch_place
from fuzz.mutation import HOSTILE_VALUES
from fuzz.targets import HAS_ROS, SUBJECT, bomb, close, imu_bytes, targets
from sspinnpose_ros.bags.imu_cdr import MalformedImuError
from sspinnpose_ros.bags.reference import load_reference
from sspinnpose_ros.core.bounded_yaml import (
    DEEPEST,
    MOST_VALUES,
    BrokenYamlError,
    UnboundedYamlError,
    parse_yaml,
)
from sspinnpose_ros.core.calibration_file import calibration_from_mapping, load_calibration
from sspinnpose_ros.core.errors import CalibrationError, RecordingError, SubjectError
from sspinnpose_ros.core.subject import load_subject, subject_from_mapping
from sspinnpose_ros.ros.imu_message import read_imu

NAMES = (
    *('imu message', 'imu messages', 'pipeline', 'subject content', 'calibration content'),
    *('subject file', 'calibration file', 'mapping file', 'locations file', 'yaml'),
    *('model weights', 'model description', 'reference', 'estimate'),
    *('mcap', 'sqlite3', 'survey', 'metadata', 'human topics', 'latency log', 'status log'),
    *('csv', 'npz', *(('parameters',) if HAS_ROS else ())),
)
NEVER_REFUSED = ('pipeline',)
"""Samples are not refused but counted."""


@pytest.fixture(scope='module')
def known() -> Iterator[dict[str, Target]]:
    with TemporaryDirectory(dir=scratch_place()) as folder, alarmed():
        found = targets(Path(folder))
        yield found
        close(found)


def test_the_cases_are_at_least_as_many_as_promised(known: dict[str, Target]) -> None:
    assert set(known) == set(NAMES)
    assert sum(target.cases for target in known.values()) >= 100_000


@pytest.mark.parametrize('name', NAMES)
def test_every_case_is_read_or_refused_in_a_sentence(known: dict[str, Target], name: str) -> None:
    found = run(known[name])
    assert found.accepted
    assert found.refused or name in NEVER_REFUSED


def test_a_run_sees_what_it_looks_for() -> None:
    """Plant each kind of failure; a campaign that misses one would pass everything."""

    def refuse_badly(_: object) -> None:
        raise SubjectError('no')

    def crash(_: object) -> None:
        raise KeyError('x')

    kept: list[bytearray] = []

    def leak(_: object) -> None:
        kept.append(bytearray(b'x' * 2**20))

    for read in (refuse_badly, crash, leak):
        target = Target('planted', 200, lambda rng: rng.random(), read)
        with pytest.raises(AssertionError):
            run(target)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates()
    | st.integers(0, len(HOSTILE_VALUES) - 1).map(lambda which: HOSTILE_VALUES[which]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys((*SUBJECT, 'mass', 'note'), anything)))
def test_any_subject_is_read_or_refused(content: dict[str, Any]) -> None:
    try:
        subject = subject_from_mapping(content)
    except SubjectError as error:
        require_sentence(str(error))
    else:
        assert math.isfinite(subject.mass_kg)
        assert np.isfinite(subject.sensor_position_m).all()


@settings(max_examples=200, deadline=None)
@given(anything)
def test_any_calibration_is_refused(content: Any) -> None:
    with pytest.raises(CalibrationError) as refused:
        calibration_from_mapping(content)
    require_sentence(str(refused.value))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=500))
def test_random_bytes_are_no_imu(raw: bytes) -> None:
    try:
        reading = read_imu(raw)
    except MalformedImuError:
        return
    assert reading.sample.shape == (6,)


@settings(max_examples=200, deadline=None)
@given(anything.filter(lambda value: not isinstance(value, bytes)))
def test_plain_values_survive_yaml(value: Any) -> None:
    """A tree of twelve leaves is within the limits, and read as PyYAML reads it."""
    try:
        text = yaml.safe_dump(value)
        expected = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, UnicodeError):
        return
    assert repr(parse_yaml(text.encode())) == repr(expected)


@pytest.mark.parametrize('merge', [False, True])
def test_a_yaml_bomb_is_defused(tmp_path: Path, merge: bool) -> None:
    raw = bomb(levels=30, width=10, merge=merge)
    assert len(raw) < 2500
    with pytest.raises(UnboundedYamlError, match='more values'):
        parse_yaml(raw)
    for load, error in ((load_subject, SubjectError), (load_calibration, CalibrationError)):
        (tmp_path / 'bomb.yaml').write_bytes(raw)
        with pytest.raises(error, match='more values') as refused:
            load(tmp_path / 'bomb.yaml')
        require_sentence(str(refused.value))


def test_harmless_aliases_are_read() -> None:
    assert parse_yaml(b'a: &x [1, 2]\nb: *x') == {'a': [1, 2], 'b': [1, 2]}
    assert parse_yaml(b'a: &x {p: 1}\nb: {<<: *x, q: 2}')['b'] == {'p': 1, 'q': 2}


@pytest.mark.parametrize(
    ('raw', 'words'),
    [
        (b'[' * 150_000, 'nested'),
        (b'{a: ' * 50_000, 'nested'),
        (b'&a [*a]', 'itself'),
        (b'- x\n' * (MOST_VALUES + 1), 'more values'),
    ],
)
def test_what_has_no_bounds_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(UnboundedYamlError, match=words):
        parse_yaml(raw)


@pytest.mark.parametrize(
    'raw', [b'\xff\xfe\x00', b'a: 2001-02-31', b'!!python/name:os.system', b'? [a]\n: b', b'*x']
)
def test_what_is_no_yaml_is_refused(raw: bytes) -> None:
    with pytest.raises(BrokenYamlError):
        parse_yaml(raw)


def test_the_deepest_file_is_read() -> None:
    depth = DEEPEST - 1
    assert parse_yaml(b'[' * depth + b'1' + b']' * depth)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / 'large.yaml'
    with path.open('wb') as file:
        file.truncate(2**33)
    for load, error in ((load_subject, SubjectError), (load_calibration, CalibrationError)):
        with pytest.raises(error, match='larger than') as refused:
            load(path)
        require_sentence(str(refused.value))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe.yaml')
    for load, error in ((load_subject, SubjectError), (load_calibration, CalibrationError)):
        with pytest.raises(error, match='is a pipe') as refused:
            load(tmp_path / 'pipe.yaml')
        require_sentence(str(refused.value))


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / 'bomb.npz', time=np.zeros(12_000_000))
    assert (tmp_path / 'bomb.npz').stat().st_size < 200_000
    with pytest.raises(RecordingError, match='no npz'):
        load_reference(tmp_path / 'bomb.npz')


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (pytest.fail, ('unpickled',))

    np.savez(tmp_path / 'trap.npz', time=np.array([Trap()], dtype=object))
    with pytest.raises(RecordingError, match='no npz'):
        load_reference(tmp_path / 'trap.npz')


def test_nanoseconds_are_unsigned() -> None:
    """Found by the fuzzer: the two readers of messages once disagreed on these."""
    raw = bytearray(imu_bytes())
    raw[8:12] = b'\xff\xff\xff\xff'
    assert read_imu(bytes(raw)).stamp_ns % 10**9 == 0xFFFFFFFF % 10**9
