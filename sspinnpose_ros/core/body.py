# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Describe a person as seven rigid segments in the sagittal plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from sspinnpose_ros.core.arrays import Array, namespace
from sspinnpose_ros.core.errors import SubjectError

# Winter, Biomechanics and Motor Control of Human Movement, 4th ed. (2009), table 4.1 and
# figure 4.1 (Drillis and Contini 1966). Head, arms and trunk ride on the pelvis. Their centre of
# mass is lower than Winter's 0.626 between hip and shoulder, which would put that of the whole
# body at 0.583 H; people carry it at 0.55 to 0.57 H (Virmavirta and Isolehto 2014).
SEGMENT_MASS_FRACTION = {'pelvis': 0.678, 'thigh': 0.1, 'shank': 0.0465, 'foot': 0.0145}
SEGMENT_LENGTH_FRACTION = {'pelvis': 0.288, 'thigh': 0.245, 'shank': 0.246, 'foot': 0.152}
COM_DISTANCE_FRACTION = {'pelvis': 0.5, 'thigh': 0.433, 'shank': 0.433, 'foot': 0.5}
GYRATION_FRACTION = {'pelvis': 0.496, 'thigh': 0.323, 'shank': 0.302, 'foot': 0.475}
ANKLE_HEIGHT_FRACTION = 0.039
HEEL_BEHIND_ANKLE_FRACTION = 0.06 / 1.8
TOE_BEFORE_ANKLE_FRACTION = 0.15 / 1.8
"""Heel and forefoot contact of the planar gait model of van den Bogert et al. (2011)."""

LENGTH_OVERRIDES = ('thigh', 'shank', 'foot', 'ankle_height')
"""Names under which a subject may give measured lengths in metres."""


@dataclass(frozen=True)
class Body:
    """Hold the inertial and geometric constants of one or many people.

    Leading dimensions `...` are the batch, the same for every field; all of them are numpy
    arrays or all of them torch tensors. Segment order is `conventions.SEGMENTS`.

    Attributes:
        mass_kg: (...,) whole-body mass, kg.
        height_m: (...,) stature, m.
        segment_mass: (..., 7) kg.
        segment_inertia: (..., 7) about the segment's own centre of mass, kg m^2.
        segment_com: (..., 7, 2) centre of mass in the segment frame, (forward, up), m.
        leg_length: (..., 2) hip to knee and knee to ankle, m.
        contact_point: (..., 2, 2) heel and toe in the foot frame, (point, (forward, up)), m.

    """

    mass_kg: Array
    height_m: Array
    segment_mass: Array
    segment_inertia: Array
    segment_com: Array
    leg_length: Array
    contact_point: Array

    @property
    def ankle_height(self) -> Array:
        """Height (...,) of the ankle above the sole in metres."""
        return -self.contact_point[..., 0, 1]

    def map(self, function: object) -> Body:
        """Return a body with `function` applied to every field."""
        return replace(self, **{f.name: function(getattr(self, f.name)) for f in fields(self)})  # type: ignore[operator]

    def over_time(self) -> Body:
        """Insert a time axis behind a single batch axis, so that it broadcasts over samples."""
        return self.map(lambda value: value[:, None])

    def tensor(self, like: Array) -> Body:
        """Return the body as torch tensors with the dtype and device of the tensor `like`."""
        import torch

        return self.map(
            lambda value: torch.as_tensor(value).to(dtype=like.dtype, device=like.device)
        )


