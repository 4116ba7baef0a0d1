# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw the gaits that synthetic wearers aim for, around published mean cycles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

NODES = 100
"""Samples of a gait cycle."""

STYLES = ('usual', 'crouch', 'stiff knee', 'asymmetric', 'toe walking', 'trunk lean')

_LEGS = 2
_ANGLES = ('hip_flexion', 'knee_angle', 'ankle_angle')
_FORCES = ('grf_forward', 'grf_up')

_FOREFOOT = {
    'walking': ((0.0, 0.2, 0.5, 0.7, 1.0), (0.0, 0.35, 0.75, 1.0, 1.0)),
    'running': ((0.0, 0.1, 0.3, 1.0), (0.15, 0.5, 0.9, 1.0)),
}
"""Part of the load on the forefoot over the stance, from the centre of pressure that Grundy et al.
(1975) saw in walking and Cavanagh and Lafortune (1980) under rearfoot runners."""


@dataclass(frozen=True)
class MeanCycle:
    """Hold a published mean gait cycle of the right leg, from heel strike to heel strike.

    Attributes:
        kind: 'walking' or 'running'.
        speed_mps: walking speed, m/s.
        duration_s: duration of the cycle, s.
        angles: (100, 3) hip flexion, knee flexion, ankle dorsiflexion, rad.
        force: (100, 2) ground reaction forward and up, body weights.
        source: who published it.
        spread: (100,) standard deviations between people, where published, of `hip_flexion`,
            `knee_angle`, `ankle_angle` (rad), `grf_forward`, `grf_up` (body weights).

    """

    kind: str
    speed_mps: float
    duration_s: float
    angles: np.ndarray
    force: np.ndarray
    source: str
    spread: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class GaitTarget:
    """Describe the cycle that one synthetic wearer aims for.

    Attributes:
        kind: 'walking', 'running' or 'standing' (both feet stay on the ground).
        style: one of `STYLES`, or 'squat' and 'sway' for standing.
        speed_mps: mean forward speed, m/s.
        duration_s: cycle duration, s.
        mass_kg: body mass, kg.
        height_m: stature, m.
        angles: (100, 6) target joint angles in the order of `conventions.JOINTS`, rad.
        force: (100, 2, 2) target ground reaction (side, (forward, up)), body weights.
        forefoot: (100, 2) part of it that the forefoot is to take, 0 to 1.
        tilt: (100,) target pelvis tilt, rad, forward tilt negative.
        lean_rad: inclination of the trunk, rad, forward lean negative.

    """

    kind: str
    style: str
    speed_mps: float
    duration_s: float
    mass_kg: float
    height_m: float
    angles: np.ndarray
    force: np.ndarray
    forefoot: np.ndarray
    tilt: np.ndarray
    lean_rad: float


@lru_cache(maxsize=1)
def mean_cycles() -> tuple[MeanCycle, ...]:
    """Load the published mean cycles (sources are named in `normative_gait.json`)."""
    text = resources.files('sspinnpose_ros.training').joinpath('normative_gait.json').read_text()
    return tuple(
        MeanCycle(
            kind=cycle['kind'],
            speed_mps=cycle['speed_mps'],
            duration_s=cycle['duration_s'],
            angles=np.stack([cycle[name] for name in _ANGLES], -1),
            force=np.stack([cycle[name] for name in _FORCES], -1),
            source=cycle['source'],
            spread={
                name: np.array(cycle[f'{name}_sd'])
                for name in (*_ANGLES, *_FORCES)
                if f'{name}_sd' in cycle
            },
        )
        for cycle in json.loads(text)['cycles']
    )


def draw_person(rng: np.random.Generator) -> tuple[float, float]:
    """Draw mass (kg) and height (m) of an adult, coupled through the body mass index."""
    height = float(np.clip(rng.normal(1.73, 0.1), 1.48, 2.02))
    index = float(np.clip(rng.normal(24.0, 3.5), 17.5, 36.0))
    return float(np.clip(index * height**2, 42.0, 125.0)), height


