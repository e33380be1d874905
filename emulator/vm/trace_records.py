# SPDX-License-Identifier: GPL-2.0-only
"""Records of the trace as Python objects, in order of time. What they say is in native/core/trace/trace_record.h."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache
from operator import attrgetter
from typing import NamedTuple

from emulator.errors import UsageError
from emulator.native import load_core

#: struct pv_trace_record.
RECORD = struct.Struct("<QHHiQQ")


class Record(NamedTuple):
    """One thing that a host thread did. `kind` is one of kinds(); `ring` is the thread: that of a vCPU has its number.

    `time_ns` is of CLOCK_MONOTONIC; `vcpu` and `id`, an event's, are what it is about.
    """

    time_ns: int
    kind: str
    vcpu: int
    id: int
    a: int
    b: int
    ring: int


@cache
def kinds() -> tuple[str, ...]:
    """enum pv_trace_kind by number: "lost", "exit", "entry"..."""
    elements = load_core().ffi.typeof("enum pv_trace_kind").elements
    return tuple(elements[number].removeprefix("PV_TRACE_").lower() for number in sorted(elements))[:-1]


def kind_bits(wanted: Iterable[str] | None) -> int:
    """The kinds of these names, a bit each; None: all. UsageError for a name that is none."""
    bits = 0
    for kind in kinds() if wanted is None else wanted:
        if kind not in kinds():
            raise UsageError(f"there is no kind of trace record {kind!r}: there are {', '.join(kinds())}")
        bits |= 1 << kinds().index(kind)
    return bits


def parse(ring: int, data: bytes) -> list[Record]:
    """The records that a ring gave."""
    names = kinds()
    return [
        Record(time_ns, names[kind], vcpu, event, a, b, ring)
        for time_ns, kind, vcpu, event, a, b in RECORD.iter_unpack(data)
    ]


class Merger:
    """Puts the records of several rings into one order, by time.

    A round takes the rings one after another, so that what is missing from it may be older than what is in it; it is
    in the next. So records are given out a round late. What a thread wrote down much later than it took the time of,
    since it was held up in between, still comes out of order.
    """

    def __init__(self) -> None:
        self._waiting: list[Record] = []
        self._horizon = 0  # when the round before the last began, ns

    def add(self, began_ns: int, parts: Iterable[tuple[int, bytes]]) -> list[Record]:
        """A round, which began at `began_ns`, with what each ring gave. Records that are older than the one before."""
        for ring, data in parts:
            self._waiting += parse(ring, data)
        self._waiting.sort(key=attrgetter("time_ns"))  # stable: a ring's own order stays
        ready = [record for record in self._waiting if record.time_ns < self._horizon]
        del self._waiting[: len(ready)]
        self._horizon = began_ns
        return ready

    def rest(self) -> list[Record]:
        """What is left when no more rounds come."""
        left, self._waiting = self._waiting, []
        return left
