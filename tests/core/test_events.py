# SPDX-License-Identifier: GPL-2.0-only
"""perf's `-e` syntax, and that the list of events says what the host core does."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from emulator.errors import UsageError
from emulator.events import KNOWN, Event, check_groups, countable_names, parse_events, rows, split_list
from emulator.native import load_core

lib = load_core().lib
DISABLED = 1 << lib.KVM_PV_PERF_DISABLED
NO_USER = DISABLED | 1 << lib.KVM_PV_PERF_EXCLUDE_USER
NO_KERNEL = DISABLED | 1 << lib.KVM_PV_PERF_EXCLUDE_KERNEL


def one(text: str) -> Event:
    (event,) = parse_events(text)
    return event


@pytest.mark.parametrize(
    ("text", "canonical", "type_", "config", "flags"),
    [
        ("instructions", "instructions", 0, 1, DISABLED),
        ("cycles", "cycles", 0, 0, DISABLED),
        ("cpu-cycles", "cycles", 0, 0, DISABLED),
        ("branch-instructions:u", "branches", 0, 4, NO_KERNEL),
        ("branches:k", "branches", 0, 4, NO_USER),
        ("branches:uk", "branches", 0, 4, DISABLED),
        ("branches:ku", "branches", 0, 4, DISABLED),
        ("ref-cycles", "ref-cycles", 0, 9, DISABLED),
        ("bus-cycles", "bus-cycles", 0, 6, DISABLED),
        ("task-clock", "task-clock", 1, 1, DISABLED),
        ("cpu-clock:u", "cpu-clock", 1, 0, NO_KERNEL),
        ("dummy", "dummy", 1, 9, DISABLED),
        ("r00c0", "instructions", 4, 0xC0, DISABLED),
        ("rC4:u", "branches", 4, 0xC4, NO_KERNEL),
        ("r003c", "cycles", 4, 0x3C, DISABLED),
        ("cpu/event=0xc0/", "instructions", 4, 0xC0, DISABLED),
        ("cpu/event=0x3c,umask=0x1/u", "ref-cycles", 4, 0x13C, NO_KERNEL),
        ("cpu/event=0xc4,umask=0x00/:k", "branches", 4, 0xC4, NO_USER),
        ("cache-references", "cache-references", 0, 2, DISABLED),
        ("cache-misses:u", "cache-misses", 0, 3, NO_KERNEL),
        ("branch-misses:k", "branch-misses", 0, 5, NO_USER),
        ("L1-dcache-loads", "L1-dcache-loads", 3, 0, DISABLED),
        ("L1-dcache-load-misses:u", "L1-dcache-load-misses", 3, 0x10000, NO_KERNEL),
        ("L1-dcache-stores", "L1-dcache-stores", 3, 0x100, DISABLED),
        ("r412e", "cache-misses", 4, 0x412E, DISABLED),
        ("cpu/r412e/k", "cache-misses", 4, 0x412E, NO_USER),
        ("cpu/config=0xc4/", "branches", 4, 0xC4, DISABLED),
        ("cpu/branch-instructions/u", "branches", 0, 4, NO_KERNEL),
        ("cpu/l1d-read/", "L1-dcache-loads", 3, 0, DISABLED),
        ("L1-dcache", "L1-dcache-loads", 3, 0, DISABLED),
        ("l1d-loads", "L1-dcache-loads", 3, 0, DISABLED),
        ("L1-data-read-access:u", "L1-dcache-loads", 3, 0, NO_KERNEL),
        ("l1-d-refs-load", "L1-dcache-loads", 3, 0, DISABLED),
        ("L1-dcache-misses", "L1-dcache-load-misses", 3, 0x10000, DISABLED),
        ("l1d-miss-read", "L1-dcache-load-misses", 3, 0x10000, DISABLED),
        ("L1-dcache-write-ops", "L1-dcache-stores", 3, 0x100, DISABLED),
        ("cpu/event=0x2e,umask=0x4f/", "cache-references", 4, 0x4F2E, DISABLED),
    ],
)
def test_an_event(text: str, canonical: str, type_: int, config: int, flags: int) -> None:
    event = one(text)
    assert (event.name, event.canonical, event.type, event.config, event.flags) == (
        text,
        canonical,
        type_,
        config,
        flags,
    )


@pytest.mark.parametrize(
    ("text", "breakpoint_", "flags"),
    [
        ("mem:0x1000", (3, 0x1000, 4), DISABLED),
        ("mem:4096", (3, 0x1000, 4), DISABLED),
        ("mem:0x1000:r", (1, 0x1000, 4), DISABLED),
        ("mem:0x1000:w", (2, 0x1000, 4), DISABLED),
        ("mem:0x1001/1:wr", (3, 0x1001, 1), DISABLED),
        ("mem:0xffffffff80000000/8:rw", (3, 0xFFFFFFFF80000000, 8), DISABLED),
        ("mem:0x1234567:x", (4, 0x1234567, 8), DISABLED),
        ("mem:0x1234567/1:x:u", (4, 0x1234567, 1), NO_KERNEL),
        ("mem:0x1000:w:k", (2, 0x1000, 4), NO_USER),
        ("mem:0x1000/2:u", (3, 0x1000, 2), NO_KERNEL),
    ],
)
def test_a_breakpoint(text: str, breakpoint_: tuple[int, int, int], flags: int) -> None:
    event = one(text)
    assert (event.name, event.canonical, event.type, event.config) == (text, "mem", lib.PV_TYPE_BREAKPOINT, 0)
    assert (event.breakpoint, event.flags) == (breakpoint_, flags)
    core = load_core()
    attr = core.ffi.new("struct kvm_pv_perf_attr *", {"type": event.type})
    attr.bp_type, attr.bp_addr, attr.bp_len = event.breakpoint
    assert core.lib.attr_validate(attr, core.ffi.new("struct event_source *")) == 0


def test_only_clocks_have_a_unit() -> None:
    assert {event.name: event.unit for event in parse_events(countable_names()) if event.unit} == {
        "cpu-clock": "msec",
        "task-clock": "msec",
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cycles", ["cycles"]),
        ("cycles,instructions:u", ["cycles", "instructions:u"]),
        (" cycles , branches ", ["cycles", "branches"]),
        ("cpu/event=0xc0,umask=0/,cycles", ["cpu/event=0xc0,umask=0/", "cycles"]),
        ("cycles,cpu/event=0xc0,umask=0/u,r00c4:k", ["cycles", "cpu/event=0xc0,umask=0/u", "r00c4:k"]),
        ("cycles,cycles", ["cycles", "cycles"]),
        ("mem:0x1000/4:rw,cycles,mem:0x2000/8:w:u", ["mem:0x1000/4:rw", "cycles", "mem:0x2000/8:w:u"]),
        ("mem:0x1000/4,cpu/event=0xc0,umask=0/", ["mem:0x1000/4", "cpu/event=0xc0,umask=0/"]),
    ],
)
def test_a_list(text: str, names: list[str]) -> None:
    assert split_list(text) == names
    assert [event.name for event in parse_events(text)] == names


def test_several_options_keep_their_order() -> None:
    events = parse_events(["branches,cycles", "instructions"])
    assert [event.canonical for event in events] == ["branches", "cycles", "instructions"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty"),
        (",", "empty"),
        ("cycles,", "empty"),
        (",cycles", "empty"),
        ("cycles,,branches", "empty"),
        ("instuctions", "unknown event: instuctions; did you mean instructions"),
        ("brances:u", "did you mean branches"),
        ("gibberish", "unknown event: gibberish; see pvperf events"),
        ("cycles:x", "'x' in 'cycles:x' is not a modifier"),
        ("cycles:p", "modifier 'p' in 'cycles:p' is not supported"),
        ("cycles:uh", "modifier 'h' in 'cycles:uh' is not supported"),
        ("stalled-cycles-backend", "stalled-cycles-backend has no counter: there is no model of it"),
        ("LLC-loads", "LLC-loads has no counter: the last level of the model has cache-references and cache-misses"),
        ("L2-write-miss", "L2-write-miss has no counter: the last level"),
        ("l1d-speculative-read", "l1d-speculative-read has no counter: the model tells no stores and prefetches"),
        ("Data-TLB-miss", "Data-TLB-miss has no counter: there is no model of it"),
        ("bpu", "bpu has no counter: there is no model of it"),
        ("l1d-load-stores", "unknown event: l1d-load-stores"),
        ("kmem:kfree", "kmem:kfree has no counter: the guest's kernel"),
        ("ftrace:print", "ftrace:print has no counter: the guest's kernel"),
        ("cpu/config=0x1c4/", "0x01c4 in 'cpu/config=0x1c4/' has no counter"),
        ("cpu/name=x/", "'name=x' in 'cpu/name=x/' is not event=0x"),
        ("LLC-load-misses:u", "LLC-load-misses has no counter: the last level"),
        ("context-switches", "context-switches has no counter: the guest's kernel would have to count it"),
        ("cs", "cs has no counter: the guest's kernel"),
        ("major-faults", "major-faults has no counter: the guest's kernel"),
        ("cpu-migrations:u", "cpu-migrations has no counter: the guest's kernel"),
        ("dTLB-load-misses", "dTLB-load-misses has no counter: there is no model of it"),
        ("L1-icache-loads", "L1-icache-loads has no counter: there is no model of it"),
        ("power/energy-pkg/", "power/energy-pkg/ has no counter: this vCPU has the PMU cpu alone"),
        ("duration_time", "duration_time has no counter: stat prints the time"),
        ("cycles:pp", "where samples lie cannot be chosen, it is the end of a block; there are u and k"),
        ("cycles:G", "modifier 'G' in 'cycles:G' is not supported; there are u and k"),
        ("stalled-cycles-frontend:u", "stalled-cycles-frontend has no counter"),
        ("L1-dcache-prefetches", "L1-dcache-prefetches has no counter"),
        ("page-faults", "page-faults has no counter"),
        ("mem:main", "'mem:main' is not mem:ADDRESS"),
        ("mem:", "'mem:' is not mem:ADDRESS"),
        ("mem:0x1000:q", "modifier 'q' in 'mem:0x1000:q' is not supported"),
        ("mem:0x1000:rx", "'mem:0x1000:rx' cannot be watched"),
        ("mem:0x1000/4:x", "'mem:0x1000/4:x' cannot be watched"),
        ("mem:0x1000/3", "'mem:0x1000/3' cannot be watched"),
        ("mem:0x1002", "is not a multiple of its length, 4"),
        ("mem:0x10000000000000000", "does not fit in 64 bits"),
        ("sched:sched_switch", "sched:sched_switch has no counter"),
        ("r412f", "0x412f in 'r412f' has no counter"),
        ("rffff", "0xffff in 'rffff' has no counter"),
        ("cpu/event=0x100/", "from 0 to 0xff"),
        ("cpu/event=-1/", "from 0 to 0xff"),
        ("cpu/edge=1/", "'edge=1' in 'cpu/edge=1/'"),
        ("cpu//", "is not event=0x"),
    ],
)
def test_what_is_refused_says_why(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_events(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_list_is_what_the_host_core_counts() -> None:
    """The list in Python and the table in the core cannot drift apart."""
    core = load_core()
    source = core.ffi.new("struct event_source *")
    for row in KNOWN:
        attr = core.ffi.new("struct kvm_pv_perf_attr *")
        attr.type, attr.config = getattr(lib, row.type), getattr(lib, row.config)
        result = core.lib.attr_validate(attr, source)
        assert result == (0 if row.countable else -lib.PV_ENOENT), row.name


def test_every_countable_event_is_in_the_list() -> None:
    """The other way round: nothing that the core counts is missing."""
    core = load_core()
    source = core.ffi.new("struct event_source *")
    listed = {(row["type"], row["config"]) for row in rows() if row["countable"]}
    hardware = [(lib.PV_TYPE_HARDWARE, range(lib.PV_HW_MAX)), (lib.PV_TYPE_SOFTWARE, range(lib.PV_SW_MAX))]
    caches = [
        cache | operation << 8 | result << 16 for cache in range(7) for operation in range(3) for result in (0, 1)
    ]
    for type_, configs in (*hardware, (lib.PV_TYPE_HW_CACHE, caches)):
        for config in configs:
            attr = core.ffi.new("struct kvm_pv_perf_attr *", {"type": type_, "config": config})
            assert (core.lib.attr_validate(attr, source) == 0) == ((type_, config) in listed), (type_, config)


def test_what_bus_cycles_says_of_itself_is_so() -> None:
    text = next(row.counts for row in KNOWN if row.name == "bus-cycles")
    assert text == f"one for every {lib.PV_CYCLES_PER_BUS_CYCLE} cycles"


def test_a_name_of_ones_own() -> None:
    named, plain = parse_events("cpu/event=0xc4,name=taken/u,cpu/event=0xc4/u")
    assert (named.name, plain.name) == ("taken", "cpu/event=0xc4/u")
    assert replace(named, name=plain.name) == plain


@pytest.mark.skipif(not shutil.which("perf"), reason="perf is not installed")
def test_all_that_perf_lists_is_known() -> None:
    """Each name is counted, or it is said why it is not: none is unknown. What perf lists depends on the machine."""
    listed = subprocess.run(["perf", "list"], capture_output=True, text=True, timeout=300, check=False).stdout
    kinds = "Hardware event|Software event|Hardware cache event|Tool event|Kernel PMU event|Tracepoint event"
    rows = re.findall(rf"(?m)^  (\S.*?) +\[(?:{kinds})\]$", listed)
    names = [name for row in rows for name in row.split(" OR ")]
    assert {"context-switches", "cs", "faults", "cpu-clock"} <= set(names)
    said = dict(zip(names, map(complaint, names), strict=True))
    assert {name: text for name, text in said.items() if text and f"event {name} has no counter: " not in text} == {}


def complaint(name: str) -> str:
    """What is said against this event; empty: it is counted."""
    try:
        parse_events(name)
    except UsageError as error:
        return str(error)
    return ""


def test_names_are_unique() -> None:
    names = [name for row in KNOWN for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{instructions,branches},cycles", ["instructions", "+branches", "cycles"]),
        ("cycles,{ instructions , branches }", ["cycles", "instructions", "+branches"]),
        ("{cycles}:u", ["cycles:u"]),
        ("{cycles,branches:k,dummy:u}:u,cycles", ["cycles:u", "+branches:ku", "++dummy:u", "cycles"]),
        ("{cpu/event=0xc0,umask=0/,r00c4}:k", ["cpu/event=0xc0,umask=0/k", "+r00c4:k"]),
        ("{cpu/event=0xc0/:u,cycles}:uk", ["cpu/event=0xc0/uk", "+cycles:uk"]),
        ("{mem:0x1000,mem:0x1000/8:rw,mem:0x1000:w:k}:u", ["mem:0x1000:u", "+mem:0x1000/8:rw:u", "++mem:0x1000:w:ku"]),
        ("{cycles},{branches,cycles},{cycles}", ["cycles", "branches", "+cycles", "cycles"]),
    ],
)
def test_groups(text: str, names: list[str]) -> None:
    """Modifiers of a group come to each member's own, as in perf."""
    events = parse_events(text)
    assert ["+" * event.behind_leader + event.name for event in events] == names
    for event in events:
        alone = one(event.name)
        assert (event.flags, event.config, event.breakpoint) == (alone.flags, alone.config, alone.breakpoint)
    check_groups(events, counters=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cycles}", "the braces in 'cycles}' make no group, as those of {instructions,cycles} do"),
        ("{cycles", "make no group"),
        ("{cycles,{branches}}", "make no group"),
        ("{}", "an event name is empty in '{}'"),
        ("{cycles,}", "an event name is empty in '{cycles,}'"),
        ("{cycles},,cycles", "an event name is empty"),
        ("{cycles}u", "'{cycles}u' is no group"),
        ("a{cycles}", "'a{cycles}' is no group"),
        ("{cycles}{branches}", "'{cycles}{branches}' is no group"),
        ("{cycles}:W", "modifier 'W' in 'cycles:W' is not supported"),
        ("{instuctions,cycles}", "unknown event: instuctions; did you mean instructions"),
    ],
)
def test_what_is_no_group(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_events(text)
    assert said in str(caught.value)


def test_a_name_within_cpu_has_modifiers() -> None:
    both, user = parse_events("cpu/instructions/,cpu/instructions/u")
    assert (both.name, both.canonical, user.name) == ("cpu/instructions/", "instructions", "cpu/instructions/u")
    assert user.flags == parse_events("instructions:u")[0].flags != both.flags
