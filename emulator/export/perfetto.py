# SPDX-License-Identifier: GPL-2.0-only
"""Builds a trace that https://ui.perfetto.dev shows: tracks with slices, instants and counters on them.

Field numbers are those of protos/perfetto/trace in Perfetto's sources. Times are ns of
CLOCK_MONOTONIC; the trace calls its clock by no name, since a single one needs no conversion.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.export.protobuf import fixed64, message, number, string

# Trace, TracePacket.
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
_TYPE, _NAME_IID, _TRACK, _COUNTER_VALUE, _ANNOTATION, _FLOW, _FLOW_END = 9, 10, 11, 30, 4, 47, 48
_BEGIN, _END, _INSTANT, _VALUE = 1, 2, 3, 4
_ANNOTATION_NAME, _ANNOTATION_INT, _ANNOTATION_STRING = 10, 4, 6
_EVENT_NAMES, _EVENT_IID, _EVENT_NAME = 2, 1, 2

Arguments = Mapping[str, int | str]


class Trace:
    """A trace in the making. Tracks are numbers; a slice's begin and end come in pairs, by time, on one track."""

    def __init__(self) -> None:
        self._packets: list[bytes] = []
        self._tracks = 0
        self._names: dict[str, int] = {}

    def _packet(self, body: bytes) -> None:
        self._packets.append(message(_PACKET, body + number(_SEQUENCE, _ONE_SEQUENCE)))

    def _track(self, body: bytes) -> int:
        self._tracks += 1
        flags = _CLEARED if self._tracks == 1 else 0
        head = number(_FLAGS, flags) if flags else b""
        self._packet(head + message(_DESCRIPTOR, number(_UUID, self._tracks) + body))
        return self._tracks

    def process(self, name: str, pid: int) -> int:
        """The track of a process; those of its threads and counters are below it."""
        return self._track(message(_PROCESS, number(_PROCESS_PID, pid) + string(_PROCESS_NAME, name)))

    def thread(self, name: str, pid: int, tid: int) -> int:
        """The track of one of its threads."""
        body = number(_THREAD_PID, pid) + number(_THREAD_TID, tid) + string(_THREAD_NAME, name)
        return self._track(message(_THREAD, body))

    def lane(self, name: str, parent: int) -> int:
        """Another track below `parent`."""
        return self._track(string(_NAME, name) + number(_PARENT, parent))

    def counter(self, name: str, parent: int, unit: str = "") -> int:
        """A track of values, below `parent`."""
        return self._track(string(_NAME, name) + number(_PARENT, parent) + message(_COUNTER, string(_UNIT_NAME, unit)))

    def begin(self, track: int, name: str, time_ns: int, arguments: Arguments | None = None, flow: int = 0) -> None:
        """A slice begins; `flow`, if not 0, draws an arrow to the next event with the same number."""
        self._event(track, _BEGIN, time_ns, self._name(name) + _annotations(arguments) + _flow(_FLOW, flow))

    def end(self, track: int, time_ns: int) -> None:
        """The slice that began last ends."""
        self._event(track, _END, time_ns, b"")

    def slice(self, track: int, name: str, begin_ns: int, end_ns: int, arguments: Arguments | None = None) -> None:
        """A slice without others in it."""
        self.begin(track, name, begin_ns, arguments)
        self.end(track, end_ns)

    def instant(self, track: int, name: str, time_ns: int, arguments: Arguments | None = None, flow: int = 0) -> None:
        """Something that takes no time; `flow`, if not 0, is where an arrow ends."""
        self._event(track, _INSTANT, time_ns, self._name(name) + _annotations(arguments) + _flow(_FLOW_END, flow))

    def value(self, track: int, time_ns: int, value: int) -> None:
        """A counter's value from then on."""
        self._event(track, _VALUE, time_ns, number(_COUNTER_VALUE, value))

    def _name(self, name: str) -> bytes:
        """A name is in the trace once; events have its number."""
        if name not in self._names:
            self._names[name] = len(self._names) + 1
            entry = number(_EVENT_IID, self._names[name]) + string(_EVENT_NAME, name)
            self._packet(number(_FLAGS, _NEEDS_STATE) + message(_INTERNED, message(_EVENT_NAMES, entry)))
        return number(_NAME_IID, self._names[name])

    def _event(self, track: int, kind: int, time_ns: int, body: bytes) -> None:
        event = number(_TYPE, kind) + number(_TRACK, track) + body
        self._packet(number(_TIMESTAMP, time_ns) + number(_FLAGS, _NEEDS_STATE) + message(_TRACK_EVENT, event))

    def encode(self) -> bytes:
        """The file."""
        return b"".join(self._packets)


def _annotations(arguments: Arguments | None) -> bytes:
    made = b""
    for name, value in (arguments or {}).items():
        said = number(_ANNOTATION_INT, value) if isinstance(value, int) else string(_ANNOTATION_STRING, value)
        made += message(_ANNOTATION, string(_ANNOTATION_NAME, name) + said)
    return made


def _flow(field: int, flow: int) -> bytes:
    return fixed64(field, flow) if flow else b""
