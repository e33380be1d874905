# SPDX-License-Identifier: GPL-2.0-only
"""Which plots a group gives: its ratios, its figures, and its cases against a label."""

from __future__ import annotations

import math

from emulator.bench.axis import number
from emulator.bench.case import Plot
from emulator.bench.panel import Panel, Row, Rows, Series
from emulator.bench.result import CaseResult, GroupResult
from emulator.bench.statistic import Estimate
from emulator.bench.svg import draw_panel, draw_rows
from emulator.bench.table import interval


def group_drawings(group: GroupResult, seed: int) -> list[str]:
    """<svg> elements, one a plot."""
    drawings = []
    for plot in group.plots:
        if plot.x:
            drawings.append(draw_panel(_panel(group, plot, seed)))
        else:
            drawings += [draw_rows(rows) for rows in _rows(group, plot, seed)]
    return [*drawings, *(draw_panel(panel) for panel in group.panels)]


def ratio_rows(group: GroupResult, seed: int, title: str) -> Rows | None:
    """Every ratio of a group with its target; None if it has none."""
    rows = [
        _row(result.ratio.name, result.estimate, result.ratio.target, result.verdict)
        for result in group.ratio_results(seed)
    ]
    return Rows(title=title, x_label="ratio", rows=rows, log_x=_is_wide(rows)) if rows else None


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
        found.append(Rows(title=plot.title, x_label=unit, rows=rows, log_x=plot.log_x or _is_wide(rows)))
    ratios = ratio_rows(group, seed, f"{plot.title}: ratios")
    return [*found, ratios] if ratios else found


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
