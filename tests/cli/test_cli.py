# SPDX-License-Identifier: GPL-2.0-only
"""The command line as a user meets it: its words, versions, numbers, and what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import pvperf, sentence

from emulator import __version__
from emulator.cli.options.commands import COMMANDS
from emulator.cli.options.parse import parse
from emulator.errors import UsageError
from emulator.races.explore.scenarios import SCENARIOS
from emulator.terminal.counted import counted
from emulator.terminal.quantity import duration, size

WITHOUT_JSON = ("bench", "run", "linux", "record", "script", "stress", "completion", "man", "help")


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


def test_a_guest_gets_what_follows_the_dashes() -> None:
    for arguments in (["hello", "--", "lines=2"], ["--", "hello", "lines=2"]):
        assert pvperf("run", *arguments).stdout.count("hello from vCPU 0 of 1") == 2


def test_quiet_and_verbose() -> None:
    assert pvperf("run", "-q", "hello").stdout == ""
    done = pvperf("run", "-v", "hello")
    assert done.stdout == "hello from vCPU 0 of 1, line 1\n"
    assert re.search(r"^pvperf: console_bytes +31$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("command", ["explore", "stress"])
def test_help_names_every_scenario(command: str) -> None:
    said = set(re.findall(r"[\w-]+", pvperf(command, "--help").stdout))
    assert {*SCENARIOS} <= said


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
