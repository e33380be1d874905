# SPDX-License-Identifier: GPL-2.0-only
"""A recording made from Python: what VirtualMachine.record() does and gives."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from emulator import __version__
from emulator.errors import HostError, Unsupported, UsageError
from emulator.events import Event
from emulator.guest import elf
from emulator.recording.perfdata import layout, reader
from emulator.recording.perfdata.convert import SAMPLE_TYPE
from emulator.recording.perfdata.features import Machine
from emulator.recording.perfdata.losses import Losses, shortfalls, sum_losses
from emulator.recording.perfdata.recorder import TRACE_KINDS, Guest, Recorder, recorded_events
from emulator.recording.profile import table
from emulator.recording.profile.symbolize import Symbolizer
from emulator.stat.table import reason
from emulator.vm.asked import check_kind, chosen_events, guest_path
from emulator.vm.protocol import Recording
from emulator.vm.result import Result

if TYPE_CHECKING:
    from emulator.recording.perfdata.reader import PerfData
    from emulator.vm.machine import MachineConfig, VirtualMachine

DEFAULT_PERIOD = 100_000
DEFAULT_CHAIN = 64
MAX_CHAIN = 127  # PV_SAMPLE_MAX_CHAIN
_MAX_U64 = (1 << 64) - 1

# A ring takes at most this part of guest RAM, and no more than it needs for a moment's inattention of the host.
_RING_SHARE = 16
_MAX_RING_BYTES = 1 << 20
MIN_RING_BYTES = 1 << 12


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
        """The table of `pvperf report`: rows by `sort`, some of symbol, dso and vcpu, as in "vcpu,symbol".

        Raises UsageError for a key that there is not.
        """
        check_kind("sort", sort, str, "names, as in 'vcpu,symbol'")
        made = table.tables(self._data, self._symbolizer, table.parse_keys(sort))
        return table.text(self._data, made, chains=bool(call_graph))

    def __repr__(self) -> str:
        events = ", ".join(event.name for event in self._data.events)
        lost = f", lost: {self.losses}" if self.losses else ""
        return f"<Recorded: {len(self.samples):,} samples of {events}{lost}; {self.result!r}>"


def record(
    vm: VirtualMachine,
    guest: str | Path,
    args: str | Sequence[str],
    *,
    events: object,
    period: int | None,
    frequency: int | None,
    call_graph: bool | int,
    output: str | Path | None,
    timeout: float | None,
    console: Callable[[bytes], None] | None,
) -> Recorded:
    """See VirtualMachine.record()."""
    from emulator.vm.machine import event_attrs

    sampled = sampled_events(chosen_events(events), period=period, frequency=frequency, chains=bool(call_graph))
    recording = Recording(ring_bytes(vm.config), chain_depth(call_graph))
    check_kind("output", output, (str, os.PathLike, type(None)), "the path of a file, or None")
    if output is not None and "\0" in os.fspath(output):
        raise UsageError("the path of the output cannot contain a NUL")
    with ExitStack() as held:
        path = os.fspath(output) if output is not None else _nowhere(held)
        described = recorded_events([event.name for event in sampled], event_attrs(sampled), vcpus=vm.config.smp)
        code = guest_code(guest_path(guest), str(guest), vm.config.memory)
        machine = machine_of(vm.config, ("pvperf", "record", str(guest)))
        recorder = Recorder(path, guest=code, machine=machine, events=described, ids=agent_ids())
        try:
            result = vm.run(
                guest,
                args,
                events=sampled,
                timeout=timeout,
                console=console,
                recording=recording,
                samples=recorder.take,
                trace=recorder.take_trace,
                trace_kinds=TRACE_KINDS,
            )
        except BaseException:
            if not recorder.abandon():
                recorder.finish()
            raise
        recorder.finish(shortfalls=list(shortfalls(result.sampled, result.counts)), ring_lost=result.ring_lost)
        check_sampled(result)
        return Recorded(result, reader.read(path), path if output is not None else None)


def _nowhere(held: ExitStack) -> str:
    try:
        return os.path.join(held.enter_context(tempfile.TemporaryDirectory(prefix="pvperf-record-")), "perf.data")
    except OSError as error:
        raise HostError(f"cannot keep a recording without an output: {error.strerror}") from None


def sampled_events(
    events: Sequence[Event], *, period: int | None, frequency: int | None, chains: bool
) -> tuple[Event, ...]:
    """The events, each with its period or its samples a second. UsageError for what cannot be."""
    if not events:
        raise UsageError("there is nothing to record: name an event")
    if period is not None and frequency is not None:
        raise UsageError("samples have a period or a frequency, and both were given")
    _check_whole("period", period)
    _check_whole("frequency", frequency)
    flags, every = (0, period or DEFAULT_PERIOD) if frequency is None else (layout.ATTR_FREQ, frequency)
    fields = SAMPLE_TYPE | (layout.SAMPLE_CALLCHAIN if chains else 0)
    return tuple(replace(event, flags=event.flags | flags, sample_period=every, sample_type=fields) for event in events)


def _check_whole(name: str, value: int | None) -> None:
    check_kind(name, value, (int, type(None)), "a whole number")
    if value is not None and not 1 <= value <= _MAX_U64:
        raise UsageError(f"{name} must be 1 to {_MAX_U64}, and {value} is not")


def chain_depth(call_graph: bool | int) -> int:
    """Return addresses a sample: 0 without call chains, and a depth of its own for True."""
    check_kind("call_graph", call_graph, (bool, int), "True, False or a depth")
    if isinstance(call_graph, bool):
        return DEFAULT_CHAIN if call_graph else 0
    if not 1 <= call_graph <= MAX_CHAIN:
        raise UsageError(f"a call chain is 1 to {MAX_CHAIN} return addresses deep, and not {call_graph}")
    return call_graph


def ring_bytes(config: MachineConfig) -> int:
    """Room for the samples of each vCPU: a power of 2."""
    share = config.memory // _RING_SHARE // config.smp
    return max(MIN_RING_BYTES, min(_MAX_RING_BYTES, 1 << max(share, 1).bit_length() - 1))


def agent_ids() -> tuple[int, int]:
    """Under which the agent opens the events: the first, and how many a vCPU has."""
    from emulator.native import load_core

    lib = load_core().lib
    return lib.PV_AGENT_FIRST_ID, lib.PV_AGENT_MAX_EVENTS


def guest_code(path: str | Path, name: str, ram_bytes: int) -> Guest:
    """What a recording says of the code that runs."""
    whole = os.path.abspath(path)
    fd = elf.open_guest(whole)
    try:
        image = elf.read_image(fd, name=name, ram_bytes=ram_bytes)
        return Guest(whole, image.segments, elf.read_build_id(fd))
    finally:
        os.close(fd)


def machine_of(config: MachineConfig, command: Sequence[str]) -> Machine:
    """What a recording says of the machine."""
    system = os.uname()
    return Machine(system.nodename, system.release, __version__, config.smp, config.memory, tuple(command))


def check_sampled(result: Result) -> None:
    """What the guest interface refused was not sampled, though the guest ran: not supported with these options."""
    for count in result.counts:
        if count.error and count.error != "not counted":
            raise Unsupported(f"event {count.event.name} was not sampled: {reason(count.error)}")
