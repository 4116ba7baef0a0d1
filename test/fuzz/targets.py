# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every reader of input from outside, with valid input of its own to start from."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import yaml
from command_line import write_model
from made_recordings import ORIGIN_NS, copy_bag, swinging
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from fuzz.campaign import Failure, Target
from fuzz.mutation import (
    HOSTILE_VALUES,
    INTERESTING_DOUBLES,
    mutate_bytes,
    mutate_text,
    mutate_tree,
)
from sspinnpose_ros.bags.human_topics import read_human_topics
from sspinnpose_ros.bags.imu_bag import open_imu_bag
from sspinnpose_ros.bags.imu_bag_writer import write_imu_bag
from sspinnpose_ros.bags.imu_cdr import MalformedImuError, parse_imus
from sspinnpose_ros.bags.imu_survey import survey_imus
from sspinnpose_ros.bags.latency_log import read_latency_log
from sspinnpose_ros.bags.recording_info import describe_survey
from sspinnpose_ros.bags.reference import load_estimate, load_reference
from sspinnpose_ros.bags.sensor_mapping import SensorMapping, load_mapping, mapping_text
from sspinnpose_ros.bags.status_log import read_status_log
from sspinnpose_ros.bags.table_import import TableOptions, import_tables
from sspinnpose_ros.core.bounded_yaml import BrokenYamlError, UnboundedYamlError, parse_yaml
from sspinnpose_ros.core.calibration import Calibration, SensorVerdict
from sspinnpose_ros.core.calibration_file import (
    calibration_from_mapping,
    load_calibration,
    save_calibration,
)
from sspinnpose_ros.core.conventions import JOINTS, SENSORS, SIDES
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import DESCRIPTION_FILE, WEIGHTS_FILE, load_model
from sspinnpose_ros.core.mounting import Mounting, SensorMounting, aligned_mounting
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.sensor_location_file import load_locations
from sspinnpose_ros.core.subject import load_subject, make_subject, subject_from_mapping
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.ros.imu_message import read_imu

VALID = 0.02
"""Share of the input that is left as it is, to see that it is still accepted."""

HAS_ROS = find_spec('rclpy') is not None
"""Without it there is no node to set parameters of."""

if HAS_ROS:
    from fuzz.parameter_target import parameter_target

STORE = get_typestore(Stores.ROS2_JAZZY)

MAPPING = mapping_text(
    SensorMapping(
        topics={sensor: f'/{sensor}' for sensor in SENSORS},
        time_offset_s={'pelvis': -0.02},
        sensors=SENSORS,
    )
)

SUBJECT: dict[str, Any] = {
    'mass_kg': 70.0,
    'height_m': 1.75,
    'segment_length_m': {'thigh': 0.43, 'shank': 0.42},
    'sensor_axes': 'segment aligned: x forward, y up, z right',
    'sensor_position_m': {'pelvis': [-0.1, 0.08, 0.0], 'foot_r': [0.1, -0.03, 0.0]},
    'sensor_position_origin': 'proximal joint of the segment, x forward, y up, z right',
}

LOCATION: dict[str, Any] = {
    'verdict': 'well determined',
    'mounting_verdict': 'well determined',
    'sentence': 'a sentence',
    'samples': 1000,
    'assumed_position_m': [-0.1, 0.08],
    'position_change_m': [0.0, 0.0],
    'position_sigma_m': [0.01, 0.01],
    'acceleration_bias_m_s2': [0.0, 0.1],
    'position_uncertainty_left': 0.1,
    'mounting_rad': 0.01,
    'mounting_sigma_rad': 0.01,
    'mounting_uncertainty_left': 0.2,
    'effective_samples': 300.0,
    'residual_before_m_s2': 1.0,
    'residual_after_m_s2': 0.9,
}

YAML_TOKENS = (
    *('&a', '*a', '&a [*a]', '<<: *a', '<<: {a: 1}', '!!python/object/apply:os.system [ls]'),
    *('!!binary aGVsbG8=', '!!set {a, b}', '!!omap [a: 1]', '!!timestamp 2001-02-31', '!!float x'),
    *('2001-13-45', '1:2:3:4', '0x' + 'f' * 400, '9' * 5000, '1e999', '-.inf', '.nan', '~', '|'),
    *('>', '"', "'", '[', ']', '{', '}', '? ', ': ', '- ', '#', '%YAML 9.9', '---', '...', '\t'),
    *('[' * 60, '{a: ' * 30, '\x00', '\x85', '﻿', '\ud7ff', '\U0010ffff', '!!', '!<', '@', '`'),
)

