# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node from its start to its end: rounds without leaks, parameters, QoS, clocks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from lifecycle_msgs.msg import Transition
from made_recordings import SUBJECT
from node_process import PERIOD_NS, NodeProcess, Wearer, estimator_process, stamps_of, write_model
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Imu

from sspinnpose_ros.cli.private_domain import domain_environment
from sspinnpose_ros.core.conventions import SENSORS

pytestmark = pytest.mark.ros

OK, WARN, ERROR, STALE = (bytes([level]) for level in range(4))
CYCLES = 50
START_NS = 1_700_000_000 * 10**9


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('lifecycle')
    write_model(folder / 'model')
    (folder / 'subject.yaml').write_text(SUBJECT)
    return folder


def parameters(files: Path, **more: object) -> dict[str, object]:
    return {
        'model': files / 'model',
        'subject': files / 'subject.yaml',
        'settle_s': 0.1,
        'use_sim_time': 'true',
        **more,
    }


@contextmanager
def running(
    domain: int, given: dict[str, object], *arguments: str, namespace: str
) -> Iterator[tuple[Wearer, NodeProcess]]:
    """Run a node and a wearer in a namespace of their own."""
    with estimator_process(domain, given, '-r', f'__ns:=/{namespace}', *arguments) as node:
        wearer = Wearer(domain, namespace=f'/{namespace}')
        try:
            yield wearer, node
        finally:
            wearer.close()
    assert node.process.returncode == 0, node.log
    assert 'Traceback' not in node.log


# Rounds


def test_rounds_leave_nothing_behind(domain: int, files: Path) -> None:
    script = Path(__file__).with_name('lifecycle_cycles.py')
    done = subprocess.run(
        [sys.executable, str(script), str(files), str(CYCLES)],
        env=domain_environment(domain),
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rounds = found['rounds']
    assert len(rounds) == CYCLES
    for state in ('active', 'inactive', 'unconfigured'):
        assert all(each[state] == rounds[0][state] for each in rounds), state
    first = rounds[0]
    assert first['active']['subscriptions'] == len(SENSORS) + 1
    assert first['active']['timers'] == 2
    assert first['inactive']['subscriptions'] == first['inactive']['timers'] == 0
    assert first['unconfigured']['managed'] == 0
    assert all(each['estimates'] > 0 for each in rounds)
    assert found['ended']
    assert found['after'] == first['unconfigured']
    # The first rounds fill caches; a session holds some megabytes, and none may stay.
    objects = np.array([each['objects'] for each in rounds[10:]])
    assert np.ptp(objects) < 0.02 * objects[0]
    memory = np.array([each['resident_kb'] for each in rounds])
    slope_kb = np.polyfit(np.arange(10, CYCLES), memory[10:], 1)[0]
    assert slope_kb < 100.0, f'{slope_kb:.0f} kB a round'


@pytest.mark.parametrize(
    ('steps', 'shutdown'),
    [
        ((), Transition.TRANSITION_UNCONFIGURED_SHUTDOWN),
        ((Transition.TRANSITION_CONFIGURE,), Transition.TRANSITION_INACTIVE_SHUTDOWN),
        (
            (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE),
            Transition.TRANSITION_ACTIVE_SHUTDOWN,
        ),
    ],
    ids=['unconfigured', 'inactive', 'active'],
)
def test_shutdown_ends_it_from_every_state(
    steps: tuple[int, ...], shutdown: int, domain: int, files: Path
) -> None:
    given = parameters(files, autostart='false')
    with running(domain, given, namespace='ending') as (wearer, _):
        for step in steps:
            assert wearer.change_state(step)
        assert wearer.change_state(shutdown)
        assert wearer.state() == 'finalized'
        assert not wearer.change_state(Transition.TRANSITION_CONFIGURE)
        assert not wearer.change_state(shutdown)
        assert wearer.state() == 'finalized'
        answer = wearer.call('sspinnpose/reset')
        assert not answer.success
        assert 'not active' in answer.message


# Parameters


def set_parameter(wearer: Wearer, name: str, value: float | str) -> Any:
    request = SetParameters.Request()
    kind = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=str(value))
    if isinstance(value, float):
        kind = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    request.parameters = [Parameter(name=name, value=kind)]
    (result,) = wearer.call('sspinnpose/set_parameters', SetParameters, request).results
    return result


