# SPDX-License-Identifier: GPL-2.0-only
"""Measures suites, prints what came out, and says whether it can be trusted."""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
from collections.abc import Iterator

from emulator.bench.measuring import machine
from emulator.bench.measuring.case import Cut, Effort, Group
from emulator.bench.measuring.measure import measure_group
from emulator.bench.measuring.result import Document, GroupResult
from emulator.bench.options import QUICK_ROUNDS, ROUNDS, SUITES
from emulator.bench.reporting import trust
from emulator.bench.reporting.report import Reports
from emulator.bench.reporting.table import document_table
from emulator.bench.suites import suite_groups
from emulator.errors import Killed, UsageError
from emulator.files import Files
from emulator.terminal.progress import Progress


def run(args: argparse.Namespace) -> int:
    """Prints tables, or the JSON document if it goes to stdout: of all that was measured, whatever ended it. 0; 1 if a
    law was broken; trust.UNTRUSTED with the causes on stderr."""
    if args.warm_up < 0:
        raise UsageError("there cannot be less than no warm-up")
    names = list(SUITES) if args.suite == "all" else [args.suite]
    with Files() as files:
        json_file = files.output(args.json) if args.json is not None else None
        reports = Reports(args, files)
        measured = _Measured(names, args)
        measured.all()
        document = measured.document()
        if json_file:
            json_file.write(document.as_json())
        undrawn = reports.write(document)
    if args.json != "-":
        print(document_table(document), end="", flush=True)
    for group in document.groups:
        for law in group.broken:
            print(f"pvperf: a law was broken: {group.name}: {law}", file=sys.stderr)
    if document.quick:
        print(f"pvperf: {trust.QUICK}", file=sys.stderr)
    for warning in document.warnings:
        print(f"pvperf: not to be trusted: {warning}", file=sys.stderr)
    if measured.ended or undrawn:
        raise measured.ended or undrawn  # type: ignore[misc]
    return 1 if any(group.broken for group in document.groups) else trust.UNTRUSTED if document.warnings else 0


class _Measured:
    """The groups of some suites, as far as they were measured."""

    def __init__(self, suites: list[str], args: argparse.Namespace) -> None:
        self._suites, self._args = suites, args
        self._rounds: int = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)
        self._machine = machine.describe()
        self._begun = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._results: list[GroupResult] = []
        self.ended: BaseException | None = None  # what ended it before its time

    def all(self) -> None:
        """One after the other. What ends them is raised only if nothing was measured until then."""
        others: list[str] = []
        try:
            with Progress() as progress:
                for group in _groups(self._suites, Effort(quick=self._args.quick)):
                    if self._args.only and self._args.only not in group.name:
                        others.append(group.name)
                        continue
                    self._measure(group, progress)
        except BaseException as cause:
            if not self._results:
                raise
            self.ended = cause
        if not self._results:
            raise UsageError(f"no group has '{self._args.only}' in its name; there are: {'; '.join(others)}")

    def _measure(self, group: Group, progress: Progress) -> None:
        progress.restart()
        try:
            result = measure_group(group, rounds=self._rounds, warm_up=self._args.warm_up, progress=progress.say)
        except Cut as cut:
            if cut.found.has_anything:
                self._results.append(cut.found)
            raise cut.cause from None
        self._results.append(result)

    def document(self) -> Document:
        """All of it, and what speaks against trusting it."""
        args, doubts = self._args, list[str]()
        if not args.quick:  # which is too short in any case, and says so
            governor = str(self._machine["governor"])
            doubts = trust.warnings(self._results, rounds=self._rounds, seed=args.seed, governor=governor)
        doubts += trust.failures(self._results, ended=_name(self.ended) if self.ended else "")
        return Document(
            self._suites, self._begun, self._rounds, args.quick, args.seed, self._machine, self._results, doubts
        )


def _name(ended: BaseException) -> str:
    """What ended it."""
    if isinstance(ended, KeyboardInterrupt | Killed):
        return "Ctrl-C" if isinstance(ended, KeyboardInterrupt) else signal.Signals(ended.signum).name
    return f"{type(ended).__name__}: {ended}"


def _groups(suites: list[str], effort: Effort) -> Iterator[Group]:
    for suite in suites:
        yield from suite_groups(suite, effort)
