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
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from emulator.errors import HostError, UsageError
from emulator.files.errors import cannot_open
from emulator.races.campaign.job import Block, BlockDone, Canary, CanaryDone, Place, ShrinkDone, Small
from emulator.races.campaign.plan import Plan, scenario_digest
from emulator.races.campaign.seal import check_content, check_file, create, locked, salt_of, seal
from emulator.races.campaign.signature import signature
from emulator.races.campaign.vm import Vm, VmDone
from emulator.races.explore.machine import Setup
from emulator.races.explore.scenarios import find

Key = tuple[str, str, str, str]


def _machine(setup: Setup) -> tuple[str, str, str]:
    return setup.design, setup.nmi, setup.sync


def _case(setup: Setup, case: Small) -> tuple[Any, ...]:
    name = signature(setup.design, case.oracle, case.text, case.operations)
    return (name, *astuple(case))


class Journal:
    """An open journal, which no other campaign can have open, unless it is only for a report. A context manager.

    What is damaged, edited or of somebody else is refused with UsageError, and not touched: it is looked at through a
    connection that cannot write before another one may. For a report there is no other one.
    """

    def __init__(self, path: Path, *, report: bool = False) -> None:
        self.path, self._new = path, not report and _begin(path)
        self._salt = ""
        self._file = _hold(path, shared=report)
        try:
            check_file(path)
            self._database = _connect_to_read(path)
            try:
                check_content(path, self._database)
                if not report:
                    self._database.close()
                    self._database = _connect_to_write(path)
                self._remember()
            except BaseException:
                self._database.close()
                raise
        except BaseException:
            self._file.close()
            raise
        os.register_at_fork(after_in_child=self._file.close)  # or a worker that is left over would hold it

    def _remember(self) -> None:
        if plan := self.stored("plan"):
            self._salt = salt_of(plan, self.stored("code"))

    def check(self) -> None:
        """UsageError if it is not what was written any more."""
        check_content(self.path, self._database)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        unused = self._new and self.stored("plan") is None
        self.close()
        if unused:
            Path(os.path.realpath(self.path)).unlink()

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
            for name, value in rows:
                self._put(database, "plan", (name, json.dumps(value)))
        self._remember()

    def _put(self, database: sqlite3.Connection, table: str, values: Sequence[Any]) -> None:
        """A row and its seal."""
        row = [*values, seal("" if table == "plan" else self._salt, table, values)]
        database.execute(f"REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)

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
            told = (done.digest, totals.ns, time.time(), len(done.failures))
            self._put(database, "block", (*key, block.first, block.count, *figures, *told))
            for failure in done.failures:
                self._put(database, "failure", (*key, failure.number, failure.oracle, failure.text))

    def add_canary(self, done: CanaryDone) -> None:
        row = (*_machine(done.canary.setup), done.canary.name, done.schedules, int(done.found))
        with self._transaction() as database:
            self._put(database, "canary", row)

    def add_shrunk(self, done: ShrinkDone) -> None:
        place = done.place
        key = (*_machine(place.setup), place.scenario.name, place.number)
        with self._transaction() as database:
            self._put(database, "shrunk", (*key, *_case(place.setup, done.case)))

    def add_vm(self, done: VmDone) -> None:
        vm = done.vm
        key = (*_machine(vm.setup), vm.scenario.name, vm.number)
        figures = (done.rounds, done.operations, done.overflows, done.nmi_misses, done.oracle, done.text, done.seconds)
        case = _case(vm.setup, done.case) if done.case else (None,) * 8
        with self._transaction() as database:
            self._put(database, "vm", (*key, *figures, time.time(), *case))

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


def _begin(path: Path) -> bool:
    """Puts a journal without rows where there is nothing, whole at once; False where there is something."""
    if path.exists():
        return False
    place = Path(os.path.realpath(path))  # where a link leads that leads to nothing yet
    try:
        with tempfile.TemporaryDirectory(prefix=".pvperf-", dir=place.parent) as scratch:
            create(Path(scratch, "journal"))
            os.link(Path(scratch, "journal"), place)
    except FileExistsError:  # somebody else was faster
        return False
    except OSError as error:
        raise cannot_open(str(path), error) from None
    except sqlite3.Error as error:
        raise HostError(f"cannot write {path}: {error}") from None
    return True


def _hold(path: Path, *, shared: bool) -> BinaryIO:
    """The file, locked against other campaigns unless it is `shared`, and only ever read through this."""
    try:
        if not path.is_file():
            kind = "Is a directory" if path.is_dir() else "it is no regular file" if path.exists() else "no such file"
            raise UsageError(f"cannot use {path} as a journal: {kind}")
        file = path.open("rb" if shared else "r+b")
    except OSError as error:
        if not shared:
            raise cannot_open(str(path), error) from None
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    try:
        # SQLite's own locks are fcntl's, and it lets go of all of these at once.
        if not shared:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise UsageError(f"another campaign is using {path}") from None
    return file


def _connect(path: Path, how: str) -> sqlite3.Connection:
    """To a file that is there. Text that is none is no error: its row's seal is."""
    database = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", isolation_level=None, uri=True)
    database.text_factory = lambda text: text.decode(errors="surrogateescape")
    return database


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Leaves nothing behind, and needs no room: where no campaign has left anything beside it, none is made."""
    if path.with_name(path.name + "-wal").exists():
        return _connect(path, "mode=ro")
    return _connect(path, "mode=ro&immutable=1")


def _connect_to_write(path: Path) -> sqlite3.Connection:
    """UsageError if another program keeps it to itself."""
    database = _connect(path, "mode=rw")
    try:
        database.execute("PRAGMA synchronous = FULL")
        database.executescript("BEGIN IMMEDIATE; ROLLBACK")
    except sqlite3.OperationalError as error:
        database.close()
        raise UsageError(f"cannot write {path}: {locked(error) or error}") from None
    return database
