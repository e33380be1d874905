# SPDX-License-Identifier: GPL-2.0-only
"""The records beside samples: who runs where, and what is missing.

Each ends with the sample_id that ATTR_SAMPLE_ID_ALL promises: pid, tid, time, CPU and event id.
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

from emulator.recording.perfdata import layout
from emulator.recording.perfdata.layout import GUEST_PID

_SAMPLE_ID = struct.Struct("<IIQIIQ")  # pid, tid, time, cpu, 0, id
_COMM = struct.Struct("<II")
_TASK = struct.Struct("<IIIIQ")  # pid, ppid, tid, ptid, time
_MMAP2 = struct.Struct("<IIQQQIIQQII")  # pid, tid, address, length, offset, device, inode, generation, prot, flags
_LOST = struct.Struct("<QQ")  # id, number
_LOST_SAMPLES = struct.Struct("<Q")
_THROTTLE = struct.Struct("<QQQ")  # time, id, stream id


class Stamp(NamedTuple):
    """When, on which vCPU, and for which event (its id on that vCPU) a record was made."""

    time_ns: int
    vcpu: int
    id: int


def _record(kind: int, body: bytes, stamp: Stamp, misc: int = 0) -> bytes:
    trailer = _SAMPLE_ID.pack(GUEST_PID, GUEST_PID + stamp.vcpu, stamp.time_ns, stamp.vcpu, 0, stamp.id)
    size = layout.RECORD.size + len(body) + len(trailer)
    return layout.RECORD.pack(kind, misc, size) + body + trailer


def comm(name: str, stamp: Stamp, *, misc: int) -> bytes:
    """The vCPU runs the program `name`, text, which is cut to the kernel's 15 bytes. `misc` is its cpumode."""
    misc |= 0 if stamp.vcpu else layout.MISC_COMM_EXEC
    body = _COMM.pack(GUEST_PID, GUEST_PID + stamp.vcpu) + layout.padded(
        name.encode()[:15].decode(errors="ignore").encode()
    )
    return _record(layout.RECORD_COMM, body, stamp, misc)


def fork(stamp: Stamp, *, misc: int) -> bytes:
    """The vCPU is there: a thread of the first."""
    body = _TASK.pack(GUEST_PID, GUEST_PID, GUEST_PID + stamp.vcpu, GUEST_PID, stamp.time_ns)
    return _record(layout.RECORD_FORK, body, stamp, misc)


def exit(stamp: Stamp, *, misc: int) -> bytes:
    """The vCPU is gone."""
    body = _TASK.pack(GUEST_PID, GUEST_PID, GUEST_PID + stamp.vcpu, GUEST_PID, stamp.time_ns)
    return _record(layout.RECORD_EXIT, body, stamp, misc)


def mmap2(path: str, address: int, length: int, offset: int, stamp: Stamp, *, misc: int) -> bytes:
    """Executable code: `length` bytes at `address`, which come from `offset` of the file `path`."""
    head = (GUEST_PID, GUEST_PID, address, length, offset, 0, 0, 0, 0)
    body = _MMAP2.pack(*head, layout.PROT_READ_EXECUTE, layout.MAP_PRIVATE) + layout.padded(os.fsencode(path))
    return _record(layout.RECORD_MMAP2, body, stamp, misc)


def lost(number: int, stamp: Stamp) -> bytes:
    """So many samples of a vCPU found no room on their way."""
    return _record(layout.RECORD_LOST, _LOST.pack(stamp.id, number), stamp)


def lost_samples(number: int, stamp: Stamp) -> bytes:
    """So many overflows of an event on a vCPU have no sample of their own."""
    return _record(layout.RECORD_LOST_SAMPLES, _LOST_SAMPLES.pack(number), stamp)


def throttle(stamp: Stamp, *, on: bool) -> bytes:
    """The event came more often than it may, and stands still from here on; or, with `on` false, counts again."""
    kind = layout.RECORD_THROTTLE if on else layout.RECORD_UNTHROTTLE
    return _record(kind, _THROTTLE.pack(stamp.time_ns, stamp.id, stamp.id), stamp)
