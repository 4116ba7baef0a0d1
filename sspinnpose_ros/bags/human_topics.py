# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read back what a node published about a wearer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.typesys import get_typestore

from sspinnpose_ros.bags.bag_reader import open_reader, unreadable
from sspinnpose_ros.bags.imu_bag_writer import TYPES
from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SENSORS, SIDES
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.estimator import LOADED_SHARE
from sspinnpose_ros.core.sole_wrench import ground_reaction
from sspinnpose_ros.core.urdf import DescribedBody, described_body

UNKNOWN = (np.nan, np.nan, np.nan)
NO_BODY = DescribedBody(
    frame_prefix='', mass_kg=np.nan, leg_length=(np.nan, np.nan), ankle_height=np.nan
)


@dataclass(frozen=True, eq=False)
class HumanTopics:
    """Hold the estimates of a recording in the order of their stamps.

    Attributes:
        arrays: as in estimate.npz: `time` since the first IMU stamp, angles, velocities,
            moments, ground reactions, the pelvis, `sigma_*` where the node sends them, `residual`
            and `present` where the status has residuals, `status`.
        latency_s: (n,) from the stamp to when the recorder had received the joint states.

    """

    arrays: dict[str, np.ndarray]
    latency_s: np.ndarray


def read_human_topics(path: Path) -> HumanTopics:
    """Read joint states, wrenches, frames and status from a recording of a live node.

    Args:
        path: the rosbag2 folder, which holds the IMU topics as well.

    Returns:
        The estimates; ground reactions are turned into world axes by the frames, and NaN where
        there is no frame. Centres of pressure take the robot description, too.

    Raises:
        RecordingError: for a recording that is damaged, holds no joint states or messages that
            the node does not send.

    """
    try:
        return _read(path)
    except Exception as error:
        raise unreadable(path, error) from None


def _read(path: Path) -> HumanTopics:
    store = get_typestore(TYPES)
    states: dict[int, tuple[Any, int]] = {}
    wrenches: dict[str, dict[int, tuple[float, ...]]] = {side: {} for side in SIDES}
    sigmas: dict[int, Any] = {}
    force_sigmas: dict[str, dict[int, tuple[float, float]]] = {side: {} for side in SIDES}
    pelvis: dict[int, tuple[float, ...]] = {}
    levels: dict[int, int] = {}
    residuals: dict[int, np.ndarray] = {}
    body = NO_BODY
    origin_ns: int | None = None
    with open_reader(path) as reader:
        for connection, received_ns, raw in reader.messages():
            topic = connection.topic
            if topic.startswith('/imu/'):
                if origin_ns is None:
                    origin_ns = _stamp(store.deserialize_cdr(raw, connection.msgtype))
            elif topic == '/human/joint_states':
                message = store.deserialize_cdr(raw, connection.msgtype)
                states[_stamp(message)] = (message, received_ns)
            elif topic.startswith('/human/wrench/'):
                message = store.deserialize_cdr(raw, connection.msgtype)
                wrench = message.wrench  # type: ignore[attr-defined]
                found = (wrench.force.x, wrench.force.z, wrench.torque.y)
                wrenches[topic[-1]][_stamp(message)] = found
            elif topic == '/human/uncertainty':
                message = store.deserialize_cdr(raw, connection.msgtype)
                sigmas[_stamp(message)] = message
            elif topic.startswith('/human/wrench_sigma/'):
                message = store.deserialize_cdr(raw, connection.msgtype)
                force = message.wrench.force  # type: ignore[attr-defined]
                force_sigmas[topic[-1]][_stamp(message)] = (force.x, force.z)
            elif topic == '/tf':
                message = store.deserialize_cdr(raw, connection.msgtype)
                first = message.transforms[0]  # type: ignore[attr-defined]
                place, turn = first.transform.translation, first.transform.rotation
                tilt = -2.0 * float(np.arctan2(turn.y, turn.w))
                pelvis[_stamp(first)] = (place.x, place.z, tilt)
            elif topic == '/robot_description':
                message = store.deserialize_cdr(raw, connection.msgtype)
                body = described_body(message.data)  # type: ignore[attr-defined]
            elif topic == '/human/status':
                message = store.deserialize_cdr(raw, connection.msgtype)
                _note_status(message, levels=levels, residuals=residuals)
    if not states:
        raise RecordingError(
            f'{path} holds no joint states, expected those of a node that estimated; see what the '
            'node said.'
        )
    stamps = sorted(states)
    arrays = _arrays(
        stamps=stamps,
        origin_ns=stamps[0] if origin_ns is None else origin_ns,
        messages=[states[stamp][0] for stamp in stamps],
        pelvis=np.array([pelvis.get(stamp, UNKNOWN) for stamp in stamps]),
        wrench=np.array(
            [[wrenches[side].get(stamp, UNKNOWN) for side in SIDES] for stamp in stamps]
        ),
        body=body,
    )
    if residuals:
        nothing = np.full((len(SENSORS), 3), np.nan)
        arrays['residual'] = np.stack([residuals.get(stamp, nothing) for stamp in stamps])
        arrays['present'] = np.isfinite(arrays['residual']).all(axis=-1)
    if sigmas:
        arrays |= _sigma_arrays(stamps, sigmas=sigmas, force_sigmas=force_sigmas)
    arrays['status'] = np.array([levels.get(stamp, 0) for stamp in stamps], dtype=np.uint8)
    latency = np.array([states[stamp][1] - stamp for stamp in stamps]) * 1e-9
    return HumanTopics(arrays=arrays, latency_s=latency)


