# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Propose which sensor each IMU topic is, from its names and from how it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sspinnpose_ros.bags.sensor_mapping import SensorMapping
from sspinnpose_ros.bags.sensor_names import NamedPlacement, placement_in
from sspinnpose_ros.core.conventions import SENSORS, SIDES
from sspinnpose_ros.core.placement_guess import FAIR, HIGH, LOW, NONE, PlacementGuess

NAMED = 'named'
BY_CHANCE = 'by chance'
ORDER = (NONE, BY_CHANCE, LOW, FAIR, HIGH, NAMED)
"""From the least sure to the surest."""

CHECK_SIDES = (
    'to check, lift the right knee with the node running, and look at which side of '
    'human/joint_states moves'
)


@dataclass(frozen=True)
class ProposedPlacement:
    """Hold what a topic seems to be.

    Attributes:
        topic: of the recording.
        sensor: its name, None where nothing tells.
        part: how sure the segment is: 'named', 'high', 'fair', 'low' or 'none'.
        side: how sure the side is: 'named', 'fair', 'by chance' or 'none'; None for pelvis and
            trunk.
        moves: segment that it moves like, whatever it is named; None where nothing tells.

    """

    topic: str
    sensor: str | None
    part: str
    side: str | None
    moves: str | None

    @property
    def confidence(self) -> str:
        """The less sure of segment and side."""
        return min((self.part, *([self.side] if self.side else [])), key=ORDER.index)


@dataclass(frozen=True)
class Proposal:
    """Hold what all topics seem to be, and sentences about what is doubtful."""

    placements: tuple[ProposedPlacement, ...]
    sentences: tuple[str, ...]

    @property
    def mapping(self) -> SensorMapping:
        """The proposal as a mapping, without what is not used."""
        topics = {each.sensor: each.topic for each in self.placements if each.sensor in SENSORS}
        worn = tuple(sensor for sensor in SENSORS if sensor in topics)
        return SensorMapping(
            topics={sensor: topics[sensor] for sensor in worn}, sensors=worn or None
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """Sensors that no topic seems to be."""
        return tuple(sensor for sensor in SENSORS if sensor not in self.mapping.topics)


def propose_placement(
    *, topics: Sequence[str], frames: Sequence[str], guess: PlacementGuess
) -> Proposal:
    """Put names and motion together; where they differ the name holds, and a sentence says so.

    Args:
        topics: (S) names.
        frames: (S) frame ids, empty where there is none.
        guess: of these S sensors.

    """
    names = [_named(topic, frame) for topic, frame in zip(topics, frames, strict=True)]
    side_of, sure, sentences = _sides(names, guess)
    placements: list[ProposedPlacement] = []
    taken: dict[str, str] = {}
    for topic, name, moves, leg in zip(topics, names, guess.part, guess.leg, strict=True):
        part = name.part or moves
        how = NAMED if name.part else guess.part_confidence if moves else NONE
        if name.part and moves and name.part != moves and guess.part_confidence == HIGH:
            sentences.append(
                f'{topic} is named after the {name.part} but moves like a {moves}: sensors may be '
                'exchanged.'
            )
        side = side_how = None
        if part not in (None, 'pelvis', 'trunk'):
            side = name.side or (None if leg is None else side_of[leg])
            side_how = NAMED if name.side else NONE if side is None else sure
        sensor = NamedPlacement(part=part, side=side).sensor
        if sensor in taken:
            sentences.append(
                f'{topic} and {taken[sensor]} both seem to be {sensor}; only one of them can be.'
            )
            sensor, how = None, NONE
        if sensor is not None:
            taken[sensor] = topic
        placements.append(
            ProposedPlacement(topic=topic, sensor=sensor, part=how, side=side_how, moves=moves)
        )
    if any(each.side == BY_CHANCE for each in placements):
        sentences.append(
            'Nothing tells which leg is the right one, so the sides are put by chance: exchange r '
            f'and l if they are wrong; {CHECK_SIDES}.'
        )
    elif any(each.side == FAIR for each in placements):
        sentences.append(
            'Which leg is the right one was told by which way the pelvis is pushed; '
            f'{CHECK_SIDES}.'
        )
    return Proposal(placements=tuple(placements), sentences=(*guess.sentences, *sentences))


def _named(topic: str, frame: str) -> NamedPlacement:
    first, second = placement_in(topic), placement_in(frame)
    part = first.part or second.part
    side = first.side or second.side
    return NamedPlacement(part=part, side=None if part in ('pelvis', 'trunk') else side)


def _sides(
    names: Sequence[NamedPlacement], guess: PlacementGuess
) -> tuple[dict[int, str], str, list[str]]:
    """Return the side of either leg, how sure it is, and what is doubtful about it."""
    votes = {
        (leg if name.side == 'r' else 1 - leg)
        for name, leg in zip(names, guess.leg, strict=True)
        if name.side is not None and leg is not None
    }
    if len(votes) > 1:
        sentences = []
        if guess.part_confidence == HIGH:
            sentences.append(
                'Names put sensors on one leg that move with the other: sensors may be exchanged.'
            )
        return {0: SIDES[0], 1: SIDES[1]}, BY_CHANCE, sentences
    told = votes.pop() if votes else None
    moved = guess.right_leg
    sentences = []
    if told is not None and moved is not None and told != moved:
        sentences.append(
            'The pelvis is pushed towards the leg that stands by its name, expected away from it: '
            'left and right may be exchanged.'
        )
    right = told if told is not None else moved if moved is not None else 0
    sure = NAMED if told is not None else FAIR if moved is not None else BY_CHANCE
    return {right: 'r', 1 - right: 'l'}, sure, sentences
