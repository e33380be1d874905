# SPDX-License-Identifier: GPL-2.0-only
"""Lists of events and groups, as perf's `-e` has them: "{instructions,cycles}:u,branches"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from emulator.errors import UsageError
from emulator.events.known import number

if TYPE_CHECKING:
    from emulator.events.parse import Event

# Commas within cpu/.../ and {...} part nothing.
_ITEM = re.compile(r"(?:\{[^{}]*\}|(?<![^, ])cpu/[^/]*/?|[^,])+|(?<=,)(?=,)|^(?=,)|(?<=,)$")
_BRACES = re.compile(r"\{[^{}]*\}")
_GROUP = re.compile(r"\{(?P<members>[^{}]*)\}(?::(?P<modifiers>[a-zA-Z]+))?")


def split_list(text: str) -> list[str]:
    """The items between commas, of which some may be groups. UsageError for an empty one."""
    if not isinstance(text, str):
        raise UsageError(f"events are named by a str, and {text!r} is none")
    if set("{}") & set(_BRACES.sub("", text)):
        raise UsageError(f"the braces in '{text}' make no group, as those of {{instructions,cycles}} do")
    return _items(text, text)


def _items(part: str, text: str) -> list[str]:
    items = [item.strip() for item in _ITEM.findall(part)]
    if not items or not all(items):
        raise UsageError(f"an event name is empty in '{text}'")
    return items


def split_groups(text: str) -> list[list[str]]:
    """The names of each group's members; who stands alone is a group of one. Modifiers of a group are its members'."""
    groups = []
    for item in split_list(text):
        group = _GROUP.fullmatch(item)
        if "{" in item and group is None:
            raise UsageError(f"'{item}' is no group, as {{instructions,cycles}} and {{instructions,cycles}}:u are")
        members = _items(group["members"], text) if group else [item]
        groups.append([_modified(name, group["modifiers"] or "") if group else name for name in members])
    return groups


def _modified(name: str, letters: str) -> str:
    """`name` with these modifiers beside its own, where perf has them."""
    body, own = name, ""
    if name.startswith("cpu/"):
        body, _, own = name.rpartition("/")
        body, own = f"{body}/", own.removeprefix(":")
    elif ":" in name.removeprefix("mem:"):
        front, _, last = name.rpartition(":")
        if not (name.startswith("mem:") and set(last) <= set("rwx")):
            body, own = front, last
    added = "".join(letter for letter in dict.fromkeys(letters) if letter not in own)
    return f"{body}{'' if body.endswith('/') or not own + added else ':'}{own}{added}"


def check_groups(events: Sequence[Event], *, counters: int) -> None:
    """UsageError for a group that is not whole, or that a vCPU with so many hardware counters can never count."""
    leader = 0
    for index, event in enumerate(events):
        if not event.behind_leader:
            leader = index
        elif event.behind_leader != index - leader:
            raise UsageError(f"event {event.name} is of a group, and the others of it are not in front of it")
    for first, event in enumerate(events):
        if not event.behind_leader:
            _check_size([event, *_siblings(events, first)], counters)


def _siblings(events: Sequence[Event], leader: int) -> list[Event]:
    behind = events[leader + 1 :]
    return [event for index, event in enumerate(behind, 1) if event.behind_leader == index]


def _check_size(group: Sequence[Event], counters: int) -> None:
    if len(group) == 1:
        return
    hardware = {number(name) for name in ("PV_TYPE_HARDWARE", "PV_TYPE_HW_CACHE", "PV_TYPE_RAW")}
    breakpoints, most = number("PV_TYPE_BREAKPOINT"), number("PV_BREAKPOINTS")
    for what, needed, had in (
        ("hardware counters", sum(event.type in hardware for event in group), counters),
        ("breakpoints", sum(event.type == breakpoints for event in group), most),
    ):
        if needed > had:
            names = ",".join(event.name for event in group)
            raise UsageError(f"group {{{names}}} can never count: it needs {needed} {what}, and a vCPU has {had}")