TABLE_TOKENS = (
    *(
        ',',
        ';',
        '\t',
        '\n',
        '\r\n',
        '"',
        "'",
        ',,,,',
        'nan',
        'inf',
        '-inf',
        '1e999',
        '1,5',
        '//',
        '#',
    ),
    *(
        'time',
        'acc_x',
        'gyr_z',
        'Update Rate: 0',
        '0x10',
        '9' * 5000,
        '\x00',
        '\ufeff',
        'µs',
        '°/s',
    ),
)


def targets(folder: Path) -> dict[str, Target]:
    """Return all targets by name; seeds and scratch files go into `folder`."""
    everything = [
        *_message_targets(folder),
        *_mapping_targets(),
        *_yaml_file_targets(folder),
        *_model_targets(folder),
        *_array_targets(folder),
        *_bag_targets(folder),
        *_table_targets(folder),
    ]
    if HAS_ROS:
        everything.append(parameter_target(folder))
    return {target.name: target for target in everything}


def close(known: Mapping[str, Target]) -> None:
    """End what targets hold."""
    for target in known.values():
        getattr(target.read, 'close', lambda: None)()


def _draw(make: Callable[[Random], Any], valid: Sequence[Any]) -> Callable[[Random], Any]:
    def draw(rng: Random) -> Any:
        return rng.choice(valid) if rng.random() < VALID else make(rng)

    return draw


# Messages