def test_without_autostart_it_waits_and_what_is_wrong_can_be_set_right(
    domain: int, files: Path, samples: np.ndarray
) -> None:
    given = parameters(files, autostart='false', subject='/nowhere/subject.yaml')
    with running(domain, given, namespace='waiting') as (wearer, node):
        assert wearer.state() == 'unconfigured'
        assert not wearer.change_state(Transition.TRANSITION_CONFIGURE)
        assert wearer.state() == 'unconfigured'
        wearer.wait_for(lambda: '/nowhere/subject.yaml' in node.log, 'the sentence')
        for name, value, words in (
            ('mass_kg', 1000.0, 'mass_kg'),
            ('stamps', 'mine', 'expected one of header, arrival'),
            ('autostart', 'true', ''),
            ('height_m', 'tall', ''),
        ):
            refused = set_parameter(wearer, name, value)
            assert not refused.successful
            assert refused.reason
            assert words in refused.reason
        assert set_parameter(wearer, 'subject', str(files / 'subject.yaml')).successful
        assert wearer.change_state(Transition.TRANSITION_CONFIGURE)
        assert 'clean up' in set_parameter(wearer, 'max_wait_s', 0.1).reason
        assert wearer.change_state(Transition.TRANSITION_ACTIVATE)
        for name, value in (
            ('mass_kg', 60.0),
            ('max_wait_s', 0.1),
            ('exo.knee_angle_r.factor', 2.0),
        ):
            refused = set_parameter(wearer, name, value)
            assert not refused.successful
            assert f'{name} is read at configuration' in refused.reason
        wearer.wait_until_heard()
        wearer.get_in_step(samples[0], until_ns=START_NS)
        wearer.play_in_step(samples[:30], start_ns=START_NS)
        assert len(wearer.received['human/joint_states']) == 30


# What nobody foresaw

BROKEN = """
import sys
from sspinnpose_ros.ros.estimator_node import EstimatorNode, main
from sspinnpose_ros.ros.session import Session

class Trouble(Exception):
    pass

def fail(*given):
    raise Trouble('planted')

{where} = fail
sys.exit(main(sys.argv))
"""


def test_an_unforeseen_error_is_said_before_the_end(
    domain: int, files: Path, samples: np.ndarray
) -> None:
    code = BROKEN.format(where='Session.on_imu')
    arguments = ('-r', '__ns:=/broken')
    with estimator_process(domain, parameters(files), *arguments, code=code) as node:
        wearer = Wearer(domain, namespace='/broken')
        try:
            wearer.wait_until_heard()
            wearer.wait_for(lambda: wearer.received['human/status'], 'the status')
            for _ in range(3):
                wearer.publish_instant(START_NS, samples[0])
            wearer.wait_for(
                lambda: any(
                    status.level == STALE and 'deactivated' in status.message
                    for status in wearer.received['human/status']
                ),
                'the last word',
            )
            assert node.wait() == 1
        finally:
            wearer.close()
    assert "stops for an unexpected error: Trouble('planted')" in node.log


def test_a_request_that_fails_ends_no_estimates(
    domain: int, files: Path, samples: np.ndarray
) -> None:
    code = BROKEN.format(where='EstimatorNode._calibrate')
    arguments = ('-r', '__ns:=/request')
    with estimator_process(domain, parameters(files), *arguments, code=code) as node:
        wearer = Wearer(domain, namespace='/request')
        try:
            wearer.wait_until_heard()
            wearer.get_in_step(samples[0], until_ns=START_NS)
            answer = wearer.call('sspinnpose/calibrate')
            assert not answer.success
            assert "nothing was changed: Trouble('planted')" in answer.message
            wearer.play_in_step(samples[:20], start_ns=START_NS)
            assert len(wearer.received['human/joint_states']) == 20
        finally:
            wearer.close()
    assert node.process.returncode == 0, node.log


# QoS


