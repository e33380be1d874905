# SPDX-License-Identifier: GPL-2.0-only
"""Draws panels as SVG that takes its colours from the page around it: see STYLE."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from emulator.bench.measuring.panel import Panel, Row, Rows, Series
from emulator.bench.reporting.axis import Axis, fit_axis, number

WIDTH, HEIGHT = 720, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 30, 44
_ROW = 22
COLOURS = 8

STYLE = (
    """
.plot { --ink: #1c2024; --faint: #60646c; --grid: #e3e4e8; --bad: #c62a2f; --good: #18794e;
  --c0: #2563c9; --c1: #c2570c; --c2: #1f8a5b; --c3: #a21caf; --c4: #8a6d00;
  --c5: #0e7c93; --c6: #b4235a; --c7: #5b5bd6; }
@media (prefers-color-scheme: dark) {
.plot { --ink: #edeef0; --faint: #a7abb3; --grid: #34373d; --bad: #ff9592; --good: #3dd68c;
  --c0: #70b0ff; --c1: #ff9d57; --c2: #4cc38a; --c3: #e38ef0; --c4: #e2c541;
  --c5: #4ccce6; --c6: #ff8fb4; --c7: #b1a9ff; } }
.plot { font: 12px system-ui, sans-serif; max-width: 100%; height: auto; }
.plot text { fill: var(--faint); }
.plot .title { fill: var(--ink); font-size: 13px; font-weight: 600; }
.plot .name { fill: var(--ink); }
.plot .grid { stroke: var(--grid); stroke-width: 1; }
.plot .axis { stroke: var(--faint); stroke-width: 1; }
.plot .target { stroke: var(--faint); stroke-width: 1.5; stroke-dasharray: 4 3; }
"""
    + "".join(f".plot .c{k} {{ stroke: var(--c{k}); color: var(--c{k}); }}\n" for k in range(COLOURS))
    + """.plot .met { stroke: var(--good); color: var(--good); }
.plot .missed { stroke: var(--bad); color: var(--bad); }
.plot path { fill: none; stroke-width: 1.8; }
.plot .band { fill: currentColor; fill-opacity: .16; stroke: none; }
.plot .range { stroke-width: 2.5; stroke-opacity: .55; }
.plot circle { fill: currentColor; stroke: none; }
.plot .key { fill: currentColor; stroke: none; }
"""
)


def draw_panel(panel: Panel) -> str:
    """An <svg> element with lines, their intervals, axes and a legend."""
    keys = _legend([series.name for series in panel.series])
    top = _TOP + 18 * len(keys) + 14
    bottom = HEIGHT - _BOTTOM
    x = fit_axis((v for s in panel.series for v in s.x), _LEFT, WIDTH - _RIGHT, log=panel.log_x)
    seen = [v for s in panel.series for part in (s.y, s.low, s.high) for v in part]
    y = fit_axis(seen, bottom, top, log=panel.log_y, zero=True)
    parts = [_text(8, 16, panel.title, "title"), *(key for line in keys for key in line)]
    parts += [_grid_y(y, tick) for tick in y.ticks()]
    parts += [_grid_x(x, tick, top, bottom) for tick in x.ticks(9)]
    parts.append(_line(_LEFT, bottom, WIDTH - _RIGHT, bottom, "axis"))
    parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 8, _label(panel.x_label, x), anchor="middle"))
    parts.append(_text(8, top - 8, _label(panel.y_label, y)))
    for index, series in enumerate(panel.series):
        parts += _draw_series(series, x, y, index % COLOURS, panel)
    return _svg(HEIGHT, panel.title, parts)


def _draw_series(series: Series, x: Axis, y: Axis, colour: int, panel: Panel) -> list[str]:
    points = [k for k in range(len(series.x)) if x.shows(series.x[k]) and y.shows(series.y[k])]
    where = [(x.place(series.x[k]), y.place(series.y[k])) for k in points]
    parts = []
    if series.low:
        edges = [(x.place(series.x[k]), _edge(y, series.low[k]), _edge(y, series.high[k])) for k in points]
        parts.append(_band(edges, colour) if _is_dense(panel, series) else _bars(edges, colour))
    parts.append(f'<path class="c{colour}" d="{_path(where, panel.steps)}"/>')
    for k, (px, py) in zip(points, where, strict=True):
        says = f"{series.name}: {number(series.x[k])}, {number(series.y[k])}"
        if series.low:
            says += f" [{number(series.low[k])}, {number(series.high[k])}]"
        if not panel.steps:
            parts.append(
                f'<circle class="c{colour}" cx="{px:.1f}" cy="{py:.1f}" r="3"><title>{escape(says)}</title></circle>'
            )
    return parts


def _edge(axis: Axis, value: float) -> float:
    """An end of an interval; one that cannot be drawn lies at the axis' own end."""
    return axis.place(value) if axis.shows(value) else axis.start


def _is_dense(panel: Panel, series: Series) -> bool:
    """A band is easier to see than bars along a long line, and where there is but one."""
    return len(series.x) > 1 and (len(panel.series) == 1 or len(series.x) > 16)


def _bars(edges: Sequence[tuple[float, float, float]], colour: int) -> str:
    path = "".join(f"M{px:.1f} {low:.1f}V{high:.1f}" for px, low, high in edges)
    return f'<path class="range c{colour}" d="{path}"/>'


def _band(edges: Sequence[tuple[float, float, float]], colour: int) -> str:
    around = [(px, high) for px, _, high in edges] + [(px, low) for px, low, _ in reversed(edges)]
    return f'<polygon class="band c{colour}" points="{" ".join(f"{px:.1f},{py:.1f}" for px, py in around)}"/>'


def _path(where: Sequence[tuple[float, float]], steps: bool) -> str:
    if not steps:
        return "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in where) if where else ""
    text = ""
    for px, py in where:
        text += f"V{py:.1f}H{px:.1f}" if text else f"M{px:.1f} {py:.1f}"
    return text


def draw_rows(rows: Rows) -> str:
    """An <svg> element with a dot and an interval for each row, and its target as a dashed line."""
    left = min(WIDTH * 0.54, 20 + max((_text_width(row.name) for row in rows.rows), default=0))
    right = WIDTH - 16 - max((_text_width(row.text) for row in rows.rows), default=0)
    bottom = _TOP + _ROW * len(rows.rows) + 4
    shown = [v for row in rows.rows for v in (row.value, row.low, row.high, row.target) if v is not None]
    x = fit_axis(shown, left, right, log=rows.log_x, zero=not rows.log_x)
    parts = [_text(8, 16, rows.title, "title")]
    parts += [_grid_x(x, tick, _TOP, bottom) for tick in x.ticks(8)]
    for index, row in enumerate(rows.rows):
        parts += _draw_row(row, x, _TOP + _ROW * index + _ROW / 2)
    parts.append(_line(left, bottom, right, bottom, "axis"))
    parts.append(_text((left + right) / 2, bottom + 32, _label(rows.x_label, x), anchor="middle"))
    return _svg(int(bottom + 40), rows.title, parts)


def _draw_row(row: Row, x: Axis, middle: float) -> list[str]:
    kind = row.verdict if row.verdict in ("met", "missed") else "c0"
    low, high = (x.place(edge) if x.shows(edge) else x.place(row.value) for edge in (row.low, row.high))
    parts = [
        _text(8, middle + 4, row.name, "name"),
        _text(WIDTH - 8, middle + 4, row.text, anchor="end"),
        f'<path class="range {kind}" d="M{low:.1f} {middle:.1f}H{high:.1f}"/>',
        f'<circle class="{kind}" cx="{x.place(row.value):.1f}" cy="{middle:.1f}" r="4"><title>'
        f"{escape(f'{row.name}: {row.text}')}</title></circle>",
    ]
    if row.target is not None:
        at = x.place(row.target)
        parts.append(_line(at, middle - _ROW / 2 + 2, at, middle + _ROW / 2 - 2, "target"))
    return parts


def _label(text: str, axis: Axis) -> str:
    return f"{text}, logarithmic" if axis.log else text


def _legend(names: Sequence[str]) -> list[list[str]]:
    """Lines of keys and names, as many as they need; none for a single series without a name."""
    lines: list[list[str]] = []
    at = float(WIDTH)
    for index, name in enumerate(names):
        if not name:
            continue
        if at + 26 + _text_width(name) > WIDTH:
            lines.append([])
            at = 8.0
        y = 26 + 18 * (len(lines) - 1)
        lines[-1].append(f'<rect class="key c{index % COLOURS}" x="{at:.1f}" y="{y - 1}" width="10" height="10"/>')
        lines[-1].append(_text(at + 15, y + 8, name, "name"))
        at += 30 + _text_width(name)
    return lines


def _text_width(text: str) -> float:
    """About what it takes up: SVG alone cannot ask."""
    return 6.3 * len(text)


def _grid_y(axis: Axis, tick: float) -> str:
    at = axis.place(tick)
    return _line(_LEFT, at, WIDTH - _RIGHT, at, "grid") + _text(_LEFT - 6, at + 4, number(tick), anchor="end")


def _grid_x(axis: Axis, tick: float, top: float, bottom: float) -> str:
    at = axis.place(tick)
    return _line(at, top, at, bottom, "grid") + _text(at, bottom + 16, number(tick), anchor="middle")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    head = f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"'
    return f'{head} aria-label="{escape(title, quote=True)}">{"".join(parts)}</svg>'
