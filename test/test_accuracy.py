# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score everything the accuracy page claims, on tiny data."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from command_line import run, write_model
from made_recordings import write_trial

from sspinnpose_ros.core.conventions import GRAVITY, JOINTS, SENSOR_SETS, SENSORS, SIDES
from sspinnpose_ros.core.sensor_location import SensorLocation
from sspinnpose_ros.evaluation import accuracy_table, model_card
from sspinnpose_ros.evaluation.accuracy_results import (
    ALL,
    LEAST_MEAN_GAIT_DEG,
    MEAN_GAIT,
    AccuracyResults,
    ScoredModel,
    TrialScores,
    WearerScores,
    spread,
)
from sspinnpose_ros.evaluation.accuracy_table import accuracy_tables
from sspinnpose_ros.evaluation.accuracy_targets import (
    RECORDED_TARGETS,
    TargetRow,
    counting_sentence,
    target_rows,
)
from sspinnpose_ros.evaluation.location_scores import location_errors, mean_error
from sspinnpose_ros.evaluation.mean_gait import MeanGait
from sspinnpose_ros.evaluation.metrics import Evaluation, evaluate, mean_of

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

ROOT = Path(__file__).parents[1]
MASS, HEIGHT = 70.0, 1.75
TIME = np.arange(0.0, 6.0, 0.01)


def curves(*, seconds: float = 6.0) -> dict[str, np.ndarray]:
    """Return a made-up reference with everything in it."""
    time = np.arange(0.0, seconds, 0.01)
    named = {'time': time}
    for row, joint in enumerate(JOINTS):
        named[f'angle_{joint}'] = 0.3 * np.sin(5.0 * time + row)
        named[f'moment_{joint}'] = 40.0 * np.cos(5.0 * time + row)
    for row, side in enumerate(SIDES):
        named[f'grf_up_{side}'] = 400.0 + 300.0 * np.sin(5.0 * time + row)
        named[f'grf_forward_{side}'] = 50.0 * np.cos(5.0 * time + row)
    return named


def off_by(*, deg: float = 0.0, bwbh: float = 0.0, percent: float = 0.0) -> Evaluation:
    """Return the scores of an estimate with these constant errors."""
    reference, weight = curves(), MASS * GRAVITY
    error = {
        'angle': np.deg2rad(deg),
        'moment': bwbh / 100.0 * weight * HEIGHT,
        'grf': percent / 100.0 * weight,
        'time': 0.0,
    }
    estimate = {name: each + error[name.split('_')[0]] for name, each in reference.items()}
    return evaluate(estimate=estimate, reference=reference, mass_kg=MASS, height_m=HEIGHT)


def trial(name: str, *ours: Evaluation, adapted: Evaluation | None = None) -> TrialScores:
    return TrialScores(
        trial=name,
        ours=dict.fromkeys(SENSOR_SETS, ours),
        classical={'classical': off_by(deg=9.0, bwbh=4.0, percent=20.0)},
        adapted=adapted,
    )


def wearer(ours: Sequence[Evaluation], *, mean_gait_deg: float) -> WearerScores:
    others = {
        'classical': off_by(deg=3.5, bwbh=3.0, percent=20.0),
        MEAN_GAIT: off_by(deg=mean_gait_deg, bwbh=2.0, percent=10.0),
    }
    return WearerScores(kind='crouch', ours=ours, others=others)


def results(
    *trials: TrialScores, models: int = 1, diverse: Sequence[WearerScores] = ()
) -> AccuracyResults:
    scored = [ScoredModel(name=f'm{seed}', seed=seed, recorded_s=0.0) for seed in range(models)]
    return AccuracyResults(models=scored, trials=trials, diverse=diverse)


def row(found: AccuracyResults, case: str, quantity: str) -> TargetRow:
    (one,) = [
        each
        for each in target_rows(found)
        if each.case == case and each.quantity.startswith(quantity)
    ]
    return one


# The predictor that measures nothing


def population() -> MeanGait:
    rng = np.random.default_rng(0)
    speed = np.linspace(1.0, 2.0, 24)
    return MeanGait(
        gait=('walking',) * 24,
        speed_mps=speed,
        angle=speed[:, None, None] * np.sin(2 * np.pi * np.arange(100) / 100)[None, :, None]
        + np.zeros(6),
        moment=rng.normal(size=(24, 100, 6)),
        force=rng.normal(size=(24, 100, 2, 2)),
    )


