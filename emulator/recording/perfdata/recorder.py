# SPDX-License-Identifier: GPL-2.0-only
"""One recording: takes the vCPUs' samples as they come, and writes them to a perf.data file by time."""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from emulator.files import Files
from emulator.guest.elf import Segment
from emulator.recording.perfdata import layout, records
from emulator.recording.perfdata.convert import SAMPLE_TYPE, Converter
from emulator.recording.perfdata.features import BuildId, Machine, RecordedEvent
from emulator.recording.perfdata.layout import AttrFields
from emulator.recording.perfdata.records import Stamp
from emulator.recording.perfdata.writer import PerfDataWriter
from emulator.terminal.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from emulator.guest.agent import Attr
    from emulator.vm.trace_records import Record

# A sample is in the file at most two of these after it was taken, seconds: it waits for those of other vCPUs.
CHECKPOINT_SECONDS = 0.25
# More samples than this do not wait: memory is not to grow with what the guest does.
_PENDING_MOST = 100_000


@dataclass(frozen=True)
class Guest:
    """The code that runs: an absolute path, its loaded segments, and its build id, empty if it has none."""

    path: str
    segments: tuple[Segment, ...]
    build_id: bytes


#: The kinds of trace records that take_trace() makes something of.
TRACE_KINDS = ("throttle", "unthrottle", "lost")


@dataclass(frozen=True)
class Shortfall:
    """What an event has no samples for, on one vCPU: overflows that came with others or without an NMI."""

    vcpu: int
    event: int
    overflows: int


def recorded_events(names: Sequence[str], attrs: Sequence[Attr], *, vcpus: int) -> tuple[RecordedEvent, ...]:
    """What the file says of the events that the agent opens; each has an id per vCPU."""
    flags = layout.ATTR_MMAP | layout.ATTR_COMM | layout.ATTR_TASK | layout.ATTR_SAMPLE_ID_ALL
    flags |= layout.ATTR_MMAP2 | layout.ATTR_COMM_EXEC | layout.ATTR_EXCLUDE_HOST
    flags |= layout.ATTR_EXCLUDE_KERNEL | layout.ATTR_EXCLUDE_HV  # all is user code, to perf: it asks for no vmlinux
    made = []
    for index, (name, attr) in enumerate(zip(names, attrs, strict=True)):
        own = attr.flags & (layout.ATTR_FREQ | layout.ATTR_FLAGS_OF_GUEST) & ~_EXCLUDE_LEVELS
        chains = attr.sample_type & layout.SAMPLE_CALLCHAIN
        fields = (attr.type, attr.config, attr.sample_period, SAMPLE_TYPE | chains, 0, flags | own)
        ids = tuple(1 + index * vcpus + vcpu for vcpu in range(vcpus))
        made.append(RecordedEvent(name, AttrFields(*fields, attr.bp_type, attr.bp_addr, attr.bp_len), ids))
    return tuple(made)


# What the samples are, and what perf makes of the guest's CPL; by guest_mode.
_ABOUT = {
    False: "pvperf vCPU: samples lie at the ends of basic blocks; CPL 0 and CPL 3 are both user code to perf",
    True: "pvperf vCPU: samples lie at the ends of basic blocks; CPL 0 is a guest's kernel to perf, CPL 3 its user",
}

# Exclude user and kernel: in the file they would mean perf's modes, and all samples are USER to it.
_EXCLUDE_LEVELS = 1 << 4 | 1 << 5


