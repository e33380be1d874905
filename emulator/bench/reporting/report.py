# SPDX-License-Identifier: GPL-2.0-only
"""Writes a result in the forms that were asked for: HTML, CSV, PNG, Markdown."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable
from pathlib import Path

from emulator.bench.measuring.result import Document, load_document
from emulator.bench.measuring.statistic import Estimate
from emulator.bench.reporting.html import document_html
from emulator.bench.reporting.page import document_page
from emulator.bench.reporting.plot import require
from emulator.errors import HostError, PvperfError, UsageError
from emulator.files import Files, Output, uninterrupted


class Reports:
    """The files that `args` ask for, all or none. That one cannot be written is known before anything is measured."""

    def __init__(self, args: argparse.Namespace, files: Files) -> None:
        if args.html is not None or args.png is not None:
            require()
        self._outputs: list[tuple[Output, Callable[[Document], str | bytes]]] = []
        csv_name = args.csv
        if args.html is not None:
            html = files.output(args.html)
            self._outputs.append((html, document_html))
            csv_name = args.csv or (str(Path(args.html).with_suffix(".csv")) if html.is_file else None)
        for name, make in ((csv_name, document_csv), (getattr(args, "markdown", None), document_page)):
            if name is not None:
                self._outputs.append((files.output(name), make))
        if args.png is not None:
            from emulator.bench.reporting.browser import find_chromium, screenshot

            self._outputs.append((files.output(args.png), lambda document: screenshot(document_html(document))))
            find_chromium()

    @property
    def wanted(self) -> bool:
        """Is there any?"""
        return bool(self._outputs)

    def write(self, document: Document) -> PvperfError | None:
        """Makes them of this document: all are made before the first is given to its file. Why one is missing, if it
        could not be drawn, which costs no other."""
        undrawn, made = None, list[tuple[Output, str | bytes]]()
        for output, make in self._outputs:
            try:
                made.append((output, make(document)))
            except HostError as error:
                undrawn = error
        with uninterrupted():
            for output, data in made:
                output.write(data)
        return undrawn


def report(args: argparse.Namespace) -> int:
    """`pvperf bench report FILE`: the forms asked for, of a result that was kept."""
    document = load_document(args.result)
    with Files() as files:
        files.reads(args.result)
        reports = Reports(args, files)
        if not reports.wanted:
            raise UsageError("no report was asked for: --html, --csv, --png or --markdown")
        undrawn = reports.write(document)
    if undrawn:
        raise undrawn
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
            row = [group.name, kind, case.name, case.unit, *numbers, "", "", result.absent or result.failed, labels]
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
