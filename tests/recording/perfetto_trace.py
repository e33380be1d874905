# SPDX-License-Identifier: GPL-2.0-only
"""Reads a Perfetto trace back, by the protobuf wire format alone; raises what it does not expect."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

BEGIN, END, INSTANT, VALUE = 1, 2, 3, 4


def fields(data: bytes) -> dict[int, list[int | bytes]]:
    """The fields of a message by number; values in order. ValueError where it is cut off."""
    found: dict[int, list[int | bytes]] = defaultdict(list)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            value, at = _varint(data, at)
            found[tag >> 3].append(value)
            continue
        assert tag & 7 in (1, 2), "neither a fixed64 nor bytes"
        size, at = _varint(data, at) if tag & 7 == 2 else (8, at)
        if at + size > len(data):
            raise ValueError("cut off")
        found[tag >> 3].append(data[at : at + size])
        at += size
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at == len(data):
            raise ValueError("cut off")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


@dataclass
class Event:
    """Of a track: its type, time, name ("" where it has none), annotations, and value (of a counter)."""

    kind: int
    time_ns: int
    name: str
    arguments: dict[str, int | str]
    value: int


@dataclass
class Track:
    name: str
    parent: int
    pid: int = 0
    tid: int = 0
    is_counter: bool = False
    events: list[Event] = field(default_factory=list)

    def slices(self) -> list[tuple[str, int, int, int, dict[str, int | str]]]:
        """Name, depth, begin, end and arguments of each, in order of their ends; every one must end."""
        open_: list[Event] = []
        found = []
        for event in sorted(self.events, key=lambda event: event.time_ns):
            if event.kind == BEGIN:
                open_.append(event)
            elif event.kind == END:
                begin = open_.pop()
                assert begin.time_ns <= event.time_ns
                arguments = begin.arguments | event.arguments
                found.append((begin.name, len(open_), begin.time_ns, event.time_ns, arguments))
        assert open_ == [], "slices that do not end"
        return found

    def count(self, name: str) -> int:
        """Slices and instants of this name."""
        return sum(event.name == name for event in self.events)


def decode(data: bytes) -> dict[int, Track]:
    """The tracks by their number. Every event must be of a track, and have a name that is in the trace before it."""
    tracks: dict[int, Track] = {}
    names: dict[int, str] = {}
    for number, body in enumerate(fields(data).get(1, [])):
        packet = fields(_bytes(body))
        assert packet[10] == [1]
        assert packet.get(13, [0]) == ([1] if number == 0 else [0] if 60 in packet else [2])
        if 60 in packet:
            uuid, track = _track(fields(_bytes(packet[60][0])))
            assert uuid not in tracks
            assert track.parent in tracks or not track.parent
            tracks[uuid] = track
        elif 12 in packet:
            for entry in fields(_bytes(packet[12][0]))[2]:
                name = fields(_bytes(entry))
                names[_int(name[1][0])] = _bytes(name[2][0]).decode()
        else:
            uuid, event = _event(fields(_bytes(packet[11][0])), _int(packet[8][0]), names)
            tracks[uuid].events.append(event)
    return tracks


def _track(message: dict[int, list[int | bytes]]) -> tuple[int, Track]:
    name = _bytes(message.get(2, [b""])[0]).decode()
    track = Track(name, _int(message.get(5, [0])[0]), is_counter=8 in message)
    if 3 in message:
        process = fields(_bytes(message[3][0]))
        track.pid, track.name = _int(process[1][0]), _bytes(process[6][0]).decode()
    if 4 in message:
        thread = fields(_bytes(message[4][0]))
        track.pid, track.tid, track.name = _int(thread[1][0]), _int(thread[2][0]), _bytes(thread[5][0]).decode()
    return _int(message[1][0]), track


def _event(message: dict[int, list[int | bytes]], time_ns: int, names: dict[int, str]) -> tuple[int, Event]:
    arguments: dict[str, int | str] = {}
    for data in message.get(4, []):
        annotation = fields(_bytes(data))
        name = _bytes(annotation[10][0]).decode()
        arguments[name] = _signed(annotation[4][0]) if 4 in annotation else _bytes(annotation[6][0]).decode()
    iid = message.get(10, [0])[0]
    named = names[_int(iid)] if iid else ""
    event = Event(_int(message[9][0]), time_ns, named, arguments, _signed(message.get(30, [0])[0]))
    return _int(message[11][0]), event


def _int(value: int | bytes) -> int:
    assert isinstance(value, int)
    return value


def _bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


def _signed(value: int | bytes) -> int:
    number = _int(value)
    return number - (1 << 64) if number >> 63 else number
