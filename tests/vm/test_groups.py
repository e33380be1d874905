# SPDX-License-Identifier: GPL-2.0-only
"""Groups of events that `stat`, `record` and the Python API count: all members together, or none of them."""

from __future__ import annotations

from typing import Any

import pytest

from emulator import VirtualMachine
from emulator.errors import UsageError
from emulator.events import parse_events
from emulator.vm.result import Count, Result

#: The same events by two names each, so that members of a group count the same if they do so at the same times.
TWICE = "{instructions,r00c0},{branches,r00c4},{cycles,ref-cycles}"


def pairs(result: Result) -> list[tuple[Count, Count]]:
    return list(zip(result.counts[::2], result.counts[1::2], strict=True))


@pytest.mark.parametrize("smp", [1, 2])
@pytest.mark.parametrize("design", ["per-vm", "no-refcount", "per-vcpu"])
def test_what_takes_turns_takes_them_together(design: str, smp: int) -> None:
    """The unscaled counts and times of a group's members are equal to the last digit, though each had few turns."""
    with VirtualMachine(smp=smp, counters=2, rotate_us=100, design=design) as vm:
        result = vm.run("hotspots", events=TWICE)
    assert len(result.counts) == 6 * smp
    for one, other in pairs(result):
        assert one.event.canonical == other.event.canonical or one.event.canonical == "cycles"
        assert (one.value, one.enabled_ns, one.running_ns) == (other.value, other.enabled_ns, other.running_ns)
        assert (one.value or 0) > 0
        assert one.running_ns < one.enabled_ns


def test_without_groups_they_do_not() -> None:
    """What the test above would see if the groups were passed over."""
    with VirtualMachine(counters=2, rotate_us=100) as vm:
        result = vm.run("hotspots", events=f"dummy,cycles,{TWICE.replace('{', '').replace('}', '')},cycles,dummy")
    assert any(one.value != other.value for one, other in pairs(result)[1:-1])


def test_what_always_fits_is_counted_all_the_time() -> None:
    with VirtualMachine() as vm:
        grouped = vm.run("hotspots", events="{instructions,branches},{cycles,task-clock},dummy")
        alone = vm.run("hotspots", events="instructions,branches,cycles,task-clock,dummy")
    exact = [[count.value for count in run.counts if count.event.unit == ""] for run in (grouped, alone)]
    assert exact[0] == exact[1]
    assert all(count.running_ns == count.enabled_ns > 0 for count in grouped.counts)


@pytest.mark.parametrize(
    "events",
    [
        "{instructions,branches},cycles",
        ["{instructions,branches}", "cycles"],
        [*parse_events("{instructions,branches}"), "cycles"],
        iter(["{instructions, branches}", *parse_events("cycles")]),
    ],
)
def test_groups_by_their_names(events: Any) -> None:
    with VirtualMachine(counters=2, rotate_us=100) as vm:
        result = vm.run("hotspots", events=events)
    assert [(count.event.name, count.event.behind_leader) for count in result.counts] == [
        ("instructions", 0),
        ("branches", 1),
        ("cycles", 0),
    ]
    instructions, branches, cycles = result.counts
    assert (instructions.running_ns, instructions.enabled_ns) == (branches.running_ns, branches.enabled_ns)
    assert 0 < cycles.running_ns < cycles.enabled_ns


@pytest.mark.parametrize(
    ("events", "counters", "said"),
    [
        ("cycles,{instructions,branches,cycles}", 2, "it needs 3 hardware counters, and a vCPU has 2"),
        ("{r00c0,L1-dcache-loads,dummy}:u", 1, "group {r00c0:u,L1-dcache-loads:u,dummy:u} can never count: it needs 2"),
        ("{mem:0x1000,mem:0x2000,mem:0x3000,mem:0x4000,mem:0x5000}", 8, "it needs 5 breakpoints, and a vCPU has 4"),
        (parse_events("{instructions,branches}")[1:], 8, "event branches is of a group, and the others of it are not"),
        ([*parse_events("{cycles,branches}"), *parse_events("{cycles,branches}")[1:]], 8, "are not in front of it"),
    ],
)
def test_what_can_never_count_is_refused_at_the_call(events: Any, counters: int, said: str) -> None:
    with VirtualMachine(counters=counters) as vm:
        with pytest.raises(UsageError) as caught:
            vm.run("hello", events=events)
        assert said in str(caught.value)
        with pytest.raises(UsageError, match="group"):
            vm.record("hello", events=events)
        assert vm.run("hello").status == 0


@pytest.mark.parametrize(
    ("events", "limit", "errors"),
    [
        ("{instructions,branches,cycles},dummy", 2, ["ENOSPC"] * 4),
        ("dummy,{instructions,branches},cycles", 2, [None, "ENOSPC", "ENOSPC", "ENOSPC"]),
        ("dummy,{instructions,branches},cycles", 4, [None, None, None, None]),
        ("{instructions},{branches,cycles}", 1, [None, "ENOSPC", "ENOSPC"]),
    ],
)
def test_a_group_of_which_a_member_is_refused_does_not_count(events: str, limit: int, errors: list[str | None]) -> None:
    with VirtualMachine(smp=1, max_events=limit) as vm:
        result = vm.run("hotspots", ["iterations=1"], events=events)
    assert [count.error for count in result.counts] == errors
    assert [count.value is None for count in result.counts] == [error is not None for error in errors]


def test_a_design_without_groups_says_so() -> None:
    with VirtualMachine(design="posted") as vm:
        result = vm.run("hello", events="{instructions,branches},cycles,{dummy}")
    assert [count.error for count in result.counts] == ["EINVAL", "EINVAL", None, None]


def test_a_group_is_sampled_exactly() -> None:
    """One sample for each period of each member, as without a group."""
    with VirtualMachine(counters=2) as vm:
        recorded = vm.record("hotspots", events="{instructions,branches}", period=10_000)
    taken = {event.event: 0 for event in recorded.samples}
    for sample in recorded.samples:
        taken[sample.event] += 1
    assert not recorded.losses
    assert taken == {name: recorded.result.total(name) // 10_000 for name in ("instructions", "branches")}
