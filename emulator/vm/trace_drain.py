# SPDX-License-Identifier: GPL-2.0-only
"""How records leave the host process: its rings are emptied every few milliseconds."""

from __future__ import annotations

import time
from typing import Any

from emulator.vm.protocol import Trace

#: Between two rounds, seconds.
INTERVAL = 0.004
# Room for so many records, 32 bytes each, is shared among the rings; none has less than the least.
_RECORDS = 1 << 20
_LEAST = 1 << 11


def ring_records(vcpus: int) -> int:
    """Room for records in each of the rings of a VM: a power of 2."""
    return max(_LEAST, 1 << (_RECORDS // (vcpus + 2)).bit_length() - 1)


class Drain:
    """The rings of one VM. `ffi` and `lib` are those of the core."""

    def __init__(self, ffi: Any, lib: Any, *, vcpus: int, records: int) -> None:
        """`records`: the room in each ring."""
        self._ffi = ffi
        self._lib = lib
        self._rings = vcpus + lib.PV_TRACE_RINGS_BESIDE
        self._records = records
        self._buffer = ffi.new("struct pv_trace_record[]", records)
        self._next = 0.0

    def is_due(self) -> bool:
        """Has the interval passed since the last round?"""
        return time.monotonic() >= self._next

    def round(self, vm: Any) -> Trace:
        """What is in the rings."""
        self._next = time.monotonic() + INTERVAL
        began_ns = time.monotonic_ns()
        parts = []
        for ring in range(self._rings):
            count = self._lib.vm_trace_read(vm, ring, self._buffer, self._records)
            if count:
                size = count * self._ffi.sizeof("struct pv_trace_record")
                parts.append((ring, bytes(self._ffi.buffer(self._buffer, size))))
        return Trace(began_ns, tuple(parts))
