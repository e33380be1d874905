# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf stat` of real guests: exact counts, groups, intervals, detailed events."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest
from commands import pvperf, started
from tiny_guest import SPIN, count_down, guest, leave, say


def test_counts_are_exact(tmp_path: Path) -> None:
    """2,001 instructions of count_down and the one that puts the status into AL; the OUT that ends it never retires."""
    program = guest(tmp_path, count_down(1000) + leave(0))
    done = pvperf("stat", "-x;", "-A", "--smp", "2", "-e", "instructions:k,instructions:u,branches", program)
    assert done.returncode == 0
    counts = [tuple(line.split(";")[:2]) for line in done.stderr.splitlines()]
    assert [vcpu for vcpu, _ in counts] == ["CPU0", "CPU1"] * 3
    # The vCPU that does not end the VM may be stopped by the other one before it has run.
    assert ("CPU0", "2002") in counts or ("CPU1", "2002") in counts
    assert [count for _, count in counts][2:4] == ["0", "0"]
    assert "1000" in [count for _, count in counts][4:]


def test_default_events_of_stat() -> None:
    done = pvperf("stat", "-j", "hello")
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == [
        "instructions",
        "branches",
        "cycles",
        "task-clock",
    ]


def test_the_same_guest_counts_the_same_every_time(tmp_path: Path) -> None:
    done = pvperf("stat", "-r", "5", "-j", "-e", "instructions,cycles", guest(tmp_path, count_down(99) + leave(0)))
    for line in done.stderr.splitlines():
        assert json.loads(line)["variance"] == 0.0


def test_what_the_interface_refuses_is_said() -> None:
    done = pvperf("stat", "--no-pv-perf", "hello")
    assert done.returncode == 0
    assert done.stderr.count("<not supported>") == 4
    done = pvperf("stat", "--max-events", "1", "-e", "instructions,branches", "hello")
    assert done.stderr.count("<not counted>") == 1
    assert "branches: the VM's limit of open events is reached (--max-events)" in done.stderr


@pytest.mark.parametrize("form", [["-x,"], ["-j"]])
def test_what_is_partial_says_so_to_programs(tmp_path: Path, form: list[str]) -> None:
    done = pvperf("stat", *form, "--timeout", "1s", "-e", "instructions,branches", guest(tmp_path, SPIN))
    *lines, last = done.stderr.splitlines()
    said = "it ended early: the time-out; the counts are those until then"
    assert (done.returncode, last) == (124, "pvperf: the guest did not end within 1 s")
    if form == ["-j"]:
        assert [json.loads(line)["partial"] for line in lines] == [said, said]
    else:
        assert lines[0] == f"# partial: {said}"
        assert len(lines) == 3


def test_a_file_of_json_has_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    for _ in range(2):
        pvperf("stat", "-j", "-o", path, "--append", "-r", "2", "-e", "dummy", "hello")
    made = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(one["runs"], one["runs-asked-for"], "partial" in one) for one in made] == [(2, 2, False)] * 2
    assert all(re.fullmatch(r"\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}", one["started"]) for one in made)


def test_groups(tmp_path: Path) -> None:
    """Names are those of the members, with the group's modifiers, as perf prints them."""
    program = guest(tmp_path, count_down(1000) + leave(0))
    done = pvperf("stat", "-x,", "-e", "{instructions,cycles}:k,branches", program)
    assert [tuple(line.split(",")[:3:2]) for line in done.stderr.splitlines()] == [
        ("2002", "instructions:k"),
        ("2002", "cycles:k"),
        ("1000", "branches"),
    ]
    made = [
        json.loads(line) for line in pvperf("stat", "-j", "-e", "{instructions,branches}", program).stderr.splitlines()
    ]
    assert [(one["event"], one["counter-value"]) for one in made] == [("instructions", 2002), ("branches", 1000)]


