# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0

from functools import cache

import numpy as np
import pytest
from walking_sensors import SHANK_M, THIGH_M, walk

from sspinnpose_ros.core.calibration import NOMINAL_HEIGHT_M, calibrate
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.joint_centres import Joint
from sspinnpose_ros.core.leg_lengths import ERROR_M, leg_length_sentence, seen_leg_lengths


def joint(parent: float, child: float) -> Joint:
    return Joint(
        on_parent=np.array([0.0, parent, 0.0]),
        on_child=np.array([0.0, child, 0.0]),
        coherence=1.0,
        residual_m_s=0.0,
    )


def legs(*, thigh: float, shank: float) -> dict[str, Joint]:
    """Return joints of sensors at the middle of each segment."""
    found = {}
    for side in 'rl':
        found[f'thigh_{side}'] = joint(0.0, thigh / 2)
        found[f'shank_{side}'] = joint(-thigh / 2, shank / 2)
        found[f'foot_{side}'] = joint(-shank / 2, 0.0)
    return found


@cache
def verdict() -> str:
    worn = walk(standing_s=0.0)
    return calibrate(
        time_s=worn.time_s,
        acceleration=worn.acceleration,
        angular_rate=worn.angular_rate,
        sensors=SENSORS,
        height_m=NOMINAL_HEIGHT_M,
    ).sentences[-1]


def test_a_walker_is_measured_as_well_as_promised() -> None:
    words = verdict().split()
    thigh, shank = (float(words[words.index(name) + 1]) for name in ('thighs', 'shanks'))
    assert thigh == pytest.approx(THIGH_M, abs=ERROR_M)
    assert shank == pytest.approx(SHANK_M, abs=ERROR_M)
    assert 'check the height' not in verdict()


def test_lengths_are_those_between_the_joints() -> None:
    assert seen_leg_lengths(legs(thigh=0.41, shank=0.43)) == pytest.approx((0.41, 0.43))


@pytest.mark.parametrize(
    ('height_m', 'words'), [(1.45, 'longer than usual: check the height'), (2.05, 'shorter')]
)
def test_a_stature_that_does_not_fit_is_named(height_m: float, words: str) -> None:
    joints = legs(thigh=0.43, shank=0.43)
    assert words in leg_length_sentence(joints, height_m=height_m)
    assert 'check' not in leg_length_sentence(joints, height_m=1.75)


def test_without_a_pelvis_only_shanks_are_told() -> None:
    joints = {
        name: one for name, one in legs(thigh=0.43, shank=0.43).items() if 'thigh' not in name
    }
    sentence = leg_length_sentence(joints, height_m=1.75)
    assert 'thighs' not in sentence
    assert 'shanks 0.43 m' in sentence
