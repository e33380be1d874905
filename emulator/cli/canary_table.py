# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf explore --canaries`: each planted defect, how soon it is found, and how small its case gets."""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import fields
from functools import partial

from emulator.errors import UsageError
from emulator.races.explore import canaries
from emulator.races.explore.canaries import REPLAYS, Measured
from emulator.races.explore.crew import Crew
from emulator.races.explore.machine import Setup
from emulator.races.explore.machine import canaries as canary_names
from emulator.terminal.counted import counted
from emulator.terminal.progress import Progress, Stand

_SECONDS = 60.0


def print_canaries(setup: Setup, seed: int, arguments: argparse.Namespace) -> int:
    """Returns 0 when all were found and always replay, 7 when not."""
    searches = ("scenarios", "schedules", "duration", "exhaustive", "output")
    if given := [name for name in searches if getattr(arguments, name) not in (None, [])]:
        raise UsageError(f"--canaries searches for what is planted alone: it does not go with {given[0]}")
    jobs = (
        partial(canaries.measure, name, setup, seed=seed, seconds=_SECONDS, shrink_seconds=arguments.shrink)
        for name in canary_names()
    )
    rows: list[Measured] = []
    if not arguments.json:
        print(f"canaries: {_machine(setup) or 'per-vm, trylock'}, or what each needs; seed {seed}")
        print(
            f"{'canary':<30} {'machine':<22} {'oracle':<20} {'schedules':>9} {'s':>5} {'op.':>4} {'pre.':>4}  replayed"
        )
    with Progress() as progress, Crew(tick=progress.tick) as crew:
        names = canary_names()
        progress.watch(lambda: Stand("canaries", share=len(rows) / len(names)))
        for row in crew.each(jobs):
            rows.append(row)
            progress.clear()
            print(json.dumps(_document(row)) if arguments.json else _line(row), flush=True)
    found = [row for row in rows if row.small and row.holds]
    if not arguments.json and found:
        print(_summary(rows, found))
    return 0 if all(row.holds and row.replayed == REPLAYS for row in rows) else 7


def _machine(setup: Setup) -> str:
    """In what it differs from the usual one."""
    return ", ".join(
        "races" if field.name == "races" else str(getattr(setup, field.name))
        for field in fields(setup)
        if getattr(setup, field.name) != field.default
    )


def _line(row: Measured) -> str:
    name = f"{row.caught.name:<30} {_machine(row.setup):<22}"
    if not row.small:
        return f"{name} NOT FOUND in {counted(row.caught.schedules, 'schedule')}"
    if not row.holds:
        return f"{name} NOT THE CANARY'S: without it the case violates an oracle, too"
    return (
        f"{name} {row.small.oracle:<20} {row.caught.schedules:>9,} {row.caught.seconds:>5.2f} "
        f"{row.small.program.length:>4} {row.small.preemptions:>4}  {row.replayed}/{REPLAYS}"
    )


def _summary(rows: list[Measured], found: list[Measured]) -> str:
    seconds = [row.caught.seconds for row in found]
    small = [row.small for row in found if row.small]
    return (
        f"{len(found)} of {len(rows)} found, in {statistics.median(seconds):.3f} s of one core at the median, "
        f"{max(seconds):.2f} at most; the median case has "
        f"{statistics.median(case.program.length for case in small):g} operations and "
        f"{statistics.median(case.preemptions for case in small):g} preemptions; "
        f"{sum(row.replayed == REPLAYS for row in found)} replayed {REPLAYS} of {REPLAYS} times"
    )


def _document(row: Measured) -> dict[str, object]:
    document: dict[str, object] = {
        "schema_version": 1,
        "canary": row.caught.name,
        "design": row.setup.design,
        "nmi": row.setup.nmi,
        "memory": row.setup.memory,
        "races": bool(row.setup.races),
        "found": row.small is not None and row.holds,
        "schedules": row.caught.schedules,
        "seconds": row.caught.seconds,
    }
    if row.small:
        document |= {"oracle": row.small.oracle, "operations": row.small.program.length}
        document |= {"preemptions": row.small.preemptions, "replayed": row.replayed, "of": REPLAYS}
    return document
