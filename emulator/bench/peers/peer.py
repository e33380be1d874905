# SPDX-License-Identifier: GPL-2.0-only
"""What the exit path is measured against: the limits, what one would write by hand, and what the kernel offers."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from multiprocessing import Pipe
from statistics import median

import posix_ipc

from emulator.bench.measuring.case import Absent
from emulator.bench.measuring.vm import cores
from emulator.bench.peers.pair import against_child, pinned
from emulator.native import load_bench, load_core

#: As the host and the vCPU processes do where cores are not short.
SPIN_NS = 20_000
#: As in the guest `ops`: a round trip is that of the batch in the middle, so that one during which others had the
#: processor says nothing.
BATCHES = 100
_FEW_BATCHES = 10  # of what has to be set up anew for each
_LINE = 64  # bytes of a cache line
_PATIENCE_SECONDS = 5.0


def side_cores(shared: bool) -> tuple[int, int]:
    """The cores of the two sides: one core for both, or two."""
    have = cores()
    return (have.first, have.first) if shared else (have.first, have.last)


def futex(shared: bool, rounds: int, *, spin_ns: int = 0) -> Callable[[], float]:
    """Microseconds a round trip of a futex ping-pong; bare, unless each side spins for `spin_ns` before it sleeps."""

    per_trip = 1e-3 / (rounds // BATCHES)

    def once() -> float:
        core = load_core()
        with mmap.mmap(-1, BATCHES * _LINE) as memory:
            words = core.ffi.from_buffer("uint32_t[]", memory)

            def play(side: int) -> list[float]:
                """Each batch is a game on a word of its own."""
                places = range(0, BATCHES * _LINE // 4, _LINE // 4)
                games = [core.lib.pingpong_play(words + k, side, rounds // BATCHES, spin_ns) for k in places]
                return [float(took) for took in games]

            try:
                return against_child(*side_cores(shared), lambda: median(play(0)), lambda: play(1)) * per_trip
            finally:
                core.ffi.release(words)

    return once


def pipe(shared: bool, rounds: int) -> Callable[[], float]:
    """Microseconds a round trip of one integer through multiprocessing.Pipe."""

    def once() -> float:
        near, far = Pipe()

        def ask() -> None:
            near.send(1)
            near.recv()

        def serve() -> None:
            far.send(far.recv())

        with near, far:
            return _round_trip(shared, rounds, ask, serve)

    return once


def message_queue(shared: bool, rounds: int) -> Callable[[], float]:
    """Microseconds a call and its answer through two posix_ipc.MessageQueue."""

    def once() -> float:
        names = [f"/pvperf-bench-{os.getpid()}-{side}" for side in ("call", "answer")]
        queues: list[posix_ipc.MessageQueue] = []

        def ask() -> None:
            queues[0].send(b"12345678", _PATIENCE_SECONDS)
            queues[1].receive(_PATIENCE_SECONDS)

        def serve() -> None:
            queues[1].send(queues[0].receive(_PATIENCE_SECONDS)[0], _PATIENCE_SECONDS)

        try:
            for name in names:
                queues.append(posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=1, max_message_size=8))
                queues[-1].unlink()
            return _round_trip(shared, rounds, ask, serve)
        except (OSError, posix_ipc.Error) as error:
            raise Absent(f"no POSIX message queue can be had: {error}") from None
        finally:
            for queue in queues:
                queue.close()

    return once


def _round_trip(shared: bool, rounds: int, ask: Callable[[], None], serve: Callable[[], None]) -> float:
    """Microseconds of one `ask()`, which the other side's `serve()` answers."""

    def ask_all() -> float:
        batches = []
        for _ in range(BATCHES):
            start = time.perf_counter_ns()
            for _ in range(rounds // BATCHES):
                ask()
            batches.append(time.perf_counter_ns() - start)
        return median(batches)

    def serve_all() -> None:
        for _ in range(rounds // BATCHES * BATCHES):
            serve()

    return against_child(*side_cores(shared), ask_all, serve_all) / (rounds // BATCHES) * 1e-3


def perf_event(call: str, rounds: int) -> Callable[[], float]:
    """Microseconds of a call on the kernel's own perf event: ENABLE, DISABLE or READ, on a software event."""

    def once() -> float:
        lib = load_bench().lib
        number = getattr(lib, f"PERF_EVENT_CALL_{call}")
        return _repeat(lambda n: int(lib.perf_event_repeat(number, n)), rounds, "perf_event_open is refused")

    return once


def kvm_exit(rounds: int) -> Callable[[], float]:
    """Microseconds of an exit of the real KVM to user space and back."""

    def once() -> float:
        lib = load_bench().lib
        return _repeat(lambda n: int(lib.kvm_exit_repeat(n)), rounds, "/dev/kvm cannot be used")

    return once


def _repeat(run: Callable[[int], int], rounds: int, refused: str) -> float:
    """Microseconds of one of `run(n)` calls, which gives nanoseconds or a negative errno; pinned, in few batches."""
    size = max(1, rounds // _FEW_BATCHES)
    with pinned(cores().first):
        batches = [run(size) for _ in range(_FEW_BATCHES)]
    if min(batches) < 0:
        raise Absent(f"{refused}: {os.strerror(-min(batches))}")
    return median(batches) / size * 1e-3
