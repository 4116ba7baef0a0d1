# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lay a report out as one HTML page that loads nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from string import Template

import numpy as np

from sspinnpose_ros.core.conventions import SENSORS, SIDES
from sspinnpose_ros.evaluation.estimate_health import (
    EstimateHealth,
    ResidualHistory,
    usual_residual,
)
from sspinnpose_ros.evaluation.gait_cycles import GaitTiming
from sspinnpose_ros.evaluation.metrics import COLUMNS, Evaluation, Score, mean_of

SIDE_NAMES = {'r': 'right', 'l': 'left'}

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --paper: #fff; --ink: #22262b; --soft: #5d6670; --grid: #d5dade;
  --norm: #8d98a3; --right: #c8503c; --left: #2f74b0; --fine: #2f8f5b; --caution: #b97a12;
  --faulty: #c8503c; }
@media (prefers-color-scheme: dark) { :root { --paper: #16191c; --ink: #dfe3e6; --soft: #9aa4ad;
  --grid: #3b4248; --norm: #8a949d; --right: #e8806d; --left: #6cabdf; --fine: #58b985;
  --caution: #dba544; --faulty: #e8806d; } }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --grid: #ccc; --norm: #888;
  --right: #c8503c; --left: #2f74b0; } section { break-inside: avoid; } }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .4rem; }
p, ul { margin: .4rem 0; max-width: 48rem; }
.soft, figcaption, th, tfoot td { color: var(--soft); }
.verdict { border-left: 5px solid; padding: .5rem 1rem; margin: 1.2rem 0; }
.verdict.fine { border-color: var(--fine); } .verdict.caution { border-color: var(--caution); }
.verdict.faulty { border-color: var(--faulty); }
.verdict strong { font-size: 1.15rem; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .9rem .15rem 0; text-align: right; font-weight: normal;
  border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { text-align: left; }
tr.group td { padding-top: .7rem; font-weight: 600; }
.wide { overflow-x: auto; }
figure { margin: .6rem 0; }
svg { width: 100%; height: auto; display: block; }
svg text { font-family: inherit !important; }
.item { white-space: nowrap; margin-right: .9em; }
.key { display: inline-block; width: 1.6em; margin-right: .3em; vertical-align: middle;
  border-top: 2px solid; }
.key.right { border-color: var(--right); } .key.left { border-color: var(--left); }
.key.dashed { border-top-style: dashed; }
.key.norm { border-top: .8em solid var(--norm); opacity: .35; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="soft">$subtitle</p>
$body
<p class="soft">$footer</p>
</body>
</html>
""")


def page(*, title: str, subtitle: str, sections: Iterable[str], footer: str) -> str:
    """Return the page; title, subtitle and footer are plain text, sections are HTML."""
    return PAGE.substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        body='\n'.join(sections),
        footer=escape(footer),
    )


def section(heading: str, *parts: str) -> str:
    """Return a heading with HTML below it."""
    return f'<section>\n<h2>{escape(heading)}</h2>\n' + '\n'.join(parts) + '\n</section>'


def paragraph(text: str) -> str:
    """Return plain text as a paragraph."""
    return f'<p>{escape(text)}</p>'


def chart(svg: str, *, caption: str = '') -> str:
    """Return an SVG with plain text below it."""
    words = f'<figcaption>{escape(caption)}</figcaption>' if caption else ''
    return f'<figure>{svg}{words}</figure>'


def legend(*, reference: bool, normative: str, spread: str) -> str:
    """Return what the colours and strokes of a chart mean.

    Args:
        reference: whether dashed curves are drawn.
        normative: what the grey curves are, in words; empty without any.
        spread: what the coloured bands are, in words.

    """
    parts = [('right', 'right'), ('left', 'left')]
    if reference:
        parts.append(('dashed', 'reference'))
    if normative:
        parts.append(('norm', normative))
    items = ' '.join(
        f'<span class="item"><span class="key {kind}"></span>{escape(words)}</span>'
        for kind, words in parts
    )
    return f'<p>{items} <span class="soft">Shaded: {escape(spread)}.</span></p>'


def verdict(health: EstimateHealth) -> str:
    """Return the verdict with its reasons."""
    parts = [f'<strong>{escape(health.sentence)}</strong>', _list(health.warnings)]
    return f'<div class="verdict {health.verdict}">{"".join(parts)}</div>\n{_list(health.remarks)}'


def _list(sentences: Sequence[str]) -> str:
    items = ''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)
    return f'<ul>{items}</ul>' if items else ''


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return plain texts as a table; a row of one text names the group below it."""
    lines = [f'<tr>{"".join(f"<th>{escape(cell)}</th>" for cell in head)}</tr>']
    for row in rows:
        if len(row) == 1:
            lines.append(f'<tr class="group"><td colspan="{len(head)}">{escape(row[0])}</td></tr>')
        else:
            lines.append(f'<tr>{"".join(f"<td>{escape(cell)}</td>" for cell in row)}</tr>')
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def timing_tables(timing: GaitTiming) -> str:
    """Return the spatiotemporal numbers, of both sides and of each."""
    sides = [timing.sides[side] for side in SIDES]
    stride_count = sum(side.strides for side in sides)
    both = [
        ('cadence', f'{timing.cadence_steps_min:.0f} steps/min'),
        ('speed', _with_deviation(timing.speed_m_s, digits=2, unit='m/s')),
        ('stride length', _with_deviation(timing.stride_m, digits=2, unit='m')),
        ('gait', timing.gait or '-'),
    ]
    rows = [
        ['strides', *(str(side.strides) for side in sides)],
        ['stride time', *(_with_deviation(s.stride_s, digits=3, unit='s') for s in sides)],
        ['step time', *(_with_deviation(s.step_s, digits=3, unit='s') for s in sides)],
        [
            'stance share',
            *(
                _with_deviation(
                    (100.0 * s.stance_share[0], 100.0 * s.stance_share[1]),
                    digits=1,
                    unit='% of stride',
                )
                for s in sides
            ),
        ],
    ]
    return '\n'.join(
        [
            table(('', 'both sides'), both),
            table(('', 'right', 'left'), rows),
            f'<p class="soft">Mean ± standard deviation over {stride_count} strides. A step ends '
            'with the heel strike of its side. The speed is that of the pelvis over the ground '
            'the feet stand on: on a treadmill, that of the belt.</p>',
        ]
    )


def _with_deviation(value: tuple[float, float], *, digits: int, unit: str) -> str:
    if not math.isfinite(value[0]):
        return '-'
    return f'{value[0]:.{digits}f} ± {value[1]:.{digits}f} {unit}'


def residual_table(history: ResidualHistory, *, gait: str | None) -> str:
    """Return the median residual of every sensor beside what is usual."""
    rows = []
    for index, sensor in enumerate(SENSORS):
        usual_force, usual_rate = usual_residual(sensor, gait=gait)
        cells = [sensor]
        for values, usual, digits in (
            (history.force_m_s2[:, index], usual_force, 1),
            (history.rate_rad_s[:, index], usual_rate, 2),
        ):
            seen = values[np.isfinite(values)]
            cells.append(f'{float(np.median(seen)):.{digits}f}' if len(seen) else 'absent')
            cells.append(f'up to {usual:g}')
        rows.append(cells)
    return table(('', 'force [m/s²]', 'usual', 'rate [rad/s]', 'usual'), rows)


def score_table(result: Evaluation) -> str:
    """Return the errors against a reference, empty quantities left out."""
    head = ('', 'RMSD', 'bias-free', 'bias', 'R²', 'within 1 sigma', 'within 2 sigma')
    rows: list[Sequence[str]] = []
    for title, scores in (
        ('angle [deg]', result.angle),
        ('moment [BWBH%]', result.moment),
        ('vertical force [%BW]', result.grf_up),
        ('fore-aft force [%BW]', result.grf_forward),
    ):
        if not scores:
            continue
        rows.append((title,))
        rows += [(SIDE_NAMES.get(name, name), *_cells(score)) for name, score in scores.items()]
        if len(scores) > 1:
            rows.append(('mean', *map(_cell, [mean_of(scores, field) for field in COLUMNS])))
    return table(head, rows)


def _cells(score: Score) -> list[str]:
    return [_cell(getattr(score, field)) for field in COLUMNS]


def _cell(value: float | None) -> str:
    return '-' if value is None else f'{value:.2f}'
