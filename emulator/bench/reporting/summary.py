# SPDX-License-Identifier: GPL-2.0-only
"""What stands on top of the page: what became of every target, what is missing, and where everything else is."""

from __future__ import annotations

import re
from html import escape

from emulator.bench.measuring.result import Document
from emulator.bench.reporting.number import interval, number
from emulator.bench.reporting.table import VERDICTS


def anchor(name: str) -> str:
    """Of a group, within the page."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def summary(document: Document) -> str:
    """Every ratio that has a target, then the contents."""
    rows = []
    for group in document.groups:
        for result in group.ratio_results(document.seed):
            if result.verdict:
                cells = (
                    f'<a href="#{anchor(group.name)}">{escape(group.name)}</a>',
                    escape(result.ratio.name),
                    number(result.estimate.value),
                    interval(result.estimate),
                    escape(result.ratio.target),
                    f'<span class="{result.verdict}">{VERDICTS[result.verdict]}</span>',
                )
                rows.append((result.verdict, "".join(f"<td>{cell}</td>" for cell in cells)))
    parts = ['<h2 id="summary">Summary</h2>', f"<p>{escape(_counts(document, [verdict for verdict, _ in rows]))}</p>"]
    if rows:
        head = "".join(f"<th>{name}</th>" for name in ("group", "ratio", "median", "interval", "target", ""))
        table = "".join(f"<tr>{cells}</tr>" for _, cells in rows)
        parts.append(f'<table class="sum"><tr>{head}</tr>{table}</table>')
    links = "".join(f'<li><a href="#{anchor(group.name)}">{escape(group.name)}</a></li>' for group in document.groups)
    return "\n".join([*parts, f"<nav><h2>Contents</h2><ul>{links}</ul></nav>"])


def _counts(document: Document, verdicts: list[str]) -> str:
    """In a sentence or two."""
    cases = [result for group in document.groups for result in group.cases]
    figures, failed = sum(bool(result.values) for result in cases), sum(bool(result.failed) for result in cases)
    said = f"{figures} figures in {len(document.groups)} groups"
    if points := sum(len(group.points) for group in document.groups):
        said += f", and {points} points of studies"
    if absent := sum(bool(result.absent) for result in cases):
        said += f"; {absent} left out, since what they need is not here"
    failed += sum(len(group.failed) for group in document.groups)
    if failed:
        said += f"; {failed} failed"
    if broken := sum(len(group.broken) for group in document.groups):
        said += f"; {broken} laws were broken"
    if verdicts:
        counts = ", ".join(
            f"{verdicts.count(name)} {text.lower()}" for name, text in VERDICTS.items() if name in verdicts
        )
        said += f". Of {len(verdicts)} targets: {counts}"
    return f"{said}."
