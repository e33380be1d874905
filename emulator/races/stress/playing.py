# SPDX-License-Identifier: GPL-2.0-only
"""What the vCPUs of a stressed VM play: a scenario's operations as the guest `stress` takes them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from emulator.errors import UsageError
from emulator.races.explore.case import MOST_VCPUS
from emulator.races.explore.machine import Setup
from emulator.races.explore.program import GROUPS, IDS, OF_BREAKPOINT, OF_CLOCK, OPENS, Op, Program
from emulator.races.explore.scenarios import Scenario

#: Programs of a boot, which take turns round by round.
_PROGRAMS = 8
_LETTERS = {
    **{"open": "o", "lead": "l", "join": "j", "close": "c", "enable": "e", "disable": "d", "read": "v", "peek": "p"},
    **{"run": "r", "kick": "k"},
}
#: What a clock's period of one in the explorer is here, ns: a real one must not overflow at each instruction.
_CLOCK_NS = 100
#: How often random programs do what; --mix changes it.
MIX = {
    **{"open": 12, "lead": 4, "join": 5, "close": 15, "enable": 20, "disable": 10, "read": 10, "peek": 3},
    **{"run": 26, "handle": 4, "kick": 4},
}
_IDS = 3
_OPS = 10
_PERIODS = (0, 10, 10, 30, OF_CLOCK + 1000)
_GROUP_PERIODS = (0, 7, 10)


def parse_mix(text: str) -> dict[str, int]:
    """`open=20,close=5,...`: weights that replace those of MIX. UsageError for what is not that."""
    mix = dict(MIX)
    for part in filter(None, text.split(",")):
        name, _, weight = part.partition("=")
        if name not in MIX:
            raise UsageError(f"there is no operation '{name}' to mix: there are {', '.join(MIX)}")
        if not (weight.isascii() and weight.isdigit()):
            raise UsageError(f"the weight of {name} is a whole number, and '{weight}' is not")
        mix[name] = int(weight)
    if not any(mix.values()):
        raise UsageError("a mix in which nothing has a weight is none")
    return mix


@dataclass(frozen=True)
class Playing:
    """The programs of one boot, for as many vCPUs as there are, and the machine that they ask for."""

    programs: tuple[Program, ...]
    setup: Setup
    sources: bool = False  # what events count is drawn, too: instructions, branches, those of one level

    @property
    def samples(self) -> bool:
        return self.exact or any(op.kind == "open" and OF_CLOCK < op.value < OF_BREAKPOINT for op in self._opens())

    @property
    def exact(self) -> bool:
        """Are there events whose overflows must be their count by their period?"""
        return any(0 < _period(op) < OF_CLOCK for op in self._opens())

    @property
    def records(self) -> bool:
        """Are there events of version 2, with times and groups?"""
        return any(op.kind != "open" for op in self._opens())

    def _opens(self) -> list[Op]:
        return [op for ops in self._all() for op in ops if op.kind in OPENS]

    def _all(self) -> list[tuple[Op, ...]]:
        return [ops for program in self.programs for ops in program.vcpus]

    def arguments(self) -> list[str]:
        """The guest's command line."""
        vcpus = range(len(self.programs[0].vcpus))
        how = ["rotates=1"] if self.setup.counters < IDS else []  # an event may wait for a counter
        how += ["sources=1"] if self.sources else []
        return how + [f"p{k}=" + "/".join(_text(program, k) for program in self.programs) for k in vcpus]

    def window(self, round_number: int) -> Program:
        """What round `round_number` played, as a program for the explorer."""
        program = self.programs[round_number % len(self.programs)]
        return Program(program.vcpus[:MOST_VCPUS], program.timer)


def _text(program: Program, vcpu: int) -> str:
    return ",".join(map(_op_text, program.vcpus[vcpu]))


def _period(op: Op) -> int:
    return op.value // GROUPS if op.kind == "join" else op.value


def _op_text(op: Op) -> str:
    if op.kind == "handle":
        return "h"
    if op.kind == "run":
        return f"r{op.value}"
    if op.kind == "open" and op.value == OF_BREAKPOINT:
        return f"b{op.id}"
    if op.kind == "open" and op.value & OF_CLOCK:
        return f"O{op.id}:{(op.value - OF_CLOCK) * _CLOCK_NS}"
    leader = f".{op.group}" if op.kind == "join" else ""
    period = f":{_period(op)}" if op.kind in OPENS and _period(op) else ""
    return _LETTERS[op.kind] + str(op.id) + leader + period


def ends_its_vm(scenario: Scenario) -> bool:
    """Does it let the host's memory run out, so that its VM does not go on for as long as it is let?"""
    return "fail_alloc" in scenario.limits


