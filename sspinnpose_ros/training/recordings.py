# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold unlabelled IMU recordings, synthetic or real, in the form the training reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from sspinnpose_ros.core.arrays import planes
from sspinnpose_ros.core.body import Body, body_from_anthropometry, nominal_sensor_position
from sspinnpose_ros.core.inclination import inclination_sequence
from sspinnpose_ros.training.episode_plan import PERIOD_S
from sspinnpose_ros.training.episodes import Episodes
from sspinnpose_ros.training.synthetic_gait import Motions, MotionSamples, sample
from sspinnpose_ros.training.wearer import USUAL_ERRORS, SensorErrors, wear


@dataclass(frozen=True, eq=False)
class UnlabelledRecording:
    """Hold one real recording on the network's grid.

    Attributes:
        sagittal: (T, 7, 3) specific force forward and up (m/s^2) and rate (rad/s).
        present: (T, 7) bool.
        body: of the wearer, without batch axes.
        sensor_position: (7, 2) assumed places, (forward, up), m.

    """

    sagittal: np.ndarray
    present: np.ndarray
    body: Body
    sensor_position: np.ndarray


@dataclass(frozen=True, eq=False)
class Streams:
    """Hold N streams of equal length as float32 tensors.

    Attributes:
        sagittal: (N, T, 7, 3) measured.
        inclination: (N, T, 7) rad.
        rate_change: (N, T, 7) rad/s^2.
        present: (N, T, 7) 1 where measured.
        body: assumed bodies, batch (N,).
        sensor_position: (N, 7, 2) assumed places, m.

    """

    sagittal: torch.Tensor
    inclination: torch.Tensor
    rate_change: torch.Tensor
    present: torch.Tensor
    body: Body
    sensor_position: torch.Tensor

    def __len__(self) -> int:
        return self.sagittal.shape[0]

    @property
    def samples(self) -> int:
        """Return the length of every stream."""
        return self.sagittal.shape[1]

    def part(self, chosen: np.ndarray | slice) -> Streams:
        """Return the streams that an index names."""
        index = chosen if isinstance(chosen, slice) else torch.as_tensor(chosen)
        return Streams(
            sagittal=self.sagittal[index],
            inclination=self.inclination[index],
            rate_change=self.rate_change[index],
            present=self.present[index],
            body=self.body.map(lambda value: value[index]),
            sensor_position=self.sensor_position[index],
        )

    def in_planes(self) -> Streams:
        """Return the same streams in the memory layout that makes losses fast, `arrays.planes`."""
        return Streams(
            sagittal=planes(self.sagittal),
            inclination=planes(self.inclination),
            rate_change=planes(self.rate_change),
            present=planes(self.present),
            body=self.body.map(lambda value: planes(value, batch_axes=1)),
            sensor_position=planes(self.sensor_position, batch_axes=1),
        )


def synthetic_streams(
    motions: Motions,
    *,
    samples: int,
    period_s: float,
    rng: np.random.Generator,
    errors: SensorErrors = USUAL_ERRORS,
) -> tuple[Streams, MotionSamples]:
    """Let synthetic wearers walk once more, with sensors worn anew.

    Returns:
        What their sensors measured, and the truth (which training never reads).

    """
    phase = torch.as_tensor(rng.random(len(motions.targets)), dtype=torch.float32)
    truth = sample(motions, time_s=torch.arange(samples) * period_s, phase=phase)
    return _worn_anew(truth, body=motions.body, period_s=period_s, rng=rng, errors=errors), truth


def episode_streams(
    episodes: Episodes,
    *,
    samples: int,
    rng: np.random.Generator,
    errors: SensorErrors = USUAL_ERRORS,
) -> tuple[Streams, MotionSamples]:
    """Cut a piece out of every episode at random, with sensors worn anew.

    Returns:
        What the sensors measured, and the truth (which training never reads).

    """
    truth = episodes.cut(rng, samples=samples)
    return _worn_anew(truth, body=episodes.body, period_s=PERIOD_S, rng=rng, errors=errors), truth


def _worn_anew(
    truth: MotionSamples,
    *,
    body: Body,
    period_s: float,
    rng: np.random.Generator,
    errors: SensorErrors,
) -> Streams:
    worn = wear(motion=truth, body=body, period_s=period_s, rng=rng, errors=errors)
    angle, change = inclination_sequence(sagittal=worn.sagittal, period_s=period_s)
    return Streams(
        sagittal=torch.as_tensor(worn.sagittal),
        inclination=torch.as_tensor(angle, dtype=torch.float32),
        rate_change=torch.as_tensor(change, dtype=torch.float32),
        present=torch.ones(worn.sagittal.shape[:3]),
        body=body_from_anthropometry(mass_kg=body.mass_kg, height_m=body.height_m),
        sensor_position=nominal_sensor_position(height_m=body.height_m),
    )


def split_recording(
    recording: UnlabelledRecording, *, share: float, least: int
) -> tuple[UnlabelledRecording, UnlabelledRecording]:
    """Keep the end of a recording apart.

    Args:
        recording: T samples.
        share: of it that is kept apart.
        least: samples that either part has at least; a recording too short for that is both.

    Returns:
        Its beginning and its end.

    """
    length = len(recording.sagittal)
    apart = max(round(share * length), least)
    if length - apart < least:
        return recording, recording

    def part(piece: slice) -> UnlabelledRecording:
        return replace(
            recording, sagittal=recording.sagittal[piece], present=recording.present[piece]
        )

    return part(slice(None, length - apart)), part(slice(length - apart, None))


def recorded_streams(
    recordings: Sequence[UnlabelledRecording], *, samples: int, period_s: float
) -> Streams:
    """Cut real recordings into streams, the last one of each overlapping the one before.

    Raises:
        ValueError: if no recording is as long as one stream.

    """
    pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, UnlabelledRecording]] = []
    for recording in recordings:
        length = recording.sagittal.shape[0]
        angle, change = inclination_sequence(
            sagittal=recording.sagittal, present=recording.present, period_s=period_s
        )
        if length < samples:
            continue
        starts = list(range(0, length - samples + 1, samples))
        if starts[-1] + samples < length:
            starts.append(length - samples)
        for start in starts:
            cut = slice(start, start + samples)
            pieces.append(
                (
                    recording.sagittal[cut],
                    angle[cut],
                    change[cut],
                    recording.present[cut],
                    recording,
                )
            )
    if not pieces:
        raise ValueError(f'no recording has {samples} samples, the length of a stream')

    def stack(values: list[np.ndarray]) -> torch.Tensor:
        return torch.as_tensor(np.stack(values), dtype=torch.float32)

    bodies = [piece[4].body for piece in pieces]
    return Streams(
        sagittal=stack([p[0] for p in pieces]),
        inclination=stack([p[1] for p in pieces]),
        rate_change=stack([p[2] for p in pieces]),
        present=stack([p[3] for p in pieces]),
        body=Body(
            **{
                name: stack([np.asarray(getattr(body, name)) for body in bodies])
                for name in Body.__dataclass_fields__
            }
        ),
        sensor_position=stack([p[4].sensor_position for p in pieces]),
    )
