# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""See from walking how long thighs and shanks are, and whether that fits the stature given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sspinnpose_ros.core.body import body_from_anthropometry
from sspinnpose_ros.core.conventions import SIDES
from sspinnpose_ros.core.joint_centres import Joint

ERROR_M = 0.03
"""How far a length may be off: soft tissue moves a sensor against its bone. Tables are off by some
3 %, 1.3 cm, so what is seen does not replace them."""

LARGEST_DIFFERENCE = 0.12
"""Part by which thigh and shank together may differ from the tables'; recordings reach 0.08."""

ANY_MASS_KG = 70.0


def seen_leg_lengths(joints: Mapping[str, Joint]) -> tuple[float, float]:
    """Return the mean lengths [m] of thighs and shanks between their joint centres.

    Args:
        joints: by the segment below each; thighs need those of a pelvis sensor.

    Returns:
        Thigh and shank; NaN for thighs without hip joints.

    """
    thighs, shanks = [], []
    for side in SIDES:
        knee, ankle = joints[f'shank_{side}'], joints[f'foot_{side}']
        shanks.append(float(np.linalg.norm(knee.on_child - ankle.on_parent)))
        hip = joints.get(f'thigh_{side}')
        thighs.append(
            float('nan') if hip is None else float(np.linalg.norm(hip.on_child - knee.on_parent))
        )
    return float(np.mean(thighs)), float(np.mean(shanks))


def leg_length_sentence(joints: Mapping[str, Joint], *, height_m: float) -> str:
    """Say how long the legs seem, and what follows for the stature given.

    Args:
        joints: as for `seen_leg_lengths`.
        height_m: stature, m.

    """
    thigh, shank = seen_leg_lengths(joints)
    body = body_from_anthropometry(mass_kg=np.float64(ANY_MASS_KG), height_m=np.float64(height_m))
    usual_thigh, usual_shank = np.asarray(body.leg_length).tolist()
    seen = [f'shanks {shank:.2f} m (usual at this height: {usual_shank:.2f} m)']
    if np.isfinite(thigh):
        seen.insert(0, f'thighs {thigh:.2f} m (usual: {usual_thigh:.2f} m)')
    sentence = f'Between joint centres, within {100 * ERROR_M:.0f} cm: {", ".join(seen)}'
    ratio = (thigh + shank) / (usual_thigh + usual_shank)
    if abs(ratio - 1.0) > LARGEST_DIFFERENCE:
        return (
            f'{sentence}; the legs seem {abs(ratio - 1.0):.0%} '
            f'{"longer" if ratio > 1.0 else "shorter"} than usual: check the height of '
            f'{height_m:.2f} m, or give segment lengths.'
        )
    return f'{sentence}.'
