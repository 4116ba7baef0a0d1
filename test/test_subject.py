# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read, check and write SUBJECT.yaml."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_recordings import RECORDINGS

from sspinnpose_ros.core.body import nominal_sensor_position
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import SubjectError
from sspinnpose_ros.core.subject import (
    load_subject,
    make_subject,
    save_subject,
    subject_from_mapping,
)

PERSON = {'mass_kg': 70, 'height_m': 1.75}


def test_positions_turn_from_file_axes_to_ours() -> None:
    subject = subject_from_mapping(
        {**PERSON, 'sensor_position_m': {'thigh_r': [0.01, -0.2, 0.07]}}
    )
    np.testing.assert_allclose(
        subject.sensor_position_m[SENSORS.index('thigh_r')], [0.01, -0.07, -0.2]
    )


def test_positions_not_given_are_nominal() -> None:
    subject = make_subject(mass_kg=70, height_m=1.75)
    nominal = nominal_sensor_position(height_m=np.float64(1.75))
    np.testing.assert_allclose(subject.sensor_position_m[:, [0, 2]], nominal)
    np.testing.assert_array_equal(subject.sensor_position_m[:, 1], 0.0)
    assert not subject.sensor_position_m.flags.writeable


@pytest.mark.parametrize(
    ('spelling', 'axes'),
    [
        ('segment aligned: x forward, y up, z right', 'aligned'),
        ('virtual IMUs; segment aligned', 'aligned'),
        ('segment aligned', 'aligned'),
        ('aligned', 'aligned'),
        ('raw, mounting unknown', 'unknown'),
        ('unknown', 'unknown'),
        (None, 'unknown'),
    ],
)
def test_axes_have_these_spellings(spelling: str | None, axes: str) -> None:
    assert subject_from_mapping({**PERSON, 'sensor_axes': spelling}).sensor_axes == axes


def test_notes_are_accepted_and_lengths_reach_the_body() -> None:
    subject = subject_from_mapping(
        {**PERSON, 'speed_mps': 1.2, 'leg_length_m': 0.9, 'segment_length_m': {'thigh': 0.41}}
    )
    assert float(subject.body().leg_length[0]) == 0.41


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ({'height_m': 1.75}, 'mass_kg is missing'),
        ({'mass_kg': 70}, 'height_m is missing'),
        ({**PERSON, 'mass_kg': 0}, 'mass_kg is 0, expected'),
        ({**PERSON, 'mass_kg': float('nan')}, 'mass_kg is nan, expected'),
        ({**PERSON, 'mass_kg': '70 kg'}, "mass_kg is '70 kg', expected"),
        ({**PERSON, 'mass_kg': True}, 'mass_kg is True, expected'),
        ({**PERSON, 'height_m': 175}, 'in metres, not centimetres'),
        ({**PERSON, 'sensor_axes': 'x left'}, "sensor_axes is 'x left', expected"),
        ({**PERSON, 'sensor_axes': ''}, 'sensor_axes is'),
        ({**PERSON, 'sensor_axes': 'segment aligned: x forward, y left, z up'}, 'sensor_axes is'),
        ({**PERSON, 'sensor_position_m': {'hand': [0, 0, 0]}}, "names 'hand', expected"),
        ({**PERSON, 'sensor_position_m': {'pelvis': [0, 0]}}, 'holds 2 numbers'),
        ({**PERSON, 'sensor_position_m': {'pelvis': 'back'}}, 'expected three numbers'),
        ({**PERSON, 'sensor_position_m': {'pelvis': [-10, 5, 0]}}, 'not centimetres'),
        ({**PERSON, 'sensor_position_m': [1, 2]}, 'one line a name'),
        ({**PERSON, 'sensor_position_origin': 'x forward, y left, z up'}, 'expected positions'),
        ({**PERSON, 'segment_length_m': {'leg': 0.9}}, "names 'leg', expected"),
        ({**PERSON, 'segment_length_m': {'thigh': 41}}, 'in metres'),
        ({**PERSON, 'segment_length_m': 'long'}, 'one line a name'),
    ],
)
def test_mistakes_are_one_sentence(content: dict[str, object], words: str) -> None:
    with pytest.raises(SubjectError) as caught:
        subject_from_mapping(content)
    assert words in str(caught.value)
    assert '\n' not in str(caught.value)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    for name, content, words in (
        ('list.yaml', '- 1', 'holds no keys'),
        ('broken.yaml', 'mass_kg: [', 'is not YAML'),
        ('zero.yaml', 'mass_kg: 0\nheight_m: 1.8', 'mass_kg is 0'),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(SubjectError, match=words) as caught:
            load_subject(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(SubjectError, match='does not exist'):
        load_subject(tmp_path / 'none.yaml')
    with pytest.raises(SubjectError, match='cannot be read'):
        load_subject(tmp_path)


def test_what_is_saved_reads_back(tmp_path: Path) -> None:
    subject = make_subject(
        mass_kg=61.5,
        height_m=1.66,
        segment_length_m={'shank': 0.39},
        sensor_axes='aligned',
        sensor_position_m={'foot_l': (0.11, 0.02, -0.03)},
    )
    save_subject(tmp_path / 'subject.yaml', subject, notes={'speed_mps': 1.1})
    again = load_subject(tmp_path / 'subject.yaml')
    assert (again.mass_kg, again.height_m, again.sensor_axes) == (61.5, 1.66, 'aligned')
    assert again.segment_length_m == {'shank': 0.39}
    np.testing.assert_allclose(again.sensor_position_m, subject.sensor_position_m, atol=1e-6)


@pytest.mark.skipif(not RECORDINGS.exists(), reason=f'{RECORDINGS} is not there')
def test_recorded_subjects_load() -> None:
    axes = {
        path.parent.name: load_subject(path).sensor_axes
        for path in sorted(RECORDINGS.glob('*/subject.yaml'))
    }
    assert axes
    for name, found in axes.items():
        assert found == ('unknown' if name.startswith('treadmill_w') else found)
    assert axes['overground_walk_p1'] == axes['treadmill_run_25_virtual'] == 'aligned'


@pytest.mark.parametrize(
    ('key', 'known'),
    [('mass', 'mass_kg'), ('height', 'height_m'), ('sensors_axes', 'sensor_axes')],
)
def test_a_misspelt_key_is_named(key: str, known: str) -> None:
    content = {'mass_kg': 70.0, 'height_m': 1.75, 'speed_mps': 1.3, 'source': 'a note'}
    subject_from_mapping(content)
    content[key] = content.pop(known, 'aligned')
    with pytest.raises(SubjectError, match=f"'{key}' is no key .* expected perhaps {known}"):
        subject_from_mapping(content)
