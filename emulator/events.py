# SPDX-License-Identifier: GPL-2.0-only
"""Events by name, and perf's `-e` syntax.

The numbers behind the names come from the guest ABI's header, through the compiled core, when an
event is first used; this module imports nothing else and holds none of them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NoReturn

from emulator.errors import Unsupported, UsageError


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

_KERNEL = "the guest's kernel would have to count it, and there is none"
_LAST_LEVEL = "the last level of the model has cache-references and cache-misses"
_NO_MODEL = "there is no model of it"

#: Names of perf's that there is no counter for, beside the rows above, and why.
_WITHOUT_COUNTER = {
    re.compile(pattern): why
    for pattern, why in (
        (r"(page|minor|major|alignment|emulation)-faults|faults", _KERNEL),
        (r"context-switches|cs|cpu-migrations|migrations|cgroup-switches|bpf-output", _KERNEL),
        (r"[a-z][a-z_0-9]*:[a-z_0-9]+_[a-z_0-9]*", _KERNEL),  # a tracepoint
        (r"LLC-(loads|load-misses)", _LAST_LEVEL),
        (r"LLC-(stores|store-misses|prefetches|prefetch-misses)", _LAST_LEVEL),
        (r"L1-dcache-(store-misses|prefetches|prefetch-misses)", "the model tells no stores and prefetches that miss"),
        (r"(L1-icache|dTLB|iTLB|branch|node)-(loads?|stores?|prefetch(es)?)(-misses)?", _NO_MODEL),
        (r"slots|topdown-[a-z-]+|mem-(loads|stores)(-aux)?", _NO_MODEL),
        (r"(power|uncore\w*|msr|intel_\w+|cstate_\w+|ibs_\w+|amd_\w+)/.*/", "this vCPU has the PMU cpu alone"),
        (r"duration_time|user_time|system_time", "stat prints the time that elapsed, and has no other"),
    )
}

_RAW = re.compile(r"r([0-9a-fA-F]{1,16})")
_PMU = re.compile(r"cpu/(.*)/")
_BREAKPOINT = re.compile(
    r"mem:(?P<address>0[xX][0-9a-fA-F]{1,32}|[0-9]{1,32})(?:/(?P<length>0[xX][0-9a-fA-F]{1,8}|[1-9][0-9]{0,8}))?"
    r"(?::(?P<access>[rwx]{1,3}))?(?::(?P<modifiers>[a-zA-Z]+))?"
)
_MODIFIERS = "uk"
_FOREIGN_MODIFIERS = "hGHIpPSDWeb"


@dataclass(frozen=True)
class Event:
    """An event to open: `flags` has the bit order of kvm_pv_perf_attr; `unit` is "msec" for clocks, else "".

    `breakpoint` is bp_type, bp_addr (a virtual address of the guest) and bp_len (bytes).
    `sample_period` 0: it is counted, and not sampled. With the flag KVM_PV_PERF_FREQ it is samples a second.
    """

    name: str
    canonical: str
    type: int
    config: int
    flags: int
    unit: str = ""
    breakpoint: tuple[int, int, int] = (0, 0, 0)
    sample_period: int = 0
    sample_type: int = 0


def _number(constant: str) -> int:
    from emulator.native import load_core

    return int(getattr(load_core().lib, constant))


@cache
def _names() -> dict[str, Known]:
    return {name: row for row in KNOWN for name in (row.name, *row.aliases)}


def countable_names() -> list[str]:
    """Canonical names of the events that can be counted."""
    return [row.name for row in KNOWN if row.countable]


def split_list(text: str) -> list[str]:
    """Splits at commas, but not within cpu/.../. UsageError for an empty item; Unsupported for a {group}."""
    if not isinstance(text, str):
        raise UsageError(f"events are named by a str, and {text!r} is none")
    if "{" in text or "}" in text:
        raise Unsupported(f"groups as in '{text}' are for guests that open them themselves, with OPEN2")
    items = re.findall(r"(?:(?<![^, ])cpu/[^/]*/?|[^,])+|(?<=,)(?=,)|^(?=,)|(?<=,)$", text)
    if not items or not all(item.strip() for item in items):
        raise UsageError(f"an event name is empty in '{text}'")
    return [item.strip() for item in items]


def parse_events(texts: str | Iterable[str]) -> tuple[Event, ...]:
    """Events of one or several `-e` arguments, in order. UsageError names what is wrong, and what was meant."""
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, Iterable):
        raise UsageError(f"events are named by a str, and {texts!r} is none")
    return tuple(_parse(item) for text in texts for item in split_list(text))


def _parse(item: str) -> Event:
    if item.startswith("mem:"):
        return _parse_breakpoint(item)
    name, modifiers = _split_modifiers(item)
    flags = _flags(item, modifiers)
    if raw := _RAW.fullmatch(name):
        return _raw(item, int(raw[1], 16), flags)
    if pmu := _PMU.fullmatch(name):
        return _parse_pmu(item, pmu[1], flags)
    row = _names().get(name)
    if row is None:
        _refuse(name)
    if not row.countable:
        raise UsageError(f"event {name} has no counter: {_NO_MODEL}; see pvperf events")
    return Event(item, row.name, _number(row.type), _number(row.config), flags, row.unit)


def _split_modifiers(item: str) -> tuple[str, str]:
    if item.startswith("cpu/"):
        body, _, modifiers = item.rpartition("/")
        return body + "/", modifiers.removeprefix(":")
    name, _, modifiers = item.partition(":")
    if modifiers and not set(modifiers) <= set(_MODIFIERS + _FOREIGN_MODIFIERS):
        if _why_without_counter(item):
            return item, ""
        raise UsageError(f"'{modifiers}' in '{item}' is not a modifier; there are u and k")
    return name, modifiers


def _flags(item: str, modifiers: str) -> int:
    foreign = set(modifiers) - set(_MODIFIERS)
    if foreign:
        why = ": where samples lie cannot be chosen, it is the end of a block" if foreign == {"p"} else ""
        raise UsageError(f"modifier '{''.join(sorted(foreign))}' in '{item}' is not supported{why}; there are u and k")
    bits = ["KVM_PV_PERF_DISABLED"]
    if modifiers and "k" not in modifiers:
        bits.append("KVM_PV_PERF_EXCLUDE_KERNEL")
    if modifiers and "u" not in modifiers:
        bits.append("KVM_PV_PERF_EXCLUDE_USER")
    return sum(1 << _number(bit) for bit in bits)


def _raw(item: str, config: int, flags: int) -> Event:
    for row in KNOWN:
        encoding = row.config.replace("PV_HW_", "PV_RAW_")
        if row.countable and row.type == "PV_TYPE_HARDWARE" and _has(encoding) and _number(encoding) == config:
            return Event(item, row.name, _number("PV_TYPE_RAW"), config, flags)
    raise UsageError(f"raw event {config:#06x} in '{item}' has no counter; see pvperf events")


def _has(constant: str) -> bool:
    from emulator.native import load_core

    return hasattr(load_core().lib, constant)


def _parse_pmu(item: str, body: str, flags: int) -> Event:
    """cpu/event=0x..,umask=0x../ or cpu/NAME/."""
    if body in _names():
        return replace(_parse(body), name=item, flags=flags)
    fields = {"event": 0, "umask": 0}
    for term in body.split(","):
        key, _, value = term.partition("=")
        try:
            number = int(value, 0)
        except ValueError:
            number = -1
        if key not in fields or not 0 <= number <= 0xFF:
            raise UsageError(f"'{term}' in '{item}' is not event=0x.. or umask=0x.., from 0 to 0xff")
        fields[key] = number
    return _raw(item, fields["event"] | fields["umask"] << 8, flags)


def _parse_breakpoint(item: str) -> Event:
    """mem:ADDRESS[/LENGTH][:ACCESS][:MODIFIERS], as perf has it: 4 bytes, or 8 for x; rw."""
    match = _BREAKPOINT.fullmatch(item)
    if match is None:
        raise UsageError(f"'{item}' is not mem:ADDRESS[/LENGTH][:ACCESS], with an access of r, w, rw or x")
    access = match["access"] or "rw"
    bits = sum({_number(f"PV_BP_{letter.upper()}") for letter in access})
    address = int(match["address"], 0)
    length = int(match["length"], 0) if match["length"] else 8 if "x" in access else 4
    if address >> 64:
        raise UsageError(f"the address in '{item}' does not fit in 64 bits")
    if length not in (1, 2, 4, 8) or ("x" in access and (set(access) != {"x"} or length not in (1, 8))):
        raise UsageError(f"'{item}' cannot be watched: r, w and rw have 1, 2, 4 or 8 bytes; x is alone, and has 1 or 8")
    if "x" not in access and address % length:
        raise UsageError(f"the address in '{item}' is not a multiple of its length, {length}")
    flags = _flags(item, match["modifiers"] or "")
    return Event(item, "mem", _number("PV_TYPE_BREAKPOINT"), 0, flags, breakpoint=(bits, address, length))


def _why_without_counter(name: str) -> str:
    """Why there is no counter for what perf knows by that name; empty: perf does not know it either."""
    return next((why for pattern, why in _WITHOUT_COUNTER.items() if pattern.fullmatch(name)), "")


def _refuse(name: str) -> NoReturn:
    if why := _why_without_counter(name):
        raise UsageError(f"event {name} has no counter: {why}; see pvperf events")
    close = difflib.get_close_matches(name, _names(), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(close)}?" if close else "; see pvperf events"
    raise UsageError(f"unknown event: {name}{hint}")


def rows() -> Sequence[dict[str, object]]:
    """The event list as `pvperf events --json` prints it."""
    return [
        {
            "name": row.name,
            "aliases": list(row.aliases),
            "type": _number(row.type),
            "config": _number(row.config),
            "counts": row.counts,
            "unit": row.unit,
            "countable": row.countable,
        }
        for row in KNOWN
    ]
