# SPDX-License-Identifier: GPL-2.0-only
"""Folded stacks: `outermost;...;innermost period`, a line each, as flame graph programs read them."""

from __future__ import annotations

from collections import Counter

from emulator.recording.perfdata.reader import PerfData
from emulator.recording.profile.symbolize import UNKNOWN, Symbolizer


def folded(data: PerfData, symbolizer: Symbolizer) -> str:
    """All samples, by the vCPU's command; where there are several events, the event's name comes first."""
    sums: Counter[str] = Counter()
    for sample in data.samples:
        frames = [data.commands.get(sample.tid, f":{sample.tid}")]
        if len(data.events) > 1:
            frames.insert(0, data.events[sample.event].name)
        frames += [place.name for place in reversed(symbolizer.chain(sample))]
        sums[";".join(map(_frame, frames))] += sample.period
    return "".join(f"{stack} {period}\n" for stack, period in sorted(sums.items()))


def _frame(name: str) -> str:
    """A semicolon ends a frame, and a space may begin the number."""
    return name.replace(";", ":").replace(" ", "_") or UNKNOWN
