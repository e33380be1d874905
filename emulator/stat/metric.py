# SPDX-License-Identifier: GPL-2.0-only
"""The figure that perf prints beside a count: instructions per cycle, CPUs utilized, a rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from emulator.stat.reading import Reading

_CLOCKS = ("task-clock", "cpu-clock")


class Metric(NamedTuple):
    """A value, what it is of, and how perf's table has it."""

    value: float
    unit: str
    form: str = "%8.3f"

    @property
    def text(self) -> str:
        """In the table."""
        return self.form % self.value

    @property
    def digits(self) -> str:
        """The number alone, as in the table."""
        return self.text.strip(" %")


class _Share(NamedTuple):
    """A count in percent of another."""

    of: str
    unit: str
    form: str = "%7.2f%%"


_SHARES = {
    "branch-misses": _Share("branches", "of all branches"),
    "L1-dcache-load-misses": _Share("L1-dcache-loads", "of all L1-dcache accesses"),
    "cache-misses": _Share("cache-references", "of all cache refs", "%8.3f %%"),
}


def derive(reading: Reading, readings: Sequence[Reading], *, elapsed_s: float, real_cycles: bool) -> Metric | None:
    """The metric of `reading`, from what else was counted on the same vCPUs; None if there is nothing to say.

    `real_cycles`: cycles are ticks of a clock, so that a frequency means something.
    """
    if reading.value is None:
        return None
    name = reading.event.canonical
    if name in _CLOCKS:
        return Metric(reading.value / 1e9 / elapsed_s, "CPUs utilized") if elapsed_s > 0 else None
    if name == "instructions" and (cycles := _beside(reading, readings, "cycles", same_flags=True)):
        return Metric(reading.value / cycles, "insn per cycle")
    if (share := _SHARES.get(name)) and (whole := _beside(reading, readings, share.of, same_flags=True)):
        return Metric(100 * reading.value / whole, share.unit, share.form)
    clock_ns = next((ns for clock in _CLOCKS if (ns := _beside(reading, readings, clock, same_flags=False))), None)
    if not clock_ns:
        return None
    if name == "cycles" and real_cycles:
        return Metric(reading.value / clock_ns, "GHz")
    return _rate(reading.value / clock_ns * 1e9)


def _beside(reading: Reading, readings: Sequence[Reading], name: str, *, same_flags: bool) -> float | None:
    """The value of another event on the same vCPUs, of the same group if there is one; for a ratio of counts, at the
    same privilege levels."""
    found = None
    for other in readings:
        fits = other.event.canonical == name and other.vcpu == reading.vcpu
        if not fits or not other.value or (same_flags and other.event.flags != reading.event.flags):
            continue
        if other.group == reading.group:
            return other.value
        found = found or other.value
    return found


def _rate(per_second: float) -> Metric:
    for unit, scale in (("G/sec", 1e9), ("M/sec", 1e6), ("K/sec", 1e3)):
        if per_second >= scale:
            return Metric(per_second / scale, unit)
    return Metric(per_second, "/sec")
