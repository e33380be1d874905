# SPDX-License-Identifier: GPL-2.0-only
"""Processes that do jobs side by side. Each has a pipe of its own and shares no lock with anybody, so that it can be
killed in the middle of one; it ends by itself when the process that started it is gone.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, TypeVar

from emulator.errors import HostError

Result = TypeVar("Result")

_MOST_TRIES = 3
_TICK_SECONDS = 0.1


def _work(connection: Any, not_ours: list[Any]) -> None:
    """Does what comes through the pipe until it is closed."""
    for other in not_ours:
        other.close()
    try:
        while True:
            connection.send(connection.recv()())
    except (EOFError, OSError):
        os._exit(0)


class Crew:
    """As many processes as there are cores; with one, jobs are done in this process. A context manager.

    `tick` is called again and again while jobs are done.
    """

    def __init__(self, processes: int | None = None, *, tick: Callable[[], None] = lambda: None) -> None:
        self.processes = processes or len(os.sched_getaffinity(0))
        self._tick = tick
        self._workers: list[tuple[Any, Any]] = []

    def __enter__(self) -> Crew:
        try:
            for _ in range(self.processes if self.processes > 1 else 0):
                self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> Any:
        """One more worker. It gets this process's ends of all pipes, and closes them."""
        from multiprocess.connection import Pipe

        from emulator.vm.process import fork_worker

        ours, theirs = Pipe()
        process = fork_worker(_work, (theirs, [ours, *(connection for _, connection in self._workers)]))
        theirs.close()
        self._workers.append((process, ours))
        return ours

    def __exit__(self, *_: object) -> None:
        while self._workers:
            self._end(self._workers[-1][1])

    def _end(self, ours: Any) -> None:
        """Ends the worker at the other end of this pipe, whatever it does."""
        at = next(at for at, (_, connection) in enumerate(self._workers) if connection is ours)
        process, _ = self._workers.pop(at)
        process.kill()
        process.join()
        process.close()
        ours.close()

    def __str__(self) -> str:
        return f"this machine, {self.processes} at a time"

    def each(self, jobs: Iterable[Callable[[], Result]]) -> Iterator[Result]:
        """What the jobs return, in their order. A job that raises ends its process, and this with an EOFError."""
        if not self._workers:
            for job in jobs:
                yield job()
                self._tick()
            return
        idle = deque(connection for _, connection in self._workers)
        busy: deque[Any] = deque()
        for job in jobs:
            if not idle:
                first = busy.popleft()
                result = self._receive(first)
                idle.append(first)
                yield result
            connection = idle.popleft()
            connection.send(job)
            busy.append(connection)
        while busy:
            yield self._receive(busy.popleft())

    def _receive(self, connection: Any) -> Any:
        while not connection.poll(_TICK_SECONDS):
            self._tick()
        self._tick()
        return connection.recv()

    def as_done(self, jobs: Iterable[Callable[[], Result]]) -> Iterator[Result]:
        """What the jobs return, as they end. A worker that dies is replaced, and its job done again; HostError where a
        job has ended so often that it is no accident.
        """
        if not self._workers:
            for job in jobs:
                yield job()
                self._tick()
            return
        from multiprocess.connection import wait

        left: Iterator[tuple[Callable[[], Result], int]] = ((job, 1) for job in jobs)
        idle, doing = [connection for _, connection in self._workers], dict[Any, tuple[Callable[[], Result], int]]()
        while True:
            while idle and (task := next(left, None)):
                _send(idle[-1], task[0])
                doing[idle.pop()] = task
            if not doing:
                return
            self._tick()
            for connection in wait(list(doing), _TICK_SECONDS):
                job, tried = doing.pop(connection)
                try:
                    result = connection.recv()
                except (EOFError, OSError):
                    if tried == _MOST_TRIES:
                        raise HostError(f"a process that did a job was gone before its end, {tried} times") from None
                    self._end(connection)
                    left = chain([(job, tried + 1)], left)
                    idle.append(self._start())
                else:
                    idle.append(connection)
                    yield result


def _send(connection: Any, job: Callable[[], Result]) -> None:
    """To a worker that is gone, too: that is seen where its result is waited for."""
    with contextlib.suppress(OSError):
        connection.send(job)
