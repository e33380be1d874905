# SPDX-License-Identifier: GPL-2.0-only
"""The features behind the data of a perf.data file: what was recorded, where, and with which code."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import NamedTuple

from emulator.errors import DataError
from emulator.recording.perfdata import layout
from emulator.recording.perfdata.layout import AttrFields, padded

_U32 = struct.Struct("<I")
_PAIR = struct.Struct("<II")
_U64 = struct.Struct("<Q")
_TIMES = struct.Struct("<QQ")
_BUILD_ID = struct.Struct("<IHHi20sB3x")  # record header, pid, build id, its length
_BUILD_ID_BYTES = 20
_BUILD_ID_HAS_SIZE = 1 << 15  # misc
_STRING_UNIT = 64
_KERNEL_PID = -1
#: The processor's identification: who has recorded it.
CPUID = "pvperf,0,0,0"


class RecordedEvent(NamedTuple):
    """An event by the name that the user gave it, and its ids: one for each vCPU."""

    name: str
    attr: AttrFields
    ids: tuple[int, ...]


class Machine(NamedTuple):
    """Where and how it was recorded. Strings as perf has them; `ram_bytes` is the guest's.

    `about`: what has to be known of the samples, for people (perf report --header).
    """

    hostname: str
    release: str
    version: str
    vcpus: int
    ram_bytes: int
    command: tuple[str, ...]
    about: str = "pvperf vCPU"


class BuildId(NamedTuple):
    """Which build of the file `path` was run: up to 20 bytes."""

    path: str
    build_id: bytes
    cpumode: int


def encode(
    machine: Machine, events: Sequence[RecordedEvent], build_ids: Sequence[BuildId], times: tuple[int, int]
) -> dict[int, bytes]:
    """Every feature's payload, by its bit; `times` are those of the first and the last sample, ns."""
    return {
        **({layout.FEATURE_BUILD_ID: b"".join(map(_encode_build_id, build_ids))} if build_ids else {}),
        layout.FEATURE_HOSTNAME: _encode_string(machine.hostname),
        layout.FEATURE_OSRELEASE: _encode_string(machine.release),
        layout.FEATURE_VERSION: _encode_string(machine.version),
        layout.FEATURE_ARCH: _encode_string("x86_64"),
        layout.FEATURE_NRCPUS: _PAIR.pack(machine.vcpus, machine.vcpus),
        layout.FEATURE_CPUDESC: _encode_string(machine.about),
        layout.FEATURE_CPUID: _encode_string(CPUID),
        layout.FEATURE_TOTAL_MEM: _U64.pack(machine.ram_bytes >> 10),
        layout.FEATURE_CMDLINE: _U32.pack(len(machine.command)) + b"".join(map(_encode_string, machine.command)),
        layout.FEATURE_EVENT_DESC: _encode_events(events),
        layout.FEATURE_SAMPLE_TIME: _TIMES.pack(*times),
    }


def place(payloads: dict[int, bytes], offset: int) -> bytes:
    """The feature sections as they lie in the file from `offset` on: a table, and the payloads behind it."""
    table, bodies = b"", b""
    start = offset + layout.SECTION.size * len(payloads)
    for bit in sorted(payloads):
        table += layout.SECTION.pack(start + len(bodies), len(payloads[bit]))
        bodies += payloads[bit]
    return table + bodies


def bitmap(bits: Sequence[int]) -> tuple[int, int, int, int]:
    """The header's words that say which features there are."""
    number = sum(1 << bit for bit in bits)
    words = layout.FEATURE_BITS // 4
    low, second, third, high = (number >> words * k & (1 << words) - 1 for k in range(4))
    return low, second, third, high


def _encode_string(text: str) -> bytes:
    data = padded(os.fsencode(text), _STRING_UNIT)
    return _U32.pack(len(data)) + data


def _encode_build_id(build: BuildId) -> bytes:
    name = padded(os.fsencode(build.path), _STRING_UNIT)
    size = _BUILD_ID.size + len(name)
    length = len(build.build_id)
    return _BUILD_ID.pack(0, build.cpumode | _BUILD_ID_HAS_SIZE, size, _KERNEL_PID, build.build_id, length) + name


def _encode_events(events: Sequence[RecordedEvent]) -> bytes:
    parts = [_PAIR.pack(len(events), layout.ATTR_BYTES)]
    for event in events:
        parts += [event.attr.pack(), _U32.pack(len(event.ids)), _encode_string(event.name)]
        parts.append(struct.pack(f"<{len(event.ids)}Q", *event.ids))
    return b"".join(parts)


class Cursor:
    """Reads a feature's payload from its start to its end. DataError where it ends too soon."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._at = 0

    @property
    def done(self) -> bool:
        """Nothing is left."""
        return self._at >= len(self._data)

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if size > len(self._data) - self._at:
            raise DataError(f"its {self._what} is cut off")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self) -> int:
        """The next u32."""
        return int(_U32.unpack(self.take(_U32.size))[0])

    def string(self) -> str:
        """The next string."""
        return os.fsdecode(self.take(self.number()).split(b"\0", 1)[0])


def decode_events(data: bytes) -> list[RecordedEvent]:
    """What _encode_events() wrote."""
    cursor = Cursor(data, "list of events")
    events = []
    number, attr_bytes = cursor.number(), cursor.number()
    if attr_bytes < layout.ATTR_MIN_BYTES:
        raise DataError(f"its list of events has attributes of {attr_bytes} bytes")
    for _ in range(number):
        attr = layout.unpack_attr(cursor.take(attr_bytes))
        ids = cursor.number()
        name = cursor.string()
        events.append(RecordedEvent(name, attr, struct.unpack(f"<{ids}Q", cursor.take(8 * ids))))
    return events


def decode_build_ids(data: bytes) -> list[BuildId]:
    """What was written of build ids."""
    cursor = Cursor(data, "list of build ids")
    builds = []
    while not cursor.done:
        _, misc, size, _, build_id, length = _BUILD_ID.unpack(cursor.take(_BUILD_ID.size))
        if size < _BUILD_ID.size:
            raise DataError(f"its list of build ids has an entry of {size} bytes")
        name = cursor.take(size - _BUILD_ID.size)
        length = length if misc & _BUILD_ID_HAS_SIZE and length <= _BUILD_ID_BYTES else _BUILD_ID_BYTES
        path = os.fsdecode(name.split(b"\0", 1)[0])
        builds.append(BuildId(path, build_id[:length], misc & layout.MISC_CPUMODE_MASK))
    return builds


def decode_command(data: bytes) -> tuple[str, ...]:
    """The command line."""
    cursor = Cursor(data, "command line")
    return tuple(cursor.string() for _ in range(cursor.number()))


def decode_string(data: bytes) -> str:
    """One of the features that are a string."""
    return Cursor(data, "description").string()
