# SPDX-License-Identifier: GPL-2.0-only
"""What `pvperf stat` prints, character by character, from counts that are made up here."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cli import stat_command
from emulator.errors import GuestShutdown, PvperfError
from emulator.events import Event, parse_events
from emulator.stat.intervals import Layout
from emulator.stat.reading import Reading, mean, read_runs, spread, standard_error
from emulator.stat.table import Report, fields, json_lines, table
from emulator.vm.interval import Interval
from emulator.vm.result import Count, Result

INSTRUCTIONS = Event("instructions", "instructions", 0, 1, 1)
CYCLES = Event("cycles", "cycles", 0, 0, 1)
BRANCHES = Event("branches", "branches", 0, 4, 1)
CLOCK = Event("task-clock", "task-clock", 1, 1, 1, "msec")
USER = Event("instructions:u", "instructions", 0, 1, 33)
MS = 1_000_000

Value = tuple[int | None, str | None, int, int]


def result(rows: Sequence[Sequence[Value]], events: Sequence[Event], elapsed_s: float = 0.5) -> Result:
    """`rows` has one entry a vCPU, and that one an event: value, error, time enabled, time held."""
    counts = [
        Count(event, vcpu, *value) for vcpu, row in enumerate(rows) for event, value in zip(events, row, strict=True)
    ]
    return Result(0, "exit", b"", tuple(counts), elapsed_s)


def report(
    *results: Result, events: Sequence[Event], vcpus: int = 1, per_vcpu: bool = False, real_cycles: bool = False
) -> Report:
    readings = read_runs(results, events, vcpus=vcpus, per_vcpu=per_vcpu)
    return Report("matmul", vcpus, [one.elapsed_s for one in results], readings, real_cycles, len(results))


def counted(value: int, ns: int = 100 * MS) -> Value:
    return (value, None, ns, ns)


FOUR = (INSTRUCTIONS, BRANCHES, CYCLES, CLOCK)
TWO_VCPUS = result(
    [
        [counted(1_000_000), counted(250_000), counted(2_000_000), counted(400 * MS)],
        [counted(2_000_000), counted(750_000), counted(2_000_000), counted(500 * MS)],
    ],
    FOUR,
)


def test_the_table() -> None:
    assert table(report(TWO_VCPUS, events=FOUR, vcpus=2)) == (
        "\n"
        " Performance counter stats for 'matmul' (2 vCPUs):\n"
        "\n"
        "         3,000,000      instructions                     #    0.750 insn per cycle\n"
        "         1,000,000      branches                         #    1.111 M/sec\n"
        "         4,000,000      cycles                           #    4.444 M/sec\n"
        "            900.00 msec task-clock                       #    1.800 CPUs utilized\n"
        "\n"
        "       0.500000000 seconds time elapsed\n"
        "\n"
    )


def test_the_table_for_each_vcpu() -> None:
    text = table(report(TWO_VCPUS, events=FOUR, vcpus=2, per_vcpu=True))
    assert text.splitlines()[3:11] == [
        "CPU0                1,000,000      instructions                     #    0.500 insn per cycle",
        "CPU1                2,000,000      instructions                     #    1.000 insn per cycle",
        "CPU0                  250,000      branches                         #  625.000 K/sec",
        "CPU1                  750,000      branches                         #    1.500 M/sec",
        "CPU0                2,000,000      cycles                           #    5.000 M/sec",
        "CPU1                2,000,000      cycles                           #    4.000 M/sec",
        "CPU0                   400.00 msec task-clock                       #    0.800 CPUs utilized",
        "CPU1                   500.00 msec task-clock                       #    1.000 CPUs utilized",
    ]


def test_a_frequency_is_shown_for_real_cycles_alone() -> None:
    events = (CYCLES, CLOCK)
    run = result([[counted(2_500 * MS), counted(1_000 * MS)]], events)
    assert "#    2.500 GHz\n" in table(report(run, events=events, real_cycles=True))
    assert "#    2.500 G/sec\n" in table(report(run, events=events))


def test_without_a_clock_there_is_no_rate() -> None:
    run = result([[counted(7)]], [BRANCHES])
    assert "                 7      branches\n" in table(report(run, events=[BRANCHES]))


def test_instructions_per_cycle_of_the_same_privilege_levels() -> None:
    events = (USER, CYCLES)
    run = result([[counted(10), counted(20)]], events)
    assert "insn per cycle" not in table(report(run, events=events))


def test_instructions_per_cycle_of_the_same_group() -> None:
    """Another cycles took its turns at other times."""
    sibling = replace(CYCLES, behind_leader=1)
    events = (CYCLES, INSTRUCTIONS, sibling, CYCLES)
    run = result([[counted(7), counted(30), counted(20), counted(5)]], events)
    assert "                30      instructions                     #    1.500 insn per cycle\n" in table(
        report(run, events=events)
    )


def test_misses_are_shares_as_perf_has_them() -> None:
    """Of what was counted at the same privilege levels."""
    events = parse_events(
        "branches,branch-misses,L1-dcache-loads,L1-dcache-load-misses,cache-references,cache-misses,branch-misses:u"
    )
    run = result([[counted(value) for value in (800, 20, 1000, 33, 300, 1, 7)]], events)
    rows = table(report(run, events=events)).splitlines()[3:10]
    assert [row.partition("#")[2] for row in rows] == [
        "",
        "    2.50% of all branches",
        "",
        "    3.30% of all L1-dcache accesses",
        "",
        "    0.333 % of all cache refs",
        "",
    ]
    assert fields(report(run, events=events), ",").splitlines()[1] == (
        "20,,branch-misses,100000000,100.00,2.50,of all branches"
    )
    made = json.loads(json_lines(report(run, events=events)).splitlines()[5])
    assert (made["metric-value"], made["metric-unit"]) == (0.333333, "of all cache refs")


def test_a_multiplexed_count_is_scaled_and_marked() -> None:
    run = result([[(1000, None, 90 * MS, 60 * MS)]], [BRANCHES])
    assert table(report(run, events=[BRANCHES])).splitlines()[3] == (
        "             1,500      branches" + " " * 61 + "(66.67%)"
    )
    assert fields(report(run, events=[BRANCHES]), ",") == "1500,,branches,60000000,66.67,,\n"
    (line,) = json_lines(report(run, events=[BRANCHES])).splitlines()
    assert json.loads(line) == {
        "schema_version": 1,
        "counter-value": 1500,
        "unit": "",
        "event": "branches",
        "event-runtime": 60000000,
        "pcnt-running": 66.67,
    }


@pytest.mark.parametrize(
    ("value", "excuse", "reason"),
    [
        ((None, "EOPNOTSUPP", 0, 0), "<not supported>", "the guest interface answered EOPNOTSUPP"),
        ((None, "ENOENT", 0, 0), "<not supported>", "the guest interface answered ENOENT"),
        ((None, "ENOSYS", 0, 0), "<not supported>", "the VM does not offer the interface (--no-pv-perf)"),
        ((None, "ENOSPC", 0, 0), "<not counted>", "the VM's limit of open events is reached (--max-events)"),
        ((None, "not counted", 5, 5), "<not counted>", "the VM ended before the count was collected"),
        ((0, None, 5, 0), "<not counted>", "others held the counters all the time (--counters)"),
    ],
)
def test_what_was_not_counted_says_why(value: Value, excuse: str, reason: str) -> None:
    run = result([[value]], [BRANCHES])
    one = report(run, events=[BRANCHES])
    assert f"\n{excuse:>18}      branches\n" in table(one)
    assert f" branches: {reason}\n" in table(one)
    assert fields(one, ",").startswith(f"{excuse},,branches,")
    line = json.loads(json_lines(one))
    assert line["counter-value"] is None
    assert line["error"]


def test_a_sum_lacks_no_vcpu_in_silence() -> None:
    run = result([[counted(5)], [(None, "ENOSPC", 0, 0)]], [BRANCHES])
    assert "<not counted>      branches" in table(report(run, events=[BRANCHES], vcpus=2))
    apart = table(report(run, events=[BRANCHES], vcpus=2, per_vcpu=True))
    assert "CPU0                        5      branches" in apart
    assert "CPU1            <not counted>      branches" in apart
    assert " branches on CPU1: the VM's limit" in apart


def test_several_runs_have_mean_and_spread() -> None:
    events = (INSTRUCTIONS, CLOCK)
    runs = [
        result([[counted(900), counted(100 * MS)]], events, elapsed_s=0.098),
        result([[counted(1100), counted(100 * MS)]], events, elapsed_s=0.102),
    ]
    lines = table(report(*runs, events=events)).splitlines()
    assert lines[1] == " Performance counter stats for 'matmul' (1 vCPU, 2 runs):"
    assert lines[3] == (
        "             1,000      instructions                     #   10.000 K/sec                    ( +- 10.00% )"
    )
    assert lines[4].endswith("( +-  0.00% )")
    assert lines[6] == "           0.10000 +- 0.00200 seconds time elapsed  ( +-  2.00% )"
    assert fields(report(*runs, events=events), ";").splitlines()[0] == (
        "1000;;instructions;10.00%;100000000;100.00;10.000;K/sec"
    )
    assert json.loads(json_lines(report(*runs, events=events)).splitlines()[0])["variance"] == 10.0


def test_fields_for_each_vcpu() -> None:
    assert fields(report(TWO_VCPUS, events=FOUR, vcpus=2, per_vcpu=True), ",").splitlines() == [
        "CPU0,1000000,,instructions,100000000,100.00,0.500,insn per cycle",
        "CPU1,2000000,,instructions,100000000,100.00,1.000,insn per cycle",
        "CPU0,250000,,branches,100000000,100.00,625.000,K/sec",
        "CPU1,750000,,branches,100000000,100.00,1.500,M/sec",
        "CPU0,2000000,,cycles,100000000,100.00,5.000,M/sec",
        "CPU1,2000000,,cycles,100000000,100.00,4.000,M/sec",
        "CPU0,400.00,msec,task-clock,100000000,100.00,0.800,CPUs utilized",
        "CPU1,500.00,msec,task-clock,100000000,100.00,1.000,CPUs utilized",
    ]


def test_a_name_with_the_separator_is_quoted() -> None:
    event = Event("cpu/event=0xc0,umask=0/", "instructions", 4, 0xC0, 1)
    one = report(result([[counted(1)]], [event]), events=[event])
    assert fields(one, ",").startswith('1,,"cpu/event=0xc0,umask=0/",')
    assert fields(one, "\t").startswith("1\t\tcpu/event=0xc0,umask=0/\t")


def test_json_numbers_are_numbers() -> None:
    lines = json_lines(report(TWO_VCPUS, events=FOUR, vcpus=2, per_vcpu=True)).splitlines()
    made = [json.loads(line) for line in lines]
    assert [one["vcpu"] for one in made] == [0, 1] * 4
    assert all(one["schema_version"] == 1 for one in made)
    assert all(isinstance(one["counter-value"], int) for one in made[:6])
    assert made[6] == {
        "schema_version": 1,
        "vcpu": 0,
        "counter-value": 400.0,
        "unit": "msec",
        "event": "task-clock",
        "event-runtime": 100000000,
        "pcnt-running": 100.0,
        "metric-value": 0.8,
        "metric-unit": "CPUs utilized",
    }


def test_the_same_event_twice_is_two_counts() -> None:
    events = (BRANCHES, BRANCHES)
    run = result([[counted(1), counted(2)], [counted(3), counted(4)]], events)
    assert [reading.value for reading in read_runs([run], events, vcpus=2, per_vcpu=False)] == [4, 6]


@given(st.integers(0, 2**64 - 1), st.integers(1, 64))
def test_no_digit_of_a_whole_count_is_lost_in_json(value: int, vcpus: int) -> None:
    """Counts have 64 bits, floats 53: what was not scaled is printed as it was counted."""
    rows = [[counted(value if vcpu == 0 else 0)] for vcpu in range(vcpus)]
    one = report(result(rows, [BRANCHES]), events=[BRANCHES], vcpus=vcpus)
    assert json.loads(json_lines(one))["counter-value"] == value
    assert fields(one, ",").startswith(f"{value},")
    assert f"{value:>18,}" in table(one)


@given(st.lists(st.integers(0, 2**62), min_size=2, max_size=20))
def test_spread_against_the_definition(values: list[int]) -> None:
    numbers = [float(value) for value in values]
    centre = sum(numbers) / len(numbers)
    variance = sum((number - centre) ** 2 for number in numbers) / (len(numbers) - 1)
    assert math.isclose(mean(numbers), centre, rel_tol=1e-9)
    assert math.isclose(
        standard_error(numbers), math.sqrt(variance / len(numbers)), rel_tol=1e-6, abs_tol=1e-6 * centre
    )
    if centre:
        assert math.isclose(spread(numbers), 100 * standard_error(numbers) / centre)


def in_intervals(*, per_vcpu: bool = False, json: bool = False, separator: str = "", started: str = "") -> list[str]:
    """A run of two of them, its end and its summary; `started` is for a file."""
    layout = Layout(
        FOUR, vcpus=2, per_vcpu=per_vcpu, real_cycles=False, json=json, separator=separator, started=started
    )
    one = Interval(0.1, 0.1, TWO_VCPUS.counts)
    two = Interval(12.25, 0.5, TWO_VCPUS.counts)
    summary = report(TWO_VCPUS, events=FOUR, vcpus=2, per_vcpu=per_vcpu)
    texts = [layout.interval(one), layout.interval(two), layout.end("it ended early: x"), layout.summary(summary)]
    assert layout.end("") == ""
    return [line for text in texts for line in text.splitlines()]


def test_intervals_in_the_table() -> None:
    """As `perf stat -I` of Linux 6.1 has them."""
    lines = in_intervals(started="today")
    assert lines[:7] == [
        "# started on today",
        "",
        "#           time             counts unit events",
        "     0.100000000          3,000,000      instructions                     #    0.750 insn per cycle",
        "     0.100000000          1,000,000      branches                         #    1.111 M/sec",
        "     0.100000000          4,000,000      cycles                           #    4.444 M/sec",
        "     0.100000000             900.00 msec task-clock                       #    9.000 CPUs utilized",
    ]
    assert (
        lines[10]
        == "    12.250000000             900.00 msec task-clock                       #    1.800 CPUs utilized"
    )
    assert lines[11:14] == ["# partial: it ended early: x", "", " Performance counter stats for 'matmul' (2 vCPUs):"]


def test_intervals_for_each_vcpu() -> None:
    header, row, *_ = in_intervals(per_vcpu=True)
    assert header == "#           time CPU                    counts unit events"
    assert row.startswith("     0.100000000 CPU0                1,000,000      instructions       ")
    assert row.endswith(" #    0.500 insn per cycle")


def test_intervals_as_fields() -> None:
    lines = in_intervals(separator=",")
    assert lines[0] == "     0.100000000,3000000,,instructions,200000000,100.00,0.750,insn per cycle"
    assert lines[7] == "    12.250000000,900.00,msec,task-clock,200000000,100.00,1.800,CPUs utilized"
    assert lines[8:10] == [
        "# partial: it ended early: x",
        "         summary,3000000,,instructions,200000000,100.00,0.750,insn per cycle",
    ]
    assert in_intervals(separator=",", per_vcpu=True)[1] == (
        "     0.100000000,CPU1,2000000,,instructions,100000000,100.00,1.000,insn per cycle"
    )


def test_intervals_as_json() -> None:
    made = [json.loads(line) for line in in_intervals(json=True, started="today")]
    assert [one.get("interval") for one in made] == [0.1] * 4 + [12.25] * 4 + [None] * 5
    assert made[0] == {
        "schema_version": 1,
        "interval": 0.1,
        "counter-value": 3000000,
        "unit": "",
        "event": "instructions",
        "event-runtime": 200000000,
        "pcnt-running": 100.0,
        "metric-value": 0.75,
        "metric-unit": "insn per cycle",
    }
    assert made[8] == {"schema_version": 1, "partial": "it ended early: x"}


def test_the_columns_are_named_again() -> None:
    layout = Layout([BRANCHES], vcpus=1, per_vcpu=False, real_cycles=False, json=False, separator="")
    counts = result([[(None, "ENOSPC", 0, 0)]], [BRANCHES]).counts
    lines = [line for n in range(60) for line in layout.interval(Interval(n, 1, counts)).splitlines()]
    assert [at for at, line in enumerate(lines) if line.startswith("#")] == [0, 26, 52]
    assert lines[1] == "     0.000000000      <not counted>      branches"
    said = layout.end("", report(result([[(None, "ENOSPC", 0, 0)]], [BRANCHES]), events=[BRANCHES]).readings)
    assert said == "# branches: the VM's limit of open events is reached (--max-events)\n"


def test_a_mean_of_equal_counts_is_exact() -> None:
    runs = [result([[counted(10**15 + 1)]], [BRANCHES]) for _ in range(3)]
    (reading,) = read_runs(runs, [BRANCHES], vcpus=1, per_vcpu=False)
    assert isinstance(reading, Reading)
    assert reading.value == 10**15 + 1
    assert reading.spread == 0.0


class Scripted:
    """In place of a Launcher: its runs end as they are told to."""

    def __init__(self, *ends: str | PvperfError, signum: int = 0) -> None:
        self.signum = signum
        self._ends = list(ends)

    def run(self, _: object) -> Result:
        end = self._ends.pop(0)
        if isinstance(end, PvperfError):
            raise end
        made = result([[counted(100)]], [INSTRUCTIONS])
        return replace(made, status=70, console=CRASHED) if end == "crash" else replace(made, ended=end)


CRASHED = b"guest: vCPU 0: unexpected #GP (vector 13) at RIP 0x10000a, error code 0x0\n"
CRASH = GuestShutdown("vCPU 0 shut down: triple fault")


@pytest.mark.parametrize(
    ("asked", "launcher", "whole", "partial"),
    [
        (1, Scripted("exit"), 1, ""),
        (3, Scripted("exit", "exit", "exit"), 3, ""),
        (1, Scripted("timeout"), 1, "it ended early: the time-out; the counts are those until then"),
        (1, Scripted("stopped"), 1, "it ended early: ended from outside; the counts are those until then"),
        (1, Scripted("stopped", signum=15), 1, "it ended early: SIGTERM; the counts are those until then"),
        (5, Scripted("exit", "exit", "timeout"), 2, "run 3 of 5 ended early: the time-out; it is left out"),
        (5, Scripted("stopped", signum=2), 1, "run 1 of 5 ended early: SIGINT; the counts are those until then"),
        (5, Scripted("exit", signum=2), 1, "run 2 of 5 ended early: SIGINT; it is left out"),
        (2, Scripted("exit", "stopped", signum=2), 1, "run 2 of 2 ended early: SIGINT; it is left out"),
        (
            1,
            Scripted("crash"),
            1,
            "it ended early: the guest crashed: vCPU 0: unexpected #GP (vector 13) at RIP 0x10000a; "
            "the counts are those until then",
        ),
        (5, Scripted("exit", "exit", CRASH), 2, f"run 3 of 5 ended early: {CRASH}; it is left out"),
    ],
)
def test_runs_that_end_early(asked: int, launcher: Scripted, whole: int, partial: str) -> None:
    """They are not averaged, and what is printed does not look complete."""
    runs = stat_command._Runs(asked)
    with contextlib.suppress(GuestShutdown):
        runs.do(launcher, [INSTRUCTIONS])  # type: ignore[arg-type]
    assert (len(runs.whole), runs.partial) == (whole, partial)


def test_a_partial_report() -> None:
    one = replace(report(TWO_VCPUS, events=FOUR, vcpus=2), runs=5, partial="run 2 of 5 ended early", started="today")
    text = table(one)
    assert text.startswith("# started on today\n\n\n Performance counter stats for 'matmul' (2 vCPUs, 1 of 5 runs):\n")
    assert text.endswith(" seconds time elapsed\n\n Partial: run 2 of 5 ended early\n\n")
    lines = fields(one, ",").splitlines()
    assert lines[:3] == ["# started on today", "", "# partial: run 2 of 5 ended early"]
    assert {line.count(",") for line in lines[3:]} == {7}  # with the spread, as if there were five
    for line in json_lines(one).splitlines():
        made = json.loads(line)
        assert (made["runs"], made["runs-asked-for"]) == (1, 5)
        assert (made["partial"], made["started"]) == ("run 2 of 5 ended early", "today")
