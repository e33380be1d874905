# SPDX-License-Identifier: GPL-2.0-only
"""Makes a case small: fewer vCPUs, fewer operations, and then the fewest preemptions that it takes.

A candidate counts if a short search finds the same oracle violated, or one that the same defect violates: what is
freed too early is used, or destroyed while it is locked, or waited for. The preemptions come last, by exhaustive
search with a rising bound: where that completes, no schedule of the program fails with fewer. An operation may
then move to another vCPU, if that saves a preemption.
"""

from __future__ import annotations

import time

from emulator.races.explore.case import Case
from emulator.races.explore.machine import Machine, Verdict
from emulator.races.explore.smaller import STAGES, Candidate, Stage, fewer_vcpus, moved_ops

_TRIES = 1500
_MOST_PREEMPTIONS = 6
_MOST_SCHEDULES = 2_000_000


_LIFETIME = {"O1 memory", "O2 references", "O7 lock order", "O10 progress"}


def alike(one: str, other: str) -> bool:
    """May both oracles be violated by the same defect?"""
    return one == other or {one, other} <= _LIFETIME


def _research(case: Case, candidate: Candidate, seed: int) -> Case | None:
    """The same violation in another program, if a short search finds it."""
    setup, program = candidate
    with Machine(setup, program) as machine:
        done = 0
        while done < _TRIES:
            totals, verdict = machine.run("mix", seed=seed, first=done, count=_TRIES - done)
            if alike(verdict.oracle, case.oracle):
                return Case.of(setup, program, verdict)
            if verdict.held:
                return None
            done += totals.schedules
    return None


def exhausted(oracle: str, candidate: Candidate, bound: int, deadline: float) -> Case | None:
    """A violation of this oracle, or one alike, if the program has one with so few preemptions. `deadline` is in
    seconds of CPU time."""
    setup, program = candidate
    with Machine(setup, program) as machine:
        done = 0
        while done < _MOST_SCHEDULES and time.process_time() < deadline:
            totals, verdict = machine.run(
                "dfs", bound=bound, first=done, count=_MOST_SCHEDULES - done, deadline_ns=int(deadline * 1e9)
            )
            if alike(verdict.oracle, oracle):
                return Case.of(setup, program, verdict)
            if totals.complete or not totals.schedules:
                break
            done += totals.schedules
    return None


def _fewest_preemptions(case: Case, deadline: float) -> Case:
    for bound in range(min(case.preemptions, _MOST_PREEMPTIONS)):
        if found := exhausted(case.oracle, (case.setup, case.program), bound, deadline):
            return found
    return case


def _rearranged(case: Case, deadline: float) -> Case:
    """The case with its operations on other vCPUs, as long as each move saves a preemption."""
    while case.preemptions:
        candidates = moved_ops(case)
        found = (exhausted(case.oracle, each, case.preemptions - 1, deadline) for each in candidates)
        better = next((each for each in found if each), None)
        if not better:
            break
        case = better
    return case


def _reduced(case: Case, stage: Stage, seed: int, ends: float) -> Case:
    """The case with whatever a stage proposes, as long as it goes on failing."""
    progress = True
    while progress:
        progress = False
        for candidate in stage(case):
            if time.process_time() > ends:
                break
            if smaller := _research(case, candidate, seed):
                case, progress = smaller, True
                break
    return case


def shrink(case: Case, *, seconds: float = 1.0, seed: int = 1) -> Case:
    """the smallest case found in about that much CPU time; it violates an oracle like the first, and replays."""
    deadline = time.process_time() + seconds
    for stage in STAGES:
        case = _reduced(case, stage, seed, deadline - seconds * 0.4)
    case = _rearranged(_fewest_preemptions(case, deadline), deadline)
    return _fewest_preemptions(_reduced(case, fewer_vcpus, seed, deadline), deadline)


def same(case: Case, verdict: Verdict) -> bool:
    """Did a replay end as the case was recorded?"""
    return (verdict.oracle, verdict.text, verdict.state_hash) == (case.oracle, case.text, case.state_hash)
