# SPDX-License-Identifier: GPL-2.0-only
"""What each vCPU's guest does, as data: `open 1; enable 1; run 100; close 1`, a line a vCPU."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from emulator.errors import UsageError

#: The order is that of enum explore_kind.
KINDS = ("open", "close", "enable", "disable", "read", "run", "handle", "tick")
HYPERCALLS = KINDS[:5]
MOST_OPS = 32
IDS = 8
_MOST_VALUE = 65535


@dataclass(frozen=True)
class Op:
    """One operation. `id` is the event's, or the vCPU's of a tick; `value` the sample period of open, or
    the instructions of run."""

    kind: str
    id: int = 0
    value: int = 0

    def __str__(self) -> str:
        if self.kind == "run":
            return f"run {self.value}"
        if self.kind == "handle":
            return "handle"
        return f"{self.kind} {self.id} period {self.value}" if self.value else f"{self.kind} {self.id}"


def parse_op(text: str) -> Op:
    """An operation from its text; UsageError for what is none."""
    words = text.split()
    numbers = [int(word) for word in words[1:] if word.isascii() and word.isdigit()]
    match words[:1], len(words), len(numbers):
        case ["run"], 2, 1 if numbers[0] <= _MOST_VALUE:
            return Op("run", value=numbers[0])
        case ["handle"], 1, 0:
            return Op("handle")
        case ["open"], 4, 2 if words[2] == "period" and numbers[0] < IDS and numbers[1] <= _MOST_VALUE:
            return Op("open", numbers[0], numbers[1])
        case [kind], 2, 1 if kind in (*HYPERCALLS, "tick") and numbers[0] < IDS:
            return Op(kind, numbers[0])
    raise UsageError(f"'{text.strip()}' is no operation such as open 1, open 1 period 10, run 100 or close 1")


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
        return sorted({op.id for ops in self.vcpus for op in ops if op.kind in HYPERCALLS})

    def fibers(self) -> list[tuple[Op, ...]]:
        return [*self.vcpus, *([self.timer] if self.timer else [])]

    def with_fiber(self, fiber: int, ops: tuple[Op, ...]) -> Program:
        """The same with other operations of one fiber."""
        if fiber == len(self.vcpus):
            return replace(self, timer=ops)
        return replace(self, vcpus=(*self.vcpus[:fiber], ops, *self.vcpus[fiber + 1 :]))

    def without_vcpu(self, vcpu: int) -> Program:
        """The same on a machine without this vCPU."""
        timer = tuple(replace(op, id=op.id - (op.id > vcpu)) for op in self.timer if op.id != vcpu)
        return Program((*self.vcpus[:vcpu], *self.vcpus[vcpu + 1 :]), timer)

    def lines(self) -> list[str]:
        """`vcpu 0: ...` for each, and `timer: ...`."""
        lines = [f"vcpu {k}: {'; '.join(map(str, ops))}" for k, ops in enumerate(self.vcpus)]
        return [*lines, f"timer: {'; '.join(map(str, self.timer))}"] if self.timer else lines


#: How often a random program does what.
_WEIGHTS = {"open": 22, "close": 16, "enable": 22, "disable": 10, "read": 8, "run": 18, "handle": 4}
_PERIODS = (0, 0, 10, 30)
_RUNS = (1, 9, 25, 60)


def random_program(seed: int, number: int, *, vcpus: int, ops: int, ids: int, sampling: bool = True) -> Program:
    """The `number`-th program of a seed: the same each time."""
    rng = random.Random(f"{seed}:{number}")

    def op() -> Op:
        kind = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if kind == "run":
            return Op("run", value=rng.choice(_RUNS))
        if kind == "handle":
            return Op("handle")
        return Op(kind, rng.randrange(ids), rng.choice(_PERIODS) if kind == "open" and sampling else 0)

    timer = tuple(Op("tick", rng.randrange(vcpus)) for _ in range(rng.choice((0, 0, 1, 2))))
    return Program(tuple(tuple(op() for _ in range(rng.randint(1, ops))) for _ in range(vcpus)), timer)
