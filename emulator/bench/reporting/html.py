# SPDX-License-Identifier: GPL-2.0-only
"""A result as one HTML page that needs no other file, no script and no network, light or dark as the reader has it."""

from __future__ import annotations

from html import escape

from emulator.bench.measuring.result import Document, GroupResult
from emulator.bench.reporting.drawing import group_drawings
from emulator.bench.reporting.number import interval, number
from emulator.bench.reporting.plot import PALETTE
from emulator.bench.reporting.summary import anchor, summary
from emulator.bench.reporting.table import VERDICTS
from emulator.bench.reporting.trust import QUICK

STYLE = (
    PALETTE
    + """\
body { background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 740px; padding: 16px 24px 48px; }
h1 { font-size: 24px; } h2 { font-size: 18px; margin-top: 40px; border-top: 1px solid var(--rule); padding-top: 16px; }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto; }
td, th { padding: 2px 12px 2px 0; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } tr:nth-child(even) td { background: var(--soft); }
.warn { color: var(--warn); } .met { color: var(--met); } .missed { color: var(--missed); font-weight: 600; }
.absent { opacity: .75; } summary { cursor: pointer; } a { color: inherit; }
.plot { display: block; margin: 18px 0; max-width: 100%; height: auto; overflow: visible; }
nav ul { columns: 2; padding-left: 20px; font-size: 14px; } .sum td { vertical-align: top; }
.sum td:not(:nth-child(2)) { white-space: nowrap; }
"""
)


def document_html(document: Document) -> str:
    """The page: what it was measured on, what speaks against trusting it, and every group with plots and figures."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>pvperf bench, {escape(document.date)}</title><link rel="icon" href="data:,">',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>pvperf bench: {escape(', '.join(document.suites))}</h1>",
        f"<p>{escape(_how(document))}</p>",
        _machine(document),
        *([f'<p class="warn">{escape(QUICK[0].upper() + QUICK[1:])}.</p>'] if document.quick else []),
        *(f'<p class="warn">Not to be trusted: {escape(warning)}.</p>' for warning in document.warnings),
        summary(document),
        *(_group(group, document.seed) for group in document.groups),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _how(document: Document) -> str:
    return (
        f"{document.date}, {document.rounds} interleaved rounds{' (a quick look)' if document.quick else ''}. "
        "Each figure is the median, with its 95 % bootstrap interval; ratios are taken pair by pair in each round. "
        "Names in brackets are peers, measured in the same rounds."
    )


def _machine(document: Document) -> str:
    cells = "".join(
        f"<tr><th>{escape(key)}</th><td>{escape(str(value))}</td></tr>"
        for key, value in document.machine.items()
        if value not in ("", None)
    )
    return f"<details><summary>The machine and the software</summary><table>{cells}</table></details>"


def _group(group: GroupResult, seed: int) -> str:
    about = group.about[:1].upper() + group.about[1:]
    heading = f'<h2 id="{anchor(group.name)}">{escape(group.name)}</h2><p>{escape(about)}.</p>'
    said = "".join(f"<li>{escape(remark[0].upper() + remark[1:])}.</li>" for remark in group.remarks)
    table = f"<details><summary>Figures</summary><table>{_figures(group, seed)}{_points(group)}</table></details>"
    missing = [f"left out: {result.case.name}: {result.absent}" for result in group.cases if result.absent]
    missing += [f"{result.case.name}: {result.why}" for result in group.cases if result.failed]
    absent = [f'<p class="absent">{escape(one[:1].upper() + one[1:])}.</p>' for one in (*missing, *group.failed)]
    broken = [f'<p class="warn">A law was broken: {escape(law)}.</p>' for law in group.broken]
    drawings = group_drawings(group, seed) or ["<p>Nothing was measured.</p>"]
    return "\n".join([heading, *broken, f"<ul>{said}</ul>" if said else "", *drawings, table, *absent])


def _points(group: GroupResult) -> str:
    return "".join(
        f"<tr><td>{escape(str(point['name']))}</td><td colspan=4>{escape(str(point['says']))}</td></tr>"
        for point in group.points
    )


def _figures(group: GroupResult, seed: int) -> str:
    lines = []
    for result in group.cases:
        if result.values:
            name = f"({result.case.name})" if result.case.peer else result.case.name
            estimate = group.estimate(result, seed)
            lines.append((name, number(estimate.value), result.case.unit, interval(estimate), ""))
    for ratio in group.ratio_results(seed):
        says = f"target {ratio.ratio.target}: {VERDICTS[ratio.verdict]}" if ratio.verdict else ""
        lines.append((ratio.ratio.name, number(ratio.estimate.value), "x", interval(ratio.estimate), says))
    return "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{value}</td><td>{escape(unit)}</td><td>{span}</td>'
        f"<td>{escape(says)}</td></tr>"
        for name, value, unit, span, says in lines
    )
