# SPDX-License-Identifier: GPL-2.0-only
"""Runs a guest for a benchmark: what it printed, after the laws that every run must keep have been checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from emulator.bench.measuring.case import Absent, Failed, Violated
from emulator.errors import Unsupported, UsageError
from emulator.events import parse_events
from emulator.native import load_bench
from emulator.vm.machine import Machine
from emulator.vm.result import Result

TIMEOUT_SECONDS = 120
_PAIR = re.compile(r"(\w+)=(\w+)")


@cache
def tsc_hz() -> float:
    """Ticks of the time-stamp counter in a second: guests read the same one."""
    return float(load_bench().lib.tsc_hz(50))


def run_guest(
    guest: str | Path,
    args: Sequence[str] = (),
    *,
    events: str = "",
    measure_memory: bool = False,
    content: bool = True,
    **config: Any,
) -> Result:
    """Boots the guest and runs it to its end. Raises Violated unless it ended well, Absent for what cannot be run.

    :param content: must its status be 0? One that checks its own counts is not while nothing is counted
    """
    try:
        counted = parse_events(events) if events else ()
        with Machine(**config) as vm:
            result = vm.run(guest, args, events=counted, timeout=TIMEOUT_SECONDS, measure_memory=measure_memory)
    except (Unsupported, UsageError) as error:  # an event, or a design, that this version does not have
        raise Absent(str(error).partition(";")[0]) from None
    check_end(result, str(guest), content=content)
    return result


def check_end(result: Result, guest: str, *, content: bool = True) -> None:
    """The guest ended, is content, and no overflow was lost or doubled; otherwise Violated. Failed for a time-out."""
    if result.ended == "timeout":
        raise Failed(f"guest {guest} was not done after {TIMEOUT_SECONDS} s")
    if result.ended != "exit" or (content and result.status != 0):
        said = result.console.decode(errors="replace").strip().splitlines()
        raise Violated(f"guest {guest} ended with {result.ended} {result.status}{': ' + said[-1] if said else ''}")
    check_ledger(result.statistics, guest)


def check_ledger(statistics: Mapping[str, int], guest: str) -> None:
    """Conservation: every overflow raised was delivered, lies in the shadow, or was dropped with its event."""
    raised = statistics.get("overflows_raised", 0)
    kept = sum(statistics.get(f"overflows_{where}", 0) for where in ("delivered", "in_shadow", "dropped"))
    if raised != kept:
        raise Violated(f"guest {guest}: {raised} overflows were raised, and {kept} are accounted for")


def count_vcpus(number: int) -> str:
    """For the name of a case."""
    return "1 vCPU" if number == 1 else f"{number} vCPUs"


def printed_figures(result: Result) -> list[dict[str, str]]:
    """The `key=value` words of each line that has any."""
    lines = result.console.decode(errors="replace").splitlines()
    return [dict(pairs) for line in lines if (pairs := _PAIR.findall(line))]


@dataclass(frozen=True)
class Cores:
    """Those that this process may use."""

    first: int
    last: int
    number: int


def cores() -> Cores:
    """As the kernel says now."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[-1], len(allowed))
