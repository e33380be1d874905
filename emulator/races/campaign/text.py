# SPDX-License-Identifier: GPL-2.0-only
"""The summary for people, for programs, and as replay files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from emulator.files import cannot_write, write_whole
from emulator.races.campaign.job import code
from emulator.races.campaign.summary import Kind, Machine, Summary
from emulator.terminal.counted import counted


def write_cases(summary: Summary, journal: Path) -> dict[str, Path]:
    """A replay file for each signature that has a case, in JOURNAL.replays; where each is."""
    folder, files = replay_folder(journal), dict[str, Path]()
    for kind in summary.kinds:
        if not kind.replay:
            continue
        path = files[kind.signature] = folder / f"{kind.design}-{kind.signature}.replay"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_write(str(folder), error) from None
        if not path.is_file() or path.read_bytes() != kind.replay.encode():
            write_whole(path, kind.replay)
    return files


def replay_folder(journal: Path) -> Path:
    """Where replay files of a journal go."""
    return journal.with_name(journal.name + ".replays")


def print_text(summary: Summary, files: dict[str, Path]) -> None:
    """A line for each machine, the failures, the figures and the verdict."""
    plan = summary.plan
    if summary.code != code():
        print(f"of the code '{summary.code}', and this is '{code()}'")
    print(f"{'design':<12} {'nmi':<9} {'sync':<11} {'schedules':>14} {'NMIs missed':>12} {'failed':>7}  canaries")
    for machine in summary.machines:
        print(f"{machine.design:<12} {machine.nmi:<9} {machine.sync:<11} {_figures(machine)}")
    for kind in summary.kinds:
        print("\n".join(_failure(kind, files)))
    if vms := sum(machine.vms for machine in summary.machines):
        rounds = sum(machine.vm_rounds for machine in summary.machines)
        print(f"{counted(vms, 'VM')} of {counted(plan.smp, 'vCPU')}, {counted(rounds, 'round')}")
    twice = ", each run twice" if plan.twice else ""
    print(
        f"{counted(summary.schedules, 'schedule')} of {counted(summary.seeds, 'seed')}{twice} in "
        f"{counted(len(plan.scenarios), 'scenario')}, "
        f"{summary.rate:,.0f} a second and core"
    )
    print("\n".join([f"verdict: {summary.verdict}", *(f"  {doubt}" for doubt in summary.doubts)]))


def _figures(machine: Machine) -> str:
    failed = machine.failed + machine.vms_failed
    # A design that fails by itself would find every canary.
    found = "-" if failed else f"{machine.canaries_found} of {machine.canaries}"
    return f"{machine.schedules:>14,} {machine.nmi_misses:>12,} {failed:>7,}  {found}"


def _failure(kind: Kind, files: dict[str, Path]) -> Iterator[str]:
    times = [counted(n, what) for n, what in ((kind.seeds, "seed"), (kind.vms, "VM")) if n]
    yield f"{kind.signature}  {kind.design}: {kind.oracle}: {kind.text}"
    yield f"          {' and '.join(times)}, in {', '.join(kind.scenarios)}"
    if kind.replay:
        size = f"{counted(kind.length, 'operation')}, {counted(kind.preemptions, 'preemption')}"
        yield (f"          {kind.operations}: {size}: pvperf replay {files[kind.signature]}")
    else:
        yield "          not made small yet: go on with the campaign"


def print_json(summary: Summary, files: dict[str, Path]) -> None:
    """An object a line; the last one has the verdict."""
    _line("plan", {**asdict(summary.plan), "code": summary.code})
    for machine in summary.machines:
        _line("machine", asdict(machine))
    for kind in summary.kinds:
        figures = {name: value for name, value in asdict(kind).items() if name != "replay"}
        _line("failure", {**figures, "replay": str(files.get(kind.signature, ""))})
    figures = {"schedules": summary.schedules, "seeds": summary.seeds, "schedules_per_second": summary.rate}
    _line("verdict", {"verdict": summary.verdict, "doubts": summary.doubts, **figures})


def _line(kind: str, value: dict[str, object]) -> None:
    print(json.dumps({"type": kind, "schema_version": 1, **value}))