def draw_gait(
    rng: np.random.Generator,
    *,
    speed_mps: float,
    style: str = 'usual',
    step: float = 1.0,
    mass_kg: float | None = None,
    height_m: float | None = None,
    variation: float = 1.0,
    severity: tuple[float, float] = (0.4, 1.0),
) -> GaitTarget:
    """Draw one person's aim at a speed, running above about 2.1 m/s.

    Args:
        rng: source of chance.
        speed_mps: mean speed, m/s; 0 stands, sways and squats.
        style: one of `STYLES`; ignored when standing.
        step: length of a step as a multiple of the usual one at that speed; fewer steps make
            up for longer ones.
        mass_kg: body mass, drawn when None.
        height_m: stature, drawn when None.
        variation: scale of the person-to-person variation; 0 for the published mean.
        severity: (least, greatest) degree of an unusual style, 1 for the most marked.

    """
    mass, height = draw_person(rng)
    mass, height = mass_kg or mass, height_m or height
    if speed_mps <= 0.0:
        return _standing(rng, mass_kg=mass, height_m=height)
    walk_to_run = np.sqrt(0.5 * 9.81 * 0.53 * height)
    kind = 'running' if speed_mps > walk_to_run else 'walking'
    choices = [cycle for cycle in mean_cycles() if cycle.kind == kind]
    cycle = choices[int(rng.integers(len(choices)))]
    ratio = speed_mps / cycle.speed_mps * np.sqrt(1.73 / height)
    running = kind == 'running'
    duration = cycle.duration_s * ratio ** (-0.2 if running else -0.42) * np.sqrt(height / 1.73)
    duration *= step * (1.0 + variation * float(rng.uniform(-0.1, 0.1)))
    swing = ratio ** (0.35 if running else 0.42) * (1.0 + variation * rng.normal() * 0.05)
    swing *= step
    centre = np.array([cycle.angles[:, 0].mean(), cycle.angles[:, 1].min(), 0.0])
    leg = centre + (cycle.angles - centre) * np.array([swing, swing, swing**0.5])
    force = cycle.force * np.array([swing, ratio**0.25 if running else 1.0])
    both = np.stack([leg, np.roll(leg, NODES // 2, 0)], 1)
    own_shape = np.stack([_low_order(rng, 3.0, 4) for _ in range(3)], -1)
    if not running:
        # People differ most in how far they bend the knee while they stand on it.
        own_shape += max(0.0, rng.normal(0.2, 0.35)) * np.deg2rad([9.0, 20.0, 9.0])
    both += variation * np.stack([own_shape, np.roll(own_shape, NODES // 2, 0)], 1)
    for side in range(_LEGS):
        for joint in range(3):
            both[:, side, joint] += variation * _low_order(rng, 1.0, 4)
    lean = (-0.12 if running else -0.03) + variation * rng.normal() * 0.04
    both, lean = _apply_style(rng, both, lean, style, severity)
    tilt = variation * (rng.normal() * 0.06 + _pelvis_sway(rng, 0.05 if running else 0.025))
    both[..., 0] -= tilt[:, None]
    forces = np.stack([force, np.roll(force, NODES // 2, 0)], 1)
    forces[..., 1] = np.maximum(forces[..., 1], 0.0)
    # Over a cycle the ground carries the body and neither drives nor brakes it.
    forces[..., 1] /= forces[..., 1].sum(1).mean()
    forces[..., 0] -= forces[..., 1] * forces[..., 0].sum(1).mean()
    forefoot = _on_forefoot(cycle, hurry=variation * rng.normal() * 0.15)
    return GaitTarget(
        kind=kind,
        style=style,
        speed_mps=speed_mps,
        duration_s=float(duration),
        mass_kg=mass,
        height_m=height,
        angles=both.reshape(NODES, 6),
        force=forces,
        forefoot=np.stack([forefoot, np.roll(forefoot, NODES // 2)], 1),
        tilt=tilt,
        lean_rad=float(lean),
    )


def draw_gaits(
    rng: np.random.Generator, count: int, *, variation: float = 1.0
) -> list[GaitTarget]:
    """Draw a varied population: 62 % walk, 28 % run, 10 % stand; 45 % of the walks are unusual.

    Args:
        rng: source of chance.
        count: persons.
        variation: as for `draw_gait`.

    """
    gaits = []
    for _ in range(count):
        kind = rng.choice(['walk', 'run', 'stand'], p=[0.62, 0.28, 0.1])
        speed = {
            'walk': rng.uniform(0.5, 2.0),
            'run': rng.uniform(2.3, 4.7),
            'stand': 0.0,
        }[str(kind)]
        unusual = kind == 'walk' and rng.random() < 0.45
        style = str(rng.choice(STYLES[1:])) if unusual else 'usual'
        gaits.append(draw_gait(rng, speed_mps=float(speed), style=style, variation=variation))
    return gaits


def _on_forefoot(cycle: MeanCycle, *, hurry: float) -> np.ndarray:
    stance = np.flatnonzero(cycle.force[:, 1] < 0.01)[0]
    done = np.clip(np.arange(NODES) / stance * (1.0 + hurry), 0.0, 1.0)
    return np.asarray(np.interp(done, *_FOREFOOT[cycle.kind]))


def _apply_style(
    rng: np.random.Generator,
    legs: np.ndarray,
    lean: float,
    style: str,
    severity: tuple[float, float],
) -> tuple[np.ndarray, float]:
    amount = float(rng.uniform(*severity))
    side = int(rng.integers(2))
    if style == 'crouch':
        legs = legs + amount * np.deg2rad([14.0, 26.0, 12.0])
    elif style == 'stiff knee':
        sides = [0, 1] if rng.random() < 0.3 else [side]
        for s in sides:
            low = legs[:, s, 1].min()
            legs[:, s, 1] = low + (legs[:, s, 1] - low) * (1.0 - 0.8 * amount)
    elif style == 'asymmetric':
        mean = legs[:, side].mean(0)
        legs[:, side] = mean + (legs[:, side] - mean) * (1.0 - 0.4 * amount)
        legs[:, side] += np.deg2rad(rng.normal(size=3) * np.array([6.0, 8.0, 5.0]))
    elif style == 'toe walking':
        legs = legs + amount * np.deg2rad([2.0, 8.0, -14.0])
    elif style == 'trunk lean':
        lean += amount * float(rng.choice([-0.45, 0.2]))
    return legs, lean


def _standing(rng: np.random.Generator, *, mass_kg: float, height_m: float) -> GaitTarget:
    phase = np.arange(NODES) / NODES * 2 * np.pi
    squat = rng.random() < 0.5
    depth = np.deg2rad(rng.uniform(15.0, 70.0) if squat else rng.uniform(0.0, 6.0))
    bend = 0.5 * depth * (1.0 - np.cos(phase)) + np.deg2rad(rng.uniform(0.0, 12.0))
    legs = np.zeros((NODES, 2, 3))
    stagger = np.deg2rad(rng.normal() * 4.0)
    for side, sign in enumerate((1.0, -1.0)):
        legs[:, side, 0] = 0.55 * bend + sign * stagger + _low_order(rng, 0.6, 2)
        legs[:, side, 1] = bend + abs(stagger)
        legs[:, side, 2] = 0.45 * bend - sign * stagger
    share = 0.5 + rng.uniform(0.0, 0.3) * np.sin(phase + rng.uniform(0.0, 2 * np.pi))
    force = np.zeros((NODES, 2, 2))
    force[:, 0, 1], force[:, 1, 1] = share, 1.0 - share
    return GaitTarget(
        kind='standing',
        style='squat' if squat else 'sway',
        speed_mps=0.0,
        duration_s=float(rng.uniform(1.8, 4.0)),
        mass_kg=mass_kg,
        height_m=height_m,
        angles=legs.reshape(NODES, 6),
        force=force,
        forefoot=np.full((NODES, 2), 0.5),
        tilt=np.full(NODES, rng.normal() * 0.06),
        lean_rad=float(rng.normal() * 0.04),
    )


def _pelvis_sway(rng: np.random.Generator, size: float) -> np.ndarray:
    """Return a tilt that goes to and fro once a step, and a little once a stride."""
    phase = np.arange(NODES) / NODES * 2 * np.pi
    step = rng.uniform(0.2, 1.0) * np.sin(2 * phase + rng.uniform(0.0, 2 * np.pi))
    stride = rng.uniform(0.0, 0.3) * np.sin(phase + rng.uniform(0.0, 2 * np.pi))
    return np.asarray(size * (step + stride))


def _low_order(rng: np.random.Generator, size_deg: float, harmonics: int) -> np.ndarray:
    phase = np.arange(NODES) / NODES * 2 * np.pi
    curve = np.full(NODES, rng.normal() * 0.7)
    for order in range(1, harmonics + 1):
        curve += rng.normal() / order * np.cos(order * phase)
        curve += rng.normal() / order * np.sin(order * phase)
    return np.deg2rad(size_deg * curve)
