# SPDX-License-Identifier: GPL-2.0-only
"""What the vCPUs of a stressed VM play: a scenario's operations as the guest `stress` takes them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from emulator.errors import UsageError
from emulator.explore.case import MOST_VCPUS
from emulator.explore.machine import Setup
from emulator.explore.program import OF_BREAKPOINT, OF_CLOCK, Op, Program
from emulator.explore.scenarios import Scenario

#: Programs of a boot, which take turns round by round.
_PROGRAMS = 8
_LETTERS = {"open": "o", "close": "c", "enable": "e", "disable": "d", "read": "v", "run": "r", "kick": "k"}
#: What a clock's period of one in the explorer is here, ns: a real one must not overflow at each instruction.
_CLOCK_NS = 100
#: How often random programs do what; --mix changes it.
MIX = {"open": 15, "close": 15, "enable": 20, "disable": 10, "read": 10, "run": 26, "handle": 4, "kick": 4}
_IDS = 3
_OPS = 10


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

    @property
    def samples(self) -> bool:
        return any(op.kind == "open" and op.value for ops in self._all() for op in ops)

    @property
    def exact(self) -> bool:
        """Are there events whose overflows must be their count by their period?"""
        return any(op.kind == "open" and 0 < op.value < OF_CLOCK for ops in self._all() for op in ops)

    def _all(self) -> list[tuple[Op, ...]]:
        return [ops for program in self.programs for ops in program.vcpus]

    def arguments(self) -> list[str]:
        """The guest's command line."""
        vcpus = range(len(self.programs[0].vcpus))
        return [f"p{k}=" + "/".join(_text(program.vcpus[k]) for program in self.programs) for k in vcpus]

    def window(self, round_number: int) -> Program:
        """What round `round_number` played, as a program for the explorer."""
        program = self.programs[round_number % len(self.programs)]
        return Program(program.vcpus[:MOST_VCPUS], program.timer)


def _text(ops: tuple[Op, ...]) -> str:
    return ",".join(map(_op_text, ops))


def _op_text(op: Op) -> str:
    if op.kind == "handle":
        return "h"
    if op.kind == "run":
        return f"r{op.value}"
    if op.kind == "open" and op.value & OF_CLOCK:
        return f"O{op.id}:{(op.value - OF_CLOCK) * _CLOCK_NS}"
    return f"{_LETTERS[op.kind]}{op.id}" + (f":{op.value}" if op.kind == "open" and op.value else "")


def _refuse(scenario: Scenario, program: Program, setup: Setup) -> None:
    """What real vCPUs cannot be made to do is said, not left out."""
    ops = [op for each in program.vcpus for op in each]
    if any(op.kind == "halt" for op in ops):
        raise UsageError(f"{scenario.name} halts vCPUs for good: pvperf explore can do that, stress cannot")
    if setup.fail_alloc or setup.no_handler or any(op.value == OF_BREAKPOINT for op in ops):
        raise UsageError(f"{scenario.name} needs what a VM's guest cannot bring about: pvperf explore can")


def playable(scenario: Scenario) -> bool:
    """Can whole VMs play it?"""
    try:
        play(scenario, Setup(), vcpus=2, seed=0, boot=0, mix=MIX)
    except UsageError:
        return False
    return True


def _spread(program: Program, vcpus: int) -> Program:
    """More vCPUs than the program has play it again, on the same events."""
    return Program(tuple(program.vcpus[k % len(program.vcpus)] for k in range(vcpus)), program.timer)


def _random(rng: random.Random, vcpus: int, mix: dict[str, int]) -> Program:
    def op() -> Op:
        kind = rng.choices(list(mix), list(mix.values()))[0]
        match kind:
            case "run":
                return Op("run", value=rng.choice((1, 9, 25, 60)))
            case "handle":
                return Op("handle")
            case "kick":
                return Op("kick", rng.randrange(vcpus) % MOST_VCPUS)
        return Op(kind, rng.randrange(_IDS), rng.choice((0, 10, 10, 30)) if kind == "open" else 0)

    return Program(tuple(tuple(op() for _ in range(rng.randint(2, _OPS))) for _ in range(vcpus)))


def play(scenario: Scenario, base: Setup, *, vcpus: int, seed: int, boot: int, mix: dict[str, int]) -> Playing:
    """What boot number `boot` plays: a function of all these. UsageError where a VM cannot play it."""
    if not scenario.programs:
        rng = random.Random(f"stress:{seed}:{boot}")
        programs = tuple(_random(rng, vcpus, mix) for _ in range(_PROGRAMS))
        return Playing(programs, scenario.setup(base, boot))
    setup = scenario.setup(base, boot)
    for program in scenario.programs:
        _refuse(scenario, program, setup)
    return Playing(tuple(_spread(program, vcpus) for program in scenario.programs), setup)
