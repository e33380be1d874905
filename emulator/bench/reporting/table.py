# SPDX-License-Identifier: GPL-2.0-only
"""A result as a plain table on the terminal."""

from __future__ import annotations

import textwrap

from emulator.bench.measuring.result import Document, GroupResult
from emulator.bench.reporting.number import interval, number

#: How a ratio stands to its target.
VERDICTS = {"met": "met", "missed": "MISSED", "open": "within the interval"}


def document_table(document: Document) -> str:
    """Every group: its figures, its ratios beside their targets, and what was left out."""
    return "\n".join(_group_table(group, document.seed) for group in document.groups)


def _group_table(group: GroupResult, seed: int) -> str:
    rows: list[tuple[str, str, str, str, str]] = []
    for result in group.cases:
        name = f"({result.case.name})" if result.case.peer else result.case.name
        if result.values:
            estimate = group.estimate(result, seed)
            rows.append((name, number(estimate.value), result.case.unit, interval(estimate), result.why))
        else:
            rows.append((name, "-", "", "", result.why or "not measured"))
    for ratio in group.ratio_results(seed):
        says = f"target {ratio.ratio.target}: {VERDICTS[ratio.verdict]}" if ratio.verdict else ""
        rows.append((ratio.ratio.name, number(ratio.estimate.value), "x", interval(ratio.estimate), says))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = [
        f"  {name:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}  {span:<{widths[3]}}  {says}".rstrip()
        for name, value, unit, span, says in rows
    ]
    lines += [f"  {point['name']}: {point['says']}" for point in group.points]
    lines += [line for remark in group.remarks for line in _wrapped(remark)]
    return "\n".join([f"{group.name}: {group.about}", *lines, ""])


def _wrapped(remark: str) -> list[str]:
    return textwrap.wrap(remark, width=116, initial_indent="  - ", subsequent_indent="    ")
