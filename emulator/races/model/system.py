# SPDX-License-Identifier: GPL-2.0-only
"""The transition system of pv_perf.pml in Python, step for step: see there for what the variables mean.

A state is a string of bytes, laid out by Layout. `System.steps` is what may happen in a state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from emulator.races.model.bounds import Model

State = bytes
#: What is said of a step, and what it does to a copy of the state.
Choice = tuple[str, Callable[[bytearray], None]]
IDLE, INSERT, LOCK, BODY, HOLD, DETACH, ARRIVE, ATTACH, FINISH, FINISHED = range(10)
UNLOCK, DROP, DRAIN, ENQUEUE, DELIVER, DELIVERED, SYNCED, TRY, QUEUE, DEFER = range(10, 20)
OPEN, ENABLE, DISABLE, CLOSE, JOIN = range(1, 6)
_CALLS = ((ENABLE, "ENABLE {}"), (DISABLE, "DISABLE {}"), (CLOSE, "CLOSE {}"))


class Violation(Exception):
    """An oracle does not hold; the argument names it."""


def check(oracle: str, held: bool) -> None:
    if not held:
        raise Violation(oracle)


@dataclass(frozen=True)
class Step:
    """What a thread does, and to what that leads: a state, or an oracle that does not hold."""

    text: str
    state: State | None
    violates: str = ""


class Layout:
    """Where a variable is in a state: global ones, then some for each event, then some for each vCPU."""

    GLOBALS = ("open", "timer", "nmis", "judged", "nmi_pc", "nmi_event")
    EVENT = ("used", "table", "closed", "freed", "refs", "lock", "home", "shadow", "owed", "queued", "deferred", "due")
    VCPU = ("mutex", "pc", "done", "op", "event", "value")

    def __init__(self, vcpus: int, ids: int) -> None:
        self.vcpus = len(self.GLOBALS) + ids * len(self.EVENT)
        self.size = self.vcpus + vcpus * len(self.VCPU)


_OPEN, _TIMER, _NMIS, _JUDGED, _NMI_PC, _NMI_EVENT = range(6)
_USED, _TABLE, _CLOSED, _FREED, _REFS, _LOCK, _HOME, _SHADOW, _OWED, _QUEUED, _DEFERRED, _DUE = range(12)
_MUTEX, _PC, _DONE, _OP, _EVENT, _VALUE = range(6)


class System:
    """The steps of one model."""

    def __init__(self, model: Model) -> None:
        self.bounds, self.defect = model.bounds, model.defect
        self.counting = model.design != "no-refcount"
        self.per_vcpu = model.design == "per-vcpu"
        self.raised = DEFER if model.nmi == "lockless" else TRY
        self.layout = Layout(model.bounds.vcpus, model.bounds.ids)
        self.events = [len(Layout.GLOBALS) + n * len(Layout.EVENT) for n in range(model.bounds.ids)]
        self.cpus = [self.layout.vcpus + n * len(Layout.VCPU) for n in range(model.bounds.vcpus)]
        self.nmi_owner = self.moved = model.bounds.vcpus + 1

    def initial(self) -> State:
        return bytes(self.layout.size)

    def steps(self, state: State) -> Iterator[Step]:
        """All that may happen in a state; what is stuck although not all are at rest violates O10."""
        stuck = True
        for text, guard_passed in self.choices(state):
            stuck = False
            now = bytearray(state)
            try:
                guard_passed(now)
            except Violation as violation:
                yield Step(text, None, violation.args[0])
            else:
                yield Step(text, bytes(now))
        if stuck and not state[_JUDGED]:
            yield Step("nobody can go on", None, "O10 progress")

    def choices(self, state: State) -> Iterator[Choice]:
        for me in range(len(self.cpus)):
            yield from self._vcpu(state, me)
        yield from self._timer(state)

    # What a state says, for those who look at it from outside.

    def place(self, state: State, me: int) -> int:
        return state[self.cpus[me] + _PC]

    def syncs(self, state: State, me: int) -> bool:
        return self.place(state, me) in (DELIVER, DELIVERED)

    def finds_closed(self, state: State, me: int) -> bool:
        """A call on an event that was closed since it was found."""
        return bool(state[self.events[state[self.cpus[me] + _EVENT]] + _CLOSED])

    def deferred(self, state: State, event: int) -> bool:
        return bool(state[self.events[event] + _DEFERRED])

    def home(self, state: State, event: int) -> int:
        """The vCPU on which it counts; -1: none."""
        return state[self.events[event] + _HOME] - 1

    def has_room(self, state: State) -> bool:
        return state[_OPEN] < self.bounds.limit

    def finds(self, state: State, me: int, event: int) -> bool:
        entry = state[self.events[event] + _TABLE]
        return bool(entry) and (not self.per_vcpu or entry == me + 1)

    # The parts that several steps have in common.

    def _use(self, now: bytearray, event: int) -> None:
        check("O1 memory", not now[event + _FREED])

    def _release(self, now: bytearray, event: int) -> None:
        check("O2 references", not now[event + _HOME])
        now[event + _FREED] = 1
        now[event + _OWED] = (now[event + _OWED] - now[event + _SHADOW]) & 255
        now[event + _SHADOW] = 0

    def _take(self, now: bytearray, event: int) -> None:
        self._use(now, event)
        if self.counting:
            now[event + _REFS] += 1

    def _put(self, now: bytearray, event: int) -> None:
        if not self.counting:
            return
        self._use(now, event)
        check("O2 references", now[event + _REFS] > 0)
        now[event + _REFS] -= 1
        if not now[event + _REFS]:
            self._release(now, event)

    def _length(self, state: State | bytearray, owner: int) -> int:
        return sum(state[event + _QUEUED] == owner for event in self.events)

    def _queue(self, now: bytearray, event: int, owner: int) -> None:
        if not now[event + _QUEUED]:
            now[event + _QUEUED] = owner
            if self.defect != "raw-pointer":
                self._take(now, event)

    def _defer(self, now: bytearray, event: int, owner: int) -> None:
        if not now[event + _DEFERRED]:
            now[event + _DEFERRED] = owner
            self._take(now, event)

    def _insert(self, now: bytearray, event: int, me: int) -> None:
        now[_OPEN] += 1
        now[event + _USED] = now[event + _REFS] = 1
        now[event + _TABLE] = me + 1 if self.per_vcpu else 1
        check("O3 limit", now[_OPEN] <= self.bounds.limit)

    def _count_overflow(self, now: bytearray, event: int) -> None:
        now[_NMIS] += 1
        now[event + _SHADOW] += 1
        now[event + _OWED] += 1

    def _deliver(self, now: bytearray, event: int, cpu: int) -> None:
        now[event + _OWED] = (now[event + _OWED] - now[cpu + _VALUE]) & 255
        now[event + _SHADOW] = now[cpu + _VALUE] = 0

    # A vCPU.

    def _pending(self, state: State, owner: int) -> bool:
        return any(state[event + _QUEUED] == owner or state[event + _DEFERRED] == owner for event in self.events)

    def _vcpu(self, state: State, me: int) -> Iterator[Choice]:
        cpu, owner = self.cpus[me], me + 1
        pc = state[cpu + _PC]
        if pc == IDLE:
            if self._pending(state, owner) and not state[cpu + _MUTEX]:
                yield f"vCPU {me}: syncs", lambda now: self._lock_own(now, me, DRAIN)
            if not state[cpu + _MUTEX] and any(state[event + _DUE] == owner for event in self.events):
                yield f"vCPU {me}: gets an NMI", lambda now: self._tell(now, owner)
            if not state[_JUDGED] and state[cpu + _DONE] < self.bounds.ops:
                yield from self._calls(state, me)
        elif pc == DRAIN:
            yield from self._drain(state, me)
        elif self._may(state, cpu, pc, state[cpu + _EVENT], me):
            text, does = self._WORK[pc]
            yield f"vCPU {me}: {text.format(state[cpu + _EVENT])}", lambda now: self._works(now, me, does)
            if pc == DETACH and state[_NMIS] < self.bounds.nmis:
                text += ", which has overflowed"
                yield f"vCPU {me}: {text.format(state[cpu + _EVENT])}", lambda now: self._settles(now, me, does)

    def _may(self, state: State, cpu: int, pc: int, number: int, me: int) -> bool:
        event = self.events[number]
        if pc == LOCK:
            return bool(state[event + _FREED] or not state[event + _LOCK])
        if pc == HOLD:
            return not state[self.cpus[state[event + _HOME] - 1] + _MUTEX]
        if pc == ARRIVE:
            return not state[cpu + _MUTEX]
        return pc not in (DETACH, ATTACH) or state[_TIMER] != number + 1

    def _lock_own(self, now: bytearray, me: int, then: int) -> None:
        now[self.cpus[me] + _MUTEX] = me + 1
        now[self.cpus[me] + _PC] = then

    def _tell(self, now: bytearray, owner: int) -> None:
        """One NMI is for all events that one is owed for."""
        for event in self.events:
            if now[event + _DUE] == owner:
                check("O11 NMIs", now[event + _HOME] == owner)
                now[event + _DUE] = 0

    def _calls(self, state: State, me: int) -> Iterator[Choice]:
        if len(self.events) > 1 and not state[self.events[1] + _USED] and self.finds(state, me, 0):
            yield f"vCPU {me}: OPEN2 1 into the group of 0", partial(self.call, me=me, number=0, op=JOIN)
        for number, event in enumerate(self.events):
            if not state[event + _USED]:
                yield (
                    f"vCPU {me}: OPEN {number}",
                    partial(self.open, me=me, number=number),
                )
            if self.finds(state, me, number):
                for op, text in _CALLS:
                    yield (
                        f"vCPU {me}: {text.format(number)}",
                        partial(self.call, me=me, number=number, op=op),
                    )

    def open(self, now: bytearray, me: int, number: int) -> None:
        cpu = self.cpus[me]
        now[cpu + _DONE] += 1
        if now[_OPEN] >= self.bounds.limit:
            return
        if self.defect == "check-then-increment":
            now[cpu + _OP], now[cpu + _EVENT], now[cpu + _PC] = OPEN, number, INSERT
        else:
            self._insert(now, self.events[number], me)

    def call(self, now: bytearray, me: int, number: int, op: int) -> None:
        cpu, event = self.cpus[me], self.events[number]
        if self.defect != "no-reference":
            self._take(now, event)
        now[cpu + _DONE] += 1
        now[cpu + _OP], now[cpu + _EVENT], now[cpu + _PC] = op, number, LOCK

    def _drain(self, state: State, me: int) -> Iterator[Choice]:
        """In any order, and as many as it likes: what comes while it syncs may wait for the next time."""
        owner, room = me + 1, self._length(state, me + 1) < self.bounds.capacity
        for number, event in enumerate(self.events):
            if state[event + _DEFERRED] == owner and (state[event + _QUEUED] or room):
                yield (
                    f"vCPU {me}: drains event {number}",
                    partial(self._pick, me=me, number=number, of=_DEFERRED, then=ENQUEUE),
                )
            if state[event + _QUEUED] == owner:
                yield (
                    f"vCPU {me}: takes event {number} from its queue",
                    partial(self._pick, me=me, number=number, of=_QUEUED, then=DELIVER),
                )
        yield f"vCPU {me}: has synced", lambda now: self._synced_all(now, me)

    def _pick(self, now: bytearray, me: int, number: int, of: int, then: int) -> None:
        now[self.events[number] + of] = 0
        self._use(now, self.events[number])
        now[self.cpus[me] + _EVENT], now[self.cpus[me] + _PC] = number, then

    def _synced_all(self, now: bytearray, me: int) -> None:
        now[self.cpus[me] + _MUTEX] = 0
        now[self.cpus[me] + _PC] = IDLE

    def _works(self, now: bytearray, me: int, does: Callable[[System, bytearray, int, int, int], int]) -> None:
        """One step of an operation or a sync, on the event that it is about; the next one is what `does` returns."""
        cpu = self.cpus[me]
        now[cpu + _PC] = does(self, now, me, cpu, self.events[now[cpu + _EVENT]])
        if now[cpu + _PC] in (IDLE, DRAIN):
            now[cpu + _EVENT] = 0
        if now[cpu + _PC] == IDLE:
            now[cpu + _OP] = 0

    def _settles(self, now: bytearray, me: int, does: Callable[[System, bytearray, int, int, int], int]) -> None:
        """No NMI told of what an event has overflowed since the last one, when it stops."""
        self._count_overflow(now, self.events[now[self.cpus[me] + _EVENT]])
        self._works(now, me, does)

    def _insert_later(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        if not now[event + _USED]:
            self._insert(now, event, me)
        return IDLE

    def _lock(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        self._use(now, event)
        now[event + _LOCK] = me + 1
        return BODY

    def _body(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        self._use(now, event)
        op, home = now[cpu + _OP], now[event + _HOME]
        if op == JOIN:
            return self._join(now, me, event)
        if now[event + _CLOSED]:
            now[cpu + _OP] = DISABLE if op == CLOSE else op  # whoever was first has closed it
            return UNLOCK
        if op == CLOSE:
            now[event + _CLOSED], now[event + _TABLE] = 1, 0
            now[_OPEN] -= 1
            return HOLD if home else UNLOCK
        if op == DISABLE:
            return HOLD if home else FINISH
        if home == me + 1:
            return UNLOCK
        return HOLD if home else ARRIVE

    def _join(self, now: bytearray, me: int, leader: int) -> int:
        if self.defect == "closed-leader" or not now[leader + _CLOSED]:
            check("O8 linearizability", bool(now[leader + _TABLE]))
            if now[_OPEN] < self.bounds.limit and not now[self.events[1] + _USED]:
                self._insert(now, self.events[1], me)
        return UNLOCK

    def _hold(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        now[self.cpus[now[event + _HOME] - 1] + _MUTEX] = me + 1
        return DETACH

    def _detach(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        self._use(now, event)
        if self.defect != "kept-mutex" or now[cpu + _OP] != CLOSE:
            now[self.cpus[now[event + _HOME] - 1] + _MUTEX] = 0
        if now[event + _QUEUED] and self.defect != "raw-pointer":
            now[event + _QUEUED] = 0
            self._put(now, event)
        if now[event + _DEFERRED]:
            now[event + _DEFERRED] = 0
            self._put(now, event)
        now[event + _HOME] = 0
        if self.defect != "late-nmi":
            now[event + _DUE] = self.moved if now[event + _DUE] and now[cpu + _OP] == ENABLE else 0
        self._put(now, event)
        return {ENABLE: ARRIVE, DISABLE: FINISH}.get(now[cpu + _OP], UNLOCK)

    def _arrive(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        now[cpu + _MUTEX] = me + 1
        return ATTACH

    def _attach(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        self._use(now, event)
        now[event + _HOME] = me + 1
        if now[event + _DUE] == self.moved:
            now[event + _DUE] = me + 1
        self._take(now, event)
        if now[event + _SHADOW]:
            room = self._length(now, me + 1) < self.bounds.capacity
            (self._queue if room else self._defer)(now, event, me + 1)
        now[cpu + _MUTEX] = 0
        return UNLOCK

    def _read(self, now: bytearray, cpu: int, event: int, split: int, then: int) -> int:
        self._use(now, event)
        now[cpu + _VALUE] = now[event + _SHADOW]
        if self.defect == "read-modify-write":
            return split
        self._deliver(now, event, cpu)
        return then

    def _zero(self, now: bytearray, cpu: int, event: int, then: int) -> int:
        self._use(now, event)
        self._deliver(now, event, cpu)
        return then

    def _unlock(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        self._use(now, event)
        now[event + _LOCK] = 0
        return DROP

    def _drop(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        if now[cpu + _OP] == CLOSE and not self.counting:
            self._use(now, event)
            self._release(now, event)
            return IDLE
        if self.defect != "no-reference":
            self._put(now, event)
        if now[cpu + _OP] == CLOSE:
            self._put(now, event)
        return IDLE

    def _enqueue(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        self._queue(now, event, me + 1)
        self._put(now, event)
        return DRAIN

    def _synced(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        if self.defect != "raw-pointer":
            self._put(now, event)
        return DRAIN

    def _finish(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        return self._read(now, cpu, event, FINISHED, UNLOCK)

    def _finished(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        return self._zero(now, cpu, event, UNLOCK)

    def _sync(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        if now[event + _SHADOW]:
            now[event + _DUE] = me + 1
        return self._read(now, cpu, event, DELIVERED, SYNCED)

    def _delivered(self, now: bytearray, me: int, cpu: int, event: int) -> int:
        return self._zero(now, cpu, event, SYNCED)

    #: Of each place: what is said of a step from there, and the step, which returns the next place.
    _WORK = {  # noqa: RUF012 - never changed
        INSERT: ("OPEN {}: counted", _insert_later),
        LOCK: ("locks event {}", _lock),
        BODY: ("works on event {}", _body),
        HOLD: ("holds event {}'s vCPU", _hold),
        DETACH: ("detaches event {}", _detach),
        ARRIVE: ("locks its event_mutex", _arrive),
        ATTACH: ("attaches event {}", _attach),
        FINISH: ("takes event {}'s overflows", _finish),
        FINISHED: ("zeroes event {}'s overflows", _finished),
        UNLOCK: ("unlocks event {}", _unlock),
        DROP: ("is done with event {}", _drop),
        ENQUEUE: ("queues event {}", _enqueue),
        DELIVER: ("takes event {}'s overflows", _sync),
        DELIVERED: ("zeroes event {}'s overflows", _delivered),
        SYNCED: ("drops event {}", _synced),
    }

    # The timer and its NMIs.

    def _timer(self, state: State) -> Iterator[Choice]:
        pc, number = state[_NMI_PC], state[_NMI_EVENT]
        if pc == IDLE:
            if not state[_JUDGED]:
                yield from self._from_rest(state)
            return
        event = self.events[number]
        owner = state[event + _HOME]
        if pc == TRY:
            if not state[self.cpus[owner - 1] + _MUTEX]:
                yield "NMI: has the event_mutex", lambda now: self._try(now, owner, free=True)
            yield "NMI: misses the event_mutex", lambda now: self._try(now, owner, free=False)
        elif pc == QUEUE:
            room = bool(state[event + _QUEUED] or self._length(state, owner) < self.bounds.capacity)
            text = f"queues event {number}" if room else "finds the queue full"
            yield f"NMI: {text}", lambda now: self._queue_nmi(now, event, owner, room)
        else:
            yield f"NMI: defers event {number}", lambda now: self._defer_nmi(now, event, owner)

    def _from_rest(self, state: State) -> Iterator[Choice]:
        for number, event in enumerate(self.events):
            if state[event + _HOME] and state[_NMIS] < self.bounds.nmis:
                yield f"NMI: event {number} overflows", partial(self._overflow, number=number)
        resting = all(state[cpu + _PC] == IDLE for cpu in self.cpus)
        if resting and not any(state[event + at] for event in self.events for at in (_QUEUED, _DEFERRED, _DUE)):
            yield "all are at rest", self._judge

    def _overflow(self, now: bytearray, number: int) -> None:
        event = self.events[number]
        self._use(now, event)
        self._count_overflow(now, event)
        now[_TIMER] = number + 1
        now[_NMI_EVENT], now[_NMI_PC] = number, self.raised

    def _again(self, now: bytearray) -> None:
        now[_TIMER] = now[_NMI_EVENT] = 0
        now[_NMI_PC] = IDLE

    def _try(self, now: bytearray, owner: int, *, free: bool) -> None:
        if free:
            now[self.cpus[owner - 1] + _MUTEX] = self.nmi_owner
            now[_NMI_PC] = QUEUE
        elif self.defect == "stranded-miss":
            self._again(now)
        else:
            now[_NMI_PC] = DEFER

    def _queue_nmi(self, now: bytearray, event: int, owner: int, room: bool) -> None:
        now[self.cpus[owner - 1] + _MUTEX] = 0
        if room:
            self._queue(now, event, owner)
        if room or self.defect == "full-drops":
            self._again(now)
        else:
            now[_NMI_PC] = DEFER

    def _defer_nmi(self, now: bytearray, event: int, owner: int) -> None:
        self._defer(now, event, owner)
        self._again(now)

    def _judge(self, now: bytearray) -> None:
        for event in self.events:
            if now[event + _USED] and not now[event + _FREED]:
                owners = bool(now[event + _TABLE]) + bool(now[event + _HOME])
                check("O2 references", not self.counting or now[event + _REFS] == owners)
                check("O5 conservation", now[event + _OWED] == now[event + _SHADOW])
                check("O6 nothing stranded", not now[event + _SHADOW])
        now[_JUDGED] = 1
