# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Train the network from unlabelled IMU data, by physics alone."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sspinnpose_ros
from sspinnpose_ros.core.arrays import planes
from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.decoder import BodyState, decode
from sspinnpose_ros.core.errors import ModelError
from sspinnpose_ros.core.features import network_input
from sspinnpose_ros.core.mechanics import mechanics
from sspinnpose_ros.core.model_file import Model, save_model
from sspinnpose_ros.core.network import GaitNetwork, RecurrentState, network_weights
from sspinnpose_ros.training.early_stop import EarlyStop
from sspinnpose_ros.training.episodes import Episodes, training_episodes
from sspinnpose_ros.training.gait_style import draw_gaits
from sspinnpose_ros.training.kept_memory import keep_freed_memory
from sspinnpose_ros.training.losses import LossScales, LossWeights, physics_losses, weigh
from sspinnpose_ros.training.placement_fit import PlacementPrior
from sspinnpose_ros.training.recordings import (
    Streams,
    UnlabelledRecording,
    episode_streams,
    recorded_streams,
    split_recording,
    synthetic_streams,
)
from sspinnpose_ros.training.sensor_masks import draw_masks
from sspinnpose_ros.training.synthetic_gait import Motions, MotionSamples, synthesize
from sspinnpose_ros.training.uncertainty_fit import (
    LEAST_STRANGERS,
    UncertaintyConfig,
    fit_uncertainty,
    synthesize_strangers,
)
from sspinnpose_ros.training.wearer import SensorErrors

RATE_HZ = 100.0
CHECKPOINTS = 12


@dataclass(frozen=True)
class TrainingConfig:
    """Say how a network is trained.

    Attributes:
        seed: of wearers, sensors, masks and weights.
        iterations: optimizer steps.
        wearers: synthetic motions; a held-out tenth is added for the closing check.
        gait_iterations: of the collocation that makes their motions.
        episodes: synthetic motions that start, change and stop, 0 for none; those that do not
            converge are left out.
        episode_iterations: of the collocation that makes them.
        hidden: units of each recurrent layer.
        batch: streams side by side.
        window: samples between optimizer steps; the recurrent state is carried on.
        stream: samples of a stream, after which the state starts anew.
        settle: samples at the start of a stream that no loss looks at.
        learning_rate: of AdamW, warmed up and then cosine.
        ramp: share of the iterations over which dynamics and contact are faded in.
        sparse: share of streams that show the network one of the sparse sensor sets.
        dropped: share of streams that lack one to three sensors at random.
        recorded: share of streams from real recordings, where there are any.
        unseen: share of each recording, its end, that is kept from training; the weights with the
            least physics loss there are kept in the end.
        check_every: optimizer steps between two looks at it.
        patience: looks without a better one after which training stops; 0 for never.
        threads: of torch.
        errors: how badly the synthetic sensors are worn and made.
        scales: what counts as one in each loss.
        weights: of the losses.
        placement: how far sensors may sit from where they should.
        uncertainty: how the head that tells the uncertainty is fitted in the end.

    """

    seed: int = 0
    iterations: int = 14000
    wearers: int = 400
    gait_iterations: int = 2000
    episodes: int = 64
    episode_iterations: int = 1500
    hidden: int = 128
    batch: int = 64
    window: int = 100
    stream: int = 700
    settle: int = 24
    learning_rate: float = 2e-3
    ramp: float = 0.1
    sparse: float = 0.2
    dropped: float = 0.1
    recorded: float = 0.5
    unseen: float = 0.2
    check_every: int = 50
    patience: int = 0
    threads: int = 1
    errors: SensorErrors = field(
        default_factory=lambda: SensorErrors(mounting_rad=0.1, wobble=0.1)
    )
    scales: LossScales = field(default_factory=LossScales)
    weights: LossWeights = field(default_factory=LossWeights)
    placement: PlacementPrior = field(default_factory=PlacementPrior)
    uncertainty: UncertaintyConfig = field(default_factory=UncertaintyConfig)


