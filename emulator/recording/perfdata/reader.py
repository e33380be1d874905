# SPDX-License-Identifier: GPL-2.0-only
"""Reads perf.data files as `record` writes them. Whatever is wrong with one is a DataError of one sentence.

Nothing in the file is believed: every offset and length is checked against the file itself.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from emulator.errors import DataError, UsageError, cannot
from emulator.recording.perfdata import features, kinds, layout
from emulator.recording.perfdata.features import BuildId, RecordedEvent
from emulator.recording.perfdata.sample import Sample, SampleLayout
from emulator.terminal.printable import printable


class Mapping(NamedTuple):
    """Code in a process' memory: `length` bytes at `address` from `offset` of the file `path`."""

    address: int
    length: int
    offset: int
    path: str


class _Section(NamedTuple):
    offset: int
    size: int


@dataclass
class PerfData:
    """A recording. `samples` are by time; `lost` and `lost_samples` are by (event, vCPU), as the records say.

    Names are printable; paths are as they are. Not `complete`: it was cut off, and how many samples were lost is not
    known.
    """

    path: str
    events: list[RecordedEvent]
    samples: list[Sample] = field(default_factory=list)
    mappings: dict[int, list[Mapping]] = field(default_factory=dict)  # by pid; what came later hides what was there
    commands: dict[int, str] = field(default_factory=dict)  # by tid
    lost: dict[tuple[int, int], int] = field(default_factory=dict)
    lost_samples: dict[tuple[int, int], int] = field(default_factory=dict)
    throttled: int = 0
    complete: bool = True
    build_ids: list[BuildId] = field(default_factory=list)
    command_line: tuple[str, ...] = ()
    strings: dict[int, str] = field(default_factory=dict)  # features that are one string, by bit

    @property
    def about(self) -> str:
        """What pvperf says of how it records; empty for another's recording."""
        by_us = self.strings.get(layout.FEATURE_CPUID) == features.CPUID
        return self.strings.get(layout.FEATURE_CPUDESC, "") if by_us else ""


_STRING_FEATURES = (
    layout.FEATURE_HOSTNAME,
    layout.FEATURE_OSRELEASE,
    layout.FEATURE_VERSION,
    layout.FEATURE_ARCH,
    layout.FEATURE_CPUDESC,
    layout.FEATURE_CPUID,
)


def read(path: str) -> PerfData:
    """The recording at `path`; -: stdin. UsageError if it cannot be opened, DataError if it is not whole and sound."""
    try:
        with open(path, "rb") if path != "-" else open(0, "rb", closefd=False) as file:
            data = file.read(layout.PREAMBLE.size)
            if data == layout.PREAMBLE.pack(layout.MAGIC, layout.HEADER.size):  # what else there is may have no end
                data += file.read()
    except IsADirectoryError:
        what = ": pvperf does not read perf's directories (--threads)" if os.path.exists(f"{path}/data") else ""
        raise UsageError(f"cannot read {path}: Is a directory{what}") from None
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise UsageError(f"cannot read {path}: {error.strerror}: record one with pvperf record") from None
        raise cannot(f"read {path}", error) from None
    try:
        return _Reader(path, data).read()
    except DataError as error:
        raise DataError(f"{path} cannot be read: {error}") from None


