# SPDX-License-Identifier: GPL-2.0-only
"""The sequential specification: what each operation returns when nothing runs beside it.

It is written here alone. `table()` makes of it what the explorer's C code walks through for every schedule, and
what histories of real threads are checked against.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cache

from emulator.explore.program import HYPERCALLS, IDS

ENOENT, EEXIST, ENOSPC = 2, 17, 28
#: EXPLORE_STATES
MOST_STATES = 8192

#: The open events: (owner, id). An event of the VM has the owner -1.
State = frozenset[tuple[int, int]]


def apply(
    state: State, design: str, limit: int, vcpu: int, kind: str, event_id: int, *, strict: bool = False
) -> tuple[State, int]:
    """The state after an operation, and what it returns. Unless it is strict, `posted` has the mail's errno for a
    limit that is reached, so that its other defects come to light.
    """
    event = (vcpu if design == "per-vcpu" else -1, event_id)
    full = -ENOENT if design == "posted" and not strict else -ENOSPC
    if kind == "open":
        if event in state:
            return state, -EEXIST
        return (state | {event}, 0) if len(state) < limit else (state, full)
    if event not in state:
        return state, -ENOENT
    return (state - {event}, 0) if kind == "close" else (state, 0)


@cache
def table(design: str, limit: int, vcpus: int, ids: tuple[int, ...], *, strict: bool = False) -> tuple[int, bytes]:
    """How many states can be reached, and for [state][vcpu][kind][id] the next state and the result, 16 bits each; no
    cells where there are more than MOST_STATES."""
    numbers: dict[State, int] = {frozenset(): 0}
    order = [frozenset[tuple[int, int]]()]
    cells = array("h")
    for state in order:
        for vcpu in range(vcpus):
            for kind in HYPERCALLS:
                for event_id in range(IDS):
                    after, result = state, 0
                    if event_id in ids:
                        after, result = apply(state, design, limit, vcpu, kind, event_id, strict=strict)
                    if after not in numbers:
                        numbers[after] = len(order)
                        order.append(after)
                    cells.extend((numbers[after], result))
        if len(order) > MOST_STATES:
            return len(order), b""
    return len(order), cells.tobytes()


def explain(ids: Sequence[int], design: str, limit: int) -> str:
    """One sentence for a report."""
    where = "of the vCPU that opened them" if design == "per-vcpu" else "of the VM"
    return f"ids {', '.join(map(str, ids))} {where}, at most {limit} open"
