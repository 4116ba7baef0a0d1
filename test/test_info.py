# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what a recording holds, and propose a mapping that the other commands take."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip('rosbags')

from command_line import run
from made_recordings import ORIGIN_NS, SUBJECT, restamp_bag, swinging, write_text_bag, write_trial
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from walking_sensors import random_rotation, walk

from sspinnpose_ros.bags.imu_bag import ImuSeries, open_imu_bag
from sspinnpose_ros.bags.placement_proposal import propose_placement
from sspinnpose_ros.bags.recording_info import RecordingInfo, recording_info
from sspinnpose_ros.bags.sensor_names import NamedPlacement, placement_in
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.placement_guess import HIGH, PlacementGuess
from sspinnpose_ros.core.stamp_statistics import stamp_statistics

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
Change = Callable[[np.ndarray], np.ndarray]

ORDER = ('foot_l', 'pelvis', 'thigh_r', 'shank_l', 'foot_r', 'thigh_l', 'shank_r')
ANONYMOUS = {sensor: f'/mti_{row}/imu' for row, sensor in enumerate(ORDER)}


def walking() -> dict[str, ImuSeries]:
    """Return what turned sensors of a walker measure."""
    worn = walk(sway_m=-0.03)
    rng = np.random.default_rng(1)
    series = {}
    for row, sensor in enumerate(SENSORS):
        turn = random_rotation(rng)
        sample = np.concatenate(
            [worn.acceleration[:, row] @ turn, worn.angular_rate[:, row] @ turn], -1
        )
        series[sensor] = ImuSeries(worn.time_s, sample)
    return series


def changed(sensor: str, change: Change) -> dict[str, ImuSeries]:
    series = swinging()
    old = series[sensor]
    return {**series, sensor: ImuSeries(old.stamp_s, change(old.sample))}


def info_of(folder: Path, series: Mapping[str, ImuSeries], **options: object) -> RecordingInfo:
    return recording_info(write_trial(folder, series=series, **options) / 'bag')  # type: ignore[arg-type]


def said_of(info: RecordingInfo, sensor: str) -> str:
    topic = next(each for each in info.topics if f'/{sensor}/' in each.topic)
    return ' '.join(topic.sentences)


def test_anonymous_sensors_become_a_mapping_that_other_commands_take(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    trial = write_trial(tmp_path / 'trial', series=walking(), topics=ANONYMOUS)
    file = tmp_path / 'mapping.yaml'
    # The frames would tell, so they go.
    rename_frames(trial / 'bag', tmp_path / 'bag', 'imu_link')
    done = run(monkeypatch, capsys, 'info', tmp_path / 'bag', '--write-mapping', file)
    assert done.code == 0, done.err
    parameters = yaml.safe_load(file.read_text())['/**']['ros__parameters']
    for sensor, topic in ANONYMOUS.items():
        assert parameters[f'imu.{sensor}.topic'] == topic
        assert f'/mti_{ORDER.index(sensor)}/imu' in done.out
    assert parameters['sensors'] == list(SENSORS)
    assert 'to check, lift the right knee' in file.read_text()
    assert 'high' in done.out
    assert run(monkeypatch, capsys, 'info', trial, '--write-mapping', file).code == 2
    subject = tmp_path / 'subject.yaml'
    subject.write_text(SUBJECT)
    command = ('calibrate', tmp_path / 'bag', '--subject', subject, '-o', tmp_path / 'c.yaml')
    assert run(monkeypatch, capsys, *command).code == 2
    done = run(monkeypatch, capsys, *command, '--mapping', file)
    assert done.code == 0, done.err


def test_json_says_the_same(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    trial = write_trial(tmp_path / 'trial')
    file = tmp_path / 'info.json'
    done = run(monkeypatch, capsys, 'info', trial, '--json', file)
    assert done.code == 0, done.err
    found = json.loads(file.read_text())
    topics = {sensor: f'/imu/{sensor}/data_raw' for sensor in SENSORS}
    assert [topic['topic'] for topic in found['topics']] == sorted(topics.values())
    assert found['mapping'] == {'sensors': list(SENSORS), 'topics': topics, 'stamps': 'header'}
    assert all(topic['stamps']['rate_hz'] == pytest.approx(100.0) for topic in found['topics'])
    assert {each['confidence'] for each in found['placements']} == {'named'}
    assert found['missing'] == []
    assert run(monkeypatch, capsys, 'info', trial, '--json', file).code == 2


def test_a_clean_recording_looks_right(tmp_path: Path) -> None:
    info = info_of(tmp_path / 'trial', swinging())
    assert [topic.sentences for topic in info.topics] == 7 * [()]
    assert info.duration_s == pytest.approx(5.99, abs=0.01)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda x: x * np.repeat((1.0, 57.3), 3), 'this looks like deg/s'),
        (lambda x: x / np.repeat((9.81, 1.0), 3), 'this looks like g'),
        (lambda x: x / np.repeat((9.81, 1.0 / 57.3), 3), r'deg/s.*this looks like g'),
        (lambda x: x * np.repeat((0.02, 1.0), 3), 'gravity seems to have been removed'),
        (lambda x: np.where(np.arange(len(x))[:, None] < 9, np.nan, x), '9 samples that are NaN'),
    ],
)
def test_wrong_units_are_told(tmp_path: Path, change: Change, words: str) -> None:
    info = info_of(tmp_path / 'trial', changed('shank_r', change))
    assert re.search(words, said_of(info, 'shank_r'))
    assert said_of(info, 'shank_l') == ''


