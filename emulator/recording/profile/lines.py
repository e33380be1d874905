# SPDX-License-Identifier: GPL-2.0-only
"""`script`: a line for each sample, as perf script has it; below it, where one was recorded, the call chain."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.recording.perfdata.reader import PerfData
from emulator.recording.profile.symbolize import Place, Symbolizer


def lines(data: PerfData, symbolizer: Symbolizer) -> Iterator[str]:
    """Command, thread, [vCPU], time in s, period, event, ip, symbol and file of each sample, by time."""
    width = max((len(name) for name in data.commands.values()), default=0)
    for sample in data.samples:
        name = data.commands.get(sample.tid, f":{sample.tid}")
        head = f"{name:>{width}} {sample.tid:>8} [{sample.vcpu:03}] {_seconds(sample.time_ns)}: {sample.period:>10}"
        place = symbolizer.of(sample)
        head += f" {data.events[sample.event].name}:"
        if not sample.chain:
            yield f"{head} {_where(place)}"
            continue
        yield head
        for caller in symbolizer.chain(sample):
            yield f"\t{_where(caller)}"
        yield ""


def _seconds(time_ns: int) -> str:
    return f"{time_ns // 10**9:>5}.{time_ns // 1000 % 10**6:06}"


def _where(place: Place) -> str:
    return f"{place.address:>16x} {place.exact} ({place.dso})"
