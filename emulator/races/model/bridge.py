# SPDX-License-Identifier: GPL-2.0-only
"""From a trail of the model to the host core: the trail's calls and NMIs become a program, the model's defect the one
that is planted in the core, and the explorer looks for the trail's violation in all schedules with as few preemptions
as it takes.
"""

from __future__ import annotations

import re
import time
from itertools import pairwise

from emulator.errors import PvperfError, Unsupported
from emulator.races.explore.case import Case
from emulator.races.explore.machine import Setup
from emulator.races.explore.program import OF_CLOCK, Op, Program
from emulator.races.explore.shrink import exhausted
from emulator.races.model.bounds import Model
from emulator.terminal.counted import counted

#: What the core has of each defect of the model.
_CORE = {
    "no-reference": {"canary": "found_without_reference"},
    "check-then-increment": {"design": "posted"},
    "read-modify-write": {"canary": "shadow_read_then_cleared"},
    "stranded-miss": {"canary": "miss_not_deferred"},
    "raw-pointer": {"canary": "queued_without_reference"},
    "kept-mutex": {"canary": "resume_not_announced"},
    "late-nmi": {"canary": "nmi_outlives_its_event", "sync": "every-exit"},
    "closed-leader": {"canary": "closed_leader_joined"},
}
_CALL = re.compile(r"vCPU (\d): (OPEN|ENABLE|DISABLE|CLOSE|OPEN2) (\d)(?: into the group of 0)?$")
_NMI = re.compile(r"NMI: event (\d) overflows$")
_SETTLES = re.compile(r"vCPU \d: detaches event (\d), which has overflowed$")
_PERIOD_NS = 1
_MOST_PREEMPTIONS = 4
_SECONDS = 60.0


def setup_of(model: Model) -> Setup:
    """The machine with the model's defect; Unsupported where the core has nothing like it."""
    if model.defect and model.defect not in _CORE:
        raise Unsupported(f"the core has nothing like {model.defect}: its queue is a list, which is never full")
    base = {"design": model.design, "nmi": model.nmi}
    return Setup(**(base | _CORE.get(model.defect, {})), max_events=model.bounds.limit)  # type: ignore[arg-type]


def program_of(trail: list[str], vcpus: int) -> Program:
    """What the vCPUs of a trail call, and a turn of the timer for each NMI. What overflows is a clock."""
    overflow = {int(match[1]) for step in trail if (match := _NMI.match(step) or _SETTLES.match(step))}
    calls: list[list[Op]] = [[] for _ in range(vcpus)]
    for match in filter(None, map(_CALL.match, trail)):
        vcpu, kind, event = int(match[1]), match[2].lower(), int(match[3])
        if kind == "open" and event in overflow:
            calls[vcpu].append(Op("open", event, OF_CLOCK + _PERIOD_NS))
        else:
            calls[vcpu].append(Op({"open2": "join"}.get(kind, kind), event))
    timer = tuple(Op("clock") for step in trail if _NMI.match(step))
    return Program(tuple(map(tuple, calls)), timer)


def changes(trail: list[str]) -> int:
    """How often another thread goes on."""
    threads = [step.partition(":")[0] for step in trail if step.startswith(("vCPU ", "NMI:"))]
    return sum(before != after for before, after in pairwise(threads))


class NotOnCore(PvperfError):
    """What a trail of the model violates was not seen on the core: the two are not the same thing, or it takes more
    preemptions, or more time."""

    exit_status = 7


def find_case(model: Model, violates: str, trail: list[str]) -> Case:
    """The same violation on the core, or one that the same defect may show as, with as few preemptions as it takes;
    NotOnCore if none is found."""
    candidate = setup_of(model), program_of(trail, model.bounds.vcpus)
    most = min(changes(trail), _MOST_PREEMPTIONS)
    deadline = time.process_time() + _SECONDS
    for bound in range(most + 1):
        if case := exhausted(violates, candidate, bound, deadline):
            return case
        if time.process_time() >= deadline:
            searched = (
                f"within {_SECONDS:.0f} s of CPU time: not all schedules with {counted(bound, 'preemption')} were tried"
            )
            break
    else:
        searched = f"with at most {counted(most, 'preemption')}"
    raise NotOnCore(f"the core was not seen to violate {violates} with this trail's calls, {searched}")
