# SPDX-License-Identifier: GPL-2.0-only
"""The program under QEMU's TCG in user mode, with and without a plugin that counts instructions."""

from __future__ import annotations

import re
import subprocess
from functools import cache

from emulator.bench.measuring.case import Absent, Failed, Violated
from emulator.bench.peers.program import COUNTED_LENGTHS, instructions_per_iteration, linux_seconds, programs
from emulator.places import find_program, run_program

_TIMEOUT_SECONDS = 60
EXECUTABLE = "qemu-x86_64"
_COUNTED = re.compile(r"(\d+) instructions")


def seconds(iterations: int, plugin: str) -> float:
    """Seconds of the program without a plugin (""), or counting per "block" or per "insn"."""
    return linux_seconds(_launcher(plugin), iterations)


def vector_seconds(iterations: int, name: str) -> float:
    """Seconds of one of VECTORS, with all that this QEMU can emulate."""
    return linux_seconds([*_launcher(""), "-cpu", "max"], iterations, name)


def _launcher(plugin: str) -> list[str]:
    path = find_program(EXECUTABLE)
    if path is None:
        raise Absent(f"{EXECUTABLE} is not installed (Debian: qemu-user)")
    if not plugin:
        return [path]
    launcher = [path, "-plugin", f"{programs().plugin},per={plugin}"]
    _check_count(tuple(launcher))
    return launcher


@cache
def _check_count(launcher: tuple[str, ...]) -> None:
    """The plugin has to count what the paravirtual interface counts, or something else would be compared."""
    few, many = (_count(launcher, iterations) for iterations in COUNTED_LENGTHS)
    counted = (many - few) / (COUNTED_LENGTHS[1] - COUNTED_LENGTHS[0])
    if abs(counted - instructions_per_iteration()) > 0.001:
        raise Violated(f"QEMU counted {counted} instructions an iteration, and pvperf {instructions_per_iteration()}")


def _count(launcher: tuple[str, ...], iterations: int) -> int:
    command = [*launcher, str(programs().linux), str(iterations)]
    try:
        done = run_program(command, timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} was not done after {_TIMEOUT_SECONDS} s") from None
    found = _COUNTED.search(done.stderr)
    if done.returncode or not found:
        said = done.stderr.strip().splitlines()
        raise Absent(f"this QEMU cannot load the plugin{': ' + said[-1] if said else ''}")
    return int(found[1])
