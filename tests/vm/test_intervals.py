# SPDX-License-Identifier: GPL-2.0-only
"""What is counted while a VM runs, interval by interval, without a count that is any other for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_guest import HALT, SPIN, guest, say

from emulator import Interval, Result, VirtualMachine
from emulator.errors import UsageError

EVENTS = "instructions,branches,cycles,L1-dcache-loads,branch-misses,cache-misses,task-clock,cpu-clock:u"
EXACT = 6  # of these, the first ones


def assert_sums(intervals: list[Interval], result: Result) -> None:
    """To the last digit: of values and of times, event by event and vCPU by vCPU."""
    assert intervals
    ends = [interval.elapsed_s for interval in intervals]
    assert ends == sorted(ends)
    assert ends[-1] == max(result.elapsed_s, *ends)
    assert sum(interval.length_s for interval in intervals) == pytest.approx(ends[-1])
    for index, count in enumerate(result.counts):
        parts = [interval.counts[index] for interval in intervals]
        assert all((part.event, part.vcpu, part.error) == (count.event, count.vcpu, count.error) for part in parts)
        for name in ("value", "enabled_ns", "running_ns"):
            values = [getattr(part, name) for part in parts]
            assert None not in values
            assert min(values) >= 0
            assert sum(values) == getattr(count, name)


@pytest.mark.parametrize(
    ("smp", "design", "settings"),
    [
        (1, "per-vm", {}),
        (2, "per-vm", {"nmi": "deferred"}),
        (2, "per-vcpu", {"sync": "every-exit"}),
        (1, "posted", {}),
        (2, "no-refcount", {"pin": "off"}),
    ],
)
def test_intervals_add_up(smp: int, design: str, settings: dict[str, Any]) -> None:
    intervals: list[Interval] = []
    with VirtualMachine(smp=smp, design=design, **settings) as vm:
        result = vm.run("hotspots", events=EVENTS, interval=0.001, intervals=intervals.append)
    assert_sums(intervals, result)


def test_they_change_no_count() -> None:
    """A vCPU is brought out of guest mode for each of them, between two instructions."""
    intervals: list[Interval] = []
    with VirtualMachine() as vm:
        looked_at = vm.run("hotspots", events=EVENTS, interval=0.001, intervals=intervals.append)
        alone = vm.run("hotspots", events=EVENTS)
    assert len(intervals) > 1
    assert [count.value for count in looked_at.counts][:EXACT] == [count.value for count in alone.counts][:EXACT]


def test_events_that_take_turns_add_up() -> None:
    intervals: list[Interval] = []
    events = "{instructions,r00c0},{branches,r00c4},cycles"
    with VirtualMachine(smp=2, counters=2, rotate_us=100) as vm:
        result = vm.run("hotspots", events=events, interval=0.002, intervals=intervals.append)
    assert_sums(intervals, result)
    for interval in intervals:  # a group is whole in each of them, too
        for one, other in ((0, 1), (2, 3), (5, 6), (7, 8)):
            assert interval.counts[one].value == interval.counts[other].value
            assert interval.counts[one].running_ns == interval.counts[other].running_ns


def test_they_add_up_where_a_guest_samples() -> None:
    """And so has events and NMIs of its own."""
    intervals: list[Interval] = []
    with VirtualMachine(smp=2) as vm:
        result = vm.run("sampler", events="instructions,branches:k", interval=0.001, intervals=intervals.append)
    assert_sums(intervals, result)


@pytest.mark.parametrize("wanted", [1, 5])
def test_an_end_from_outside_is_the_end_of_the_last_one(tmp_path: Path, wanted: int) -> None:
    """From within the callback, after as many."""
    intervals: list[Interval] = []

    def passed(interval: Interval) -> None:
        intervals.append(interval)
        if len(intervals) == wanted:
            vm.stop()

    with VirtualMachine(smp=2, memory=1 << 20) as vm:
        result = vm.run(guest(tmp_path, SPIN), events="instructions,task-clock", interval=0.001, intervals=passed)
    assert result.ended == "stopped"
    assert len(intervals) > wanted
    assert_sums(intervals, result)


def test_a_vcpu_that_is_halted_is_waited_for_by_nobody(tmp_path: Path) -> None:
    """vCPU 1 has parked, and never comes out, in the last of three intervals."""
    intervals: list[Interval] = []
    code = b"\x85\xff\x75\x02" + SPIN + HALT  # test edi, edi; jnz over the loop

    def passed(interval: Interval) -> None:
        intervals.append(interval)
        if len(intervals) > 3 and any(before.counts[1].value for before in intervals[:-3]):
            vm.stop()

    with VirtualMachine(smp=2, memory=1 << 20) as vm:
        result = vm.run(guest(tmp_path, code), events="instructions", interval=0.005, intervals=passed)
    assert_sums(intervals, result)


def test_the_only_one_of_a_short_run() -> None:
    intervals: list[Interval] = []
    with VirtualMachine() as vm:
        result = vm.run("hello", events="instructions", interval=1e6, intervals=intervals.append)
    assert [interval.counts for interval in intervals] == [result.counts]
    assert [(interval.elapsed_s, interval.length_s) for interval in intervals] == [(result.elapsed_s,) * 2]


def test_what_is_not_counted_is_not_in_any() -> None:
    intervals: list[Interval] = []
    with VirtualMachine(max_events=1) as vm:
        vm.run("hotspots", events="instructions,branches", interval=0.001, intervals=intervals.append)
    assert {interval.counts[1].error for interval in intervals} == {"ENOSPC"}
    assert {interval.counts[1].value for interval in intervals} == {None}


class Told(Exception):
    """By a callback."""


def test_what_the_callback_raises_comes_out(tmp_path: Path) -> None:
    def passed(_: Interval) -> None:
        raise Told

    with VirtualMachine() as vm:
        with pytest.raises(Told):
            vm.run(guest(tmp_path, say(b"x") + SPIN), events="instructions", interval=0.001, intervals=passed)
        assert vm.run("hello").status == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"interval": 0.1}, "neither goes without the other"),
        ({"intervals": print}, "neither goes without the other"),
        ({"interval": 0.0009, "intervals": print}, "interval must be 0.001 to 1000000000 seconds, and 0.0009 is not"),
        ({"interval": True, "intervals": print}, "interval must be 0.001"),
        ({"interval": float("nan"), "intervals": print}, "interval must be 0.001"),
        ({"interval": "1", "intervals": print}, "interval must be 0.001"),
        ({"interval": 1, "intervals": 5}, "intervals is called with what comes"),
        ({"interval": 1, "intervals": print, "events": ()}, "there is nothing to count in intervals"),
    ],
)
def test_what_makes_no_sense(asked: dict[str, Any], said: str) -> None:
    with VirtualMachine() as vm, pytest.raises(UsageError) as caught:
        vm.run("hello", **{"events": "instructions"} | asked)
    assert said in str(caught.value)
