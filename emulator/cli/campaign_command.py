# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf campaign JOURNAL`: the explorer over many seeds, designs and policies, with a journal to go on from."""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path
from typing import Any

from emulator.errors import HostError, Killed, UsageError
from emulator.files import Files
from emulator.races.campaign.job import BlockDone, CanaryDone, code
from emulator.races.campaign.journal import Journal
from emulator.races.campaign.plan import Plan
from emulator.races.campaign.run import run
from emulator.races.campaign.signature import normalised
from emulator.races.campaign.summary import HELD, INCONCLUSIVE, VIOLATED, canaries_for, summarise
from emulator.races.campaign.text import print_json, print_text, replay_folder, write_cases
from emulator.races.campaign.vm import VmDone, vms_of
from emulator.races.explore.scenarios import SCENARIOS
from emulator.terminal.counted import counted
from emulator.terminal.progress import Progress, Stand
from emulator.vm.machine import CHOICES

STATUS = {HELD: 0, VIOLATED: 1, INCONCLUSIVE: 7}
_SIDE_FILES = ("-wal", "-shm", "-journal")  # SQLite's


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 when all held, 1 for violations, 7 when the campaign proves nothing, or is not done."""
    path = Path(arguments.journal)
    _check_files(path, arguments)
    try:
        with Journal(path, report=arguments.report) as journal:
            plan = _plan(arguments, journal)
            if not arguments.report:
                _run(journal, plan, arguments)
            return _say(journal, plan, arguments)
    except sqlite3.Error as error:
        raise HostError(f"{path}: {error}; what it has can be gone on with") from None


def _check_files(path: Path, arguments: argparse.Namespace) -> None:
    """PvperfError if the journal is another of the command's files, or cannot be written, or was forgotten."""
    word = arguments.journal
    if word in SCENARIOS or any(word in CHOICES[name] for name in ("design", "nmi", "sync")):
        raise UsageError(
            f"'{word}' is what a campaign explores, and no journal: name a file first, as in "
            f"pvperf campaign night.journal {word} (a file of that name: ./{word})"
        )
    if arguments.report:
        if not path.exists():
            raise UsageError(f"there is no journal {path}")
        return
    files = Files()
    files.reads(*(name for name in arguments.scenarios if name not in SCENARIOS))
    files.writes(arguments.journal, regular=True)
    folder = replay_folder(path)
    if inside := [name for name in arguments.scenarios if Path(name).resolve().parent == folder.resolve()]:
        raise UsageError(f"{inside[0]} lies where this campaign writes replay files: copy it to another place")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"cannot write {folder}: it is not a directory")
    for end in _SIDE_FILES:
        files.writes(f"{path}{end}", regular=True)
        if not path.exists() and os.path.exists(f"{path}{end}"):
            raise UsageError(f"there is a {path}{end}, and no {path} that it belongs to: remove it, or name another")


def _plan(arguments: argparse.Namespace, journal: Journal) -> Plan:
    """The journal's, with what is given on the command line."""
    given = {field.name: getattr(arguments, field.name) for field in fields(Plan)}
    given["scenarios"] = tuple(dict.fromkeys(arguments.scenarios)) or None
    given = {name: value for name, value in given.items() if value is not None}
    plan = journal.plan()
    if not plan and arguments.report:
        raise UsageError(f"{journal.path} has no campaign")
    if not plan:
        given.setdefault("seed", random.SystemRandom().randrange(1 << 32))
    plan = plan.merged(given, str(journal.path)) if plan else Plan(**given)
    plan.check()
    if not arguments.report:
        journal.keep(plan, code())
    return plan


def _run(journal: Journal, plan: Plan, arguments: argparse.Namespace) -> None:
    """Ctrl-C ends it, and the process, with a summary of what there is."""
    try:
        with Progress() as progress, _workers(arguments, progress) as workers:
            canaries = len(journal.missing_canaries(canaries_for(plan)))
            done = _Done(canaries, sum(1 for _ in journal.missing_blocks(plan)), arguments.duration)
            if not arguments.json:
                print(f"campaign: {workers}, seed {plan.seed}", flush=True)
            progress.watch(done.stand)

            def count(what: Any) -> None:
                done.count(what)
                progress.tick()

            run(journal, plan, workers, seconds=arguments.duration, progress=count)
    except (KeyboardInterrupt, Killed):
        _say(journal, plan, arguments)
        raise


def _workers(arguments: argparse.Namespace, progress: Progress) -> AbstractContextManager[Any]:
    if arguments.dask:
        from emulator.races.campaign.dask_workers import DaskWorkers

        return DaskWorkers(arguments.dask)
    from emulator.races.explore.crew import Crew

    return Crew(arguments.workers, tick=progress.tick)


def _say(journal: Journal, plan: Plan, arguments: argparse.Namespace) -> int:
    left = sum(1 for _ in journal.missing_blocks(plan)), sum(1 for _ in journal.missing_vms(vms_of(plan)))
    summary = summarise(journal, plan, blocks_left=left[0], vms_left=left[1])
    files = write_cases(summary, journal.path)
    (print_json if arguments.json else print_text)(summary, files)
    return STATUS[summary.verdict]


class _Done:
    """How much is done, and what failed."""

    def __init__(self, canaries: int, blocks: int, seconds: float | None) -> None:
        self._of = canaries, blocks
        self._seconds, self._begin = seconds, time.monotonic()
        self._canaries, self._blocks, self._vms, self._schedules = 0, 0, 0, 0
        self._failed: Counter[str] = Counter()

    def count(self, done: Any) -> None:
        """Something that is done."""
        if isinstance(done, BlockDone):
            self._blocks += 1
            self._schedules += done.totals.schedules
            design = done.block.setup.design
            self._failed.update(f"{design}: {each.oracle}: {normalised(each.text)}" for each in done.failures)
        elif isinstance(done, CanaryDone):
            self._canaries += 1
        elif isinstance(done, VmDone):
            self._vms += 1
            self._failed.update([f"{done.vm.setup.design}: {done.oracle}, in a VM"] if done.oracle else [])

    def stand(self) -> Stand:
        """The line on a terminal. It ends when all blocks are done, or its time is over."""
        share = (self._canaries + self._blocks) / max(1, sum(self._of))
        if self._seconds:
            share = max(share, (time.monotonic() - self._begin) / self._seconds)
        if self._canaries < self._of[0]:  # they come first
            more = f"{self._canaries:,} of {counted(self._of[0], 'canary')}"
        else:
            more = f"{self._blocks:,} of {counted(self._of[1], 'block')}"
        more += f", {counted(self._vms, 'VM')}" if self._vms else ""
        if self._failed:
            (worst, n), *others = self._failed.most_common()
            more += f"; {n:,} x {worst}" + (f", and {counted(len(others), 'other')}" if others else "")
        return Stand("campaign", self._schedules, "schedule", min(share, 1.0), more)