def imu_bytes(*, frame_id: str = 'imu_pelvis', little: bool = True, values: float = 1.0) -> bytes:
    """Return a serialised sensor_msgs/Imu."""
    types = STORE.types
    vector = types['geometry_msgs/msg/Vector3']
    message = types['sensor_msgs/msg/Imu'](
        header=types['std_msgs/msg/Header'](
            stamp=types['builtin_interfaces/msg/Time'](ORIGIN_NS // 10**9, 5), frame_id=frame_id
        ),
        orientation=types['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0),
        orientation_covariance=np.array([-1.0, *[0.0] * 8]),
        angular_velocity=vector(values, 0.2, 0.3),
        angular_velocity_covariance=np.zeros(9),
        linear_acceleration=vector(0.1, values, 9.81),
        linear_acceleration_covariance=np.zeros(9),
    )
    return bytes(STORE.serialize_cdr(message, message.__msgtype__, little_endian=little))


def _message_targets(folder: Path) -> list[Target]:
    valid = [
        imu_bytes(frame_id=name, little=little)
        for name in ('', 'a', 'imu_pelvis', 'x' * 40)
        for little in (True, False)
    ]
    other = STORE.types['std_msgs/msg/String'](data='hello')
    strange = [bytes(STORE.serialize_cdr(other, other.__msgtype__)), b'', bytes(400)]

    def message(rng: Random) -> bytes:
        return mutate_bytes(rng, rng.choice(valid), others=strange)

    def block(rng: Random) -> list[bytes]:
        return [
            rng.choice(valid) if rng.random() < 0.7 else message(rng)
            for _ in range(rng.randrange(1, 6))
        ]

    return [
        Target('imu message', 62_000, _draw(message, valid), _read_message, (MalformedImuError,)),
        Target('imu messages', 8_000, _draw(block, [valid]), parse_imus, (MalformedImuError,)),
        Target('pipeline', 200, _draw(_samples, [[]]), _PipelineReader(folder)),
    ]


def _read_message(raw: bytes) -> None:
    """Read a message in both ways, and hold them against a decoder that others wrote."""
    try:
        block = parse_imus([raw])
    except MalformedImuError:
        try:
            read_imu(raw)
        except MalformedImuError:
            raise
        raise Failure('one reader accepts what the other refuses') from None
    reading = read_imu(raw)
    if reading.stamp_ns != block.stamp_ns[0] or not np.array_equal(
        reading.sample, block.sample[0], equal_nan=True
    ):
        raise Failure(f'{reading} is not {block}')
    try:
        known: Any = STORE.deserialize_cdr(raw, 'sensor_msgs/msg/Imu')
    except Exception:
        # A frame id that is no text, which is never looked at.
        return
    force, rate = known.linear_acceleration, known.angular_velocity
    expected = np.array([force.x, force.y, force.z, rate.x, rate.y, rate.z])
    stamp = known.header.stamp.sec * 10**9 + known.header.stamp.nanosec
    if stamp != reading.stamp_ns or not np.array_equal(reading.sample, expected, equal_nan=True):
        raise Failure(f'{reading} is not {known}')


def _samples(rng: Random) -> list[tuple[str, float, np.ndarray, float]]:
    """Draw samples whose stamps, arrivals and values are mostly good and sometimes anything."""
    now = rng.choice((0.0, 1e9, -1e9, 1e-9))
    drawn = []
    for _ in range(rng.randrange(5, 60)):
        now += rng.choice((0.0, 0.001, 0.005, 0.01, 0.1))
        stamp, arrival = now, now
        if rng.random() < 0.1:
            stamp = rng.choice((*INTERESTING_DOUBLES, now + 1e6, now - 1e6, now + 0.5, now - 0.5))
        if rng.random() < 0.02:
            arrival = now + rng.choice((-1e6, -5.0, -0.1, 0.3, 5.0, 1e6))
        sample = np.array([rng.gauss(9.81 * (row == 1), 1.0) for row in range(6)])
        if rng.random() < 0.1:
            sample[rng.randrange(6)] = rng.choice(INTERESTING_DOUBLES)
        drawn.append((rng.choice(SENSORS), stamp, sample, arrival))
    return drawn


class _PipelineReader:
    """Push samples, then good ones: estimates must come again and be numbers throughout."""

    def __init__(self, folder: Path) -> None:
        self._estimator = Estimator(
            model=load_model(write_model(folder / 'pipeline_model')),
            subject=make_subject(mass_kg=70.0, height_m=1.75, sensor_axes='aligned'),
            mounting=aligned_mounting(),
        )
        self._good = {name: one.sample for name, one in swinging(seconds=1.0).items()}

    def __call__(self, samples: list[tuple[str, float, np.ndarray, float]]) -> None:
        pipeline = Pipeline(
            synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
            estimator=self._estimator,
        )
        last = -np.inf
        resets = 0
        for sensor, stamp, sample, arrival in samples:
            pipeline.push(sensor=sensor, stamp_s=stamp, sample=sample, arrival_s=arrival)
            for outcome in pipeline.drain(now_s=arrival):
                self._require_numbers(outcome)
        for step in range(40):
            now = 5e9 + 0.01 * step
            for sensor, good in self._good.items():
                pipeline.push(sensor=sensor, stamp_s=now, sample=good[step], arrival_s=now)
            outcomes = pipeline.drain(now_s=now)
            for outcome in outcomes:
                self._require_numbers(outcome)
                again = pipeline.synchronizer.statistics.resets
                if outcome.frame.time_s <= last and again == resets:
                    raise Failure('time goes back')
                last, resets = outcome.frame.time_s, again
        if not outcomes or outcomes[-1].estimate is None:
            raise Failure('good samples give no estimate any more')

    @staticmethod
    def _require_numbers(outcome: Any) -> None:
        estimate = outcome.estimate
        if estimate is not None and not all(
            np.isfinite(each).all() for each in (estimate.q, estimate.qd, estimate.effort)
        ):
            raise Failure(f'{estimate} is not finite')


# Mappings that a YAML parser has already read


def _calibration() -> Calibration:
    mounting = SensorMounting(rotation=np.eye(3), acceleration_gain=1.01)
    verdict = SensorVerdict(
        acceleration_gain=1.01,
        acceleration_bias_m_s2=0.0,
        gyro_bias_rad_s=0.0,
        axis_variance_ratio=9.0,
        sign_confidence=0.9,
        flags=(),
    )
    return Calibration(
        mounting=Mounting(sensors={'pelvis': mounting, 'foot_l': mounting}),
        verdict='good',
        sentences=('Calibration good.',),
        standing_s=3.0,
        walking_s=20.0,
        stride_s=1.1,
        speed_m_s=1.2,
        sensors={'pelvis': verdict, 'foot_l': verdict},
    )


def _mapping_targets() -> list[Target]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        save_calibration(Path(folder) / 'c.yaml', _calibration())
        calibration = yaml.safe_load((Path(folder) / 'c.yaml').read_text())

    def subject(content: Any) -> object:
        return subject_from_mapping(content if isinstance(content, dict) else {'x': content})

    return [
        Target(
            'subject content',
            12_000,
            _draw(lambda rng: mutate_tree(rng, SUBJECT), [SUBJECT]),
            subject,
        ),
        Target(
            'calibration content',
            8_000,
            _draw(lambda rng: mutate_tree(rng, calibration), [calibration]),
            calibration_from_mapping,
        ),
    ]


# YAML files


def _yaml_file_targets(folder: Path) -> list[Target]:
    calibration = folder / 'calibration.yaml'
    save_calibration(calibration, _calibration())
    located = {
        **SUBJECT,
        'format': 'sspinnpose sensor locations',
        'version': 1,
        'sensors': {'pelvis': LOCATION},
    }
    texts = {
        'subject file': (yaml.safe_dump(SUBJECT, sort_keys=False), load_subject, 600),
        'calibration file': (calibration.read_text(), load_calibration, 300),
        'mapping file': (MAPPING, load_mapping, 400),
        'locations file': (yaml.safe_dump(located, sort_keys=False), load_locations, 500),
    }
    found = []
    for name, (text, load, cases) in texts.items():
        scratch = folder / f'{name.replace(" ", "_")}.yaml'

        def draw(rng: Random, text: str = text) -> bytes:
            mutated = mutate_text(rng, text, tokens=YAML_TOKENS).encode()
            return mutate_bytes(rng, mutated) if rng.random() < 0.2 else mutated

        def read(raw: bytes, scratch: Path = scratch, load: Any = load) -> object:
            scratch.write_bytes(raw)
            return load(scratch)

        found.append(Target(name, cases, _draw(draw, [text.encode()]), read))
    found.append(
        Target(
            'yaml',
            600,
            _draw(_yaml_soup, [b'a: 1']),
            parse_yaml,
            (BrokenYamlError, UnboundedYamlError),
        )
    )
    return found


def _yaml_soup(rng: Random) -> bytes:
    """Put tokens of the language together at random; the alias bombs among them are grown."""
    if rng.random() < 0.1:
        levels, width = rng.randrange(2, 30), rng.randrange(2, 12)
        return bomb(levels=levels, width=width, merge=rng.random() < 0.5)
    words = ('a', 'b: ', '1', '\n', '\n  ', '\n- ', ', ', *YAML_TOKENS)
    return ''.join(rng.choice(words) for _ in range(rng.randrange(1, 25))).encode()


def bomb(*, levels: int, width: int, merge: bool = False) -> bytes:
    """Return a few hundred bytes of YAML that stand for `width ** levels` values."""
    lines = ['a0: &a0 {x: y}']
    for level in range(1, levels):
        aliases = ', '.join([f'*a{level - 1}'] * width)
        lines.append(
            f'a{level}: &a{level} ' + (f'{{<<: [{aliases}]}}' if merge else f'[{aliases}]')
        )
    return '\n'.join(lines).encode()


# Models


def _model_targets(folder: Path) -> list[Target]:
    place = write_model(folder / 'model', hidden=2)
    description = json.loads((place / DESCRIPTION_FILE).read_text())
    blob = (place / WEIGHTS_FILE).read_bytes()
    size = int.from_bytes(blob[:8], 'little')
    header, data = json.loads(blob[8 : 8 + size]), blob[8 + size :]
    also = ([0, 2**62], [2**31, 2**33], [0, 0], [-1, 4], 'F32', 'F64', 'BF16', [2**32, 2**32], [2])
    valid = [(_json(description), blob)]

    def weights(rng: Random) -> tuple[bytes, bytes]:
        kind = rng.random()
        if kind < 0.4:
            text = _json(mutate_tree(rng, header, also=also))
            changed = struct.pack('<Q', len(text)) + text + data
        elif kind < 0.7:
            changed = mutate_bytes(rng, blob[: 8 + size]) + data
        else:
            changed = mutate_bytes(rng, blob)
        right = {**description, 'sha256': hashlib.sha256(changed).hexdigest()}
        return _json(right if rng.random() < 0.95 else description), changed

    def describe(rng: Random) -> tuple[bytes, bytes]:
        if rng.random() < 0.2:
            tokens = ('{', '[' * 2000, '1e999', 'NaN', '9' * 6000, '"\\ud800"', ',', ':', 'null')
            spaced = json.dumps(description, indent=1)
            return mutate_text(rng, spaced, tokens=tokens).encode(), blob
        return _json(mutate_tree(rng, description)), blob

    def read(given: tuple[bytes, bytes]) -> object:
        text, weights = given
        (place / DESCRIPTION_FILE).write_bytes(text)
        (place / WEIGHTS_FILE).write_bytes(weights)
        return load_model(place)

    return [
        Target('model weights', 4_000, _draw(weights, valid), read),
        Target('model description', 4_000, _draw(describe, valid), read),
    ]


def _json(tree: Any) -> bytes:
    """Spell a tree, as far as JSON can."""
    try:
        text = json.dumps(tree, default=str, skipkeys=True)
    except ValueError:
        # A number of more digits than Python spells; others may.
        text = '{"version": ' + '9' * 5000 + '}'
    return text.encode('utf-8', 'surrogatepass')


# Arrays


def _array_targets(folder: Path) -> list[Target]:
    scratch = folder / 'arrays.npz'
    time = np.arange(20) * 0.01
    columns = {
        'time': time,
        **{f'{kind}_{joint}': time for kind in ('angle', 'moment') for joint in JOINTS},
        **{f'{kind}_{side}': time for kind in ('grf_forward', 'grf_up') for side in SIDES},
    }
    small = {'time': time, 'angle_knee_angle_r': time}
    seeds = [_npz(columns, packed=False), _npz(small, packed=True), _npz(small, packed=False)]

    def hostile(rng: Random) -> bytes:
        if rng.random() < 0.5:
            return mutate_bytes(rng, rng.choice(seeds))
        changed: dict[str, Any] = dict(rng.choice((columns, small)))
        name = rng.choice(list(changed))
        if rng.random() < 0.4:
            changed[name] = _header_of(rng)
        elif rng.random() < 0.7:
            changed[name] = rng.choice(
                (
                    time.astype(complex),
                    time.astype('U8'),
                    time.astype('S8'),
                    np.array([1, None], dtype=object),
                    time > 0.1,
                    time.astype('datetime64[s]'),
                    np.zeros((20, 0)),
                    np.zeros((), dtype=[('a', 'f8')]),
                    time[::-1],
                    np.full(20, np.nan),
                    np.float64(3.0),
                    np.zeros((2, 20)),
                    np.zeros(0),
                )
            )
        else:
            del changed[name]
        return _npz(changed, packed=rng.random() < 0.5)

    def read(raw: bytes) -> None:
        scratch.write_bytes(raw)
        load_reference(scratch)

    def read_estimate(raw: bytes) -> None:
        scratch.write_bytes(raw)
        load_estimate(scratch)

    return [
        Target('reference', 1_200, _draw(hostile, seeds), read),
        Target('estimate', 600, _draw(hostile, seeds[:1]), read_estimate),
    ]


def _npz(arrays: dict[str, Any], *, packed: bool) -> bytes:
    file = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, 'w', method) as archive:
        for name, value in arrays.items():
            if isinstance(value, bytes):
                archive.writestr(f'{name}.npy', value)
                continue
            one = io.BytesIO()
            np.lib.format.write_array(one, np.asarray(value), allow_pickle=True)
            archive.writestr(f'{name}.npy', one.getvalue())
    return file.getvalue()


def _header_of(rng: Random) -> bytes:
    """Return an array that claims a shape and type of its own."""
    shapes = ('(20,)', '(99999999999,)', '(-5,)', '(1, 2, 3)', '(2**40,)', '(20', '(1e3,)', '()')
    kinds = ("'<f8'", "'|O'", "'<f2'", "'<U9999999'", "'V0'", '[("a","<f8")]', '5', "'x'")
    order = rng.choice(('False', 'True', 'None', '1'))
    header = (
        f"{{'descr': {rng.choice(kinds)}, 'fortran_order': {order}, "
        f"'shape': {rng.choice(shapes)}, }}\n"
    ).encode()
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + bytes(160)


# Recordings


def _bag_targets(folder: Path) -> list[Target]:
    seeds = folder / 'bags'
    seeds.mkdir()
    series = swinging(seconds=0.05, sensors=SENSORS)
    write_imu_bag(seeds / 'zstd', series=series, origin_ns=ORIGIN_NS)
    copy_bag(seeds / 'zstd', seeds / 'plain', compression=CompressionMode.NONE)
    copy_bag(seeds / 'zstd', seeds / 'sqlite', storage=StoragePlugin.SQLITE3)
    _write_human_bag(seeds / 'human')
    plain = [_storage(seeds / name, '.mcap').read_bytes() for name in ('plain', 'zstd')]
    plain.append(_without_checksums(plain[0]))
    sqlite = _storage(seeds / 'sqlite', '.db3').read_bytes()
    human = _without_checksums(_storage(seeds / 'human', '.mcap').read_bytes())
    metadata = (seeds / 'plain' / 'metadata.yaml').read_text()
    described = yaml.safe_load(metadata)

    def mcap(rng: Random) -> bytes:
        return mutate_bytes(rng, rng.choice(plain), others=plain)

    def about(rng: Random) -> bytes:
        if rng.random() < 0.5:
            return mutate_text(rng, metadata, tokens=YAML_TOKENS).encode()
        return _json(mutate_tree(rng, described))

    def in_file(name: str) -> Callable[[bytes], None]:
        def read(raw: bytes) -> None:
            (folder / name).write_bytes(raw)
            _read_bag(folder / name)

        return read

    def in_folder(raw: bytes) -> None:
        (seeds / 'plain' / 'metadata.yaml').write_bytes(raw)
        _read_bag(seeds / 'plain')

    def by(load: Callable[[Path], object]) -> Callable[[bytes], None]:
        def read(raw: bytes) -> None:
            scratch = folder / 'human.mcap'
            scratch.write_bytes(raw)
            load(scratch)

        return read

    def lively(rng: Random) -> bytes:
        return mutate_bytes(rng, human)

    return [
        Target('mcap', 1_500, _draw(mcap, plain), in_file('fuzzed.mcap')),
        Target(
            'sqlite3',
            500,
            _draw(lambda rng: mutate_bytes(rng, sqlite), [sqlite]),
            in_file('fuzzed.db3'),
        ),
        Target('survey', 150, _draw(mcap, plain), by(_survey)),
        Target('metadata', 120, _draw(about, [metadata.encode()]), in_folder),
        Target('human topics', 120, _draw(lively, [human]), by(read_human_topics)),
        Target('latency log', 200, _draw(lively, [human]), by(read_latency_log)),
        Target('status log', 200, _draw(lively, [human]), by(read_status_log)),
    ]


def _survey(path: Path) -> None:
    survey = survey_imus(path)
    if survey.topics:
        describe_survey(survey)


def _table_targets(folder: Path) -> list[Target]:
    samples = swinging(seconds=1.6, rate_hz=25.0, sensors=('pelvis', 'foot_r'))
    names = [f'{kind}_{axis}' for kind in ('acc', 'gyr') for axis in 'xyz']
    lines = [','.join(('time', *(f'{s}_{name}' for s in samples for name in names)))]
    arrays = {'time': samples['pelvis'].stamp_s}
    for sensor, one in samples.items():
        arrays |= {f'{sensor}_acc': one.sample[:, :3], f'{sensor}_gyr': one.sample[:, 3:]}
    for row, time_s in enumerate(samples['pelvis'].stamp_s):
        values = [time_s, *(value for one in samples.values() for value in one.sample[row])]
        lines.append(','.join(f'{value:.6g}' for value in values))
    text = '\n'.join(lines)
    archive = _npz(arrays, packed=False)

    def table(rng: Random) -> bytes:
        mutated = mutate_text(rng, text, tokens=TABLE_TOKENS).encode()
        return mutate_bytes(rng, mutated) if rng.random() < 0.2 else mutated

    def read(name: str) -> Callable[[bytes], None]:
        def read_one(raw: bytes) -> None:
            (folder / name).write_bytes(raw)
            import_tables([(None, folder / name)], options=TableOptions(rate_hz=100.0))

        return read_one

    def packed(rng: Random) -> bytes:
        return mutate_bytes(rng, archive)

    return [
        Target('csv', 600, _draw(table, [text.encode()]), read('walk.csv')),
        Target('npz', 600, _draw(packed, [archive]), read('walk.npz')),
    ]


def _read_bag(path: Path) -> None:
    with open_imu_bag(path) as bag:
        count = 0
        for _, stamp_s, sample, arrival_s in bag.samples():
            count += 1
            if not isinstance(stamp_s + arrival_s, float) or sample.shape != (6,):
                raise Failure(f'{stamp_s!r}, {sample!r}, {arrival_s!r}')
        if bag.duration_s < 0.0 or bag.message_count() < 0 or count > 10_000:
            raise Failure(f'{count} samples, {bag.duration_s} s, {bag.message_count()} messages')


def _storage(folder: Path, suffix: str) -> Path:
    return next(path for path in folder.iterdir() if path.suffix == suffix)


def _without_checksums(mcap: bytes) -> bytes:
    """Switch the checksums of the chunks off, so that changes inside are not simply refused."""
    changed, at = bytearray(mcap), 8
    while at + 9 <= len(changed):
        kind, length = changed[at], int.from_bytes(changed[at + 1 : at + 9], 'little')
        if kind == 0x06:
            changed[at + 9 + 24 : at + 9 + 28] = bytes(4)
        at += 9 + length
    return bytes(changed)


def _write_human_bag(path: Path) -> None:
    """Write joint states, wrenches, frames, status and diagnostics of a few instants."""
    types = STORE.types
    header, stamp = types['std_msgs/msg/Header'], types['builtin_interfaces/msg/Time']
    vector = types['geometry_msgs/msg/Vector3']
    pair, status = (
        types['diagnostic_msgs/msg/KeyValue'],
        types['diagnostic_msgs/msg/DiagnosticStatus'],
    )
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    with writer:
        connections: dict[str, Any] = {}

        def write(topic: str, message: Any, time_ns: int) -> None:
            if topic not in connections:
                connections[topic] = writer.add_connection(
                    topic, message.__msgtype__, typestore=STORE
                )
            raw = STORE.serialize_cdr(message, message.__msgtype__)
            writer.write(connections[topic], time_ns, raw)

        for step in range(3):
            time_ns = ORIGIN_NS + 10_000_000 * step
            head = header(stamp=stamp(*divmod(time_ns, 10**9)), frame_id='odom')
            state = types['sensor_msgs/msg/JointState'](
                header=head,
                name=list(JOINTS),
                **{name: np.ones(6) for name in ('position', 'velocity', 'effort')},
            )
            write('/human/joint_states', state, time_ns)
            write('/human/uncertainty', state, time_ns)
            wrench = types['geometry_msgs/msg/WrenchStamped'](
                header=head,
                wrench=types['geometry_msgs/msg/Wrench'](
                    force=vector(1.0, 0.0, 2.0), torque=vector(0.0, 0.0, 0.0)
                ),
            )
            for side in SIDES:
                write(f'/human/wrench/foot_{side}', wrench, time_ns)
                write(f'/human/wrench_sigma/foot_{side}', wrench, time_ns)
            turn = types['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0)
            moved = types['geometry_msgs/msg/TransformStamped'](
                header=head,
                child_frame_id='pelvis',
                transform=types['geometry_msgs/msg/Transform'](
                    translation=vector(0.0, 0.0, 1.0), rotation=turn
                ),
            )
            write('/tf', types['tf2_msgs/msg/TFMessage'](transforms=[moved]), time_ns)
            seconds, rest = divmod(time_ns, 10**9)
            said = status(
                level=0,
                name='human',
                message='OK',
                hardware_id='',
                values=[pair(key='stamp', value=f'{seconds}.{rest:09d}')],
            )
            write('/human/status', said, time_ns)
            late = [pair(key=f'latency_{each}_ms', value='3.5') for each in ('p50', 'p99', 'max')]
            own = status(level=0, name='n: estimator', message='', hardware_id='', values=late)
            array = types['diagnostic_msgs/msg/DiagnosticArray'](header=head, status=[own])
            write('/diagnostics', array, time_ns)


__all__ = ['HAS_ROS', 'HOSTILE_VALUES', 'Target', 'bomb', 'close', 'imu_bytes', 'targets']
