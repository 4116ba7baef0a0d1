# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two people, two nodes, one machine: nothing of one comes out of the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

from made_recordings import SUBJECT, swinging
from node_process import (
    LATCHED_OF_ALL,
    PERIOD_NS,
    Wearer,
    estimator_process,
    stamps_of,
    write_model,
)

from sspinnpose_ros.cli.private_domain import private_domain
from sspinnpose_ros.core.conventions import PARENTS, SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.subject import load_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.ros.conversions import TFMessage

pytestmark = pytest.mark.ros

START_NS = 1_700_000_000 * 10**9
FRAMES = 120
MASSES_KG = {'anna': 55.0, 'ben': 95.0}


@dataclass
class Person:
    """A wearer, what was played for them and what came out."""

    wearer: Wearer
    samples: np.ndarray
    subject: Path


@pytest.fixture(scope='module')
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Person]]:
    """Play two people at once, on one clock, into a node each."""
    folder = tmp_path_factory.mktemp('two')
    write_model(folder / 'model')
    series = swinging(seconds=2.0)
    samples = np.stack([series[sensor].sample for sensor in SENSORS], 1)
    with private_domain() as domain, ExitStack() as stack:
        people = {}
        for name, mass_kg in MASSES_KG.items():
            subject = folder / f'{name}.yaml'
            subject.write_text(SUBJECT.replace('70.0', str(mass_kg)))
            given = {
                'model': folder / 'model',
                'subject': subject,
                'frame_prefix': f'{name}_',
                'use_sim_time': 'true',
            }
            stack.enter_context(estimator_process(domain, given, '-r', f'__ns:=/{name}'))
            wearer = Wearer(domain, namespace=f'/{name}')
            stack.callback(wearer.close)
            if TFMessage is not None:
                wearer.listen('/tf', TFMessage, 100)
                wearer.listen('/tf_static', TFMessage, LATCHED_OF_ALL)
            # Ben swings the other way.
            sign = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0 if name == 'anna' else -1.0])
            people[name] = Person(wearer, samples[:FRAMES] * sign, subject)
        for person in people.values():
            person.wearer.wait_until_heard()
        play(people)
        yield people


def play(people: dict[str, Person]) -> None:
    clock = people['anna'].wearer
    clock.tell_time(START_NS - 10 * 10**9)
    # Both nodes listen to the one clock.
    clock.wait_for(lambda: clock._clock.get_subscription_count() == 2, 'both on the clock')
    for number, person in enumerate(people.values()):
        person.wearer._clock = clock._clock
        person.wearer.get_in_step(person.samples[0], until_ns=START_NS - (2 - number) * 4 * 10**9)
    for index in range(FRAMES):
        stamp = START_NS + index * PERIOD_NS
        clock.tell_time(stamp)
        for person in people.values():
            person.wearer.publish_instant(stamp, person.samples[index])
        for person in people.values():
            person.wearer.wait_for_stamp('human/joint_states', stamp)
    for person in people.values():
        person.wearer.wait_for(
            lambda heard=person.wearer.received: len(heard['/diagnostics']) > 3, 'diagnostics'
        )
        if TFMessage is not None:
            person.wearer.wait_for(
                lambda heard=person.wearer.received: len(heard['/tf_static']) >= len(people),
                'the static frames of both',
            )


def pipeline_efforts(person: Person, model: Path) -> np.ndarray:
    pipeline = Pipeline(
        synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig()),
        estimator=Estimator(
            model=load_model(model),
            subject=load_subject(person.subject),
            mounting=aligned_mounting(),
        ),
    )
    found = []
    for index, instant in enumerate(person.samples):
        time_s = 0.01 * index
        for sensor, sample in zip(SENSORS, instant, strict=True):
            pipeline.push(sensor=sensor, stamp_s=time_s, sample=sample, arrival_s=time_s)
        found += [o.estimate.effort for o in pipeline.drain(now_s=time_s) if o.estimate]
    return np.array(found)


def test_estimates_are_those_of_each_person_alone(people: dict[str, Person]) -> None:
    seen = {}
    for name, person in people.items():
        states = person.wearer.received['human/joint_states']
        expected = pipeline_efforts(person, person.subject.parent / 'model')
        stamps = stamps_of(states)
        assert len(set(stamps.tolist())) == len(stamps), 'one node publishes there'
        seen[name] = np.array([state.effort for state in states])
        np.testing.assert_allclose(seen[name], expected, rtol=1e-9, atol=1e-9)
    assert np.abs(seen['anna'] - seen['ben']).max() > 1.0


def test_topics_lie_in_the_namespaces(people: dict[str, Person]) -> None:
    node = people['anna'].wearer.node
    topics = {name for name, _ in node.get_topic_names_and_types()}
    common = {'/tf', '/tf_static', '/diagnostics', '/clock', '/parameter_events', '/rosout'}
    for topic in topics - common:
        assert topic.startswith(('/anna/', '/ben/')), topic
    for name in people:
        for topic in (f'/{name}/human/joint_states', f'/{name}/human/status'):
            (publisher,) = node.get_publishers_info_by_topic(topic)
            assert publisher.node_namespace == f'/{name}'
        for sensor in SENSORS:
            listeners = node.get_subscriptions_info_by_topic(f'/{name}/imu/{sensor}/data_raw')
            assert [each.node_namespace for each in listeners] == [f'/{name}']


def frames(messages: list[Any]) -> dict[str, set[str]]:
    """Return the parents of every frame."""
    parents: dict[str, set[str]] = {}
    for message in messages:
        for each in message.transforms:
            parents.setdefault(each.child_frame_id, set()).add(each.header.frame_id)
    return parents


@pytest.mark.skipif(TFMessage is None, reason='tf2_msgs is not installed')
def test_frames_form_two_trees_that_share_nothing(people: dict[str, Person]) -> None:
    heard = people['anna'].wearer.received
    parents = frames([*heard['/tf'], *heard['/tf_static']])
    for name in people:
        for child, parent in PARENTS.items():
            assert parents[f'{name}_{child}'] == {f'{name}_{parent}'}
        for sensor in SENSORS:
            assert parents[f'{name}_imu_{sensor}'] == {f'{name}_{sensor}'}
    for child, its in parents.items():
        (parent,) = its
        assert child.partition('_')[0] == parent.partition('_')[0]
        assert child.startswith(('anna_', 'ben_'))


def test_status_diagnostics_and_bodies_name_their_person(people: dict[str, Person]) -> None:
    for name, person in people.items():
        heard = person.wearer.received
        assert {status.hardware_id for status in heard['human/status']} == {name}
        (description,) = {message.data for message in heard['robot_description']}
        assert f'link name="{name}_pelvis"' in description
        other = 'ben' if name == 'anna' else 'anna'
        assert f'{other}_' not in description
        for wrench in heard['human/wrench/foot_r']:
            assert wrench.header.frame_id == f'{name}_sole_r'
    entries = [s for d in people['anna'].wearer.received['/diagnostics'] for s in d.status]
    for entry in entries:
        assert entry.name.startswith(f'{entry.hardware_id}/sspinnpose: ')
    assert {entry.hardware_id for entry in entries} == set(people)