def adaptation(config: TrainingConfig) -> TrainingConfig:
    """Return how a trained network is adapted to new recordings: briefly and gently."""
    return replace(
        config,
        iterations=max(config.iterations // 10, 1),
        wearers=max(config.wearers // 4, 1),
        episodes=config.episodes // 4,
        learning_rate=0.25 * config.learning_rate,
        ramp=0.0,
        patience=8,
        # One person's sensors sit in one way, which the network would learn by heart.
        weights=replace(config.weights, inclination=0.0),
    )


Progress = Callable[[str, int, int, str], None]
"""Called with (stage, done, total, remark)."""


def train(
    *,
    output: Path,
    config: TrainingConfig,
    recordings: Sequence[UnlabelledRecording] = (),
    initial: Model | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Model:
    """Train a network and write it to `output`.

    Synthetic wearers are always part of it; real recordings join in where they are given.
    Under `torchrun` every process trains on its own wearers and gradients are averaged.

    Args:
        output: model folder to make; beside it lies a checkpoint while training goes on.
        config: how to train.
        recordings: unlabelled real recordings.
        initial: model whose weights to start from; anew when None.
        resume: go on from the checkpoint of an earlier, interrupted call.
        progress: told how far it is.

    Returns:
        The trained model.

    Raises:
        ModelError: for a checkpoint that cannot be read or belongs to another configuration.

    """
    return _Training(
        output=output,
        config=config,
        recordings=recordings,
        initial=initial,
        progress=progress or (lambda *_: None),
    ).run(resume=resume)


def run_network(
    network: GaitNetwork,
    *,
    streams: Streams,
    seen: torch.Tensor,
    state: RecurrentState | None = None,
) -> tuple[BodyState, RecurrentState]:
    """Run the network over whole streams.

    Args:
        network: the network.
        streams: N streams.
        seen: (N, 7) 1 where the network may look.
        state: recurrent state from before, zeros when None.

    Returns:
        The decoded state of the body, (N, T, ...), and the recurrent state.

    """
    present = streams.present * planes(seen, batch_axes=1)[:, None]
    samples = streams.samples
    inputs = network_input(
        sagittal=streams.sagittal,
        rate_change=streams.rate_change,
        inclination=streams.inclination,
        present=present,
        mass_kg=streams.body.mass_kg[:, None].expand(-1, samples),
        height_m=streams.body.height_m[:, None].expand(-1, samples),
    )
    output, following = network(inputs, state)
    return (
        decode(
            output=planes(output),
            inclination=streams.inclination,
            rate=streams.sagittal[..., 2],
            present=present,
            body=streams.body.over_time(),
        ),
        following,
    )


def score(network: GaitNetwork, *, streams: Streams, truth: MotionSamples) -> dict[str, float]:
    """Compare the network with the truth of synthetic wearers, all sensors seen.

    Returns:
        Root-mean-square errors after the first 2 s: joint angles (deg), moments (BWBH%),
        vertical ground reaction (%BW), and what a predictor would score that knows the mean of
        every wearer's angles (deg).

    """
    skip = int(2 * RATE_HZ)
    with torch.no_grad():
        state, _ = run_network(network, streams=streams, seen=torch.ones(len(streams), 7))
        effort = mechanics(body=streams.body.over_time(), state=state).effort
        weight = (streams.body.mass_kg * GRAVITY)[:, None, None]
        angle = torch.rad2deg(state.q - truth.q)[:, skip:, 3:]
        spread = torch.rad2deg(truth.q[:, skip:, 3:])
        moment = 100 * (effort - truth.effort)[:, skip:] / weight
        moment = moment / streams.body.height_m[:, None, None]
        force = (state.contact_force - truth.contact_force).sum(-2)[:, skip:, :, 1]

    def rms(value: torch.Tensor) -> float:
        return float(value.square().mean(1).sqrt().mean())

    return {
        'angle_rmsd_deg': rms(angle),
        'moment_rmsd_bwbh': rms(moment),
        'grf_rmsd_bw': rms(100 * force / weight),
        'angle_spread_deg': rms(spread - spread.mean((0, 1))),
    }


def checkpoint_of(output: Path, *, rank: int = 0) -> Path:
    """Return where the checkpoint of a process lies while a training goes on: beside its model."""
    return output.with_name(f'{output.name}.checkpoint' + (f'-{rank}' if rank else ''))


class _Training:
    """Hold one training run; `run` goes through it."""

    def __init__(
        self,
        *,
        output: Path,
        config: TrainingConfig,
        recordings: Sequence[UnlabelledRecording],
        initial: Model | None,
        progress: Progress,
    ) -> None:
        torch.set_num_threads(config.threads)
        keep_freed_memory()
        self.output = output
        self.config = config
        self.rank, self.world = _join_process_group()
        self.progress: Progress = progress if self.rank == 0 else lambda *_: None
        torch.manual_seed(config.seed)
        self.network = GaitNetwork(hidden=config.hidden if initial is None else initial.hidden)
        if initial is not None:
            self.network.load_state_dict(network_weights(initial.weights))
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=1e-4
        )
        self.rng = np.random.default_rng([config.seed, self.rank])
        self.recorded, self.unseen = self._recorded(recordings)
        self.stop = EarlyStop(patience=config.patience)
        self.seconds = sum(len(r.sagittal) for r in recordings) / RATE_HZ
        self.initial = initial

    def _recorded(
        self, recordings: Sequence[UnlabelledRecording]
    ) -> tuple[Streams | None, Streams | None]:
        """Return streams to learn from and streams to stop by."""
        if not recordings:
            return None, None
        config = self.config
        split = [
            split_recording(one, share=config.unseen, least=config.stream) for one in recordings
        ]
        seen, unseen = (
            recorded_streams(parts, samples=config.stream, period_s=1 / RATE_HZ)
            for parts in zip(*split, strict=True)
        )
        return seen, unseen.in_planes()

    def run(self, *, resume: bool) -> Model:
        start = self._load_checkpoint() if resume else 0
        if not resume:
            self.motions, self.held_out = self._synthesize()
            self.episodes = self._perform()
            # Making the wearers takes minutes, so an interruption does not cost them.
            self._save_checkpoint(0)
        iteration = start
        saved = iteration
        while iteration < self.config.iterations and not self.stop.enough:
            iteration = self._train_streams(iteration)
            # Only between two passes is the state of chance all that a resumed run needs.
            if iteration - saved >= self.config.iterations // CHECKPOINTS:
                self._save_checkpoint(iteration)
                saved = iteration
        self.stop.restore(self.network)
        model = self._model(iteration)
        if self.rank == 0:
            save_model(self.output, model)
        self._checkpoint_path.unlink(missing_ok=True)
        return model

    def _synthesize(self) -> tuple[Motions, Motions]:
        config = self.config
        rng = np.random.default_rng([config.seed, 17, self.rank])
        extra = max(config.wearers // 10, 4)
        targets = draw_gaits(rng, config.wearers // self.world + extra)
        motions = synthesize(
            targets,
            seed=config.seed + self.rank,
            iterations=config.gait_iterations,
            progress=lambda done, total: self.progress('synthetic wearers', done, total, ''),
        )
        return motions.part(slice(extra, None)), motions.part(slice(0, extra))

    def _perform(self) -> Episodes | None:
        config = self.config
        count = config.episodes // self.world
        if count == 0:
            return None
        found = training_episodes(
            count,
            seed=config.seed,
            rank=self.rank,
            iterations=config.episode_iterations,
            progress=lambda done, total: self.progress('episodes', done, total, ''),
        )
        return found if len(found) > 0 else None

    def _draw_streams(self) -> Streams:
        config = self.config
        streams, _ = synthetic_streams(
            self.motions,
            samples=config.stream,
            period_s=1 / RATE_HZ,
            rng=self.rng,
            errors=config.errors,
        )
        if self.episodes is not None:
            pieces, _ = episode_streams(
                self.episodes, samples=config.stream, rng=self.rng, errors=config.errors
            )
            streams = _join(streams, pieces)
        wearers = self.rng.permutation(len(streams))
        if self.recorded is None:
            return streams.part(wearers)
        # As many streams as without recordings, so that a pass takes equally long.
        real = round(config.recorded * len(wearers))
        chosen = self.rng.integers(len(self.recorded), size=real)
        joined = _join(streams.part(wearers[real:]), self.recorded.part(chosen))
        return joined.part(self.rng.permutation(len(joined)))

    def _train_streams(self, iteration: int) -> int:
        config = self.config
        streams = self._draw_streams()
        batch = min(config.batch, len(streams))
        for turn in range(self._least(len(streams) // batch)):
            first = turn * batch
            group = streams.part(np.arange(first, first + batch)).in_planes()
            seen = draw_masks(self.rng, batch, sparse=config.sparse, random=config.dropped)
            state: RecurrentState | None = None
            for start in range(0, config.stream - config.window + 1, config.window):
                if iteration >= config.iterations or self.stop.enough:
                    return iteration
                window = _cut(group, start, start + config.window)
                losses, state = self._step(window, seen, state, iteration, start == 0)
                iteration += 1
                if iteration % config.check_every == 0:
                    self._check(iteration)
                if iteration % 50 == 0 or iteration == config.iterations:
                    remark = ' '.join(f'{name} {value:.2f}' for name, value in losses.items())
                    self.progress('training', iteration, config.iterations, remark)
        return iteration

    def _step(
        self,
        window: Streams,
        seen: torch.Tensor,
        state: RecurrentState | None,
        iteration: int,
        beginning: bool,
    ) -> tuple[dict[str, float], RecurrentState]:
        config = self.config
        done = iteration / config.iterations
        rate = config.learning_rate * min(1.0, (iteration + 1) / 100)
        for group in self.optimizer.param_groups:
            group['lr'] = rate * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))
        body_state, following = run_network(self.network, streams=window, seen=seen, state=state)
        skip = config.settle if beginning else 0
        losses = physics_losses(
            state=body_state.after(skip),
            sagittal=window.sagittal[:, skip:],
            inclination=window.inclination[:, skip:],
            measured=window.present[:, skip:],
            sensor_position=window.sensor_position,
            body=window.body.over_time(),
            period_s=1 / RATE_HZ,
            physics=min(1.0, 0.02 + done / config.ramp) if config.ramp > 0 else 1.0,
            scales=config.scales,
            prior=config.placement,
        )
        total = weigh(losses, config.weights)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self._average_gradients()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        return (
            {name: float(value.detach()) for name, value in losses.items()},
            (following[0].detach(), following[1].detach()),
        )

    def _check(self, iteration: int) -> None:
        """Ask for physics where training does not look; only recordings are worth it."""
        if self.unseen is None:
            return
        config, streams = self.config, self.unseen
        with torch.no_grad():
            state, _ = run_network(
                self.network, streams=streams, seen=torch.ones(len(streams), len(SENSORS))
            )
            losses = physics_losses(
                state=state.after(config.window),
                sagittal=streams.sagittal[:, config.window :],
                inclination=streams.inclination[:, config.window :],
                measured=streams.present[:, config.window :],
                sensor_position=streams.sensor_position,
                body=streams.body.over_time(),
                period_s=1 / RATE_HZ,
                scales=config.scales,
                prior=config.placement,
            )
        self.stop.note(
            float(weigh(losses, config.weights)), iteration=iteration, network=self.network
        )

    def _least(self, count: int) -> int:
        """Return the least of what all processes count, so that they end a pass together."""
        if self.world > 1:
            least = torch.tensor(count)
            torch.distributed.all_reduce(least, torch.distributed.ReduceOp.MIN)
            return int(least)
        return count

    def _average_gradients(self) -> None:
        if self.world > 1:
            for parameter in self.network.parameters():
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= self.world

    def _model(self, iterations: int) -> Model:
        rng = np.random.default_rng([self.config.seed, 99])
        streams, truth = synthetic_streams(
            self.held_out,
            samples=self.config.stream,
            period_s=1 / RATE_HZ,
            rng=rng,
            errors=self.config.errors,
        )
        provenance: dict[str, Any] = {
            'package_version': sspinnpose_ros.__version__,
            'torch_version': torch.__version__,
            'iterations': iterations,
            'processes': self.world,
            'recorded_seconds': self.seconds,
            'kept_iteration': self.stop.iteration if self.unseen is not None else iterations,
            'episodes': 0 if self.episodes is None else len(self.episodes),
            'started_from': dict(self.initial.provenance) if self.initial else None,
            'held_out_synthetic': score(self.network, streams=streams, truth=truth),
            'config': asdict(self.config),
        }
        return Model(
            weights={
                name: value.detach().numpy().astype(np.float32)
                for name, value in self.network.state_dict().items()
            }
            | self._fit_uncertainty(),
            hidden=self.network.hidden,
            rate_hz=RATE_HZ,
            sensors=SENSORS,
            provenance=provenance,
        )

    def _fit_uncertainty(self) -> dict[str, np.ndarray]:
        config = self.config
        strangers = synthesize_strangers(
            max(config.wearers // 4, LEAST_STRANGERS),
            seed=config.seed,
            iterations=config.gait_iterations,
            strangeness=config.uncertainty.strangeness,
            progress=lambda done, total: self.progress('uncertainty', done, total, ''),
        )
        rng = np.random.default_rng([config.seed, 32])
        return fit_uncertainty(
            self.network,
            draw=lambda errors: synthetic_streams(
                strangers,
                samples=config.stream,
                period_s=1 / RATE_HZ,
                rng=rng,
                errors=errors,
            ),
            errors=config.errors,
            rng=rng,
            period_s=1 / RATE_HZ,
            config=config.uncertainty,
        )

    @property
    def _checkpoint_path(self) -> Path:
        return checkpoint_of(self.output, rank=self.rank)

    def _save_checkpoint(self, iteration: int) -> None:
        path = self._checkpoint_path
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + '.partial')
        torch.save(
            {
                'iteration': iteration,
                'processes': self.world,
                'config': json.dumps(asdict(self.config), sort_keys=True),
                'network': self.network.state_dict(),
                'optimizer': self.optimizer.state_dict(),
                'rng': json.dumps(self.rng.bit_generator.state),
                'stop': self.stop.state(),
                'motions': self.motions.tensors(),
                'held_out': self.held_out.tensors(),
                'episodes': None if self.episodes is None else self.episodes.tensors(),
            },
            partial,
        )
        os.replace(partial, path)

    def _load_checkpoint(self) -> int:
        path = self._checkpoint_path
        try:
            saved = torch.load(path, weights_only=True)
        except FileNotFoundError:
            raise ModelError(
                f'{path} does not exist, expected the checkpoint of an interrupted training; '
                'train without --resume.'
            ) from None
        except Exception as error:
            raise ModelError(
                f'{path} cannot be read ({type(error).__name__}), expected the checkpoint of an '
                'interrupted training; remove it and train without --resume.'
            ) from None
        if not isinstance(saved, dict) or 'config' not in saved:
            raise ModelError(
                f'{path} holds no training, expected the checkpoint of an interrupted training; '
                'remove it and train without --resume.'
            )
        if saved.get('processes') != self.world:
            raise ModelError(
                f'{path} was made by {saved.get("processes")} processes, expected the '
                f'{self.world} of this training; start as many or train without --resume.'
            )
        if saved['config'] != json.dumps(asdict(self.config), sort_keys=True):
            raise ModelError(
                f'{path} was made with other options, expected the same ones; '
                'repeat them or train without --resume.'
            )
        try:
            return self._restore(saved)
        except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(
                f'{path} does not fit this training ({type(error).__name__}), expected a '
                'checkpoint of this release; remove it and train without --resume.'
            ) from None

    def _restore(self, saved: dict[str, Any]) -> int:
        rng = np.random.default_rng([self.config.seed, 17, self.rank])
        extra = max(self.config.wearers // 10, 4)
        targets = draw_gaits(rng, self.config.wearers // self.world + extra)
        self.motions = Motions.from_tensors(saved['motions'], targets[extra:])
        self.held_out = Motions.from_tensors(saved['held_out'], targets[:extra])
        kept = saved['episodes']
        self.episodes = None if kept is None else Episodes.from_tensors(kept)
        self.stop.load(saved['stop'])
        self.network.load_state_dict(saved['network'])
        self.optimizer.load_state_dict(saved['optimizer'])
        self.rng.bit_generator.state = json.loads(saved['rng'])
        return int(saved['iteration'])


def _join_process_group() -> tuple[int, int]:
    world = int(os.environ.get('WORLD_SIZE', '1'))
    if world > 1 and not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    return int(os.environ.get('RANK', '0')), world


def _cut(streams: Streams, start: int, stop: int) -> Streams:
    return replace(
        streams,
        sagittal=streams.sagittal[:, start:stop],
        inclination=streams.inclination[:, start:stop],
        rate_change=streams.rate_change[:, start:stop],
        present=streams.present[:, start:stop],
    )


def _join(first: Streams, second: Streams) -> Streams:
    def join(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return torch.cat([one, other.to(one.dtype)])

    return Streams(
        sagittal=join(first.sagittal, second.sagittal),
        inclination=join(first.inclination, second.inclination),
        rate_change=join(first.rate_change, second.rate_change),
        present=join(first.present, second.present),
        body=Body(
            **{
                name: join(getattr(first.body, name), getattr(second.body, name))
                for name in Body.__dataclass_fields__
            }
        ),
        sensor_position=join(first.sensor_position, second.sensor_position),
    )
