# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Print how long frames take where Python collects garbage, and where the node does.

In turn, in one process with the node's packages loaded: as Python does it, whenever some hundred
objects were made; and as the node does it (`ros.tidying`), once a second between frames. Times are
of the processor, so that other processes do not count.
"""

from __future__ import annotations

import argparse
import gc
import time
from contextlib import suppress

import numpy as np

from sspinnpose_ros.core.conventions import GRAVITY, SENSORS
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.model_file import load_model
from sspinnpose_ros.core.mounting import aligned_mounting
from sspinnpose_ros.core.pipeline import Pipeline
from sspinnpose_ros.core.subject import make_subject
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.ros.tidying import Tidying

RATE_HZ = 100.0
STRIDES_PER_S = 0.9
KEPT = 512
"""Outcomes that are held on to, as the node's windows and messages are."""


class Stream:
    """A pipeline that is given the samples of one frame a call."""

    def __init__(self) -> None:
        """Start at the beginning of the walk."""
        self.pipeline = Pipeline(
            synchronizer=Synchronizer(sensors=SENSORS, config=SynchronizerConfig(rate_hz=RATE_HZ)),
            estimator=Estimator(
                model=load_model('default'),
                subject=make_subject(mass_kg=75.0, height_m=1.75, sensor_axes='aligned'),
                mounting=aligned_mounting(),
            ),
        )
        self.number = 0
        self.kept: list[object] = []
        self.noise = np.random.default_rng(0)

    def frame(self) -> int:
        """Return how long one frame took, ns."""
        time_s = self.number / RATE_HZ
        phase = 2.0 * np.pi * STRIDES_PER_S * time_s + np.arange(len(SENSORS))
        angle, still = 0.3 * np.sin(phase), np.zeros(len(SENSORS))
        rate = 0.6 * np.pi * STRIDES_PER_S * np.cos(phase)
        up, forward = GRAVITY * np.cos(angle), GRAVITY * np.sin(angle)
        samples = np.stack([forward, up, still, still, still, rate], -1)
        samples += self.noise.normal(scale=0.02, size=samples.shape)
        self.number += 1
        begin = time.thread_time_ns()
        for sensor, sample in zip(SENSORS, samples, strict=True):
            self.pipeline.push(sensor=sensor, stamp_s=time_s, sample=sample, arrival_s=time_s)
            self.kept += self.pipeline.drain(now_s=time_s)
        took = time.thread_time_ns() - begin
        del self.kept[:-KEPT]
        return took


def line(name: str, took_ns: list[int]) -> str:
    """Return percentiles in a row."""
    took_ms = 1e-6 * np.asarray(took_ns)
    cells = [*np.percentile(took_ms, (50.0, 99.0, 99.9)).tolist(), float(took_ms.max())]
    return f'{name:<44}' + ''.join(f'{cell:>9.3f}' for cell in cells)


def main() -> None:
    """Measure both ways in turn and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=6)
    parser.add_argument('--seconds', type=float, default=60.0, help='of walking in each round')
    options = parser.parse_args()
    with suppress(ImportError):
        import sspinnpose_ros.ros.estimator_node  # noqa: F401
    stream = Stream()
    for _ in range(500):
        stream.frame()
    count = round(options.seconds * RATE_HZ)
    python: list[int] = []
    node: list[int] = []
    pauses: list[int] = []
    whole: list[int] = []
    for _ in range(options.rounds):
        gc.unfreeze()
        begin = time.thread_time_ns()
        gc.collect()
        whole.append(time.thread_time_ns() - begin)
        gc.enable()
        python += [stream.frame() for _ in range(count)]
        tidying = Tidying(every_s=0.0)
        for number in range(count):
            node.append(stream.frame())
            if number % round(RATE_HZ) == 0:
                begin = time.thread_time_ns()
                tidying.tidy()
                pauses.append(time.thread_time_ns() - begin)
    heads = ''.join(f'{head:>9}' for head in ('p50', 'p99', 'p99.9', 'max'))
    print(f'{"processor time of a frame, ms":<44}{heads}')
    print(line('garbage collected as Python does', python))
    print(line('  a whole look, which comes now and then', whole))
    print(line('garbage collected as the node does', node))
    print(line('  its look, once a second between frames', pauses))


if __name__ == '__main__':
    main()
