# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sensors on a simple walker made of smooth periodic curves, with the true mounting known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY, SENSORS

STEP_S = 0.01
STRIDE_S = 1.1
THIGH_M, SHANK_M = 0.43, 0.43

POSITIONS_M = {
    'pelvis': (-0.10, 0.0, 0.08),
    'thigh_r': (0.02, -0.06, -0.22),
    'shank_r': (0.03, -0.04, -0.20),
    'foot_r': (0.10, 0.0, -0.03),
    'thigh_l': (0.02, 0.06, -0.20),
    'shank_l': (0.03, 0.04, -0.18),
    'foot_l': (0.10, 0.0, -0.03),
}


@dataclass(frozen=True, eq=False)
class Worn:
    """Signals of all seven sensors and what made them."""

    time_s: np.ndarray
    acceleration: np.ndarray
    angular_rate: np.ndarray
    inclination: np.ndarray


def turn_about(axis: int, angle: np.ndarray) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*np.shape(angle), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1.0
    matrix[..., i, i] = matrix[..., j, j] = cosine
    matrix[..., i, j] = -sine
    matrix[..., j, i] = sine
    return matrix


def random_rotation(generator: np.random.Generator) -> np.ndarray:
    matrix, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    rotation: np.ndarray = matrix * np.sign(np.linalg.det(matrix))
    return rotation


def walk(*, seconds: float = 16.0, standing_s: float = 1.0, sway_m: float = 0.03) -> Worn:
    """Return segment-aligned signals of a walker who stands first.

    With a negative `sway_m` the pelvis goes over the leg that stands, as people do.
    """
    fine = 8
    step = STEP_S / fine
    time = np.arange(int((seconds + 0.2) / step)) * step
    start = standing_s + 0.5 if standing_s else -10.0
    effort = 0.5 * (1 + np.tanh((time - start) / 0.25)) if standing_s else np.ones_like(time)
    moving = np.cumsum(effort) * step
    phase = 2 * np.pi * moving / STRIDE_S

    def bump(angle: np.ndarray, centre: float, width: float) -> np.ndarray:
        return np.exp((np.cos(angle - 2 * np.pi * centre) - 1) / (2 * np.pi * width) ** 2)

    world = {
        'pelvis': turn_about(2, 0.08 * effort * np.sin(phase))
        @ turn_about(1, 0.03 * effort + 0.015 * effort * np.cos(2 * phase))
    }
    place = {'pelvis': np.zeros((len(time), 3))}
    bearing = {}
    inclination = {'pelvis': -(0.03 * effort + 0.015 * effort * np.cos(2 * phase))}
    for side, aside, late in (('r', -0.085, 0.0), ('l', 0.085, np.pi)):
        own = phase + late
        thigh = effort * np.deg2rad(3.0 + 21.0 * np.cos(own + 0.2) - 3.0 * np.cos(2 * own))
        knee = effort * np.deg2rad(3 + 12 * bump(own, 0.13, 0.07) + 56 * bump(own, 0.72, 0.09))
        foot = effort * np.deg2rad(18 * bump(own, 0.0, 0.05) - 58 * bump(own, 0.63, 0.08))
        shank = thigh - knee
        hip = world['pelvis'] @ np.array([0.0, aside, 0.0])
        yaw = turn_about(2, effort * (0.06 * np.sin(own) - np.sign(aside) * 0.02))
        world[f'thigh_{side}'] = yaw @ turn_about(1, -thigh)
        world[f'shank_{side}'] = yaw @ turn_about(1, -shank)
        world[f'foot_{side}'] = yaw @ turn_about(1, -foot)
        place[f'thigh_{side}'] = hip
        place[f'shank_{side}'] = hip + world[f'thigh_{side}'] @ np.array([0.0, 0.0, -THIGH_M])
        place[f'foot_{side}'] = place[f'shank_{side}'] + world[f'shank_{side}'] @ np.array(
            [0.0, 0.0, -SHANK_M]
        )
        inclination.update({f'thigh_{side}': thigh, f'shank_{side}': shank, f'foot_{side}': foot})
        middle = np.cos(own - 2 * np.pi * 0.3)
        bearing[f'foot_{side}'] = 0.5 * (1 + np.tanh(middle / 0.2)) + 1e-3
    total = sum(bearing.values())
    standing = sum(bearing[foot][:, None] * place[foot] for foot in bearing) / total[:, None]
    backward = sum(bearing[foot] * np.gradient(place[foot][:, 0], step) for foot in bearing)
    carried = np.stack(
        [
            -np.cumsum(backward / total) * step,
            sway_m * effort * np.sin(phase),
            -standing[:, 2],
        ],
        axis=-1,
    )
    forces, rates = [], []
    for name in SENSORS:
        turned = world[name]
        position = carried + place[name] + turned @ np.array(POSITIONS_M[name])
        force = np.gradient(np.gradient(position, step, axis=0), step, axis=0)
        force[:, 2] += GRAVITY
        forces.append(np.einsum('tij,ti->tj', turned, force))
        change = np.swapaxes(turned[:-1], -1, -2) @ turned[1:]
        rate = 0.5 * np.stack(
            [
                change[:, 2, 1] - change[:, 1, 2],
                change[:, 0, 2] - change[:, 2, 0],
                change[:, 1, 0] - change[:, 0, 1],
            ],
            axis=-1,
        )
        rates.append(np.concatenate([rate, rate[-1:]]) / step)
    kept = slice(fine * 5, -fine * 5, fine)
    return Worn(
        time_s=time[kept] - time[kept][0],
        acceleration=np.stack(forces, axis=1)[kept],
        angular_rate=np.stack(rates, axis=1)[kept],
        inclination=np.stack([inclination[name] for name in SENSORS], axis=-1)[kept],
    )
