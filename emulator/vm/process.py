# SPDX-License-Identifier: GPL-2.0-only
"""How processes are forked, named, watched, and tied to each other's life."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from multiprocess import context

from emulator.places import module_path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
HOST_NAME = "pvperf:host"
_ENDING = (signal.SIGTERM, signal.SIGHUP)


def fork(target: Callable[..., None], args: tuple[Any, ...]) -> tuple[Any, int]:
    """A multiprocess.Process that is a fork of this one, which must have a single thread; and its pidfd.

    The pidfd is opened here because starting the next process reaps those that have died.
    """
    child = context.ForkProcess(target=target, args=args)
    child.start()
    return child, os.pidfd_open(child.pid)


def fork_worker(target: Callable[..., None], args: tuple[Any, ...]) -> Any:
    """A multiprocess.Process that is a fork of this one and ends with it, however that imports its modules.

    Ctrl-C is for the process that waits; what else ends a command ends a worker without a word, at any moment.
    """
    child = context.ForkProcess(target=_work, args=(target, args), daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, *_ENDING))
    try:
        child.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child


def _work(target: Callable[..., None], args: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for signum in _ENDING:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, *_ENDING))
    sys.path[:] = module_path()
    target(*args)


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process the moment its parent dies; leaves at once if that has happened already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(0)


def name_process(name: str) -> None:
    """Sets what `ps` shows as the command; at most 15 bytes are kept."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)  # without /proc, which may not be there


# What else than a fault of its own ends a process so.
_HINTS = {
    signal.SIGBUS: " (is /dev/shm full?)",
    signal.SIGKILL: " (by somebody; or the machine or the container has no memory left, or ulimit -t was reached)",
    signal.SIGXCPU: " (ulimit -t was reached)",
}


def describe_exit(status: int | None) -> str:
    """How a process ended, by multiprocess' exit code; None: somebody else has reaped it."""
    if status is None:
        return "is gone"
    if status >= 0:
        return f"left with exit status {status}"
    return f"was killed by {signal.Signals(-status).name}{_HINTS.get(signal.Signals(-status), '')}"


def pss_kib(pid: int) -> int:
    """Proportional set size of a process: its own memory, and its share of what it shares, KiB."""
    with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1])
    return 0
