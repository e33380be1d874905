# SPDX-License-Identifier: GPL-2.0-only
"""Is what the core did something that the model can do? The core's trace of a schedule is held against all ways of the
model through the same program: what ties the model to the code.

A step of the model is seen in the trace, or it is not. Compared are calls and their results, on which vCPU an event is
attached, detached, overflows, is deferred and delivered, and the order of all that. Locks, queues and references are
not seen, and how many overflows come at once is not the model's to say. What the core says of an NMI that lost the
trylock is left out, since it says so some steps later.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from emulator.errors import UsageError
from emulator.races.explore.machine import Machine, Setup, Traced
from emulator.races.explore.program import OF_BREAKPOINT, OF_CLOCK, Op, Program
from emulator.races.explore.specification import ENOENT, ENOSPC
from emulator.races.model.bounds import MOST_IDS, MOST_VCPUS, Bounds, Model
from emulator.races.model.bridge import setup_of
from emulator.races.model.system import CLOSE, DISABLE, ENABLE, IDLE, State, System, Violation

#: Of the model's steps, those that the core traces: by the vCPU that takes them, or on which the event counts.
_DELIVERS = re.compile(r"vCPU (\d): takes event (\d)'s overflows")
_ATTACHES = re.compile(r"vCPU (\d): attaches event (\d)")
_WHERE_IT_IS = (
    (re.compile(r"vCPU \d: detaches event (\d)"), "detach"),
    (re.compile(r"NMI: event (\d) overflows"), "nmi"),
    (re.compile(r"NMI: defers event (\d)"), "defer"),
)
_SYNCS = re.compile(r"vCPU (\d): syncs")
_CALLS = re.compile(r"vCPU \d: (OPEN|ENABLE|DISABLE|CLOSE) \d|vCPU \d: OPEN2 1 into the group of 0|all are at rest")
_OPS = {"enable": ENABLE, "disable": DISABLE, "close": CLOSE}
_OUT, _CALLED, _RUNS = range(3)
_ENOUGH = 200  # calls of a vCPU, and NMIs: as many as a byte counts, and more than a program has
_DESIGNS = {"posted": "per-vm"}  # what it should have been
_KINDS = frozenset({"hypercall", "result", "attach", "detach", "nmi", "defer", "deliver", "finish"})


class Label(NamedTuple):
    """What is seen: a kind of the trace, the vCPU, and the event or the result."""

    kind: str
    vcpu: int
    value: int


class Guest(NamedTuple):
    """A vCPU's program: how far it is, and what the call that it makes will return."""

    at: int = 0
    phase: int = _OUT
    result: int = 0


class Place(NamedTuple):
    """A state of the model, and where its vCPUs' programs stand."""

    state: State
    guests: tuple[Guest, ...]


class Acceptor:
    """The model's ways through one program."""

    def __init__(self, program: Program, setup: Setup) -> None:
        """UsageError for a program that the model has no words for."""
        self._program = program
        ids = max(program.ids(), default=0) + 1
        _check(program, ids)
        bounds = Bounds(len(program.vcpus), ids, limit=setup.max_events, capacity=ids)
        self._system = System(Model(_DESIGNS.get(setup.design, setup.design), setup.nmi, bounds=bounds))
        self._system.bounds = replace(bounds, ops=_ENOUGH, nmis=_ENOUGH)
        self._full = -ENOENT if setup.design == "posted" else -ENOSPC
        self._begin = Place(self._system.initial(), (Guest(),) * len(program.vcpus))
        self._steps: dict[Place, list[tuple[Label | None, Place]]] = {}

    @property
    def places(self) -> int:
        """How many were looked at so far."""
        return len(self._steps)

    def refuses(self, trace: Iterable[Traced]) -> str:
        """'' for a trace that is one of the model's; else what the model could not do then."""
        here = self._closure({self._begin})
        for number, record in enumerate(trace):
            if record.kind not in _KINDS:
                continue
            label = _label(record)
            here = self._closure({to for place in here for seen, to in self._from(place) if seen == label})
            if not here:
                return f"record {number}: {label.kind} of vCPU {label.vcpu}, {label.value}"
        return "" if any(self._rests(place) for place in here) else "the end: something is left to be done"

    def _closure(self, places: set[Place]) -> set[Place]:
        """And all that may have happened unseen."""
        found, new = set(places), list(places)
        while new:
            for seen, to in self._from(new.pop()):
                if seen is None and to not in found:
                    found.add(to)
                    new.append(to)
        return found

    def _rests(self, place: Place) -> bool:
        model = self._system
        over = all(guest == (len(ops), _OUT, 0) for guest, ops in zip(place.guests, self._program.vcpus, strict=True))
        return over and any(text == "all are at rest" for text, _ in model.choices(place.state))

    def _from(self, place: Place) -> list[tuple[Label | None, Place]]:
        if place not in self._steps:
            self._steps[place] = [*self._calls(place), *self._models(place)]
        return self._steps[place]

    def _models(self, place: Place) -> Iterator[tuple[Label | None, Place]]:
        """Steps of the model itself, but for calls: those are the program's."""
        for text, does in self._system.choices(place.state):
            if _CALLS.fullmatch(text):
                continue
            if (match := _SYNCS.match(text)) and place.guests[int(match[1])].phase != _OUT:
                continue  # a vCPU syncs on its way into guest mode
            now = bytearray(place.state)
            try:
                does(now)
            except Violation:
                continue
            guests = place.guests
            for vcpu in range(len(guests)):
                if text.startswith(f"vCPU {vcpu}: works on") and self._system.finds_closed(place.state, vcpu):
                    guests = _with(guests, vcpu, guests[vcpu]._replace(result=-ENOENT))
            yield self._seen(text, place.state), Place(bytes(now), guests)

    def _seen(self, text: str, before: State) -> Label | None:
        model = self._system
        if match := _DELIVERS.match(text):
            vcpu, event = int(match[1]), int(match[2])
            return Label("deliver" if model.syncs(before, vcpu) else "finish", vcpu, event)
        if match := _ATTACHES.match(text):
            return Label("attach", int(match[1]), int(match[2]))
        for pattern, kind in _WHERE_IT_IS:
            if match := pattern.match(text):
                event = int(match[1])
                if kind == "defer" and model.deferred(before, event):
                    return None
                return Label(kind, model.home(before, event), event)
        return None

    def _calls(self, place: Place) -> Iterator[tuple[Label | None, Place]]:
        for vcpu, (guest, ops) in enumerate(zip(place.guests, self._program.vcpus, strict=True)):
            idle = self._system.place(place.state, vcpu) == IDLE
            if guest.phase == _OUT and idle and guest.at < len(ops):
                called = _with(place.guests, vcpu, guest._replace(phase=_CALLED))
                yield Label("hypercall", vcpu, 0), Place(place.state, called)
            elif guest.phase == _CALLED:
                yield None, self._call(place, vcpu, ops[guest.at])
            elif guest.phase == _RUNS and idle:
                back = _with(place.guests, vcpu, Guest(guest.at + 1))
                yield Label("result", vcpu, guest.result), Place(place.state, back)

    def _call(self, place: Place, vcpu: int, op: Op) -> Place:
        """The step with which a call begins: it finds the event or not, or there is room for one or not."""
        now, result = bytearray(place.state), 0
        if op.kind == "open":
            result = 0 if self._system.has_room(place.state) else self._full
            self._system.open(now, vcpu, op.id)
        elif self._system.finds(place.state, vcpu, op.id):
            self._system.call(now, vcpu, op.id, _OPS[op.kind])
        else:
            result = -ENOENT
        return Place(bytes(now), _with(place.guests, vcpu, place.guests[vcpu]._replace(phase=_RUNS, result=result)))


