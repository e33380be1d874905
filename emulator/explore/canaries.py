# SPDX-License-Identifier: GPL-2.0-only
"""Before a search may say that everything held, it has to find defects that are known to be there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from emulator.explore.case import Case
from emulator.explore.machine import Setup, Totals, canaries
from emulator.explore.scenarios import SCENARIOS
from emulator.explore.search import Block, Crew, run_block

#: Schedules tried of each scenario in a round; random programs get a whole block.
_SLICE = 500


@dataclass(frozen=True)
class Caught:
    """A canary, and what it took to find it."""

    name: str
    schedules: int
    seconds: float
    case: Case | None


def _blocks(setup: Setup, seed: int) -> Iterator[Block]:
    number = 0
    while True:
        for scenario in SCENARIOS.values():
            size = _SLICE if scenario.programs else 2 * _SLICE
            yield Block(scenario.name, setup, seed, number, size)
        number += 1


def catch(name: str, setup: Setup, *, seed: int, seconds: float) -> Caught:
    """Searches for one canary, in this process, for at most about so much CPU time."""
    begin, totals = time.process_time(), Totals()
    for block in _blocks(replace(setup, canary=name), seed):
        found = run_block(block)
        totals.add(found.totals)
        took = time.process_time() - begin
        if found.case or took > seconds:
            break
    return Caught(name, totals.schedules, took, found.case)


def catch_all(crew: Crew, setup: Setup, *, seed: int, seconds: float) -> list[Caught]:
    """All canaries that this design has, over the crew's processes."""
    return crew.map(lambda name: catch(name, setup, seed=seed, seconds=seconds), canaries_of(setup))


#: Canaries that only some machines have: the policy that runs the code, by the field of Setup.
_ONLY = {
    "limit_read_then_counted": ("design", ("per-vcpu",)),
    "deferred_cleared_after": ("nmi", ("deferred", "lockless")),
    "push_not_retried": ("nmi", ("deferred", "lockless")),
    "miss_not_deferred": ("nmi", ("deferred",)),
}


def canaries_of(setup: Setup) -> list[str]:
    """The canaries that this machine has."""
    return [name for name in canaries() if name not in _ONLY or getattr(setup, _ONLY[name][0]) in _ONLY[name][1]]
