# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The security policy grants what the real node uses; nothing listens but ROS itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')

import rclpy
from made_recordings import SUBJECT
from node_process import PATIENCE_S, estimator_process, write_model
from rclpy.node import Node

from sspinnpose_ros.cli.private_domain import domain_environment
from sspinnpose_ros.ros.conversions import TFMessage
from sspinnpose_ros.ros.security_policy import (
    PUBLISH,
    REPLY,
    REQUEST,
    RIGHTS,
    SUBSCRIBE,
    Rights,
    policy_rights,
    policy_xml,
    relative_to,
    rights_in_use,
)

pytestmark = pytest.mark.ros

POLICY = Path(__file__).parents[1] / 'config' / 'sros2' / 'policy.xml'
NAMESPACE = '/anyone'

CHILDREN = {
    'policy': {'enclaves'},
    'enclaves': {'enclave'},
    'enclave': {'profiles'},
    'profiles': {'profile', 'metadata'},
    'profile': {'topics', 'services', 'actions'},
    'topics': {'topic'},
    'services': {'service'},
    'actions': {'action'},
    **{leaf: set() for leaf in ('topic', 'service', 'action')},
}
NEEDED = {'policy': {'version'}, 'enclave': {'path'}, 'profile': {'ns', 'node'}}
ALLOWED = {
    'topics': {'publish', 'subscribe'},
    'services': {'reply', 'request'},
    'actions': {'call', 'execute'},
    'profiles': {'type'},
}
"""What the policy format 0.2.0 knows: elements in elements, attributes that must and may be."""


@pytest.fixture(scope='module')
def watcher(domain: int) -> Iterator[Node]:
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node('watcher', context=context)
    yield node
    node.destroy_node()
    rclpy.try_shutdown(context=context)


@pytest.fixture(scope='module')
def parameters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp('security')
    write_model(folder / 'model')
    (folder / 'subject.yaml').write_text(SUBJECT)
    return {'model': folder / 'model', 'subject': folder / 'subject.yaml'}


def used(watcher: Node, domain: int, parameters: dict[str, object]) -> Rights:
    """Return what an active node of its own process uses, spelt as in a policy."""
    with estimator_process(domain, parameters, '-r', f'__ns:={NAMESPACE}') as process:
        end = time.monotonic() + PATIENCE_S
        seen: list[Rights] = []
        # Discovery brings the endpoints one by one: wait until nothing has come for a while.
        while (
            len(seen) < 5 or any(one != seen[-1] for one in seen[-5:]) or not seen[-1][SUBSCRIBE]
        ):
            assert time.monotonic() < end, process.log
            time.sleep(0.3)
            try:
                seen.append(rights_in_use(watcher, namespace=NAMESPACE))
            except Exception as error:
                if 'NodeNameNonExistent' not in type(error).__name__:
                    raise
        return relative_to(seen[-1], namespace=NAMESPACE)


def test_the_policy_grants_what_the_node_uses_and_no_more(
    watcher: Node, domain: int, parameters: dict[str, object]
) -> None:
    granted = policy_rights(POLICY.read_text())
    in_use = used(watcher, domain, parameters)
    frames = {'/tf', '/tf_static'}
    if TFMessage is None:
        in_use = {**in_use, PUBLISH: in_use[PUBLISH] | frames}
    hint = 'python -m sspinnpose_ros.ros.security_policy > config/sros2/policy.xml'
    for right in RIGHTS:
        assert granted[right] == in_use[right], f'the policy is out of date, run: {hint}'
    assert not granted[REQUEST], 'the node calls nobody'
    assert {'~/calibrate', '~/reset', '~/save_calibration'} <= granted[REPLY]


def test_a_bags_clock_is_all_that_replay_needs_besides(
    watcher: Node, domain: int, parameters: dict[str, object]
) -> None:
    granted = policy_rights(POLICY.read_text())
    in_use = used(watcher, domain, {**parameters, 'use_sim_time': 'true'})
    assert in_use[SUBSCRIBE] - granted[SUBSCRIBE] == {'/clock'}
    assert in_use[REPLY] == granted[REPLY]


