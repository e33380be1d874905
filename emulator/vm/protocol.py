# SPDX-License-Identifier: GPL-2.0-only
"""What the front end and the host process say to each other, and the channel on which they say it."""

from __future__ import annotations

import pickle
import socket
import struct
from typing import NamedTuple

from emulator.guest.agent import Attr, Recording
from emulator.guest.elf import Image
from emulator.guest.linux.boot import LinuxGuest
from emulator.vm.models import Cache


class Launch(NamedTuple):
    """Front end to host, as the argument of its process: the VM to build and the guest to boot."""

    front_pid: int
    segment: str  # name of the shared memory
    channel: int  # file descriptors that the host inherits
    guest: int
    vcpus: int
    ram_bytes: int
    max_events: int
    counters: int
    rotate_us: int
    poll_ns: int
    cores: tuple[int, ...]  # vCPU k and its host thread share cores[k % len]; empty: not pinned
    may_part: bool  # a vCPU leaves that core as long as hand-overs are faster so
    pv_perf: bool
    cycles_tsc: bool
    cpu: str
    atomics: str
    stores: str
    oracle: bool
    hook: str
    l1d: Cache
    llc: Cache
    predictor_bits: int  # 0: the default
    design: str
    nmi: str
    sync: str
    hold_us: int
    max_sample_rate: int
    poisson: bool
    faults: tuple[tuple[str, int], ...]  # constants of enum pv_fault, and how many of 1000
    seed: int
    image: Image | None  # of a bare guest
    linux: LinuxGuest | None  # one of the two
    paced: bool  # what it sleeps takes its time
    command_line: bytes
    attrs: tuple[Attr, ...]
    measure_memory: bool
    recording: Recording | None = None
    interval_ns: int = 0  # from one message Counted to the next; 0: there are none
    trace_records: int = 0  # room in each ring of the trace; 0: nothing is traced
    trace_kinds: int = 0  # a bit for each of enum pv_trace_kind


class Started(NamedTuple):
    """Host: the vCPU processes exist and their host threads serve them."""

    pids: tuple[int, ...]


class Entered(NamedTuple):
    """Host: a vCPU has entered the guest itself."""


class Console(NamedTuple):
    """Host: bytes that the guest wrote."""

    data: bytes


class Samples(NamedTuple):
    """Host: samples of one vCPU, whole and in order, as struct pv_sample; none: none have come for a while."""

    vcpu: int
    data: bytes


class Trace(NamedTuple):
    """Host: a round over the rings of the trace: when it began, and what some rings gave, as struct pv_trace_record."""

    began_ns: int
    parts: tuple[tuple[int, bytes], ...]


class SlotCount(NamedTuple):
    """One event on one vCPU. `error` is a negative errno of the guest interface, or 0; `value` None: not collected."""

    vcpu: int
    event: int
    value: int | None
    error: int
    enabled_ns: int
    running_ns: int


class Counted(NamedTuple):
    """Host: what the agent's events have counted since the guest's first entry, while the VM runs."""

    elapsed_s: float
    counts: tuple[SlotCount, ...]


class SlotSamples(NamedTuple):
    """What became of the overflows of one event on one vCPU: fields of struct pv_agent_slot."""

    vcpu: int
    event: int
    taken: int
    left: int
    samples: int


class Ended(NamedTuple):
    """Host: the VM is over and every vCPU process is gone. `reason` is one of enum pv_end_reason, by name."""

    reason: str
    status: int
    vcpu: int
    error: int
    text: str
    counts: tuple[SlotCount, ...]
    statistics: dict[str, int]
    pss_kib: dict[str, int]  # proportional set size of "host", "vcpu0", ...; empty: not measured
    elapsed_s: float
    sampled: tuple[SlotSamples, ...] = ()
    ring_lost: tuple[int, ...] = ()  # by vCPU: samples that found no room in its ring, or came out of it damaged


class Failed(NamedTuple):
    """Host: the VM could not be built. `kind` names a class of emulator.errors."""

    kind: str
    text: str


class Finish(NamedTuple):
    """Front end: end the VM in good order, so that counts are collected."""


class Kill(NamedTuple):
    """Front end: end the VM at once."""


class Typed(NamedTuple):
    """Front end: bytes for the console of a Linux guest."""

    data: bytes


class Taken(NamedTuple):
    """Host: so many of the bytes typed have reached the guest's console."""

    typed_bytes: int


Message = Started | Entered | Console | Taken | Samples | Trace | Counted | Ended | Failed | Finish | Kill | Typed

_LENGTH = struct.Struct("<Q")
_READ_BYTES = 1 << 18


class Channel:
    """Messages over a stream socket. Sending may wait for the peer; receiving never does."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._socket.fileno()

    def close(self) -> None:
        """Closes this end."""
        self._socket.close()

    def send(self, message: Message) -> None:
        """Sends one message; OSError if the peer is gone."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self) -> list[Message]:
        """The messages complete by now, which may be none. EOFError once the peer is gone and nothing is left."""
        try:
            data = self._socket.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError
        self._buffer += data
        return self._take()

    def drain(self) -> list[Message]:
        """All that a peer which is gone has sent."""
        try:
            while data := self._socket.recv(_READ_BYTES, socket.MSG_DONTWAIT):
                self._buffer += data
        except (BlockingIOError, ConnectionResetError):
            pass
        return self._take()

    def _take(self) -> list[Message]:
        messages: list[Message] = []
        while len(self._buffer) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                break
            messages.append(pickle.loads(bytes(self._buffer[_LENGTH.size : end])))
            del self._buffer[:end]
        return messages
