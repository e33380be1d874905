# SPDX-License-Identifier: GPL-2.0-only
"""Round trip of KVM_PERF_OP READ, against a bare futex ping-pong and multiprocessing.Pipe, pinned the same way."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from multiprocessing import Pipe

from emulator.bench.measure import Row, interleave, ratio

READS = 100_000
PIPE_ROUNDS = 10_000
#: As the host and the vCPU processes do where cores are not short.
SPIN_NS = 20_000


def _cores(shared: bool) -> tuple[int, int]:
    """The cores of the two sides: one core for both, or two."""
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[0]) if shared else (cores[0], cores[-1])


def _in_child(core: int, play: Callable[[], None]) -> int:
    """Forks a child that pins itself to `core`, plays its side and is gone. Returns its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            os.sched_setaffinity(0, {core})
            play()
        finally:
            os._exit(0)
    return pid


def _pinned(core: int, run: Callable[[], float]) -> float:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return run()
    finally:
        os.sched_setaffinity(0, before)


def _futex(shared: bool, *, spin: int = 0) -> Callable[[], float]:
    """Seconds a round trip of a futex ping-pong; bare, unless each side spins for `spin` ns before it sleeps."""

    def once() -> float:
        from emulator.native import load_core

        core = load_core()
        mine, theirs = _cores(shared)
        with mmap.mmap(-1, mmap.PAGESIZE) as memory:
            word = core.ffi.from_buffer("uint32_t[]", memory)
            child = _in_child(theirs, lambda: core.lib.pingpong_play(word, 1, READS, spin))
            took = _pinned(mine, lambda: float(core.lib.pingpong_play(word, 0, READS, spin)))
            os.waitpid(child, 0)
            core.ffi.release(word)
        return took * 1e-9 / READS

    return once


def _pipe(shared: bool) -> Callable[[], float]:
    """Seconds a round trip of one integer through multiprocessing.Pipe."""

    def once() -> float:
        near, far = Pipe()

        def serve() -> None:
            for _ in range(PIPE_ROUNDS):
                far.send(far.recv())

        def ask() -> float:
            start = time.perf_counter()
            for i in range(PIPE_ROUNDS):
                near.send(i)
                near.recv()
            return time.perf_counter() - start

        mine, theirs = _cores(shared)
        with near, far:
            child = _in_child(theirs, serve)
            took = _pinned(mine, ask)
            os.waitpid(child, 0)
        return took / PIPE_ROUNDS

    return once


def _read(shared: bool) -> Callable[[], float]:
    """Seconds a READ takes a guest: the whole way out, through the event table, and back."""

    def once() -> float:
        from emulator.machine import VirtualMachine

        with VirtualMachine(smp=1, pin="on" if shared else "off") as vm:
            result = vm.run("readloop", [f"count={READS}"])
        return result.elapsed_s / READS

    return once


def _rows(where: str, shared: bool, rounds: int) -> list[Row]:
    contenders = {"READ": _read(shared), "futex ping-pong": _futex(shared), "Pipe": _pipe(shared)}
    if not shared:
        contenders["spinning ping-pong"] = _futex(shared, spin=SPIN_NS)
    samples = interleave(contenders, rounds=rounds)
    read = samples["READ"]
    rows = [Row(f"{name}, {where}", sample.median * 1e6, "us", raw=sample.seconds) for name, sample in samples.items()]
    rows.append(Row(f"READ / futex ping-pong, {where}", ratio(read, samples["futex ping-pong"]), "x", "<= 1.5"))
    if not shared:
        rows.append(Row(f"READ / spinning ping-pong, {where}", ratio(read, samples["spinning ping-pong"]), "x"))
    # On one core the two context switches are most of either: the factor cannot be reached there.
    rows.append(Row(f"Pipe / READ, {where}", ratio(samples["Pipe"], read), "x", "" if shared else ">= 10"))
    return rows


def measure(*, rounds: int) -> list[Row]:
    rows = _rows("one core", True, rounds)
    if len(os.sched_getaffinity(0)) > 1:
        rows += _rows("two cores", False, rounds)
    return rows
