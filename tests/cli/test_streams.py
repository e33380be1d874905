# SPDX-License-Identifier: GPL-2.0-only
"""Standard streams and files of output: full, closed, without a reader, of any kind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from commands import PVPERF, pvperf, sentence
from tiny_guest import UNDEFINED, guest, leave

from emulator.files import Files
from emulator.races.explore.case import read_case

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
