# SPDX-License-Identifier: GPL-2.0-only
"""A recording as a Perfetto trace: the VM is a process, each vCPU a thread, each sample an instant on it."""

from __future__ import annotations

import io
import os

from emulator.recording.perfdata.layout import GUEST_PID
from emulator.recording.perfdata.reader import PerfData
from emulator.recording.perfetto import TraceWriter
from emulator.recording.profile.remarks import title
from emulator.recording.profile.symbolize import Symbolizer
from emulator.terminal.printable import printable


def vcpu_tracks(data: PerfData, symbolizer: Symbolizer) -> bytes:
    """The trace. Instants are named by the symbol; what each event has counted on a vCPU is a counter track."""
    file = io.BytesIO()
    trace = TraceWriter(file)
    name = title(data, data.commands.get(GUEST_PID, printable(os.path.basename(data.path))))
    process = trace.process(name, GUEST_PID)
    threads: dict[int, int] = {}
    counters: dict[tuple[int, int], int] = {}
    counts: dict[tuple[int, int], int] = {}
    for vcpu in sorted({sample.vcpu for sample in data.samples}):
        threads[vcpu] = trace.thread(f"vCPU {vcpu}", GUEST_PID, GUEST_PID + vcpu)
        for event, described in enumerate(data.events):
            counters[event, vcpu] = trace.counter(f"{described.name} on vCPU {vcpu}", process)
            counts[event, vcpu] = 0
    for sample in data.samples:
        key = sample.event, sample.vcpu
        place = symbolizer.of(sample)
        about: dict[str, int | str] = {"event": data.events[sample.event].name, "period": sample.period}
        about["ip"] = f"{sample.ip:#x}"
        if sample.chain:
            about["chain"] = " <- ".join(caller.name for caller in symbolizer.chain(sample))
        trace.instant(threads[sample.vcpu], place.name, sample.time_ns, about)
        counts[key] += sample.period
        trace.value(counters[key], sample.time_ns, counts[key])
    trace.flush()
    return file.getvalue()
