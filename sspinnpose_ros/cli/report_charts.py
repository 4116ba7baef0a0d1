# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw the charts of a report as SVG that takes its colours from the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

import numpy as np

from sspinnpose_ros.bags.latency_log import KEYS, LatencyLog
from sspinnpose_ros.core.conventions import GRAVITY, SENSORS, SIDES
from sspinnpose_ros.evaluation.estimate_health import ResidualHistory, usual_residual
from sspinnpose_ros.evaluation.gait_cycles import Strides, average, cut

JOINT_KINDS = ('hip_flexion', 'knee_angle', 'ankle_angle')
FORCE_KINDS = ('grf_up', 'grf_forward')
TITLES = {
    'hip_flexion': 'hip, flexion +',
    'knee_angle': 'knee, flexion +',
    'ankle_angle': 'ankle, dorsiflexion +',
    'grf_up': 'vertical, up +',
    'grf_forward': 'fore-aft, forward +',
}

SHOWN_S = 6.0
"""Length of the piece of the recording that is drawn over time."""

SHOWN_HZ = 50.0
BAND_ALPHA = 0.22

# Stand-ins: the page says what they look like, in light and in dark.
INK, GRID, NORM = '#010203', '#040506', '#070809'
SIDE_COLORS = {'r': '#0a0b0c', 'l': '#0d0e0f'}
STYLES = {
    INK: 'currentColor',
    GRID: 'var(--grid)',
    NORM: 'var(--norm)',
    SIDE_COLORS['r']: 'var(--right)',
    SIDE_COLORS['l']: 'var(--left)',
}


@dataclass(frozen=True, eq=False)
class Normative:
    """Hold published mean cycles of the right leg, N phases from heel strike on.

    Attributes:
        label: what they are, in words.
        mean: (N,) curves of `JOINT_KINDS` (angles in rad) and `FORCE_KINDS` (body weights).
        spread: (N,) standard deviation between people, by the same names; may lack some.

    """

    label: str
    mean: Mapping[str, np.ndarray]
    spread: Mapping[str, np.ndarray]


def cycle_chart(
    quantity: str,
    *,
    estimate: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None,
    strides: Mapping[str, Strides],
    normative: Sequence[Normative],
    mass_kg: float,
    height_m: float,
) -> str:
    """Draw mean and spread of the gait cycles, left against right.

    Args:
        quantity: 'angle' (degrees), 'moment' (N m/kg and BWBH%) or 'grf' (%BW).
        estimate: arrays of an estimate.npz.
        reference: arrays of a reference.npz, drawn dashed; None without.
        strides: by side.
        normative: published curves.
        mass_kg: of the wearer.
        height_m: of the wearer.

    Returns:
        The SVG.

    """
    kinds = FORCE_KINDS if quantity == 'grf' else JOINT_KINDS
    label, scale, published = {
        'angle': ('angle [deg]', 180.0 / np.pi, 180.0 / np.pi),
        'moment': ('moment [N m/kg]', 1.0 / mass_kg, 1.0),
        'grf': ('force [% body weight]', 100.0 / (mass_kg * GRAVITY), 100.0),
    }[quantity]
    percent = np.linspace(0.0, 100.0, 101)
    with _figure(1, len(kinds), width=10.0, height=3.1) as (figure, axes):
        for axis, kind in zip(axes[0], kinds, strict=True):
            for one in normative:
                if quantity != 'moment':
                    _draw_normative(axis, one, kind, published)
            for side in SIDES:
                name = f'{kind}_{side}' if quantity == 'grf' else f'{quantity}_{kind}_{side}'
                color = SIDE_COLORS[side]
                for arrays, style in ((reference, '--'), (estimate, '-')):
                    if arrays is None or name not in arrays:
                        continue
                    cycle = average(
                        scale
                        * cut(time=arrays['time'], values=arrays[name], strides=strides[side])
                    )
                    if cycle is None:
                        continue
                    if style == '-':
                        _band(axis, percent, cycle.mean, cycle.spread, color)
                    axis.plot(percent, cycle.mean, style, color=color, linewidth=1.5)
                if len(strides[side]):
                    lift = 100.0 * float(np.mean(strides[side].stance_share))
                    axis.axvline(lift, color=color, linewidth=0.8, linestyle=':')
            axis.axhline(0.0, color=INK, linewidth=0.6)
            axis.set_xlim(0.0, 100.0)
            axis.set_xlabel('gait cycle [%]')
            axis.set_title(TITLES[kind], fontsize=9)
            if quantity == 'moment':
                _bwbh_axis(axis, height_m=height_m, labelled=axis is axes[0][-1])
        axes[0][0].set_ylabel(label)
        return _svg(figure, name=f'cycles-{quantity}', words=f'Gait cycles: {label}')


