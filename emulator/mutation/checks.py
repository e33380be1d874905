# SPDX-License-Identifier: GPL-2.0-only
"""The project's own checks that a mutation has to get past, for each part of the code in the order of their cost."""

from __future__ import annotations

import math
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
PROGRAMS = "build/mutation"
#: What all checks of one mutation may take of the processors, so that a busy machine gives the same table; and of time.
LIMIT_SECONDS = 90.0
PATIENCE_SECONDS = 1000.0


@dataclass(frozen=True)
class Check:
    """A command, and what it needs to be built; any status but 0 and those in `passes` is a finding."""

    name: str
    needs: tuple[str, ...]
    command: tuple[str, ...]
    passes: tuple[int, ...] = (0,)
    hangs: float = 0  # who takes so long, of a few seconds of work, hangs; 0: it has a time-out of its own


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", f"emulator.mutation.{name}", *arguments)


def _pytest(*arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *arguments)


_VM = ("core", "engine", "interposed")
_CORE_TESTS = Check("the core's tests", ("core_test",), (f"{PROGRAMS}/core_test",), hangs=45)
_ENGINE_TESTS = Check("the engine's tests", ("engine_test",), (f"{PROGRAMS}/engine_test",), hangs=45)
_WAKES = Check("wake-ups", ("wake_test",), (f"{PROGRAMS}/wake_test",), hangs=30)
_LOCKOP = [
    Check("lockop, forms", ("lockop_test",), (f"{PROGRAMS}/lockop_test", "forms", "20")),
    Check("lockop, decoding", ("lockop_test",), (f"{PROGRAMS}/lockop_test", "decode", "10000")),
]
_EXPLORE = Check("explore", ("explore",), _module("exploring"))
_STRESS = Check(
    "stress --native",
    ("stress", "explore"),
    (PYTHON, "-m", "emulator", "stress", "--native", "--seed", "1", "--duration", "6s", "-o", "build/mutation/stress"),
    passes=(0, 7),
)
_FIRST = Check("guest tests of counts", _VM, _module("booting", "first"))
_GUESTS = Check("guest tests of the processor", _VM, _module("booting", "processor"))
_REPORTS = Check("guest tests", _VM, _module("booting", "reports"))
_SAMPLING = Check("guest tests, sampling", _VM, _module("booting", "sampling"))
_PROCESSOR = Check("the processor", _VM, _pytest("tests/engine/test_processor.py", "-k", "1"))
_DECODER = Check("the decoder beside iced-x86", (), _pytest("tests/engine/test_decoder.py"))
_RANDOM = Check("random instructions", _VM, _pytest("tests/engine/test_differential.py", "-k", "nothing_differs"))
_ORACLE = Check("run --oracle", _VM, _module("booting", "oracle"))
_MODELS = Check("tests of the models", _VM, _pytest("tests/engine/test_models.py"))
_STAT = Check(
    "tests of stat", _VM, _pytest("tests/vm/test_machine.py", "-k", "counts or halted or kick or console_comes")
)
_INTERVALS = Check("tests of intervals", _VM, _pytest("tests/vm/test_intervals.py", "-k", "add_up or halted"), hangs=45)

CHAINS = {
    "core": [_CORE_TESTS, _WAKES, _EXPLORE, _FIRST, _STAT, _INTERVALS, _REPORTS, _SAMPLING, _STRESS],
    "engine": [_FIRST, _ENGINE_TESTS, *_LOCKOP, _PROCESSOR, _GUESTS, _RANDOM, _MODELS, _ORACLE, _DECODER, _SAMPLING],
    "abi": [_WAKES, _CORE_TESTS, _ENGINE_TESTS, _STRESS, _FIRST, _SAMPLING],
}


class DoesNotBuild(Exception):
    """The compiler refuses; the text is its own."""


@dataclass(frozen=True)
class Outcome:
    """Which check noticed, or "" for none, and the processor seconds that all until then took."""

    caught_by: str
    seconds: float
    text: str = ""


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def build(tree: Path, *names: str) -> None:
    """What is not up to date of these."""
    command = _module("building", *names)
    environment = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DoesNotBuild(done.stderr)


def _stretch() -> float:
    """How much longer than alone everything takes, where others want the processors as well."""
    return max(1.0, 2 * os.getloadavg()[0] / (os.cpu_count() or 1))


def run(area: str, tree: Path, *, limited: bool = True) -> Outcome:
    """The chain of that area in the tree, until one check fails or the time is over."""
    seconds, until = 0.0, time.monotonic() + PATIENCE_SECONDS
    for check in CHAINS[area]:
        build(tree, *check.needs)
        begin, used = time.monotonic(), _used()
        longest = check.hangs * _stretch() or math.inf
        failed, text = _fails(check, tree, min(longest, max(until - time.monotonic(), 1)) if limited else None)
        hung = time.monotonic() - begin >= longest
        seconds += check.hangs if hung else _used() - used
        if limited and (seconds > LIMIT_SECONDS or time.monotonic() > until):
            break
        if failed:
            return Outcome(check.name, seconds, text)
    return Outcome("", seconds)


def _fails(check: Check, tree: Path, seconds: float | None) -> tuple[bool, str]:
    """In a session of its own, which is ended with it. A check that runs out of its time has noticed something."""
    environment = os.environ | {"PYTHONPATH": str(tree)}
    with subprocess.Popen(
        check.command,
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            text, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text, _ = process.communicate()
            return check.hangs > 0, text
        return process.returncode not in check.passes, text[-2000:]
