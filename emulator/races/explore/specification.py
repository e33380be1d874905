# SPDX-License-Identifier: GPL-2.0-only
"""The sequential specification: what each operation returns when nothing runs beside it.

It is written here alone. `table()` makes of it what the explorer's C code walks through for every schedule, and
what histories of real threads are checked against.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from emulator.races.explore.program import IDS, KINDS, OF_CLOCK, OPENS, Program

if TYPE_CHECKING:
    from emulator.races.explore.machine import Setup

ENOENT, EEXIST, EINVAL, ENOSPC = 2, 17, 22, 28
#: EXPLORE_STATES
MOST_STATES = 8192
#: What a leader's record has room for: RECORD_MEMBERS.
_MEMBERS = 5
#: Columns of the table for programs without OPEN2: the kinds up to READ.
_PLAIN = KINDS.index("lead")


class Event(NamedTuple):
    """An open event. One of the VM has the owner -1; only where there are groups are the others' fields looked at."""

    owner: int
    id: int
    leader: int = -1  # the id of the event that leads its group
    runs: bool = False


#: The open events.
State = frozenset[Event]


@dataclass(frozen=True)
class Rules:
    """Whose specification it is. With `groups` it is known who leads whom, and who runs: else neither matters."""

    design: str = "per-vm"
    limit: int = 4
    strict: bool = False
    groups: bool = False
    counters: int = 8
    uncounted: frozenset[int] = frozenset()  # ids of events that need no counter: clocks, breakpoints


def _find(state: State, owner: int, event_id: int) -> Event | None:
    return next((event for event in state if (event.owner, event.id) == (owner, event_id)), None)


def _members(state: State, leader: Event) -> frozenset[Event]:
    return frozenset(event for event in state if (event.owner, event.leader) == (leader.owner, leader.id))


def _open(state: State, rules: Rules, event: Event) -> tuple[State, int]:
    """Unless it is strict, `posted` has the mail's errno for a limit that is reached, so that its other defects come
    to light."""
    if _find(state, event.owner, event.id):
        return state, -EEXIST
    if len(state) < rules.limit:
        return state | {event}, 0
    return state, -ENOENT if rules.design == "posted" and not rules.strict else -ENOSPC


def _join(state: State, rules: Rules, owner: int, event_id: int, group: int) -> tuple[State, int]:
    leader = _find(state, owner, group)
    if not leader:
        return state, -ENOENT
    members = _members(state, leader)
    counters = sum(event.id not in rules.uncounted for event in members) + 1
    if leader.leader != leader.id or leader.runs or counters > rules.counters:
        return state, -EINVAL
    if len(members) == _MEMBERS:
        return state, -ENOSPC
    return _open(state, rules, Event(owner, event_id, group))


def _set_runs(state: State, event: Event, *, runs: bool) -> tuple[State, int]:
    if event.leader != event.id:
        return state, -EINVAL
    group = _members(state, event)
    return state - group | {member._replace(runs=runs) for member in group}, 0


def _close(state: State, rules: Rules, event: Event) -> tuple[State, int]:
    if not rules.groups or event.leader != event.id:
        return state - {event}, 0
    group = _members(state, event)
    alone = {member._replace(leader=member.id, runs=False) for member in group - {event}}
    return state - group | alone, 0


def apply(state: State, rules: Rules, vcpu: int, kind: str, event_id: int, group: int = 0) -> tuple[State, int]:
    """The state after an operation, and what it returns. `group` is the leader's id, for a `join`."""
    owner = vcpu if rules.design == "per-vcpu" else -1
    if kind in ("lead", "join") and rules.design == "posted":
        return state, -EINVAL  # its version of the ABI has no OPEN2
    if kind in ("open", "lead"):
        return _open(state, rules, Event(owner, event_id, event_id if rules.groups else -1))
    if kind == "join":
        return _join(state, rules, owner, event_id, group)
    event = _find(state, owner, event_id)
    if not event:
        return state, -ENOENT
    if kind == "close":
        return _close(state, rules, event)
    if kind in ("enable", "disable") and rules.groups:
        return _set_runs(state, event, runs=kind == "enable")
    return state, 0


def _columns(rules: Rules) -> list[tuple[str, int]]:
    """Kinds, and of a `join` the leader's id."""
    plain = [(kind, 0) for kind in KINDS[:_PLAIN]]
    return [*plain, ("lead", 0), *(("join", group) for group in range(IDS))] if rules.groups else plain


@cache
def _table(rules: Rules, vcpus: int, ids: tuple[int, ...]) -> tuple[int, bytes]:
    numbers: dict[State, int] = {frozenset(): 0}
    order = [State()]
    cells = array("h")
    for state in order:
        for vcpu in range(vcpus):
            for kind, group in _columns(rules):
                for event_id in range(IDS):
                    after, result = state, 0
                    if event_id in ids and (kind != "join" or group in ids):
                        after, result = apply(state, rules, vcpu, kind, event_id, group)
                    if after not in numbers:
                        numbers[after] = len(order)
                        order.append(after)
                    cells.extend((numbers[after], result))
        if len(order) > MOST_STATES:
            return len(order), b""
    return len(order), cells.tobytes()


def table(rules: Rules, vcpus: int, ids: tuple[int, ...]) -> tuple[int, int, bytes]:
    """How many states can be reached, how many columns there are, and for [state][vcpu][column][id] the next state and
    the result, 16 bits each; no cells where there are more than MOST_STATES."""
    states, cells = _table(rules, vcpus, ids)
    return states, len(_columns(rules)), cells


def _uncounted(program: Program) -> frozenset[int]:
    """Ids of events that need no counter. One that now needs one and now does not counts as one that does."""
    opens = [op for ops in program.vcpus for op in ops if op.kind in OPENS]
    counters = {op.id for op in opens if op.kind != "open" or op.value < OF_CLOCK}
    return frozenset(op.id for op in opens) - counters


def table_of(setup: Setup, program: Program) -> tuple[int, int, bytes]:
    """The table that a program needs on a machine."""
    groups = any(op.kind in ("lead", "join") for ops in program.vcpus for op in ops)
    rules = Rules(setup.design, setup.max_events, bool(setup.strict_errno))
    if groups:
        rules = replace(rules, groups=True, counters=setup.counters, uncounted=_uncounted(program))
    else:
        rules = replace(rules, counters=0)
    return table(rules, len(program.vcpus), tuple(program.ids()))
