# SPDX-License-Identifier: GPL-2.0-only
"""Finds what a run has left behind: processes by a mark in their environment, and shared-memory segments."""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path

MARK = "PVPERF_TEST_MARK"


def marked(mark: str) -> list[int]:
    """Pids of live processes that were started with this mark, or forked by one that was."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and wanted in Path("/proc", entry, "environ").read_bytes().split(b"\0"):
                found.append(int(entry))
    return found


def children(pid: int) -> list[int]:
    """Pids of the live children of a process, oldest first."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit():
                state, parent = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[:2]
                if int(parent) == pid and state != "Z":
                    found.append(int(entry))
    return sorted(found)


def wait_gone(pids: list[int], seconds: float) -> bool:
    """Waits until every one of these processes has ended; False if one has not in time."""
    deadline = time.monotonic() + seconds
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poller = select.poll()
            poller.register(fd, select.POLLIN)
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                return False
        finally:
            os.close(fd)
    return True


def segments(front: int) -> list[str]:
    """Shared-memory segments in /dev/shm of the VMs of front end `front`."""
    return [name for name in os.listdir("/dev/shm") if name.startswith(f"pvperf-{front}-")]
