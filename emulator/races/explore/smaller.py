# SPDX-License-Identifier: GPL-2.0-only
"""What could stand in for a case: programs with less in them, and machines that are simpler to explain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, product

from emulator.races.explore.case import Case
from emulator.races.explore.machine import Setup
from emulator.races.explore.program import HYPERCALLS, IDS, MOST_OPS, OPENS, Op, Program

#: A machine and a program on it, which may fail as the case did.
Candidate = tuple[Setup, Program]
Stage = Callable[[Case], Iterator[Candidate]]


def _one_after_another(case: Case) -> list[tuple[int, Op]]:
    """The operations of all vCPUs, each with its vCPU, in the order in which the case begins them."""
    vcpus = case.program.vcpus
    begun = dict.fromkeys((step.fiber, step.op) for step in case.replay()[1])
    return [(fiber, vcpus[fiber][op]) for fiber, op in begun if fiber < len(vcpus) and op < len(vcpus[fiber])]


def fewer_vcpus(case: Case) -> Iterator[Candidate]:
    """A vCPU less, or one that does the operations of two."""
    program, several = case.program, len(case.program.vcpus) > 1
    order = _one_after_another(case) if several else []
    for vcpu in range(len(program.vcpus) if several else 0):
        yield case.setup, program.without_vcpu(vcpu)
        for other in range(vcpu):
            both = tuple(op for fiber, op in order if fiber in (vcpu, other))
            if len(both) <= MOST_OPS:
                yield case.setup, program.with_fiber(other, both).without_vcpu(vcpu)
    if program.timer:
        yield case.setup, replace(program, timer=())


def _shorter(program: Program) -> Iterator[Program]:
    """Long pieces first."""
    longest = max(map(len, program.fibers()))
    size = max(1, longest // 2)
    while size:
        for fiber, ops in enumerate(program.fibers()):
            for at in range(0, len(ops) - size + 1, size):
                yield program.with_fiber(fiber, ops[:at] + ops[at + size :])
        size //= 2


def fewer_ops(case: Case) -> Iterator[Candidate]:
    """Without a piece of what one vCPU does."""
    for program in _shorter(case.program):
        yield case.setup, program


def _renamed(program: Program, names: dict[int, int]) -> Program:
    return replace(program, vcpus=tuple(tuple(op.renamed(names) for op in ops) for ops in program.vcpus))


def fewer_events(case: Case) -> Iterator[Candidate]:
    """One id for two, where that makes some operation needless: by itself it would only blur who works on what."""
    first, *others = case.program.ids() or [0]
    for other in others:
        for program in _shorter(_renamed(case.program, {other: first})):
            yield case.setup, program


def simpler_ops(case: Case) -> Iterator[Candidate]:
    """No period."""
    for fiber, ops in enumerate(case.program.vcpus):
        for at, op in enumerate(ops):
            plain = op.group if op.kind == "join" else 0
            if op.kind in OPENS and op.value != plain:
                yield case.setup, case.program.with_fiber(fiber, (*ops[:at], replace(op, value=plain), *ops[at + 1 :]))


_PERMILLE = ("trylock_permille", "write_permille")


def surer_faults(case: Case) -> Iterator[Candidate]:
    """Faults that never come, or always, instead of now and then; and no seed where none is drawn from."""
    drawn = [name for name in _PERMILLE if 0 < getattr(case.setup, name) < 1000]
    for name in drawn:
        for permille in (0, 1000):
            yield replace(case.setup, **{name: permille}), case.program  # type: ignore[arg-type]
    if case.setup.fault_seed and not drawn:
        yield replace(case.setup, fault_seed=0), case.program


def plainer_ids(case: Case) -> Iterator[Candidate]:
    """Events 1, 2, ... in the order in which they appear, if there are not so many that 0 is needed."""
    ids = [op.id for ops in case.program.vcpus for op in ops if op.kind in (*HYPERCALLS, "peek")]
    names = {old: new for new, old in enumerate(dict.fromkeys(ids), 1)}
    if len(names) < IDS and any(new != old for old, new in names.items()):
        yield case.setup, _renamed(case.program, names)


def _swapped(program: Program) -> Iterator[Program]:
    """Two operations of two vCPUs change places."""
    for source, ops in enumerate(program.vcpus):
        for target, others in enumerate(program.vcpus[source + 1 :], source + 1):
            for at, place in product(range(len(ops)), range(len(others))):
                first = program.with_fiber(source, (*ops[:at], others[place], *ops[at + 1 :]))
                yield first.with_fiber(target, (*others[:place], ops[at], *others[place + 1 :]))


def _moved(program: Program) -> Iterator[Program]:
    """One operation is done by another vCPU."""
    for source, ops in enumerate(program.vcpus):
        for target, others in enumerate(program.vcpus):
            places = len(others) + 1 if target != source and len(others) < MOST_OPS else 0
            for at, place in product(range(len(ops)), range(places)):
                rest = program.with_fiber(source, ops[:at] + ops[at + 1 :])
                yield rest.with_fiber(target, (*others[:place], ops[at], *others[place:]))


def moved_ops(case: Case) -> Iterator[Candidate]:
    """The same operations on other vCPUs. Not smaller: it may take fewer preemptions."""
    for program in chain(_swapped(case.program), _moved(case.program)):
        yield case.setup, program


#: What is tried in which order until none of a kind helps any more.
STAGES: tuple[Stage, ...] = (
    fewer_vcpus,
    fewer_ops,
    surer_faults,
    simpler_ops,
    fewer_events,
    fewer_ops,
    fewer_vcpus,
    plainer_ids,
)