def answer(mean_gait: MeanGait, *, speed_mps: float, gait: str = 'walking') -> dict:
    phase = TIME / 1.2 % 1.0
    return mean_gait.estimate(
        time_s=TIME,
        phase=phase,
        gait=np.full(len(TIME), gait),
        speed_mps=np.full(len(TIME), speed_mps),
        mass_kg=MASS,
        height_m=HEIGHT,
    )


def test_the_mean_gait_is_that_of_the_people_nearest_in_speed() -> None:
    slow, fast = (answer(population(), speed_mps=speed) for speed in (1.0, 2.0))
    nearest = population().speed_mps[:8].mean()
    expected = nearest * np.sin(2 * np.pi * TIME / 1.2)
    np.testing.assert_allclose(slow['angle_knee_angle_l'], expected, atol=3e-3)
    assert np.ptp(fast['angle_knee_angle_l']) > 1.4 * np.ptp(slow['angle_knee_angle_l'])


def test_the_mean_gait_scales_with_the_person() -> None:
    people = population()
    given = answer(people, speed_mps=1.0)
    weight = MASS * GRAVITY
    at_zero = people.moment[:8, 0, 0].mean() * weight * HEIGHT
    assert given['moment_hip_flexion_r'][0] == pytest.approx(at_zero)
    assert given['grf_up_l'][0] == pytest.approx(people.force[:8, 0, 1, 1].mean() * weight)


def test_the_mean_gait_changes_with_the_gait() -> None:
    people = replace(population(), gait=('walking',) * 12 + ('standing',) * 12)
    gait = np.where(TIME < 3.0, 'walking', 'standing')
    given = people.estimate(
        time_s=TIME,
        phase=TIME / 1.2 % 1.0,
        gait=gait,
        speed_mps=np.full(len(TIME), 1.0),
        mass_kg=MASS,
        height_m=HEIGHT,
    )
    walked = answer(population(), speed_mps=1.0)['angle_knee_angle_r']
    np.testing.assert_allclose(given['angle_knee_angle_r'][TIME < 3.0], walked[TIME < 3.0])
    assert np.ptp(given['angle_knee_angle_r'][TIME >= 3.0]) > 1.2 * np.ptp(walked)


def test_the_mean_gait_knows_nobody_of_another_gait() -> None:
    with pytest.raises(ValueError, match='nobody running is known'):
        answer(population(), speed_mps=3.0, gait='running')


# A set counts only if that predictor fails on it


def test_a_set_that_a_mean_gait_answers_does_not_count() -> None:
    ours = [off_by(deg=2.0, bwbh=0.5, percent=3.0)]
    hard, easy = (
        results(diverse=[wearer(ours, mean_gait_deg=deg)])
        for deg in (LEAST_MEAN_GAIT_DEG + 0.1, LEAST_MEAN_GAIT_DEG - 0.1)
    )
    assert hard.diverse_counts
    assert not easy.diverse_counts
    assert counting_sentence(hard).endswith('it counts.')
    assert 'does NOT count' in counting_sentence(easy)
    of_set = [each for each in target_rows(hard) if each.case.startswith('diverse')]
    assert {each.verdict for each in of_set} == {'met'}
    of_set = [each for each in target_rows(easy) if each.case.startswith('diverse')]
    assert {each.verdict for each in of_set} == {'does not count'}
    assert 'does not count' in accuracy_tables(easy)


def test_the_set_of_this_package_counts_and_usual_gait_does_not() -> None:
    pytest.importorskip('torch')
    from sspinnpose_ros.training.diverse_wearers import DIVERSE, USUAL, draw_targets
    from sspinnpose_ros.training.gait_style import NODES, draw_gaits

    people = draw_gaits(np.random.default_rng([0, 17, 0]), 300)
    predictor = MeanGait(
        gait=tuple(each.kind for each in people),
        speed_mps=np.array([each.speed_mps for each in people]),
        angle=np.stack([each.angles for each in people]),
        moment=np.zeros((len(people), NODES, 6)),
        force=np.stack([each.force for each in people]),
    )
    found = {}
    for name, kinds in (('diverse', DIVERSE), ('usual', USUAL)):
        errors = []
        for _, target in draw_targets(kinds, size=3):
            phase = np.arange(NODES) / NODES
            reference = {'time': phase * target.duration_s}
            for index, joint in enumerate(JOINTS):
                reference[f'angle_{joint}'] = target.angles[:, index]
            given = predictor.estimate(
                time_s=reference['time'],
                phase=phase,
                gait=np.full(NODES, target.kind),
                speed_mps=np.full(NODES, target.speed_mps),
                mass_kg=target.mass_kg,
                height_m=target.height_m,
            )
            scored = evaluate(
                estimate=given,
                reference=reference,
                mass_kg=target.mass_kg,
                height_m=target.height_m,
                skipped_s=0.0,
            )
            errors.append(mean_of(scored.angle, 'rmsd'))
        found[name] = np.mean(errors)
    assert found['diverse'] >= LEAST_MEAN_GAIT_DEG
    assert found['usual'] < LEAST_MEAN_GAIT_DEG


