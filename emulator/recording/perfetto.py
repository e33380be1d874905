# SPDX-License-Identifier: GPL-2.0-only
"""Writes traces that https://ui.perfetto.dev shows: tracks with slices, instants and counters on them.

A trace is a protobuf message with one field, packets, repeated: so a file is valid after every packet, and what is
written is never touched again. Field numbers are those of protos/perfetto/trace in Perfetto's sources. Times are ns of
CLOCK_MONOTONIC; the clock has no name in the file, since a single one needs no conversion.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import BinaryIO

Arguments = Mapping[str, int | str]

_VARINT, _FIXED64, _BYTES = 0, 1, 2  # wire types
_SMALL = [bytes([value]) for value in range(0x80)]
# Trace; TracePacket and its sequence_flags.
_PACKET = 1
_TIMESTAMP, _SEQUENCE, _TRACK_EVENT, _INTERNED, _FLAGS, _DESCRIPTOR = 8, 10, 11, 12, 13, 60
_CLEARED, _NEEDS_STATE = 1, 2
_ONE_SEQUENCE = 1
# TrackDescriptor; ProcessDescriptor; ThreadDescriptor; CounterDescriptor.
_UUID, _NAME, _PROCESS, _THREAD, _PARENT, _COUNTER = 1, 2, 3, 4, 5, 8
_PROCESS_PID, _PROCESS_NAME = 1, 6
_THREAD_PID, _THREAD_TID, _THREAD_NAME = 1, 2, 5
_UNIT_NAME = 6
# TrackEvent and its types; DebugAnnotation; InternedData.event_names.
_ANNOTATION, _TYPE, _NAME_IID, _TRACK, _VALUE, _FLOW, _FLOW_END = 4, 9, 10, 11, 30, 47, 48
_BEGIN, _END, _INSTANT, _COUNT = 1, 2, 3, 4
_ANNOTATION_NAME, _ANNOTATION_INT, _ANNOTATION_STRING = 10, 4, 6
_EVENT_NAMES, _EVENT_IID, _EVENT_NAME = 2, 1, 2


def _varint(value: int) -> bytes:
    """An integer in 7-bit groups; a negative one as 64 bits in two's complement."""
    if 0 <= value < 0x80:
        return _SMALL[value]
    value &= (1 << 64) - 1
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


@lru_cache(maxsize=16)
def _upper(value: int) -> bytes:
    return _varint(value)


def _time(time_ns: int) -> bytes:
    """As _varint(), four groups at once: of the times of a trace, the upper bits hardly change."""
    if time_ns < 1 << 28:
        return _varint(time_ns)
    lower = time_ns & 0x7F | (time_ns & 0x3F80) << 1 | (time_ns & 0x1FC000) << 2 | (time_ns & 0xFE00000) << 3
    return (lower | 0x80808080).to_bytes(4, "little") + _upper(time_ns >> 28)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(body)) + body


def _string(field: int, text: str) -> bytes:
    return _message(field, text.encode(errors="replace"))


def _flow(field: int, flow: int) -> bytes:
    return _varint(field << 3 | _FIXED64) + flow.to_bytes(8, "little") if flow else b""


@lru_cache(maxsize=4096)
def _annotation(name: str, value: int | str) -> bytes:
    said = _number(_ANNOTATION_INT, value) if isinstance(value, int) else _string(_ANNOTATION_STRING, value)
    return _message(_ANNOTATION, _string(_ANNOTATION_NAME, name) + said)


def _annotations(arguments: Arguments | None) -> bytes:
    return b"".join([_annotation(name, value) for name, value in arguments.items()]) if arguments else b""


_PACKET_TAG = _varint(_PACKET << 3 | _BYTES)
_TRACK_EVENT_TAG = _varint(_TRACK_EVENT << 3 | _BYTES)
_STATEFUL = _number(_SEQUENCE, _ONE_SEQUENCE) + _number(_FLAGS, _NEEDS_STATE)
_EVENT_HEAD = _STATEFUL + _varint(_TIMESTAMP << 3 | _VARINT)


