# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read recordings of every storage as one stream of samples."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from made_recordings import (
    ORIGIN_NS,
    RECORDINGS,
    copy_bag,
    swinging,
    write_text_bag,
    write_trial,
)
from rosbags.rosbag2 import CompressionMode, Reader, StoragePlugin
from rosbags.typesys import Stores, get_typestore

from sspinnpose_ros.bags.imu_bag import ImuSeries, open_imu_bag
from sspinnpose_ros.bags.imu_cdr import MalformedImuError, parse_imus
from sspinnpose_ros.bags.trial import find_trial, subject_of
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import RecordingError, SubjectError


@pytest.fixture(scope='module')
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trial(tmp_path_factory.mktemp('recording') / 'trial')


def samples_of(path: Path, **options: object) -> list[tuple[str, float, list[float], float]]:
    with open_imu_bag(path, **options) as bag:  # type: ignore[arg-type]
        return [(s, t, x.tolist(), a) for s, t, x, a in bag.samples()]


def test_samples_come_in_order_with_stamps_since_the_first(trial: Path) -> None:
    written = swinging()
    with open_imu_bag(trial / 'bag') as bag:
        assert bag.sensors == SENSORS
        assert bag.origin_ns == ORIGIN_NS
        assert bag.message_count() == 7 * 600
        assert bag.duration_s == pytest.approx(5.99, abs=1e-6)
        seen = list(bag.samples())
        assert [stamp for _, stamp, _, _ in seen] == sorted(stamp for _, stamp, _, _ in seen)
        series = bag.series()
    for sensor in SENSORS:
        np.testing.assert_array_equal(series[sensor].sample, written[sensor].sample)
        np.testing.assert_allclose(series[sensor].stamp_s, written[sensor].stamp_s, atol=1e-9)
    thigh = np.array([sample for sensor, _, sample, _ in seen if sensor == 'thigh_r'])
    np.testing.assert_array_equal(thigh, written['thigh_r'].sample)


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [
        (StoragePlugin.MCAP, CompressionMode.NONE),
        (StoragePlugin.MCAP, CompressionMode.FILE),
        (StoragePlugin.MCAP, CompressionMode.MESSAGE),
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
        (StoragePlugin.SQLITE3, CompressionMode.FILE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    ],
)
def test_every_storage_reads_alike(
    trial: Path, tmp_path: Path, storage: StoragePlugin, compression: CompressionMode
) -> None:
    copy_bag(trial / 'bag', tmp_path / 'copy', storage=storage, compression=compression)
    assert samples_of(tmp_path / 'copy') == samples_of(trial / 'bag')


def test_a_single_file_reads_without_its_metadata(trial: Path) -> None:
    assert samples_of(trial / 'bag' / 'bag.mcap') == samples_of(trial / 'bag')


def test_a_split_recording_reads_as_one(trial: Path, tmp_path: Path) -> None:
    copy_bag(trial / 'bag', tmp_path / 'part_0', span=slice(0, 2000))
    copy_bag(trial / 'bag', tmp_path / 'part_1', span=slice(2000, None))
    split = tmp_path / 'split'
    split.mkdir()
    for part in ('part_0', 'part_1'):
        shutil.copy(tmp_path / part / f'{part}.mcap', split)
    assert samples_of(split) == samples_of(trial / 'bag')
    metadata = yaml.safe_load((tmp_path / 'part_0' / 'metadata.yaml').read_text())
    metadata['rosbag2_bagfile_information']['relative_file_paths'] = ['part_0.mcap', 'part_1.mcap']
    (split / 'metadata.yaml').write_text(yaml.safe_dump(metadata))
    assert samples_of(split) == samples_of(trial / 'bag')


def test_topics_can_be_named_and_may_have_a_namespace(tmp_path: Path) -> None:
    topics = {sensor: f'/robot/imu/{sensor}/data_raw' for sensor in SENSORS}
    folder = write_trial(tmp_path / 'named', topics={**topics, 'pelvis': '/xsens/7/imu'})
    with open_imu_bag(folder / 'bag', topics={'pelvis': '/xsens/7/imu'}) as bag:
        assert bag.topics == {**topics, 'pelvis': '/xsens/7/imu'}
    with pytest.raises(RecordingError, match=r'no messages of pelvis .*--topic pelvis=TOPIC'):
        samples_of(folder / 'bag')


def test_a_missing_sensor_is_named_unless_it_is_not_asked_for(tmp_path: Path) -> None:
    worn = tuple(s for s in SENSORS if s != 'foot_l')
    folder = write_trial(tmp_path / 'six', series=swinging(sensors=worn))
    with pytest.raises(RecordingError, match=r'no messages of foot_l .*expected /imu/foot_l'):
        samples_of(folder / 'bag')
    assert {each[0] for each in samples_of(folder / 'bag', sensors=worn)} == set(worn)


def test_no_imu_no_bag_and_broken_files_are_told_apart(trial: Path, tmp_path: Path) -> None:
    write_text_bag(tmp_path / 'text')
    with pytest.raises(RecordingError, match=r'no sensor_msgs/msg/Imu messages but /chatter'):
        samples_of(tmp_path / 'text')
    with pytest.raises(RecordingError, match='does not exist'):
        samples_of(tmp_path / 'nowhere')
    with pytest.raises(RecordingError, match=r'neither metadata\.yaml nor'):
        samples_of(tmp_path)
    for name, words in (('a.csv', 'sspinnpose import'), ('a.bag', 'rosbags-convert')):
        (tmp_path / name).touch()
        with pytest.raises(RecordingError, match=words):
            samples_of(tmp_path / name)
    broken = tmp_path / 'broken'
    shutil.copytree(trial / 'bag', broken)
    whole = (broken / 'bag.mcap').read_bytes()
    (broken / 'bag.mcap').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match='cannot be read'):
        samples_of(broken)
    (broken / 'metadata.yaml').write_text('nonsense')
    with pytest.raises(RecordingError, match='describes no recording'):
        samples_of(broken)


