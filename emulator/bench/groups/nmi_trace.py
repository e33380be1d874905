# SPDX-License-Identifier: GPL-2.0-only
"""What a trace says of overflows: how long each waited, what piled up, and how long the lock was held and free."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from emulator.bench.groups.histogram import Histogram
from emulator.vm.trace_records import Record

#: The kinds of records that `watch` needs.
KINDS = (*("raise", "nmi", "miss", "sync", "deliver", "synced", "finish", "close", "hold", "release", "entry", "lost"),)


@dataclass
class Seen:
    """Times are in ns.

    Attributes:
        arrivals: NMIs that came for an event.
        misses: of them, those that lost the trylock.
        missed: overflows that those were for.
        raised, delivered, dropped: overflows.
        holds: how long the event_mutex of a vCPU was held, each time, but for the moments of an exit and entry.
        syncs: those of them that were syncs.
        gaps: how long it was free in between.
        delays: from each overflow to the entry whose NMI tells the guest, or to the DISABLE that gives it.
        taken: overflows of one event that were delivered at once.
        backlog: overflows raised and not yet delivered of a vCPU, weighted by time.
        course: (time, backlog) of vCPU 0, whenever it changed.
    """

    arrivals: int = 0
    misses: int = 0
    missed: int = 0
    raised: int = 0
    delivered: int = 0
    dropped: int = 0
    holds: list[int] = field(default_factory=list)
    syncs: list[int] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    delays: Histogram = field(default_factory=Histogram)
    taken: Histogram = field(default_factory=Histogram)
    backlog: Histogram = field(default_factory=Histogram)
    course: list[tuple[int, int]] = field(default_factory=list)


class _Vcpu:
    def __init__(self) -> None:
        self.waiting: dict[int, deque[tuple[int, int]]] = {}  # event -> when, how many: in the shadow, oldest first
        self.nmi = 0  # overflows that its last NMI was for
        self.untold: list[tuple[int, int]] = []  # delivered; the guest's next NMI tells it
        self.backlog = 0
        self.changed: int | None = None  # when the backlog did
        self.held_from: int | None = None
        self.free_from: int | None = None


def watch(records: Iterable[Record], vcpus: int) -> Seen:
    """All of one run, in any order."""
    watcher = _Watcher(vcpus)
    for record in sorted(records, key=attrgetter("time_ns")):
        watcher.feed(record)
    return watcher.seen


class _Watcher:
    def __init__(self, vcpus: int) -> None:
        self.seen = Seen()
        self._vcpus = [_Vcpu() for _ in range(vcpus)]

    def feed(self, record: Record) -> None:
        vcpu = self._vcpus[record.vcpu]
        match record.kind:
            case "raise":
                self.seen.raised += record.a
                vcpu.waiting.setdefault(record.id, deque()).append((record.time_ns, record.a))
                self._pile(record, vcpu, record.a)
            case "nmi":
                self.seen.arrivals += 1
                vcpu.nmi = record.a
            case "miss":
                self.seen.misses += 1
                self.seen.missed += vcpu.nmi
            case "sync" | "hold":
                self._hold(record, vcpu)
            case "synced" | "release":
                self._release(record, vcpu)
            case "deliver":
                vcpu.untold += self._take(record, vcpu)
                self.seen.delivered += record.a
            case "finish":
                self._tell(self._take(record, vcpu), record.time_ns)
                self.seen.delivered += record.a
            case "close":
                self._take(record, vcpu)
                self.seen.dropped += record.a
            case "entry":
                if record.a:
                    self._tell(vcpu.untold, record.time_ns)
                    vcpu.untold = []

    def _take(self, record: Record, vcpu: _Vcpu) -> list[tuple[int, int]]:
        """The oldest overflows of the event, as many as the record is about."""
        left, queue, found = record.a, vcpu.waiting.get(record.id), []
        if left and record.kind != "close":
            self.seen.taken.add(left)
        while left and queue:
            when, count = queue.popleft()
            now = min(count, left)
            found.append((when, now))
            left -= now
            if count > now:
                queue.appendleft((when, count - now))
        self._pile(record, vcpu, left - record.a)
        return found

    def _tell(self, overflows: Iterable[tuple[int, int]], time_ns: int) -> None:
        for when, count in overflows:
            self.seen.delays.add(time_ns - when, count)

    def _pile(self, record: Record, vcpu: _Vcpu, change: int) -> None:
        if not change:
            return
        if vcpu.changed is not None:
            self.seen.backlog.add(vcpu.backlog, record.time_ns - vcpu.changed)
        vcpu.backlog += change
        vcpu.changed = record.time_ns
        if record.vcpu == 0:
            self.seen.course.append((record.time_ns, vcpu.backlog))

    def _hold(self, record: Record, vcpu: _Vcpu) -> None:
        if vcpu.held_from is None:
            vcpu.held_from = record.time_ns
            if vcpu.free_from is not None:
                self.seen.gaps.append(record.time_ns - vcpu.free_from)

    def _release(self, record: Record, vcpu: _Vcpu) -> None:
        if vcpu.held_from is not None:
            held = record.time_ns - vcpu.held_from
            self.seen.holds.append(held)
            if record.kind == "synced":
                self.seen.syncs.append(held)
            vcpu.held_from, vcpu.free_from = None, record.time_ns