def test_gaps_repeats_and_jitter_are_counted(tmp_path: Path) -> None:
    series = swinging()
    one = series['foot_r']
    keep = np.ones(600, dtype=bool)
    keep[200:250] = False
    series['foot_r'] = ImuSeries(one.stamp_s[keep], one.sample[keep])
    bursts = np.floor(series['foot_l'].stamp_s / 0.05) * 0.05
    series['foot_l'] = ImuSeries(bursts, series['foot_l'].sample)
    info = info_of(tmp_path / 'trial', series)
    assert '1 gaps of up to 0.51 s, in which about 50 samples (8%)' in said_of(info, 'foot_r')
    assert '480 stamps that repeat' in said_of(info, 'foot_l')


def test_another_clock_is_told(tmp_path: Path) -> None:
    trial = write_trial(tmp_path / 'trial')
    restamp_bag(trial / 'bag', tmp_path / 'bag', topic='/imu/thigh_l/data_raw', offset_s=-40)
    info = recording_info(tmp_path / 'bag')
    assert 'are 40 s behind those of most sensors' in said_of(info, 'thigh_l')
    assert said_of(info, 'thigh_r') == ''


def test_dead_stamps_and_shared_topics_are_told(tmp_path: Path) -> None:
    trial = write_trial(tmp_path / 'trial')
    change_messages(
        trial / 'bag', tmp_path / 'dead', lambda message: setattr(message.header.stamp, 'sec', 0)
    )
    stamps = recording_info(tmp_path / 'dead')
    # Nanoseconds are left, so these are stamps near 1970.
    assert all(topic.stamps.delay_s > 1e9 for topic in stamps.topics)

    def zero(message: object) -> None:
        message.header.stamp.sec = message.header.stamp.nanosec = 0  # type: ignore[attr-defined]

    change_messages(trial / 'bag', tmp_path / 'zero', zero)
    dead = recording_info(tmp_path / 'zero')
    assert 'header stamps of zero' in said_of(dead, 'pelvis')
    assert dead.mapping.stamps_at_arrival
    with open_imu_bag(tmp_path / 'zero', stamps_at_arrival=True) as bag:
        assert bag.origin_ns == ORIGIN_NS
        for one in bag.series().values():
            np.testing.assert_allclose(one.stamp_s, np.arange(600) * 0.01, atol=1e-6)

    count = iter(range(10**6))
    change_messages(
        trial / 'bag',
        tmp_path / 'shared',
        lambda message: setattr(message.header, 'frame_id', f'frame_{next(count) > 2000}'),
    )
    assert 'several sensors seem to share' in said_of(
        recording_info(tmp_path / 'shared'), 'foot_l'
    )