@pytest.mark.filterwarnings('ignore:Deprecated in favor of')
def test_every_topic_takes_qos_overrides(domain: int, files: Path) -> None:
    published = [
        *('joint_states', 'joint_states_total', 'uncertainty', 'markers', 'status'),
        *('wrench/foot_r', 'wrench/foot_l', 'wrench_sigma/foot_r', 'wrench_sigma/foot_l'),
    ]
    outputs = [f'/qos/human/{name}' for name in published]
    outputs += ['/diagnostics', '/qos/robot_description', '/tf', '/tf_static']
    inputs = [f'/qos/imu/{sensor}/data_raw' for sensor in SENSORS] + ['/qos/exo/joint_states']
    overrides = {
        **{topic: {'publisher': {'reliability': 'best_effort'}} for topic in outputs},
        **{topic: {'subscription': {'reliability': 'reliable', 'depth': 7}} for topic in inputs},
    }
    file = files / 'qos.yaml'
    file.write_text(yaml.safe_dump({'/**': {'ros__parameters': {'qos_overrides': overrides}}}))
    given = parameters(files, **{'exo.knee_angle_r.name': 'knee'})
    arguments = ('--params-file', str(file))
    with running(domain, given, *arguments, namespace='qos') as (wearer, _):
        probe = wearer.node

        def topics(kind: str) -> set[str]:
            if ('sspinnpose', '/qos') not in probe.get_node_names_and_namespaces():
                return set()
            found = getattr(probe, f'get_{kind}_names_and_types_by_node')('sspinnpose', '/qos')
            left_out = ('/rosout', '/parameter_events', '/clock', 'transition_event')
            return {name for name, _ in found if not name.endswith(left_out)}

        wearer.wait_for(lambda: len(topics('subscriber')) == len(inputs), 'the inputs')
        # Every topic that the node has, not only those that this test knows of.
        assert topics('subscriber') == set(inputs)
        assert topics('publisher') <= set(outputs)
        assert set(outputs) - topics('publisher') <= {'/tf', '/tf_static'}
        for topic in topics('publisher'):
            (info,) = probe.get_publishers_info_by_topic(topic)
            assert info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT, topic
        for topic in topics('subscriber'):
            mine = [
                info.qos_profile
                for info in probe.get_subscriptions_info_by_topic(topic)
                if info.node_name == 'sspinnpose'
            ]
            assert [each.reliability for each in mine] == [ReliabilityPolicy.RELIABLE], topic


@pytest.mark.filterwarnings('ignore:Deprecated in favor of')
def test_an_override_of_one_topic_leaves_all_others(
    domain: int, files: Path, samples: np.ndarray
) -> None:
    overrides = {
        '/one/human/joint_states': {'publisher': {'reliability': 'best_effort'}},
        '/one/imu/pelvis/data_raw': {'subscription': {'reliability': 'reliable'}},
    }
    file = files / 'one.yaml'
    file.write_text(yaml.safe_dump({'/**': {'ros__parameters': {'qos_overrides': overrides}}}))
    with running(domain, parameters(files), '--params-file', str(file), namespace='one') as (
        wearer,
        _,
    ):
        probe = wearer.node

        def reliability(kind: str, topic: str) -> list[ReliabilityPolicy]:
            infos = getattr(probe, f'get_{kind}_info_by_topic')(f'/one/{topic}')
            own = [info for info in infos if info.node_name == 'sspinnpose']
            return [info.qos_profile.reliability for info in own]

        best_effort, reliable = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE
        wanted = {
            ('publishers', 'human/joint_states'): best_effort,
            ('publishers', 'human/status'): reliable,
            **{('subscriptions', f'imu/{name}/data_raw'): best_effort for name in SENSORS},
            ('subscriptions', 'imu/pelvis/data_raw'): reliable,
        }
        wearer.wait_for(lambda: all(reliability(*topic) for topic in wanted), 'the topics')
        assert {topic: reliability(*topic) for topic in wanted} == {
            topic: [policy] for topic, policy in wanted.items()
        }


@pytest.mark.parametrize(
    'overrides',
    [
        {'/bad/human/status': {'publisher': {'reliability': 'perfect'}}},
        {'/bad/human/status': {'publisher': {'depth': 'many'}}},
        {'/bad/imu/foot_l/data_raw': {'subscription': {'depth': -1}}},
    ],
)
def test_overrides_that_cannot_be_end_in_a_sentence(
    overrides: dict[str, Any], domain: int, files: Path
) -> None:
    file = files / 'bad.yaml'
    file.write_text(yaml.safe_dump({'/**': {'ros__parameters': {'qos_overrides': overrides}}}))
    arguments = ('--params-file', str(file), '-r', '__ns:=/bad')
    with estimator_process(domain, parameters(files), *arguments) as node:
        assert node.wait() == 1, node.log
    (line,) = [line for line in node.lines if 'expected qos_overrides' in line]
    assert next(iter(overrides)).removeprefix('/bad/') in line
    assert 'Traceback' not in node.log
    assert 'unexpectedly' not in node.log


# Clocks, and sensors that come and go


