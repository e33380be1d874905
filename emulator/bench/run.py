# SPDX-License-Identifier: GPL-2.0-only
"""Measures suites, prints what came out, and says whether it can be trusted."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterator

from emulator.bench import machine, trust
from emulator.bench.case import Effort, Group
from emulator.bench.measure import measure_group
from emulator.bench.options import QUICK_ROUNDS, ROUNDS, SUITES
from emulator.bench.report import Reports
from emulator.bench.result import Document, GroupResult
from emulator.bench.suites import suite_groups
from emulator.bench.table import document_table
from emulator.errors import UsageError
from emulator.files import Files


def run(args: argparse.Namespace) -> int:
    """Prints tables, or the JSON document if it goes to stdout. 0, or trust.UNTRUSTED with the causes on stderr."""
    rounds = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)
    if args.warm_up < 0:
        raise UsageError("there cannot be less than no warm-up")
    names = list(SUITES) if args.suite == "all" else [args.suite]
    with Files() as files:
        json_file = files.output(args.json) if args.json is not None else None
        reports = Reports(args, files)
        document = _measure(names, args, rounds)
        if json_file:
            json_file.write(document.as_json())
        reports.write(document)
    if args.json != "-":
        print(document_table(document), end="")
    for warning in document.warnings:
        print(f"pvperf: not to be trusted: {warning}", file=sys.stderr)
    return trust.UNTRUSTED if document.warnings else 0


def _measure(names: list[str], args: argparse.Namespace, rounds: int) -> Document:
    described = machine.describe()
    begun = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    effort = Effort(quick=args.quick)
    results: list[GroupResult] = []
    others: list[str] = []
    with _Progress() as progress:
        for group in _groups(names, effort):
            if args.only and args.only not in group.name:
                others.append(group.name)
                continue
            results.append(measure_group(group, rounds=rounds, warm_up=args.warm_up, progress=progress.say))
    if not results:
        raise UsageError(f"no group has '{args.only}' in its name; there are: {'; '.join(others)}")
    doubts = trust.warnings(results, rounds=rounds, seed=args.seed, governor=str(described["governor"]))
    return Document(names, begun, rounds, args.quick, args.seed, described, results, doubts)


def _groups(suites: list[str], effort: Effort) -> Iterator[Group]:
    for suite in suites:
        yield from suite_groups(suite, effort)


class _Progress:
    """One line on a terminal's stderr, gone at the end."""

    def __enter__(self) -> _Progress:
        self._shown = sys.stderr.isatty()
        return self

    def say(self, text: str) -> None:
        if self._shown:
            print(f"\r\033[K{text[:100]}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        self.say("")
