# SPDX-License-Identifier: GPL-2.0-only
"""A leak check around every test: no process, thread or shared-memory segment is left over."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import wait_gone

from emulator.errors import PvperfError
from emulator.native import load_engine

with contextlib.suppress(PvperfError):
    load_engine()  # before a test loads Unicorn otherwise: as in a VM, what is in front of its functions is found first

# Everything that a test starts inherits this, also what outlives its parent.
_VARIABLE = "PVPERF_TEST_RUN"
_SEGMENT = re.compile(r"pvperf-(\d+)-.*")
_LEAVE_SECONDS = 10.0
#: Processes that were there before the first test, and have been since: none of them is looked into for each test.
_others: set[str] = set()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Failures(config), "failures")


class _Failures:
    """Names what fails as it fails: a run that is cut short has no summary."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._config.get_terminal_writer().line(f"\nFAILED {report.nodeid}, {report.when}")


@pytest.fixture(scope="session", autouse=True)
def run_mark() -> Iterator[str]:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored,
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and with nohup this
    mark = uuid.uuid4().hex
    _others.update(_processes())
    os.environ[_VARIABLE] = mark
    yield mark
    del os.environ[_VARIABLE]
    assert started(mark) == {}, "processes were left over after the last test"


@pytest.fixture(autouse=True)
def leak_check(run_mark: str) -> Iterator[None]:
    before, threads, named = set(started(run_mark)), set(threading.enumerate()), segments()
    yield
    left = {pid: command for pid, command in started(run_mark).items() if pid not in before}
    if not wait_gone(list(left), _LEAVE_SECONDS):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        pytest.fail(f"processes were left over: {left}")
    assert set(threading.enumerate()) <= threads, "threads were left over"
    assert orphaned(segments() - named) == set(), "shared-memory segments were left over"


def started(mark: str) -> dict[int, str]:
    """Live processes that carry the mark, and their command lines. This one got it too late to carry it."""
    there, found = _processes(), {}
    _others.intersection_update(there)
    for entry in there - _others:
        with contextlib.suppress(OSError):
            if f"{_VARIABLE}={mark}".encode() in Path("/proc", entry, "environ").read_bytes():
                found[int(entry)] = Path("/proc", entry, "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def _processes() -> set[str]:
    return {entry for entry in os.listdir("/proc") if entry.isdigit()}


def segments() -> set[str]:
    return {name for name in os.listdir("/dev/shm") if _SEGMENT.fullmatch(name)}


def orphaned(names: set[str]) -> set[str]:
    """Those whose front end is gone, or is this process; those of others are theirs to remove."""
    found = set()
    for name in names:
        match = _SEGMENT.fullmatch(name)
        assert match
        if int(match[1]) == os.getpid() or not os.path.exists(f"/proc/{match[1]}"):
            found.add(name)
    return found