class TraceWriter:
    """Appends to a binary file. Tracks are numbers; slices on one track nest."""

    def __init__(self, file: BinaryIO) -> None:
        """Whole packets are written to `file`, and it is flushed, at flush()."""
        self._file = file
        self._packets: list[bytes] = []
        self._tracks = 0
        self._names: dict[str, bytes] = {}
        self._heads: dict[tuple[int, int, str], bytes] = {}  # of events: all that repeats

    def process(self, name: str, pid: int) -> int:
        """The track of a process; those of its threads are below it."""
        return self._track(_message(_PROCESS, _number(_PROCESS_PID, pid) + _string(_PROCESS_NAME, name)))

    def thread(self, name: str, pid: int, tid: int) -> int:
        """The track of one of the threads of process `pid`."""
        body = _number(_THREAD_PID, pid) + _number(_THREAD_TID, tid) + _string(_THREAD_NAME, name)
        return self._track(_message(_THREAD, body))

    def lane(self, name: str, parent: int) -> int:
        """Another track below `parent`."""
        return self._track(_string(_NAME, name) + _number(_PARENT, parent))

    def counter(self, name: str, parent: int, unit: str = "") -> int:
        """A track of values, below `parent`."""
        return self._track(
            _string(_NAME, name) + _number(_PARENT, parent) + _message(_COUNTER, _string(_UNIT_NAME, unit))
        )

    def begin(self, track: int, name: str, time_ns: int, arguments: Arguments | None = None, flow: int = 0) -> None:
        """A slice begins; `flow`, if not 0, draws an arrow to the next event with the same number."""
        self._event(track, _BEGIN, name, time_ns, _annotations(arguments) + _flow(_FLOW, flow))

    def end(self, track: int, time_ns: int, arguments: Arguments | None = None) -> None:
        """The slice that began last on the track, and has not ended, ends."""
        self._event(track, _END, "", time_ns, _annotations(arguments))

    def slice(self, track: int, name: str, begin_ns: int, end_ns: int, arguments: Arguments | None = None) -> None:
        """A slice without others in it."""
        self.begin(track, name, begin_ns, arguments)
        self.end(track, end_ns)

    def instant(self, track: int, name: str, time_ns: int, arguments: Arguments | None = None, flow: int = 0) -> None:
        """Something that takes no time; `flow`, if not 0, is where an arrow ends."""
        self._event(track, _INSTANT, name, time_ns, _annotations(arguments) + _flow(_FLOW_END, flow))

    def value(self, track: int, time_ns: int, value: int) -> None:
        """A counter's value from then on."""
        self._event(track, _COUNT, "", time_ns, _number(_VALUE, value))

    def flush(self) -> None:
        """Writes what there is. OSError if that fails."""
        packets, self._packets = self._packets, []
        self._file.write(b"".join(packets))
        self._file.flush()

    def _packet(self, body: bytes) -> None:
        self._packets += (_PACKET_TAG, _varint(len(body)), body)

    def _track(self, body: bytes) -> int:
        self._tracks += 1
        flags = _number(_FLAGS, _CLEARED) if self._tracks == 1 else b""
        self._packet(
            _number(_SEQUENCE, _ONE_SEQUENCE) + flags + _message(_DESCRIPTOR, _number(_UUID, self._tracks) + body)
        )
        return self._tracks

    def _event(self, track: int, kind: int, name: str, time_ns: int, rest: bytes) -> None:
        head = self._heads.get((track, kind, name))
        if head is None:
            head = _number(_TYPE, kind) + _number(_TRACK, track) + self._interned(name)
            self._heads[track, kind, name] = head
        event = head + rest
        self._packet(_EVENT_HEAD + _time(time_ns) + _TRACK_EVENT_TAG + _varint(len(event)) + event)

    def _interned(self, name: str) -> bytes:
        """A name is in the trace once; events have its number."""
        if name and name not in self._names:
            iid = len(self._names) + 1
            self._names[name] = _number(_NAME_IID, iid)
            entry = _number(_EVENT_IID, iid) + _string(_EVENT_NAME, name)
            self._packet(_STATEFUL + _message(_INTERNED, _message(_EVENT_NAMES, entry)))
        return self._names.get(name, b"")