class _Reader:
    def __init__(self, path: str, data: bytes) -> None:
        self._data = data
        kinds.refuse_magic(data)
        if len(data) >= layout.PREAMBLE.size:
            kinds.refuse_header(layout.PREAMBLE.unpack_from(data)[1])
        if len(data) < layout.HEADER.size:
            raise DataError("it is truncated: its header is incomplete")
        _, _, attr_bytes, *rest = layout.HEADER.unpack_from(data)
        attrs, self._body = _Section(*rest[0:2]), _Section(*rest[2:4])
        if self._body.size == 0:
            raise DataError("it was cut off: its header has no data, which perf record and pvperf record write last")
        self._features = self._feature_sections(rest[6:10])
        self._result = PerfData(path, self._events(attrs, attr_bytes))
        self._event_of = {
            number: (index, vcpu)
            for index, event in enumerate(self._result.events)
            for vcpu, number in enumerate(event.ids)
        }
        self._layout = SampleLayout([event.attr for event in self._result.events], self._event_of)

    def _bytes(self, section: _Section, what: str) -> bytes:
        if section.offset + section.size > len(self._data):
            raise DataError(f"it is truncated: its {what} would end at byte {section.offset + section.size}")
        return self._data[section.offset : section.offset + section.size]

    def _feature_sections(self, words: list[int]) -> dict[int, _Section]:
        number = sum(word << 64 * index for index, word in enumerate(words))
        bits = [bit for bit in range(layout.FEATURE_BITS) if number >> bit & 1]
        for bit in bits:
            kinds.refuse_feature(bit)
        offset = self._body.offset + self._body.size
        table = self._bytes(_Section(offset, layout.SECTION.size * len(bits)), "list of features")
        return {bit: _Section(*entry) for bit, entry in zip(bits, layout.SECTION.iter_unpack(table), strict=True)}

    def _feature(self, bit: int) -> bytes | None:
        section = self._features.get(bit)
        return None if section is None else self._bytes(section, f"feature {bit}")

    def _events(self, section: _Section, attr_bytes: int) -> list[RecordedEvent]:
        """From the attrs; the names are a feature."""
        size = attr_bytes - layout.SECTION.size
        if size < layout.ATTR_MIN_BYTES or section.size == 0 or section.size % attr_bytes:
            raise DataError("it is damaged: its event attributes have no sensible size")
        table = self._bytes(section, "event attributes")
        data = self._feature(layout.FEATURE_EVENT_DESC)
        names = [event.name for event in features.decode_events(data)] if data is not None else []
        events = []
        for index, at in enumerate(range(0, len(table), attr_bytes)):
            attr = layout.unpack_attr(table[at : at + size])
            ids = self._bytes(_Section(*layout.SECTION.unpack_from(table, at + size)), "event ids")
            if len(ids) % 8:
                raise DataError("it is damaged: its event ids have no sensible size")
            name = names[index] if index < len(names) else f"{attr.type}/{attr.config:#x}"
            events.append(RecordedEvent(printable(name), attr, struct.unpack(f"<{len(ids) // 8}Q", ids)))
        return events

    def read(self) -> PerfData:
        """All of it."""
        result = self._result
        for kind, misc, body in self._records():
            self._take(kind, misc, body)
        result.samples.sort(key=lambda sample: sample.time_ns)
        for bit in _STRING_FEATURES:
            if (data := self._feature(bit)) is not None:
                result.strings[bit] = printable(features.decode_string(data))
        if (data := self._feature(layout.FEATURE_BUILD_ID)) is not None:
            result.build_ids = features.decode_build_ids(data)
        if (data := self._feature(layout.FEATURE_CMDLINE)) is not None:
            result.command_line = features.decode_command(data)
        for bit in self._features:
            self._feature(bit)  # also what is not used must be there
        result.complete = self._is_complete()
        return result

    def _is_complete(self) -> bool:
        """Did whoever recorded it end in good order? perf writes the features then; we, what every event has lost."""
        accounted = self._result.lost_samples.keys() >= set(self._event_of.values())
        return bool(self._features) and (accounted or not self._result.about)

    def _records(self) -> Iterator[tuple[int, int, bytes]]:
        data = self._bytes(self._body, "data")
        at = 0
        while at < len(data):
            if at + layout.RECORD.size > len(data):
                raise DataError(f"it is damaged: a record at byte {self._body.offset + at} is cut off")
            kind, misc, size = layout.RECORD.unpack_from(data, at)
            if size < layout.RECORD.size or at + size > len(data):
                raise DataError(f"it is damaged: the record at byte {self._body.offset + at} has {size} bytes")
            yield kind, misc, data[at + layout.RECORD.size : at + size]
            at += size

    def _take(self, kind: int, misc: int, body: bytes) -> None:
        result = self._result
        try:
            if kind == layout.RECORD_SAMPLE:
                result.samples.append(self._layout.unpack(misc, body))
            elif kind in (layout.RECORD_MMAP, layout.RECORD_MMAP2):
                self._take_mapping(body, misc, _MMAP2_HEAD if kind == layout.RECORD_MMAP2 else _MMAP_HEAD)
            elif kind == layout.RECORD_FORK:
                pid, parent, tid, parent_tid = struct.unpack_from("<IIII", body)
                if pid != parent:
                    result.mappings[pid] = list(result.mappings.get(parent, ()))
                if parent_tid in result.commands:
                    result.commands[tid] = result.commands[parent_tid]
            elif kind == layout.RECORD_COMM:
                pid, tid = struct.unpack_from("<II", body)
                result.commands[tid] = printable(_text(body[8:]))
                if misc & layout.MISC_COMM_EXEC:  # what was mapped before is gone
                    result.mappings.pop(pid, None)
            elif kind == layout.RECORD_LOST:
                self._count(result.lost, *struct.unpack_from("<QQ", body))
            elif kind == layout.RECORD_LOST_SAMPLES:
                self._count(result.lost_samples, self._layout.trailing_id(body), *struct.unpack_from("<Q", body))
            elif kind == layout.RECORD_THROTTLE:
                result.throttled += 1
            else:
                kinds.refuse_record(kind)
        except struct.error:
            raise DataError(f"it is damaged: a record of type {kind} is too short") from None

    def _take_mapping(self, body: bytes, misc: int, head: int) -> None:
        pid, _, address, length, offset = struct.unpack_from("<IIQQQ", body)
        if not misc & layout.MISC_MMAP_DATA:
            made = Mapping(address, length, offset, _text(body[head:]))
            self._result.mappings.setdefault(pid, []).append(made)

    def _count(self, sums: dict[tuple[int, int], int], number: int | None, lost: int) -> None:
        key = self._layout.event(number)
        sums[key] = sums.get(key, 0) + lost


# What stands before the file's name.
_MMAP_HEAD = 32
_MMAP2_HEAD = 64


def _text(data: bytes) -> str:
    return os.fsdecode(data.split(b"\0", 1)[0])
