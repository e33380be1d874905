# SPDX-License-Identifier: GPL-2.0-only
"""What a journal says: figures of each machine, failures by signature, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.races.campaign.job import Canary
from emulator.races.campaign.journal import Journal, Key
from emulator.races.campaign.plan import Plan
from emulator.races.campaign.signature import normalised, signature
from emulator.races.explore.canaries import canaries_of
from emulator.races.explore.machine import Setup
from emulator.terminal.counted import agreed, counted

HELD, VIOLATED, INCONCLUSIVE = "held", "violated", "inconclusive"
#: Failures that are taken for one, before any is shrunk: design, scenario, oracle, normalised text.
Alike = tuple[str, str, str, str]
_CASE_COLUMNS = "signature, case_oracle, case_text, operations_met, length, preemptions, replays, replay"


@dataclass
class Group:
    """Failures as they were found, and the first of them, in an order that is always the same."""

    key: Key
    number: int
    oracle: str
    text: str
    seeds: int = 0


@dataclass
class Kind:
    """Failures of one signature, and the smallest case."""

    signature: str
    design: str
    oracle: str
    text: str
    operations: str = ""
    length: int = 0
    preemptions: int = 0
    replays: bool = False
    replay: str = ""  # empty: no case yet
    seeds: int = 0
    vms: int = 0
    scenarios: list[str] = field(default_factory=list)

    def add(self, other: Kind) -> None:
        self.seeds += other.seeds
        self.vms += other.vms
        self.scenarios = sorted({*self.scenarios, *other.scenarios})
        if other.replay and (not self.replay or other._size() < self._size()):
            for name in ("text", "length", "preemptions", "replays", "replay"):
                setattr(self, name, getattr(other, name))

    def _size(self) -> tuple[int, int, str]:
        return self.length, self.preemptions, self.replay


@dataclass(frozen=True)
class Machine:
    """What was done on one machine."""

    design: str
    nmi: str
    sync: str
    seeds: int
    schedules: int
    nmis: int
    nmi_misses: int
    contended: int
    failed: int
    canaries: int
    canaries_found: int
    vms: int
    vm_rounds: int
    vms_failed: int


@dataclass
class Summary:
    """All of it."""

    plan: Plan
    code: str
    machines: list[Machine]
    kinds: list[Kind]
    doubts: list[str]
    seeds: int
    ns: int  # of CPU time

    @property
    def verdict(self) -> str:
        return VIOLATED if self.kinds else INCONCLUSIVE if self.doubts else HELD

    @property
    def rate(self) -> float:
        """Schedules a second, of the CPU time that was spent in them."""
        return self.schedules / max(1, self.ns) * 1e9

    @property
    def schedules(self) -> int:
        return sum(machine.schedules for machine in self.machines)


def canaries_for(plan: Plan) -> list[Canary]:
    """The planted defects that each machine of the plan has to find."""
    return [Canary(setup, name, plan.seed) for setup in plan.setups() for name in canaries_of(setup)]


def groups(journal: Journal) -> dict[Alike, Group]:
    """The explorer's failures, before they are shrunk."""
    found: dict[Alike, Group] = {}
    rows = journal.rows(
        "SELECT design, nmi, sync, scenario, number, oracle, text FROM failure "
        "ORDER BY number, design, nmi, sync, scenario"
    )
    for design, nmi, sync, scenario, number, oracle, text in rows:
        alike = (design, scenario, oracle, normalised(text))
        group = found.setdefault(alike, Group((design, nmi, sync, scenario), number, oracle, text))
        group.seeds += 1
    return found


def _kind(design: str, scenario: str, oracle: str, text: str, case: Sequence[Any] | None) -> Kind:
    """Of a failure and, if it has one, its case: the columns that _CASE_COLUMNS names."""
    if not case:
        return Kind(signature(design, oracle, text, ""), design, oracle, text, scenarios=[scenario])
    name, oracle, text, operations, length, preemptions, replays, replay = case
    return Kind(
        name, design, oracle, text, operations, length, preemptions, bool(replays), replay, scenarios=[scenario]
    )


