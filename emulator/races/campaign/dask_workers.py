# SPDX-License-Identifier: GPL-2.0-only
"""A Dask cluster as the workers of a campaign. Only here is `distributed` imported."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from emulator.errors import HostError, UsageError
from emulator.races.campaign.job import code
from emulator.terminal.counted import counted

#: How long to wait for the scheduler, and for its first worker: machines are busy. Where nothing listens nobody waits.
_WAIT_SECONDS = 120
#: Jobs in flight for each thread: one runs, the others are on their way.
_AHEAD = 3
#: How long the number of threads is taken for what it was.
_ASK_SECONDS = 5.0


class DaskWorkers:
    """The cluster whose scheduler is at an address. A context manager."""

    def __init__(self, address: str) -> None:
        try:
            distributed: Any = import_module("distributed")
        except ImportError:
            raise UsageError("--dask needs the package distributed: pip install 'pvperf[dask]'") from None
        self._distributed, self._address = distributed, address
        self._client: Any = None
        self._in_flight, self._ask_again = 0, 0.0

    def __enter__(self) -> DaskWorkers:
        _knock(self._address)
        try:
            self._client = self._distributed.Client(self._address, timeout=_WAIT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise UsageError(f"no Dask scheduler answers at {self._address}: {error}") from None
        try:
            self._client.wait_for_workers(1, timeout=_WAIT_SECONDS)
            refuse_others({address: (said["python"], said["code"]) for address, said in self._ask().items()})
        except TimeoutError:
            self._client.close()
            raise UsageError(f"the Dask scheduler at {self._address} has no workers") from None
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def _ask(self) -> dict[str, dict[str, str]]:
        """What each worker runs."""
        try:
            return dict(self._client.run(identity))
        except ImportError as error:
            raise UsageError(f"a worker at {self._address} cannot import pvperf: {error}") from None

    def __str__(self) -> str:
        threads = self._client.nthreads()
        return f"Dask at {self._address}: {counted(len(threads), 'worker')}, {counted(sum(threads.values()), 'thread')}"

    def as_done(self, jobs: Iterable[Callable[[], Any]]) -> Iterator[Any]:
        """What the jobs return, as they end. Dask does again what a worker that is gone has not finished."""
        left = iter(jobs)
        running = self._distributed.as_completed(loop=self._client.loop, with_results=True)
        self._fill(running, left)
        try:
            for _, result in running:
                if isinstance(result, self._distributed.CancelledError):
                    raise HostError(f"the Dask scheduler at {self._address} is gone")
                self._fill(running, left)
                yield result
        except self._distributed.KilledWorker as error:
            raise HostError(f"a job ended every worker that it ran on: {error}") from None

    def _fill(self, running: Any, left: Iterator[Callable[[], Any]]) -> None:
        """Sends jobs ahead: a worker that is done waits for nobody, and least of all for this process."""
        while running.count() < self._wanted() and (job := next(left, None)):
            running.add(self._client.submit(job, pure=False))

    def _wanted(self) -> int:
        """Jobs in flight. That asks the scheduler, and waits for its answer: not for each job."""
        if time.monotonic() >= self._ask_again:
            self._in_flight = _AHEAD * max(1, sum(self._client.nthreads().values()))
            self._ask_again = time.monotonic() + _ASK_SECONDS
        return self._in_flight


def _knock(address: str) -> None:
    """UsageError at once where an address has nobody behind it, which the client would try again and again."""
    url = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        if url.scheme in ("tcp", "tls") and url.hostname and url.port:
            socket.create_connection((url.hostname, url.port), _WAIT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at {address}: {error}") from None


def identity() -> dict[str, str]:
    """What this process runs; a worker is asked for it."""
    return {"python": "{}.{}".format(*sys.version_info), "code": code()}


def refuse_others(workers: dict[str, tuple[str, str]]) -> None:
    """UsageError unless all workers run the Python and the code of this process."""
    ours = identity()
    for address, (python, theirs) in workers.items():
        if theirs != ours["code"]:
            raise UsageError(f"the worker {address} runs the code '{theirs}', and this is '{ours['code']}'")
        if python != ours["python"]:
            raise UsageError(f"the worker {address} runs Python {python}, and this is {ours['python']}")