def test_no_imu_is_refused_and_nothing_to_guess_writes_nothing(
    tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    write_text_bag(tmp_path / 'text')
    done = run(monkeypatch, capsys, 'info', tmp_path / 'text')
    assert done.code == 2
    assert 'holds no sensor_msgs/msg/Imu messages but /chatter' in done.err
    rng = np.random.default_rng(0)
    still = {
        sensor: ImuSeries(one.stamp_s, 5.6 + rng.normal(scale=0.02, size=one.sample.shape))
        for sensor, one in swinging().items()
    }
    for one in still.values():
        one.sample[:, 3:] -= 5.6
    trial = write_trial(tmp_path / 'trial', series=still, topics=ANONYMOUS)
    rename_frames(trial / 'bag', tmp_path / 'bag', '')
    done = run(monkeypatch, capsys, 'info', tmp_path / 'bag', '--write-mapping', tmp_path / 'm')
    assert done.code == 2
    assert 'Nothing tells which sensor is which' in done.err
    assert not (tmp_path / 'm').exists()


@pytest.mark.parametrize(
    ('name', 'part', 'side'),
    [
        ('/imu/thigh_r/data_raw', 'thigh', 'r'),
        ('RightUpperLeg', 'thigh', 'r'),
        ('imu_lshank', 'shank', 'l'),
        ('footL', 'foot', 'l'),
        ('/xsens/right_lower_leg/imu', 'shank', 'r'),
        ('L_TIBIA', 'shank', 'l'),
        ('Pelvis', 'pelvis', None),
        ('/left/sacrum', 'pelvis', None),
        ('T8', 'trunk', None),
        ('/imu_left_3', None, 'l'),
        ('/robot/imu/data', None, None),
        ('left_foot_right', 'foot', None),
        ('thigh_shank_r', None, 'r'),
    ],
)
def test_names_tell_segments_and_sides(name: str, part: str | None, side: str | None) -> None:
    assert placement_in(name) == NamedPlacement(part=part, side=side)


def guess(**changes: object) -> PlacementGuess:
    given: dict[str, object] = {
        'part': ('pelvis', 'foot', 'shank', 'thigh', 'foot', 'shank', 'thigh'),
        'leg': (None, 0, 0, 0, 1, 1, 1),
        'part_confidence': HIGH,
        'right_leg': None,
        'stride_s': 1.1,
        'sentences': (),
        **changes,
    }
    return PlacementGuess(**given)  # type: ignore[arg-type]


def test_one_named_side_tells_both_legs() -> None:
    topics = ['/a', '/b', '/c', '/d', '/e', '/right_f', '/g']
    proposal = propose_placement(topics=topics, frames=7 * [''], guess=guess(right_leg=0))
    assert proposal.mapping.topics['shank_r'] == '/right_f'
    assert proposal.mapping.topics['foot_l'] == '/b'
    assert any('left and right may be exchanged' in each for each in proposal.sentences)


def test_sides_by_chance_say_so() -> None:
    topics = [f'/{letter}' for letter in 'abcdefg']
    proposal = propose_placement(topics=topics, frames=7 * [''], guess=guess())
    assert len(proposal.mapping.topics) == 7
    assert {each.confidence for each in proposal.placements} == {'high', 'by chance'}
    assert any('put by chance' in each for each in proposal.sentences)


def test_a_name_that_the_motion_denies_holds_but_is_doubted() -> None:
    topics = ['/a', '/thigh_r', '/shank_r', '/foot_r', '/e', '/f', '/g']
    proposal = propose_placement(topics=topics, frames=7 * [''], guess=guess(right_leg=0))
    assert proposal.mapping.topics['thigh_r'] == '/thigh_r'
    assert any('named after the thigh but moves like a foot' in s for s in proposal.sentences)


def test_two_of_one_name_are_not_both_taken() -> None:
    proposal = propose_placement(
        topics=['/left/pelvis', '/right/pelvis'],
        frames=['', ''],
        guess=guess(part=(None, None), leg=(None, None), part_confidence='none'),
    )
    assert [each.sensor for each in proposal.placements] == ['pelvis', None]
    assert any('both seem to be pelvis' in each for each in proposal.sentences)


def test_a_drift_of_the_clock_is_measured() -> None:
    stamp = np.arange(6000) * 10_000_000
    received = stamp + 3_000_000 + (stamp * 5e-4).astype(np.int64)
    found = stamp_statistics(stamp_ns=stamp, received_ns=received)
    assert found.drift_s_per_minute == pytest.approx(0.03, rel=0.01)
    assert found.rate_hz == pytest.approx(100.0)
    assert found.jitter_s == 0.0


def change_messages(source: Path, target: Path, change: Callable[[object], object]) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    writer = Writer(target, version=9, storage_plugin=StoragePlugin.MCAP)
    with Reader(source) as reader, writer:
        connections = {
            each.id: writer.add_connection(each.topic, each.msgtype, typestore=store)
            for each in reader.connections
        }
        for connection, time, raw in reader.messages():
            message = store.deserialize_cdr(raw, connection.msgtype)
            change(message)
            raw = bytes(store.serialize_cdr(message, connection.msgtype))
            writer.write(connections[connection.id], time, raw)


def rename_frames(source: Path, target: Path, frame: str) -> None:
    def rename(message: object) -> None:
        message.header.frame_id = frame  # type: ignore[attr-defined]

    change_messages(source, target, rename)
