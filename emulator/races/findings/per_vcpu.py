# SPDX-License-Identifier: GPL-2.0-only
"""What events that belong to a vCPU buy, and what a task pays that takes its events along."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from emulator.races.explore.canaries import canaries_of, catch
from emulator.races.explore.case import Case
from emulator.races.explore.crew import Crew
from emulator.races.explore.machine import Machine, Setup, Totals, canaries
from emulator.races.explore.program import Op, Program
from emulator.races.explore.scenarios import SCENARIOS
from emulator.races.explore.search import Block, run_block
from emulator.races.explore.shrink import shrink
from emulator.races.findings.cases import SEED

DESIGNS = ("per-vm", "per-vcpu")
#: Schedules sampled of a program to see how often a lock is taken.
SAMPLED = 10_000
#: Schedules of each scenario in which a mutation that is no defect has to hold.
TRIED = 2_000
_SECONDS = 300.0  # never reached

_OWN = Program.parse([f"open {vcpu} period 10; enable {vcpu}; run 25; disable {vcpu}; close {vcpu}" for vcpu in (1, 2)])
_CONTENDED = ("close-nmi", "migrate", "slow-sync", "nmi-storm", "clock-nmi", "halt-nmi")

MIGRATED = Program.parse(["open 1 period 10; enable 1; run 15; disable 1", "enable 1; run 8; disable 1"])
REOPENED = Program.parse(
    ["open 1 period 10; enable 1; run 15; disable 1; close 1", "open 2 period 10; enable 2; run 8; disable 2; close 2"]
)
LEFT = Program.parse(["open 1; enable 1; run 15", "close 1; open 2; open 3"])


def _sampled(design: str, programs: tuple[Program, ...], limits: dict[str, int]) -> Totals:
    totals = Totals()
    for program in programs:
        with Machine(Setup(design=design, **limits), program) as machine:  # type: ignore[arg-type]
            run, verdict = machine.run("mix", seed=SEED, count=SAMPLED // len(programs))
        if not verdict.held:
            raise RuntimeError(f"{design}: {verdict.oracle}: {verdict.text}")
        totals.add(run)
    return totals


def contention() -> list[str]:
    """How often a lock was found taken, and an NMI missed: lines of Markdown."""
    lines = ["| | locks found taken, `per-vm` | `per-vcpu` | NMIs that missed, `per-vm` | `per-vcpu` |"]
    lines.append("|---|---:|---:|---:|---:|")
    programs: dict[str, tuple[tuple[Program, ...], dict[str, int]]] = {"each vCPU has its own event": ((_OWN,), {})}
    programs |= {name: (SCENARIOS[name].programs, SCENARIOS[name].limits) for name in _CONTENDED}
    for name, (program, limits) in programs.items():
        per_vm, per_vcpu = (_sampled(design, program, limits) for design in DESIGNS)
        misses = (f"{each.nmi_misses:,} of {each.nmis:,}" for each in (per_vm, per_vcpu))
        lines.append(f"| {name} | {per_vm.contended:,} | {per_vcpu.contended:,} | {' | '.join(misses)} |")
    return lines


@dataclass(frozen=True)
class Mutation:
    """A line of the core made wrong, on one design: the small case that shows it, or the schedules it holds in."""

    name: str
    case: Case | None
    held: int = 0

    @property
    def races(self) -> bool:
        """Does it take two at once: a preemption, or the timer?"""
        return self.case is not None and bool(self.case.preemptions)

    def text(self) -> str:
        if not self.case:
            return f"no defect: held in {self.held:,}"
        return f"{self.case.oracle.split()[0]}, {self.case.program.length} op., {self.case.preemptions} pre."


def _mutation(setup: Setup, name: str) -> Mutation:
    if name in canaries_of(setup):
        case = catch(name, setup, seed=SEED, seconds=_SECONDS).case
        if not case:
            raise RuntimeError(f"{name} was not found on {setup.design}")
        return Mutation(name, shrink(case, seconds=_SECONDS))
    totals = Totals()
    for scenario in SCENARIOS:
        machine = Setup(design=setup.design, canary=name)
        found = run_block(Block(scenario, machine, SEED, 0, TRIED))
        if found.case:
            raise RuntimeError(f"{name} is a defect on {setup.design}: {found.case.oracle}")
        totals.add(found.totals)
    return Mutation(name, None, totals.schedules)


def mutations(crew: Crew) -> dict[str, list[Mutation]]:
    """For each design, all that are a defect on one of them at least."""
    names = [name for name in canaries() if any(name in canaries_of(Setup(design=design)) for design in DESIGNS)]
    jobs = (partial(_mutation, Setup(design=design), name) for design in DESIGNS for name in names)
    done = list(crew.each(jobs))
    return {design: done[at * len(names) : (at + 1) * len(names)] for at, design in enumerate(DESIGNS)}


def mutation_table(found: dict[str, list[Mutation]]) -> list[str]:
    """Lines of Markdown."""
    lines = ["| mutation | `per-vm` | `per-vcpu` |", "|---|---|---|"]
    for per_vm, per_vcpu in zip(*(found[design] for design in DESIGNS), strict=True):
        lines.append(f"| {per_vm.name} | {per_vm.text()} | {per_vcpu.text()} |")
    return lines


def _op_text(op: Op, result: int | None, count: int) -> str:
    text = str(op) if result is None else f"{op} = {result}"
    return f"{text} (counted {count})" if count else text


def played(design: str, program: Program, **limits: int) -> list[str]:
    """One vCPU after the other: what each operation returned, what DISABLE found, and the NMIs."""
    with Machine(Setup(design=design, **limits), program) as machine:  # type: ignore[arg-type]
        totals, verdict = machine.run("dfs", count=1)
        results = {(fiber, op): result for fiber, op, result in machine.results()}
        counts = machine.counts()
    if not verdict.held:
        raise RuntimeError(f"{design}: {verdict.oracle}: {verdict.text}")
    lines = [design]
    for vcpu, ops in enumerate(program.vcpus):
        texts = (_op_text(op, results.get((vcpu, at)), counts.get((vcpu, at), 0)) for at, op in enumerate(ops))
        lines.append(f"  vCPU {vcpu}: " + "; ".join(texts))
    return [*lines, f"  overflow NMIs: {totals.nmis}"]


def calls_to_move(program: Program) -> str:
    """The operations between what the task runs on one vCPU and on the other."""
    (*_, left), (entered, *_) = (_between_runs(ops) for ops in program.vcpus)
    calls = [op.kind.upper() for op in (*left, *entered)]
    return f"{len(calls)} ({', '.join(calls)})"


def _between_runs(ops: tuple[Op, ...]) -> list[list[Op]]:
    pieces: list[list[Op]] = [[]]
    for op in ops:
        if op.kind == "run":
            pieces.append([])
        else:
            pieces[-1].append(op)
    return pieces
