# SPDX-License-Identifier: GPL-2.0-only
"""What a run of a VM gives."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.errors import HostError, Unsupported, UsageError

if TYPE_CHECKING:
    from emulator.events import Event
    from emulator.vm.protocol import SlotCount, SlotSamples

# What the guest interface answers for an event that it does not have. The rest is that it could not count it now.
NOT_SUPPORTED = ("ENOENT", "EOPNOTSUPP", "EINVAL", "ENOSYS")

# KVM_ENOSYS, and the name of which Python knows another.
_ERRORS = {1000: "ENOSYS", errno.EOPNOTSUPP: "EOPNOTSUPP"}

# So much of the console, characters, and so many counts are in a result's own line.
_CONSOLE_SHOWN = 40
_COUNTS_SHOWN = 4


@dataclass(frozen=True)
class Count:
    """One event on one vCPU.

    Attributes:
        event: what was counted; `event.name` is as it was asked for.
        vcpu: from 0.
        value: events, or nanoseconds of a clock, while it held a counter; None if it was not counted.
        error: why not: an errno's name that the guest interface gave, or "not counted" when the VM ended before the
            count was collected.
        enabled_ns: how long the event was enabled, nanoseconds.
        running_ns: how long of that it held a counter. Where this is less, `value` covers this alone.
    """

    event: Event
    vcpu: int
    value: int | None
    error: str | None
    enabled_ns: int
    running_ns: int

    @property
    def scaled(self) -> int | None:
        """`value` as it would be had the event held a counter all the time, as perf scales it."""
        return self.value if self.value is None else _scale(self.value, self.enabled_ns, self.running_ns)


@dataclass(frozen=True, repr=False)
class Result:
    """How a run ended.

    Attributes:
        status: what the guest wrote to the exit port, 0 to 255; -1 if it did not get to that.
        ended: "exit", by the guest; "timeout"; or "stopped", by stop(). Counts are had in all cases.
        console: what the guest wrote, up to 16 MiB of it.
        counts: of every event on every vCPU: vCPU 0's in the order in which they were asked for, then vCPU 1's.
        elapsed_s: seconds from the guest's first entry until its end was asked for.
        statistics: the host's figures by name, whole numbers; emulator.vm.statistics.MEANINGS says what they are.
        pss_kib: proportional set size of "host", "vcpu0", ... in KiB; empty unless measure_memory was given.
        sampled: of a recording, what became of each event's overflows on each vCPU.
        ring_lost: of a recording, by vCPU: samples that found no room.
    """

    status: int
    ended: str
    console: bytes
    counts: tuple[Count, ...]
    elapsed_s: float
    statistics: dict[str, int] = field(default_factory=dict)
    pss_kib: dict[str, int] = field(default_factory=dict)
    sampled: tuple[SlotSamples, ...] = ()
    ring_lost: tuple[int, ...] = ()

    def total(self, event: str | Event) -> int:
        """The sum of an event's counts over all vCPUs, scaled where it held no counter for part of its time.

        Args:
            event: as it was asked for, or its canonical name ("branches" for "branch-instructions:u").

        Raises:
            UsageError: it was not asked for.
            Unsupported: the guest interface does not have it, or refuses it with this configuration.
            HostError: the VM ended before the count was collected.
        """
        counts = self._of(event)
        name = counts[0].event.name
        for count in counts:
            if count.value is None:
                kind = HostError if count.error == "not counted" else Unsupported
                raise kind(f"event {name} was not counted on vCPU {count.vcpu}: {reason(count.error or '')}")
        enabled, running = sum(count.enabled_ns for count in counts), sum(count.running_ns for count in counts)
        if enabled and not running:
            raise Unsupported(f"event {name} was not counted: {reason('never held a counter')}")
        return _scale(sum(count.value or 0 for count in counts), enabled, running)

    def totals(self) -> dict[str, int]:
        """total() of every event, by its name as it was asked for. Raises as that does."""
        return {name: self.total(name) for name in self._names()}

    def describe(self) -> str:
        """The statistics that are not 0, a line each: name, figure and meaning."""
        from emulator.vm.statistics import MEANINGS

        rows = [(name, f"{value:,}", MEANINGS[name]) for name, value in self.statistics.items() if value]
        width = max((len(figure) for _, figure, _ in rows), default=0)
        return "\n".join(f"{name:<20}  {figure:>{width}}  {meaning}" for name, figure, meaning in rows)

    def _names(self) -> list[str]:
        return list(dict.fromkeys(count.event.name for count in self.counts))

    def _of(self, event: str | Event) -> list[Count]:
        """Its counts, one of each vCPU."""
        for names in (lambda one: (one.event, one.event.name), lambda one: (one.event.canonical,)):
            found: dict[int, Count] = {}
            for count in self.counts:
                if event in names(count):
                    found.setdefault(count.vcpu, count)
            if found:
                return list(found.values())
        known = ", ".join(self._names()) or "none"
        raise UsageError(f"{getattr(event, 'name', event)!r} was not asked for: the events of this run are {known}")

    def __repr__(self) -> str:
        end = f"exit {self.status}" if self.ended == "exit" else self.ended
        parts = [end, f"{self.elapsed_s:.6g} s", *self._shown_counts()]
        if self.console:
            shown = self.console[:_CONSOLE_SHOWN]
            parts.append(f"console {shown!r}" + (f"... {len(self.console):,} bytes" if shown != self.console else ""))
        return f"<Result: {', '.join(parts)}>"

    def _shown_counts(self) -> Iterator[str]:
        names = self._names()
        for name in names[:_COUNTS_SHOWN]:
            try:
                yield f"{name} {self.total(name):,}"
            except (HostError, Unsupported):
                yield f"{name} not counted"
        if len(names) > _COUNTS_SHOWN:
            yield f"{len(names) - _COUNTS_SHOWN} more counts"


def reason(error: str) -> str:
    """Why an event has no count, from the error of its Count."""
    known = {
        "ENOSPC": "the VM's limit of open events is reached (--max-events)",
        "ENOSYS": "the VM does not offer the interface (--no-pv-perf)",
        "not counted": "the VM ended before the count was collected",
        "never held a counter": "others held the counters all the time (--counters)",
    }
    return known.get(error, f"the guest interface answered {error}")


def count_of(slot: SlotCount, event: Event) -> Count:
    """What the host says of an event on a vCPU."""
    error: str | None = None
    if slot.error:
        error = _ERRORS.get(-slot.error) or errno.errorcode.get(-slot.error, str(slot.error))
    elif slot.value is None:
        error = "not counted"
    return Count(event, slot.vcpu, None if error else slot.value, error, slot.enabled_ns, slot.running_ns)


def _scale(value: int, enabled_ns: int, running_ns: int) -> int:
    """To the nearest whole number; exact where it held a counter all the time."""
    if enabled_ns == running_ns or not running_ns:
        return value
    return (2 * value * enabled_ns + running_ns) // (2 * running_ns)