# Targets


def test_targets_are_met_by_all_some_or_no_models() -> None:
    good, bad = off_by(deg=4.0, bwbh=1.0, percent=7.0), off_by(deg=5.0, bwbh=1.0, percent=9.0)
    case = '`overground_walk_p1`, zero-shot'
    for ours, verdict in (((good, good), 'met'), ((good, bad), 'met by 1 of 2'),
                          ((bad, bad), 'not met')):  # fmt: skip
        found = results(trial('overground_walk_p1', *ours), models=2)
        assert row(found, case, 'angles').verdict == verdict
        assert row(found, case, 'moments').verdict == 'met'
    assert row(results(), case, 'angles').verdict == 'no data here'


def test_several_trials_are_averaged_and_the_worst_is_named() -> None:
    found = results(
        trial('overground_walk_p1', off_by(deg=3.0)), trial('overground_run_p1', off_by(deg=6.0))
    )
    one = row(found, 'p1, feet+thighs', 'angles')
    assert one.reached == pytest.approx([4.5])
    assert one.worst == ('overground_run_p1', pytest.approx(6.0))


def test_adapted_models_have_rows_of_their_own() -> None:
    walk = trial('overground_walk_p1', off_by(deg=6.0), adapted=off_by(deg=3.0))
    one = row(results(walk), '`overground_walk_p1`, adapted', 'angles')
    assert one.verdict == 'met'
    assert 'unlabelled' in one.data
    assert '| sspinnpose, adapted | 3.0 |' in accuracy_tables(results(walk))


def test_recorded_data_in_training_is_said_in_every_row() -> None:
    found = results(trial('overground_walk_p1', off_by(deg=3.0)))
    found = replace(found, models=[ScoredModel(name='m', seed=0, recorded_s=61.0)])
    assert row(found, '`overground_walk_p1`, zero-shot', 'angles').data == '61 s of recorded IMUs'


def test_every_target_is_in_the_page() -> None:
    text = accuracy_tables(results(trial('treadmill_walk_a', off_by())))
    for target in RECORDED_TARGETS:
        for limit in target.limits.values():
            assert any(
                line.startswith(f'| {target.case} |') and f'<= {limit:.2g} |' in line
                for line in text.splitlines()
            )
    assert text.count('no data here') > 10


def test_numbers_of_several_models_are_means_and_ranges() -> None:
    assert spread([1.0, 2.0, 3.0]) == '2.0 (1.0-3.0)'
    assert spread([1.0]) == '1.0'
    assert spread([None]) == ''
    two = results(trial('overground_walk_p1', off_by(deg=3.0), off_by(deg=5.0)), models=2)
    text = accuracy_tables(two)
    assert '`m0` (seed 0), the one shipped' in text
    assert '| `overground_walk_p1` | sspinnpose | 4.0 (3.0-5.0) |' in text


def test_moments_are_given_in_newton_metres_and_without_offset() -> None:
    text = accuracy_tables(results(trial('overground_walk_p1', off_by(bwbh=2.0))))
    assert f'| {0.02 * GRAVITY * HEIGHT:.3f} | 0.000 |' in text


# Sensor positions


def location(*, assumed: float, change: float, turned: float) -> SensorLocation:
    known = dict.fromkeys(SensorLocation.__dataclass_fields__, 0.0)
    known |= {
        'assumed_m': np.array([assumed, 0.0]),
        'change_m': np.array([change, 0.0]),
        'mounting_rad': turned,
    }
    return SensorLocation(**known)  # type: ignore[arg-type]


