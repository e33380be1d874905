# SPDX-License-Identifier: GPL-2.0-only
"""The host core alone under stress: a thread for each vCPU plays a scenario, with real locks and with noise.

It runs in a process of its own, which a violation may cost: what is corrupt ends it, and what hangs is killed with it.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

from emulator.errors import HostError, PvperfError, UsageError, explain
from emulator.native import load_stress
from emulator.races.explore import specification
from emulator.races.explore.machine import ORACLES, Setup, fill_machine, fill_program
from emulator.races.explore.program import HYPERCALLS, Program
from emulator.races.stress.boot import Outcome
from emulator.races.stress.playing import Playing

#: Rounds of a program before the next one has its turn.
_ROUNDS = 50
#: A round takes microseconds; one that takes so long hangs, seconds.
HANG_SECONDS = 5.0
#: An operation of a long history takes microseconds, and so does its check; so long is waited for each, ns.
_HISTORY_NS = 100_000
#: How long a process may be silent behind that, seconds: it is busy, or it is gone.
_GRACE_SECONDS = 10.0
#: The host's figures, by their names in struct stress_totals.
_FIGURES = {
    "raised": "overflows_raised",
    "delivered": "overflows_delivered",
    "dropped": "overflows_dropped",
    "nmis": "nmi_raised",
    "nmi_misses": "nmi_misses",
    "failed_syncs": "failed_syncs",
}


@dataclass(frozen=True)
class Block:
    """What a machine plays: each program for some rounds, in turn, until `seconds` are over."""

    setup: Setup
    programs: tuple[Program, ...]
    seed: int
    noise_permille: int
    seconds: float
    hang_seconds: float
    history: int = 0  # operations of the one round of the first program that is played then; 0: short rounds

    @property
    def passes(self) -> int:
        """How often the program is played for a history that is at least so long."""
        calls = sum(op.kind in HYPERCALLS for ops in self.programs[0].vcpus for op in ops)
        return -(-self.history // calls) if calls else 1


@dataclass
class Played:
    """What came of a block. `program` is the one that violated `oracle`."""

    figures: dict[str, int]
    oracle: str = ""
    text: str = ""
    program: int = 0
    specified: bool = True  # the results were compared with the sequential specification

    @property
    def unknown(self) -> bool:
        """Was there a history in which too much ran at once to follow it?"""
        return self.specified and bool(self.figures.get("unknown"))


def _specify(module: Any, setup: Setup, program: Program) -> bool:
    """Hands over the sequential specification; False where it has too many states to be tabled."""
    states, columns, cells = specification.table_of(setup, program)
    buffer = module.ffi.from_buffer("struct explore_transition[]", cells)
    if module.lib.explore_specification_set(buffer, states, columns):
        module.lib.explore_specification_set(module.ffi.NULL, 0, 0)
        return False
    return True


def play_block(block: Block) -> Played:
    """Plays it in this process, which is of no use for another one after a violation."""
    module = load_stress()
    ffi, lib = module.ffi, module.lib
    machine, names = fill_machine(ffi, block.setup, len(block.programs[0].vcpus))
    why = ffi.new("char[128]")
    if error := lib.stress_create(machine, why, len(why)):
        if error in (-errno.EAGAIN, -errno.ENOMEM):
            raise HostError(f"cannot make the host's threads: {explain(OSError(-error, os.strerror(-error)))}")
        raise UsageError(f"no such machine: {ffi.string(why).decode() or error}")
    amount, verdict = ffi.new("struct stress_amount *"), ffi.new("struct explore_verdict *")
    totals = ffi.new("struct stress_totals *")
    amount.seed, amount.count, amount.noise_permille = block.seed, _ROUNDS, block.noise_permille
    amount.patience_ns = int(block.hang_seconds * 1e9)
    amount.deadline_ns = time.monotonic_ns() + int(block.seconds * 1e9)
    if block.history:
        amount.count, amount.passes = 1, block.passes
        amount.patience_ns += block.history * _HISTORY_NS
    played = Played({})
    turn = 0
    while not turn or (not block.history and time.monotonic_ns() < amount.deadline_ns):
        played.program = turn % len(block.programs)
        program = block.programs[played.program]
        if lib.stress_program_set(fill_program(ffi, program)):
            raise UsageError("the program does not fit the machine")
        played.specified &= _specify(module, block.setup, program)
        amount.first = turn * _ROUNDS
        turn += 1
        lib.stress_run(amount, totals, verdict)
        if verdict.oracle:
            played.oracle, played.text = ORACLES[verdict.oracle], ffi.string(verdict.text).decode()
            break
    lib.stress_destroy()
    del names  # the machine was booted with them, perhaps more than once
    fields = ("rounds", "operations", "refused", "ended", "full", "checked_ns", "widest", "unknown", *_FIGURES)
    played.figures = {name: int(getattr(totals, name)) for name in fields}
    return played


def _serve(connection: Any, not_ours: Any) -> None:
    """Does what comes through the pipe until that is closed."""
    not_ours.close()
    try:
        while True:
            try:
                answer = connection.recv()()
            except PvperfError as error:
                answer = error
            connection.send(answer)
    except (EOFError, OSError):
        os._exit(0)


class NativeRunner:
    """A process that plays blocks, and is replaced after one that breaks it. A context manager.

    A round that takes `hang_seconds` hangs.
    """

    def __init__(self, *, hang_seconds: float = HANG_SECONDS) -> None:
        self._hang_seconds = hang_seconds
        self._process: Any = None
        self._connection: Any = None

    def __enter__(self) -> NativeRunner:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def _start(self) -> None:
        from multiprocess.connection import Pipe

        from emulator.vm.process import fork_worker

        self._connection, theirs = Pipe()
        self._process = fork_worker(_serve, (theirs, self._connection))
        theirs.close()

    def _end(self) -> int:
        """How the process ended: minus the signal's number."""
        if not self._process:
            return 0
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        status = int(self._process.exitcode or 0)
        self._process.close()
        self._connection.close()
        self._process = None
        return status

    def ask(self, job: Callable[[], Played], patience: float) -> Played:
        """What a job returns that the process does, or how that ended; `patience` is in seconds."""
        if not self._process:
            self._start()
        self._connection.send(job)
        if not self._connection.poll(patience):
            self._end()
            return Played({}, "O10 progress", f"the process did not answer for {patience:.0f} s")
        try:
            answer = self._connection.recv()
        except EOFError:
            self._process.join(1.0)
            status = self._end()
            name = signal.Signals(-status).name if status < 0 else f"status {status}"
            return Played({}, "O1 memory", f"the process of the host died of {name}")
        if isinstance(answer, PvperfError):
            raise answer
        if answer and answer.oracle:
            self._end()
        return answer  # type: ignore[no-any-return]

    def play(
        self, playing: Playing, *, seed: int, noise_permille: int, seconds: float, history: int = 0
    ) -> tuple[Outcome, Playing]:
        """A boot's worth of rounds, and what was played when they ended: all, or the program that violated. With
        `history`, one round of at least so many operations of the first program, which is played over and over.
        """
        block = Block(playing.setup, playing.programs, seed, noise_permille, seconds, self._hang_seconds, history)
        patience = seconds + self._hang_seconds + 2 * history * _HISTORY_NS / 1e9 + _GRACE_SECONDS
        played = self.ask(partial(play_block, block), patience)
        figures = played.figures
        host = {name: figures.get(figure, 0) for figure, name in _FIGURES.items()}
        host["events_open_peak"] = playing.setup.max_events if figures.get("full") else 0
        outcome = Outcome(
            rounds=figures.get("rounds", 0),
            ledger={
                "done": figures.get("operations", 0),
                "refused": figures.get("refused", 0),
                "overflows": figures.get("delivered", 0),
                "compared": figures.get("raised", 0),
            },
            host=host,
            oracle=played.oracle,
            text=played.text,
            no_memory=figures.get("ended", 0),
            specified=played.specified,
            checked_seconds=figures.get("checked_ns", 0) / 1e9,
            widest=figures.get("widest", 0),
            unknown=played.unknown,
        )
        if played.oracle and figures:
            playing = Playing((playing.programs[played.program],), playing.setup)
        return outcome, playing