def test_unset_stamps_are_refused(tmp_path: Path) -> None:
    series = {s: ImuSeries(np.zeros(5), x.sample[:5]) for s, x in swinging().items()}
    folder = write_trial(tmp_path / 'zero', series=series)
    copy = tmp_path / 'copy'
    rewrite(folder / 'bag', copy, lambda raw: raw[:4] + bytes(8) + raw[12:])
    with pytest.raises(RecordingError, match='header stamps of zero'):
        samples_of(copy)


def test_a_rate_declared_absent_is_refused(trial: Path, tmp_path: Path) -> None:
    def without_rate(raw: bytes) -> bytes:
        at = len(raw) - 8 * 37 + 8 * 16
        return raw[:at] + struct.pack('<d', -1.0) + raw[at + 8 :]

    rewrite(trial / 'bag', tmp_path / 'copy', without_rate)
    with pytest.raises(RecordingError, match='declares angular_velocity absent'):
        samples_of(tmp_path / 'copy')


def rewrite(source: Path, target: Path, change: object) -> None:
    """Copy a bag message by message through a function of bytes."""
    store = get_typestore(Stores.ROS2_JAZZY)
    from rosbags.rosbag2 import Writer

    with (
        Reader(source) as reader,
        Writer(target, version=9, storage_plugin=StoragePlugin.MCAP) as writer,
    ):
        connections = {
            each.id: writer.add_connection(each.topic, each.msgtype, typestore=store)
            for each in reader.connections
        }
        for connection, time, raw in reader.messages():
            writer.write(connections[connection.id], time, change(bytes(raw)))  # type: ignore[operator]


@pytest.mark.parametrize('little_endian', [True, False])
@pytest.mark.parametrize('frame_id', ['', 'imu', 'imu_pelv', 'a_rather_long_frame_name'])
def test_bytes_are_read_as_the_message_library_reads_them(
    little_endian: bool, frame_id: str
) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    numbers = np.random.default_rng(3).normal(size=37)
    message = types['sensor_msgs/msg/Imu'](
        header=types['std_msgs/msg/Header'](
            stamp=types['builtin_interfaces/msg/Time'](sec=12, nanosec=345_678_901),
            frame_id=frame_id,
        ),
        orientation=types['geometry_msgs/msg/Quaternion'](*numbers[:4]),
        orientation_covariance=numbers[4:13],
        angular_velocity=types['geometry_msgs/msg/Vector3'](*numbers[13:16]),
        angular_velocity_covariance=numbers[16:25],
        linear_acceleration=types['geometry_msgs/msg/Vector3'](*numbers[25:28]),
        linear_acceleration_covariance=numbers[28:],
    )
    raw = bytes(store.serialize_cdr(message, 'sensor_msgs/msg/Imu', little_endian=little_endian))
    block = parse_imus([raw, raw])
    assert block.stamp_ns.tolist() == [12_345_678_901] * 2
    np.testing.assert_array_equal(block.sample[1], [*numbers[25:28], *numbers[13:16]])
    assert block.has_force
    assert block.has_rate


def test_frame_names_of_different_length_mix() -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    vector = types['geometry_msgs/msg/Vector3']

    def raw(frame_id: str, value: float) -> bytes:
        message = types['sensor_msgs/msg/Imu'](
            header=types['std_msgs/msg/Header'](
                stamp=types['builtin_interfaces/msg/Time'](sec=int(value), nanosec=0),
                frame_id=frame_id,
            ),
            orientation=types['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0),
            orientation_covariance=np.zeros(9),
            angular_velocity=vector(value, value, value),
            angular_velocity_covariance=np.zeros(9),
            linear_acceleration=vector(value, value, value),
            linear_acceleration_covariance=np.zeros(9),
        )
        return bytes(store.serialize_cdr(message, 'sensor_msgs/msg/Imu'))

    block = parse_imus([raw('imu', 1.0), raw('a_longer_name', 2.0), raw('imu', 3.0)])
    assert block.sample[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert block.stamp_ns.tolist() == [10**9, 2 * 10**9, 3 * 10**9]


@pytest.mark.parametrize('raw', [b'', b'\0\1\0\0', bytes(40), bytes(400)])
def test_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedImuError):
        parse_imus([raw])


def test_a_trial_folder_brings_its_subject(trial: Path) -> None:
    found = find_trial(trial)
    assert found.bag == trial / 'bag'
    assert subject_of(found).mass_kg == 70.0
    with pytest.raises(SubjectError, match='--subject'):
        subject_of(find_trial(trial / 'bag'))


@pytest.mark.skipif(not RECORDINGS.exists(), reason=f'{RECORDINGS} is not there')
def test_recorded_trials_read_whole() -> None:
    for trial in sorted(RECORDINGS.glob('*/bag')):
        with open_imu_bag(trial) as bag, Reader(trial) as reader:
            assert bag.message_count() == reader.message_count
            series = bag.series()
            assert abs(bag.origin_ns - reader.start_time) < 50_000_000
        for sensor in SENSORS:
            force = np.linalg.norm(series[sensor].sample[:, :3], axis=1)
            assert 8.0 < float(np.median(force)) < 40.0
