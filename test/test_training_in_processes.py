# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Check that a training in two processes, under torchrun, is the training in one."""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip('torch')

PROGRAM = """
import json, os, sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from sspinnpose_ros.training import train as module
from sspinnpose_ros.training.gait_style import draw_gaits
from sspinnpose_ros.training.losses import LossWeights
from sspinnpose_ros.training.recordings import synthetic_streams
from sspinnpose_ros.training.synthetic_gait import synthesize
from sspinnpose_ros.training.uncertainty_fit import UncertaintyConfig

mode, folder = sys.argv[1], Path(sys.argv[2])
rank, world = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))
config = module.TrainingConfig(
    iterations=30, wearers=8, gait_iterations=30, episodes=2 if mode == 'resumed' else 0,
    episode_iterations=100, hidden=12, batch=8 // world, stream=300, window=100, threads=1,
    ramp=0.0, uncertainty=UncertaintyConfig(severities=(1.0,), passes=1, iterations=5),
)
curve = []
take_step = module._Training._step


def note(self, *arguments):
    losses, state = take_step(self, *arguments)
    curve.append(sum(weight * losses[name] for name, weight in asdict(LossWeights()).items()))
    return losses, state


module._Training._step = note
if mode == 'shared':
    motions = synthesize(draw_gaits(np.random.default_rng(0), 8), seed=0, iterations=30)
    streams, _ = synthetic_streams(
        motions, samples=config.stream, period_s=0.01, rng=np.random.default_rng(1)
    )
    part = streams.part(slice(rank * config.batch, (rank + 1) * config.batch))
    module._Training._draw_streams = lambda self: part
    module.draw_masks = lambda rng, count, **_: torch.ones(count, 7)
if mode == 'resumed':
    module.CHECKPOINTS = 4
    whole = module.train(output=folder / 'whole', config=config)
    save = module._Training._save_checkpoint

    class Interrupted(Exception):
        pass

    def save_and_stop(self, iteration):
        save(self, iteration)
        if iteration > 0:
            raise Interrupted

    module._Training._save_checkpoint = save_and_stop
    try:
        module.train(output=folder / 'part', config=config)
        raise SystemExit('the training was not interrupted')
    except Interrupted:
        pass
    module._Training._save_checkpoint = save
    model = module.train(output=folder / 'part', config=config, resume=True)
    curve.append(max(np.abs(whole.weights[n] - v).max() for n, v in model.weights.items()))
else:
    model = module.train(output=folder / 'model', config=config)
    own = {name: value for name, value in model.weights.items() if name.startswith('lstm')}
    curve.append(float(sum(np.abs(value).sum() for value in own.values())))
(folder / f'curve_{rank}.json').write_text(json.dumps([float(value) for value in curve]))
if world > 1:
    torch.distributed.destroy_process_group()
"""


def run(folder, mode, *, processes):
    """Return what each process noted: the loss of every step, and a last number."""
    folder.mkdir()
    program = folder / 'program.py'
    program.write_text(PROGRAM)
    launcher = ['-m', 'torch.distributed.run', '--standalone', f'--nproc-per-node={processes}']
    done = subprocess.run(
        [sys.executable, *(launcher if processes > 1 else []), program, mode, folder],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return np.array(
        [json.loads((folder / f'curve_{rank}.json').read_text()) for rank in range(processes)]
    )


@pytest.mark.slow
def test_two_processes_with_half_the_batch_each_follow_the_curve_of_one(tmp_path):
    (whole,) = run(tmp_path / 'one', 'shared', processes=1)
    halves = run(tmp_path / 'two', 'shared', processes=2)
    assert whole[-4:-1].mean() < 0.9 * whole[:3].mean()
    assert np.abs(halves[0] - halves[1])[:-1].max() > 1e-3
    np.testing.assert_allclose(halves.mean(0), whole, rtol=1e-3)


@pytest.mark.slow
def test_processes_with_wearers_of_their_own_learn_as_one_does(tmp_path):
    (whole,) = run(tmp_path / 'one', 'own', processes=1)
    both = run(tmp_path / 'two', 'own', processes=2)
    assert both[0, -1] == both[1, -1]
    assert both[0, 0] != both[1, 0]
    ratio = both[:, -11:-1].mean() / whole[-11:-1].mean()
    assert 0.8 < ratio < 1.25, ratio


@pytest.mark.slow
def test_processes_go_on_together_after_an_interruption(tmp_path):
    differences = run(tmp_path / 'two', 'resumed', processes=2)[:, -1]
    assert differences.max() < 1e-5
    assert not list((tmp_path / 'two').glob('*checkpoint*'))
