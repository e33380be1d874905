# SPDX-License-Identifier: GPL-2.0-only
"""Writes a result in the forms that were asked for: HTML, CSV, PNG, Markdown."""

from __future__ import annotations

import argparse
import csv
import io
from contextlib import ExitStack
from pathlib import Path

from emulator.bench.html import document_html
from emulator.bench.page import document_page
from emulator.bench.result import Document, load_document
from emulator.bench.statistic import Estimate
from emulator.cli.output import Output
from emulator.errors import UsageError


class Reports:
    """The files that `args` ask for. That one cannot be written is known on entry, before anything is measured."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._html = args.html
        self._csv = args.csv or _beside(args.html)
        self._png = args.png
        self._markdown = getattr(args, "markdown", None)
        self._stack = ExitStack()

    @property
    def wanted(self) -> bool:
        """Is there any?"""
        return bool(self._html or self._csv or self._png or self._markdown)

    def __enter__(self) -> Reports:
        if self._png:
            from emulator.bench.browser import find_chromium

            find_chromium()
        makers = {self._html: document_html, self._csv: document_csv, self._markdown: document_page}
        self._files = [(self._stack.enter_context(Output(name)), make) for name, make in makers.items() if name]
        return self

    def write(self, document: Document) -> None:
        """Makes them of this document."""
        for output, make in self._files:
            output.write(make(document))
        if self._png:
            from emulator.bench.browser import screenshot

            screenshot(document_html(document), Path(self._png))

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]


def _beside(html: str | None) -> str | None:
    return str(Path(html).with_suffix(".csv")) if html and html != "-" else None


def report(args: argparse.Namespace) -> int:
    """`pvperf bench report FILE`: the forms asked for, of a result that was kept."""
    document = load_document(args.result)
    with Reports(args) as reports:
        if not reports.wanted:
            raise UsageError("no report was asked for: --html, --csv, --png or --markdown")
        reports.write(document)
    return 0


def document_csv(document: Document) -> str:
    """A line for each case, ratio and point of a study: median, interval, and all raw values in one field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["group", "kind", "name", "unit", "median", "low", "high", "target", "verdict", "absent", "labels", "values"]
    )
    for group in document.groups:
        for result in group.cases:
            case = result.case
            numbers = _numbers(group.estimate(result, document.seed)) if result.values else ["", "", ""]
            labels = " ".join(f"{key}={value}" for key, value in case.labels.items())
            kind = "peer" if case.peer else "case"
            row = [group.name, kind, case.name, case.unit, *numbers, "", "", result.absent, labels]
            writer.writerow([*row, _joined(result.values)])
        for ratio in group.ratio_results(document.seed):
            row = [group.name, "ratio", ratio.ratio.name, "x", *_numbers(ratio.estimate), ratio.ratio.target]
            writer.writerow([*row, ratio.verdict, "", "", _joined(ratio.values)])
        for point in group.points:
            figures = " ".join(f"{key}={value}" for key, value in point.items() if key not in ("name", "says"))
            writer.writerow([group.name, "point", point["name"], *[""] * 7, figures, ""])
    return text.getvalue()


def _numbers(estimate: Estimate) -> list[str]:
    return [repr(number) for number in estimate]


def _joined(values: list[float]) -> str:
    return " ".join(map(repr, values))
