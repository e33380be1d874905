# SPDX-License-Identifier: GPL-2.0-only
"""What each vCPU's guest does, as data: `open 1; enable 1; run 100; close 1`, a line a vCPU."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from emulator.errors import UsageError

#: The order is that of enum explore_kind.
KINDS = (
    *("open", "close", "enable", "disable", "read", "lead", "join"),
    *("run", "handle", "peek", "halt", "kick", "tick", "clock"),
)
HYPERCALLS = KINDS[:7]
OPENS = ("open", "lead", "join")
_OF_VCPU = ("kick", "tick")  # their id is a vCPU's
MOST_OPS = 32
_WORDS = (
    "there are open ID, open ID period N, open ID clock NS, open ID breakpoint; close, enable, disable and read ID; "
    "lead ID, and join ID LEADER, both with period N, too, and peek ID, of version 2; "
    "run N; handle; halt; kick VCPU; and the timer's tick VCPU and clock; "
    "ids up to 7, numbers up to 32766, and 4095 for the period of a join"
)
IDS = 8
OF_CLOCK, OF_BREAKPOINT = 0x8000, 0xFFFF
GROUPS = 1 << 3  # EXPLORE_GROUP_BITS
_MOST_JOIN = 4096  # a period that a join can have lies below it


@dataclass(frozen=True)
class Op:
    """One operation. `id` is the event's, or the vCPU's of a tick; `value` the instructions of run, or the sample
    period of open and lead, with OF_CLOCK for a clock's, in ns; of join the leader's id and, times GROUPS, the period.
    """

    kind: str
    id: int = 0
    value: int = 0

    def __str__(self) -> str:
        match self.kind, self.value:
            case "run", value:
                return f"run {value}"
            case (("handle" | "halt" | "clock"), _):
                return self.kind
            case "open", value if value == OF_BREAKPOINT:
                return f"open {self.id} breakpoint"
            case "open", value if value & OF_CLOCK:
                return f"open {self.id} clock {value - OF_CLOCK}"
            case (("open" | "lead"), value) if value:
                return f"{self.kind} {self.id} period {value}"
            case "join", value:
                period = f" period {value // GROUPS}" if value // GROUPS else ""
                return f"join {self.id} {self.group}{period}"
        return f"{self.kind} {self.id}"

    @property
    def group(self) -> int:
        """Of a join: the leader's id."""
        return self.value % GROUPS

    @property
    def ids(self) -> set[int]:
        """The events that a hypercall is about."""
        return {self.id, self.group} if self.kind == "join" else {self.id}

    def renamed(self, names: dict[int, int]) -> Op:
        """The same about other events, where it is about any."""
        if self.kind not in (*HYPERCALLS, "peek"):
            return self
        value = self.value
        if self.kind == "join":
            value += names.get(self.group, self.group) - self.group
        return replace(self, id=names.get(self.id, self.id), value=value)


def parse_op(text: str) -> Op:
    """An operation from its text; UsageError for what is none."""
    words = text.split()
    numbers = [int(word) for word in words[1:] if word.isascii() and word.isdigit() and len(word) < 6]
    match [word for word in words if not word[:1].isdigit()], numbers:
        case ["run"], [value] if value < OF_CLOCK:
            return Op("run", value=value)
        case [("handle" | "halt" | "clock") as kind], []:
            return Op(kind)
        case ["open", ("period" | "clock") as unit], [event_id, value] if event_id < IDS and 0 < value < OF_CLOCK - 1:
            return Op("open", event_id, value + (OF_CLOCK if unit == "clock" else 0))
        case ["lead", "period"], [event_id, value] if event_id < IDS and 0 < value < OF_CLOCK:
            return Op("lead", event_id, value)
        case ["join"], [event_id, group] if max(event_id, group) < IDS:
            return Op("join", event_id, group)
        case ["join", "period"], [event_id, group, value] if max(event_id, group) < IDS and 0 < value < _MOST_JOIN:
            return Op("join", event_id, group + GROUPS * value)
        case ["open", "breakpoint"], [event_id] if event_id < IDS:
            return Op("open", event_id, OF_BREAKPOINT)
        case [kind], [event_id] if kind in (*HYPERCALLS, "peek", "kick", "tick") and kind != "join" and event_id < IDS:
            return Op(kind, event_id)
    raise UsageError(f"'{text.strip()[:60]}' is no operation: {_WORDS}")


