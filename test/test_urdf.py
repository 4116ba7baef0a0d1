# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The URDF is the body: masses, lengths, signs and frames, as other programs read them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from sspinnpose_ros.core.body import Body, body_from_anthropometry
from sspinnpose_ros.core.conventions import JOINT_OF_SEGMENT, JOINTS, PARENTS, SEGMENTS
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.core.urdf import body_urdf

SHIPPED = Path(__file__).parents[1] / 'urdf' / 'sspinnpose_wearer.urdf'

people = pytest.mark.parametrize(
    ('mass', 'height', 'lengths'),
    [
        (75.0, 1.75, {}),
        (48.0, 1.52, {}),
        (110.0, 2.0, {'thigh': 0.51, 'shank': 0.47, 'foot': 0.30, 'ankle_height': 0.085}),
    ],
)


def person(
    mass: float = 75.0, height: float = 1.75, lengths: dict[str, float] | None = None
) -> Body:
    return body_from_anthropometry(mass_kg=mass, height_m=height, segment_length_m=lengths)


def numbers(element: ElementTree.Element | None, attribute: str) -> np.ndarray:
    assert element is not None
    return np.array([float(value) for value in element.attrib[attribute].split()])


def test_shipped_file_is_the_default_person() -> None:
    assert SHIPPED.read_text() == body_urdf(body=person()), (
        'urdf/sspinnpose_wearer.urdf is out of date; write into it what '
        'body_urdf(body=body_from_anthropometry(mass_kg=75.0, height_m=1.75)) returns'
    )


@people
def test_tree_holds_every_segment_and_joint_of_the_conventions(
    mass: float, height: float, lengths: dict[str, float]
) -> None:
    robot = ElementTree.fromstring(body_urdf(body=person(mass, height, lengths), name='somebody'))
    assert robot.attrib['name'] == 'somebody'
    links = [link.attrib['name'] for link in robot.findall('link')]
    assert links == [*SEGMENTS, 'sole_r', 'sole_l']
    moving = [joint for joint in robot.findall('joint') if joint.attrib['type'] == 'revolute']
    assert [joint.attrib['name'] for joint in moving] == list(JOINTS)
    for joint in robot.findall('joint'):
        child = joint.find('child').attrib['link']
        if child in PARENTS:
            assert joint.attrib['name'] == JOINT_OF_SEGMENT[child]
            assert joint.find('parent').attrib['link'] == PARENTS[child]


def test_axes_are_the_signs_of_the_contract() -> None:
    robot = ElementTree.fromstring(body_urdf(body=person()))
    axis = {
        joint.attrib['name'].split('_')[0]: tuple(numbers(joint.find('axis'), 'xyz'))
        for joint in robot.findall('joint')
        if joint.attrib['type'] == 'revolute'
    }
    assert axis == {'hip': (0, -1, 0), 'knee': (0, 1, 0), 'ankle': (0, -1, 0)}


def test_prefix_is_put_before_links_and_not_before_joints() -> None:
    plain = ElementTree.fromstring(body_urdf(body=person()))
    prefixed = ElementTree.fromstring(body_urdf(body=person(), frame_prefix='ada/'))
    names = [link.attrib['name'] for link in prefixed.findall('link')]
    assert names == ['ada/' + link.attrib['name'] for link in plain.findall('link')]
    ends = [end.attrib['link'] for tag in ('parent', 'child') for end in prefixed.iter(tag)]
    assert set(ends) <= set(names)
    assert [joint.attrib['name'] for joint in prefixed.findall('joint')] == [
        joint.attrib['name'] for joint in plain.findall('joint')
    ]


def test_every_shape_has_a_defined_colour_and_a_size() -> None:
    robot = ElementTree.fromstring(body_urdf(body=person()))
    colours = {material.attrib['name'] for material in robot.findall('material')}
    visuals = list(robot.iter('visual'))
    assert {visual.find('material').attrib['name'] for visual in visuals} == colours
    for visual in visuals:
        (shape,) = visual.find('geometry')
        assert all((numbers(shape, attribute) > 0).all() for attribute in shape.attrib)


def extent(link: ElementTree.Element) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest corner of a link's shapes, upright or laid sideways."""
    low, high = [], []
    for visual in link.findall('visual'):
        center = numbers(visual.find('origin'), 'xyz')
        sideways = bool(numbers(visual.find('origin'), 'rpy').any())
        (shape,) = visual.find('geometry')
        if shape.tag == 'box':
            half = 0.5 * numbers(shape, 'size')
        else:
            half = np.repeat(numbers(shape, 'radius'), 3)
            if shape.tag == 'cylinder':
                half[1 if sideways else 2] = 0.5 * numbers(shape, 'length')[0]
        low.append(center - half)
        high.append(center + half)
    return np.min(low, axis=0), np.max(high, axis=0)