@pytest.fixture(scope='module')
def simulated(domain: int, files: Path, samples: np.ndarray) -> Iterator[Wearer]:
    """Return a wearer of whom six sensors were heard for three simulated seconds."""
    with running(domain, parameters(files), namespace='clock') as (wearer, _):
        late = wearer.publishers.pop('shank_l')
        wearer.node.destroy_publisher(late)
        wearer.wait_until_heard()
        others = [sensor for sensor in SENSORS if sensor != 'shank_l']
        wearer.play_in_step(samples[:300], start_ns=START_NS, sensors=others, patience_s=0.1)
        yield wearer


def test_diagnostics_are_on_the_clock_of_the_node(simulated: Wearer, samples: np.ndarray) -> None:
    arrays = simulated.received['/diagnostics']
    # Time stands still now, but the node goes on to say how it is.
    count = len(arrays)
    simulated.wait_for(lambda: len(arrays) >= count + 2, 'diagnostics while time stands still')
    assert {int(stamp) for stamp in stamps_of(arrays[-2:])} == {START_NS + 299 * PERIOD_NS}
    rates, latency = [], []
    for array in arrays:
        entries = {entry.name.partition(': ')[2]: entry for entry in array.status}
        values = {each.key: each.value for each in entries['imu foot_r'].values}
        overall = {each.key: each.value for each in entries['estimator'].values}
        passing = int(stamps_of([array])[0]) < START_NS + 299 * PERIOD_NS
        if passing and values['rate_hz'] and float(overall['rate_hz'] or 0.0) > 1.0:
            rates += [float(values['rate_hz']), float(overall['rate_hz'])]
        if overall['latency_p50_ms']:
            latency = [float(overall[f'latency_{name}_ms']) for name in ('p50', 'p99', 'max')]
            assert 0.0 <= latency[0] <= latency[1] <= latency[2]
    # On this clock most estimates leave in the period in which they were measured; the earliest
    # wait for the sensor that is not there, and all but the last array may know only those.
    assert latency[0] <= 20.0
    if rates:
        # 100 a second of this clock, however long such a second lasts.
        assert np.median(rates) == pytest.approx(100.0, rel=0.15)


def test_a_clock_that_never_came_is_missed(domain: int, files: Path, samples: np.ndarray) -> None:
    with running(domain, parameters(files, stamps='arrival'), namespace='timeless') as (
        wearer,
        node,
    ):
        wearer.wait_until_heard()
        wearer.play(samples[:30])
        wearer.wait_for(lambda: 'no /clock, expected one' in node.log, 'the warning')
        wearer.wait_for(
            lambda: any(
                'are refused' in status.message for status in wearer.received['human/status']
            ),
            'the status',
        )
        assert not wearer.received['human/joint_states']
        wearer.get_in_step(samples[0], until_ns=START_NS)
        wearer.play_in_step(samples[:20], start_ns=START_NS)
        assert len(wearer.received['human/joint_states']) > 10


def test_a_status_comes_with_every_estimate(simulated: Wearer) -> None:
    states = simulated.received['human/joint_states']
    status = [s for s in simulated.received['human/status'] if s.level in (OK, WARN)]
    stamps = [next(v.value for v in each.values if v.key == 'stamp') for each in status]
    expected = ['{}.{:09d}'.format(*divmod(int(stamp), 10**9)) for stamp in stamps_of(states)]
    assert stamps == expected
    for each in status:
        values = {value.key: value.value for value in each.values}
        assert float(values['age_ms']) >= 0.0
        assert values['missing'] == 'shank_l'
        assert values['residual shank_l'] == ''
        assert values['residual foot_r'].endswith('rad/s')


def test_a_sensor_may_appear_later(simulated: Wearer, samples: np.ndarray) -> None:
    estimated = [s for s in simulated.received['human/status'] if s.level in (OK, WARN)]
    assert 'estimated without shank_l' in estimated[-1].message
    simulated.publishers['shank_l'] = simulated.node.create_publisher(
        Imu, 'imu/shank_l/data_raw', 10
    )
    simulated.wait_until_heard()
    simulated.received['human/status'].clear()
    simulated.play_in_step(samples[300:700], start_ns=START_NS + 300 * PERIOD_NS)
    last = [s for s in simulated.received['human/status'] if s.level in (OK, WARN)][-1]
    values = {value.key: value.value for value in last.values}
    assert values['missing'] == ''
    assert values['residual shank_l'].endswith('rad/s')


def test_deactivation_is_said_at_once(simulated: Wearer) -> None:
    simulated.received['human/status'].clear()
    assert simulated.change_state(Transition.TRANSITION_DEACTIVATE)
    simulated.wait_for(
        lambda: any(
            each.level == STALE and 'deactivated' in each.message
            for each in simulated.received['human/status']
        ),
        'the last word',
    )
