# SPDX-License-Identifier: GPL-2.0-only
"""perf's `-e` syntax: a list of events, and what each of them is opened as."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NoReturn

from emulator.errors import UsageError
from emulator.events.cache_names import canonical_cache_name
from emulator.events.known import KERNEL_EVENT, KNOWN, Known, by_name, number, why_without_counter
from emulator.events.lists import split_groups

_RAW = re.compile(r"r([0-9a-fA-F]{1,16})")
_CONFIG = re.compile(r"config=(0[xX][0-9a-fA-F]{1,16}|0|[1-9][0-9]{0,18})")
_NAMED = re.compile(r"name=([\w.:@+-]+)")
_TRACEPOINT = re.compile(r"[a-z][a-z_0-9]*:[A-Za-z_0-9]+")
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
    `behind_leader`: of a group's members, how many are in front of it; 0: it leads its group, or is alone.
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
    behind_leader: int = 0


def parse_events(texts: str | Iterable[str]) -> tuple[Event, ...]:
    """Events of one or several `-e` arguments, in order. UsageError names what is wrong, and what was meant."""
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, Iterable):
        raise UsageError(f"events are named by a str, and {texts!r} is none")
    groups = [group for text in texts for group in split_groups(text)]
    return tuple(
        replace(_parse(name), behind_leader=index) if index else _parse(name)
        for group in groups
        for index, name in enumerate(group)
    )


def _parse(item: str) -> Event:
    if item.startswith("mem:"):
        return _parse_breakpoint(item)
    name, modifiers = _split_modifiers(item)
    flags = _flags(item, modifiers)
    if raw := _RAW.fullmatch(name):
        return _raw(item, int(raw[1], 16), flags)
    if pmu := _PMU.fullmatch(name):
        return _parse_pmu(item, pmu[1], flags)
    row = _row(name)
    if row is None:
        _refuse(name)
    if not row.countable:
        raise UsageError(f"event {name} has no counter: there is no model of it; see pvperf events")
    return Event(item, row.name, number(row.type), number(row.config), flags, row.unit)


def _row(name: str) -> Known | None:
    return by_name().get(name) or by_name().get(canonical_cache_name(name))


def _split_modifiers(item: str) -> tuple[str, str]:
    if item.startswith("cpu/"):
        body, _, modifiers = item.rpartition("/")
        return body + "/", modifiers.removeprefix(":")
    name, _, modifiers = item.partition(":")
    if modifiers and not set(modifiers) <= set(_MODIFIERS + _FOREIGN_MODIFIERS):
        if why_without_counter(item) or (_TRACEPOINT.fullmatch(item) and not _row(name) and not _close(name, 0.7)):
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
    return sum(1 << number(bit) for bit in bits)


def _raw(item: str, config: int, flags: int) -> Event:
    for row in KNOWN:
        encoding = row.config.replace("PV_HW_", "PV_RAW_")
        if row.countable and row.type == "PV_TYPE_HARDWARE" and _has(encoding) and number(encoding) == config:
            return Event(item, row.name, number("PV_TYPE_RAW"), config, flags)
    raise UsageError(f"raw event {config:#06x} in '{item}' has no counter; see pvperf events")


def _has(constant: str) -> bool:
    from emulator.native import load_core

    return hasattr(load_core().lib, constant)


def _parse_pmu(item: str, body: str, flags: int) -> Event:
    """cpu/event=0x..,umask=0x../, cpu/config=0x../, cpu/rNNN/ or cpu/NAME/; of each also with name=NAME."""
    *terms, last = body.split(",")
    if (named := _NAMED.fullmatch(last)) and terms:
        return replace(_parse_pmu(item, ",".join(terms), flags), name=named[1])
    if _row(body) or _RAW.fullmatch(body):
        return replace(_parse(body), name=item, flags=flags)
    if config := _CONFIG.fullmatch(body):
        return _raw(item, int(config[1], 0), flags)
    fields = {"event": 0, "umask": 0}
    for term in body.split(","):
        key, _, value = term.partition("=")
        try:
            byte = int(value, 0)
        except ValueError:
            byte = -1
        if key not in fields or not 0 <= byte <= 0xFF:
            raise UsageError(f"'{term}' in '{item}' is not event=0x.. or umask=0x.., from 0 to 0xff")
        fields[key] = byte
    return _raw(item, fields["event"] | fields["umask"] << 8, flags)


def _parse_breakpoint(item: str) -> Event:
    """mem:ADDRESS[/LENGTH][:ACCESS][:MODIFIERS], as perf has it: 4 bytes, or 8 for x; rw."""
    match = _BREAKPOINT.fullmatch(item)
    if match is None:
        raise UsageError(f"'{item}' is not mem:ADDRESS[/LENGTH][:ACCESS], with an access of r, w, rw or x")
    access = match["access"] or "rw"
    bits = sum({number(f"PV_BP_{letter.upper()}") for letter in access})
    address = int(match["address"], 0)
    length = int(match["length"], 0) if match["length"] else 8 if "x" in access else 4
    if address >> 64:
        raise UsageError(f"the address in '{item}' does not fit in 64 bits")
    if length not in (1, 2, 4, 8) or ("x" in access and (set(access) != {"x"} or length not in (1, 8))):
        raise UsageError(f"'{item}' cannot be watched: r, w and rw have 1, 2, 4 or 8 bytes; x is alone, and has 1 or 8")
    if "x" not in access and address % length:
        raise UsageError(f"the address in '{item}' is not a multiple of its length, {length}")
    flags = _flags(item, match["modifiers"] or "")
    return Event(item, "mem", number("PV_TYPE_BREAKPOINT"), 0, flags, breakpoint=(bits, address, length))


def _close(name: str, cutoff: float = 0.5) -> list[str]:
    return difflib.get_close_matches(name, by_name(), n=3, cutoff=cutoff)


def _refuse(name: str) -> NoReturn:
    why = why_without_counter(name) or why_without_counter(canonical_cache_name(name))
    if why or _TRACEPOINT.fullmatch(name):
        raise UsageError(f"event {name} has no counter: {why or KERNEL_EVENT}; see pvperf events")
    close = _close(name)
    hint = f"; did you mean {' or '.join(close)}?" if close else "; see pvperf events"
    raise UsageError(f"unknown event: {name}{hint}")
