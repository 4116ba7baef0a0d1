# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write a body as URDF, so that RViz, controllers and simulators see the same person."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import (
    JOINT_OF_SEGMENT,
    JOINT_SIGNS,
    JOINTS,
    PARENTS,
    SEGMENTS,
)
from sspinnpose_ros.core.errors import SubjectError

HIP_HALF_WIDTH_FRACTION = 0.05
"""Lateral distance of a hip from the mid-plane over stature; the sagittal model has none."""

# Moment of inertia about the forward and the up axis over that about the lateral axis, from the
# radii of gyration of de Leva (1996), table 4, men; whole trunk for the pelvis segment.
INERTIA_RATIO = {
    'pelvis': ((0.372 / 0.347) ** 2, (0.191 / 0.347) ** 2),
    'thigh': (1.0, (0.149 / 0.329) ** 2),
    'shank': ((0.255 / 0.249) ** 2, (0.103 / 0.249) ** 2),
    'foot': ((0.124 / 0.245) ** 2, (0.257 / 0.245) ** 2),
}

JOINT_RANGE = {'hip': (-0.7, 2.3), 'knee': (-0.2, 2.7), 'ankle': (-1.1, 0.8)}
"""Lower and upper joint angle in rad: what people reach, with some room."""

EFFORT_LIMIT = 500.0
VELOCITY_LIMIT = 25.0

COLORS = {
    'skin': (0.91, 0.76, 0.65, 1.0),
    'torso': (0.25, 0.35, 0.50, 1.0),
    'right': (0.80, 0.36, 0.27, 1.0),
    'left': (0.27, 0.53, 0.76, 1.0),
    'shoe': (0.20, 0.20, 0.22, 1.0),
}

Vector = tuple[float, float, float]

SIDEWAYS: Vector = (1.5707963267948966, 0.0, 0.0)
"""Roll, pitch, yaw that lays a cylinder's axis along the lateral axis."""


def body_urdf(*, body: Body, name: str = 'sspinnpose_wearer', frame_prefix: str = '') -> str:
    """Describe one person as URDF.

    Links are `conventions.SEGMENTS` with the frames of `conventions`, `pelvis` being the root;
    joints are `conventions.JOINTS` with their signs, each about the lateral axis; `sole_r` and
    `sole_l` are fixed on the sole below the ankle. Masses, centres of mass and lateral
    inertias are the body's; the other two inertias only make the tensor that of a person. The
    legs stand `HIP_HALF_WIDTH_FRACTION` of the stature beside the mid-plane, which leaves the
    sagittal dynamics as they are.

    Args:
        body: one person (no batch dimensions).
        name: of the robot.
        frame_prefix: put before every link name; joint names keep to `conventions.JOINTS`.

    Returns:
        The XML text, numbers with 12 significant digits, SI units.

    """
    robot = ElementTree.Element('robot', name=name)
    for color, rgba in COLORS.items():
        material = ElementTree.SubElement(robot, 'material', name=color)
        ElementTree.SubElement(material, 'color', rgba=_text(rgba))
    for index, segment in enumerate(SEGMENTS):
        link = ElementTree.SubElement(robot, 'link', name=frame_prefix + segment)
        _add_inertial(link, body=body, index=index)
        _add_shape(link, body=body, index=index)
        if segment in JOINT_OF_SEGMENT:
            _add_joint(robot, body=body, index=index, frame_prefix=frame_prefix)
    for side in ('r', 'l'):
        _add_sole(robot, body=body, side=side, frame_prefix=frame_prefix)
    ElementTree.indent(robot)
    return (
        '<?xml version="1.0"?>\n'
        + ElementTree.tostring(robot, encoding='unicode', short_empty_elements=True)
        + '\n'
    )


@dataclass(frozen=True)
class DescribedBody:
    """Hold what a URDF of `body_urdf` says of its person.

    Attributes:
        frame_prefix: put before every link name.
        mass_kg: of all links, kg.
        leg_length: hip to knee and knee to ankle, m.
        ankle_height: of the ankle above the sole, m.

    """

    frame_prefix: str
    mass_kg: float
    leg_length: tuple[float, float]
    ankle_height: float