def _draw_normative(axis: Any, one: Normative, kind: str, scale: float) -> None:
    mean = scale * np.append(one.mean[kind], one.mean[kind][0])
    percent = np.linspace(0.0, 100.0, len(mean))
    if kind in one.spread:
        spread = scale * np.append(one.spread[kind], one.spread[kind][0])
        _band(axis, percent, mean, spread, NORM, alpha=0.3)
    axis.plot(percent, mean, color=NORM, linewidth=1.0)


def _bwbh_axis(axis: Any, *, height_m: float, labelled: bool) -> None:
    factor = 100.0 / (GRAVITY * height_m)
    second = axis.secondary_yaxis(
        'right', functions=(lambda value: value * factor, lambda value: value / factor)
    )
    second.tick_params(colors=INK, labelsize=8)
    second.spines['right'].set_color(GRID)
    if labelled:
        second.set_ylabel('moment [BWBH%]', color=INK)


def time_chart(
    *,
    estimate: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None,
    begin_s: float,
    mass_kg: float,
) -> str:
    """Draw some seconds of all curves with bands of one sigma.

    Args:
        estimate: arrays of an estimate.npz.
        reference: arrays of a reference.npz, drawn dashed; None without.
        begin_s: of the piece of `SHOWN_S`, s.
        mass_kg: of the wearer.

    Returns:
        The SVG.

    """
    weight = mass_kg * GRAVITY
    panels = [
        (row, column, f'{quantity}_{kind}', label, scale)
        for row, kind in enumerate(JOINT_KINDS)
        for column, (quantity, label, scale) in enumerate(
            (
                ('angle', f'{kind.split("_")[0]} [deg]', 180.0 / np.pi),
                ('moment', f'{kind.split("_")[0]} [N m/kg]', 1.0 / mass_kg),
            )
        )
    ]
    panels += [
        (3, 0, 'grf_up', 'vertical force [%BW]', 100.0 / weight),
        (3, 1, 'grf_forward', 'fore-aft force [%BW]', 100.0 / weight),
    ]
    with _figure(4, 2, width=10.0, height=8.2, sharex=True) as (figure, axes):
        for row, column, stem, label, scale in panels:
            axis = axes[row][column]
            for side in SIDES:
                name, color = f'{stem}_{side}', SIDE_COLORS[side]
                for arrays, style in ((reference, '--'), (estimate, '-')):
                    if arrays is None or name not in arrays:
                        continue
                    shown = _piece(arrays['time'], begin_s)
                    time, values = arrays['time'][shown], scale * arrays[name][shown]
                    sigma = arrays.get(f'sigma_{name}')
                    if style == '-' and sigma is not None and np.isfinite(sigma[shown]).any():
                        _band(axis, time, values, scale * sigma[shown], color)
                    axis.plot(time, values, style, color=color, linewidth=1.1)
            axis.set_ylabel(label)
        for axis in axes[-1]:
            axis.set_xlabel('time [s]')
            axis.set_xlim(begin_s, begin_s + SHOWN_S)
        return _svg(figure, name='time', words='Angles, moments and forces over time')


def _piece(time: np.ndarray, begin_s: float) -> np.ndarray:
    """Return indices of the samples to draw, thinned to `SHOWN_HZ`."""
    found = np.flatnonzero((time >= begin_s) & (time <= begin_s + SHOWN_S))
    step = max(1, round(len(found) / (SHOWN_S * SHOWN_HZ)))
    return found[::step]