class Recorder:
    """A perf.data file in the making. Samples come through take(); finish() or abandon() ends it."""

    def __init__(
        self,
        path: str,
        *,
        guest: Guest,
        machine: Machine,
        events: Sequence[RecordedEvent],
        ids: tuple[int, int],
        guest_mode: bool = False,
        clock: Callable[[], float] = time.monotonic,
        files: Files | None = None,
    ) -> None:
        """Makes the file; it is at `path` from the first take() on. `clock` is what checkpoints go by, seconds; `files`
        are those of the command, if it has others.

        `ids` are those under which the agent opens the events: the first, and how many a vCPU has (native/abi/agent.h).
        """
        self.samples = 0
        self.size = 0  # of the whole file, bytes, when it is finished
        self._first_id, self._ids_per_vcpu = ids
        self._guest = guest
        self._events = tuple(events)
        self._vcpus = machine.vcpus
        self._clock = clock
        chains = any(event.attr.sample_type & layout.SAMPLE_CALLCHAIN for event in events)
        self._converters = [
            Converter(vcpu, [event.ids[vcpu] for event in events], chains=chains, guest_mode=guest_mode)
            for vcpu in range(machine.vcpus)
        ]
        self._times: list[int] = []
        self._records: list[bytes] = []
        self._horizon = 0  # no sample up to this time is still to come
        mode = layout.MISC_GUEST_KERNEL if guest_mode else layout.MISC_USER
        builds = [BuildId(guest.path, guest.build_id, mode)] if guest.build_id else []
        machine = machine._replace(about=_ABOUT[guest_mode])
        files = files or Files()
        files.reads(guest.path)
        self._writer = PerfDataWriter(path, machine=machine, events=events, build_ids=builds, files=files)
        self._mode = mode
        self._introduce()
        self._due = clock() + CHECKPOINT_SECONDS

    @property
    def path(self) -> str:
        """Where the file is."""
        return self._writer.path

    def _stamp(self, time_ns: int, vcpu: int, event: int = 0) -> Stamp:
        return Stamp(time_ns, vcpu, self._events[event].ids[vcpu])

    def _introduce(self) -> None:
        """Says who the vCPUs are and what code they run, before everything else."""
        append, name = self._writer.append, printable(os.path.basename(self._guest.path))
        for vcpu in range(self._vcpus):
            if vcpu:
                append(records.fork(self._stamp(0, vcpu), misc=self._mode))
            append(records.comm(name, self._stamp(0, vcpu), misc=self._mode))
        for piece in self._guest.segments:
            if piece.executable:
                where = (piece.gpa, piece.memory_bytes, piece.offset)
                append(records.mmap2(self._guest.path, *where, self._stamp(0, 0), misc=self._mode))
        self._writer.checkpoint()

    def take(self, vcpu: int, data: bytes) -> None:
        """Samples of one vCPU, in their order, as sample_ring_read() returns them; no bytes: none have come since.

        HostError if the file cannot be written.
        """
        self._writer.place()
        before = len(self._times)
        self._converters[vcpu].convert(data, self._times, self._records)
        self.samples += len(self._times) - before
        if self._clock() >= self._due or len(self._times) > _PENDING_MOST:
            self._flush(self._horizon)
            self._writer.checkpoint()
            self._horizon = max(self._times, default=self._horizon)
            self._due = self._clock() + CHECKPOINT_SECONDS

    def take_trace(self, trace: Iterable[Record]) -> None:
        """What the host says of the events: where they were throttled. Others' events are left out."""
        for record in trace:
            vcpu, event = divmod(record.id - self._first_id, self._ids_per_vcpu)
            if record.kind != "lost" and 0 <= vcpu < self._vcpus and event < len(self._events):
                stamp = self._stamp(record.time_ns, vcpu, event)
                self._times.append(record.time_ns)
                self._records.append(records.throttle(stamp, on=record.kind == "throttle"))

    def _flush(self, horizon: int | None) -> None:
        """Hands the samples up to that time to the writer, by time; None: all."""
        order = sorted(range(len(self._times)), key=self._times.__getitem__)
        times = [self._times[index] for index in order]
        ready = len(times) if horizon is None else bisect_right(times, horizon)
        if not ready:
            return
        made = self._records
        self._writer.append(b"".join([made[index] for index in order[:ready]]))
        self._writer.first_ns = min(self._writer.first_ns or times[0], times[0])
        self._writer.last_ns = max(self._writer.last_ns, times[ready - 1])
        self._times, self._records = times[ready:], [made[index] for index in order[ready:]]

    def abandon(self) -> bool:
        """When no VM has run: leaves what was at the path as it was. False, and nothing done, if one has."""
        if self._writer.placed:
            return False
        self._writer.abandon()
        return True

    def finish(self, *, shortfalls: Iterable[Shortfall] = (), ring_lost: Sequence[int] = ()) -> None:
        """Writes what is left, and what has no sample; `ring_lost` are samples by vCPU.

        What `shortfalls` does not tell of, be it that there were none, is not known, and the file says so by its lack.
        """
        try:
            self._flush(None)
            end = self._writer.last_ns
            for vcpu, number in enumerate(ring_lost):
                if number:
                    self._writer.append(records.lost(number, self._stamp(end, vcpu)))
            for short in shortfalls:
                stamp = self._stamp(end, short.vcpu, short.event)
                self._writer.append(records.lost_samples(short.overflows, stamp))
            for vcpu in reversed(range(self._vcpus)):
                self._writer.append(records.exit(self._stamp(end, vcpu), misc=self._mode))
        finally:
            self._writer.close()
        self.size = os.path.getsize(self.path)
