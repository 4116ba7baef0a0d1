# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fit what says how far a trained network may be off, on synthetic wearers whose truth is known.

These wearers are strangers to the network, and stranger than those it was trained on: a real
person is further from the simulated ones than these are from each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from sspinnpose_ros.core.conventions import SENSOR_SETS, SENSORS
from sspinnpose_ros.core.decoder import decode
from sspinnpose_ros.core.features import network_input
from sspinnpose_ros.core.mechanics import mechanics
from sspinnpose_ros.core.network import GaitNetwork
from sspinnpose_ros.core.uncertainty import (
    HEAD_BIAS,
    HEAD_WEIGHT,
    QUANTITIES,
    follow_residual,
    head_input,
    join_quantities,
    quantity_scale,
)
from sspinnpose_ros.core.virtual_imu import virtual_imu
from sspinnpose_ros.training.gait_style import draw_gaits
from sspinnpose_ros.training.recordings import Streams
from sspinnpose_ros.training.synthetic_gait import Motions, MotionSamples, synthesize
from sspinnpose_ros.training.wearer import SensorErrors

SHARES = (0.6827, 0.9545)
"""What should lie within one and two sigma."""


LEAST_STRANGERS = 40
"""Fewer motions than this tell one person's errors from all people's."""


@dataclass(frozen=True)
class UncertaintyConfig:
    """Say how the head is fitted.

    Attributes:
        strangeness: how much more than those of the training the wearers differ from published
            means and from tabled bodies.
        severities: how much worse than usual the sensors are worn in each pass over the wearers.
        passes: how often all severities are gone through.
        per_stream: samples that are kept of each stream.
        iterations: optimizer steps.
        batch: samples of a step.
        learning_rate: of Adam, decaying to nothing.
        weight_decay: on the weights of the inputs.

    """

    strangeness: float = 2.0
    severities: tuple[float, ...] = (0.7, 1.0, 1.0, 1.0, 1.4, 2.0)
    passes: int = 2
    per_stream: int = 25
    iterations: int = 800
    batch: int = 4096
    learning_rate: float = 1e-2
    weight_decay: float = 1e-2


@dataclass(frozen=True, eq=False)
class ErrorSamples:
    """Hold what the head reads and how far off the network was, no axis but the samples'.

    Attributes:
        inputs: (n, hidden + 21) from `core.uncertainty.head_input`.
        errors: (n, 16) estimate minus truth, without unit.

    """

    inputs: torch.Tensor
    errors: torch.Tensor


DrawStreams = Callable[[SensorErrors], tuple[Streams, MotionSamples]]
"""Let synthetic wearers walk once more with sensors worn this badly; also the truth."""


def synthesize_strangers(
    count: int,
    *,
    seed: int,
    iterations: int,
    strangeness: float = UncertaintyConfig.strangeness,
    progress: Callable[[int, int], None] | None = None,
) -> Motions:
    """Make motions of wearers that no training has seen.

    Args:
        count: wearers.
        seed: of their gaits and bodies.
        iterations: of the collocation.
        strangeness: see `UncertaintyConfig`.
        progress: called with (done, total) now and then.

    """
    rng = np.random.default_rng([seed, 31])
    return synthesize(
        draw_gaits(rng, count, variation=strangeness),
        seed=int(rng.integers(2**31)),
        iterations=iterations,
        body_spread=strangeness,
        progress=progress,
    )


def fit_uncertainty(
    network: GaitNetwork,
    *,
    draw: DrawStreams,
    errors: SensorErrors,
    rng: np.random.Generator,
    period_s: float,
    config: UncertaintyConfig | None = None,
) -> dict[str, np.ndarray]:
    """Fit the head to a network that stays as it is.

    Args:
        network: the trained network.
        draw: source of streams with truth.
        errors: how badly the sensors are usually worn and made.
        rng: source of chance for sensor sets and samples.
        period_s: sample period, s.
        config: how to fit.

    Returns:
        The weights of the head, float32, by name.

    """
    config = config or UncertaintyConfig()
    parts = []
    for severity in config.severities * config.passes:
        streams, truth = draw(worse(errors, severity))
        parts.append(
            error_samples(
                network,
                streams=hide_sensors(streams, draw_subsets(rng, streams)),
                truth=truth,
                rng=rng,
                per_stream=config.per_stream,
                period_s=period_s,
            )
        )
    return fit_head(
        ErrorSamples(
            inputs=torch.cat([part.inputs for part in parts]),
            errors=torch.cat([part.errors for part in parts]),
        ),
        rng=rng,
        config=config,
    )


def worse(errors: SensorErrors, severity: float) -> SensorErrors:
    """Return errors of which those of wearing are `severity` times as large."""
    return replace(
        errors,
        position_m=severity * errors.position_m,
        mounting_rad=severity * errors.mounting_rad,
        rate_bias=severity * errors.rate_bias,
        wobble=severity * errors.wobble,
    )


def draw_subsets(rng: np.random.Generator, streams: Streams) -> torch.Tensor:
    """Draw which sensors each stream shows when: all, a sparse set, or some lost at random.

    Returns:
        (N, T, 7) 1 where seen.

    """
    count, samples = len(streams), streams.samples
    seen = np.ones((count, samples, len(SENSORS)), np.float32)
    sparse = [np.isin(SENSORS, names) for key, names in SENSOR_SETS.items() if key != 'all']
    for stream in range(count):
        kind = rng.random()
        if kind < 0.4:
            continue
        if kind < 0.7:
            kept = sparse[int(rng.integers(len(sparse)))]
        else:
            kept = np.ones(len(SENSORS), bool)
            lost = int(rng.integers(1, len(SENSORS)))
            kept[rng.choice(len(SENSORS), lost, replace=False)] = False
        begin = 0 if rng.random() < 0.7 else int(rng.integers(samples))
        seen[stream, begin:, ~kept] = 0.0
    return torch.as_tensor(seen)


