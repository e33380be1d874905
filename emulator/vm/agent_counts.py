# SPDX-License-Identifier: GPL-2.0-only
"""What the agent's events have counted, as the host process reads it: in the end, and while the VM runs."""

from __future__ import annotations

import math
import time
from typing import Any

from emulator.guest import boot
from emulator.vm.protocol import Counted, SlotCount


class AgentCounts:
    """Of one VM. `ffi` and `lib` are those of the core, `slots` is the agent's array of struct pv_agent_slot."""

    def __init__(self, ffi: Any, lib: Any, vm: Any, *, slots: Any, vcpus: int, events: int, interval_ns: int) -> None:
        """With an interval, take() has something to give that often once begin() has been called."""
        self._ffi, self._lib, self._vm = ffi, lib, vm
        self._slots, self._vcpus, self._events = slots, vcpus, events
        self._interval = interval_ns * 1e-9
        self._counts = [ffi.new("struct pv_agent_count[]", lib.PV_AGENT_MAX_EVENTS) for _ in range(vcpus)]
        self._read_at = ffi.new("uint64_t[]", vcpus)
        self._due = math.inf  # time.monotonic()
        self._awaited: list[int] = []  # vCPUs that have not come out of guest mode since then

    def begin(self) -> None:
        """The guest has been entered."""
        if self._interval:
            self._due = time.monotonic() + self._interval

    def patience(self) -> float:
        """After how many seconds take() wants to be called, whatever else happens."""
        return math.inf if self._awaited else max(0.0, self._due - time.monotonic())

    def take(self) -> Counted | None:
        """The counts, once in each interval. None: it is not time, the VM is ending, or a vCPU has not come out yet;
        when it has, the VM's event fd becomes readable."""
        now = time.monotonic()
        if not self._awaited:
            if now < self._due:
                return None
            self._awaited = list(range(self._vcpus))
        for vcpu in tuple(self._awaited):
            had = self._lib.vm_agent_counts(self._vm, vcpu, self._counts[vcpu], self._read_at + vcpu)
            if had < 0:  # what has been read since may lack events: the final counts will come
                self._awaited, self._due = [], math.inf
                return None
            if had:
                self._awaited.remove(vcpu)
        if self._awaited:
            return None
        self._due += self._interval * (1 + max(0, (time.monotonic() - self._due) // self._interval))
        return Counted(max(self._read_at) * 1e-9, tuple(self._so_far()))

    def _so_far(self) -> list[SlotCount]:
        """An event that a vCPU has not enabled yet has counted nothing."""
        made = []
        for vcpu in range(self._vcpus):
            for event in range(self._events):
                count, error = self._counts[vcpu][event], slot_error(self._slot(vcpu, event))
                value = None if error else count.value
                made.append(SlotCount(vcpu, event, value, error, count.times.enabled_ns, count.times.running_ns))
        return made

    def final(self) -> list[SlotCount]:
        """The VM has ended."""
        times = self._ffi.new("struct pv_event_times *")
        made = []
        for vcpu in range(self._vcpus):
            for event in range(self._events):
                slot = self._slot(vcpu, event)
                number = self._lib.PV_AGENT_FIRST_ID + vcpu * self._lib.PV_AGENT_MAX_EVENTS + event
                known = self._lib.vm_agent_times(self._vm, number, times) == 0
                value = slot.event.count if slot.disabled == 0 else None
                enabled, running = (times.enabled_ns, times.running_ns) if known else (0, 0)
                made.append(SlotCount(vcpu, event, value, slot_error(slot), enabled, running))
        return made

    def _slot(self, vcpu: int, event: int) -> Any:
        return self._slots[vcpu * self._events + event]


def slot_error(slot: Any) -> int:
    """The first errno that the agent got for this event, or 0; boot.NOT_YET is no error."""
    for result in (slot.opened, slot.enabled, slot.disabled):
        if result < 0 and result != boot.NOT_YET:
            return int(result)
    return 0
