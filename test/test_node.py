# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the node as users do: its own process, real topics, services and parameters."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from lifecycle_msgs.msg import Transition
from made_recordings import SUBJECT
from node_process import (
    LATCHED,
    NodeProcess,
    Wearer,
    estimator_process,
    stamps_of,
    write_model,
)
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters

from sspinnpose_ros.core.calibration import GOOD, Calibration, SensorVerdict
from sspinnpose_ros.core.calibration_file import DURATIONS, save_calibration
from sspinnpose_ros.core.conventions import JOINTS, PARENTS, SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import Mounting, SensorMounting, aligned_mounting
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.subject import load_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.ros.conversions import TFMessage

pytestmark = pytest.mark.ros

OK, WARN, ERROR, STALE = (bytes([level]) for level in range(4))


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model and a subject with aligned sensors."""
    folder = tmp_path_factory.mktemp('node')
    write_model(folder / 'model')
    (folder / 'subject.yaml').write_text(SUBJECT)
    return folder


@pytest.fixture(scope='module')
def node(domain: int, files: Path) -> Iterator[NodeProcess]:
    parameters = {
        'model': files / 'model',
        'subject': files / 'subject.yaml',
        'settle_s': 0.3,
        'missing_topic_s': 1.0,
        'calibration_output': files / 'calibration.yaml',
    }
    with estimator_process(domain, parameters) as process:
        yield process
        assert process.process.poll() is None, process.log
    assert process.process.returncode == 0
    assert 'Traceback' not in process.log


@pytest.fixture(scope='module')
def shared_wearer(domain: int, node: NodeProcess) -> Iterator[Wearer]:
    wearer = Wearer(domain)
    if TFMessage is not None:
        wearer.listen('/tf', TFMessage, 100)
        wearer.listen('/tf_static', TFMessage, LATCHED)
    wearer.wait_until_heard()
    yield wearer
    wearer.close()


@pytest.fixture
def wearer(shared_wearer: Wearer) -> Wearer:
    """Return the wearer of the running node, active, with nothing received but the latched."""
    if shared_wearer.state() != 'active':
        shared_wearer.change_state(Transition.TRANSITION_ACTIVATE)
    shared_wearer.wait_until_heard()
    for topic, messages in shared_wearer.received.items():
        if topic not in ('robot_description', '/tf_static'):
            messages.clear()
    return shared_wearer


def test_missing_topics_are_named(wearer: Wearer, node: NodeProcess) -> None:
    wearer.wait_for(lambda: 'Nothing was heard' in node.log, 'the warning')
    line = next(line for line in node.lines if 'Nothing was heard' in line)
    assert all(f'/imu/{sensor}/data_raw' in line for sensor in SENSORS)


def test_every_output_of_the_contract_comes(wearer: Wearer, samples: np.ndarray) -> None:
    stamps = wearer.play(samples[:790])
    states = wearer.received['human/joint_states']
    assert len(states) > 500
    assert len(wearer.received['human/uncertainty']) > 500
    for state in states:
        assert list(state.name) == list(JOINTS)
        for values in (state.position, state.velocity, state.effort):
            assert len(values) == len(JOINTS)
            assert np.isfinite(values).all()
    seen = stamps_of(states)
    assert (np.diff(seen) > 0).all()
    assert set(seen.tolist()) <= set(stamps.tolist())
    for side in 'rl':
        wrenches = wearer.received[f'human/wrench/foot_{side}']
        assert len(wrenches) > 100
        assert {wrench.header.frame_id for wrench in wrenches} == {f'sole_{side}'}
        force = wrenches[-1].wrench.force
        assert np.isfinite([force.x, force.z, wrenches[-1].wrench.torque.y]).all()
        assert force.y == 0.0
    for sigma in wearer.received['human/uncertainty']:
        assert list(sigma.name) == list(JOINTS)
        assert not sigma.velocity
        for values in (sigma.position, sigma.effort):
            assert len(values) == len(JOINTS)
            assert np.isfinite(values).all()
            assert min(values) > 0.0
    assert set(stamps_of(wearer.received['human/uncertainty'])) <= set(stamps.tolist())
    for side in 'rl':
        sigmas = wearer.received[f'human/wrench_sigma/foot_{side}']
        assert len(sigmas) > 100
        assert {sigma.header.frame_id for sigma in sigmas} == {'odom'}
        assert min(min(s.wrench.force.x, s.wrench.force.z) for s in sigmas) > 0.0
    status = wearer.received['human/status']
    assert status[-1].level in (OK, WARN)
    assert {value.key for value in status[-1].values} >= {
        'stamp',
        'age_ms',
        'missing',
        *(f'residual {sensor}' for sensor in SENSORS),
    }
    assert 'signals not checked yet' in status[10].message
    assert status[10].level == WARN
    assert any(each.level == OK and each.message == 'estimating' for each in status)
    assert wearer.received['human/markers']
    robot = ElementTree.fromstring(wearer.received['robot_description'][0].data)
    assert {joint.get('name') for joint in robot.iter('joint')} >= set(JOINTS)


@pytest.mark.skipif(TFMessage is None, reason='tf2_msgs is not installed')
def test_the_frames_form_one_tree(wearer: Wearer, samples: np.ndarray) -> None:
    wearer.play(samples[:30])
    moving = wearer.received['/tf'][-1].transforms
    parents = {each.child_frame_id: each.header.frame_id for each in moving}
    assert parents == PARENTS
    fixed = wearer.received['/tf_static'][-1].transforms
    parents.update({each.child_frame_id: each.header.frame_id for each in fixed})
    assert {f'imu_{sensor}' for sensor in SENSORS} | {'sole_r', 'sole_l'} <= set(parents)
    for frame in parents:
        while frame != 'odom':
            frame = parents[frame]
    for each in (*moving, *fixed):
        turn = each.transform.rotation
        assert np.linalg.norm([turn.x, turn.y, turn.z, turn.w]) == pytest.approx(1.0)


def test_diagnostics_tell_rates_and_latency(wearer: Wearer, samples: np.ndarray) -> None:
    wearer.play(samples[:250])
    latest = wearer.received['/diagnostics'][-1].status
    values = {each.name: {v.key: v.value for v in each.values} for each in latest}
    assert set(values) == {
        'sspinnpose: estimator',
        *(f'sspinnpose: imu {sensor}' for sensor in SENSORS),
    }
    overall = values['sspinnpose: estimator']
    assert 0.0 < float(overall['latency_p50_ms']) <= float(overall['latency_p99_ms'])
    assert float(overall['compute_p50_ms']) > 0.0
    for sensor in SENSORS:
        entry = values[f'sspinnpose: imu {sensor}']
        assert entry['topic'] == f'/imu/{sensor}/data_raw'
        assert float(entry['rate_hz']) > 10.0
        assert entry['dropped'] == entry['duplicates'] == '0'
        assert float(entry['residual_force']) >= 0.0


def test_the_node_gives_what_the_pipeline_gives(
    wearer: Wearer, samples: np.ndarray, files: Path
) -> None:
    expected = pipeline_outputs(samples[:150], files)
    # Best-effort messages may get lost on a busy machine; then it is played again.
    for _ in range(4):
        assert wearer.call('sspinnpose/reset').success
        wearer.received['human/joint_states'].clear()
        stamps = wearer.play(samples[:150])
        states = wearer.received['human/joint_states']
        assert set(stamps_of(states)) <= set(stamps.tolist())
        seen = np.array([[s.position, s.velocity, s.effort] for s in states])
        if seen.shape == expected.shape and np.allclose(seen, expected, rtol=1e-9, atol=1e-9):
            return
    np.testing.assert_allclose(seen, expected, rtol=1e-9, atol=1e-9)


def pipeline_outputs(samples: np.ndarray, files: Path) -> np.ndarray:
    """Return (T, 3, 6) positions, velocities and efforts that the pipeline gives."""
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Estimator(
            model=load_model(files / 'model'),
            subject=load_subject(files / 'subject.yaml'),
            mounting=aligned_mounting(),
        ),
    )
    outputs = []
    for index, instant in enumerate(samples):
        time_s = 0.01 * index
        for sensor, sample in zip(SENSORS, instant, strict=True):
            pipeline.push(sensor=sensor, stamp_s=time_s, sample=sample, arrival_s=time_s)
        for outcome in pipeline.drain(now_s=time_s):
            assert outcome.estimate is not None
            estimate = outcome.estimate
            outputs.append([estimate.q[3:], estimate.qd[3:], estimate.effort])
    return np.array(outputs)


def test_a_missing_sensor_is_named_and_the_estimate_goes_on(
    wearer: Wearer, samples: np.ndarray
) -> None:
    wearer.play(samples[:150], sensors=[s for s in SENSORS if s != 'shank_l'])
    assert wearer.received['human/joint_states']
    status = wearer.received['human/status'][-1]
    assert status.level == WARN
    assert 'shank_l' in status.message
    assert {value.key: value.value for value in status.values}['missing'] == 'shank_l'


def test_silence_is_said_and_nothing_is_held(wearer: Wearer, samples: np.ndarray) -> None:
    wearer.play(samples[:30])
    wearer.spin(0.5)
    wearer.received['human/joint_states'].clear()
    wearer.received['human/status'].clear()
    wearer.wait_for(lambda: wearer.received['human/status'], 'the status')
    wearer.spin(0.5)
    assert not wearer.received['human/joint_states']
    assert {each.level for each in wearer.received['human/status']} == {STALE}
    wearer.received['/diagnostics'].clear()
    wearer.wait_for(lambda: wearer.received['/diagnostics'], 'the diagnostics')
    for entry in wearer.received['/diagnostics'][-1].status:
        assert entry.level == STALE, entry
        values = {value.key: value.value for value in entry.values}
        assert values.get('residual_force', '') == ''


def test_too_few_sensors_are_not_enough(wearer: Wearer, samples: np.ndarray) -> None:
    wearer.spin(0.5)
    assert wearer.call('sspinnpose/reset').success
    wearer.received['human/joint_states'].clear()
    wearer.play(samples[:80], sensors=('pelvis', 'foot_r'))
    assert not wearer.received['human/joint_states']
    status = wearer.received['human/status'][-1]
    assert status.level == STALE
    assert 'too few sensors' in status.message


def test_samples_that_are_not_numbers_never_come_out(
    wearer: Wearer, node: NodeProcess, samples: np.ndarray
) -> None:
    spoilt = samples[:100].copy()
    spoilt[::3, SENSORS.index('thigh_r'), 1] = np.nan
    wearer.play(spoilt)
    states = wearer.received['human/joint_states']
    assert states
    assert np.isfinite([state.effort for state in states]).all()
    wearer.wait_for(lambda: 'NaN or infinite' in node.log, 'the warning')
    assert 'samples of thigh_r' in node.log


def test_services_answer_in_sentences(wearer: Wearer, samples: np.ndarray, files: Path) -> None:
    wearer.play(samples[:50])
    answer = wearer.call('sspinnpose/calibrate')
    assert not answer.success
    assert 'expected' in answer.message
    answer = wearer.call('sspinnpose/save_calibration')
    assert not answer.success
    assert 'no calibration yet' in answer.message
    assert not (files / 'calibration.yaml').exists()
    assert wearer.call('sspinnpose/reset').success


def set_mass(wearer: Wearer) -> Any:
    request = SetParameters.Request()
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=60.0)
    request.parameters = [Parameter(name='mass_kg', value=value)]
    (result,) = wearer.call('sspinnpose/set_parameters', SetParameters, request).results
    return result


def test_parameters_are_refused_while_active(wearer: Wearer) -> None:
    result = set_mass(wearer)
    assert not result.successful
    assert 'configur' in result.reason


def test_the_lifecycle_can_be_walked_again_and_again(wearer: Wearer, samples: np.ndarray) -> None:
    for _ in range(2):
        assert wearer.change_state(Transition.TRANSITION_DEACTIVATE)
        assert wearer.state() == 'inactive'
        assert 'clean up' in set_mass(wearer).reason
        wearer.received['human/joint_states'].clear()
        wearer.play(samples[:20])
        assert not wearer.received['human/joint_states']
        answer = wearer.call('sspinnpose/reset')
        assert not answer.success
        assert 'not active' in answer.message
        assert wearer.change_state(Transition.TRANSITION_CLEANUP)
        assert wearer.state() == 'unconfigured'
        assert wearer.change_state(Transition.TRANSITION_CONFIGURE)
        assert wearer.change_state(Transition.TRANSITION_ACTIVATE)
        wearer.wait_until_heard()
        wearer.play(samples[:50])
        assert wearer.received['human/joint_states']


def test_a_mounting_that_is_unknown_is_said(domain: int, files: Path, samples: np.ndarray) -> None:
    with estimator_process(
        domain,
        {'model': files / 'model', 'frame_prefix': 'anna/', 'imu.pelvis.topic': 'belt'},
        '-r',
        '__ns:=/anna',
        '-r',
        'belt:=imu/pelvis/data_raw',
    ) as process:
        wearer = Wearer(domain, namespace='/anna')
        try:
            wearer.wait_until_heard()
            wearer.play(samples[:40])
            assert not wearer.received['human/joint_states']
            wearer.wait_for(
                lambda: any(each.level == ERROR for each in wearer.received['human/status']),
                'the status',
            )
            last = next(
                each for each in wearer.received['human/status'][::-1] if each.level == ERROR
            )
            assert 'not calibrated' in last.message
            assert last.hardware_id == 'anna'
            assert 'link name="anna/pelvis"' in wearer.received['robot_description'][0].data
        finally:
            wearer.close()
    assert 'mounting of the sensors is unknown' in process.log
    assert process.process.returncode == 0


def test_a_clock_that_jumps_back_starts_afresh(
    domain: int, files: Path, samples: np.ndarray
) -> None:
    parameters = {
        'model': files / 'model',
        'subject': files / 'subject.yaml',
        'use_sim_time': 'true',
    }
    with estimator_process(domain, parameters, '-r', '__ns:=/replay') as process:
        wearer = Wearer(domain, namespace='/replay')
        try:
            wearer.wait_until_heard()
            start_ns = 1_700_000_000 * 10**9
            wearer.get_in_step(samples[0], until_ns=start_ns - 4 * 10**9)
            for _ in range(2):
                wearer.received['human/joint_states'].clear()
                wearer.play_in_step(samples[:60], start_ns=start_ns)
                stamps = stamps_of(wearer.received['human/joint_states'])
                assert len(stamps) > 50
                assert stamps[0] < start_ns + 10**8
                assert (np.diff(stamps) > 0).all()
        finally:
            wearer.close()
    assert process.process.returncode == 0, process.log


def test_stamps_of_another_clock_are_named_and_kept(
    wearer: Wearer, node: NodeProcess, samples: np.ndarray
) -> None:
    assert wearer.change_state(Transition.TRANSITION_DEACTIVATE)
    assert wearer.change_state(Transition.TRANSITION_ACTIVATE)
    wearer.wait_until_heard()
    start_ns = 1_600_000_000 * 10**9
    stamps = wearer.play(samples[:250], start_ns=start_ns)
    assert set(stamps_of(wearer.received['human/joint_states'])) <= set(stamps.tolist())
    assert len(wearer.received['human/joint_states']) > 200
    wearer.wait_for(lambda: 'behind the clock of the node' in node.log, 'the warning')


def test_a_wrong_unit_stops_the_estimates_until_it_is_right(
    wearer: Wearer, node: NodeProcess, samples: np.ndarray
) -> None:
    assert wearer.change_state(Transition.TRANSITION_DEACTIVATE)
    assert wearer.change_state(Transition.TRANSITION_ACTIVATE)
    wearer.wait_until_heard()
    in_degrees = samples.copy()
    row = SENSORS.index('thigh_l')
    in_degrees[:, row, 3:] = np.rad2deg(in_degrees[:, row, 3:])
    wearer.play(in_degrees[:700])
    wearer.received['human/joint_states'].clear()
    wearer.play(in_degrees[700:750])
    assert not wearer.received['human/joint_states']
    status = wearer.received['human/status'][-1]
    assert status.level == ERROR
    assert status.message.startswith('thigh_l turns at up to')
    assert 'deg/s' in status.message
    assert 'thigh_l turns at up to' in node.log


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_stopping_while_samples_come_is_quiet(
    domain: int, files: Path, samples: np.ndarray, number: int
) -> None:
    parameters = {'model': files / 'model', 'subject': files / 'subject.yaml'}
    with estimator_process(domain, parameters, '-r', '__ns:=/stopped') as process:
        wearer = Wearer(domain, namespace='/stopped')
        try:
            wearer.wait_until_heard()
            wearer.play(samples[:30], rest_s=0.0)
            for _ in range(3):
                process.process.send_signal(number)
                wearer.play(samples[30:34], rest_s=0.0)
            wearer.play(samples[:40], rest_s=0.0)
        finally:
            wearer.close()
        assert process.wait() == 0, process.log
    assert 'Traceback' not in process.log
    assert 'FATAL' not in process.log
    assert 'rror' not in process.log


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--params-file', '/nowhere/file.yaml'), '/nowhere/file.yaml'),
        (('-p', 'mass_kg'), 'mass_kg'),
    ],
)
def test_bad_arguments_end_in_one_sentence(
    domain: int, files: Path, arguments: tuple[str, ...], words: str
) -> None:
    with estimator_process(domain, {'model': files / 'model'}, *arguments) as process:
        assert process.wait() == 1, process.log
    assert 'Traceback' not in process.log
    assert words in process.log


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'mass_kg': 0.0}, ('mass_kg', '0.0', 'from 10 to 300')),
        ({'height_m': 175.0}, ('height_m', '175.0', 'from 0.8 to 2.5')),
        ({'mass_kg': 'heavy'}, ('mass_kg', "'heavy'", 'a number')),
        ({'sensors': '[pelvis,knee]'}, ("'knee'", 'thigh_r')),
        ({'sensors': '[pelvis]'}, ('names 1', 'min_sensors')),
        ({'sensors': '[]'}, ('sensors', 'is empty')),
        ({'imu.pelvis.topic': 'bad name!'}, ('imu.pelvis.topic', "'bad name!'")),
        ({'executor': 'many'}, ("'many'", 'events, single')),
        ({'model': '/nowhere/model'}, ('/nowhere/model', 'expected')),
        ({'model': '{files}/broken'}, ('broken', 'expected')),
        ({'model': '{files}/other'}, ('sensors', 'expected')),
        ({'calibration': '/nowhere/calibration.yaml'}, ('/nowhere/calibration.yaml', 'expected')),
        ({'subject': '{files}/weightless.yaml'}, ('mass_kg', 'expected')),
        ({'subject': '~nobody_at_all/subject.yaml'}, ('subject', 'no such home directory')),
        ({'calibration_output': '~nobody_at_all/c.yaml'}, ('calibration_output', 'home')),
        ({'model': 'a' * 5000}, ('model', 'expected a path of at most')),
        ({'calibration': '{files}/trunk.yaml'}, ('knows 0 of the worn', 'min_sensors = 3')),
        ({'use_sim_time': 'perhaps'}, ('use_sim_time', 'BOOL')),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, dict) else '',
)
def test_bad_parameters_end_in_one_sentence(
    domain: int, files: Path, parameters: dict[str, object], words: tuple[str, ...]
) -> None:
    _write_bad_files(files)
    given = {'model': files / 'model', 'subject': files / 'subject.yaml'}
    given.update(
        {
            name: value.format(files=files) if isinstance(value, str) else value
            for name, value in parameters.items()
        }
    )
    with estimator_process(domain, given, '-r', '__ns:=/bad') as process:
        assert process.wait() == 1, process.log
    assert 'Traceback' not in process.log
    (line,) = [line for line in process.lines if 'expected' in line]
    assert all(word in line for word in words), line


def _write_bad_files(files: Path) -> None:
    (files / 'weightless.yaml').write_text(SUBJECT.replace('70.0', '0.0'))
    trunk = Mounting(sensors={'trunk': SensorMounting(rotation=np.eye(3))})
    verdict = SensorVerdict(
        acceleration_gain=1.0,
        acceleration_bias_m_s2=0.0,
        gyro_bias_rad_s=0.0,
        axis_variance_ratio=0.9,
        sign_confidence=0.9,
    )
    calibration = Calibration(
        mounting=trunk,
        verdict=GOOD,
        sentences=(),
        sensors={'trunk': verdict},
        **dict.fromkeys(DURATIONS, 1.0),
    )
    save_calibration(files / 'trunk.yaml', calibration)
    for name, old, new in (
        ('broken', '"version": 2', '"version": '),
        ('other', '"pelvis"', '"wrist"'),
    ):
        folder = files / name
        if not folder.exists():
            write_model(folder)
            description = folder / 'model.json'
            description.write_text(description.read_text().replace(old, new))
