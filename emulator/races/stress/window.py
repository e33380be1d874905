# SPDX-License-Identifier: GPL-2.0-only
"""Hands what was being played when something broke to the explorer, for a case that replays."""

from __future__ import annotations

import time
from dataclasses import replace

from emulator.errors import UsageError
from emulator.races.explore.case import Case
from emulator.races.explore.machine import Machine, Setup
from emulator.races.explore.program import Program
from emulator.races.explore.shrink import alike, shrink
from emulator.races.stress.boot import Outcome
from emulator.races.stress.playing import Playing

_BLOCK = 10_000
_ALLOCATIONS = 7  # of a schedule, that may fail


def find_case(playing: Playing, outcome: Outcome, *, seconds: float, shrink_seconds: float = 2.0) -> Case | None:
    """A small case of the same operations that violates the same oracle, or else another one; None if there was
    none in `seconds`, of which the second half is only for want of any."""
    setup = replace(playing.setup, strict_errno=int(outcome.oracle.startswith("O8")))
    programs = _candidates(playing, max(0, outcome.rounds - 1))
    setups = _setups(setup)
    begin, other, first = time.monotonic(), None, 0
    while (spent := time.monotonic() - begin) < seconds and not (other and spent > seconds / 2):
        for program, machine in ((program, machine) for machine in setups for program in programs):
            faulty = replace(machine, fault_seed=setup.fault_seed + first // _BLOCK)
            case = _search(faulty, program, first, outcome.oracle)
            if case and alike(case.oracle, outcome.oracle):
                return shrink(case, seconds=shrink_seconds)
            other = other or case
        first += _BLOCK
    return shrink(other, seconds=shrink_seconds) if other else None


def _setups(setup: Setup) -> list[Setup]:
    """A fault in so many thousand allocations is one in a certain allocation of a schedule; delays are nothing but
    other schedules."""
    plain = replace(setup, alloc_permille=0, delay_permille=0)
    failing = range(1, _ALLOCATIONS) if setup.alloc_permille else ()
    return [plain, *(replace(plain, fail_alloc=number) for number in failing)]


def _candidates(playing: Playing, last: int) -> list[Program]:
    """The last round first, then the others, should an earlier one have left the damage; each also of two vCPUs
    alone, where other races do not come first."""
    whole = [playing.window(last), *(playing.window(k) for k in range(len(playing.programs)))]
    return [part for program in whole for part in (program, Program(program.vcpus[:2], program.timer))]


def _search(setup: Setup, program: Program, first: int, oracle: str) -> Case | None:
    """A violation of that oracle in a block of schedules, or else of any."""
    other, ends = None, first + _BLOCK
    try:
        with Machine(setup, program) as machine:
            while first < ends:
                totals, verdict = machine.run("mix", seed=1, first=first, count=ends - first)
                if verdict.held:
                    break
                if alike(verdict.oracle, oracle):
                    return Case.of(setup, program, verdict)
                other = other or Case.of(setup, program, verdict)
                first += totals.schedules
    except UsageError:  # more events than the explorer has tables for
        return None
    return other