def _with(guests: tuple[Guest, ...], vcpu: int, guest: Guest) -> tuple[Guest, ...]:
    return (*guests[:vcpu], guest, *guests[vcpu + 1 :])


def _label(record: Traced) -> Label:
    match record.kind:
        case "hypercall":
            return Label("hypercall", record.vcpu, 0)
        case "result":
            return Label("result", record.vcpu, record.value - (record.value >> 63 << 64))
    return Label(record.kind, record.vcpu, record.id)


def _check(program: Program, ids: int) -> None:
    ops = [op for each in program.vcpus for op in each]
    opened = [op.id for op in ops if op.kind == "open"]
    if len(program.vcpus) > MOST_VCPUS or ids > MOST_IDS:
        raise UsageError(f"the model has {MOST_VCPUS} vCPUs and {MOST_IDS} events at most")
    if any(op.kind not in ("open", *_OPS) for op in ops):
        raise UsageError("the model has calls to open, enable, disable and close, and nothing else")
    if len(opened) != len(set(opened)):
        raise UsageError("in the model an id is opened once")
    if any(op.kind == "open" and op.value and not OF_CLOCK < op.value < OF_BREAKPOINT for op in ops):
        raise UsageError("in the model NMIs come from a timer: what samples is a clock")


#: Schedules of a program before another one has its turn.
_EACH = 50


@dataclass(frozen=True)
class Compared:
    """What was held against the model, and the first that it refused, if any."""

    schedules: int
    programs: int
    records: int
    places: int  # of the model, with those of the programs
    refused: str = ""
    program: Program | None = None


def compare(model: Model, *, seed: int, schedules: int, tick: Callable[[int], None] = lambda _: None) -> Compared:
    """Random programs on the core, which has the model's defect; the model that judges has none. `tick` gets how many
    schedules are done, again and again."""
    setup, done, records, places = setup_of(model), 0, 0, 0
    programs = 0
    while done < schedules:
        program = random_program(random.Random(f"traces:{seed}:{programs}"), model.bounds)
        programs += 1
        acceptor = Acceptor(program, replace(setup, canary=""))
        with Machine(setup, program) as machine:
            for index in range(min(_EACH, schedules - done)):
                _, verdict = machine.run("mix", seed=seed, first=index, count=1, trace=True)
                trace = machine.traces()
                done, records = done + 1, records + len(trace)
                tick(done)
                violated = "" if verdict.held else f"the core violates {verdict.oracle}: {verdict.text}"
                if refused := acceptor.refuses(trace) or violated:
                    return Compared(done, programs, records, places + acceptor.places, refused, program)
        places += acceptor.places
    return Compared(done, programs, records, places)


def random_program(rng: random.Random, bounds: Bounds) -> Program:
    """Calls that the model knows: each id is opened by one vCPU, and is a clock's that samples, or not."""
    vcpus: list[list[Op]] = [
        [Op(rng.choice(tuple(_OPS)), rng.randrange(bounds.ids)) for _ in range(rng.randint(0, bounds.ops))]
        for _ in range(bounds.vcpus)
    ]
    for event in range(bounds.ids):
        ops = rng.choice(vcpus)
        ops.insert(
            rng.randint(0, len(ops) // 2), Op("open", event, OF_CLOCK + 1 if event == 0 or rng.random() < 0.5 else 0)
        )
    return Program(tuple(map(tuple, vcpus)), (Op("clock"),) * rng.randint(0, bounds.nmis))
