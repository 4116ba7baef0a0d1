# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Give the sub-command that makes one page of an estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sspinnpose_ros.cli.json_file import json_option, write_json
from sspinnpose_ros.cli.options import output_option, overwrite_option

if TYPE_CHECKING:
    import numpy as np

    from sspinnpose_ros.bags.latency_log import LatencyLog
    from sspinnpose_ros.cli.report_charts import Normative
    from sspinnpose_ros.core.calibration import Calibration
    from sspinnpose_ros.core.subject import Subject
    from sspinnpose_ros.evaluation.gait_cycles import Strides
    from sspinnpose_ros.evaluation.metrics import Evaluation

SIGNS = (
    'Hip flexion, knee flexion and ankle dorsiflexion are positive, zero is upright standing with '
    'straight legs. Moments are net internal joint moments, signed as the angles: a plantarflexor '
    'moment is negative. Forces are those of the ground on the person, forward and up positive.'
)

NO_STRIDES = (
    'No whole stride was found after the first 3 s: the wearer stood, or the recording is too '
    'short. Steps, speed and gait cycles need at least one whole stride of each foot.'
)


@dataclass(frozen=True, eq=False)
class Content:
    """Hold what a report is made of.

    Attributes:
        name: of the estimate.
        estimate: arrays of an estimate.npz.
        subject: the wearer.
        calibration: made from the recording, None without.
        latency: what a live node reported, None without.
        reference: arrays of a reference.npz, None without.

    """

    name: str
    estimate: Mapping[str, np.ndarray]
    subject: Subject
    calibration: Calibration | None
    latency: LatencyLog | None
    reference: Mapping[str, np.ndarray] | None


@click.command(short_help='Make one HTML page of an estimate.')
@click.argument('estimate_path', metavar='OUT', type=click.Path(path_type=Path))
@click.argument(
    'reference_path', metavar='[REFERENCE.npz]', required=False, type=click.Path(path_type=Path)
)
@click.option(
    '--subject',
    'subject_path',
    metavar='SUBJECT.yaml',
    type=click.Path(path_type=Path),
    help='Mass and height for N m/kg, BWBH% and %BW. Default: subject.yaml in OUT.',
)
@output_option(metavar='REPORT.html', text='Page to write.')
@json_option('Write the verdict, and the numbers of steps and speed, to this file as well.')
@overwrite_option
def report(
    estimate_path: Path,
    reference_path: Path | None,
    subject_path: Path | None,
    output: Path,
    json_path: Path | None,
    overwrite: bool,
) -> None:
    """Make one self-contained HTML page of what `estimate` or `demo` wrote to OUT.

    The page tells how far to trust the estimate, and shows cadence, stance and speed, gait cycles
    left against right beside published ones, curves over time with one sigma, and what each
    sensor leaves unexplained. With a reference (REFERENCE.npz or a trial folder) it adds the
    errors. It loads nothing, so it can be mailed and printed.
    """
    from sspinnpose_ros.core.atomic_output import file_beside, require_free
    from sspinnpose_ros.core.errors import OutputError

    for path in (output, json_path):
        if path is not None:
            require_free(path, overwrite=overwrite)
    if find_spec('matplotlib') is None:
        raise OutputError(
            f'{output} cannot be drawn (matplotlib is not installed), expected it for the charts '
            'of a report; install matplotlib.'
        )
    content = _load(estimate_path, reference_path, subject_path)
    text = report_page(content)
    with file_beside(output, overwrite=overwrite) as partial:
        partial.write_text(text, encoding='utf-8')
    if json_path is not None:
        write_json(json_path, report_numbers(content), overwrite=overwrite)
    click.echo(f'{output}: {len(text.encode()) / 1e6:.1f} MB, one file that loads nothing.')


def _load(estimate_path: Path, reference_path: Path | None, subject_path: Path | None) -> Content:
    from sspinnpose_ros.bags.latency_log import read_latency_log
    from sspinnpose_ros.bags.reference import load_estimate, load_reference, net_moments
    from sspinnpose_ros.core.calibration_file import load_calibration
    from sspinnpose_ros.core.errors import RecordingError, SubjectError
    from sspinnpose_ros.core.subject import load_subject

    if not estimate_path.is_dir():
        seen = 'is a file' if estimate_path.exists() else 'does not exist'
        raise RecordingError(
            f'{estimate_path} {seen}, expected the folder that `sspinnpose estimate` wrote; name '
            'that folder.'
        )
    if subject_path is None:
        subject_path = estimate_path / 'subject.yaml'
        if not subject_path.exists():
            raise SubjectError(
                f'There is no subject.yaml in {estimate_path}, expected mass and height of the '
                'wearer; name a SUBJECT.yaml with --subject.'
            )
    if reference_path is not None and reference_path.is_dir():
        reference_path = reference_path / 'reference.npz'
    calibration_path, bag = estimate_path / 'calibration.yaml', estimate_path / 'bag'
    return Content(
        name=estimate_path.resolve().name,
        estimate=net_moments(load_estimate(estimate_path / 'estimate.npz')),
        subject=load_subject(subject_path),
        calibration=load_calibration(calibration_path) if calibration_path.exists() else None,
        latency=read_latency_log(bag) if bag.is_dir() else None,
        reference=None if reference_path is None else load_reference(reference_path),
    )