def test_position_errors_are_distances_before_and_after() -> None:
    found = {name: location(assumed=0.03, change=-0.02, turned=0.04) for name in SENSORS[:-1]}
    errors = location_errors(
        found=found, position_m=np.zeros((7, 2)), mounting_rad=np.full(7, 0.06)
    )
    assert mean_error([errors], 'before_m', legs=True) == pytest.approx(0.03)
    assert mean_error([errors], 'after_m', legs=False) == pytest.approx(0.01)
    assert mean_error([errors], 'after_rad', legs=True) == pytest.approx(0.02)
    assert np.isnan(errors.after_m[-1])
    unknown = location_errors(found=found, position_m=np.zeros((7, 2)))
    assert mean_error([unknown], 'after_rad', legs=True) is None
    assert mean_error([], 'after_m', legs=True) is None


# The command


@pytest.fixture(scope='module')
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp('models')
    return [write_model(folder / name) for name in ('one', 'two')]


def document(path: Path, begin: str, end: str) -> Path:
    path.write_text(f'# Title\n\n{begin}\n{end}\n\nmore\n')
    return path


def test_the_command_scores_models_sets_and_adaptation(
    tmp_path: Path, models: list[Path], monkeypatch: Patch, capsys: Capture
) -> None:
    folder = write_trial(tmp_path / 'data' / 'overground_walk_p1')
    np.savez(folder / 'reference.npz', **curves())
    docs = document(tmp_path / 'a.md', accuracy_table.BEGIN, accuracy_table.END)
    card = document(tmp_path / 'c.md', model_card.BEGIN, model_card.END)
    out = tmp_path / 'a.json'
    done = run(
        monkeypatch, capsys, 'accuracy', tmp_path / 'data',
        *('--model', models[0], '--model', models[1], '--diverse', 0),
        *('--adapted', f'overground_walk_p1={models[1]}'),
        *('--docs', docs, '--card', card, '--json', out),
    )  # fmt: skip
    assert done.code == 0, done.err
    written = json.loads(out.read_text())
    assert {each['verdict'] for each in written['targets']} >= {'no data here', 'not met'}
    scores = written['trials']['overground_walk_p1']
    assert set(scores['sensors']) == set(SENSOR_SETS)
    assert all(len(each) == 2 for each in scores['sensors'].values())
    assert scores['adapted'] == scores['sensors'][ALL][1]
    seen = [each[0]['angle_rmsd_deg'] for each in scores['sensors'].values()]
    assert len({round(value, 6) for value in seen}) == len(SENSOR_SETS)
    text = docs.read_text()
    assert text.endswith(f'{accuracy_table.END}\n\nmore\n')
    assert '| `overground_walk_p1` | shanks+pelvis |' in text
    assert '| seed | unknown |' in card.read_text()


def test_the_command_refuses_what_it_cannot_use(
    tmp_path: Path, models: list[Path], monkeypatch: Patch, capsys: Capture
) -> None:
    folder = write_trial(tmp_path / 'data' / 'walk')
    np.savez(folder / 'reference.npz', **curves())
    for complaint, *arguments in (
        ('is not TRIAL=MODEL', '--adapted', 'walk'),
        ('holds no trial run', '--adapted', f'run={models[0]}'),
        ('no model can be read', '--adapted', f'walk={tmp_path / "none"}'),
        ('lacks the markers', '--card', folder / 'subject.yaml'),
    ):
        done = run(
            monkeypatch, capsys, 'accuracy', tmp_path / 'data', '--model', models[0], *arguments
        )
        assert done.code == 2
        assert complaint in done.err
        assert 'Traceback' not in done.err


# The synthetic test set


def test_synthetic_wearers_are_scored(models: list[Path]) -> None:
    pytest.importorskip('torch')
    from sspinnpose_ros.cli.accuracy_diverse import score_wearer
    from sspinnpose_ros.training.diverse_wearers import USUAL, diverse_wearers
    from sspinnpose_ros.training.population_cycles import population_cycles

    wearers = diverse_wearers(USUAL, size=1, seconds=5.0, iterations=3)
    assert [each.kind for each in wearers] == ['usual walking'] * 2 + ['usual running'] * 2
    again = diverse_wearers(USUAL, size=1, seconds=5.0, iterations=3)
    np.testing.assert_array_equal(wearers[0].sagittal, again[0].sagittal)
    people = population_cycles(wearers=40, iterations=3)
    scores = score_wearer(
        wearers[-1], models=[str(each) for each in models], mean_gait=MeanGait(**vars(people))
    )
    assert len(scores.ours) == len(scores.locations) == 2
    assert set(scores.others) == {'classical', MEAN_GAIT}
    for evaluation in (*scores.ours, *scores.others.values()):
        assert evaluation.scored_s == pytest.approx(2.0, abs=0.05)
        assert set(evaluation.angle) == set(JOINTS)
    assert np.isfinite(scores.locations[0].before_m).all()


