# SPDX-License-Identifier: GPL-2.0-only
"""Which plots a group gives: its ratios, its figures, and its cases against a label. Each has one at least."""

from __future__ import annotations

import math

from emulator.bench.measuring.case import Plot, Ratio
from emulator.bench.measuring.panel import Panel, Row, Rows, Series
from emulator.bench.measuring.result import CaseResult, GroupResult
from emulator.bench.measuring.statistic import Estimate
from emulator.bench.reporting.number import interval, number
from emulator.bench.reporting.plot import draw_panel, draw_rows


def group_drawings(group: GroupResult, seed: int) -> list[str]:
    """<svg> elements, one a plot; none of a group of which nothing was measured."""
    drawings = []
    for plot in group.plots or [Plot(title=group.name)]:
        if plot.x:
            panel = _panel(group, plot, seed)
            drawings += [draw_panel(panel)] if panel.series else []
        else:
            drawings += [draw_rows(rows) for rows in _rows(group, plot, seed)]
    return [*drawings, *(draw_panel(panel) for panel in group.panels)]


def _ratio_rows(group: GroupResult, seed: int, title: str) -> list[Rows]:
    """Every ratio of a group with its target: those that are better low, and those that are better high, apart."""
    directions: dict[str, list[Row]] = {"lower is better": [], "higher is better": [], "of our own figures": []}
    for result in group.ratio_results(seed):
        row = _row(result.ratio.name, result.estimate, result.ratio.target, result.verdict)
        directions[_direction(group, result.ratio)].append(row)
    return [
        Rows(title=f"{title}: ratios, {which}", x_label=_ratio_label(rows), rows=rows, log_x=_is_wide(rows))
        for which, rows in directions.items()
        if rows
    ]


def _ratio_label(rows: list[Row]) -> str:
    return "ratio (bar: target)" if any(row.target is not None for row in rows) else "ratio"


def _direction(group: GroupResult, ratio: Ratio) -> str:
    """By its target; else by which side is a peer's, and whether their unit is better high."""
    if ratio.target:
        return "lower is better" if ratio.target.startswith("<") else "higher is better"
    top, bottom = group.case(ratio.top).case, group.case(ratio.bottom).case
    if top.peer == bottom.peer:
        return "of our own figures"
    return "higher is better" if bottom.peer == top.higher_is_better else "lower is better"


def _rows(group: GroupResult, plot: Plot, seed: int) -> list[Rows]:
    """The figures, those of each unit by themselves, and then the ratios."""
    units = dict.fromkeys(result.case.unit for result in group.cases if result.values)
    found = []
    for unit in units:
        rows = [
            _row(_name(result), group.estimate(result, seed))
            for result in group.cases
            if result.values and result.case.unit == unit
        ]
        log = _is_wide(rows) or (plot.log_x and len(rows) > 1)
        found.append(Rows(title=plot.title, x_label=unit, rows=rows, log_x=log))
    return found + _ratio_rows(group, seed, plot.title)


def _name(result: CaseResult) -> str:
    return f"({result.case.name})" if result.case.peer else result.case.name


def _row(name: str, estimate: Estimate, target: str = "", verdict: str = "") -> Row:
    low, high = (estimate.low, estimate.high) if math.isfinite(estimate.low) else (estimate.value, estimate.value)
    text = f"{number(estimate.value)} {interval(estimate)}".strip()
    limit = float(target.partition(" ")[2]) if target else None
    return Row(name=name, value=estimate.value, low=low, high=high, target=limit, verdict=verdict, text=text)


def _is_wide(rows: list[Row]) -> bool:
    """Would the smallest be hard to see beside the largest?"""
    values = [row.value for row in rows]
    return min(values) > 0 and max(values) / min(values) > 20


def _panel(group: GroupResult, plot: Plot, seed: int) -> Panel:
    chosen = [
        result
        for result in group.cases
        if result.values
        and plot.x in result.case.labels
        and all(result.case.labels.get(label) == value for label, value in plot.where.items())
    ]
    lines: dict[str, list[CaseResult]] = {}
    for result in chosen:
        lines.setdefault(str(result.case.labels.get(plot.series, "")), []).append(result)
    return Panel(
        title=plot.title,
        x_label=plot.x,
        y_label=chosen[0].case.unit if chosen else "",
        series=[_series(name, results, group, plot.x, seed) for name, results in lines.items()],
        log_x=plot.log_x,
        log_y=plot.log_y,
    )


def _series(name: str, results: list[CaseResult], group: GroupResult, x: str, seed: int) -> Series:
    estimates = [group.estimate(result, seed) for result in results]
    bounded = all(math.isfinite(estimate.low) for estimate in estimates)
    return Series(
        name=name,
        x=[float(result.case.labels[x]) for result in results],
        y=[estimate.value for estimate in estimates],
        low=[estimate.low for estimate in estimates] if bounded else (),
        high=[estimate.high for estimate in estimates] if bounded else (),
    )
