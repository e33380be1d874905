# SPDX-License-Identifier: GPL-2.0-only
"""How commands end: with the guest, by a signal, by a time-out, with the host."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from commands import PVPERF, pvperf, started
from processes import children
from tiny_guest import SPIN, count_down, guest, leave, say


@pytest.mark.parametrize("status", [0, 1, 42, 255])
@pytest.mark.parametrize("command", ["run", "stat"])
def test_the_exit_status_is_the_guests(tmp_path: Path, command: str, status: int) -> None:
    done = pvperf(command, guest(tmp_path, say(b"x\xffy") + leave(status)), errors="surrogateescape")
    assert (done.returncode, done.stdout) == (status, "x\udcffy")
    assert ("instructions" in done.stderr) == (command == "stat")


def test_time_out_prints_what_it_has(tmp_path: Path) -> None:
    done = pvperf("stat", "--timeout", "2s", "-e", "instructions", guest(tmp_path, SPIN))
    assert done.returncode == 124
    assert re.search(r"\d,\d{3} +instructions", done.stderr)
    assert " Partial: it ended early: the time-out; the counts are those until then\n" in done.stderr
    assert done.stderr.endswith("pvperf: the guest did not end within 2 s\n")


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
