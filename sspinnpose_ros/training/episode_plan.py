# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plan what a synthetic wearer does in some seconds: start, change, stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.body import body_from_anthropometry
from sspinnpose_ros.core.contact import contact_points
from sspinnpose_ros.core.conventions import GRAVITY
from sspinnpose_ros.core.kinematics import kinematics
from sspinnpose_ros.training.gait_style import NODES, STYLES, GaitTarget, draw_gait, draw_person

PERIOD_S = 0.01
MARGIN = 24
"""Samples at either end that are planned but not kept: nothing holds a motion there."""
SAMPLES = 900 + 2 * MARGIN
"""Of a plan: 9 s at 100 Hz, and the margins."""

PROGRAMS = (
    'start and stop',
    'start',
    'stop',
    'change speed',
    'walk, run, walk',
    'run, walk, stop',
    'change steps',
    'change crouch',
    'irregular',
)
"""What wearers do in an episode."""

_SHORTEST_PART_S = 1.7
_CARRYING_M = 0.02
"""How much lower the point of a foot is that carries it."""
_HURRY_SHARE = 0.4
"""How much of a step that is too short is made up for by more of them, the rest by the hips."""
_DURATION_JITTER = 0.03
_AMPLITUDE_JITTER = 0.05


@dataclass(frozen=True)
class EpisodePlan:
    """Describe what one synthetic wearer aims for on a grid of T samples.

    Attributes:
        program: one of `PROGRAMS`.
        style: one of `gait_style.STYLES`.
        mass_kg: body mass, kg.
        height_m: stature, m.
        speed_mps: (T,) forward speed, m/s.
        moving: (T,) 0 where the wearer stands, 1 where the gait is whole.
        angles: (T, 6) joint angles in the order of `conventions.JOINTS`, rad.
        force: (T, 2, 2) ground reaction (side, (forward, up)), body weights.
        forefoot: (T, 2) part of it on the forefoot, 0 to 1.
        tilt: (T,) pelvis tilt, rad, forward tilt negative.
        lean_rad: (T,) inclination of the trunk, rad, forward lean negative.

    """

    program: str
    style: str
    mass_kg: float
    height_m: float
    speed_mps: np.ndarray
    moving: np.ndarray
    angles: np.ndarray
    force: np.ndarray
    forefoot: np.ndarray
    tilt: np.ndarray
    lean_rad: np.ndarray


@dataclass(frozen=True)
class _Part:
    """Say how one part of an episode is walked, run or stood."""

    speed_mps: float
    style: str = 'usual'
    step: float = 1.0


def draw_plans(rng: np.random.Generator, count: int) -> list[EpisodePlan]:
    """Draw plans of different people, the programs in turn; 55 % of the walks are unusual."""
    first = int(rng.integers(len(PROGRAMS)))
    return [
        draw_plan(rng, program=PROGRAMS[(first + number) % len(PROGRAMS)])
        for number in range(count)
    ]


def draw_plan(rng: np.random.Generator, *, program: str, style: str | None = None) -> EpisodePlan:
    """Draw one person's aim for an episode.

    Args:
        rng: source of chance.
        program: one of `PROGRAMS`.
        style: of walking, one of `gait_style.STYLES`; drawn when None.

    """
    mass, height = draw_person(rng)
    if style is None:
        style = str(rng.choice(STYLES[1:])) if rng.random() < 0.55 else 'usual'
    parts = _draw_parts(rng, program, style)
    # The same seed for every part: one person, whose habits stay.
    person = int(rng.integers(2**31))
    targets = [
        draw_gait(
            np.random.default_rng(person),
            speed_mps=part.speed_mps,
            style=part.style,
            step=part.step,
            mass_kg=mass,
            height_m=height,
        )
        for part in parts
    ]
    weight = _draw_weights(rng, parts)
    return _follow(rng, program, style, targets, weight)