def _refuse(scenario: Scenario, program: Program, setup: Setup, *, native: bool) -> None:
    """What real vCPUs cannot be made to do is said, not left out."""
    if any(op.kind == "halt" for each in program.vcpus for op in each):
        raise UsageError(f"{scenario.name} halts vCPUs for good: pvperf explore can do that, stress cannot")
    if setup.no_handler and not native:
        raise UsageError(f"{scenario.name} needs a guest without a handler: pvperf explore has that, and --native")


def playable(scenario: Scenario, *, native: bool = False) -> bool:
    """Can whole VMs play it, or the core alone on threads?"""
    try:
        play(scenario, Setup(), vcpus=2, seed=0, boot=0, mix=MIX, native=native)
    except UsageError:
        return False
    return True


def _spread(program: Program, vcpus: int, limit: int) -> list[Program]:
    """More vCPUs than the program has play it again: on the same events, which they do not open a second time, and, in
    another round, each group of vCPUs on its own events, as far as there are ids and the limit is not reached by it.
    What a program opens twice itself all do."""
    size = len(program.vcpus)
    opens = [op.id for ops in program.vcpus for op in ops if op.kind in OPENS]
    again = [ops if len(set(opens)) < len(opens) else _without_opens(ops) for ops in program.vcpus]
    same = Program(tuple((program.vcpus if k < size else again)[k % size] for k in range(vcpus)), program.timer)
    step = max(program.ids(), default=0) + 1
    groups = min(IDS // step, vcpus // size, limit // max(1, len(opens)))
    if groups < 2:
        return [same]
    own = tuple(_shifted(program.vcpus[k % size], k // size * step) for k in range(groups * size))
    idle = ((),) * (vcpus - len(own))
    return [same, Program((*own, *idle), program.timer)]


def _without_opens(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    return tuple(op for op in ops if op.kind not in OPENS)


def _shifted(ops: tuple[Op, ...], by: int) -> tuple[Op, ...]:
    return tuple(op.renamed({name: name + by for name in range(IDS - by)}) for op in ops)


def _random_value(rng: random.Random, kind: str, *, clocks: bool) -> int:
    match kind:
        case "open":
            return rng.choice([period for period in _PERIODS if clocks or period < OF_CLOCK])
        case "lead":
            return rng.choice(_GROUP_PERIODS)
        case "join":
            return rng.randrange(_IDS) + GROUPS * rng.choice(_GROUP_PERIODS)
    return 0


def _random(rng: random.Random, vcpus: int, mix: dict[str, int], *, native: bool, clocks: bool) -> Program:
    def op() -> Op:
        kind = rng.choices(list(mix), list(mix.values()))[0]
        match kind:
            case "run":
                return Op("run", value=rng.choice((1, 9, 25, 60)))
            case "handle":
                return Op("handle")
            case "kick":
                return Op("kick", rng.randrange(vcpus) % MOST_VCPUS)
        return Op(kind, rng.randrange(_IDS), _random_value(rng, kind, clocks=clocks))

    def timer_op() -> Op:
        return Op("clock") if rng.random() < 0.5 else Op("tick", rng.randrange(vcpus) % MOST_VCPUS)

    ops = tuple(tuple(op() for _ in range(rng.randint(2, _OPS))) for _ in range(vcpus))
    return Program(ops, tuple(timer_op() for _ in range(rng.choice((0, 1, 3)))) if native else ())


def _random_programs(
    rng: random.Random, base: Setup, vcpus: int, mix: dict[str, int], *, native: bool
) -> list[Program]:
    """With groups and with clocks by turns: what the specification says of a group it says of counters. Where it is the
    judge, `per-vcpu` has no groups: there would be too many states."""
    plain = {kind: weight for kind, weight in mix.items() if kind not in ("lead", "join", "peek")}
    never, always = native and base.design == "per-vcpu", not any(plain.values())

    def program(number: int) -> Program:
        groups = always or (number % 2 == 1 and not never)
        return _random(rng, vcpus, mix if groups else plain, native=native, clocks=not groups)

    return [program(number) for number in range(_PROGRAMS)]


def play(
    scenario: Scenario, base: Setup, *, vcpus: int, seed: int, boot: int, mix: dict[str, int], native: bool = False
) -> Playing:
    """What boot number `boot` plays, a VM or the core alone: a function of all these. UsageError where that cannot."""
    if native and scenario.name == "hostile":
        raise UsageError("hostile takes a guest that passes what makes no sense: whole VMs alone play it")
    if not scenario.programs:
        rng = random.Random(f"stress:{seed}:{boot}")
        programs = tuple(_random_programs(rng, base, vcpus, mix, native=native))
        return Playing(programs, scenario.setup(base, boot), sources=True)
    setup = scenario.setup(base, boot)
    for program in scenario.programs:
        _refuse(scenario, program, setup, native=native)
    spread = tuple(each for program in scenario.programs for each in _spread(program, vcpus, setup.max_events))
    return Playing(spread, setup, sources=boot % 2 == 1)
