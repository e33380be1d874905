# SPDX-License-Identifier: GPL-2.0-only
"""One boot of a stressed VM: what it counted, and which oracle was violated."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import threading
import time
from dataclasses import dataclass, field

from emulator.errors import GuestError, HostDied, HostPanic, OutOfMemory, VcpuDied
from emulator.races.stress.playing import Playing
from emulator.vm.machine import Machine, MachineConfig, parse_faults
from emulator.vm.result import Result

#: A VM in which no round ends for so long, seconds, hangs if it sleeps; a round takes a few milliseconds.
HANG_SECONDS = 5.0
#: One that is busy hangs after so much CPU time of all its processes; starting them takes a second or two.
_BUSY_SECONDS = 15.0
#: So many looks in a row at a process must find it asleep.
_STILL = 10
#: Behind a kill, seconds. An error comes after milliseconds; what others keep from running is no violation.
_KILL_SECONDS = 5.0
_LEDGER = re.compile(r"(\w+)=(\d+)")
#: What a panic's text says of the oracle; the first that fits.
_PANICS = (
    (re.compile(r"freed|no host event|null pointer|overflow_events"), "O1 memory"),
    (re.compile(r" lock|holds|wrong order|NMI"), "O7 lock order"),
    (re.compile(r"overflows were lost"), "O5 conservation"),
)
#: What the host finds at a round's end, by the bits of enum pv_quiet.
_UNBALANCED = (
    ("O5 conservation", "the host's ledger does not add up: overflows are lost"),
    ("O5 conservation", "the host delivered another number of overflows than the guest took"),
    ("O2 references", "events are still in memory after they were closed"),
    ("O3 limit", "events count against the limit, and none is open"),
)


@dataclass
class Outcome:
    """What a boot came to. `oracle` is empty if all held."""

    rounds: int = 0
    ledger: dict[str, int] = field(default_factory=dict)  # the guest's
    host: dict[str, int] = field(default_factory=dict)
    oracle: str = ""
    text: str = ""
    killed: str = ""
    took: float = 0.0  # seconds from that to the error, and to the end of the last process
    no_memory: int = 0  # VMs that an allocation which was made to fail has ended
    specified: bool = True  # results were judged by the specification
    checked_seconds: float = 0.0  # that took, for a long history
    widest: int = 0  # in so many states at once could the object have been
    unknown: bool = False  # in too many to follow


#: Signals by which the machine, its limits or a hand end a process, and no fault of the design does: the OOM killer's,
#: that of a full /dev/shm, and that of ulimit -t.
_OF_THE_MACHINE = ("SIGKILL", "SIGBUS", "SIGXCPU")


def run(
    config: MachineConfig, playing: Playing, *, rounds: int, seed: int, hostile: int, kill: bool, noise: bool = True
) -> Outcome:
    """Boots it and judges the end. With `kill`, a process of the VM is killed at a moment that the seed picks."""
    outcome, output = Outcome(), bytearray()
    arguments = [f"rounds={rounds}", f"seed={seed & 0xFFFFFFFF}", f"hostile={hostile}", *playing.arguments()]
    arguments += [] if noise else ["noise=0"]
    if config.design == "posted" and not playing.setup.strict_errno:
        arguments.append("posted=1")  # else its errno at the limit hides all that comes later
    with Machine(config) as vm:
        killer = _Killer(vm, seed) if kill else None
        watch = _Watch(vm, output)
        try:
            _judge(outcome, vm.run("stress", arguments, console=output.extend), config)
        except HostPanic as error:
            text = str(error)
            outcome.oracle = next((oracle for sign, oracle in _PANICS if sign.search(text)), "O2 references")
            outcome.text = text
        except OutOfMemory as error:
            if not error.statistics:
                raise  # it could not be built: this machine has not what it takes
            _judge_no_memory(outcome, error, config)
        except GuestError as error:
            outcome.oracle, outcome.text = "O10 progress", str(error)
        except (VcpuDied, HostDied) as error:
            if watch.hangs:
                after = f", after {killer.name} was killed" if killer and killer.name else ""
                outcome.oracle, outcome.text = "O10 progress", watch.hangs + after
            elif killer and killer.name:
                outcome.killed = killer.name
                _judge_death(outcome, killer, error)
            elif any(name in str(error) for name in _OF_THE_MACHINE):
                raise
            else:  # a host that corrupts its memory may die of it
                outcome.oracle, outcome.text = "O1 memory", str(error)
        finally:
            watch.end()
            if killer:
                killer.end()
    outcome.rounds = output.count(b"round ")
    outcome.ledger = outcome.ledger or _read_ledger(output)
    return outcome


def _read_ledger(console: bytes | bytearray) -> dict[str, int]:
    line = next((line for line in bytes(console).decode().splitlines() if line.startswith("ledger: ")), "")
    return {name: int(value) for name, value in _LEDGER.findall(line)}


def _judge_no_memory(outcome: Outcome, error: OutOfMemory, config: MachineConfig) -> None:
    """An allocation that was made to fail ends the VM in good order, with nothing lost."""
    outcome.host = dict(error.statistics)
    if not parse_faults(config.fault).get("alloc"):
        outcome.oracle, outcome.text = "O10 progress", f"no allocation was made to fail, and yet: {error}"
    elif error.statistics.get("overflows_lost", 0):
        outcome.oracle, outcome.text = "O5 conservation", f"overflows are lost: {error.statistics['overflows_lost']}"
    else:
        outcome.no_memory = 1


def _unbalanced(found: int) -> tuple[str, str]:
    """What the host found at the end of a round: the oracle, and a sentence."""
    return next(told for bit, told in enumerate(_UNBALANCED) if found >> bit & 1)


def _judge(outcome: Outcome, result: Result, config: MachineConfig) -> None:
    """Compares the guest's ledger with the host's, now that all is quiet."""
    host = outcome.host = result.statistics
    guest = outcome.ledger = _read_ledger(result.console)
    if result.ended != "exit" or not guest:
        outcome.oracle, outcome.text = "O10 progress", f"the guest did not get to its end: {result.ended}"
        return
    raised, delivered = host.get("overflows_raised", 0), host.get("overflows_delivered", 0)
    kept, lost = host.get("overflows_in_shadow", 0) + host.get("overflows_dropped", 0), host.get("overflows_lost", 0)
    wrong = next((line[7:] for line in result.console.decode().splitlines() if line.startswith("wrong: ")), "")
    peak = host.get("events_open_peak", 0)
    checks = (
        (guest["strange"], "O8 linearizability", f"a result that no order of calls gives: {wrong}"),
        (guest["twice"], "O4 unique ids", wrong),
        (guest["backwards"] or guest["counts"] or guest["stale"], "O5 conservation", wrong),
        (peak > config.max_events, "O3 limit", f"events open at a time: {peak}, of {config.max_events}"),
        (host.get("host_breakpoints", 0), "O1 memory", "the guest has set a breakpoint on an address of the host's"),
        *([(found, *_unbalanced(found))] if (found := guest["unbalanced"]) else []),
        (host.get("events_allocated", 0), "O2 references", "events are still in memory after they were closed"),
        (lost, "O5 conservation", f"overflows lost: {lost} of {raised}"),
        (
            raised != delivered + kept,
            "O5 conservation",
            f"overflows raised: {raised}; delivered: {delivered}, kept or dropped: {kept}",
        ),
        (
            guest["overflows"] != delivered,
            "O5 conservation",
            f"overflows delivered: {delivered}; the guest took: {guest['overflows']}",
        ),
        # What was raised has all been taken, and is too little or too much; or some of it still lies in a shadow.
        (guest["inexact"] and not kept, "O12 periods", wrong),
        (guest["inexact"], "O6 nothing stranded", wrong),
        (guest["early"] or guest["late"], "O12 periods", wrong),
        (guest["needless"] or guest["untold"], "O11 NMIs", wrong),
        (guest["records"], "O14 records", wrong),
        (guest["times"], "O13 times", wrong),
    )
    for violated, oracle, text in checks:
        if violated:
            outcome.oracle, outcome.text = oracle, text
            return


class _Watch:
    """Kills the host process of a VM that hangs: a host that waits for itself hears nothing else. It hangs when for a
    while no round ends although its processes run, or none of them even wants to run; one that others keep from
    running does not."""

    def __init__(self, vm: Machine, output: bytearray) -> None:
        self.hangs, self._vm, self._output = "", vm, output
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        before, since, used, still = -1, time.monotonic(), 0.0, 0
        while not self._over.wait(0.1):
            pids = self._vm.processes
            if len(self._output) != before or "host" not in pids:
                before, since, used, still = len(self._output), time.monotonic(), _cpu_seconds(pids), 0
                continue
            still = 0 if _runnable(pids) else still + 1
            if _cpu_seconds(pids) - used > _BUSY_SECONDS:
                self.hangs = f"no round ended for {_BUSY_SECONDS:.0f} s of CPU time"
            elif still >= _STILL and time.monotonic() - since > HANG_SECONDS:
                self.hangs = f"no round ended for {HANG_SECONDS:.0f} s, and every process sleeps"
            if self.hangs:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pids["host"], signal.SIGKILL)
                return

    def end(self) -> None:
        self._over.set()
        self._thread.join()


class _Killer:
    """Kills one process of a VM, once it has all of them."""

    def __init__(self, vm: Machine, seed: int) -> None:
        self.name, self.at, self.pids = "", 0.0, dict[str, int]()
        self._vm, self._rng, self._over = vm, random.Random(f"kill:{seed}"), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while len(self._vm.processes) < self._vm.config.smp + 1:
            if self._over.wait(0.005):
                return
        if self._over.wait(self._rng.random() * 0.3):
            return
        self.pids = self._vm.processes
        if len(self.pids) < 2:
            return
        name = self._rng.choice(sorted(self.pids))
        self.at, self.name = time.monotonic(), name
        os.kill(self.pids[name], signal.SIGKILL)

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def _stat(path: str) -> list[str]:
    """The fields behind the name in a stat file of /proc, the state first; none for what is gone."""
    try:
        with open(path, encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()
    except OSError:
        return []


def _alive(pid: int) -> bool:
    return _stat(f"/proc/{pid}/stat")[:1] not in ([], ["Z"], ["X"])


def _cpu_seconds(pids: dict[str, int]) -> float:
    fields = (_stat(f"/proc/{pid}/stat") for pid in pids.values())
    return sum(int(each[11]) + int(each[12]) for each in fields if each) / os.sysconf("SC_CLK_TCK")


def _runnable(pids: dict[str, int]) -> bool:
    """Does any thread run, or want to?"""
    for pid in pids.values():
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                if _stat(f"/proc/{pid}/task/{task}/stat")[:1] == ["R"]:
                    return True
    return False


def _judge_death(outcome: Outcome, killer: _Killer, error: Exception) -> None:
    """A typed error, soon, and nothing left behind."""
    took = time.monotonic() - killer.at
    while (left := [name for name, pid in killer.pids.items() if _alive(pid)]) and (
        time.monotonic() - killer.at < _KILL_SECONDS
    ):
        time.sleep(0.005)
    outcome.took = time.monotonic() - killer.at
    segments = [name for name in os.listdir("/dev/shm") if name.startswith(f"pvperf-{os.getpid()}-")]
    if took > _KILL_SECONDS:
        outcome.oracle, outcome.text = "O10 progress", f"{took:.1f} s from the end of {killer.name} to: {error}"
    elif left or segments:
        outcome.oracle = "O10 progress"
        outcome.text = f"{killer.name} was killed, and was survived by {', '.join([*left, *segments])}"
