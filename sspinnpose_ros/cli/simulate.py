# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that records a simulated wearer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sspinnpose_ros.cli.options import FiniteRange, output_option, overwrite_option, sensors_option
from sspinnpose_ros.core.conventions import SENSORS

if TYPE_CHECKING:
    import numpy as np

    from sspinnpose_ros.bags.imu_bag import ImuSeries

STYLES = ('usual', 'crouch', 'stiff knee', 'asymmetric', 'toe walking', 'trunk lean')
MOUNTINGS = ('aligned', 'arbitrary')
TRIAL = ('bag', 'subject.yaml', 'reference.npz')
ORIGIN_NS = 1_700_000_000_000_000_000
"""Stamp of the first sample; fixed, so that a seed gives the same bytes."""


@dataclass(frozen=True)
class SimulationConfig:
    """Say who walks how, and what they wear.

    Attributes:
        speed_mps: mean speed, m/s; above about 2.1 m/s the wearer runs, 0 squats or sways.
        mass_kg: body mass, kg.
        height_m: stature, m.
        seconds: length of the recording, s.
        standing_s: quiet standing at its beginning, s.
        rate_hz: of every sensor, Hz.
        sensors: those that are worn.
        mounting: 'aligned' sensors are x forward, y up, z right but for the errors of a hand;
            'arbitrary' ones are turned at random.
        style: of the gait, one of `STYLES`.
        perfect: sensors without noise, bias and misplacement.
        seed: of everything that is left to chance.
        iterations: of the optimisation that makes the gait obey physics.

    """

    speed_mps: float = 1.3
    mass_kg: float = 75.0
    height_m: float = 1.75
    seconds: float = 30.0
    standing_s: float = 0.0
    rate_hz: float = 100.0
    sensors: Sequence[str] = SENSORS
    mounting: str = 'aligned'
    style: str = 'usual'
    perfect: bool = False
    seed: int = 0
    iterations: int = 2000


@click.command(short_help='Record the IMUs of a simulated wearer, with the truth.')
@click.option(
    '--speed',
    default=1.3,
    show_default=True,
    type=FiniteRange(0.0, 5.0),
    help='Mean speed [m/s]; runs above about 2.1, squats or sways at 0.',
)
@click.option(
    '--mass', default=75.0, show_default=True, type=float, help='Mass of the wearer [kg].'
)
@click.option(
    '--height', default=1.75, show_default=True, type=float, help='Stature of the wearer [m].'
)
@click.option(
    '--seconds',
    default=30.0,
    show_default=True,
    type=FiniteRange(1.0, 86400.0),
    help='Length of the recording [s].',
)
@click.option(
    '--standing',
    default=0.0,
    show_default=True,
    type=FiniteRange(0.0, 600.0),
    help='Quiet standing at the beginning, part of --seconds [s].',
)
@click.option(
    '--rate-hz',
    default=100.0,
    show_default=True,
    type=FiniteRange(20.0, 2000.0),
    help='Sample rate of every sensor [Hz].',
)
@sensors_option
@click.option(
    '--mounting',
    default='aligned',
    show_default=True,
    type=click.Choice(MOUNTINGS),
    help='Sensor axes along the segments, or turned at random.',
)
@click.option(
    '--style',
    default='usual',
    show_default=True,
    type=click.Choice(STYLES),
    help='Kind of gait.',
)
@click.option('--perfect', is_flag=True, help='Sensors without noise, bias and misplacement.')
@click.option('--seed', default=0, show_default=True, type=int, help='Seed of all chance.')
@output_option(metavar='BAG', text='Trial folder to make: bag/, subject.yaml, reference.npz.')
@overwrite_option
def simulate(
    speed: float,
    mass: float,
    height: float,
    seconds: float,
    standing: float,
    rate_hz: float,
    sensors: tuple[str, ...] | None,
    mounting: str,
    style: str,
    perfect: bool,
    seed: int,
    output: Path,
    overwrite: bool,
) -> None:
    """Record the IMUs of a simulated wearer, with the truth beside them.

    The motion obeys the equations of motion of the body model, contact included, so the angles,
    moments and forces in reference.npz are those that the sensors felt.
    """
    from sspinnpose_ros.cli.progress import progress_bar
    from sspinnpose_ros.core.atomic_output import require_free

    require_free(output, overwrite=overwrite)
    if standing >= seconds:
        raise click.BadParameter(
            f'{standing:g} s of standing do not fit into {seconds:g} s, expected less; lengthen '
            '--seconds.',
            param_hint='--standing',
        )
    config = SimulationConfig(
        speed_mps=speed,
        mass_kg=mass,
        height_m=height,
        seconds=seconds,
        standing_s=standing,
        rate_hz=rate_hz,
        sensors=sensors or SENSORS,
        mounting=mounting,
        style=style,
        perfect=perfect,
        seed=seed,
    )
    with progress_bar(label='simulating', total=config.iterations) as progress:
        simulate_to_bag(output, config=config, overwrite=overwrite, progress=progress)
    click.echo(
        f'{output}: {seconds:g} s of {len(config.sensors)} sensors at {rate_hz:g} Hz, '
        f'{speed:g} m/s, {mass:g} kg, {height:g} m, mounting {mounting}.'
    )


