# SPDX-License-Identifier: GPL-2.0-only
"""The door to the explorer's C code: a machine, a program, and schedules of it. One machine in a process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from emulator import __version__
from emulator.errors import UsageError
from emulator.native import load_explore
from emulator.races.explore import specification
from emulator.races.explore.program import KINDS, Program
from emulator.vm.trace_records import kinds

#: enum explore_oracle, with the names that stress and the model use too.
ORACLES = (
    "held",
    "O1 memory",
    "O2 references",
    "O3 limit",
    "O4 unique ids",
    "O5 conservation",
    "O6 nothing stranded",
    "O7 lock order",
    "O8 linearizability",
    "O9 data race",
    "O10 progress",
    "O11 NMIs",
    "O12 periods",
    "O13 times",
    "O14 records",
    "diverged",
)
HELD, DIVERGED = ORACLES[0], ORACLES[-1]
#: enum explore_strategy
STRATEGIES = ("random", "sticky", "pct", "pos", "urw", "mix", "dfs", "replay")
#: What a store waits for before others see it: nothing, or, as on x86, until its vCPU's store buffer lets it go.
MEMORY_MODELS = ("sc", "tso")
#: In a switch, this and a fiber is that one's store buffer: EXPLORE_STORES.
STORES = 16

_MIX = 0x9E3779B97F4A7C15  # odd: what digests are put together with


@dataclass(frozen=True)
class Setup:
    """The machine that a program runs on: capacities are small, so that they are reached."""

    design: str = "per-vm"
    nmi: str = "trylock"
    sync: str = "entry"
    max_events: int = 4
    counters: int = 8
    hash_buckets: int = 2
    trylock_permille: int = 0
    write_permille: int = 0
    alloc_permille: int = 0
    delay_permille: int = 0
    fault_seed: int = 0
    fail_alloc: int = 0
    no_handler: int = 0
    strict_errno: int = 0
    races: int = 0
    max_sample_rate: int = 0
    memory: str = "sc"
    canary: str = ""


@dataclass(frozen=True)
class Switch:
    """Before step `step` the fiber `source`, at its operation `op` and the place `where`, gave way to `target`.

    Where stores wait in buffers two more are decided: which store of others `source` sees become visible before it
    takes its step, and that it takes it past the stores that wait.
    """

    step: int
    source: int
    target: int
    op: int
    preempts: bool
    where: str

    @property
    def lets_go(self) -> int | None:
        """The fiber whose oldest store became visible, if it is that."""
        return self.target - STORES if self.target >= STORES else None

    @property
    def passes(self) -> bool:
        """Did `source` go on past a store that was not visible? It counts as a preemption."""
        return self.source == self.target


@dataclass(frozen=True)
class Step:
    """A step of the log of a replay."""

    fiber: int
    op: int
    kind: str
    where: str


@dataclass(frozen=True)
class Traced:
    """A record of the core's trace: enum pv_trace_kind, in lower case, and what it is about."""

    kind: str
    vcpu: int
    id: int
    value: int


@dataclass(frozen=True)
class Verdict:
    """How a schedule ended."""

    oracle: str
    text: str
    strategy: str
    bound: int
    index: int
    steps: int
    preemptions: int
    trace_hash: int
    state_hash: int
    switches: tuple[Switch, ...] = ()

    @property
    def held(self) -> bool:
        return self.oracle == HELD


