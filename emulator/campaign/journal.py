# SPDX-License-Identifier: GPL-2.0-only
"""The journal: an SQLite file with a row for each block that is finished, written before the next one is asked for.

What is not in it was not done. Rows are pure functions of the plan and of the code, but for `ns` and `ended`, and but
for those of `vm`, whose interleavings are real.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple
from pathlib import Path
from types import TracebackType
from typing import Any

from emulator.campaign.job import Block, BlockDone, Canary, CanaryDone, Place, ShrinkDone, Small
from emulator.campaign.plan import Plan, scenario_digest
from emulator.campaign.signature import signature
from emulator.campaign.vm import Vm, VmDone
from emulator.errors import UsageError
from emulator.explore.machine import Setup
from emulator.explore.scenarios import find

_APPLICATION = 0x70766331  # "pvc1"
_PLACE = "design TEXT, nmi TEXT, sync TEXT, scenario TEXT"
_CASE = (
    "signature TEXT, case_oracle TEXT, case_text TEXT, operations_met TEXT, length INT, preemptions INT, replays INT, "
    "replay TEXT"
)
_SCHEMA = f"""
CREATE TABLE plan (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE block ({_PLACE}, first INT, count INT, schedules INT, steps INT, nmis INT, nmi_misses INT, contended INT,
    disagreed INT, digest TEXT, ns INT, ended REAL, PRIMARY KEY (design, nmi, sync, scenario, first));
CREATE TABLE failure ({_PLACE}, number INT, oracle TEXT, text TEXT,
    PRIMARY KEY (design, nmi, sync, scenario, number));
CREATE TABLE canary (design TEXT, nmi TEXT, sync TEXT, name TEXT, schedules INT, found INT,
    PRIMARY KEY (design, nmi, sync, name));
CREATE TABLE shrunk ({_PLACE}, number INT, {_CASE}, PRIMARY KEY (design, nmi, sync, scenario, number));
CREATE TABLE vm ({_PLACE}, number INT, rounds INT, operations INT, overflows INT, nmi_misses INT, oracle TEXT,
    text TEXT, seconds REAL, ended REAL, {_CASE}, PRIMARY KEY (design, nmi, sync, scenario, number));
"""
Key = tuple[str, str, str, str]


def _machine(setup: Setup) -> tuple[str, str, str]:
    return setup.design, setup.nmi, setup.sync


def _case(setup: Setup, case: Small) -> tuple[Any, ...]:
    name = signature(setup.design, case.oracle, case.text, case.operations)
    return (name, *astuple(case))


class Journal:
    """An open journal, which no other campaign can have open, unless it is only for a report. A context manager."""

    def __init__(self, path: Path, *, report: bool = False) -> None:
        self.path, self._new = path, not path.exists()
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        try:
            # SQLite's own locks are fcntl's, and it lets go of all of these at once.
            if not report:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise UsageError(f"another campaign is using {path}") from None
        os.register_at_fork(after_in_child=self._file.close)  # or a worker that is left over would hold it
        self._database = sqlite3.connect(path, isolation_level=None)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """Makes the tables of a new file, and refuses what is no journal."""
        ask = self._database.execute
        try:
            (mark,), (tables,) = (
                ask("PRAGMA application_id").fetchone(),
                ask("SELECT count(*) FROM sqlite_master").fetchone(),
            )
        except sqlite3.DatabaseError:
            mark, tables = 0, 1
        if mark != _APPLICATION and tables:
            raise UsageError(f"{self.path} is no journal of pvperf campaign")
        ask("PRAGMA journal_mode = WAL")
        ask("PRAGMA synchronous = FULL")
        if not tables:
            self._database.executescript(f"BEGIN;{_SCHEMA}PRAGMA application_id = {_APPLICATION};COMMIT;")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        unused = self._new and self.stored("plan") is None
        self.close()
        if unused:
            self.path.unlink()

    def close(self) -> None:
        """Lets go of the file. What was added is in it already."""
        self._database.close()
        self._file.close()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a SELECT finds."""
        return self._database.execute(query, values).fetchall()

    def stored(self, name: str) -> Any:
        """A parameter, or what else belongs to the plan; None where the journal is new."""
        found = self.rows("SELECT value FROM plan WHERE name = ?", name)
        return json.loads(found[0][0]) if found else None

    def plan(self) -> Plan | None:
        """The plan that it was begun or last extended with."""
        values = self.stored("plan")
        return Plan.of(values) if values else None

    def keep(self, plan: Plan, code: str) -> None:
        """Stores the plan, and what its results depend on. UsageError where the journal depends on something else."""
        if (theirs := self.stored("code")) not in (None, code):
            raise UsageError(
                f"{self.path} is of the code '{theirs}', and this is '{code}': their results do not add up; "
                "begin another journal"
            )
        scenarios = {name: scenario_digest(find(name)) for name in plan.scenarios}
        for name, digest in (self.stored("scenarios") or {}).items():
            if scenarios[name] != digest:
                raise UsageError(f"{name} is not what it was when {self.path} was begun: begin another journal")
        rows = (("plan", asdict(plan)), ("code", code), ("scenarios", scenarios))
        with self._transaction() as database:
            database.executemany("REPLACE INTO plan VALUES (?, ?)", [(name, json.dumps(value)) for name, value in rows])

    def _transaction(self) -> _Transaction:
        return _Transaction(self._database)

    def missing_blocks(self, plan: Plan) -> Iterator[Block]:
        """Those of the plan that are not done, or were shorter before the plan was extended."""
        done = {
            tuple(row[:5]): row[5] for row in self.rows("SELECT design, nmi, sync, scenario, first, count FROM block")
        }
        for block in plan.blocks():
            if done.get((*_machine(block.setup), block.scenario.name, block.first)) != block.count:
                yield block

    def missing_canaries(self, canaries: list[Canary]) -> list[Canary]:
        """Those of them that were not searched for."""
        done = set(self.rows("SELECT design, nmi, sync, name FROM canary"))
        return [canary for canary in canaries if (*_machine(canary.setup), canary.name) not in done]

    def add_block(self, done: BlockDone) -> None:
        block, totals = done.block, done.totals
        key = (*_machine(block.setup), block.scenario.name)
        figures = (totals.schedules, totals.steps, totals.nmis, totals.nmi_misses, totals.contended, done.disagreed)
        with self._transaction() as database:
            database.execute(
                f"REPLACE INTO block VALUES ({_marks(15)})",
                (*key, block.first, block.count, *figures, done.digest, totals.ns, time.time()),
            )
            database.executemany(
                f"REPLACE INTO failure VALUES ({_marks(7)})",
                [(*key, failure.number, failure.oracle, failure.text) for failure in done.failures],
            )

    def add_canary(self, done: CanaryDone) -> None:
        row = (*_machine(done.canary.setup), done.canary.name, done.schedules, int(done.found))
        with self._transaction() as database:
            database.execute(f"REPLACE INTO canary VALUES ({_marks(6)})", row)

    def add_shrunk(self, done: ShrinkDone) -> None:
        place = done.place
        key = (*_machine(place.setup), place.scenario.name, place.number)
        with self._transaction() as database:
            database.execute(f"REPLACE INTO shrunk VALUES ({_marks(13)})", (*key, *_case(place.setup, done.case)))

    def add_vm(self, done: VmDone) -> None:
        vm = done.vm
        key = (*_machine(vm.setup), vm.scenario.name, vm.number)
        figures = (done.rounds, done.operations, done.overflows, done.nmi_misses, done.oracle, done.text, done.seconds)
        case = _case(vm.setup, done.case) if done.case else (None,) * 8
        with self._transaction() as database:
            database.execute(f"REPLACE INTO vm VALUES ({_marks(21)})", (*key, *figures, time.time(), *case))

    def missing_vms(self, vms: Iterable[Vm]) -> Iterator[Vm]:
        """Those of them that were not booted."""
        done = set(self.rows("SELECT design, nmi, sync, scenario, number FROM vm"))
        for vm in vms:
            if (*_machine(vm.setup), vm.scenario.name, vm.number) not in done:
                yield vm

    def place(self, plan: Plan, key: Key, number: int) -> Place:
        """Where a failure was found."""
        design, nmi, sync, scenario = key
        setup = Setup(design=design, nmi=nmi, sync=sync, races=int(plan.races))
        return Place(setup, find(scenario), plan.seed, number, plan.schedules)


class _Transaction:
    """All or nothing."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        self._database.execute("BEGIN IMMEDIATE")
        return self._database

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.execute("ROLLBACK" if error else "COMMIT")


def _marks(n: int) -> str:
    return ", ".join("?" * n)