def report_page(content: Content) -> str:
    """Compute and lay out the page.

    Raises:
        RecordingError: for a reference that shares nothing with the estimate.

    """
    from sspinnpose_ros import __version__
    from sspinnpose_ros.cli import report_layout as layout
    from sspinnpose_ros.evaluation.estimate_health import estimate_health
    from sspinnpose_ros.evaluation.gait_cycles import find_strides, gait_timing

    estimate, subject = content.estimate, content.subject
    strides = find_strides(estimate, mass_kg=subject.mass_kg)
    timing = gait_timing(strides, estimate=estimate)
    scores = _scores(content)
    health = estimate_health(estimate, calibration=content.calibration, gait=timing.gait)
    sections = [layout.verdict(health)]
    if timing.gait is None:
        sections.append(layout.section('Gait', layout.paragraph(NO_STRIDES)))
    else:
        sections.append(layout.section('Steps and speed', layout.timing_tables(timing)))
        sections.append(_cycles(content, strides=strides, gait=timing.gait))
    if scores is not None:
        sections.append(_errors(scores))
    sections.append(_curves(content, strides=strides))
    sections += _sensors(content, gait=timing.gait)
    if content.latency is not None:
        sections.append(_latency(content.latency))
    sections.append(layout.section('Signs', layout.paragraph(SIGNS)))
    duration = float(estimate['time'][-1] - estimate['time'][0])
    return layout.page(
        title=f'Gait report: {content.name}',
        subtitle=f'{duration:.0f} s recorded; wearer of {subject.mass_kg:g} kg and '
        f'{subject.height_m:g} m. Joint angles, moments and forces are estimated from body-worn '
        'sensors, in the sagittal plane only.',
        sections=sections,
        footer=f'Made by sspinnpose {__version__}. Not a medical device: not for diagnosis.',
    )


def report_numbers(content: Content) -> dict[str, Any]:
    """Return the verdict, and the numbers of steps and speed, as plain values by name."""
    from sspinnpose_ros.evaluation.estimate_health import estimate_health
    from sspinnpose_ros.evaluation.gait_cycles import find_strides, gait_timing

    strides = find_strides(content.estimate, mass_kg=content.subject.mass_kg)
    timing = gait_timing(strides, estimate=content.estimate)
    health = estimate_health(content.estimate, calibration=content.calibration, gait=timing.gait)
    return {**asdict(health), 'gait': timing.gait, **asdict(timing)}


def _scores(content: Content) -> Evaluation | None:
    from sspinnpose_ros.core.errors import RecordingError
    from sspinnpose_ros.evaluation.metrics import SKIPPED_S, evaluate

    if content.reference is None:
        return None
    result = evaluate(
        estimate=content.estimate,
        reference=content.reference,
        mass_kg=content.subject.mass_kg,
        height_m=content.subject.height_m,
    )
    if not (result.angle or result.moment or result.grf_up or result.grf_forward):
        raise RecordingError(
            f'The reference shares no finite angle, moment or force with {content.name} after '
            f'{SKIPPED_S:g} s, expected an overlap; check that they belong to one recording.'
        )
    return result


def _cycles(content: Content, *, strides: Mapping[str, Strides], gait: str) -> str:
    from sspinnpose_ros.cli import report_layout as layout
    from sspinnpose_ros.cli.report_charts import cycle_chart

    published = _published(gait)
    parts = [
        layout.legend(
            reference=content.reference is not None,
            normative='published',
            spread='one standard deviation between strides; dotted upright line: toe off',
        )
    ]
    for quantity, caption in (
        ('angle', ''),
        ('moment', 'Net internal joint moments; there are no published ones here to compare.'),
        ('grf', 'Ground reaction force on each foot.'),
    ):
        svg = cycle_chart(
            quantity,
            estimate=content.estimate,
            reference=content.reference,
            strides=strides,
            normative=published,
            mass_kg=content.subject.mass_kg,
            height_m=content.subject.height_m,
        )
        parts.append(layout.chart(svg, caption=caption))
    words = '; '.join(one.label for one in published)
    parts.append(
        layout.paragraph(
            f'Cut at the heel strikes of each side, where its foot takes 5 % of body weight; the '
            f'first 3 s are left out. Published, in grey: {words}. Another speed, age or way of '
            'walking is no fault.'
        )
    )
    return layout.section('Gait cycles', *parts)


