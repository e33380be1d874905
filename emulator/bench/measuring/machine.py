# SPDX-License-Identifier: GPL-2.0-only
"""What the figures were measured on, and what happened on the machine meanwhile."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from emulator.places import run_program

_TICKS = os.sysconf("SC_CLK_TCK")
# Fields of the "cpu" line of /proc/stat: user nice system idle iowait irq softirq steal.
_IDLE, _WAIT, _STEAL = 3, 4, 7


def describe() -> dict[str, object]:
    """The machine and the software, as JSON has them."""
    from emulator import __version__

    return {
        "cores": len(os.sched_getaffinity(0)),
        "model": _cpu_model(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "governor": _governor(),
        "virtual": _is_virtual(),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "unicorn": metadata.version("unicorn"),
        "pvperf": __version__,
        "commit": _commit(),
    }


def _cpu_info(key: str) -> str:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        for line in info:
            if line.partition(":")[0].strip() == key:
                return line.partition(":")[2].strip()
    return ""


def _cpu_model() -> str:
    return _cpu_info("model name") or platform.machine()


def _is_virtual() -> bool:
    return "hypervisor" in _cpu_info("flags").split()


def _governor() -> str:
    """What decides the clock frequency; "" where the kernel does not say, as in most VMs."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return ""


def _commit() -> str:
    """Of the checkout that this runs from, with "+" behind it if files differ; "" for an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""

    def git(*words: str) -> str:
        done = run_program(["git", "-C", str(root), *words])
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except OSError:
        return ""


@dataclass(frozen=True)
class Conditions:
    """Of a stretch of time, as shares of the CPU time that the machine had."""

    seconds: float
    stolen: float  # by the hypervisor below this machine
    others: float  # by processes that are not of this measurement


class Watch:
    """Looks at the machine from its creation on. Only processes that have been waited for count as ours."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._machine = _machine_times()
        self._own = _own_seconds()

    def conditions(self) -> Conditions:
        """Until now."""
        seconds = max(time.monotonic() - self._start, 1e-9)
        passed = [(after - before) / _TICKS for before, after in zip(self._machine, _machine_times(), strict=True)]
        had = max(sum(passed), 1e-9)
        busy = had - passed[_IDLE] - passed[_WAIT] - passed[_STEAL]
        others = max(0.0, busy - (_own_seconds() - self._own))
        return Conditions(seconds, passed[_STEAL] / had, others / had)


def _machine_times() -> list[int]:
    with open("/proc/stat", encoding="ascii") as file:
        return [int(word) for word in file.readline().split()[1:9]]


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
