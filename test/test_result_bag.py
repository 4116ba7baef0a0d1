# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read back what an estimate wrote, topic by topic."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import write_model
from made_recordings import ORIGIN_NS, swinging, write_trial
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from sspinnpose_ros.bags import instant_writer
from sspinnpose_ros.bags.imu_bag import ImuSeries, open_imu_bag
from sspinnpose_ros.bags.message_template import MessageTemplate, placeholder
from sspinnpose_ros.bags.recording_estimate import estimate_recording, recorded_outcomes
from sspinnpose_ros.bags.reference import load_reference
from sspinnpose_ros.core.conventions import JOINTS, SENSORS, SIDES
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.subject import load_subject
from sspinnpose_ros.core.uncertainty import head_shapes
from sspinnpose_ros.core.urdf import body_urdf, hip_half_width

SECONDS = 4.0


@pytest.fixture(scope='module')
def estimator(tmp_path_factory: pytest.TempPathFactory) -> Estimator:
    folder = tmp_path_factory.mktemp('model')
    trial = write_trial(folder / 'trial')
    return Estimator(
        model=load_model(write_model(folder / 'model')),
        subject=load_subject(trial / 'subject.yaml'),
        mounting=aligned_mounting(),
    )


def estimate(folder: Path, estimator: Estimator, series: dict[str, ImuSeries]) -> Path:
    trial = write_trial(folder / 'trial', series=series)
    out = folder / 'out'
    out.mkdir()
    with open_imu_bag(trial / 'bag') as bag:
        estimate_recording(
            bag,
            folder=out,
            estimator=estimator,
            mounting=aligned_mounting(),
            sensors=SENSORS,
        )
    return out


@pytest.fixture(scope='module')
def out(tmp_path_factory: pytest.TempPathFactory, estimator: Estimator) -> Path:
    return estimate(tmp_path_factory.mktemp('result'), estimator, swinging(seconds=SECONDS))


@pytest.fixture(scope='module')
def messages(out: Path) -> dict[str, list[Any]]:
    store = get_typestore(Stores.ROS2_JAZZY)
    found = defaultdict(list)
    with Reader(out / 'bag') as reader:
        for connection, time, raw in reader.messages():
            message = store.deserialize_cdr(raw, connection.msgtype)
            found[connection.topic].append((time, message))
    return found


def raw_messages(bag: Path) -> list[tuple[str, int, bytes]]:
    with Reader(bag) as reader:
        return [(c.topic, time, bytes(raw)) for c, time, raw in reader.messages()]