def body_from_anthropometry(
    *,
    mass_kg: Array,
    height_m: Array,
    segment_length_m: Mapping[str, float] | None = None,
) -> Body:
    """Scale the anthropometric tables to a person's mass and height.

    Args:
        mass_kg: (...,) body mass, kg.
        height_m: (...,) stature, m.
        segment_length_m: measured lengths that replace the scaled ones, by the names in
            `LENGTH_OVERRIDES`; both legs alike.

    Returns:
        The body, of the same array kind and batch shape as the masses.

    Raises:
        SubjectError: for a mass, height or length that no person has.

    Source: Winter (2009), table 4.1.

    """
    xp = namespace(mass_kg)
    mass = xp.asarray(mass_kg)
    height = xp.asarray(height_m)
    _require_plausible(mass=mass, height=height, lengths=segment_length_m or {})
    overrides = dict(segment_length_m or {})
    length = {
        name: overrides.get(name, 0.0) + (0.0 if name in overrides else fraction) * height
        for name, fraction in SEGMENT_LENGTH_FRACTION.items()
    }
    ankle = (
        overrides.get('ankle_height', 0.0)
        + (0.0 if 'ankle_height' in overrides else ANKLE_HEIGHT_FRACTION) * height
    )
    foot_scale = length['foot'] / SEGMENT_LENGTH_FRACTION['foot']
    heel = -HEEL_BEHIND_ANKLE_FRACTION * foot_scale
    toe = TOE_BEFORE_ANKLE_FRACTION * foot_scale
    zero = 0.0 * height
    com = {
        'pelvis': (zero, COM_DISTANCE_FRACTION['pelvis'] * length['pelvis']),
        'thigh': (zero, -COM_DISTANCE_FRACTION['thigh'] * length['thigh']),
        'shank': (zero, -COM_DISTANCE_FRACTION['shank'] * length['shank']),
        'foot': (heel + COM_DISTANCE_FRACTION['foot'] * length['foot'], -0.5 * ankle),
    }
    kinds = ('pelvis', 'thigh', 'shank', 'foot', 'thigh', 'shank', 'foot')
    masses = {name: fraction * mass for name, fraction in SEGMENT_MASS_FRACTION.items()}
    inertia = {
        name: masses[name] * (GYRATION_FRACTION[name] * length[name]) ** 2 for name in kinds
    }
    return Body(
        mass_kg=mass,
        height_m=height,
        segment_mass=xp.stack([masses[kind] for kind in kinds], -1),
        segment_inertia=xp.stack([inertia[kind] for kind in kinds], -1),
        segment_com=xp.stack([xp.stack(com[kind], -1) for kind in kinds], -2),
        leg_length=xp.stack([length['thigh'], length['shank']], -1),
        contact_point=xp.stack([xp.stack([heel, -ankle], -1), xp.stack([toe, -ankle], -1)], -2),
    )


def nominal_sensor_position(*, height_m: Array) -> Array:
    """Return where sensors usually sit, in the sagittal plane of their segments.

    Args:
        height_m: (...,) stature, m.

    Returns:
        (..., 7, 2) positions (forward, up) from the proximal joint, m: sacrum, outer thigh and
        shank at mid-length, instep.

    """
    xp = namespace(height_m)
    height = xp.asarray(height_m)
    fractions = (
        (-0.055, 0.045),
        (0.01, -0.118),
        (0.01, -0.112),
        (0.055, -0.012),
        (0.01, -0.118),
        (0.01, -0.112),
        (0.055, -0.012),
    )
    return xp.stack([xp.stack([x * height, z * height], -1) for x, z in fractions], -2)


def _require_plausible(*, mass: Array, height: Array, lengths: Mapping[str, float]) -> None:
    if not bool(((mass >= 10.0) & (mass <= 300.0)).all()):
        seen = _first_outside(mass, 10.0, 300.0)
        raise SubjectError(
            f'mass_kg is {seen:g}, expected a body mass between 10 and 300 kg; '
            'set mass_kg to the mass of the person who wears the sensors.'
        )
    if not bool(((height >= 0.8) & (height <= 2.5)).all()):
        seen = _first_outside(height, 0.8, 2.5)
        raise SubjectError(
            f'height_m is {seen:g}, expected a stature between 0.8 and 2.5 m; '
            'set height_m in metres, not centimetres.'
        )
    for name, value in lengths.items():
        if name not in LENGTH_OVERRIDES:
            raise SubjectError(
                f'segment_length_m names {name!r}, expected one of {", ".join(LENGTH_OVERRIDES)}; '
                'rename or remove it.'
            )
        if not 0.02 <= float(value) <= 1.0:
            raise SubjectError(
                f'segment_length_m.{name} is {value:g}, expected metres between 0.02 and 1; '
                'give the length in metres.'
            )


def _first_outside(values: Array, low: float, high: float) -> float:
    flat = [float(value) for value in values.reshape(-1)]
    return next(value for value in flat if not low <= value <= high)
