# SPDX-License-Identifier: GPL-2.0-only
"""A recording made from Python: what VirtualMachine.record() gives."""

from __future__ import annotations

from typing import NamedTuple

from emulator.recording.perfdata.losses import Losses, sum_losses
from emulator.recording.perfdata.reader import PerfData
from emulator.recording.profile import table
from emulator.recording.profile.symbolize import Symbolizer
from emulator.terminal.counted import counted
from emulator.vm.asked import check_kind
from emulator.vm.result import Result


class Sample(NamedTuple):
    """Where an overflow of `event` was taken on `vcpu`.

    `ip` lies at the end of the basic block in which the overflow came, `offset` bytes behind `symbol`, which is ""
    where the guest's ELF file names none. `time_ns` is the host's CLOCK_MONOTONIC. `period` is how much of the event
    the sample stands for. `callers` are symbols or addresses, innermost first; empty without call_graph.
    """

    event: str
    vcpu: int
    ip: int
    symbol: str
    offset: int
    time_ns: int
    period: int
    callers: tuple[str, ...]


class Recorded:
    """What VirtualMachine.record() gives.

    Attributes:
        result: how the run ended; its counts are the events' over the whole run.
        samples: of all vCPUs, by time.
        losses: overflows that have no sample of their own, and why; false if there are none.
        path: the perf.data file, if one was asked for, else None.
    """

    def __init__(self, result: Result, data: PerfData, path: str | None) -> None:
        self._data = data
        self._symbolizer = Symbolizer(data)
        self.result = result
        self.path = path
        self.losses: Losses = sum_losses(result.sampled, result.ring_lost, result.statistics)
        self.samples: tuple[Sample, ...] = tuple(self._samples())

    def _samples(self) -> list[Sample]:
        names = [event.name for event in self._data.events]
        made = []
        for each in self._data.samples:
            place, *callers = self._symbolizer.chain(each)
            chain = tuple(caller.name for caller in callers)
            where = (each.ip, place.symbol, place.offset)
            made.append(Sample(names[each.event], each.vcpu, *where, each.time_ns, each.period, chain))
        return made

    def report(self, sort: str = "symbol", *, call_graph: bool = False) -> str:
        """The table of `pvperf report`: rows by `sort`, some of symbol, srcline, dso and vcpu, as in "vcpu,symbol".

        Raises UsageError for a key that there is not.
        """
        check_kind("sort", sort, str, "names, as in 'vcpu,symbol'")
        made = table.tables(self._data, self._symbolizer, table.parse_keys(sort))
        return table.text(self._data, made, chains=bool(call_graph))

    def __repr__(self) -> str:
        events = ", ".join(event.name for event in self._data.events)
        lost = f", lost: {self.losses}" if self.losses else ""
        return f"<Recorded: {counted(len(self.samples), 'sample')} of {events}{lost}; {self.result!r}>"
