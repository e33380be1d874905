# SPDX-License-Identifier: GPL-2.0-only
"""The races that the mail and its review argue about, as data: what each vCPU does, and on how small a machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from emulator.errors import UsageError
from emulator.races.explore.case import read_program
from emulator.races.explore.machine import Setup
from emulator.races.explore.program import Program, random_program


@dataclass(frozen=True)
class Scenario:
    """Fixed programs, or, without any, random ones. `limits` are capacities that differ from Setup's."""

    name: str
    about: str
    programs: tuple[Program, ...] = ()
    limits: dict[str, int] = field(default_factory=dict)

    def program(self, number: int, seed: int) -> Program:
        """The program that the `number`-th round runs."""
        if self.programs:
            return self.programs[number % len(self.programs)]
        return random_program(seed, number, vcpus=2 + number % 2, ops=6, ids=2 + number // 2 % 2)

    def setup(self, base: Setup, number: int) -> Setup:
        """The machine of that round. Random programs get a small one: every limit is reached."""
        if self.programs:
            return replace(base, fault_seed=number, **self.limits)  # type: ignore[arg-type]
        return replace(
            base,
            max_events=1 + number // 4 % 3,
            hash_buckets=1 + number % 2,
            counters=(1, 2, 8)[number % 3],
            write_permille=(0, 0, 0, 300)[number // 3 % 4],
            fault_seed=number,
        )


def _scenario(name: str, about: str, *programs: Program, **limits: int) -> Scenario:
    return Scenario(name, about, programs, limits)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        _scenario(
            "close-enable",
            "scenario 2 of the mail: one vCPU closes what another one enables",
            Program.parse(["open 1; close 1", "enable 1"]),
            Program.parse(["open 1; enable 1; close 1", "enable 1; disable 1"]),
        ),
        _scenario(
            "close-nmi",
            "an event is closed from elsewhere while it overflows",
            Program.parse(["open 1 period 10; enable 1; run 25; run 10", "close 1"]),
        ),
        _scenario(
            "close-sync",
            "an event is closed while its overflows are on their way to the guest",
            Program.parse(["open 1 period 10; enable 1; run 15; handle", "disable 1; close 1"]),
            Program.parse(["open 1 period 10; enable 1; run 15; close 1; open 1 period 10", "read 1"]),
        ),
        _scenario(
            "migrate",
            "scenario 1 of the mail: a task takes its event from one vCPU to another",
            Program.parse(["open 1; enable 1; run 20; disable 1", "enable 1; run 10; disable 1"]),
            Program.parse(["open 1 period 10; enable 1; run 25", "enable 1; run 15; disable 1"]),
        ),
        _scenario(
            "follow-task",
            "an event counts where it is enabled, whoever opened it",
            Program.parse(["open 1", "enable 1; run 10; disable 1"]),
        ),
        _scenario(
            "open-limit",
            "two vCPUs open at the limit",
            Program.parse(["open 1; open 2", "open 3; close 3"]),
            Program.parse(["open 1", "open 2"]),
            max_events=1,
        ),
        _scenario(
            "dup-open",
            "two vCPUs open under the same id",
            Program.parse(["open 1; enable 1", "open 1; close 1"]),
            Program.parse(["open 1; open 1; close 1; open 2", "open 1"]),
            max_events=2,
        ),
        _scenario(
            "read-close",
            "one vCPU reads what another one closes",
            Program.parse(["open 1; enable 1; run 10; close 1", "read 1; read 1"]),
        ),
        _scenario(
            "enable-disable",
            "two vCPUs enable and disable one event",
            Program.parse(["open 1; enable 1; run 10; disable 1", "enable 1; disable 1"]),
        ),
        _scenario(
            "stop-and-go",
            "an event is stopped in the midst of its period, and goes on where it was",
            Program.parse(["open 1 period 10; enable 1; run 7; disable 1; enable 1; run 8; disable 1", "read 1"]),
        ),
        _scenario(
            "nmi-storm",
            "overflows as fast as they can come, while others hold the vCPU's lock",
            Program.parse(["open 1 period 5; enable 1; run 25; run 25; run 5", "read 1; read 1"]),
            Program.parse(["open 1 period 5; open 2 period 5; enable 1; enable 2; run 15", "read 1"], "tick 0"),
            counters=1,
        ),
        _scenario(
            "slow-sync",
            "a second overflow comes while the first one is being synced",
            Program.parse(["open 1 period 10; enable 1; run 12; run 12; handle; run 12", "read 1; disable 1"]),
        ),
        _scenario(
            "clock-nmi",
            "a clock's NMI comes at any time, from the timer",
            Program.parse(["open 1 clock 500; enable 1; run 5; disable 1", "read 1"], "clock; clock"),
            Program.parse(["open 1 clock 500; enable 1; run 5; handle", "close 1"], "clock; clock"),
            Program.parse(["open 1 clock 300; open 2 period 5; enable 1; enable 2; run 7; run 7"], "clock; clock"),
        ),
        _scenario(
            "full-queue",
            "more events overflow at a time than there are counters",
            Program.parse(["open 1 clock 300; open 2 clock 300; enable 1; enable 2; run 5"], "clock; clock"),
            counters=1,
        ),
        _scenario(
            "handler-sync",
            "a handler takes overflows while the host adds to them",
            Program.parse(["open 1 period 10; enable 1; run 15; run 15", "handle"]),
            no_handler=1,
        ),
        _scenario(
            "breakpoint",
            "a breakpoint is opened on an address of the guest's",
            Program.parse(["open 1 breakpoint; enable 1; close 1", "read 1"]),
        ),
        _scenario(
            "no-memory",
            "an allocation of OPEN fails",
            Program.parse(["open 1; enable 1", "open 2"]),
            fail_alloc=2,
        ),
        _scenario(
            "errno",
            "what is refused is refused with the error that is documented",
            Program.parse(["open 1; open 2; open 1; close 2; close 1", "read 1; enable 1"]),
            max_events=1,
            strict_errno=1,
        ),
        _scenario(
            "halt-kick",
            "a kick comes while its vCPU is about to halt",
            Program.parse(["halt; open 1", "kick 0; halt"]),
            Program.parse(["halt", "kick 0"]),
            Program.parse(["kick 1; halt; kick 1", "kick 0; halt; kick 0"]),
        ),
        _scenario(
            "halt-nmi",
            "an NMI comes while its vCPU is about to halt",
            Program.parse(["open 1 clock 300; enable 1; halt; handle", "read 1"], "clock; clock"),
            Program.parse(["open 1 clock 300; enable 1; halt", "close 1; kick 0"], "clock"),
        ),
        _scenario(
            "throttle",
            "overflows that are too many are kept, and come when the event is disabled",
            Program.parse(["open 1 period 5; enable 1; run 7; run 7; run 7; disable 1", "read 1"], "tick 0"),
            max_sample_rate=1,
        ),
        _scenario(
            "failing-write",
            "guest memory fails while overflows are synced",
            Program.parse(["open 1 period 10; enable 1; run 25; run 25; disable 1; handle", "read 1"]),
            Program.parse(["open 1 period 10; enable 1; run 25; run 3; run 3; run 3", "read 1"]),
            write_permille=400,
        ),
        _scenario(
            "group-close",
            "a leader is closed while others join its group, or work on it",
            Program.parse(["lead 1; close 1", "join 2 1; enable 2"]),
            Program.parse(["lead 1; join 2 1; enable 1; run 10; close 1", "enable 2; disable 2"]),
            Program.parse(["lead 1 period 5; join 2 1 period 5; enable 1; run 12; run 9; disable 1", "close 2"]),
            Program.parse(["lead 1 period 5; join 2 1; enable 1; run 12; enable 2; run 9; disable 2", "close 1"]),
        ),
        _scenario(
            "group-move",
            "a group follows a task, and takes turns",
            Program.parse(
                ["lead 1 period 10; join 2 1 period 7; enable 1; run 25; disable 1", "enable 1; run 15; read 1"]
            ),
            Program.parse(
                ["lead 1 period 5; join 2 1; open 3 period 7; enable 1; enable 3; run 12; run 9; disable 1"], "tick 0"
            ),
            counters=2,
        ),
        _scenario(
            "record",
            "a guest reads a record while the host writes it",
            Program.parse(["lead 1; join 2 1; enable 1; run 10; read 1; run 10; read 1", "peek 1"]),
        ),
        Scenario("churn", "random operations on a small machine"),
    )
}


def find(name: str) -> Scenario:
    """The scenario of that name, or in that file; UsageError with what may have been meant."""
    if name in SCENARIOS:
        return SCENARIOS[name]
    if os.path.isfile(name):
        return _from_file(name)
    from difflib import get_close_matches

    close = get_close_matches(name, SCENARIOS, n=2)
    meant = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(SCENARIOS)}"
    raise UsageError(f"there is no scenario or file '{name}'; {meant}")


def _from_file(name: str) -> Scenario:
    """A file's program; what it says of design and policies is the command line's to say."""
    setup, program = read_program(Path(name))
    plain = Setup()
    limits = {
        field.name: value
        for field in fields(Setup)
        if isinstance(value := getattr(setup, field.name), int) and value != getattr(plain, field.name)
    }
    return Scenario(name, f"the program in {name}", (program,), limits)
