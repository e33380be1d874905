# SPDX-License-Identifier: GPL-2.0-only
"""The list of events, and why there is none of what else perf knows.

The numbers behind the names come from the guest ABI's header, through the compiled core, when an event is first used;
here is none of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Known:
    """A row of the event list: the name, the header's constants that encode it, and what it counts."""

    name: str
    aliases: tuple[str, ...]
    type: str
    config: str
    counts: str
    unit: str = ""
    countable: bool = True


#: The order is the one in which `pvperf events` lists them.
KNOWN = (
    Known("instructions", (), "PV_TYPE_HARDWARE", "PV_HW_INSTRUCTIONS", "instructions retired, exact"),
    Known(
        "branches",
        ("branch-instructions",),
        "PV_TYPE_HARDWARE",
        "PV_HW_BRANCH_INSTRUCTIONS",
        "jumps (taken or not), calls, returns, loops and far transfers retired, exact",
    ),
    Known("cycles", ("cpu-cycles",), "PV_TYPE_HARDWARE", "PV_HW_CPU_CYCLES", "cycles of the model, or TSC ticks"),
    Known("ref-cycles", (), "PV_TYPE_HARDWARE", "PV_HW_REF_CPU_CYCLES", "the same: the model's frequency is constant"),
    Known("bus-cycles", (), "PV_TYPE_HARDWARE", "PV_HW_BUS_CYCLES", "one for every 25 cycles"),
    Known(
        "cpu-clock",
        (),
        "PV_TYPE_SOFTWARE",
        "PV_SW_CPU_CLOCK",
        "time enabled on a vCPU",
        unit="msec",
    ),
    Known(
        "task-clock",
        (),
        "PV_TYPE_SOFTWARE",
        "PV_SW_TASK_CLOCK",
        "time enabled on a vCPU that is not halted",
        unit="msec",
    ),
    Known("dummy", (), "PV_TYPE_SOFTWARE", "PV_SW_DUMMY", "nothing: always 0"),
    Known(
        "cache-references", (), "PV_TYPE_HARDWARE", "PV_HW_CACHE_REFERENCES", "lines asked of the model's last level"
    ),
    Known(
        "cache-misses", (), "PV_TYPE_HARDWARE", "PV_HW_CACHE_MISSES", "lines that the model's last level did not have"
    ),
    Known("branch-misses", (), "PV_TYPE_HARDWARE", "PV_HW_BRANCH_MISSES", "branches that the model mispredicted"),
    Known("L1-dcache-loads", (), "PV_TYPE_HW_CACHE", "PV_CACHE_L1D_LOADS", "instructions that read data, exact"),
    Known(
        "L1-dcache-load-misses",
        (),
        "PV_TYPE_HW_CACHE",
        "PV_CACHE_L1D_LOAD_MISSES",
        "of them, those that the model's L1D had not all of",
    ),
    Known("L1-dcache-stores", (), "PV_TYPE_HW_CACHE", "PV_CACHE_L1D_STORES", "instructions that write data, exact"),
    Known(
        "stalled-cycles-frontend",
        ("idle-cycles-frontend",),
        "PV_TYPE_HARDWARE",
        "PV_HW_STALLED_FRONTEND",
        "",
        countable=False,
    ),
    Known(
        "stalled-cycles-backend",
        ("idle-cycles-backend",),
        "PV_TYPE_HARDWARE",
        "PV_HW_STALLED_BACKEND",
        "",
        countable=False,
    ),
)

KERNEL_EVENT = "the guest's kernel would have to count it, and there is none"
_LAST_LEVEL = "the last level of the model has cache-references and cache-misses"
_NO_MODEL = "there is no model of it"

#: Names of perf's that there is no counter for, beside the rows above, and why.
_WITHOUT_COUNTER = {
    re.compile(pattern): why
    for pattern, why in (
        (r"(page|minor|major|alignment|emulation)-faults|faults", KERNEL_EVENT),
        (r"context-switches|cs|cpu-migrations|migrations|cgroup-switches|bpf-output", KERNEL_EVENT),
        (r"[a-z][a-z_0-9]*:[a-z_0-9]+_[a-z_0-9]*", KERNEL_EVENT),  # a tracepoint
        (r"LLC-(loads|load-misses)", _LAST_LEVEL),
        (r"LLC-(stores|store-misses|prefetches|prefetch-misses)", _LAST_LEVEL),
        (r"L1-dcache-(store-misses|prefetches|prefetch-misses)", "the model tells no stores and prefetches that miss"),
        (r"(L1-icache|dTLB|iTLB|branch|node)-(loads?|stores?|prefetch(es)?)(-misses)?", _NO_MODEL),
        (r"slots|topdown-[a-z-]+|mem-(loads|stores)(-aux)?", _NO_MODEL),
        (r"(power|uncore\w*|msr|intel_\w+|cstate_\w+|ibs_\w+|amd_\w+)/.*/", "this vCPU has the PMU cpu alone"),
        (r"duration_time|user_time|system_time", "stat prints the time that elapsed, and has no other"),
    )
}


def number(constant: str) -> int:
    """A constant of the guest ABI's header."""
    from emulator.native import load_core

    return int(getattr(load_core().lib, constant))


@cache
def by_name() -> dict[str, Known]:
    """The rows by their names and aliases."""
    return {name: row for row in KNOWN for name in (row.name, *row.aliases)}


def countable_names() -> list[str]:
    """Canonical names of the events that can be counted."""
    return [row.name for row in KNOWN if row.countable]


def why_without_counter(name: str) -> str:
    """Why there is no counter for what perf knows by that name; empty: perf does not know it either."""
    return next((why for pattern, why in _WITHOUT_COUNTER.items() if pattern.fullmatch(name)), "")


def rows() -> Sequence[dict[str, object]]:
    """The event list as `pvperf events --json` prints it."""
    return [
        {
            "name": row.name,
            "aliases": list(row.aliases),
            "type": number(row.type),
            "config": number(row.config),
            "counts": row.counts,
            "unit": row.unit,
            "countable": row.countable,
        }
        for row in KNOWN
    ]
