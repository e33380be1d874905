# SPDX-License-Identifier: GPL-2.0-only
"""From the samples of a vCPU's ring (native/abi/sample.h) to PERF_RECORD_SAMPLE."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from emulator.perfdata import layout
from emulator.perfdata.layout import GUEST_PID

#: struct pv_sample: size, event, chain, kind, cpl, overflows, vcpu, ip, time_ns, period, count.
SAMPLE = struct.Struct("<HHHBBIIQQQQ")

SAMPLE_TYPE = (
    layout.SAMPLE_IDENTIFIER
    | layout.SAMPLE_IP
    | layout.SAMPLE_TID
    | layout.SAMPLE_TIME
    | layout.SAMPLE_CPU
    | layout.SAMPLE_PERIOD
)

# Record header, identifier, ip, pid, tid, time, cpu, 0, period; with a chain, its length and marker, and the ip again.
_PLAIN = struct.Struct("<IHHQQIIQIIQ")
_CHAINED = struct.Struct("<IHHQQIIQIIQQQQ")
_CHAIN_OF_ITS_OWN = 2


class Converter:
    """Makes records of one vCPU's samples."""

    def __init__(self, vcpu: int, ids: Sequence[int], *, chains: bool, guest_mode: bool) -> None:
        """`ids` are those of the events on this vCPU, in the order in which the agent opened them."""
        self._vcpu = vcpu
        self._ids = tuple(ids)
        self._chains = chains
        self._guest_mode = guest_mode

    def convert(self, data: bytes, times: list[int], records: list[bytes]) -> None:
        """Adds a time, ns, and a record for each sample in `data`, which is as sample_ring_read() returns it."""
        add_time, add_record, unpack, at, end = times.append, records.append, SAMPLE.unpack_from, 0, len(data)
        make = self._chained if self._chains else self._plain
        while at < end:
            size, event, _, _, cpl, _, _, ip, time_ns, period, _ = unpack(data, at)
            add_time(time_ns)
            add_record(make(self._ids[event], cpl, ip, time_ns, period, data[at + SAMPLE.size : at + size]))
            at += size

    def _plain(self, number: int, cpl: int, ip: int, time_ns: int, period: int, _: bytes) -> bytes:
        misc = layout.MISC_USER if not self._guest_mode else _guest_cpumode(cpl)
        tid, size = GUEST_PID + self._vcpu, _PLAIN.size
        return _PLAIN.pack(layout.RECORD_SAMPLE, misc, size, number, ip, GUEST_PID, tid, time_ns, self._vcpu, 0, period)

    def _chained(self, number: int, cpl: int, ip: int, time_ns: int, period: int, chain: bytes) -> bytes:
        misc, marker = layout.MISC_USER, layout.CONTEXT_USER
        if self._guest_mode:
            misc = _guest_cpumode(cpl)
            marker = layout.CONTEXT_GUEST_USER if misc == layout.MISC_GUEST_USER else layout.CONTEXT_GUEST_KERNEL
        tid, size, length = GUEST_PID + self._vcpu, _CHAINED.size + len(chain), len(chain) // 8 + _CHAIN_OF_ITS_OWN
        head = (layout.RECORD_SAMPLE, misc, size, number, ip, GUEST_PID, tid, time_ns, self._vcpu, 0, period)
        return _CHAINED.pack(*head, length, marker, ip) + chain


def _guest_cpumode(cpl: int) -> int:
    return layout.MISC_GUEST_USER if cpl == 3 else layout.MISC_GUEST_KERNEL
