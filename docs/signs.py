# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write the picture and the tables of frames_and_signs.md from the package's own kinematics.

python docs/signs.py writes both; the tables go between the markers of the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sspinnpose_ros.core.body import body_from_anthropometry, nominal_sensor_position
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import (
    COORDINATES,
    JOINT_OF_SEGMENT,
    JOINT_SIGNS,
    JOINTS,
    REP155_JOINTS,
    SENSORS,
)
from sspinnpose_ros.core.kinematics import Kinematics, kinematics
from sspinnpose_ros.core.virtual_imu import virtual_imu

PAGE = Path(__file__).parent / 'frames_and_signs.md'
PICTURE = Path(__file__).parent / 'frames_and_signs.svg'

MASS_KG, HEIGHT_M = 75.0, 1.75
POSITIVE = {'hip': 'flexion', 'knee': 'flexion', 'ankle': 'dorsiflexion'}
TRUNK_M = 0.288 * HEIGHT_M
NEUTRAL_COLOR, MOVED_COLOR, ARC_COLOR = '#b8bcc4', '#1f4e79', '#c05a1a'


@dataclass(frozen=True)
class Movement:
    """Describe one movement out of upright standing.

    Attributes:
        words: what the person does.
        degrees: coordinates that change, by name, deg.
        sensor: the one that shows it best.
        title: over the picture; empty where none is drawn.

    """

    words: str
    degrees: dict[str, float]
    sensor: str
    title: str = ''


MOVEMENTS = (
    Movement('stand upright', {}, 'thigh_r', 'upright: all angles zero'),
    Movement('swing the right leg forward', {'hip_flexion_r': 30.0}, 'thigh_r', 'hip flexion'),
    Movement('swing the right leg backward', {'hip_flexion_r': -20.0}, 'thigh_r'),
    Movement(
        'bend the right knee, heel backward', {'knee_angle_r': 60.0}, 'shank_r', 'knee flexion'
    ),
    Movement('pull the right toes up', {'ankle_angle_r': 20.0}, 'foot_r', 'ankle dorsiflexion'),
    Movement('push the right toes down', {'ankle_angle_r': -30.0}, 'foot_r'),
    Movement(
        'lean forward from the hips, legs upright',
        {'pelvis_tilt': -30.0, 'hip_flexion_r': 30.0, 'hip_flexion_l': 30.0},
        'pelvis',
        'lean forward',
    ),
    Movement(
        'squat with the trunk upright',
        {
            f'{joint}_{side}': angle
            for side in 'rl'
            for joint, angle in (('hip_flexion', 45.0), ('knee_angle', 70.0), ('ankle_angle', 25))
        },
        'shank_r',
        'squat',
    ),
)


def tables() -> dict[str, str]:
    """Return the tables of the page by the names of their markers."""
    return {'joints': _joint_table(), 'movements': _movement_table()}


def replace_table(document: str, *, name: str, table: str) -> str:
    """Return a document with a new table between the markers of this name."""
    begin, end = f'<!-- {name}: begin -->', f'<!-- {name}: end -->'
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f'The page lacks the markers {begin} and {end}.')
    return f'{before}{begin}\n\n{table}\n\n{end}{after}'


def _joint_table() -> str:
    rows = [
        '| | joint | between | positive | URDF axis | REP-155 name |',
        '|---|---|---|---|---|---|',
    ]
    segments = {joint: segment for segment, joint in JOINT_OF_SEGMENT.items()}
    for index, (joint, sign) in enumerate(zip(JOINTS, JOINT_SIGNS, strict=True)):
        child = segments[joint]
        parent = {'thigh': 'pelvis', 'shank': 'thigh', 'foot': 'shank'}[child[:-2]]
        parent += '' if parent == 'pelvis' else child[-2:]
        rows.append(
            f'| {index} | `{joint}` | `{parent}`, `{child}` | {POSITIVE[joint.split("_")[0]]} '
            f'| 0 {-sign:.0f} 0 | `{REP155_JOINTS[joint]}` |'
        )
    return '\n'.join(rows)


def _movement_table() -> str:
    rows = [
        '| you | coordinates | look at | rate about the right axis, while moving | '
        'specific force forward, held | up, held |',
        '|---|---|---|---|---|---|',
    ]
    for movement in MOVEMENTS:
        row = SENSORS.index(movement.sensor)
        moving, held = _signals(movement, rate=1.0)[row, 2], _signals(movement, rate=0.0)[row]
        angles = ', '.join(
            f'`{name}` {value:+.0f}°'
            for name, value in movement.degrees.items()
            if not (movement.title == 'squat' and name.endswith('_l'))
        )
        sides = ' and left alike' if movement.title == 'squat' else ''
        rows.append(
            f'| {movement.words} | {angles or "all 0"}{sides} | `{movement.sensor}` | '
            f'{_sign(moving)} | {_number(held[0])} | {_number(held[1])} |'
        )
    return '\n'.join(rows)


def _sign(value: float) -> str:
    return '0' if abs(value) < 1e-9 else '**+**' if value > 0.0 else '**-**'


def _number(value: float) -> str:
    text = f'{abs(value):.1f}'
    return text if text == '0.0' else ('+' if value > 0.0 else '-') + text


def _coordinates(movement: Movement) -> np.ndarray:
    values = np.zeros(len(COORDINATES))
    for name, degrees in movement.degrees.items():
        values[COORDINATES.index(name)] = np.deg2rad(degrees)
    return values


def _motion(movement: Movement, *, rate: float = 0.0) -> Kinematics:
    q = _coordinates(movement)
    return kinematics(body=BODY, q=q, qd=rate * q, qdd=np.zeros_like(q))


