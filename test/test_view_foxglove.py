# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Relay a real node to a client that speaks the protocol of the Foxglove app."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='rclpy is not installed: no test of the node runs')
pytest.importorskip('foxglove', reason='foxglove-sdk is not installed: nothing is relayed to it')

from diagnostic_msgs.msg import DiagnosticArray
from made_recordings import SUBJECT
from node_process import PATIENCE_S, Wearer, estimator_process, write_model
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from sspinnpose_ros.cli.private_domain import domain_environment
from sspinnpose_ros.core.conventions import JOINTS, SIDES
from sspinnpose_ros.core.urdf import described_body
from sspinnpose_ros.ros.conversions import TFMessage, stamp_ns

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[1]
PROGRAM = 'from sspinnpose_ros.cli.main import main; main()'
START_NS = 1_700_000_000 * 10**9
NAMESPACE = 'anna'


class Client:
    """As much of a WebSocket and of Foxglove's protocol as is needed to listen."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(('127.0.0.1', port), timeout=PATIENCE_S)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f'GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n'
            f'Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n'
            'Sec-WebSocket-Protocol: foxglove.sdk.v1\r\n\r\n'.encode()
        )
        self._file = self._socket.makefile('rb')
        assert b' 101 ' in self._file.readline()
        while self._file.readline().strip():
            pass
        self.channels: dict[str, dict[str, Any]] = {}
        self.received: dict[str, list[bytes]] = {}
        self._topics: dict[int, str] = {}

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def subscribe(self, topic: str) -> None:
        number = len(self._topics) + 1
        self._topics[number] = topic
        self.received[topic] = []
        request = {'id': number, 'channelId': self.channels[topic]['id']}
        self._send(json.dumps({'op': 'subscribe', 'subscriptions': [request]}).encode())

    def _send(self, text: bytes) -> None:
        assert len(text) < 126
        mask = os.urandom(4)
        masked = bytes(each ^ mask[index % 4] for index, each in enumerate(text))
        self._socket.sendall(bytes([0x81, 0x80 | len(text)]) + mask + masked)

    def take(self) -> None:
        """Take one frame in."""
        first, length = self._file.read(2)
        if length == 126:
            (length,) = struct.unpack('>H', self._file.read(2))
        elif length == 127:
            (length,) = struct.unpack('>Q', self._file.read(8))
        content = self._file.read(length)
        if first & 0x0F == 1:
            message = json.loads(content)
            for channel in message.get('channels', ()) if message['op'] == 'advertise' else ():
                self.channels[channel['topic']] = channel
        elif first & 0x0F == 2 and content[0] == 1:
            (number,) = struct.unpack_from('<I', content, 1)
            self.received[self._topics[number]].append(content[13:])

    def wait_for(self, topic: str, count: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while len(self.received[topic]) < count:
            assert time.monotonic() < end, f'{topic} did not come'
            self.take()


@pytest.fixture(scope='module')
def relayed(
    tmp_path_factory: pytest.TempPathFactory, domain: int, samples: np.ndarray
) -> Iterator[tuple[Wearer, int]]:
    """Start a node in a namespace and the relay; return the wearer and the port."""
    folder = tmp_path_factory.mktemp('foxglove')
    write_model(folder / 'model')
    (folder / 'subject.yaml').write_text(SUBJECT)
    parameters = {
        'model': folder / 'model',
        'subject': folder / 'subject.yaml',
        'use_sim_time': 'true',
    }
    options = ['view', '--foxglove', '--port', '0', '--namespace', NAMESPACE]
    with ExitStack() as stack:
        stack.enter_context(estimator_process(domain, parameters, '-r', f'__ns:=/{NAMESPACE}'))
        view = subprocess.Popen(
            [sys.executable, '-c', PROGRAM, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=domain_environment(domain),
        )
        stack.callback(view.kill)
        assert view.stdout is not None
        line = view.stdout.readline()
        found = re.match(r'ws://127\.0\.0\.1:(\d+) serves it to Foxglove', line)
        assert found is not None, line
        wearer = Wearer(domain, namespace=NAMESPACE)
        stack.callback(wearer.close)
        wearer.wait_until_heard()
        wearer.get_in_step(samples[0], until_ns=START_NS)
        yield wearer, int(found.group(1))
        view.send_signal(signal.SIGINT)
        _, err = view.communicate(timeout=PATIENCE_S)
        assert view.returncode == 130
        assert err.strip() == 'stopped'


def connected(port: int, *, topics: int) -> Client:
    client = Client(port)
    end = time.monotonic() + PATIENCE_S
    while len(client.channels) < topics:
        assert time.monotonic() < end, f'only {sorted(client.channels)} are offered'
        client.take()
    return client


def test_a_client_gets_the_messages_of_the_node(
    relayed: tuple[Wearer, int], samples: np.ndarray
) -> None:
    wearer, port = relayed
    client = connected(port, topics=12 if TFMessage is not None else 10)
    states = f'/{NAMESPACE}/human/joint_states'
    channel = client.channels[states]
    assert channel['encoding'] == 'cdr'
    assert channel['schemaName'] == 'sensor_msgs/msg/JointState'
    assert channel['schemaEncoding'] == 'ros2msg'
    assert 'float64[] effort' in channel['schema']
    assert {f'/{NAMESPACE}/human/wrench/foot_{side}' for side in SIDES} <= set(client.channels)
    # The description was published long ago.
    description = f'/{NAMESPACE}/robot_description'
    client.subscribe(description)
    client.wait_for(description, 1)
    urdf = deserialize_message(client.received[description][0], String).data
    assert described_body(urdf).mass_kg == pytest.approx(70.0)
    for topic in (states, '/diagnostics'):
        client.subscribe(topic)
    wearer.received['human/joint_states'].clear()
    wearer.play_in_step(samples[:80], start_ns=START_NS)
    client.wait_for(states, 50)
    client.wait_for('/diagnostics', 1)
    published = {
        stamp_ns(each.header.stamp): each for each in wearer.received['human/joint_states']
    }
    for raw in client.received[states]:
        message = deserialize_message(raw, JointState)
        assert tuple(message.name) == JOINTS
        same = published.get(stamp_ns(message.header.stamp))
        if same is not None:
            assert message.position == same.position
            assert message.effort == same.effort
    assert deserialize_message(client.received['/diagnostics'][0], DiagnosticArray).status
    client.close()


def test_a_port_in_use_is_one_sentence(domain: int) -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, '-c', PROGRAM, 'view', '--foxglove', '--port', str(port)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=domain_environment(domain),
            timeout=2 * PATIENCE_S,
        )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f'port {port}' in done.stderr
    assert 'expected a free' in done.stderr
