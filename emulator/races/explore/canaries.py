# SPDX-License-Identifier: GPL-2.0-only
"""Before a search may say that everything held, it has to find defects that are known to be there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from emulator.races.explore.case import Case
from emulator.races.explore.crew import Crew
from emulator.races.explore.machine import Machine, Setup, Totals, canaries
from emulator.races.explore.scenarios import SCENARIOS
from emulator.races.explore.search import Block, run_block
from emulator.races.explore.shrink import same, shrink

#: Schedules tried of each scenario in a round; random programs get a whole block.
_SLICE = 500


@dataclass(frozen=True)
class Caught:
    """A canary, and what it took to find it."""

    name: str
    schedules: int
    seconds: float
    case: Case | None


def blocks(setup: Setup, seed: int) -> Iterator[Block]:
    """What a canary is searched in, without end."""
    number = 0
    while True:
        for scenario in SCENARIOS.values():
            size = _SLICE if scenario.programs else 2 * _SLICE
            yield Block(scenario.name, setup, seed, number, size)
        number += 1


def catch(name: str, setup: Setup, *, seed: int, seconds: float) -> Caught:
    """Searches for one canary, in this process, for at most about so much CPU time."""
    begin, totals = time.process_time(), Totals()
    for block in blocks(replace(setup, canary=name), seed):
        found = run_block(block)
        totals.add(found.totals)
        took = time.process_time() - begin
        if found.case or took > seconds:
            break
    return Caught(name, totals.schedules, took, found.case)


def catch_all(crew: Crew, setup: Setup, *, seed: int, seconds: float) -> list[Caught]:
    """All canaries that this design has, over the crew's processes."""
    return list(crew.each(partial(catch, name, setup, seed=seed, seconds=seconds) for name in canaries_of(setup)))


#: How often a small case is replayed before it counts as one that always does.
REPLAYS = 100
#: In so many schedules its program has to hold where nothing is planted.
_SOUND_SCHEDULES = 5000


@dataclass(frozen=True)
class Measured:
    """A canary on a machine on which it is a defect: what it took to find it, and what is left of the case."""

    caught: Caught
    setup: Setup
    small: Case | None = None
    replayed: int = 0  # of REPLAYS, to the same end
    holds: bool = True  # the small case's program, where nothing is planted: else it is no case of the canary's


def measure(name: str, setup: Setup, *, seed: int, seconds: float, shrink_seconds: float) -> Measured:
    """Finds one canary, makes the case small, and replays that."""
    setup = with_canary(name, setup)
    caught = catch(name, setup, seed=seed, seconds=seconds)
    if not caught.case:
        return Measured(caught, setup)
    small = shrink(caught.case, seconds=shrink_seconds)
    replayed = sum(same(small, small.replay()[0]) for _ in range(REPLAYS))
    with Machine(replace(small.setup, canary=""), small.program) as machine:
        holds = machine.run("mix", seed=seed, count=_SOUND_SCHEDULES)[1].held
    return Measured(caught, setup, small, replayed, holds)


def with_canary(name: str, setup: Setup) -> Setup:
    """This machine, or the one most like it on which the canary is a defect."""
    needs = {field: values[0] for field, values in _ONLY.get(name, {}).items() if getattr(setup, field) not in values}
    return replace(setup, **needs)  # type: ignore[arg-type]


#: Canaries that are no defect, or no code, on every machine: fields of Setup, and their values for which they are.
_SHARED: dict[str, tuple[object, ...]] = {
    "design": ("per-vm", "no-refcount", "posted")
}  # one vCPU works on another one's event
_ONLY: dict[str, dict[str, tuple[object, ...]]] = {
    "limit_read_then_counted": {"design": ("per-vcpu",)},  # elsewhere the one table's lock is held
    "lock_let_go_before_reference": _SHARED,
    "lock_let_go_before_insertion": _SHARED,
    "closed_not_looked_at": _SHARED,
    "put_before_unlock": _SHARED,
    "pause_not_announced": _SHARED,
    "pause_not_obeyed": _SHARED,
    "resume_not_announced": _SHARED,
    "ticket_too_late": _SHARED,
    "detached_stays_queued": _SHARED,
    "flag_cleared_before_next": {"nmi": ("lockless",)},
    "push_not_retried": {"nmi": ("lockless",)},
    "closed_seen_without_lock": {"races": (1,)},
    "miss_not_deferred": {"nmi": ("deferred",)},
    "nmi_outlives_its_event": {"sync": ("every-exit",), **_SHARED},  # elsewhere nobody comes in between
    "nmi_stays_behind": {"sync": ("every-exit",), **_SHARED},
    "halt_over_for_nothing": _SHARED,
    "closed_leader_joined": {"design": ("per-vm", "no-refcount")},
    "closed_leader_is_invalid": {"design": ("per-vm", "no-refcount")},
    **{name: {"design": ("per-vm", "per-vcpu", "no-refcount")} for name in ("record_not_marked", "time_forgotten")},
    "due_cleared_by_a_store": {"nmi": ("lockless", "deferred"), "memory": ("tso",)},  # elsewhere a lock orders it
}


def canaries_of(setup: Setup) -> list[str]:
    """The canaries that this machine has."""
    return [
        name
        for name in canaries()
        if all(getattr(setup, field) in values for field, values in _ONLY.get(name, {}).items())
    ]
