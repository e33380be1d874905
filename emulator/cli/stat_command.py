# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf stat`: boots a guest, counts events on every vCPU through the paravirtual interface, and prints them."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Sequence
from typing import Any

from emulator.cli.launch import Launcher
from emulator.errors import PvperfError, UsageError
from emulator.events import Event, detailed_events, parse_events
from emulator.files import Files
from emulator.files.output import Output
from emulator.guest.code_place import crash_of
from emulator.stat import table
from emulator.stat.intervals import Layout
from emulator.stat.reading import read_runs
from emulator.terminal.printable import printable
from emulator.vm.result import Result

DEFAULT_EVENTS = "instructions,branches,cycles,task-clock"


def main(arguments: argparse.Namespace) -> int:
    """Returns the guest's exit status; of several runs, the first that is not 0."""
    if arguments.append and arguments.output in (None, "-"):
        raise UsageError("--append needs a file: name it with -o")
    if arguments.field_separator == "":
        raise UsageError("the separator of -x cannot be empty")
    if arguments.interval and arguments.repeat > 1:
        raise UsageError("-I prints what one run counts, and -r the mean of several: it is one or the other")
    events = parse_events(arguments.event or DEFAULT_EVENTS)
    events += detailed_events(arguments.detailed)
    started = time.ctime() if arguments.output not in (None, "-") else ""
    with Files() as files, Launcher(arguments, files) as launcher:
        output = files.output(arguments.output, append=arguments.append)
        runs = _Runs(arguments.repeat)
        if arguments.interval:
            _print_intervals(arguments, events, runs, launcher, output, started)
        else:
            try:
                runs.do(launcher, events)
            finally:
                if runs.results:
                    output.write(_render(arguments, _report(arguments, events, runs, started)))
        return next((status for result in runs.results if (status := launcher.status(result))), 0)


def _print_intervals(
    arguments: argparse.Namespace,
    events: Sequence[Event],
    runs: _Runs,
    launcher: Launcher,
    output: Output,
    started: str,
) -> None:
    """As they come, unless it is to a file, which appears whole."""
    layout = Layout(
        events,
        vcpus=arguments.smp or 1,
        per_vcpu=arguments.per_vcpu,
        real_cycles=arguments.cycles == "tsc",
        json=arguments.json,
        separator=_separator(arguments),
        started=started,
    )

    def write(text: str) -> None:
        output.write(text)
        if not output.is_file:
            output.pour()

    try:
        every = arguments.interval / 1000
        runs.do(launcher, events, interval=every, intervals=lambda interval: write(layout.interval(interval)))
    finally:
        report = _report(arguments, events, runs, "") if runs.results else None
        if report and arguments.summary:
            write(layout.summary(report))
        elif layout.printed:
            write(layout.end(printable(runs.partial), report.readings if report else ()))


class _Runs:
    """Several runs, of which some may not come to pass, and the last be cut off."""

    def __init__(self, asked: int) -> None:
        self.asked = asked
        self.results: list[Result] = []
        self._why = ""  # there are not more

    def do(self, launcher: Launcher, events: Sequence[Event], **asked: Any) -> None:
        """Until all runs are done or one was ended from outside. Raises what launcher.run() does."""
        for _ in range(self.asked):
            try:
                result = launcher.run(events, **asked)
            except BaseException as error:
                self._why = str(error) if isinstance(error, PvperfError) else _signal(launcher) or "interrupted"
                raise
            self.results.append(result)
            if launcher.signum or not _is_whole(result):
                crash = crash_of(result.status, result.console)
                self._why = _signal(launcher) or _ENDS.get(result.ended, f"the guest crashed: {crash}")
                return

    @property
    def whole(self) -> Sequence[Result]:
        """Those that are averaged. A run that was cut off stands for itself alone, if it was the only one."""
        return [result for result in self.results if _is_whole(result)] or self.results

    @property
    def partial(self) -> str:
        """What is missing, and why; empty if nothing is."""
        if not self.results:
            return f"it ended early: {self._why}"
        number, cut = len(self.results), not _is_whole(self.results[-1])
        if number == self.asked == 1:
            return f"it ended early: {self._why}; the counts are those until then" if cut else ""
        if number == self.asked and not cut:
            return ""
        whole = number - cut
        what = f"run {number if cut else number + 1} of {self.asked} ended early: {self._why}"
        return f"{what}; {'it is left out' if whole else 'the counts are those until then'}"


def _is_whole(result: Result) -> bool:
    """Did the guest run to the end that it has in mind?"""
    return result.ended == "exit" and not crash_of(result.status, result.console)


_ENDS = {"timeout": "the time-out", "stopped": "ended from outside"}


def _signal(launcher: Launcher) -> str:
    return signal.Signals(launcher.signum).name if launcher.signum else ""


def _separator(arguments: argparse.Namespace) -> str:
    return (arguments.field_separator or "").replace("\\t", "\t")


def _report(arguments: argparse.Namespace, events: Sequence[Event], runs: _Runs, started: str) -> table.Report:
    vcpus = arguments.smp or 1
    return table.Report(
        title=printable(" ".join([arguments.guest, *arguments.guest_args])),
        vcpus=vcpus,
        elapsed_s=[result.elapsed_s for result in runs.whole],
        readings=read_runs(runs.whole, events, vcpus=vcpus, per_vcpu=arguments.per_vcpu),
        real_cycles=arguments.cycles == "tsc",
        runs=runs.asked,
        partial=printable(runs.partial),
        started=started,
    )


def _render(arguments: argparse.Namespace, report: table.Report) -> str:
    if arguments.json:
        return table.json_lines(report)
    if separator := _separator(arguments):
        return table.fields(report, separator)
    return table.table(report)
