# SPDX-License-Identifier: GPL-2.0-only
"""What `stat -d` counts beside what it was asked for, more of it the more often it is given, as perf has it."""

from __future__ import annotations

from emulator.events.known import number
from emulator.events.parse import Event, parse_events

#: Of perf's first set; its LLC-loads and LLC-load-misses are the model's cache-references and cache-misses.
_FIRST = "L1-dcache-loads,L1-dcache-load-misses,cache-references,cache-misses"
#: Of its others, those that the guest ABI can name and no model counts: the guest interface refuses them. Linux's
#: numbers: cache | operation << 8 | result << 16.
_SECOND = {
    "L1-icache-loads": 0x00001,
    "L1-icache-load-misses": 0x10001,
    "dTLB-loads": 0x00003,
    "dTLB-load-misses": 0x10003,
    "iTLB-loads": 0x00004,
    "iTLB-load-misses": 0x10004,
}
_THIRD = {"L1-dcache-prefetches": 0x00200, "L1-dcache-prefetch-misses": 0x10200}


def detailed_events(level: int) -> tuple[Event, ...]:
    """Of `-d` given that often."""
    if not level:
        return ()
    refused = {**(_SECOND if level > 1 else {}), **(_THIRD if level > 2 else {})}
    kind, flags = number("PV_TYPE_HW_CACHE"), 1 << number("KVM_PV_PERF_DISABLED")
    return (*parse_events(_FIRST), *(Event(name, name, kind, config, flags) for name, config in refused.items()))