@pytest.mark.slow
def test_episodes_are_scored_with_an_oracle_of_their_own() -> None:
    pytest.importorskip('torch')
    from sspinnpose_ros.training import diverse_wearers

    wearers = diverse_wearers.episode_wearers(count=9, iterations=400)
    assert wearers
    for each in wearers:
        load = each.reference['grf_up_r'] / (each.mass_kg * GRAVITY)
        begun = np.flatnonzero(np.diff(each.phase) < -0.5) + 1
        # Phase starts anew where the right foot strikes, as far as it does.
        struck = [at for at in begun if 10 < at < len(load) - 10 and load[at - 10] < 0.1]
        assert all(load[at : at + 10].max() > 0.15 for at in struck)
        assert set(each.gait) <= {'standing', 'walking', 'running'}
        assert (each.speed_mps[each.gait == 'standing'] < 0.2).all()
    assert any(len(set(each.gait)) > 1 for each in wearers)


def test_the_oracle_phase_is_that_of_the_motion() -> None:
    pytest.importorskip('torch')
    from sspinnpose_ros.training.diverse_wearers import USUAL, diverse_wearers

    for each in diverse_wearers(USUAL, size=1, seconds=6.0, iterations=3):
        knee = each.reference['angle_knee_angle_r']
        order = np.argsort(each.phase)
        # Neighbours in phase are neighbours in angle, however many cycles apart.
        assert np.abs(np.diff(knee[order])).max() < 0.15 * np.ptp(knee)


# The ablation


@pytest.fixture(scope='module')
def ablation() -> ModuleType:
    pytest.importorskip('torch')
    spec = importlib.util.spec_from_file_location('ablation', ROOT / 'benchmarks' / 'ablation.py')
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setitem(__import__('sys').modules, 'ablation', module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_ablation_runs_and_goes_on(
    ablation: ModuleType, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    docs = document(tmp_path / 'a.md', ablation.BEGIN, ablation.END)
    rows = ['nothing', 'linear skip', 'inclination filter', 'unusual styles', 'loss: contact']
    settings = [
        *('--iterations', 8, '--wearers', 8, '--episodes', 0, '--gait-iterations', 3),
        *('--batch', 8, '--test-size', 1, '--cache', tmp_path / 'cache', '--docs', docs),
    ]

    def call(*names: str) -> str:
        words = ['ablation.py', *(str(each) for each in settings), '--rows', *names]
        monkeypatch.setattr('sys.argv', words)
        ablation.main()
        return capsys.readouterr().out

    first = call(*rows[:2])
    monkeypatch.setattr(ablation, '_share', lambda *_: pytest.fail('a kept row is made again'))
    assert call(*rows[:2]) == first
    monkeypatch.undo()
    whole = call(*rows)
    assert first.splitlines()[-1] in whole
    kept = [json.loads(each.read_text()) for each in (tmp_path / 'cache').glob('*.json')]
    # Every row differs from the one with nothing removed.
    assert len({each['scores']['synthetic']['angles'] for each in kept}) == len(rows)
    assert f'| {rows[-1]} |' in docs.read_text()


def test_every_loss_has_a_row(ablation: ModuleType) -> None:
    from dataclasses import fields

    from sspinnpose_ros.training.losses import LossWeights

    zeroed = {name for each in ablation.ABLATIONS for name in each.weights}
    assert zeroed == {each.name for each in fields(LossWeights)}


def test_without_the_skip_it_stays_zero(ablation: ModuleType) -> None:
    import torch

    config = ablation.TrainingConfig(
        iterations=2, wearers=4, gait_iterations=2, batch=4, stream=200, hidden=8, episodes=0
    )
    shared = ablation._share(config)
    networks = [
        ablation._train(ablation.Ablation('', skip=skip), config=config, shared=shared)
        for skip in (True, False)
    ]
    assert torch.count_nonzero(networks[0].skip.weight) > 0
    assert torch.count_nonzero(networks[1].skip.weight) == 0
