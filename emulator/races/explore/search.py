# SPDX-License-Identifier: GPL-2.0-only
"""The search: blocks of schedules, numbered, over all cores. What is found first is what the lowest number found.

A block is a pure function of (build, setup, seed, number), so that a search with a number of schedules ends the
same each time, however many cores it had.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from emulator.races.explore.case import Case
from emulator.races.explore.coverage import Coverage
from emulator.races.explore.crew import Crew
from emulator.races.explore.machine import Machine, Setup, Totals
from emulator.races.explore.scenarios import Scenario, find

#: Schedules of a block: of one fixed program, or of so many random ones.
BLOCK = 10_000
_OF_RANDOM = 200
_DFS_SLICE = 200_000


@dataclass(frozen=True)
class Block:
    """A piece of work for one process."""

    scenario: str
    setup: Setup
    seed: int
    number: int
    schedules: int = BLOCK
    exhaustive: int = -1  # the bound; below 0: the mix
    cover: bool = False  # what it came across is wanted, too


@dataclass
class Found:
    """What a block or a search came to."""

    totals: Totals = field(default_factory=Totals)
    case: Case | None = None
    agreed: bool = True  # what was run twice was the same twice
    coverage: Coverage = field(default_factory=Coverage)  # of blocks with `cover`


def run_block(block: Block, scenario: Scenario | None = None) -> Found:
    """Runs one block in this process; of `scenario`, where that is not one to be found by its name here."""
    scenario = scenario or find(block.scenario)
    if block.exhaustive >= 0:
        return _exhaust(scenario, block)
    return _fixed(scenario, block) if scenario.programs else _random(scenario, block)


def _fixed(scenario: Scenario, block: Block) -> Found:
    setup, program = scenario.setup(block.setup, block.number), scenario.program(block.number, block.seed)
    with Machine(setup, program) as machine:
        first = block.number * BLOCK
        totals, verdict = machine.run("mix", seed=block.seed, first=first, count=block.schedules, cover=block.cover)
        coverage = Coverage()
        if block.cover:
            coverage = Coverage.of(machine, f"{scenario.name} {block.number % len(scenario.programs)}")
        case = None if verdict.held else Case.of(setup, program, verdict)
        again = min(100, totals.schedules)
        once = machine.run("mix", seed=block.seed, first=first, count=again)[0].digest
        twice = machine.run("mix", seed=block.seed, first=first, count=again)[0].digest
        return Found(totals, case, once == twice, coverage)


def _random(scenario: Scenario, block: Block) -> Found:
    found = Found()
    each, size = BLOCK // _OF_RANDOM, min(_OF_RANDOM, block.schedules)
    for number in range(block.number * each, block.number * each + max(1, block.schedules // _OF_RANDOM)):
        setup, program = scenario.setup(block.setup, number), scenario.program(number, block.seed)
        with Machine(setup, program) as machine:
            totals, verdict = machine.run("mix", seed=block.seed + number, count=size, cover=block.cover)
            if block.cover:  # the orders of a random program are nothing that has to be seen
                found.coverage.add(Coverage.of(machine, ""))
            found.totals.add(totals)
            if not verdict.held:
                found.case = Case.of(setup, program, verdict)
                return found
            if number % each == 0:
                again = machine.run("mix", seed=block.seed + number, count=size)[0]
                found.agreed = found.agreed and again.digest == totals.digest
    return found


def _exhaust(scenario: Scenario, block: Block) -> Found:
    """Every schedule of the `number`-th program within the bound."""
    setup, program = scenario.setup(block.setup, block.number), scenario.program(block.number, block.seed)
    found = Found()
    with Machine(setup, program) as machine:
        while not found.totals.complete:
            done = found.totals.schedules
            totals, verdict = machine.run(
                "dfs", bound=block.exhaustive, first=done, count=_DFS_SLICE, cover=block.cover
            )
            if block.cover:
                found.coverage.add(Coverage.of(machine, f"{scenario.name} {block.number}"))
            found.totals.add(totals)
            found.totals.complete = totals.complete
            if not verdict.held:
                found.case = Case.of(setup, program, verdict)
                break
    return found


def blocks_of(
    scenario: Scenario, setup: Setup, seed: int, *, schedules: int | None, seconds: float | None
) -> Iterator[Block]:
    """The blocks of a sampling search: so many schedules, or as many as there is time for."""
    ends, number = time.monotonic() + (seconds or 0), 0
    while (schedules is not None and number * BLOCK < schedules) or (
        schedules is None and (number == 0 or time.monotonic() < ends)
    ):
        size = BLOCK if schedules is None else min(BLOCK, schedules - number * BLOCK)
        yield Block(scenario.name, setup, seed, number, size)
        number += 1


def exhaustive_blocks(scenario: Scenario, setup: Setup, bound: int) -> Iterator[Block]:
    """One for each program of the scenario."""
    for number in range(len(scenario.programs)):
        yield Block(scenario.name, setup, 0, number, exhaustive=bound)


def search(crew: Crew, blocks: Iterator[Block], *, cover: bool = False, so_far: Found | None = None) -> Found:
    """Runs blocks until one finds a violation or there are no more. What `so_far` has when it is interrupted holds."""
    all_of_it, complete = so_far or Found(), True
    for found in crew.each(partial(run_block, replace(block, cover=cover)) for block in blocks):
        all_of_it.totals.add(found.totals)
        all_of_it.coverage.add(found.coverage)
        all_of_it.agreed = all_of_it.agreed and found.agreed
        complete = complete and found.totals.complete
        if found.case:
            all_of_it.case = found.case
            complete = False
            break
    all_of_it.totals.complete = complete
    return all_of_it
