# SPDX-License-Identifier: GPL-2.0-only
"""Two processes that play against each other, each on its core."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from emulator.bench.measuring.case import Failed


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """This process on one core, for the body."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def against_child(mine: int, theirs: int, play: Callable[[], float], other: Callable[[], object]) -> float:
    """`play()` on core `mine`, while a forked child runs `other()` on core `theirs`; what `play` returns.

    Raises Failed if the child did. It is gone afterwards in any case.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.sched_setaffinity(0, {theirs})
            other()
            status = 0
        finally:
            os._exit(status)
    status = -1
    try:
        with pinned(mine):
            took = play()
        status = os.waitpid(pid, 0)[1]
    finally:
        if status == -1:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    if status:
        raise Failed(f"the other side of a pair failed with status {status}")
    return took