def _published(gait: str) -> list[Normative]:
    from sspinnpose_ros.cli.report_charts import FORCE_KINDS, JOINT_KINDS, Normative
    from sspinnpose_ros.training.gait_style import mean_cycles

    found = []
    for cycle in mean_cycles():
        if cycle.kind != gait:
            continue
        mean = {name: cycle.angles[:, row] for row, name in enumerate(JOINT_KINDS)}
        mean |= {name: cycle.force[:, 1 - row] for row, name in enumerate(FORCE_KINDS)}
        between = 'shaded one standard deviation between people' if cycle.spread else 'one person'
        label = f'{cycle.source}, {cycle.speed_mps:.1f} m/s, {between}'
        found.append(Normative(label=label, mean=mean, spread=cycle.spread))
    return found


def _errors(scores: Evaluation) -> str:
    from sspinnpose_ros.cli import report_layout as layout
    from sspinnpose_ros.evaluation.metrics import mean_of

    words = (
        f'{scores.scored_s:.0f} s compared, the first 3 s left out; nothing is shifted in time. '
        'RMSD is the root-mean-square difference, bias the mean of estimate minus reference, '
        f'bias-free the RMSD without it. 1 BWBH% is {scores.nm_per_kg:.3f} N m/kg.'
    )
    parts = [layout.score_table(scores), layout.paragraph(words)]
    curves = [
        *scores.angle.values(),
        *scores.moment.values(),
        *scores.grf_up.values(),
        *scores.grf_forward.values(),
    ]
    named = {str(row): curve for row, curve in enumerate(curves)}
    one, two = (mean_of(named, field) for field in ('within_one_sigma', 'within_two_sigma'))
    if one is not None and two is not None:
        parts.append(
            layout.paragraph(
                f'{100.0 * one:.0f} % of the errors lie within one sigma of the estimate and '
                f'{100.0 * two:.0f} % within two; honest sigmas give 68 and 95 %.'
            )
        )
    return layout.section('Errors against the reference', *parts)


def _curves(content: Content, *, strides: Mapping[str, Strides]) -> str:
    import numpy as np

    from sspinnpose_ros.cli import report_layout as layout
    from sspinnpose_ros.cli.report_charts import SHOWN_S, time_chart

    time = content.estimate['time']
    strikes = np.sort(np.concatenate([side.strike_s for side in strides.values()]))
    last = max(float(time[0]), float(time[-1]) - SHOWN_S)
    begin = min(last, float(strikes[len(strikes) // 2])) if len(strikes) else last
    svg = time_chart(
        estimate=content.estimate,
        reference=content.reference,
        begin_s=begin,
        mass_kg=content.subject.mass_kg,
    )
    return layout.section(
        'Over time',
        layout.legend(
            reference=content.reference is not None,
            normative='',
            spread='one sigma of the estimate, where the model gives it',
        ),
        layout.chart(
            svg,
            caption=f'{SHOWN_S:g} s from {begin:.1f} s on; angles left, moments right, '
            'forces below.',
        ),
    )


def _sensors(content: Content, *, gait: str | None) -> list[str]:
    from sspinnpose_ros.cli import report_layout as layout
    from sspinnpose_ros.cli.report_charts import residual_chart
    from sspinnpose_ros.evaluation.estimate_health import residual_history

    history = residual_history(content.estimate)
    if history is None:
        return []
    return [
        layout.section(
            'What the sensors leave unexplained',
            layout.legend(reference=False, normative='', spread=f'usual in {gait or "walking"}'),
            layout.residual_table(history, gait=gait),
            layout.chart(residual_chart(history, gait=gait)),
            layout.paragraph(
                'Measured minus what the estimated motion would have made the sensor measure, '
                'root mean square over a second. A sensor far above the shaded part, or '
                'that rises half-way, may have slipped.'
            ),
        )
    ]


def _latency(log: LatencyLog) -> str:
    import numpy as np

    from sspinnpose_ros.cli import report_layout as layout
    from sspinnpose_ros.cli.report_charts import latency_chart

    p50, p99, longest = log.latency_ms.T
    return layout.section(
        'Latency',
        layout.paragraph(
            'From the stamp of a measurement to the publication of its estimate, as the node '
            f'reported it: p50 {np.median(p50):.1f} ms, p99 {np.median(p99):.1f} ms, longest '
            f'{longest.max():.1f} ms.'
        ),
        layout.chart(latency_chart(log)),
    )
