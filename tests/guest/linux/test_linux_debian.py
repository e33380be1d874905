# SPDX-License-Identifier: GPL-2.0-only
"""Debian's kernel, where it has been fetched: to a command, a script and a shell, and how it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from pathlib import Path

import pytest
from commands import PVPERF, pvperf

from emulator.debian import places
from emulator.guest.linux.kallsyms import kernel_symbols

KERNEL = places.directory() / places.KERNEL
pytestmark = pytest.mark.skipif(
    not (places.directory() / places.FULL).exists(), reason="Debian's kernel is not there: pvperf linux --fetch"
)
PATIENCE = 120.0
PROMPT = rb"~ # (\x1b\[6n)?$"  # it asks where the cursor is


def linux(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    return pvperf("linux", "--small", *words, **{"stdin": subprocess.DEVNULL, **options})


def test_a_command_is_all_that_is_heard_of() -> None:
    done = linux("--", "sh", "-c", "uname -sr; nproc; exit 5")
    release = KERNEL.resolve().name.removeprefix("vmlinuz-")
    assert (done.stdout, done.stderr) == (f"Linux {release}\n1\n", "")
    assert done.returncode == 5


def test_files_are_added_for_a_program(tmp_path: Path) -> None:
    """A script of this system, which is run where it lies."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "text").write_text("of this system\n")
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\npwd\ncat $1\n")
    program.chmod(0o755)
    done = linux("--add", program, "--add", tmp_path / "folder", "--", "./program", "folder/text")
    assert (done.stdout, done.stderr, done.returncode) == ("/root\nof this system\n", "", 0)


def test_a_script_is_fed_by_a_pipe_and_its_end_is_the_end() -> None:
    """Also what comes before the shell is there, and more lines than the UART holds."""
    lines = "\n".join(f"echo line {number}" for number in range(400)) + "\n" + "\n".join(["true"] * 1000)
    done = pvperf("linux", "--small", input=f"read word\nhello\necho got $word\n{lines}\necho over; (exit 3)")
    assert done.stdout == "got hello\n" + "".join(f"line {number}\n" for number in range(400)) + "over\n"
    assert (done.returncode, done.stderr) == (3, "")


def test_the_same_instructions_each_time() -> None:
    """With one vCPU, of the kernel's start, of programs and of their end."""
    counts = []
    for _ in range(2):
        done = pvperf(
            *(
                "stat",
                "-x,",
                "-e",
                "instructions:k,instructions:u",
                KERNEL,
                "--initrd",
                places.directory() / places.SMALL,
            ),
            *("--cmdline", "quiet", "--", "sh", "-c", "ls /proc | sort | md5sum"),
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stderr
        counts.append([int(line.split(",")[0]) for line in done.stderr.splitlines()])
    assert counts[0] == counts[1]
    assert len(counts[0]) == 2
    assert counts[0][0] > 100_000_000
    assert counts[0][1] > 1_000_000


def test_a_panic_is_told_with_its_reason() -> None:
    done = linux("-q", "--append", "rdinit=/none")
    first, *lines = done.stderr.splitlines()
    assert done.returncode == 123
    assert first.startswith(
        "pvperf: the guest's kernel has panicked: VFS: Unable to mount root fs on unknown-block(0,0)"
    )
    assert any("Kernel panic - not syncing" in line for line in lines)
    assert any("Call Trace" in line for line in lines)


def test_typing_on_a_terminal() -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (33, 101))
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [*PVPERF, "linux", "--small"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
        env={**os.environ, "TERM": "xterm"},
    )
    try:
        until(master, PROMPT)
        os.write(master, b"echo $((6 * 7)) $TERM; stty size\r")
        assert re.search(rb"\n42 xterm\s+33 101\s", until(master, rb"\n33 101.*" + PROMPT))
        os.write(master, b"sh -c 'echo begun; sleep 1000000'\r")
        until(master, rb"\nbegun")
        os.write(master, b"\x03")  # Ctrl-C is the guest's
        until(master, rb"\^C.*" + PROMPT)
        os.write(master, b"\x01h")
        until(master, rb"\^A x  end the VM")
        os.write(master, b"\x01x")
        assert process.wait(PATIENCE) == 0
        assert termios.tcgetattr(slave) == before
    finally:
        process.kill()
        process.wait()
        for fd in (master, slave):
            os.close(fd)


def until(fd: int, pattern: bytes) -> bytes:
    """What comes until something is there that looks like this, at the end of it."""
    came, deadline = b"", time.monotonic() + PATIENCE
    while not re.search(pattern, came, re.DOTALL):
        assert time.monotonic() < deadline, came[-500:]
        if select.select([fd], [], [], 1.0)[0]:
            came += os.read(fd, 4096)
    return came


def test_its_functions_have_names() -> None:
    symbols = kernel_symbols(str(KERNEL))
    assert symbols is not None
    names = {symbol.name: symbol for symbol in symbols.symbols}
    assert names["startup_64"].address == 0xFFFF_FFFF_8100_0000
    assert {"start_kernel", "schedule", "perf_event_overflow"} <= names.keys()
    assert symbols.find(names["schedule"].address + 5) == names["schedule"]
