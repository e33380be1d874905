# SPDX-License-Identifier: GPL-2.0-only
"""Draws panels and rows as SVG, by Vega-Lite. Its colours are variables of the page around it: see PALETTE."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from html import escape
from typing import Any

from emulator.bench.measuring.panel import Panel, Rows, Series
from emulator.bench.reporting.number import number
from emulator.errors import HostError, Unsupported

WIDTH, _HEIGHT = 720, 280
_NAME = 56  # characters of a row's name on one line
_LANGUAGE = "5.20"  # a version of Vega-Lite that every vl-convert has which is allowed
_MOST = 1e100  # beyond, what lies between two values may be too large or too small for a float

PALETTE = """
:root { color-scheme: light dark; --back: #ffffff; --text: #1c2024; --faint: #60646c; --rule: #e3e4e8; --soft: #f6f6f8;
  --warn: #8a4b00; --met: #18794e; --missed: #c62a2f; --c0: #2563c9; --c1: #c2570c; --c2: #1f8a5b; --c3: #a21caf;
  --c4: #8a6d00; --c5: #0e7c93; --c6: #b4235a; --c7: #5b5bd6; }
@media (prefers-color-scheme: dark) {
:root { --back: #16181c; --text: #edeef0; --faint: #a7abb3; --rule: #34373d; --soft: #1f2227;
  --warn: #ffca6c; --met: #3dd68c; --missed: #ff9592; --c0: #70b0ff; --c1: #ff9d57; --c2: #4cc38a; --c3: #e38ef0;
  --c4: #e2c541; --c5: #4ccce6; --c6: #ff8fb4; --c7: #b1a9ff; } }
"""
_COLOURS = [f"var(--c{k})" for k in range(8)]
_TEXT = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
LOOK = {
    "font": "system-ui, sans-serif",
    "lineBreak": "\n",
    "view": {"stroke": None},
    "title": {"anchor": "start", "frame": "bounds", "color": "var(--text)", "fontSize": 13, "fontWeight": 600},
    "legend": {"orient": "top", "title": None, "columnPadding": 24, "labelColor": "var(--text)", "labelLimit": 0}
    | _TEXT,
    "axis": {"ticks": False, "labelPadding": 6, "labelSeparation": 4, "labelColor": "var(--faint)"}
    | {"titleColor": "var(--faint)", "gridColor": "var(--rule)", "domainColor": "var(--faint)"}
    | _TEXT,
    "area": {"opacity": 0.16},
    "circle": {"opacity": 1},
    "line": {"strokeWidth": 1.8},
    "rule": {"strokeWidth": 2.5, "opacity": 0.55},
    "tick": {"thickness": 2, "color": "var(--text)"},
}
#: Ticks as `number` writes them; those between powers of ten that have no label are faint.
TICKS = {
    "tickCount": 7,
    "labelExpr": "datum.label && format(datum.value, abs(datum.value) < 1e4 ? '.4~g' : '.4~s')",
    "gridOpacity": {"condition": {"test": "datum.label", "value": 1}, "value": 0.4},
}


def require() -> None:
    """Raises Unsupported if nothing can be drawn."""
    try:
        import vl_convert  # noqa: F401
    except ImportError:
        raise Unsupported("plots are drawn by vl-convert-python: pip install 'pvperf[report]'") from None


def draw_panel(panel: Panel) -> str:
    """An <svg> element with lines, their intervals, axes and a legend."""
    names = [series.name for series in panel.series]
    line = {"type": "line", "interpolate": "step-before" if panel.steps else "linear"}
    layers: list[dict[str, Any]] = [{"mark": line}]
    if not panel.steps:
        layers.append({"mark": {"type": "circle", "size": 36}, "encoding": {"description": {"field": "says"}}})
    if any(series.low for series in panel.series):
        # A band is easier to see than bars along a long line, and where there is but one.
        dense = len(names) == 1 or any(len(series.x) > 16 for series in panel.series)
        edges = {"y": {"field": "low"}, "y2": {"field": "high"}}
        layers.insert(0, {"mark": "area" if dense else "rule", "encoding": edges})
    fit = WIDTH // (50 + 7 * max(map(len, names), default=0))  # SVG alone cannot ask how wide a text is
    colour = {"domain": names, "range": _COLOURS}
    points = [point for series in panel.series for point in _points(panel, series)]
    heights = [point[key] for point in points for key in ("y", "low", "high")]
    encoding = {
        "x": _axis("x", panel.x_label, [point["x"] for point in points], log=panel.log_x, zero=False),
        "y": _axis("y", panel.y_label, heights, log=panel.log_y),
        "color": {"field": "series", "scale": colour, "legend": {"columns": max(1, fit)} if any(names) else None},
    }
    return draw(panel.title, points, {"height": _HEIGHT, "encoding": encoding, "layer": layers})


def _points(panel: Panel, series: Series) -> Iterator[dict[str, Any]]:
    """Those that can be shown; an end of an interval that cannot lies at the point itself."""
    for k, (x, y) in enumerate(zip(series.x, series.y, strict=True)):
        if _can_show(x, log=panel.log_x) and _can_show(y, log=panel.log_y):
            edges = [series.low[k], series.high[k]] if series.low else []
            low, high = (edge if _can_show(edge, log=panel.log_y) else y for edge in edges or (y, y))
            says = f"{series.name}: {number(x)}, {number(y)}" + (f" [{', '.join(map(number, edges))}]" if edges else "")
            yield {"x": x, "y": y, "low": low, "high": high, "series": series.name, "says": says}


def draw_rows(rows: Rows) -> str:
    """An <svg> element with a dot and an interval for each row, and its target as a bar."""
    points, widths = [], list[float]()
    for k, row in enumerate(rows.rows):
        point = {name: getattr(row, name) for name in ("value", "low", "high", "target")}
        shown = {name: value for name, value in point.items() if _can_show(value, log=rows.log_x)}
        widths += shown.values()
        shown["colour"] = f"var(--{row.verdict})" if row.verdict in ("met", "missed") else _COLOURS[0]
        points.append({"row": k, "says": f"{row.name}: {row.text}"} | shown)
    names = ["\n".join(textwrap.wrap(row.name, _NAME)) for row in rows.rows]
    left, right = _labels(names, "left"), _labels([row.text for row in rows.rows], "right")
    colour: dict[str, Any] = {"field": "colour", "scale": None}
    span = {"x": {"field": "low"}, "x2": {"field": "high"}, "y": left, "color": colour}
    dot = {"x": {"field": "value"}, "y": right, "color": colour, "description": {"field": "says"}}
    plot = {
        "height": {"step": 8 + 14 * max(name.count("\n") + 1 for name in names)},
        "encoding": {
            "x": _axis("value", rows.x_label, widths, log=rows.log_x),
            "y": {"field": "row", "type": "ordinal", "axis": None},
        },
        "layer": [
            {"mark": "rule", "encoding": span},
            {"mark": {"type": "circle", "size": 60}, "encoding": dot},
            {"mark": "tick", "encoding": {"x": {"field": "target"}}},
        ],
        "resolve": {"axis": {"y": "independent"}},
    }
    return draw(rows.title, points, plot)


def _labels(texts: list[str], side: str) -> dict[str, Any]:
    """A text for each row on that side of the plot, aligned with the page's edge."""
    width = 6.5 * max(len(line) for text in texts for line in (text.splitlines() or [""])) + 6
    axis = {"orient": side, "labelAlign": side, "labelPadding": width, "labelLimit": 0, "domain": False}
    look = {"labelColor": "var(--text)" if side == "left" else "var(--faint)"}
    axis |= look | {"labelExpr": f"{json.dumps(texts)}[datum.value]"}
    return {"field": "row", "type": "ordinal", "title": None, "axis": axis}


def _axis(field: str, title: str, values: list[float], *, log: bool, zero: bool = True) -> dict[str, Any]:
    ends = values + ([0.0] if zero and not log else []) or [1.0]
    low, high = min(ends), max(ends)
    size = max(abs(low), abs(high))
    if high - low <= max(size * 1e-9, 1 / _MOST):  # Vega-Lite finds no ticks between them
        room = size / 2 if size > 1 / _MOST else 0.5
        low, high = (low / 2, high * 2) if log else (low - room, high + room)
    return {
        "field": field,
        "type": "quantitative",
        "title": f"{title}, logarithmic" if log else title,
        "scale": {"type": "log" if log else "linear", "domain": [low, high], "nice": False, "padding": 8},
        "axis": TICKS,
    }


def _can_show(value: float | None, *, log: bool) -> bool:
    return value is not None and (1 / _MOST <= value <= _MOST if log else abs(value) <= _MOST)


def draw(title: str, points: list[dict[str, Any]], plot: dict[str, Any]) -> str:
    """An <svg> element of a plot, which lacks its data and its size. HostError if that is none."""
    from vl_convert import vegalite_to_svg

    frame = {"width": WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}, "padding": 0, "background": None}
    spec = {"title": title, "data": {"values": points}, "config": LOOK} | frame | plot
    try:
        svg = vegalite_to_svg(spec, vl_version=_LANGUAGE)
    except (ValueError, RuntimeError) as error:  # of JavaScript, and of Rust: a sentence or two, and a backtrace
        said = " ".join(str(error).splitlines()[:2])
        raise HostError(f"the plot '{title}' cannot be drawn: {said}") from None
    svg = re.sub(r'(<path aria-label="([^"]*)"[^>]*"circle"[^>]*)/>', r"\1><title>\2</title></path>", svg)
    return svg.replace('class="marks"', f'class="plot" role="img" aria-label="{escape(title)}"', 1)
