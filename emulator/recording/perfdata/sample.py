# SPDX-License-Identifier: GPL-2.0-only
"""PERF_RECORD_SAMPLE, for any choice of the fields that pvperf knows."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from emulator.errors import DataError
from emulator.recording.perfdata import layout
from emulator.recording.perfdata.layout import AttrFields

# Name, bit and struct code of the fields of fixed length, in their order within a sample.
FIELDS = (
    ("identifier", layout.SAMPLE_IDENTIFIER, "Q"),
    ("ip", layout.SAMPLE_IP, "Q"),
    ("pid_tid", layout.SAMPLE_TID, "Q"),
    ("time", layout.SAMPLE_TIME, "Q"),
    ("addr", layout.SAMPLE_ADDR, "Q"),
    ("id", layout.SAMPLE_ID, "Q"),
    ("stream_id", layout.SAMPLE_STREAM_ID, "Q"),
    ("cpu", layout.SAMPLE_CPU, "Q"),
    ("period", layout.SAMPLE_PERIOD, "Q"),
)
_KNOWN = layout.SAMPLE_CALLCHAIN
for _, _bit, _ in FIELDS:
    _KNOWN |= _bit

_U64 = struct.Struct("<Q")
_U32_MASK = (1 << 32) - 1


class Sample(NamedTuple):
    """One sample; what was not recorded is 0. `event` counts from 0; `chain` is innermost first, the ip included."""

    event: int
    vcpu: int
    ip: int
    pid: int
    tid: int
    time_ns: int
    period: int
    misc: int
    chain: tuple[int, ...]


class SampleLayout:
    """Where the fields of a file's samples are: all of its events have the same."""

    def __init__(self, attrs: Sequence[AttrFields], event_of: Mapping[int, tuple[int, int]]) -> None:
        """`event_of` gives the event and the vCPU that an id stands for. DataError for what is not known."""
        kinds = {attr.sample_type for attr in attrs}
        if len(kinds) != 1:
            raise DataError("its events have different sample fields, which pvperf does not read")
        (self._type,) = kinds
        if unknown := self._type & ~_KNOWN:
            raise DataError(f"its samples have fields that pvperf does not read (sample_type bits {unknown:#x})")
        if strange := [
            attr.flags & ~layout.ATTR_FLAGS_KNOWN for attr in attrs if attr.flags & ~layout.ATTR_FLAGS_KNOWN
        ]:
            raise DataError(f"its events have flags that pvperf does not know ({strange[0]:#x})")
        present = [name for name, bit, _ in FIELDS if self._type & bit]
        self._fixed = struct.Struct("<" + "".join(code for _, bit, code in FIELDS if self._type & bit))
        self._at = {name: index for index, name in enumerate(present)}
        self._event_of = event_of
        self._trails = all(attr.flags & layout.ATTR_SAMPLE_ID_ALL for attr in attrs)
        self._periods = [attr.sample_period if not attr.flags & layout.ATTR_FREQ else 1 for attr in attrs]

    def unpack(self, misc: int, body: bytes) -> Sample:
        """The sample in a record's body. DataError if it makes no sense, struct.error if it is too short."""
        values = self._fixed.unpack_from(body)
        at = self._at.get("identifier", self._at.get("id"))
        event, vcpu = self.event(None if at is None else values[at])
        thread = self._get(values, "pid_tid")
        rest = body[self._fixed.size :]
        chain, chain_bytes = self._chain(rest) if self._type & layout.SAMPLE_CALLCHAIN else ((), 0)
        if chain_bytes != len(rest):
            raise DataError(f"it is damaged: a sample has {len(rest) - chain_bytes} bytes more than its fields")
        return Sample(
            event=event,
            vcpu=self._get(values, "cpu", vcpu) & _U32_MASK,
            ip=self._get(values, "ip"),
            pid=thread & _U32_MASK,
            tid=thread >> 32,
            time_ns=self._get(values, "time"),
            period=self._get(values, "period", self._periods[event]),
            misc=misc,
            chain=chain,
        )

    def _get(self, values: tuple[int, ...], name: str, missing: int = 0) -> int:
        at = self._at.get(name)
        return missing if at is None else values[at]

    def event(self, number: int | None) -> tuple[int, int]:
        """The event and the vCPU that an id stands for. DataError for None, no id, where there are several events."""
        if number is not None and (found := self._event_of.get(number)):
            return found
        if len(self._periods) == 1 and (number is None or not self._event_of):
            return 0, 0
        if number is None:
            raise DataError("its records do not say of which event they are")
        raise DataError(f"it is damaged: there is no event with id {number}")

    def _chain(self, data: bytes) -> tuple[tuple[int, ...], int]:
        """The addresses, without the markers among them, and how many bytes it takes."""
        (length,) = _U64.unpack_from(data)
        if 8 * length > len(data) - 8:
            raise DataError("it is damaged: a call chain is longer than its record")
        addresses = struct.unpack_from(f"<{length}Q", data, 8)
        return tuple(address for address in addresses if address < layout.CONTEXT_MAX), 8 + 8 * length

    def trailing_id(self, body: bytes) -> int | None:
        """The event id at the end of a record that is not a sample; None if it has none."""
        if not (self._trails and self._type & layout.SAMPLE_IDENTIFIER):
            return None
        return int(_U64.unpack(body[-_U64.size :])[0])