def _draw_parts(rng: np.random.Generator, program: str, style: str) -> list[_Part]:
    stand = _Part(0.0)
    walk = _Part(float(rng.uniform(0.6, 1.8)), style, float(rng.uniform(0.85, 1.15)))
    run = _Part(float(rng.uniform(2.3, 3.8)))
    if program == 'start and stop':
        return [stand, walk, stand]
    if program == 'start':
        return [stand, walk if rng.random() < 0.8 else run]
    if program == 'stop':
        return [walk, stand]
    if program == 'walk, run, walk':
        return [walk, run, _Part(float(rng.uniform(0.8, 1.8)), style)]
    if program == 'run, walk, stop':
        return [run, walk, stand]
    if program == 'change speed':
        slow, fast = float(rng.uniform(0.5, 1.0)), float(rng.uniform(1.3, 2.0))
        speeds = [slow, fast, slow] if rng.random() < 0.5 else [fast, slow, fast]
        return [_Part(speed, style, walk.step) for speed in speeds]
    if program == 'change steps':
        speed = float(rng.uniform(0.8, 1.6))
        steps = rng.permutation([rng.uniform(0.7, 0.85), rng.uniform(1.1, 1.25)])
        return [_Part(speed, style, float(step)) for step in steps]
    if program == 'change crouch':
        speed = float(rng.uniform(0.6, 1.6))
        styles = ['crouch', 'usual'] if rng.random() < 0.5 else ['usual', 'crouch']
        return [_Part(speed, one, walk.step) for one in styles]
    if program == 'irregular':
        return [walk if rng.random() < 0.7 else run]
    raise ValueError(f'{program!r} is no program, expected one of {", ".join(PROGRAMS)}')


def _draw_weights(rng: np.random.Generator, parts: Sequence[_Part]) -> np.ndarray:
    """Return (T, parts) how much each part is under way; they sum to one."""
    count, whole = len(parts), SAMPLES * PERIOD_S
    share = rng.dirichlet(np.full(count, 4.0)) * (whole - count * _SHORTEST_PART_S)
    length = share + _SHORTEST_PART_S
    time = np.arange(SAMPLES) * PERIOD_S
    begun = [np.ones(SAMPLES)]
    for number, middle in enumerate(np.cumsum(length)[:-1]):
        jump = abs(parts[number + 1].speed_mps - parts[number].speed_mps)
        shortest = 0.6 + 0.5 * jump
        longest = min(length[number], length[number + 1], 1.2 * shortest + 1.5)
        gradual = rng.random() < 0.5
        wanted = rng.uniform(shortest, max(longest, shortest)) if gradual else shortest
        begun.append(_ramp((time - middle) / min(wanted, longest) + 0.5))
    begun.append(np.zeros(SAMPLES))
    return -np.diff(np.stack(begun, -1), axis=-1)


