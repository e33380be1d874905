# SPDX-License-Identifier: GPL-2.0-only
"""The command line as a user meets it: processes, streams, exit statuses and signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import children
from tiny_guest import SPIN, UNDEFINED, count_down, guest, leave, say

from emulator import __version__
from emulator.cli.options.commands import COMMANDS
from emulator.cli.options.parse import parse
from emulator.errors import UsageError
from emulator.files import Files
from emulator.races.explore.case import read_case
from emulator.races.explore.scenarios import SCENARIOS
from emulator.terminal.counted import counted
from emulator.terminal.quantity import duration, size

PVPERF = [sys.executable, "-m", "emulator"]
Finished = subprocess.CompletedProcess[str]


def pvperf(*arguments: str | Path, **options: object) -> Finished:
    """Runs the command to its end."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [*PVPERF, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False, **options
    )


def sentence(done: Finished, status: int) -> str:
    """What stderr says: exactly one line, with nothing on stdout."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert re.fullmatch(r"pvperf: [^\n]+\n", done.stderr), done.stderr
    return done.stderr.removeprefix("pvperf: ").rstrip("\n")


FULL = ["events", "guests", "doctor", "--version", "--help", "stress --help", "run hello", "stat -o - hello"]


@pytest.mark.parametrize("command", FULL)
def test_stdout_that_is_full(command: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PVPERF, *command.split()], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300, check=False
        )
    assert done.returncode == 125
    assert done.stderr == "pvperf: cannot write stdout: No space left on device\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(tmp_path: Path, closed: str) -> None:
    """What would go there is lost, and nothing else: no file of ours gets its number."""
    shell = f'exec "$@" {closed}'
    command = [*PVPERF, "record", "-o", str(tmp_path / "x"), "-c1000", "hello"]
    done = subprocess.run(["sh", "-c", shell, "sh", *command], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "Samples: 8 " in pvperf("report", "-i", tmp_path / "x").stdout


def test_a_recording_that_cannot_begin_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "perf.data").write_text("old")
    assert "RAM is too small" in sentence(pvperf("record", "--ring", "1G", "-o", tmp_path / "perf.data", "hello"), 2)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("perf.data", "old")]


WITHOUT_JSON = ("bench", "run", "record", "script", "stress", "completion", "man", "help")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in WITHOUT_JSON])
def test_json_has_a_short_option_everywhere(name: str) -> None:
    assert re.search(r"^  -j, --json ", pvperf(name, "--help").stdout, re.MULTILINE)


@pytest.mark.parametrize("number", [0, 1, 2, 1000])
def test_numbers_of_things(number: int) -> None:
    assert counted(number, "switch") == f"{number:,} switch{'' if number == 1 else 'es'}"
    assert counted(number, "canary") == f"{number:,} {'canary' if number == 1 else 'canaries'}"
    assert counted(number, "day") == f"{number:,} day{'' if number == 1 else 's'}"
    assert counted(number, "vCPU") == {0: "0 vCPUs", 1: "1 vCPU", 2: "2 vCPUs", 1000: "1,000 vCPUs"}[number]


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option: str) -> None:
    assert pvperf(option).stdout == f"pvperf {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--"], "the following arguments are required: COMMAND"),
        (["sta"], "there is no 'sta'; did you mean stat?"),
        (["run"], "no guest was named"),
        (["run", "nosuch"], "no such guest: nosuch (bundled guests: branchy,"),
        (["run", "matmull"], "no such guest: matmull (did you mean matmul?)"),
        (["run", "hello", "lines=2"], "pvperf run has no use for 'lines=2'; what belongs to the guest goes behind --"),
        (["run", "--no-such-option", "hello"], "pvperf run has no option --no-such-option"),
        (["--versoin"], "pvperf has no option --versoin; did you mean --version?"),
        (["--smp", "2", "run", "hello"], "--smp is an option of pvperf run, and goes behind it"),
        (["--quick"], "--quick is an option of pvperf bench, and goes behind it"),
        (["stat", "--repat=3", "hello"], "pvperf stat has no option --repat; did you mean --repeat?"),
        (["run", "examples/count.c"], "build one with pvperf guests build examples/count.c -o count.elf"),
        (["run", "none.c"], "none.c is source, and no guest yet"),
        (["run", "--smp", "0", "hello"], "number of vCPUs (smp) must be 1 to 64, and 0 is not"),
        (["run", "--smp", "1000", "hello"], "number of vCPUs (smp) must be 1 to 64, and 1000 is not"),
        (["run", "--smp", "two", "hello"], "'two' is not a whole number"),
        (["run", "-m", "1K", "hello"], "memory must be 1048576 to"),
        (["run", "-m", "lots", "hello"], "'lots' is not a size such as 64M"),
        (["run", "--max-events", "0", "hello"], "limit of events (max_events) must be 1 to"),
        (["run", "--counters", "0", "hello"], "number of counters must be 1 to"),
        (["run", "--timeout", "0", "hello"], "a time must be more than 0"),
        (["run", "--timeout", "soon", "hello"], "'soon' is not a time such as 10s"),
        (["run", "--design", "per-wm", "hello"], "design 'per-wm' is not known"),
        (["run", "--cycles", "moon", "hello"], "cycles 'moon' is not known: it is one of model, tsc"),
        (["stat", "-e", "instuctions", "hello"], "unknown event: instuctions; did you mean instructions"),
        (
            ["stat", "-e", "stalled-cycles-backend", "hello"],
            "event stalled-cycles-backend has no counter: there is no model of it",
        ),
        (["stat", "-e", "cycles:x", "hello"], "'x' in 'cycles:x' is not a modifier"),
        (["stat", "-e", "cycles,", "hello"], "an event name is empty in 'cycles,'"),
        (["stat", "--l1d", "32K", "hello"], "l1d '32K' is not SIZE/WAYS/LINE, such as 32K/8/64"),
        (["run", "--llc", "1M/16/48", "hello"], "the line of llc '1M/16/48' must be a power of two"),
        (["run", "--predictor", "tage", "hello"], "predictor 'tage' is not gshare:BITS"),
        (["stat", "-e", "mem:0x1001/4", "hello"], "the address in 'mem:0x1001/4' is not a multiple of its length, 4"),
        (["stat", "-e", ",".join(["dummy"] * 65), "hello"], "at most 64 events can be counted at once"),
        (
            ["stat", "--counters=1", "-e", "{instructions,cycles}", "hello"],
            "needs 2 hardware counters, and a vCPU has 1",
        ),
        (["stat", "-e", "{instructions", "hello"], "the braces in '{instructions' make no group"),
        (["stat", "-r", "0", "hello"], "'0' is not a whole number above 0"),
        (["stat", "-j", "-x,", "hello"], "not allowed with argument"),
        (["stat", "-x", "", "hello"], "the separator of -x cannot be empty"),
        (["stat", "--append", "hello"], "--append needs a file"),
        (["stat", "-o", "/nonexistent/file", "hello"], "cannot write /nonexistent/file: No such file or directory"),
        (["stat", "-o", "/tmp", "hello"], "cannot write /tmp: it is a directory"),
        (["stat", "-I", "0", "hello"], "'0' is not a whole number above 0"),
        (["stat", "-I", "100", "-r", "2", "hello"], "it is one or the other"),
        (["report", "x"], "pvperf report has no use for 'x': name a recording with -i, as in -i x (see"),
        (["script", "x"], "pvperf script has no use for 'x': name a recording with -i, as in -i x (see"),
        (["run", "/proc/self/mem"], "cannot read guest '/proc/self/mem': "),
        (["record", "-o", "-", "hello"], "cannot write -: it names no file"),
        (["record", "-c", str(1 << 63), "hello"], "is not a whole number from 1 to 9223372036854775807"),
        (["record", "-F", "1000001", "hello"], "'1000001' is not a whole number from 1 to 1000000"),
        (["explore", "--seed", "-1"], "'-1' is not a whole number from 0 to"),
        (["explore", "--exhaustive", "-1"], "'-1' is not a whole number from 0 to 1000"),
        (["explore", "--nmi", "foo"], "nmi 'foo' is not known"),
        (["explore", "-o", "/dev/full"], "cannot write /dev/full: it is not a regular file"),
        (["explore", "-o", "/nonexistent/x"], "cannot write /nonexistent/x: "),
        (["stress", "--seed", "-1"], "'-1' is not a whole number from 0 to"),
        (["stress", "-o", "/tmp"], "cannot write /tmp: it is a directory"),
        (["stress", "--matrix", "--kill"], "--matrix has one table"),
        (["replay", "/nonexistent"], "cannot read /nonexistent: No such file or directory"),
        (["replay", sys.executable], ": it is not text"),
        (
            ["guests", "build", "examples/count.c", "-o", "/dev/full"],
            "cannot write /dev/full: it is not a regular file",
        ),
        (["events", "--", "x"], "pvperf events starts no guest"),
        (["guests", "buld"], "there is no 'buld'; did you mean build?"),
        (["guests", "build", "x.c"], "the following arguments are required: -o/--output"),
        (["guests", "build", "no-such-file.c", "-o", "x.elf"], "no such source file: no-such-file.c"),
        (["bench", "everything"], "there is no 'everything'; there are hypercall, handover, sampling"),
    ],
)
def test_bad_usage_is_one_sentence(arguments: list[str], said: str) -> None:
    assert said in sentence(pvperf(*arguments), 2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("not a program"), "is not an ELF file"),
        (lambda path: path.write_bytes(b""), "is not an ELF file"),
        (lambda path: path.mkdir(), "is not a regular file"),
    ],
)
def test_what_cannot_be_booted(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    path = tmp_path / "guest"
    make(path)
    assert said in sentence(pvperf("run", path), 2)


def test_what_this_version_cannot_do() -> None:
    assert "is not in this version" in sentence(pvperf("run", "--accel=kvm", "hello"), 126)


@pytest.mark.parametrize("status", [0, 1, 42, 255])
@pytest.mark.parametrize("command", ["run", "stat"])
def test_the_exit_status_is_the_guests(tmp_path: Path, command: str, status: int) -> None:
    done = pvperf(command, guest(tmp_path, say(b"x\xffy") + leave(status)), errors="surrogateescape")
    assert (done.returncode, done.stdout) == (status, "x\udcffy")
    assert ("instructions" in done.stderr) == (command == "stat")


def test_a_guest_gets_what_follows_the_dashes() -> None:
    for arguments in (["hello", "--", "lines=2"], ["--", "hello", "lines=2"]):
        assert pvperf("run", *arguments).stdout.count("hello from vCPU 0 of 1") == 2


def test_quiet_and_verbose() -> None:
    assert pvperf("run", "-q", "hello").stdout == ""
    done = pvperf("run", "-v", "hello")
    assert done.stdout == "hello from vCPU 0 of 1, line 1\n"
    assert re.search(r"^pvperf: console_bytes +31$", done.stderr, re.MULTILINE)


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


def test_time_out_prints_what_it_has(tmp_path: Path) -> None:
    done = pvperf("stat", "--timeout", "2s", "-e", "instructions", guest(tmp_path, SPIN))
    assert done.returncode == 124
    assert re.search(r"\d,\d{3} +instructions", done.stderr)
    assert " Partial: it ended early: the time-out; the counts are those until then\n" in done.stderr
    assert done.stderr.endswith("pvperf: the guest did not end within 2 s\n")


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


def started(arguments: list[str | Path]) -> subprocess.Popen[str]:
    """A command whose guest has written its first byte."""
    process = subprocess.Popen(
        [*PVPERF, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.read(1) == "."
    return process


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_in_good_order(tmp_path: Path, signum: signal.Signals) -> None:
    """What was counted is printed, and the process ends by the signal, as a shell expects."""
    process = started(["stat", "--smp", "2", "-e", "instructions", guest(tmp_path, say(b".") + SPIN)])
    process.send_signal(signum)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == -signum
    assert re.search(r"\d,\d{3} +instructions", errors)
    name = signal.Signals(signum).name
    assert errors.endswith(f"\n Partial: it ended early: {name}; the counts are those until then\n\n")
    assert "Traceback" not in errors


def test_a_second_signal_kills(tmp_path: Path) -> None:
    process = started(["run", guest(tmp_path, say(b".") + SPIN)])
    for pid in children(process.pid):
        os.kill(pid, signal.SIGSTOP)  # a host that does not answer
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=300)
    assert process.returncode in (-signal.SIGTERM, -signal.SIGINT)
    assert errors == ""


def test_the_runs_before_a_signal_are_not_lost(tmp_path: Path) -> None:
    program = guest(tmp_path, say(b".") + count_down(20_000_000) + leave(0))
    process = started(["stat", "-r", "1000", "-e", "instructions", program])
    assert process.stdout
    assert process.stdout.read(3) == "..."
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGINT
    assert re.search(r"\(1 vCPU, \d+ of 1000 runs\)", errors)
    assert re.search(r"^ Partial: run \d+ of 1000 ended early: SIGINT; it is left out$", errors, re.MULTILINE)
    assert re.search(r"instructions +\( \+- +0\.00% \)", errors), errors  # all of them whole


def test_a_dead_host_is_a_host_error(tmp_path: Path) -> None:
    process = started(["run", guest(tmp_path, say(b".") + SPIN)])
    os.kill(children(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 125
    assert errors.startswith("pvperf: the host process was killed by SIGKILL (by somebody; or ")
    assert errors.count("\n") == 1


def test_a_host_that_is_asked_to_end_says_so(tmp_path: Path) -> None:
    process = started(["run", guest(tmp_path, say(b".") + SPIN)])
    os.kill(children(process.pid)[0], signal.SIGTERM)
    _, errors = process.communicate(timeout=300)
    said = "pvperf: the VM was ended from outside: its host process got a SIGTERM\n"
    assert (process.returncode, errors) == (125, said)


@pytest.mark.parametrize("command", ["explore", "stress"])
def test_help_names_every_scenario(command: str) -> None:
    said = set(re.findall(r"[\w-]+", pvperf(command, "--help").stdout))
    assert {*SCENARIOS} <= said


@pytest.mark.parametrize("command", [["run", "hello", "--", "lines=100000"], ["events"], ["--version"]])
def test_a_reader_that_goes_away(command: list[str]) -> None:
    """As with `pvperf ... | head`: no complaint."""
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen([*PVPERF, *command], stdout=writer, stderr=subprocess.PIPE, text=True) as process:
        os.close(writer)
        _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (-signal.SIGPIPE, "")


NO_REFCOUNT = ["close-enable", "--design", "no-refcount", "--seed", "1", "-o"]


@pytest.mark.parametrize(
    "command",
    [["explore", "--json", *NO_REFCOUNT], ["model", "--design", "no-refcount", "-o"]],
    ids=lambda words: words[0],
)
def test_what_was_found_is_kept_though_nobody_reads(command: list[str], tmp_path: Path) -> None:
    """These print nothing before they have found it."""
    path = tmp_path / "case.replay"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PVPERF, *command, path], stdout=writer, stderr=subprocess.PIPE, timeout=300, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")
    assert read_case(path).setup.design == "no-refcount"


@pytest.mark.parametrize("command", [["explore"], ["stress", "--native"]], ids=lambda words: words[0])
def test_what_was_found_is_kept_for_a_reader_that_goes_away(command: list[str], tmp_path: Path) -> None:
    """After the first line, at which nothing was found yet."""
    path = tmp_path / "case.replay"
    words = [*PVPERF, *command, *NO_REFCOUNT, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith(f"{command[0]}: design no-refcount")
        process.stdout.close()
        _, errors = process.communicate(timeout=300)
    assert process.returncode in (-signal.SIGPIPE, 1)  # the end may have been quicker than the reader
    assert errors == ""
    assert read_case(path).setup.design == "no-refcount"


def test_output_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path, program = tmp_path / "counts", guest(tmp_path, leave(3))
    done = pvperf("stat", "-o", path, "-x,", "-e", "instructions", program)
    assert (done.returncode, done.stderr) == (3, "")
    first = path.read_text()
    assert re.fullmatch(r"# started on \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}\n\n1,,instructions,[^\n]+\n", first)
    assert "triple fault" in pvperf("stat", "-o", path, guest(tmp_path, UNDEFINED, "bad.elf")).stderr
    assert path.read_text() == first
    pvperf("stat", "-o", path, "--append", "-x,", "-e", "branches", program)
    lines = path.read_text().splitlines()
    assert [line[:12] for line in lines[3:]] == ["# started on", "", "0,,branches,"]
    assert sorted(os.listdir(tmp_path)) == ["bad.elf", "counts", "guest.elf"]


def test_output_to_stdout() -> None:
    done = pvperf("stat", "-q", "-o", "-", "-x,", "-e", "dummy", "hello")
    assert (done.stdout.split(",")[:3], done.stderr) == (["0", "", "dummy"], "")


def test_output_keeps_links_and_modes(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    with Files() as files:
        files.output(str(link)).write("new")
        assert real.read_text() == "old"
    assert (real.read_text(), real.stat().st_mode & 0o777, link.is_symlink()) == ("new", 0o640, True)


def test_output_writes_to_what_is_no_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with Files() as files:
        files.output(str(pipe)).write("text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("64", 64 << 20), ("64M", 64 << 20), ("512k", 512 << 10), ("1G", 1 << 30), ("2GiB", 2 << 30), ("3MB", 3 << 20)],
)
def test_sizes(text: str, bytes_: int) -> None:
    assert size(text) == bytes_


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 10.0), ("10s", 10.0), ("500ms", 0.5), ("1.5s", 1.5), ("2m", 120.0), ("1h", 3600.0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "M", "-1", "1X", "1.5M", "0x10", "\u0661", "1 M", "B"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse(["run", f"--memory={text}", "hello"])


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 s", "1d", "1e3", "nan", "inf", ".", "1..5", "2000000s"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse(["run", f"--timeout={text}", "hello"])


def test_list_of_events() -> None:
    done = pvperf("events")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^cycles OR cpu-cycles +0 +0x0 ", done.stdout, re.MULTILINE)
    made = json.loads(pvperf("events", "--json").stdout)
    assert made["schema_version"] == 1
    assert {"name", "type", "config", "counts", "countable"} <= set(made["events"][0])


def test_list_of_guests() -> None:
    plain = pvperf("guests").stdout
    assert pvperf("guests", "list").stdout == plain
    made = json.loads(pvperf("guests", "--json").stdout)["guests"]
    assert [line.split()[0] for line in plain.splitlines()] == [one["name"] for one in made]
    assert {"hello", "matmul", "pingpong", "spin", "user"} <= {one["name"] for one in made}
    assert all(one["description"] and Path(one["path"]).is_file() for one in made)


def test_a_guest_of_ones_own(tmp_path: Path) -> None:
    source, program = tmp_path / "mine.c", tmp_path / "mine.elf"
    source.write_text('#include "guest.h"\nint guest_main(void) { console_printf("mine\\n"); return 7; }\n')
    assert pvperf("guests", "build", source, "-o", program).returncode == 0
    done = pvperf("run", "./mine.elf", cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert (done.returncode, done.stdout) == (7, "mine\n")


@pytest.mark.parametrize("headers", [("<stdatomic.h>", '"guest.h"'), ('"guest.h"', "<stdatomic.h>")])
def test_a_guest_with_the_atomics_of_c(tmp_path: Path, headers: tuple[str, str]) -> None:
    source, program = tmp_path / "mine.c", tmp_path / "mine.elf"
    text = "static _Atomic int n; int guest_main(void) { return 3 + atomic_fetch_add(&n, 1) + atomic_load(&n); }"
    source.write_text("".join(f"#include {header}\n" for header in headers) + text)
    assert pvperf("guests", "build", source, "-o", program).stderr == ""
    assert pvperf("run", program).returncode == 4


def test_a_guest_with_flags_of_ones_own(tmp_path: Path) -> None:
    source, program = tmp_path / "mine.c", tmp_path / "mine.elf"
    source.write_text("int guest_main(void) { return NUMBER + 10 * __POPCNT__; }\n")
    flags = '-O3 -march=x86-64-v2 -DNUMBER="(4 + 1)"'
    assert pvperf("guests", "build", source, "-o", program, f"--cflags={flags}").returncode == 0
    assert pvperf("run", program).returncode == 15
    assert "unrecognized" in pvperf("guests", "build", source, "-o", program, "--cflags=-nosuch").stderr
    unclosed = pvperf("guests", "build", source, "-o", program, "--cflags=-DX='")
    assert "is no list of words" in sentence(unclosed, 2)


def test_list_of_guests_by_name_of_the_action() -> None:
    assert pvperf("guests", "list", "--json").stdout == pvperf("guests", "--json").stdout


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_no_temporary_files(tmp_path: Path, signum: signal.Signals) -> None:
    """It comes while the compiler, which is none, is at work."""
    scratch, fifo, compiler = (tmp_path / name for name in ("scratch", "fifo", "cc"))
    scratch.mkdir()
    os.mkfifo(fifo)
    said = os.open(fifo, os.O_RDWR)  # a writer need not wait for a reader
    compiler.write_text(f"#!/bin/sh\necho up >{fifo}\nexec sleep 0.2\n")
    compiler.chmod(0o755)
    command = [*PVPERF, "guests", "build", "examples/count.c", "-o", str(tmp_path / "x.elf"), "--cc", str(compiler)]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(scratch)}) as process:
        assert os.read(said, 3) == b"up\n"
        process.send_signal(signum)
        assert process.wait(60) == -signum
    os.close(said)
    assert list(scratch.iterdir()) == []


def test_a_guest_that_does_not_compile(tmp_path: Path) -> None:
    source, program = tmp_path / "mine.c", tmp_path / "mine.elf"
    source.write_text("int guest_main(void) { return nonsense; }\n")
    done = pvperf("guests", "build", source, "-o", program)
    assert done.returncode == 2
    assert "mine.c:1:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not program.exists()
    missing = pvperf("guests", "build", source, "-o", program, "--cc", "no-such-compiler")
    assert "the C compiler 'no-such-compiler' was not found" in sentence(missing, 2)


def test_doctor() -> None:
    done = pvperf("doctor", "--json")
    made = json.loads(done.stdout)
    states = {check["check"]: check["state"] for check in made["checks"]}
    assert (done.returncode, made["ok"]) == (0, True), made
    assert set(states.values()) <= {"ok", "note"}
    assert states["atomics"] == states["posix shm"] == states["engine"] == "ok"


def test_doctor_sweeps_what_killed_vms_left() -> None:
    """A name whose process is gone; one of a process that lives is left alone."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    stale = Path("/dev/shm", f"pvperf-{gone.pid}-0123456789abcdef")
    alive = Path("/dev/shm", f"pvperf-{os.getpid()}-0123456789abcdef")
    from emulator.doctor.shared_memory import check_leftovers

    try:
        for path in (stale, alive):
            path.touch()
        finding = check_leftovers()
        assert "stale segment" in finding.text
        assert not stale.exists()
        assert alive.exists()
    finally:
        for path in (stale, alive):
            path.unlink(missing_ok=True)