def described_body(text: str) -> DescribedBody:
    """Read mass and lengths back from a URDF that `body_urdf` wrote.

    Raises:
        SubjectError: for a text that is none of these.

    """
    try:
        robot = ElementTree.fromstring(text)
        heights = [
            float(origin.attrib['xyz'].split()[2])
            for name in ('knee_angle_r', 'ankle_angle_r', 'sole_r_fixed')
            for origin in robot.findall(f"joint[@name='{name}']/origin")
        ]
        thigh, shank, ankle = (-height for height in heights)
        mass = sum(float(each.attrib['value']) for each in robot.findall('link/inertial/mass'))
        if not (min(thigh, shank, ankle, mass) > 0.0 and math.isfinite(sum(heights) + mass)):
            raise ValueError('lengths and masses that nobody has')
        (root,) = {link.attrib['name'] for link in robot.findall('link')} - {
            child.attrib['link'] for child in robot.findall('joint/child')
        }
        if not root.endswith(SEGMENTS[0]):
            raise ValueError(f'the root {root}')
    except (ElementTree.ParseError, KeyError, ValueError, IndexError) as error:
        raise SubjectError(
            f'The robot description is not that of a wearer ({error}), expected the one that the '
            'estimator publishes; name the namespace of the estimator.'
        ) from None
    return DescribedBody(
        frame_prefix=root.removesuffix(SEGMENTS[0]),
        mass_kg=mass,
        leg_length=(thigh, shank),
        ankle_height=ankle,
    )


def hip_half_width(*, body: Body) -> float:
    """Return the lateral distance of either hip joint from the mid-plane in metres."""
    return HIP_HALF_WIDTH_FRACTION * float(body.height_m)


def _text(values: Iterable[float]) -> str:
    return ' '.join(f'{float(value) + 0.0:.12g}' for value in values)


def _kind(segment: str) -> str:
    return segment.split('_')[0]


def _lateral_sign(segment: str) -> float:
    return -1.0 if segment.endswith('_r') else 1.0


def _add_inertial(link: ElementTree.Element, *, body: Body, index: int) -> None:
    forward, up = INERTIA_RATIO[_kind(SEGMENTS[index])]
    lateral = float(body.segment_inertia[index])
    x, z = (float(value) for value in body.segment_com[index])
    inertial = ElementTree.SubElement(link, 'inertial')
    ElementTree.SubElement(inertial, 'origin', xyz=_text((x, 0.0, z)), rpy='0 0 0')
    ElementTree.SubElement(inertial, 'mass', value=_text((body.segment_mass[index],)))
    ElementTree.SubElement(
        inertial,
        'inertia',
        ixx=_text((forward * lateral,)),
        ixy='0',
        ixz='0',
        iyy=_text((lateral,)),
        iyz='0',
        izz=_text((up * lateral,)),
    )


def _add_joint(robot: ElementTree.Element, *, body: Body, index: int, frame_prefix: str) -> None:
    segment = SEGMENTS[index]
    kind = _kind(segment)
    origin = {
        'thigh': (0.0, _lateral_sign(segment) * hip_half_width(body=body), 0.0),
        'shank': (0.0, 0.0, -float(body.leg_length[0])),
        'foot': (0.0, 0.0, -float(body.leg_length[1])),
    }[kind]
    joint_name = JOINT_OF_SEGMENT[segment]
    joint = ElementTree.SubElement(robot, 'joint', name=joint_name, type='revolute')
    ElementTree.SubElement(joint, 'parent', link=frame_prefix + PARENTS[segment])
    ElementTree.SubElement(joint, 'child', link=frame_prefix + segment)
    ElementTree.SubElement(joint, 'origin', xyz=_text(origin), rpy='0 0 0')
    sign = JOINT_SIGNS[JOINTS.index(joint_name)]
    ElementTree.SubElement(joint, 'axis', xyz=_text((0.0, -sign, 0.0)))
    lower, upper = JOINT_RANGE[joint_name.split('_')[0]]
    ElementTree.SubElement(
        joint,
        'limit',
        lower=_text((lower,)),
        upper=_text((upper,)),
        effort=_text((EFFORT_LIMIT,)),
        velocity=_text((VELOCITY_LIMIT,)),
    )


def _add_sole(robot: ElementTree.Element, *, body: Body, side: str, frame_prefix: str) -> None:
    ElementTree.SubElement(robot, 'link', name=f'{frame_prefix}sole_{side}')
    joint = ElementTree.SubElement(robot, 'joint', name=f'sole_{side}_fixed', type='fixed')
    ElementTree.SubElement(joint, 'parent', link=f'{frame_prefix}foot_{side}')
    ElementTree.SubElement(joint, 'child', link=f'{frame_prefix}sole_{side}')
    ElementTree.SubElement(
        joint, 'origin', xyz=_text((0.0, 0.0, -float(body.ankle_height))), rpy='0 0 0'
    )


def _add_shape(link: ElementTree.Element, *, body: Body, index: int) -> None:
    segment = SEGMENTS[index]
    kind = _kind(segment)
    if kind == 'pelvis':
        _add_upper_body(link, body=body)
        return
    color = 'right' if segment.endswith('_r') else 'left'
    height = float(body.height_m)
    if kind == 'foot':
        _add_foot(link, body=body, color=color)
        return
    radius = {'thigh': 0.038, 'shank': 0.028}[kind] * height
    length = float(body.leg_length[('thigh', 'shank').index(kind)])
    for up in (0.0, -length):
        _sphere(link, center=(0.0, 0.0, up), radius=radius, color=color)
    _cylinder(link, center=(0.0, 0.0, -0.5 * length), radius=radius, length=length, color=color)


