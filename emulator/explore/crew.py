# SPDX-License-Identifier: GPL-2.0-only
"""Processes that do jobs side by side. Each has a pipe of its own and shares no lock with anybody, so that it can be
killed in the middle of one; it ends by itself when the process that started it is gone.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

Result = TypeVar("Result")


def _work(connection: Any, not_ours: list[Any]) -> None:
    """Does what comes through the pipe until it is closed. Ctrl-C is for the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    for other in not_ours:
        other.close()
    try:
        while True:
            connection.send(connection.recv()())
    except (EOFError, OSError):
        os._exit(0)


class Crew:
    """As many processes as there are cores; with one, jobs are done in this process. A context manager."""

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes or len(os.sched_getaffinity(0))
        self._workers: list[tuple[Any, Any]] = []

    def __enter__(self) -> Crew:
        if self.processes > 1:
            import multiprocess

            context = multiprocess.get_context("fork")
            for _ in range(self.processes):
                ours, theirs = context.Pipe()
                not_ours = [ours, *(connection for _, connection in self._workers)]
                process = context.Process(target=_work, args=(theirs, not_ours), daemon=True)
                process.start()
                theirs.close()
                self._workers.append((process, ours))
        return self

    def __exit__(self, *_: object) -> None:
        for process, connection in self._workers:
            process.kill()
            process.join()
            process.close()
            connection.close()
        self._workers = []

    def each(self, jobs: Iterable[Callable[[], Result]]) -> Iterator[Result]:
        """What the jobs return, in their order. A job that raises ends its process, and this with an EOFError."""
        if not self._workers:
            for job in jobs:
                yield job()
            return
        idle = deque(connection for _, connection in self._workers)
        busy: deque[Any] = deque()
        for job in jobs:
            if not idle:
                first = busy.popleft()
                result = first.recv()
                idle.append(first)
                yield result
            connection = idle.popleft()
            connection.send(job)
            busy.append(connection)
        while busy:
            yield busy.popleft().recv()