@people
def test_shapes_are_as_large_as_the_person(
    mass: float, height: float, lengths: dict[str, float]
) -> None:
    body = person(mass, height, lengths)
    robot = ElementTree.fromstring(body_urdf(body=body))
    links = {link.attrib['name']: link for link in robot.findall('link')}
    hip = float(body.leg_length.sum() + body.ankle_height)
    if not lengths:
        assert hip + extent(links['pelvis'])[1][2] == pytest.approx(height, rel=0.01)
    heel, toe = body.contact_point[:, 0]
    for side, sign in (('r', -1.0), ('l', 1.0)):
        low, high = extent(links[f'foot_{side}'])
        assert low[2] == pytest.approx(-float(body.ankle_height), rel=1e-9)
        assert low[0] == pytest.approx(heel, rel=1e-9)
        assert high[0] >= toe
        for name, length in zip(('thigh', 'shank'), body.leg_length, strict=True):
            (tube,) = links[f'{name}_{side}'].findall('visual/geometry/cylinder')
            assert numbers(tube, 'length')[0] == pytest.approx(length, rel=1e-9)
            ends = [
                numbers(visual.find('origin'), 'xyz')[2]
                for visual in links[f'{name}_{side}'].findall('visual')
                if visual.find('geometry/sphere') is not None
            ]
            np.testing.assert_allclose(ends, [0.0, -length], rtol=1e-9)
        hips = robot.find(f"joint[@name='hip_flexion_{side}']/origin")
        assert sign * numbers(hips, 'xyz')[1] > 0.0
    for name in ('thigh', 'shank', 'foot'):
        shapes = [
            [ElementTree.tostring(each) for each in links[f'{name}_{side}'].iter('geometry')]
            for side in 'rl'
        ]
        assert shapes[0] == shapes[1]


@people
def test_mujoco_weighs_the_same_person(
    mass: float, height: float, lengths: dict[str, float]
) -> None:
    mujoco = pytest.importorskip('mujoco')
    body = person(mass, height, lengths)
    # Without this, mujoco makes one body of all that does not move.
    text = body_urdf(body=body).replace(
        '<material name="skin">',
        '<mujoco><compiler fusestatic="false" discardvisual="true"/></mujoco>'
        '<material name="skin">',
        1,
    )
    model = mujoco.MjModel.from_xml_string(text)
    for index, segment in enumerate(SEGMENTS):
        found = model.body(segment)
        assert found.mass[0] == pytest.approx(body.segment_mass[index], rel=1e-6), segment
        np.testing.assert_allclose(found.ipos[[0, 2]], body.segment_com[index], atol=1e-9)
        # The lateral axis is a principal one.
        assert min(abs(found.inertia / body.segment_inertia[index] - 1.0)) < 1e-6
    ankle = model.body('foot_r').pos[2] + model.body('shank_r').pos[2]
    assert -ankle == pytest.approx(float(body.leg_length.sum()), rel=1e-9)


@people
def test_masses_and_inertias_are_the_body_s(
    mass: float, height: float, lengths: dict[str, float]
) -> None:
    body = person(mass, height, lengths)
    robot = ElementTree.fromstring(body_urdf(body=body))
    inertials = [link.find('inertial') for link in robot.findall('link')[:7]]
    masses = np.array([numbers(each.find('mass'), 'value')[0] for each in inertials])
    np.testing.assert_allclose(masses, body.segment_mass, rtol=1e-11)
    assert masses.sum() == pytest.approx(mass, rel=1e-11)
    for index, each in enumerate(inertials):
        forward, lateral, up = (
            numbers(each.find('inertia'), name)[0] for name in ('ixx', 'iyy', 'izz')
        )
        assert lateral == pytest.approx(body.segment_inertia[index], rel=1e-11)
        assert max(forward, lateral, up) < 0.5 * (forward + lateral + up)
        com = numbers(each.find('origin'), 'xyz')
        np.testing.assert_allclose(com[[0, 2]], body.segment_com[index], rtol=1e-11)
        assert com[1] == 0.0


@people
def test_pinocchio_reads_the_lengths(
    mass: float, height: float, lengths: dict[str, float]
) -> None:
    pin = pytest.importorskip('pinocchio')
    body = person(mass, height, lengths)
    model = pin.buildModelFromXML(body_urdf(body=body), pin.JointModelFreeFlyer())
    data = model.createData()
    pin.framesForwardKinematics(model, data, pin.neutral(model))
    at = {frame.name: data.oMf[index].translation for index, frame in enumerate(model.frames)}
    for side, sign in (('r', -1.0), ('l', 1.0)):
        assert sign * at[f'thigh_{side}'][1] > 0.0
        below = [
            at[f'{upper}_{side}'] - at[f'{lower}_{side}']
            for upper, lower in (('thigh', 'shank'), ('shank', 'foot'), ('foot', 'sole'))
        ]
        expected = [*body.leg_length, body.ankle_height]
        np.testing.assert_allclose([drop[2] for drop in below], expected, rtol=1e-11)
        np.testing.assert_allclose(np.array(below)[:, :2], 0.0, atol=1e-12)
    assert pin.computeTotalMass(model) == pytest.approx(mass, rel=1e-11)


def test_pinocchio_moves_the_segments_where_we_do() -> None:
    pin = pytest.importorskip('pinocchio')
    body = person()
    model = pin.buildModelFromXML(body_urdf(body=body))
    data = model.createData()
    angles = np.array([0.5, 0.9, 0.2, -0.3, 0.4, -0.4])
    q = pin.neutral(model)
    for joint, angle in zip(JOINTS, angles, strict=True):
        q[model.joints[model.getJointId(joint)].idx_q] = angle
    pin.framesForwardKinematics(model, data, q)
    ours = kinematics(
        body=body, q=np.concatenate([np.zeros(3), angles]), qd=np.zeros(9), qdd=np.zeros(9)
    )
    for index, segment in enumerate(SEGMENTS):
        placement = data.oMf[model.getFrameId(segment)]
        np.testing.assert_allclose(placement.translation[[0, 2]], ours.position[index], atol=1e-11)
        forward = placement.rotation[:, 0]
        np.testing.assert_allclose(forward, [ours.cos[index], 0.0, ours.sin[index]], atol=1e-11)


def test_mujoco_reads_it() -> None:
    mujoco = pytest.importorskip('mujoco')
    model = mujoco.MjModel.from_xml_string(body_urdf(body=person(), frame_prefix='ada/'))
    names = [model.joint(index).name for index in range(model.njnt)]
    assert names == list(JOINTS)