def parse_ops(text: str) -> tuple[Op, ...]:
    """Operations separated by semicolons."""
    ops = tuple(parse_op(part) for part in text.split(";") if part.strip())
    if len(ops) > MOST_OPS:
        raise UsageError(f"a vCPU does at most {MOST_OPS} operations, and this are {len(ops)}")
    return ops


@dataclass(frozen=True)
class Program:
    """The operations of every vCPU, and the ticks of the timer."""

    vcpus: tuple[tuple[Op, ...], ...]
    timer: tuple[Op, ...] = field(default=())

    @classmethod
    def parse(cls, vcpus: Sequence[str], timer: str = "") -> Program:
        return cls(tuple(parse_ops(text) for text in vcpus), parse_ops(timer))

    @property
    def length(self) -> int:
        """Operations of all."""
        return sum(map(len, self.vcpus)) + len(self.timer)

    def ids(self) -> list[int]:
        return sorted({each for ops in self.vcpus for op in ops if op.kind in HYPERCALLS for each in op.ids})

    def fibers(self) -> list[tuple[Op, ...]]:
        return [*self.vcpus, *([self.timer] if self.timer else [])]

    def with_fiber(self, fiber: int, ops: tuple[Op, ...]) -> Program:
        """The same with other operations of one fiber."""
        if fiber == len(self.vcpus):
            return replace(self, timer=ops)
        return replace(self, vcpus=(*self.vcpus[:fiber], ops, *self.vcpus[fiber + 1 :]))

    def without_vcpu(self, vcpu: int) -> Program:
        """The same on a machine without this vCPU: nobody kicks it, and the others move up."""
        ops = (ops for at, ops in enumerate(self.vcpus) if at != vcpu)
        return Program(tuple(_without(vcpu, each) for each in ops), _without(vcpu, self.timer))

    def lines(self) -> list[str]:
        """`vcpu 0: ...` for each, and `timer: ...`."""
        lines = [f"vcpu {k}: {'; '.join(map(str, ops))}" for k, ops in enumerate(self.vcpus)]
        return [*lines, f"timer: {'; '.join(map(str, self.timer))}"] if self.timer else lines


def related(op: Op, other: Op) -> bool:
    """Does it matter which of two hypercalls comes first? They are about one event, or about the limit."""
    if op.kind not in HYPERCALLS or other.kind not in HYPERCALLS:
        return False
    if op.kind == other.kind == "read":
        return False
    return bool(op.ids & other.ids) or {op.kind, other.kind} <= {*OPENS, "close"}


def _without(vcpu: int, ops: tuple[Op, ...]) -> tuple[Op, ...]:
    kept = (op for op in ops if op.kind not in _OF_VCPU or op.id != vcpu)
    return tuple(replace(op, id=op.id - 1) if op.kind in _OF_VCPU and op.id > vcpu else op for op in kept)


#: How often a random program does what.
_WEIGHTS = {
    "open": 14,
    "close": 15,
    "enable": 20,
    "disable": 10,
    "read": 9,
    "run": 28,
    "handle": 4,
    "halt": 2,
    "kick": 4,
}
_PERIODS = (0, 0, 10, 10, 30, OF_CLOCK + 1000)
_RUNS = (1, 9, 25, 60)


def random_program(seed: int, number: int, *, vcpus: int, ops: int, ids: int, sampling: bool = True) -> Program:
    """The `number`-th program of a seed: the same each time."""
    rng = random.Random(f"{seed}:{number}")

    def op() -> Op:
        kind = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if kind == "run":
            return Op("run", value=rng.choice(_RUNS))
        if kind in ("handle", "halt"):
            return Op(kind)
        if kind == "kick":
            return Op("kick", rng.randrange(vcpus))
        return Op(kind, rng.randrange(ids), rng.choice(_PERIODS) if kind == "open" and sampling else 0)

    def timer_op() -> Op:
        return Op("clock") if rng.random() < 0.5 else Op("tick", rng.randrange(vcpus))

    timer = tuple(timer_op() for _ in range(rng.choice((0, 0, 1, 3))))

    def guest() -> tuple[Op, ...]:
        event_id = rng.randrange(ids)
        started = (Op("open", event_id, rng.choice(_PERIODS) if sampling else 0), Op("enable", event_id))
        return (*(started if rng.random() < 0.5 else ()), *(op() for _ in range(rng.randint(1, ops - 2))))

    return Program(tuple(guest() for _ in range(vcpus)), timer)