@pytest.mark.parametrize("form", [["-x,"], ["-j"], ["-A", "-x,"], []])
def test_intervals_add_up_to_the_summary(tmp_path: Path, form: list[str]) -> None:
    """Whatever the form; lines of an interval are marked with the time at which it ended."""
    done = pvperf("stat", "-q", "-I", "5", "--summary", "-e", "instructions,cycles", *form, "hotspots")
    front, back = parsed_intervals(done.stderr, form)
    assert set(back) == set(front)
    assert len(front["instructions"]) > 1
    for event, rows in front.items():
        assert [time for time, _ in rows] == sorted({time for time, _ in rows})
        assert sum(value for _, value in rows) == back[event]
    assert back["instructions"] == 100248664


def parsed_intervals(text: str, form: list[str]) -> tuple[dict[str, list[tuple[float, int]]], dict[str, int]]:
    """By event: times and counts of the intervals, and the summary's."""
    front: dict[str, list[tuple[float, int]]] = {}
    back: dict[str, int] = {}
    for line in text.splitlines():
        if form == ["-j"]:
            made = json.loads(line)
            time, value, event = made.get("interval"), made["counter-value"], made["event"]
        elif form:
            first, *fields = line.split(",")
            time = None if first.strip() == "summary" else float(first)
            value, event = fields[form[0] == "-A"], fields[2 + (form[0] == "-A")]
        elif found := re.match(r"(?:( +\d+\.\d{9})|) +([\d,]+) {6}(\w+)", line):
            time, value, event = found[1], found[2].replace(",", ""), found[3]
        else:
            continue
        if time is None:
            back[event] = int(value)
        else:
            front.setdefault(event, []).append((float(time), int(value)))
    return front, back


def test_intervals_of_what_ends_early(tmp_path: Path) -> None:
    """The last one is printed, and that it is none too; with the whole run's counts only if they are asked for."""
    program = guest(tmp_path, say(b".") + SPIN)
    for more, mark in (([], "# partial: "), (["--summary"], " Partial: ")):
        process = started(["stat", "-I", "20", "-e", "instructions", *more, program])
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == -signal.SIGINT
        assert re.search(r"(?m)^ +\d+\.\d{9} +[\d,]+      instructions$", errors)
        assert f"{mark}it ended early: SIGINT; the counts are those until then\n" in errors
        assert ("Performance counter stats" in errors) == bool(more)


def test_intervals_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    done = pvperf("stat", "-I", "5", "-x;", "-e", "branches", "-o", path, "-q", "hotspots")
    assert (done.returncode, done.stderr) == (0, "")
    head, blank, *lines = path.read_text().splitlines()
    assert head.startswith("# started on ")
    assert blank == ""
    assert sum(int(line.split(";")[1]) for line in lines) == 10071351
    path.unlink()
    done = pvperf("stat", "-I", "5", "--counters=1", "-e", "{branches,cycles}", "-o", path, "hotspots")
    assert done.returncode == 2
    assert not path.exists()


def test_detailed_events() -> None:
    done = pvperf("stat", "-d", "-j", "-e", "branches", "hello")
    made = [json.loads(line) for line in done.stderr.splitlines()]
    names = ["branches", "L1-dcache-loads", "L1-dcache-load-misses", "cache-references", "cache-misses"]
    assert [one["event"] for one in made] == names
    assert made[1]["counter-value"] > made[2]["counter-value"] > 0
    share = 100 * made[2]["counter-value"] / made[1]["counter-value"]
    assert made[2]["metric-value"] == pytest.approx(share, abs=1e-6)
    assert made[2]["metric-unit"] == "of all L1-dcache accesses"


@pytest.mark.parametrize(("option", "more"), [("-dd", 6), ("-ddd", 8)])
def test_more_detailed_events(option: str, more: int) -> None:
    """What perf has beside, and no model counts, is not supported: by the guest interface, which is asked."""
    done = pvperf("stat", option, "-x,", "-e", "branches", "hello")
    rows = [line.split(",") for line in done.stderr.splitlines()]
    assert done.returncode == 0
    assert len(rows) == 5 + more
    assert all(row[0].isdigit() for row in rows[:5])
    assert {row[0] for row in rows[5:]} == {"<not supported>"}
    assert [row[2] for row in rows[5:11]] == [
        *("L1-icache-loads", "L1-icache-load-misses", "dTLB-loads", "dTLB-load-misses", "iTLB-loads"),
        "iTLB-load-misses",
    ]
