# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write the SROS2 policy that gives the node the rights it uses, and no other.

`python -m sspinnpose_ros.ros.security_policy > config/sros2/policy.xml` starts the node, looks at
what it publishes, hears and serves, and prints the policy.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from sspinnpose_ros.ros.estimator_node import NODE_NAME, EstimatorNode

VERSION = '0.2.0'
"""Of the policy format that SROS2 reads since Foxy."""

ENCLAVE = '/sspinnpose/estimator'
PUBLISH, SUBSCRIBE, REPLY, REQUEST = 'publish', 'subscribe', 'reply', 'request'
RIGHTS = (PUBLISH, SUBSCRIBE, REPLY, REQUEST)

HEADER = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- What the estimator may do in a network secured with SROS2, which is what it does and no more.
     Names without / are relative to the namespace ns, ~ is the node. docs/security.md tells how to
     use it. For a node in a namespace, set ns; for other topics of the sensors, name them here;
     to replay recordings with use_sim_time, let it subscribe to /clock as well; for a worn device,
     let it subscribe to exo/joint_states and publish human/joint_states_total.
     Written by: python -m sspinnpose_ros.ros.security_policy > config/sros2/policy.xml -->
<policy version="{VERSION}">
"""

SETTLE_S = 1.0

Rights = Mapping[str, frozenset[str]]
"""By `RIGHTS`, the names of topics and services."""


def rights_in_use(watcher: Node, *, namespace: str = '/', name: str = NODE_NAME) -> Rights:
    """Return what a node in the graph publishes, hears, serves and calls, by full names.

    Args:
        watcher: a node of the same domain.
        namespace: of the node.
        name: of the node.

    Returns:
        The full names; empty for a node that is not there.

    """
    ask: Mapping[str, Callable[[str, str], Iterable[tuple[str, Any]]]] = {
        PUBLISH: watcher.get_publisher_names_and_types_by_node,
        SUBSCRIBE: watcher.get_subscriber_names_and_types_by_node,
        REPLY: watcher.get_service_names_and_types_by_node,
        REQUEST: watcher.get_client_names_and_types_by_node,
    }
    return {
        right: frozenset(full for full, _ in names(name, namespace))
        for right, names in ask.items()
    }


def relative_to(rights: Rights, *, namespace: str, name: str = NODE_NAME) -> Rights:
    """Spell full names as a policy does, so that they hold in any namespace.

    Args:
        rights: full names, as seen in a namespace that no absolute name begins with.
        namespace: of the node they belong to.
        name: of the node.

    """

    def relative(full: str) -> str:
        private, own = f'{namespace}/{name}/', f'{namespace}/'
        if full.startswith(private):
            return f'~/{full.removeprefix(private)}'
        return full.removeprefix(own)

    return {right: frozenset(map(relative, names)) for right, names in rights.items()}


def policy_xml(rights: Rights) -> str:
    """Return a policy for the node in the root namespace.

    Args:
        rights: names as `relative_to` spells them.

    """
    policy = ElementTree.Element('policy', version=VERSION)
    enclave = ElementTree.SubElement(
        ElementTree.SubElement(policy, 'enclaves'), 'enclave', path=ENCLAVE
    )
    profile = ElementTree.SubElement(
        ElementTree.SubElement(enclave, 'profiles'), 'profile', ns='/', node=NODE_NAME
    )
    for right in RIGHTS:
        kind = 'topic' if right in (PUBLISH, SUBSCRIBE) else 'service'
        if not rights[right]:
            continue
        group = ElementTree.SubElement(profile, f'{kind}s', {right: 'ALLOW'})
        for each in sorted(rights[right]):
            ElementTree.SubElement(group, kind).text = each
    ElementTree.indent(policy)
    body = ElementTree.tostring(policy, encoding='unicode').split('\n', 1)[1]
    return f'{HEADER}{body}\n'


def policy_rights(text: str) -> Rights:
    """Read the rights of a policy with a single profile, names as they are spelt there."""
    profiles = ElementTree.fromstring(text.encode()).findall('enclaves/enclave/profiles/profile')
    if len(profiles) != 1:
        raise ValueError(f'the policy holds {len(profiles)} profiles, expected one')
    found: dict[str, set[str]] = {right: set() for right in RIGHTS}
    for group in profiles[0]:
        for right, qualifier in group.attrib.items():
            if qualifier == 'ALLOW':
                found[right] |= {str(each.text) for each in group}
    return {right: frozenset(names) for right, names in found.items()}


def main() -> int:
    """Print the policy of the node with its default parameters and aligned sensors.

    Returns:
        0, or 1 where the node cannot be started.

    """
    namespace = '/anywhere'
    rclpy.init(args=['--ros-args', '-r', f'__ns:={namespace}'])
    try:
        node = EstimatorNode()
        node.set_parameters([Parameter('sensor_axes', value='aligned')])
        if not node.autostart():
            return 1
        time.sleep(SETTLE_S)
        seen = rights_in_use(node, namespace=namespace)
        sys.stdout.write(policy_xml(relative_to(seen, namespace=namespace)))
        node.stop()
        node.destroy_node()
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
