# SPDX-License-Identifier: GPL-2.0-only
"""From the samples of a vCPU's ring (native/abi/sample.h) to PERF_RECORD_SAMPLE."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from emulator.recording.perfdata import layout
from emulator.recording.perfdata.layout import GUEST_PID

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

# The cpumode of a sample and the marker of its call chain: at any other CPL than 3, and at 3.
_USER_CPL = 3
_USER_MODES = ((layout.MISC_USER, layout.CONTEXT_USER),) * 2
_GUEST_MODES = (
    (layout.MISC_GUEST_KERNEL, layout.CONTEXT_GUEST_KERNEL),
    (layout.MISC_GUEST_USER, layout.CONTEXT_GUEST_USER),
)


class Converter:
    """Makes records of one vCPU's samples."""

    def __init__(self, vcpu: int, ids: Sequence[int], *, chains: bool, guest_mode: bool) -> None:
        """`ids` are those of the events on this vCPU, in the order in which the agent opened them."""
        self._vcpu = vcpu
        self._ids = tuple(ids)
        self._chains = chains
        self._modes = _GUEST_MODES if guest_mode else _USER_MODES

    def convert(self, data: bytes, times: list[int], records: list[bytes]) -> None:
        """Adds a time, ns, and a record for each sample in `data`, which is as sample_ring_read() returns it.

        One loop without calls: this is what a million samples a second cost most.
        """
        add_time, add_record, unpack, at, end = times.append, records.append, SAMPLE.unpack_from, 0, len(data)
        vcpu, tid, ids, modes, chains = self._vcpu, GUEST_PID + self._vcpu, self._ids, self._modes, self._chains
        kind, pid, plain, chained, plain_bytes = (
            layout.RECORD_SAMPLE,
            GUEST_PID,
            _PLAIN.pack,
            _CHAINED.pack,
            _PLAIN.size,
        )
        while at < end:
            size, event, callers, _, cpl, _, _, ip, time_ns, period, _ = unpack(data, at)
            misc, marker = modes[cpl == _USER_CPL]
            add_time(time_ns)
            if chains:
                made = _CHAINED.size + 8 * callers
                head = (kind, misc, made, ids[event], ip, pid, tid, time_ns, vcpu, 0, period)
                chain = data[at + SAMPLE.size : at + size]
                add_record(chained(*head, callers + _CHAIN_OF_ITS_OWN, marker, ip) + chain)
            else:
                add_record(plain(kind, misc, plain_bytes, ids[event], ip, pid, tid, time_ns, vcpu, 0, period))
            at += size