def residual_chart(history: ResidualHistory, *, gait: str | None) -> str:
    """Draw what each sensor left unexplained over time, with what is usual shaded."""
    segments = ('pelvis', 'thigh', 'shank', 'foot')
    with _figure(2, 4, width=10.0, height=4.0, sharex=True) as (figure, axes):
        for column, segment in enumerate(segments):
            for row, (values, unit) in enumerate(
                ((history.force_m_s2, 'm/s²'), (history.rate_rad_s, 'rad/s'))
            ):
                axis = axes[row][column]
                usual = usual_residual(segment, gait=gait)[row]
                axis.axhspan(0.0, usual, color=NORM, alpha=0.3, linewidth=0.0)
                for index, sensor in enumerate(SENSORS):
                    if sensor.split('_')[0] == segment:
                        color = INK if segment == 'pelvis' else SIDE_COLORS[sensor[-1]]
                        axis.plot(history.time_s, values[:, index], color=color, linewidth=1.1)
                axis.set_ylim(0.0, max(1.25 * usual, axis.get_ylim()[1]))
                if row == 0:
                    axis.set_title(segment, fontsize=9)
                else:
                    axis.set_xlabel('time [s]')
                if column == 0:
                    axis.set_ylabel(f'{("force", "rate")[row]} left over [{unit}]')
        return _svg(figure, name='residuals', words='Residual of each sensor over time')


def latency_chart(log: LatencyLog) -> str:
    """Draw the latencies that the node reported over time."""
    with _figure(1, 1, width=10.0, height=2.4) as (figure, axes):
        axis = axes[0][0]
        for column, style in enumerate(('-', '--', ':')):
            name = KEYS[column].split('_')[1]
            axis.plot(log.time_s, log.latency_ms[:, column], style, color=INK, label=name)
        axis.set_ylim(bottom=0.0)
        axis.set_xlabel('time [s]')
        axis.set_ylabel('latency [ms]')
        figure.legend(loc='outside right upper', fontsize=8, frameon=False, labelcolor=INK)
        return _svg(figure, name='latency', words='Latency over time')


def _band(
    axis: Any,
    x: np.ndarray,
    mean: np.ndarray,
    spread: np.ndarray,
    color: str,
    alpha: float = BAND_ALPHA,
) -> None:
    axis.fill_between(
        x, mean - spread, mean + spread, color=color, alpha=alpha, linewidth=0.0, zorder=1
    )


@contextmanager
def _figure(
    rows: int, columns: int, *, width: float, height: float, sharex: bool = False
) -> Iterator[tuple[Any, Any]]:
    """Give a figure with quiet axes in the colours of the page."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    quiet = {
        'svg.fonttype': 'none',
        'svg.hashsalt': 'sspinnpose',
        'font.family': 'sans-serif',
        'font.size': 8.5,
        'axes.edgecolor': GRID,
        'axes.labelcolor': INK,
        'axes.spines.top': False,
        'axes.spines.right': False,
        'text.color': INK,
        'xtick.color': INK,
        'ytick.color': INK,
        'xtick.labelcolor': INK,
        'ytick.labelcolor': INK,
        'axes.grid': True,
        'grid.color': GRID,
        'grid.linewidth': 0.5,
    }
    with rc_context(quiet):
        figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1))
        yield figure, figure.subplots(rows, columns, sharex=sharex, squeeze=False)


def _svg(figure: Any, *, name: str, words: str) -> str:
    """Return the figure as an SVG element that may stand beside others in a page."""
    text = StringIO()
    figure.savefig(text, format='svg', transparent=True, metadata={'Date': None})
    svg = text.getvalue()
    svg = svg[svg.index('<svg') :]
    svg = re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(?::xlink)?="[^"]*"', '', svg).replace('xlink:href', 'href')
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else '', svg)
    svg = re.sub(r'(url\(#|href="#)', rf'\g<1>{name}-', svg)
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', rf'<svg viewBox="\1" {_role(words)}>', svg)
    # Comments hold the texts once more.
    svg = re.sub(r'<!--.*?-->', '', svg, flags=re.DOTALL)
    for stand_in, style in STYLES.items():
        svg = svg.replace(stand_in, style)
    return svg


def _role(words: str) -> str:
    return f'role="img" aria-label="{escape(words, quote=True)}"'
