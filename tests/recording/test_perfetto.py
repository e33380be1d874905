# SPDX-License-Identifier: GPL-2.0-only
"""The writer of Perfetto traces, read back by Perfetto's own definitions and by ours."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace
from perfetto_trace import BEGIN, END, INSTANT, VALUE, Event, decode, fields

from emulator.recording.perfetto import TraceWriter

TIMES = st.integers(min_value=1, max_value=(1 << 64) - 1)
INT64 = st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1)


def written() -> tuple[TraceWriter, io.BytesIO]:
    file = io.BytesIO()
    return TraceWriter(file), file


def parsed(file: io.BytesIO) -> list[object]:
    trace = Trace()
    trace.ParseFromString(file.getvalue())
    return list(trace.packet)


def test_tracks() -> None:
    writer, file = written()
    assert writer.process("VM", 70000) == 1
    assert writer.thread("vCPU 0", 70000, 70001) == 2
    assert writer.lane("event_mutex", 2) == 3
    assert writer.counter("backlog", 2, "overflows") == 4
    writer.flush()
    process, thread, lane, counter = [packet.track_descriptor for packet in parsed(file)]  # type: ignore[attr-defined]
    assert (process.uuid, process.process.pid, process.process.process_name) == (1, 70000, "VM")
    assert (thread.uuid, thread.thread.pid, thread.thread.tid, thread.thread.thread_name) == (2, 70000, 70001, "vCPU 0")
    assert (lane.uuid, lane.name, lane.parent_uuid) == (3, "event_mutex", 2)
    assert (counter.name, counter.parent_uuid, counter.counter.unit_name) == ("backlog", 2, "overflows")


def test_events() -> None:
    """Names are interned once, in front of the first that has them; everything has its one sequence."""
    writer, file = written()
    track = writer.process("VM", 1)
    writer.begin(track, "READ", 1 << 40, {"id": -2, "rip": "0x10"}, flow=7)
    writer.end(track, (1 << 40) + 1, {"result": (1 << 63) - 1})
    writer.instant(track, "READ", 5, flow=7)
    writer.value(track, 6, -1)
    writer.slice(track, "zwölf", 8, 9)
    writer.flush()
    packets = parsed(file)
    assert {packet.trusted_packet_sequence_id for packet in packets} == {1}  # type: ignore[attr-defined]
    names = [name for packet in packets for name in packet.interned_data.event_names]  # type: ignore[attr-defined]
    assert [(name.iid, name.name) for name in names] == [(1, "READ"), (2, "zwölf")]
    events = [packet for packet in packets if packet.HasField("track_event")]  # type: ignore[attr-defined]
    assert [(event.timestamp, event.track_event.type) for event in events] == [  # type: ignore[attr-defined]
        *((1 << 40, BEGIN), ((1 << 40) + 1, END), (5, INSTANT), (6, VALUE), (8, BEGIN), (9, END)),
    ]
    begin, end, instant, value, named, _ = [event.track_event for event in events]  # type: ignore[attr-defined]
    assert [(a.name, a.int_value, a.string_value) for a in begin.debug_annotations] == [
        ("id", -2, ""),
        ("rip", 0, "0x10"),
    ]
    assert (list(begin.flow_ids), list(instant.terminating_flow_ids)) == ([7], [7])
    assert end.debug_annotations[0].int_value == (1 << 63) - 1
    assert (begin.name_iid, end.name_iid, instant.name_iid, named.name_iid) == (1, 0, 1, 2)
    assert value.counter_value == -1


@given(TIMES, INT64, st.text())
def test_any_number_and_any_text(time_ns: int, number: int, text: str) -> None:
    """Both readers see what was written."""
    writer, file = written()
    track = writer.process("VM", 1)
    writer.begin(track, f"a{text}", time_ns, {"number": number, "text": text})
    writer.value(track, time_ns, number)
    writer.flush()
    said = text.encode(errors="replace").decode()
    begin, value = decode(file.getvalue())[track].events
    assert begin == Event(BEGIN, time_ns, f"a{said}", {"number": number, "text": said}, 0)
    assert (value.kind, value.time_ns, value.value) == (VALUE, time_ns, number)
    _, _, first, second = parsed(file)
    assert [first.timestamp, second.timestamp] == [time_ns, time_ns]  # type: ignore[attr-defined]
    assert second.track_event.counter_value == number  # type: ignore[attr-defined]


def test_a_file_is_valid_after_every_packet() -> None:
    """And what is flushed is whole packets."""
    writer, file = written()
    track = writer.process("VM", 1)
    lengths = []
    for time_ns in range(1, 20):
        writer.instant(track, f"name {time_ns % 3}", time_ns)
        writer.flush()
        lengths.append(len(file.getvalue()))
    for count, length in enumerate(lengths, 1):
        assert len(decode(file.getvalue()[:length])[track].events) == count
    with pytest.raises(ValueError, match="cut off"):
        fields(file.getvalue()[:-1])