def _signals(movement: Movement, *, rate: float) -> np.ndarray:
    position = nominal_sensor_position(height_m=np.float64(HEIGHT_M))
    signals: np.ndarray = virtual_imu(motion=_motion(movement, rate=rate), position=position)
    return signals


BODY = body_from_anthropometry(mass_kg=np.float64(MASS_KG), height_m=np.float64(HEIGHT_M))


def picture(path: Path) -> None:
    """Draw the movements that have a title, seen from the person's right, as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawn = [movement for movement in MOVEMENTS if movement.title]
    with mpl.rc_context({'svg.hashsalt': 'sspinnpose', 'svg.fonttype': 'none'}):
        figure = Figure(figsize=(1.9 * len(drawn), 3.6))
        axes = figure.subplots(1, len(drawn))
        for place, movement in zip(axes, drawn, strict=True):
            _draw(place, movement)
        figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.93, wspace=0.02)
        figure.savefig(path, format='svg', metadata={'Date': None}, facecolor='white')


def _draw(place: Any, movement: Movement) -> None:
    neutral, moved = _motion(MOVEMENTS[0]), _motion(movement)
    for line in _lines(neutral, side=0) + _lines(moved, side=1):
        place.plot(*line.T, color=NEUTRAL_COLOR, linewidth=2.0, solid_capstyle='round')
    for line in _lines(moved, side=0):
        place.plot(*line.T, color=MOVED_COLOR, linewidth=3.0, solid_capstyle='round')
    if movement.degrees:
        _draw_angle(place, movement)
    else:
        _draw_axes(place)
    place.set_title(movement.title, fontsize=9)
    close = movement.sensor == 'foot_r'
    place.set_xlim(*((-0.23, 0.35) if close else (-0.62, 0.62)))
    place.set_ylim(*((-0.98, -0.17) if close else (-1.02, 0.72)))
    place.set_aspect('equal')
    place.axis('off')


def _lines(motion: Kinematics, *, side: int) -> list[np.ndarray]:
    """Return poly-lines (n, 2): trunk, leg and foot of the right (0) or the left (1) side."""
    trunk = TRUNK_M * np.array([-motion.sin[0], motion.cos[0]])
    thigh, shank, foot = (1, 2, 3) if side == 0 else (4, 5, 6)
    heel, toe = contact_points(body=BODY, motion=motion).position[side]
    ankle = motion.position[foot]
    return [
        np.stack([motion.position[0], motion.position[0] + trunk]),
        motion.position[[thigh, shank, foot]],
        np.stack([ankle, heel, toe, ankle]),
    ]


def _draw_angle(place: Any, movement: Movement) -> None:
    """Draw the arc from where the sensor's segment was to where it is, at its proximal joint."""
    moved = _motion(movement)
    row = SENSORS.index(movement.sensor)
    name = {'pelvis': 'pelvis_tilt', 'thigh_r': 'hip_flexion_r'}.get(movement.sensor)
    name = name or ('knee_angle_r' if movement.sensor == 'shank_r' else 'ankle_angle_r')
    inclination = float(np.arctan2(moved.sin[row], moved.cos[row]))
    parent = {'shank_r': 1, 'foot_r': 2}.get(movement.sensor)
    start = 0.0 if parent is None else float(np.arctan2(moved.sin[parent], moved.cos[parent]))
    rest = {'pelvis': 0.5 * np.pi, 'foot_r': 0.0}.get(movement.sensor, -0.5 * np.pi)
    turn = rest + np.linspace(start, inclination, 30)
    radius = 0.22 if movement.sensor in ('foot_r', 'shank_r') else 0.3
    arc = moved.position[row] + radius * np.stack([np.cos(turn), np.sin(turn)], -1)
    place.plot(*arc.T, color=ARC_COLOR, linewidth=1.5)
    place.annotate(
        '',
        xy=arc[-1],
        xytext=arc[-3],
        arrowprops={'arrowstyle': '-|>', 'color': ARC_COLOR, 'lw': 1.5},
    )
    degrees = movement.degrees[name]
    sign = '+' if degrees > 0.0 else '-'
    place.text(
        0.5,
        0.95,
        f'{name} {sign}',
        fontsize=8,
        ha='center',
        color=ARC_COLOR,
        transform=place.transAxes,
        # The close view cuts the trunk off, which would cross the name.
        bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 4.0},
    )


def _draw_axes(place: Any) -> None:
    """Draw the axes of a segment: forward, up, and left away from the viewer."""
    origin = np.array([0.18, -0.35])
    for tip, label, shift in (
        (np.array([0.28, 0.0]), 'x forward', (-0.12, 0.03)),
        (np.array([0.0, 0.28]), 'z up', (-0.06, 0.03)),
    ):
        place.annotate(
            '',
            xy=origin + tip,
            xytext=origin,
            arrowprops={'arrowstyle': '-|>', 'color': ARC_COLOR, 'lw': 1.5},
        )
        place.text(*(origin + tip + shift), label, fontsize=7, color=ARC_COLOR)
    place.plot(*origin, marker='x', color=ARC_COLOR, markersize=6)
    place.text(origin[0] - 0.03, origin[1] - 0.12, 'y left (away)', fontsize=7, color=ARC_COLOR)


def main() -> None:
    """Write the picture and the tables."""
    picture(PICTURE)
    document = PAGE.read_text(encoding='utf-8')
    for name, table in tables().items():
        document = replace_table(document, name=name, table=table)
    PAGE.write_text(document, encoding='utf-8')


if __name__ == '__main__':
    main()