def _kinds(journal: Journal) -> list[Kind]:
    key = "design, nmi, sync, scenario, number"
    shrunk = {row[:5]: row[5:] for row in journal.rows(f"SELECT {key}, {_CASE_COLUMNS} FROM shrunk")}
    kinds: dict[str, Kind] = {}

    def add(kind: Kind, *, seeds: int = 0, vms: int = 0) -> None:
        kind.seeds, kind.vms = seeds, vms
        if kinds.setdefault(kind.signature, kind) is not kind:
            kinds[kind.signature].add(kind)

    for group in groups(journal).values():
        case = shrunk.get((*group.key, group.number))
        add(_kind(group.key[0], group.key[3], group.oracle, group.text, case), seeds=group.seeds)
    query = f"SELECT design, scenario, oracle, text, {_CASE_COLUMNS} FROM vm WHERE oracle != '' ORDER BY {key}"
    for design, scenario, oracle, text, *columns in journal.rows(query):
        add(_kind(design, scenario, oracle, text, columns if columns[0] else None), vms=1)
    return sorted(kinds.values(), key=lambda kind: (kind.design, kind.oracle, -kind.seeds, kind.signature))


def _machine(journal: Journal, setup: Setup) -> Machine:
    key = (setup.design, setup.nmi, setup.sync)
    where = "WHERE design = ? AND nmi = ? AND sync = ?"
    block = _sums(journal, f"block {where}", key, "count", "schedules", "nmis", "nmi_misses", "contended")
    failed, canary = _sums(journal, f"failure {where}", key, "1"), _sums(journal, f"canary {where}", key, "1", "found")
    vm = _sums(journal, f"vm {where}", key, "1", "rounds", "oracle != ''")
    return Machine(*key, *(*block, *failed, *canary, *vm))


def _sums(journal: Journal, table: str, key: Sequence[str], *columns: str) -> list[int]:
    sums = ", ".join(f"ifnull(sum({column}), 0)" for column in columns)
    return list(journal.rows(f"SELECT {sums} FROM {table}", *key)[0])


def summarise(journal: Journal, plan: Plan, *, blocks_left: int, vms_left: int) -> Summary:
    """Of all that is in the journal now, if that is what was written."""
    journal.check()
    machines, kinds = [_machine(journal, setup) for setup in plan.setups()], _kinds(journal)
    seeds, ns, disagreed = _sums(journal, "block", (), "count", "ns", "disagreed")
    doubts = []
    if not seeds and not any(machine.vms for machine in machines):
        doubts.append("no schedule was explored, and no VM was booted")
    if left := [counted(n, what) for n, what in ((blocks_left, "block"), (vms_left, "VM")) if n]:
        doubts.append(f"{' and '.join(left)} {agreed(blocks_left + vms_left, 'is', 'are')} still to be done")
    if disagreed:
        doubts.append(
            f"{counted(disagreed, 'seed')} that {agreed(disagreed, 'was', 'were')} run twice did not end the same"
        )
    doubts += [
        f"{where}: canary {name} was not found"
        for where, name in journal.rows("SELECT design || '/' || nmi || '/' || sync, name FROM canary WHERE NOT found")
    ]
    if missing := len(journal.missing_canaries(canaries_for(plan))):
        doubts.append(f"{counted(missing, 'canary')} {agreed(missing, 'is', 'are')} still to be searched for")
    doubts += [doubt for machine in machines for doubt in _doubts(machine)]
    doubts += [f"the case of {kind.signature} does not replay" for kind in kinds if kind.replay and not kind.replays]
    return Summary(plan, journal.stored("code"), machines, kinds, doubts, seeds, ns)


def _doubts(machine: Machine) -> list[str]:
    """What this machine looks for had no chance to happen."""
    where = f"{machine.design}/{machine.nmi}/{machine.sync}"
    doubts = []
    if machine.seeds and not machine.contended:
        doubts.append(f"{where}: no lock was ever taken when somebody wanted it")
    if machine.nmis and machine.nmi != "lockless" and not machine.nmi_misses:
        doubts.append(f"{where}: no NMI found the lock taken")
    return doubts