def test_messages_written_one_by_one_are_the_same(
    tmp_path: Path, out: Path, estimator: Estimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with a rosbags that looks otherwise inside.
    monkeypatch.setattr(instant_writer, '_is_known', lambda writer: False)
    other = estimate(tmp_path, estimator, swinging(seconds=SECONDS))
    assert raw_messages(other / 'bag') == raw_messages(out / 'bag')
    one, two = ((each / 'bag' / 'metadata.yaml').read_text() for each in (other, out))
    assert one == two


def test_the_installed_rosbags_takes_messages_together(tmp_path: Path) -> None:
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        assert instant_writer._is_known(writer)
    with Writer(tmp_path / 'other', version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        assert not instant_writer._is_known(writer)


def stamp_ns(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def test_every_topic_is_there_once_a_frame(messages: dict[str, list[Any]]) -> None:
    counts = {topic: len(found) for topic, found in messages.items()}
    frames = round(SECONDS * 100)
    assert counts == {
        '/robot_description': 1,
        '/tf_static': 1,
        '/tf': frames,
        '/human/joint_states': frames,
        '/human/wrench/foot_r': frames,
        '/human/wrench/foot_l': frames,
        '/human/uncertainty': frames,
        '/human/wrench_sigma/foot_r': frames,
        '/human/wrench_sigma/foot_l': frames,
        '/human/status': frames,
    }


def test_joint_states_agree_with_the_columns(messages: dict[str, list[Any]], out: Path) -> None:
    columns = load_reference(out / 'estimate.npz')
    for row, (time, message) in enumerate(messages['/human/joint_states']):
        assert time == stamp_ns(message) == ORIGIN_NS + row * 10_000_000
        assert tuple(message.name) == JOINTS
    for field, kind in (('position', 'angle'), ('velocity', 'velocity'), ('effort', 'moment')):
        values = np.array([getattr(m, field) for _, m in messages['/human/joint_states']])
        assert np.isfinite(values).all()
        for index, joint in enumerate(JOINTS):
            np.testing.assert_allclose(values[:, index], columns[f'{kind}_{joint}'], rtol=1e-6)


def test_wrenches_are_the_ground_reaction_in_sole_axes(
    messages: dict[str, list[Any]], out: Path
) -> None:
    columns = load_reference(out / 'estimate.npz')
    for side in SIDES:
        found = [m for _, m in messages[f'/human/wrench/foot_{side}']]
        assert {m.header.frame_id for m in found} == {f'sole_{side}'}
        force = np.array([[m.wrench.force.x, m.wrench.force.z] for m in found])
        size = np.hypot(columns[f'grf_forward_{side}'], columns[f'grf_up_{side}'])
        np.testing.assert_allclose(np.linalg.norm(force, axis=1), size, rtol=1e-5)
        assert {m.wrench.force.y for m in found} == {m.wrench.torque.x for m in found} == {0.0}


def test_sigmas_agree_with_the_columns(messages: dict[str, list[Any]], out: Path) -> None:
    columns = load_reference(out / 'estimate.npz')
    found = [m for _, m in messages['/human/uncertainty']]
    stamps = [stamp_ns(m) for _, m in messages['/human/joint_states']]
    assert [stamp_ns(m) for m in found] == stamps
    assert tuple(found[0].name) == JOINTS
    assert len(found[0].velocity) == 0
    for field, kind in (('position', 'angle'), ('effort', 'moment')):
        values = np.array([getattr(m, field) for m in found])
        assert (values > 0.0).all()
        for index, joint in enumerate(JOINTS):
            np.testing.assert_allclose(
                values[:, index], columns[f'sigma_{kind}_{joint}'], rtol=1e-6
            )
    for side in SIDES:
        found = [m for _, m in messages[f'/human/wrench_sigma/foot_{side}']]
        assert {m.header.frame_id for m in found} == {'odom'}
        for axis, name in (('x', 'forward'), ('z', 'up')):
            values = np.array([getattr(m.wrench.force, axis) for m in found])
            np.testing.assert_allclose(values, columns[f'sigma_grf_{name}_{side}'], rtol=1e-6)


def test_a_model_without_sigmas_writes_none(tmp_path: Path, estimator: Estimator) -> None:
    weights = {k: v for k, v in estimator.model.weights.items() if k not in head_shapes(1)}
    plain = Estimator(
        model=dataclasses.replace(estimator.model, weights=weights),
        subject=estimator.subject,
        mounting=aligned_mounting(),
    )
    out = estimate(tmp_path, plain, swinging(seconds=1.0))
    columns = load_reference(out / 'estimate.npz')
    assert np.isfinite(columns['angle_knee_angle_r']).all()
    assert np.isnan(columns['sigma_angle_knee_angle_r']).all()
    with Reader(out / 'bag') as reader:
        topics = {connection.topic for connection in reader.connections}
    assert '/human/joint_states' in topics
    assert not any('uncertainty' in topic or 'sigma' in topic for topic in topics)


def test_transforms_put_every_joint_where_kinematics_does(
    messages: dict[str, list[Any]], out: Path, estimator: Estimator
) -> None:
    columns = load_reference(out / 'estimate.npz')
    row = 333
    q = np.array(
        [
            columns['position_pelvis_forward'][row],
            columns['position_pelvis_up'][row],
            columns['angle_pelvis_tilt'][row],
            *(columns[f'angle_{joint}'][row] for joint in JOINTS),
        ],
        dtype=np.float64,
    )
    motion = kinematics(body=estimator.body, q=q, qd=0 * q, qdd=0 * q)
    placed = {'odom': np.eye(4)}
    _, moving = messages['/tf'][row]
    _, static = messages['/tf_static'][0]
    for transform in (*moving.transforms, *static.transforms):
        placed[transform.child_frame_id] = placed[transform.header.frame_id] @ matrix(transform)
    half = hip_half_width(body=estimator.body)
    for index, name in enumerate(('pelvis', 'thigh_r', 'shank_r', 'foot_r')):
        position = placed[name][:3, 3]
        np.testing.assert_allclose(position[[0, 2]], motion.position[index], atol=1e-5)
        np.testing.assert_allclose(position[1], 0.0 if name == 'pelvis' else -half, atol=1e-9)
        forward = placed[name][[0, 2], 0]
        np.testing.assert_allclose(forward, [motion.cos[index], motion.sin[index]], atol=1e-6)
    sole = placed['foot_r'] @ [0.0, 0.0, -float(estimator.body.ankle_height), 1.0]
    np.testing.assert_allclose(placed['sole_r'][:3, 3], sole[:3], atol=1e-9)
    assert {f'imu_{sensor}' for sensor in SENSORS} <= set(placed)


def matrix(transform: Any) -> np.ndarray:
    """Return a geometry_msgs/TransformStamped as a homogeneous matrix."""
    part = transform.transform
    x, y, z, w = (getattr(part.rotation, name) for name in 'xyzw')
    result = np.eye(4)
    result[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    result[:3, 3] = [part.translation.x, part.translation.y, part.translation.z]
    return result


def test_the_description_is_that_of_the_wearer(
    messages: dict[str, list[Any]], estimator: Estimator
) -> None:
    assert messages['/robot_description'][0][1].data == body_urdf(body=estimator.body)


def test_latched_topics_say_so(out: Path) -> None:
    with Reader(out / 'bag') as reader:
        durability = {
            connection.topic: [q.durability.name for q in connection.ext.offered_qos_profiles]
            for connection in reader.connections
        }
    assert durability['/robot_description'] == durability['/tf_static'] == ['TRANSIENT_LOCAL']
    assert durability['/tf'] == []


def test_status_names_what_is_missing_and_estimates_stop_without_sensors(
    tmp_path: Path, estimator: Estimator
) -> None:
    series = swinging(seconds=SECONDS)
    for index, sensor in enumerate(SENSORS):
        # The pelvis is silent from 2 s on, all but two sensors from 3 s on.
        last = {0: 200, 1: 400, 2: 400}.get(index, 300)
        measured = series[sensor]
        series[sensor] = ImuSeries(measured.stamp_s[:last], measured.sample[:last])
    out = estimate(tmp_path, estimator, series)
    columns = load_reference(out / 'estimate.npz')
    store = get_typestore(Stores.ROS2_JAZZY)
    with Reader(out / 'bag') as reader:
        found = [
            (topic.topic, store.deserialize_cdr(raw, topic.msgtype))
            for topic, _, raw in reader.messages()
        ]
    status = [m for topic, m in found if topic == '/human/status']
    joints = [m for topic, m in found if topic == '/human/joint_states']
    assert [int(m.level) for m in status] == columns['status'].tolist()
    assert set(columns['status'][120:190].tolist()) == {0}
    assert set(columns['status'][210:290].tolist()) == {1}
    assert set(columns['status'][310:].tolist()) == {3}
    assert 'pelvis' in status[250].message
    values = {value.key: value.value for value in status[250].values}
    assert values['missing'] == 'pelvis'
    assert values['residual pelvis'] == ''
    assert values['residual thigh_r'].endswith('rad/s')
    assert values['stamp'] == '1700000002.500000000'
    last = {value.key: value.value for value in status[-1].values}
    assert last['stamp'] < '1700000003.100000000'
    assert not columns['present'][250][SENSORS.index('pelvis')]
    known = np.isfinite(columns['angle_hip_flexion_r'])
    assert not known[310:].any()
    assert len(joints) == known.sum()


def test_outcomes_are_the_same_at_any_pace(tmp_path: Path, estimator: Estimator) -> None:
    trial = write_trial(tmp_path / 'trial', series=swinging(seconds=1.0))
    found = []
    for pace in (None, 20.0):
        with open_imu_bag(trial / 'bag') as bag:
            outcomes = recorded_outcomes(
                bag, estimator=estimator, sensors=SENSORS, realtime_factor=pace
            )
            found.append(np.array([o.estimate.q for o in outcomes if o.estimate is not None]))
    np.testing.assert_array_equal(found[0], found[1])


def test_a_recording_without_a_single_sample_is_refused(
    tmp_path: Path, estimator: Estimator
) -> None:
    series = {
        sensor: ImuSeries(measured.stamp_s, np.full_like(measured.sample, np.nan))
        for sensor, measured in swinging(seconds=1.0).items()
    }
    trial = write_trial(tmp_path / 'trial', series=series)
    with open_imu_bag(trial / 'bag') as bag:
        outcomes = recorded_outcomes(
            bag, estimator=estimator, sensors=SENSORS, skip_bad_samples=True
        )
        with pytest.raises(RecordingError, match=r'not a single estimate \(too few samples\)'):
            list(outcomes)


def test_templates_refuse_messages_without_their_places() -> None:
    with pytest.raises(ValueError, match='not found'):
        MessageTemplate(bytes(64), values=1)
    assert placeholder(0) != placeholder(1)
