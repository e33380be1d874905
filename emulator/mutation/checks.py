# SPDX-License-Identifier: GPL-2.0-only
"""The project's own checks that a mutation has to get past, for each part of the code in the order of their cost."""

from __future__ import annotations

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
LIMIT_SECONDS = 60.0
PATIENCE_SECONDS = 400.0


@dataclass(frozen=True)
class Check:
    """A command; any status but 0 and those in `passes` is a finding."""

    name: str
    command: tuple[str, ...]
    passes: tuple[int, ...] = (0,)


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", f"emulator.mutation.{name}", *arguments)


def _pytest(*arguments: str) -> tuple[str, ...]:
    return (PYTHON, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *arguments)


_CORE_TESTS = Check("the core's tests", (f"{PROGRAMS}/core_test",))
_ENGINE_TESTS = Check("the engine's tests", (f"{PROGRAMS}/engine_test",))
_LOCKOP = [
    Check("lockop, forms", (f"{PROGRAMS}/lockop_test", "forms", "30")),
    Check("lockop, decoding", (f"{PROGRAMS}/lockop_test", "decode", "20000")),
]
_EXPLORE = Check("explore", _module("exploring"))
_STRESS = Check(
    "stress --native",
    (PYTHON, "-m", "emulator", "stress", "--native", "--seed", "1", "--duration", "6s", "-o", "build/mutation/stress"),
    passes=(0, 7),
)
_REPORTS = Check("guest tests", _module("booting", "reports"))
_SAMPLING = Check("guest tests, sampling", _module("booting", "sampling"))
_ORACLE = Check("run --oracle", _module("booting", "oracle"))
_MODELS = Check("tests of the models", _pytest("tests/test_models.py"))

CHAINS = {
    "core": [_CORE_TESTS, _EXPLORE, _REPORTS, _STRESS, _SAMPLING],
    "engine": [_ENGINE_TESTS, *_LOCKOP, _REPORTS, _MODELS, _SAMPLING, _ORACLE],
    "abi": [_CORE_TESTS, _ENGINE_TESTS, _REPORTS, _STRESS, _SAMPLING],
}


@dataclass(frozen=True)
class Outcome:
    """Which check noticed, or "" for none, and the processor seconds that all until then took."""

    caught_by: str
    seconds: float
    text: str = ""


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(area: str, tree: Path, *, limited: bool = True) -> Outcome:
    """The chain of that area in the tree, until one check fails or the time is over."""
    begin, until = _used(), time.monotonic() + PATIENCE_SECONDS
    for check in CHAINS[area]:
        failed, text = _fails(check, tree, max(until - time.monotonic(), 1) if limited else None)
        seconds = _used() - begin
        if limited and (seconds > LIMIT_SECONDS or time.monotonic() > until):
            break
        if failed:
            return Outcome(check.name, seconds, text)
    return Outcome("", _used() - begin)


def _fails(check: Check, tree: Path, seconds: float | None) -> tuple[bool, str]:
    """In a session of its own, which is ended with it. Who runs out of time has noticed nothing."""
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
            return False, text
        return process.returncode not in check.passes, text[-2000:]
