# SPDX-License-Identifier: GPL-2.0-only
"""Makes a case small: fewer vCPUs, fewer operations, and then the fewest preemptions that it takes.

A candidate counts if a short search finds the same oracle violated, or one that the same defect violates: what is
freed too early is used, or destroyed while it is locked, or waited for. The preemptions come last, by exhaustive
search with a rising bound: where that completes, no schedule of the program fails with fewer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from emulator.explore.case import Case
from emulator.explore.machine import Machine, Verdict
from emulator.explore.program import HYPERCALLS, Op, Program

_TRIES = 1500
_MOST_PREEMPTIONS = 6
_MOST_SCHEDULES = 2_000_000


_LIFETIME = {"O1 memory", "O2 references", "O7 lock order", "O10 progress"}


def alike(one: str, other: str) -> bool:
    """May both oracles be violated by the same defect?"""
    return one == other or {one, other} <= _LIFETIME


def _research(case: Case, program: Program, seed: int) -> Case | None:
    """The same violation in another program, if a short search finds it."""
    with Machine(case.setup, program) as machine:
        done = 0
        while done < _TRIES:
            totals, verdict = machine.run("mix", seed=seed, first=done, count=_TRIES - done)
            if alike(verdict.oracle, case.oracle):
                return Case.of(case.setup, program, verdict)
            if verdict.held:
                return None
            done += totals.schedules
    return None


def _fewer_vcpus(program: Program) -> Iterator[Program]:
    for vcpu in range(len(program.vcpus)):
        if len(program.vcpus) > 1:
            yield program.without_vcpu(vcpu)
    if program.timer:
        yield replace(program, timer=())


def _fewer_ops(program: Program) -> Iterator[Program]:
    """Long pieces first."""
    longest = max(map(len, program.fibers()))
    size = max(1, longest // 2)
    while size:
        for fiber, ops in enumerate(program.fibers()):
            for at in range(0, len(ops) - size + 1, size):
                yield program.with_fiber(fiber, ops[:at] + ops[at + size :])
        size //= 2


def _simpler_ops(program: Program) -> Iterator[Program]:
    """One id for all, no period, no count."""
    ids = program.ids()
    if len(ids) > 1:

        def renamed(op: Op) -> Op:
            return replace(op, id=ids[0]) if op.kind in HYPERCALLS and op.id == ids[-1] else op

        yield replace(program, vcpus=tuple(tuple(map(renamed, ops)) for ops in program.vcpus))
    for fiber, ops in enumerate(program.vcpus):
        for at, op in enumerate(ops):
            if op.kind == "open" and op.value:
                yield program.with_fiber(fiber, (*ops[:at], replace(op, value=0), *ops[at + 1 :]))


def _fewest_preemptions(case: Case, deadline: float) -> Case:
    with Machine(case.setup, case.program) as machine:
        for bound in range(min(case.preemptions, _MOST_PREEMPTIONS)):
            done = 0
            while done < _MOST_SCHEDULES and time.process_time() < deadline:
                totals, verdict = machine.run(
                    "dfs", bound=bound, first=done, count=_MOST_SCHEDULES - done, deadline_ns=int(deadline * 1e9)
                )
                if alike(verdict.oracle, case.oracle):
                    return Case.of(case.setup, case.program, verdict)
                if totals.complete or not totals.schedules:
                    break
                done += totals.schedules
    return case


def shrink(case: Case, *, seconds: float = 1.0, seed: int = 1) -> Case:
    """the smallest case found in about that much CPU time; it violates an oracle like the first, and replays."""
    deadline = time.process_time() + seconds
    removing_ends = time.process_time() + seconds * 0.6
    for candidates in (_fewer_vcpus, _fewer_ops, _simpler_ops, _fewer_ops, _fewer_vcpus):
        progress = True
        while progress and time.process_time() < removing_ends:
            progress = False
            for program in candidates(case.program):
                if time.process_time() > removing_ends:
                    break
                smaller = _research(case, program, seed)
                if smaller:
                    case, progress = smaller, True
                    break
    return _fewest_preemptions(case, deadline)


def same(case: Case, verdict: Verdict) -> bool:
    """Did a replay end as the case was recorded?"""
    return (verdict.oracle, verdict.text, verdict.state_hash) == (case.oracle, case.text, case.state_hash)