def _add_foot(link: ElementTree.Element, *, body: Body, color: str) -> None:
    heel, toe = (float(point[0]) for point in body.contact_point)
    ankle = float(body.ankle_height)
    width = 0.36 * (toe - heel)
    sole = 0.3 * ankle
    toes = 0.25 * (toe - heel)
    _box(
        link,
        center=(0.5 * (heel + toe + toes), 0.0, 0.5 * sole - ankle),
        size=(toe + toes - heel, width, sole),
        color='shoe',
    )
    _box(
        link,
        center=(heel + 0.32 * (toe - heel), 0.0, 0.85 * sole - 0.5 * ankle),
        size=(0.64 * (toe - heel), 0.8 * width, ankle - sole),
        color=color,
    )
    _box(
        link,
        center=(heel + 0.82 * (toe - heel), 0.0, 1.4 * sole - ankle),
        size=(0.5 * (toe - heel), 0.9 * width, 0.9 * sole),
        color=color,
    )


def _add_upper_body(link: ElementTree.Element, *, body: Body) -> None:
    height = float(body.height_m)
    hip = hip_half_width(body=body)
    shoulder, shoulder_half_width = 0.288 * height, 0.105 * height
    _capsule_sideways(link, up=0.01 * height, half_width=hip, radius=0.048 * height)
    _cylinder(
        link,
        center=(0.0, 0.0, 0.10 * height),
        radius=0.060 * height,
        length=0.14 * height,
        color='torso',
    )
    _box(
        link,
        center=(0.0, 0.0, 0.205 * height),
        size=(0.115 * height, 0.175 * height, 0.15 * height),
        color='torso',
    )
    _capsule_sideways(link, up=shoulder, half_width=shoulder_half_width, radius=0.032 * height)
    _cylinder(
        link,
        center=(0.0, 0.0, 0.33 * height),
        radius=0.027 * height,
        length=0.07 * height,
        color='skin',
    )
    _sphere(link, center=(0.01 * height, 0.0, 0.41 * height), radius=0.062 * height, color='skin')
    for lateral in (-shoulder_half_width - 0.02 * height, shoulder_half_width + 0.02 * height):
        elbow, wrist = shoulder - 0.17 * height, shoulder - 0.31 * height
        _limb(
            link, top=shoulder, bottom=elbow, lateral=lateral, radius=0.025 * height, color='torso'
        )
        _limb(link, top=elbow, bottom=wrist, lateral=lateral, radius=0.019 * height, color='skin')
        _sphere(
            link, center=(0.0, lateral, wrist - 0.02 * height), radius=0.025 * height, color='skin'
        )


def _capsule_sideways(
    link: ElementTree.Element, *, up: float, half_width: float, radius: float
) -> None:
    for lateral in (-half_width, half_width):
        _sphere(link, center=(0.0, lateral, up), radius=radius, color='torso')
    _cylinder(
        link,
        center=(0.0, 0.0, up),
        radius=radius,
        length=2.0 * half_width,
        color='torso',
        rpy=SIDEWAYS,
    )


def _limb(
    link: ElementTree.Element,
    *,
    top: float,
    bottom: float,
    lateral: float,
    radius: float,
    color: str,
) -> None:
    for up in (top, bottom):
        _sphere(link, center=(0.0, lateral, up), radius=radius, color=color)
    _cylinder(
        link,
        center=(0.0, lateral, 0.5 * (top + bottom)),
        radius=radius,
        length=top - bottom,
        color=color,
    )


def _sphere(link: ElementTree.Element, *, center: Vector, radius: float, color: str) -> None:
    geometry = _visual(link, center=center, rpy=(0.0, 0.0, 0.0), color=color)
    ElementTree.SubElement(geometry, 'sphere', radius=_text((radius,)))


def _cylinder(
    link: ElementTree.Element,
    *,
    center: Vector,
    radius: float,
    length: float,
    color: str,
    rpy: Vector = (0.0, 0.0, 0.0),
) -> None:
    geometry = _visual(link, center=center, rpy=rpy, color=color)
    ElementTree.SubElement(geometry, 'cylinder', radius=_text((radius,)), length=_text((length,)))


def _box(link: ElementTree.Element, *, center: Vector, size: Vector, color: str) -> None:
    geometry = _visual(link, center=center, rpy=(0.0, 0.0, 0.0), color=color)
    ElementTree.SubElement(geometry, 'box', size=_text(size))


def _visual(
    link: ElementTree.Element, *, center: Vector, rpy: Vector, color: str
) -> ElementTree.Element:
    visual = ElementTree.SubElement(link, 'visual')
    ElementTree.SubElement(visual, 'origin', xyz=_text(center), rpy=_text(rpy))
    geometry = ElementTree.SubElement(visual, 'geometry')
    ElementTree.SubElement(visual, 'material', name=color)
    return geometry
