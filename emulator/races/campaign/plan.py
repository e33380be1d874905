# SPDX-License-Identifier: GPL-2.0-only
"""What a campaign is to do: every seed on every machine in every scenario, cut into blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

from emulator.errors import UsageError
from emulator.races.campaign.job import Block
from emulator.races.explore.machine import Machine, Setup
from emulator.races.explore.scenarios import SCENARIOS, Scenario, find
from emulator.races.explore.search import BLOCK

#: Schedules of a block, about, and seeds at most: a block is what is lost when a process is killed.
_SCHEDULES_OF_BLOCK = 100_000
_SEEDS_OF_BLOCK = 1000


@dataclass(frozen=True)
class Plan:
    """The parameters of a campaign, as its journal keeps them."""

    seed: int
    designs: tuple[str, ...] = ("per-vm", "per-vcpu")
    nmis: tuple[str, ...] = ("trylock", "deferred", "lockless")
    syncs: tuple[str, ...] = ("entry",)
    scenarios: tuple[str, ...] = tuple(SCENARIOS)
    seeds: int = 100
    schedules: int = BLOCK  # of each seed
    twice: bool = False
    races: bool = False
    stress: int = 0  # whole VMs for each machine and scenario
    smp: int = 4  # vCPUs of each

    def setups(self) -> list[Setup]:
        """The machines: every design with every policy."""
        return [
            Setup(design=design, nmi=nmi, sync=sync, races=int(self.races))
            for design, nmi, sync in product(self.designs, self.nmis, self.syncs)
        ]

    def blocks(self) -> Iterator[Block]:
        """In an order in which every machine and scenario is reached early."""
        scenarios = [find(name) for name in self.scenarios]
        size = max(1, min(_SEEDS_OF_BLOCK, _SCHEDULES_OF_BLOCK // self.schedules))
        for first in range(0, self.seeds, size):
            count = min(size, self.seeds - first)
            for setup, scenario in product(self.setups(), scenarios):
                yield Block(setup, scenario, self.seed, first, count, self.schedules, self.twice)

    def check(self) -> None:
        """Refuses what no machine can run, before anything is started. Raises UsageError."""
        if self.seeds < 0 or self.stress < 0 or not 0 <= self.seed < 1 << 63:
            raise UsageError("a campaign's seeds and VMs are whole numbers from 0, and its seed is less than 2^63")
        if not self.seeds and not self.stress:
            raise UsageError("a campaign without seeds and without VMs does nothing")
        if self.schedules > BLOCK:
            raise UsageError(f"a seed has at most {BLOCK} schedules, and not {self.schedules}: take more seeds")
        for setup, name in product(self.setups(), self.scenarios):
            with Machine(setup, find(name).program(0, self.seed)):
                pass

    @classmethod
    def of(cls, values: dict[str, Any]) -> Plan:
        """The plan of what asdict() made of one, and JSON of that."""
        typed: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**typed)

    def merged(self, given: dict[str, Any], journal: str) -> Plan:
        """This plan, extended by what is `given` on the command line. UsageError where that is something else."""
        for field in fields(self):
            if given.get(field.name) is None:
                continue
            old, new = getattr(self, field.name), given[field.name]
            if old != new and not _extends(field.name, old, new):
                raise UsageError(
                    f"{journal} was begun with {field.name} {_text(old)}, and {_text(new)} does not extend that: "
                    "begin another journal"
                )
            if isinstance(old, tuple):  # those that it had come first, as before
                given = {**given, field.name: (*old, *(name for name in new if name not in old))}
        return replace(self, **{name: value for name, value in given.items() if value is not None})


def _extends(name: str, old: Any, new: Any) -> bool:
    if isinstance(old, tuple):
        return set(old) <= set(new)
    return name in ("seeds", "stress") and new > old


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def scenario_digest(scenario: Scenario) -> str:
    """What tells a scenario from another one of the same name."""
    return hashlib.sha256(repr(scenario).encode()).hexdigest()[:16]