@dataclass
class Totals:
    """What was searched."""

    schedules: int = 0
    steps: int = 0
    ns: int = 0
    longest: int = 0
    digest: int = 0
    trylock_failures: int = 0
    contended: int = 0
    nmis: int = 0
    nmi_misses: int = 0
    complete: bool = False

    def add(self, other: Totals) -> None:
        for name in ("schedules", "steps", "ns", "trylock_failures", "contended", "nmis", "nmi_misses"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest = max(self.longest, other.longest)
        self.digest = (self.digest * _MIX ^ other.digest) & ((1 << 64) - 1)


def canaries() -> list[str]:
    """The planted defects that this build has."""
    module = load_explore()
    names: list[str] = []
    while (name := module.lib.explore_canary_name(len(names) + 1)) != module.ffi.NULL:
        names.append(module.ffi.string(name).decode())
    return names


def build() -> str:
    """A digest of the sources that the explorer was built from."""
    module = load_explore()
    return str(module.ffi.string(module.lib.explore_build()).decode())


def identity() -> str:
    """What this is, for what is kept: the version, and the digest of build()."""
    return f"{__version__} {build()}"


def fill_machine(ffi: Any, setup: Setup, vcpus: int) -> tuple[Any, list[Any]]:
    """A struct explore_machine, and what it points to, which has to live as long.

    :raises UsageError: there is no such canary
    """
    texts = [ffi.new("char[]", text.encode()) for text in (setup.design, setup.nmi, setup.sync)]
    machine = ffi.new("struct explore_machine *")
    machine.vcpus, machine.max_events = vcpus, setup.max_events
    machine.counters, machine.hash_buckets = setup.counters, setup.hash_buckets
    machine.fault_permille = [
        *(setup.trylock_permille, setup.write_permille),
        *(setup.alloc_permille, setup.delay_permille),
    ]
    machine.fail_alloc, machine.no_handler = setup.fail_alloc, setup.no_handler
    machine.fault_seed, machine.max_sample_rate = setup.fault_seed, setup.max_sample_rate
    if setup.memory not in MEMORY_MODELS:
        raise UsageError(f"memory '{setup.memory}' is not known; there are {', '.join(MEMORY_MODELS)}")
    machine.tso = setup.memory == "tso"
    if setup.canary and setup.canary not in canaries():
        raise UsageError(f"there is no canary '{setup.canary}'")
    machine.canary = canaries().index(setup.canary) + 1 if setup.canary else 0
    machine.design, machine.nmi, machine.sync = texts
    return machine, texts


def fill_program(ffi: Any, program: Program) -> Any:
    """A struct explore_program."""
    data = ffi.new("struct explore_program *")
    for fiber, ops in enumerate([*program.vcpus, program.timer]):
        data.length[fiber] = len(ops)
        for at, op in enumerate(ops):
            data.op[fiber][at] = (KINDS.index(op.kind), op.id, op.value)
    return data


@dataclass
class Machine:
    """A booted machine with a program on it. Use it as a context manager."""

    setup: Setup
    program: Program
    _module: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._module = load_explore(races=bool(self.setup.races))

    def __enter__(self) -> Machine:
        ffi, lib = self._module.ffi, self._module.lib
        machine, texts = fill_machine(ffi, self.setup, len(self.program.vcpus))
        why = ffi.new("char[128]")
        if error := lib.explore_create(machine, why, len(why)):
            what, _, problem = ffi.string(why).decode().partition(": ")
            if problem == "not known":
                raise UsageError(f"{what} '{getattr(self.setup, what)}' is not known")
            raise UsageError(f"such a machine cannot be: {what}: {problem or error}")
        del texts  # explore_create() has copied them
        self.load(self.program)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._module.lib.explore_destroy()

    def load(self, program: Program) -> None:
        """Another program for the same number of vCPUs."""
        ffi, lib = self._module.ffi, self._module.lib
        self.program = program
        if lib.explore_program_set(fill_program(ffi, program)):
            raise UsageError("the program does not fit the machine")
        states, columns, cells = specification.table_of(self.setup, program)
        buffer = ffi.from_buffer("struct explore_transition[]", cells)
        if lib.explore_specification_set(buffer, states, columns):
            raise UsageError("the program has more events than its specification can be tabled for")

    def run(
        self,
        strategy: str,
        *,
        seed: int = 0,
        first: int = 0,
        count: int,
        bound: int = 0,
        deadline_ns: int = 0,
        full: bool = False,
        trace: bool = False,
        cover: bool = False,
    ) -> tuple[Totals, Verdict]:
        """Schedules `first` to `first + count - 1` of a seed, until one violates an oracle. `trace` is for traces(),
        `cover` for pairs() and returned_before()."""
        ffi, lib = self._module.ffi, self._module.lib
        search = ffi.new("struct explore_search *")
        search.strategy, search.bound = STRATEGIES.index(strategy), bound
        search.seed, search.first, search.count = seed, first, count
        search.deadline_ns, search.full, search.tracing, search.covering = deadline_ns, full, trace, cover
        totals, verdict = ffi.new("struct explore_totals *"), ffi.new("struct explore_verdict *")
        lib.explore_run(search, totals, verdict)
        names = ("schedules", "steps", "ns", "longest", "digest", "trylock_failures", "contended", "nmis", "nmi_misses")
        figures = {name: int(getattr(totals, name)) for name in names}
        return Totals(**figures, complete=bool(totals.complete)), self._verdict(verdict)

    def replay(self, switches: Sequence[Switch]) -> tuple[Verdict, list[Step]]:
        """Runs one schedule as it was recorded; its verdict is "diverged" where it cannot."""
        ffi, lib = self._module.ffi, self._module.lib
        plan = ffi.new("struct explore_switch[]", max(1, len(switches)))
        for at, switch in enumerate(switches):
            plan[at].step, plan[at].to = switch.step, switch.target
            setattr(plan[at], "from", switch.source)
        verdict = ffi.new("struct explore_verdict *")
        lib.explore_replay(plan, len(switches), verdict)
        n = ffi.new("uint32_t *")
        steps = lib.explore_steps(n)
        log = [
            Step(step.fiber, step.op, self._text(lib.explore_point_name(step.kind)), self._text(step.where))
            for step in (steps[i] for i in range(n[0]))
        ]
        return self._verdict(verdict), log

    def results(self) -> list[tuple[int, int, int]]:
        """Of the last schedule: the fiber, the number of its operation, and what that returned."""
        n = self._module.ffi.new("uint32_t *")
        found = self._module.lib.explore_results(n)
        return [(found[i].fiber, found[i].op, found[i].result) for i in range(n[0])]

    def counts(self) -> dict[tuple[int, int], int]:
        """Of the last schedule: what a guest found counted after a READ or DISABLE, by fiber and operation."""
        n = self._module.ffi.new("uint32_t *")
        found = self._module.lib.explore_results(n)
        return {(found[i].fiber, found[i].op): int(found[i].count) for i in range(n[0]) if found[i].count}

    def traces(self) -> list[Traced]:
        """Of the last schedule, if it was one with `trace`: what the core did, in its own words."""
        n = self._module.ffi.new("uint32_t *")
        found = self._module.lib.explore_traces(n)
        return [
            Traced(kinds()[each.kind], int(each.vcpu), int(each.id), int(each.a))
            for each in (found[i] for i in range(n[0]))
        ]

    def pairs(self) -> set[tuple[str, str]]:
        """Of the last search with `cover`: places that met on one object, on different fibers, and in which order."""
        n = self._module.ffi.new("uint32_t *")
        found = self._module.lib.explore_pairs(n)
        met = set()
        for pair in (found[i] for i in range(n[0])):
            first, second = self._text(pair.first), self._text(pair.second)
            met |= {(first, second), (second, first)} if pair.both else {(first, second)}
        return met

    def returned_before(self, call: tuple[int, int], other: tuple[int, int]) -> bool:
        """Of the last search with `cover`: did a call, (vCPU, number), return before another one?"""
        return bool(self._module.lib.explore_ordered(*call, *other))

    def _text(self, text: Any) -> str:
        return str(self._module.ffi.string(text).decode())

    def _verdict(self, verdict: Any) -> Verdict:
        n = self._module.ffi.new("uint32_t *")
        found = self._module.lib.explore_switches(n)
        switches = () if verdict.oracle == 0 else tuple(self._switch(found[i]) for i in range(n[0]))
        return Verdict(
            oracle=ORACLES[verdict.oracle],
            text=self._text(verdict.text),
            strategy=STRATEGIES[verdict.strategy],
            bound=verdict.bound,
            index=verdict.index,
            steps=verdict.steps,
            preemptions=verdict.preemptions,
            trace_hash=verdict.trace_hash,
            state_hash=verdict.state_hash,
            switches=switches,
        )

    def _switch(self, raw: Any) -> Switch:
        return Switch(raw.step, getattr(raw, "from"), raw.to, raw.op, bool(raw.preempts), self._text(raw.where))