def simulate_to_bag(
    output: Path,
    *,
    config: SimulationConfig,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write a trial folder of a simulated wearer.

    Args:
        output: folder to make.
        config: who walks how.
        overwrite: whether an earlier trial there may be replaced.
        progress: called with the number of optimisation steps since the last call.

    Raises:
        SubjectError: for a mass or height that no person has.
        OutputError: where the folder cannot be written.

    """
    from sspinnpose_ros.bags.imu_bag_writer import write_imu_bag
    from sspinnpose_ros.bags.reference import save_reference
    from sspinnpose_ros.core.atomic_output import folder_beside
    from sspinnpose_ros.core.subject import ALIGNED, UNKNOWN, make_subject, save_subject

    subject = make_subject(
        mass_kg=config.mass_kg,
        height_m=config.height_m,
        sensor_axes=ALIGNED if config.mounting == 'aligned' else UNKNOWN,
    )
    with folder_beside(output, overwrite=overwrite, contents=TRIAL) as folder:
        series, reference = _measure(config, progress)
        write_imu_bag(folder / 'bag', series=series, origin_ns=ORIGIN_NS)
        save_reference(folder / 'reference.npz', reference)
        save_subject(
            folder / 'subject.yaml',
            subject,
            notes={
                'speed_mps': config.speed_mps,
                'sample_rate_hz': config.rate_hz,
                'source': f'simulated by sspinnpose, style {config.style}, seed {config.seed}',
            },
        )


def _measure(
    config: SimulationConfig, progress: Callable[[int], None] | None
) -> tuple[dict[str, ImuSeries], dict[str, np.ndarray]]:
    """Return what the sensors measure, and the truth."""
    import numpy as np
    import torch

    from sspinnpose_ros.bags.imu_bag import ImuSeries
    from sspinnpose_ros.training.gait_style import draw_gait
    from sspinnpose_ros.training.simulated_recording import simulate_recording
    from sspinnpose_ros.training.synthetic_gait import synthesize
    from sspinnpose_ros.training.wearer import SensorErrors

    rng = np.random.default_rng(config.seed)
    reported = [0]

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(done - reported[0])
        reported[0] = done

    target = draw_gait(
        rng,
        speed_mps=config.speed_mps,
        style=config.style,
        mass_kg=config.mass_kg,
        height_m=config.height_m,
        variation=0.5,
    )
    # One wearer is too little work to share: further threads only wait for each other.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        motions = synthesize(
            [target],
            seed=config.seed,
            iterations=config.iterations,
            body_spread=0.0 if config.perfect else 1.0,
            progress=report,
        )
    finally:
        torch.set_num_threads(threads)
    # Some noise is left, because values that repeat exactly are those of a dead sensor.
    faultless = {field.name: 0.0 for field in fields(SensorErrors)}
    faultless.update(acceleration_noise=1e-4, rate_noise=1e-5)
    recording = simulate_recording(
        motions,
        seconds=config.seconds,
        standing_s=min(config.standing_s, config.seconds),
        rate_hz=config.rate_hz,
        arbitrary_mounting=config.mounting == 'arbitrary',
        rng=rng,
        errors=SensorErrors(**faultless) if config.perfect else SensorErrors(),
    )
    series = {
        sensor: ImuSeries(stamp_s=recording.time_s, sample=recording.imu[:, SENSORS.index(sensor)])
        for sensor in config.sensors
    }
    return series, recording.reference