def test_the_policy_is_of_the_format_that_sros2_reads() -> None:
    root = ElementTree.parse(POLICY).getroot()
    assert root.tag == 'policy'
    assert root.get('version') == '0.2.0'
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        needed, allowed = NEEDED.get(element.tag, set()), ALLOWED.get(element.tag, set())
        assert needed <= set(element.attrib) <= needed | allowed, element.tag
        if element.tag in ('topics', 'services', 'actions'):
            assert len(element)
            assert set(element.attrib.values()) <= {'ALLOW', 'DENY'}
            assert element.attrib
        elif not CHILDREN[element.tag]:
            assert element.text
            assert '*' not in element.text, 'least rights name every topic'


def test_sros2_itself_accepts_the_policy() -> None:
    schemas = pytest.importorskip('sros2.policy', reason='sros2 is not installed')
    etree = pytest.importorskip('lxml.etree')
    schema = etree.XMLSchema(etree.parse(str(schemas.get_policy_schema('policy.xsd'))))
    schema.assertValid(etree.parse(str(POLICY)))


def test_a_policy_says_what_it_was_made_of() -> None:
    rights = {
        PUBLISH: frozenset({'human/status', '/tf'}),
        SUBSCRIBE: frozenset({'imu/pelvis/data_raw'}),
        REPLY: frozenset({'~/reset'}),
        REQUEST: frozenset[str](),
    }
    assert policy_rights(policy_xml(rights)) == rights
    full = {
        PUBLISH: frozenset({f'{NAMESPACE}/human/status', '/tf'}),
        SUBSCRIBE: frozenset({f'{NAMESPACE}/imu/pelvis/data_raw'}),
        REPLY: frozenset({f'{NAMESPACE}/sspinnpose/reset'}),
        REQUEST: frozenset[str](),
    }
    assert relative_to(full, namespace=NAMESPACE) == rights


# Sockets

LISTEN = '0A'
UNIX_LISTENS = 0x10000


@dataclass(frozen=True)
class Sockets:
    """What a process has open: listening TCP and unix sockets, and bound UDP ones."""

    tcp: frozenset[str]
    unix: frozenset[str]
    udp: int


def sockets_of(pid: int) -> Sockets:
    """Read /proc, as `ss -p` does."""
    own = set()
    for entry in Path(f'/proc/{pid}/fd').iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:
            continue
        if target.startswith('socket:['):
            own.add(target[8:-1])

    def rows(kind: str) -> list[list[str]]:
        path = Path(f'/proc/{pid}/net/{kind}')
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        return [line.split() for line in lines]

    tcp = [row for kind in ('tcp', 'tcp6') for row in rows(kind) if row[9] in own]
    udp = [row for kind in ('udp', 'udp6') for row in rows(kind) if row[9] in own]
    unix = [row for row in rows('unix') if row[6] in own and int(row[3], 16) & UNIX_LISTENS]
    return Sockets(
        tcp=frozenset(row[1] for row in tcp if row[3] == LISTEN),
        unix=frozenset(row[-1] for row in unix),
        udp=len(udp),
    )


BARE = """
import sys
import rclpy
rclpy.init()
node = rclpy.create_node('bare')
print('ready', flush=True)
sys.stdin.read()
"""


def test_nothing_listens_but_ros_itself(
    watcher: Node, domain: int, parameters: dict[str, object]
) -> None:
    """The estimator has the sockets of a node that does nothing, and no other."""
    bare = subprocess.Popen(
        [sys.executable, '-c', BARE],
        env=domain_environment(domain),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert bare.stdin is not None
    assert bare.stdout is not None
    try:
        assert bare.stdout.readline().strip() == 'ready'
        with estimator_process(domain, parameters) as process:
            end = time.monotonic() + PATIENCE_S
            while 'Listening to' not in process.log:
                assert time.monotonic() < end, process.log
                time.sleep(0.1)
            expected, seen = sockets_of(bare.pid), sockets_of(process.process.pid)
    finally:
        bare.stdin.close()
        bare.wait(timeout=PATIENCE_S)
        bare.stdout.close()
    assert seen.tcp == seen.unix == frozenset()
    assert 0 < seen.udp <= expected.udp


def test_a_listener_would_be_seen() -> None:
    """Guard the test above: sockets that listen are found in /proc."""
    import socket

    before = sockets_of(os.getpid())
    with (
        socket.create_server(('127.0.0.1', 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.bind(('127.0.0.1', 0))
        port = f'{server.getsockname()[1]:04X}'
        now = sockets_of(os.getpid())
    assert any(address.endswith(port) for address in now.tcp - before.tcp)
    assert now.udp == before.udp + 1
