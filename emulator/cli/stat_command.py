# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf stat`: boots a guest, counts events on every vCPU through the paravirtual interface, and prints them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from emulator.cli.launch import Launcher
from emulator.cli.output import Output
from emulator.errors import UsageError
from emulator.events import Event, parse_events
from emulator.machine import Result
from emulator.stat import table
from emulator.stat.reading import read_runs

DEFAULT_EVENTS = "instructions,branches,cycles,task-clock"


def main(arguments: argparse.Namespace) -> int:
    """Returns the guest's exit status; of several runs, the first that is not 0."""
    if arguments.append and arguments.output in (None, "-"):
        raise UsageError("--append needs a file: name it with -o")
    if arguments.field_separator == "":
        raise UsageError("the separator of -x cannot be empty")
    events = parse_events(arguments.event or DEFAULT_EVENTS)
    with Launcher(arguments) as launcher, Output(arguments.output, append=arguments.append) as output:
        results: list[Result] = []
        try:
            _repeat(launcher, arguments.repeat, events, results)
        finally:
            if results:
                output.write(_render(arguments, events, _whole(results)))
        return next((status for result in results if (status := launcher.status(result))), 0)


def _repeat(launcher: Launcher, times: int, events: Sequence[Event], results: list[Result]) -> None:
    """Fills `results` until all runs are done or one was ended from outside."""
    for _ in range(times):
        result = launcher.run(events)
        results.append(result)
        if result.ended != "exit" or launcher.signum:
            return


def _whole(results: list[Result]) -> list[Result]:
    """Those that are averaged. A run that was cut off stands for itself alone, if it was the only one."""
    whole = [result for result in results if result.ended == "exit"]
    if whole and len(whole) < len(results):
        print(f"pvperf stat: run {len(results)} was cut off, and is left out", file=sys.stderr)
    return whole or results


def _render(arguments: argparse.Namespace, events: Sequence[Event], results: Sequence[Result]) -> str:
    vcpus = arguments.smp or 1
    report = table.Report(
        title=" ".join([arguments.guest, *arguments.guest_args]),
        vcpus=vcpus,
        elapsed_s=[result.elapsed_s for result in results],
        readings=read_runs(results, events, vcpus=vcpus, per_vcpu=arguments.per_vcpu),
        real_cycles=arguments.cycles == "tsc",
    )
    if arguments.json:
        return table.json_lines(report)
    if arguments.field_separator:
        return table.fields(report, arguments.field_separator.replace("\\t", "\t"))
    return table.table(report)