def _follow(
    rng: np.random.Generator,
    program: str,
    style: str,
    targets: Sequence[GaitTarget],
    weight: np.ndarray,
) -> EpisodePlan:
    """Run through the parts stride by stride."""
    gaits = [number for number, target in enumerate(targets) if target.kind != 'standing']
    quiet = next((target for target in targets if target.kind == 'standing'), None)
    moving = weight[:, gaits].sum(1)
    among = weight[:, gaits] / np.maximum(moving, 1e-9)[:, None]
    among[moving < 1e-9] = 1.0 / len(gaits)
    # Step length and cadence share a change of speed as in `draw_gait`.
    amplitude, cadence = moving**0.58, moving**0.42
    reach_needed = [_reach_needed(targets[number]) for number in gaits]
    hurry_needed = [
        need**_HURRY_SHARE / targets[number].duration_s
        for need, number in zip(reach_needed, gaits, strict=True)
    ]
    frequency = cadence * (among @ hurry_needed)
    strides = np.arange(40)
    hurry = 1.0 + _DURATION_JITTER * np.clip(rng.normal(size=40), -2.0, 2.0)
    reach = 1.0 + _AMPLITUDE_JITTER * np.clip(rng.normal(size=(2, 40)), -2.0, 2.0)
    phase = np.empty(SAMPLES)
    # A foot that stands at first takes the first step: the other toe is about to leave.
    now = float(rng.choice([0.08, 0.58])) if moving[0] < 0.5 else float(rng.random())
    for number in range(SAMPLES):
        phase[number] = now
        now += PERIOD_S * frequency[number] * np.interp(now, strides, hurry)
    varied = np.stack([np.interp(phase, strides, one) for one in reach], -1)
    angles = np.zeros((SAMPLES, 6))
    force, forefoot = np.zeros((SAMPLES, 2, 2)), np.zeros((SAMPLES, 2))
    tilt, lean = np.zeros(SAMPLES), np.zeros(SAMPLES)
    for column, number in enumerate(gaits):
        target, share = targets[number], among[:, column]
        mean = target.angles.mean(0)
        swing = (_at(target.angles, phase) - mean) * np.repeat(varied, 3, axis=1)
        swing[:, [0, 3]] *= reach_needed[column] ** (1.0 - _HURRY_SHARE)
        angles += share[:, None] * (mean + swing)
        force += share[:, None, None] * _at(target.force, phase)
        forefoot += share[:, None] * _at(target.forefoot, phase)
        tilt += share * _at(target.tilt, phase)
        lean += share * target.lean_rad
    speed = weight @ [target.speed_mps for target in targets]
    speed = speed * np.interp(phase, strides, hurry) * varied.mean(1)
    if quiet is not None:
        angles = quiet.angles[0] + amplitude[:, None] * (angles - quiet.angles[0])
        tilt = quiet.tilt[0] + amplitude * (tilt - quiet.tilt[0])
        lean = quiet.lean_rad + moving * (lean - quiet.lean_rad)
        # Feet that still step share the weight in turn, so that neither slides.
        stepping = _ramp((moving - 0.02) / 0.25)[:, None, None]
        force = quiet.force[0] + stepping * (force - quiet.force[0])
        forefoot = quiet.forefoot[0] + stepping[..., 0] * (forefoot - quiet.forefoot[0])
    return _speed_up(
        EpisodePlan(
            program=program,
            style=style,
            mass_kg=targets[0].mass_kg,
            height_m=targets[0].height_m,
            speed_mps=speed,
            moving=moving,
            angles=angles,
            force=force,
            forefoot=forefoot,
            tilt=tilt,
            lean_rad=lean,
        )
    )


def _speed_up(plan: EpisodePlan) -> EpisodePlan:
    """Let feet lag behind the body, and push, while it gains speed."""
    gain = np.gradient(plan.speed_mps, PERIOD_S) / GRAVITY
    angles, force = plan.angles.copy(), plan.force.copy()
    angles[:, [0, 3]] -= gain[:, None]
    angles[:, [2, 5]] += gain[:, None]
    force[..., 0] += gain[:, None] * force[..., 1]
    return EpisodePlan(**{**plan.__dict__, 'angles': angles, 'force': force})


def _reach_needed(target: GaitTarget) -> float:
    """Return how far the speed is ahead of the one at which the aimed angles would not slip.

    The published angles are those of many people, and of legs that also turn about the vertical,
    which makes steps longer than the plane shows.
    """
    body = body_from_anthropometry(
        mass_kg=np.array(target.mass_kg), height_m=np.array(target.height_m)
    )
    q, qd = np.zeros((NODES, 9)), np.zeros((NODES, 9))
    q[:, 2], q[:, 3:] = target.tilt, target.angles
    qd[:, 2:] = 0.5 * NODES * (np.roll(q, -1, 0) - np.roll(q, 1, 0))[:, 2:]
    points = contact_points(
        body=body, motion=kinematics(body=body, q=q, qd=qd, qdd=np.zeros_like(q))
    )
    height = points.position[..., 1]
    carrying = np.exp((height.min((1, 2), keepdims=True) - height) / _CARRYING_M)
    load = target.force[..., 1, None] * carrying / carrying.sum(-1, keepdims=True)
    stride = -(load * points.velocity[..., 0]).sum() / load.sum()
    return float(np.clip(target.speed_mps * target.duration_s / max(stride, 0.1), 0.75, 1.6))


def _at(cycle: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Interpolate (100, ...) nodes of a cycle at phases counted in cycles."""
    node = (phase % 1.0) * NODES
    low = np.floor(node).astype(int) % NODES
    part = (node - np.floor(node)).reshape(-1, *[1] * (cycle.ndim - 1))
    return np.asarray(cycle[low] * (1.0 - part) + cycle[(low + 1) % NODES] * part)


def _ramp(value: np.ndarray) -> np.ndarray:
    x = np.clip(value, 0.0, 1.0)
    return np.asarray(x**3 * (10.0 - 15.0 * x + 6.0 * x**2))