def _arrays(
    *,
    stamps: list[int],
    origin_ns: int,
    messages: list[Any],
    pelvis: np.ndarray,
    wrench: np.ndarray,
    body: DescribedBody,
) -> dict[str, np.ndarray]:
    position, velocity, effort = (
        np.array([getattr(message, name) for message in messages])
        for name in ('position', 'velocity', 'effort')
    )
    arrays = {
        'time': (np.array(stamps) - origin_ns) * 1e-9,
        'position_pelvis_forward': pelvis[:, 0],
        'position_pelvis_up': pelvis[:, 1],
        'angle_pelvis_tilt': pelvis[:, 2],
    }
    for index, joint in enumerate(JOINTS):
        arrays[f'angle_{joint}'] = position[:, index]
        arrays[f'velocity_{joint}'] = velocity[:, index]
        arrays[f'moment_{joint}'] = effort[:, index]
    force, ahead = ground_reaction(
        q=np.concatenate([pelvis, position], axis=-1),
        sole_wrench=wrench,
        leg_length=np.array(body.leg_length),
        ankle_height=body.ankle_height,
        least_load_n=LOADED_SHARE * body.mass_kg * GRAVITY,
    )
    for index, side in enumerate(SIDES):
        arrays[f'grf_forward_{side}'] = force[:, index, 0]
        arrays[f'grf_up_{side}'] = force[:, index, 1]
        arrays[f'cop_forward_{side}'] = ahead[:, index]
    return arrays


def _sigma_arrays(
    stamps: list[int],
    *,
    sigmas: dict[int, Any],
    force_sigmas: dict[str, dict[int, tuple[float, float]]],
) -> dict[str, np.ndarray]:
    unknown = np.full(len(JOINTS), np.nan)
    arrays = {}
    for kind, field in (('angle', 'position'), ('moment', 'effort')):
        values = np.array([getattr(sigmas[s], field) if s in sigmas else unknown for s in stamps])
        for index, joint in enumerate(JOINTS):
            arrays[f'sigma_{kind}_{joint}'] = values[:, index]
    for side in SIDES:
        force = np.array([force_sigmas[side].get(s, (np.nan, np.nan)) for s in stamps])
        arrays[f'sigma_grf_forward_{side}'] = force[:, 0]
        arrays[f'sigma_grf_up_{side}'] = force[:, 1]
    return arrays


def _stamp(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _note_status(
    message: Any, *, levels: dict[int, int], residuals: dict[int, np.ndarray]
) -> None:
    values = {pair.key: pair.value for pair in message.values}
    seconds, _, nanoseconds = values.get('stamp', '').partition('.')
    if not seconds:
        return
    stamp = int(seconds) * 1_000_000_000 + int(nanoseconds)
    if stamp in levels:
        return
    levels[stamp] = message.level
    told = [values.get(f'residual {sensor}', '').split() for sensor in SENSORS]
    if any(told):
        # Forward, up, their unit, rate and its unit.
        residuals[stamp] = np.array(
            [[float(words[i]) for i in (0, 1, 3)] if words else UNKNOWN for words in told]
        )