def hide_sensors(streams: Streams, seen: torch.Tensor) -> Streams:
    """Return streams that lack the sensors where `seen` (N, T, 7) is 0."""
    return replace(streams, present=streams.present * seen)


def error_samples(
    network: GaitNetwork,
    *,
    streams: Streams,
    truth: MotionSamples,
    rng: np.random.Generator,
    per_stream: int,
    period_s: float,
    first: int = 20,
    group: int = 64,
) -> ErrorSamples:
    """Run the network over streams and compare it with the truth at some samples.

    Args:
        network: the trained network.
        streams: N streams.
        truth: of the same N.
        rng: source of chance.
        per_stream: samples that are kept of each stream.
        period_s: sample period, s.
        first: sample of a stream before which none is kept.
        group: streams that are run at once.

    """
    inputs, errors = [], []
    for start in range(0, len(streams), group):
        chosen = slice(start, start + group)
        part = streams.part(chosen)
        true = join_quantities(
            angle=truth.q[chosen][..., 3:],
            effort=truth.effort[chosen],
            ground_force=truth.contact_force[chosen].sum(-2),
        )
        scale = quantity_scale(mass_kg=part.body.mass_kg, height_m=part.body.height_m)
        shown, estimated = head_inputs(network, streams=part, period_s=period_s)
        off = (estimated - true) / scale[:, None]
        count, samples = off.shape[:2]
        at = torch.as_tensor(rng.integers(first, samples, size=(count, per_stream)))
        row = torch.arange(count)[:, None]
        inputs.append(shown[row, at].flatten(0, 1))
        errors.append(off[row, at].flatten(0, 1))
    return ErrorSamples(inputs=torch.cat(inputs), errors=torch.cat(errors))


def head_inputs(
    network: GaitNetwork, *, streams: Streams, period_s: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the network over streams as the estimator does.

    Returns:
        What the head reads (N, T, hidden + 21), and the estimates (N, T, 16) in rad, N m and N
        as `join_quantities` arranges them.

    """
    body, present = streams.body, streams.present
    samples = streams.samples
    shown = network_input(
        sagittal=streams.sagittal,
        rate_change=streams.rate_change,
        inclination=streams.inclination,
        present=present,
        mass_kg=body.mass_kg[:, None].expand(-1, samples),
        height_m=body.height_m[:, None].expand(-1, samples),
    )
    with torch.no_grad():
        recurrent, _ = network.lstm(shown)
        state = decode(
            output=network.read_out(recurrent, shown),
            inclination=streams.inclination,
            rate=streams.sagittal[..., 2],
            present=present,
            body=body.over_time(),
        )
        found = mechanics(body=body.over_time(), state=state)
    virtual = virtual_imu(motion=found.motion, position=streams.sensor_position[:, None])
    residual = streams.sagittal - virtual
    mean_square = torch.full((*residual.shape[:-1], 2), torch.nan)
    latest = mean_square[:, 0]
    for t in range(samples):
        latest = follow_residual(
            latest, residual=residual[:, t], present=present[:, t], period_s=period_s
        )
        mean_square[:, t] = latest
    return (
        head_input(recurrent=recurrent, present=present, mean_square=mean_square),
        join_quantities(
            angle=state.q[..., 3:],
            effort=found.effort,
            ground_force=state.contact_force.sum(-2),
        ),
    )


def fit_head(
    samples: ErrorSamples, *, rng: np.random.Generator, config: UncertaintyConfig
) -> dict[str, np.ndarray]:
    """Fit sigmas such that the usual shares of errors lie within one and two of them.

    The loss is the pinball loss of both quantiles in the logarithm of the error's size. Other
    than a Gaussian likelihood it is not led by the few large errors of heavy tails.

    Returns:
        The weights of the head, float32, by name.

    """
    size = samples.errors.abs().clamp_min(1e-9).log()
    centre, spread = samples.inputs.mean(0), samples.inputs.std(0).clamp_min(1e-3)
    weight = torch.zeros(QUANTITIES, samples.inputs.shape[1], requires_grad=True)
    bias = torch.quantile(size[:100_000], SHARES[0], dim=0).requires_grad_()
    optimizer = torch.optim.AdamW(
        [
            {'params': [weight], 'weight_decay': config.weight_decay / config.learning_rate},
            {'params': [bias], 'weight_decay': 0.0},
        ],
        config.learning_rate,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.iterations)
    for _ in range(config.iterations):
        rows = torch.as_tensor(rng.integers(len(size), size=config.batch))
        inputs = (samples.inputs[rows] - centre) / spread
        log_sigma = inputs @ weight.T + bias
        loss = sum(
            _pinball(size[rows] - log_sigma - float(np.log(1 + count)), share)
            for count, share in enumerate(SHARES)
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        raw = weight / spread
        shift = bias - raw @ centre
    return {
        HEAD_WEIGHT: raw.numpy().astype(np.float32),
        HEAD_BIAS: shift.numpy().astype(np.float32),
    }


def _pinball(difference: torch.Tensor, share: float) -> torch.Tensor:
    return torch.maximum(share * difference, (share - 1.0) * difference).mean()
