# SPDX-License-Identifier: GPL-2.0-only
"""What a search came across, as far as it was looked at: which places of the core met on one object, and which calls of
different vCPUs returned first. A verdict that needs both orders asks here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from emulator.races.explore.machine import Machine, Setup
from emulator.races.explore.program import Op, Program, related

#: A call: its vCPU, its number there, and what it asks for.
_Call = tuple[int, int, Op]
Pair = tuple[str, str]


@dataclass
class Coverage:
    """Of one search, or of several."""

    met: set[Pair] = field(default_factory=set)  # places, in the order in which they met
    orders: set[str] = field(default_factory=set)  # of calls
    wanted: set[str] = field(default_factory=set)  # the orders that there are

    @classmethod
    def of(cls, machine: Machine, name: str) -> Coverage:
        """Of the machine's last search, of the program of that name; of one without a name no orders are wanted."""
        coverage = cls(machine.pairs())
        for one, other in _related_calls(machine.setup, machine.program) if name else ():
            order = f"{name}: {_text(one)} before {_text(other)}"
            coverage.wanted.add(order)
            if machine.returned_before(one[:2], other[:2]):
                coverage.orders.add(order)
        return coverage

    def add(self, other: Coverage) -> None:
        self.met |= other.met
        self.orders |= other.orders
        self.wanted |= other.wanted

    def pairs(self) -> tuple[set[Pair], set[Pair]]:
        """Pairs of different places: all that met, each once, and those that did in both orders."""
        both = {pair for pair in self.met if pair[::-1] in self.met and pair[0] < pair[1]}
        return both | {pair for pair in self.met if pair[::-1] not in self.met}, both


def _related_calls(setup: Setup, program: Program) -> Iterator[tuple[_Call, _Call]]:
    """Two calls on different vCPUs of which it matters which comes first. Who halts, or gets no memory, may leave no
    choice: then none."""
    if setup.fail_alloc or setup.alloc_permille or any(op.kind == "halt" for ops in program.vcpus for op in ops):
        return
    calls = [(vcpu, at, op) for vcpu, ops in enumerate(program.vcpus) for at, op in enumerate(ops)]
    for one in calls:
        for other in calls:
            if one[0] != other[0] and related(one[2], other[2]):
                yield one, other


def _text(call: _Call) -> str:
    vcpu, at, op = call
    return f"{op} of vCPU {vcpu} ({at})"
