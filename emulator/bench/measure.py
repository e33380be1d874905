# SPDX-License-Identifier: GPL-2.0-only
"""Interleaved measurements: every contender in turn, round after round, then medians and ratios.

Nothing here judges: a ratio is printed beside its target, and the raw values are kept.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Contender = Callable[[], float]


@dataclass
class Sample:
    """Seconds that one contender took, a value a round."""

    name: str
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def interleave(contenders: dict[str, Contender], *, rounds: int, warm_up: int = 1) -> dict[str, Sample]:
    """Runs the contenders A B C, A B C, ... and keeps what each returns, in seconds.

    The order of the first `warm_up` rounds is the same, but their values are dropped.
    """
    samples = {name: Sample(name) for name in contenders}
    for turn in range(warm_up + rounds):
        for name, run in contenders.items():
            seconds = run()
            if turn >= warm_up:
                samples[name].seconds.append(seconds)
    return samples


def ratio(first: Sample, second: Sample) -> float:
    """Median over the rounds of first / second: paired, so that drift of the machine cancels."""
    return statistics.median(a / b for a, b in zip(first.seconds, second.seconds, strict=True))


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "model": _cpu_model(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def _cpu_model() -> str:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


@dataclass(frozen=True)
class Row:
    """One line of a report: a measured ratio, and the target it stands beside if there is one."""

    what: str
    value: float
    unit: str
    target: str = ""
    raw: Sequence[float] = ()

    def as_json(self) -> dict[str, object]:
        return {"what": self.what, "value": self.value, "unit": self.unit, "target": self.target, "raw": list(self.raw)}


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """A plain table on stdout."""
    print(title)
    width = max((len(row.what) for row in rows), default=0)
    for row in rows:
        target = f"   (target {row.target})" if row.target else ""
        print(f"  {row.what:<{width}}  {row.value:>10.3f} {row.unit}{target}")
