# SPDX-License-Identifier: GPL-2.0-only
"""What is counted while a VM runs, interval by interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emulator.vm.result import Count, count_of

if TYPE_CHECKING:
    from emulator.events import Event
    from emulator.vm.protocol import Counted
    from emulator.vm.result import Result


@dataclass(frozen=True)
class Interval:
    """What was counted between two moments of a run; over all intervals of a run, that is what its Result has.

    Attributes:
        elapsed_s: seconds from the guest's first entry to the end of the interval.
        length_s: seconds of it.
        counts: as Result has them; values and times are those of this interval alone.
    """

    elapsed_s: float
    length_s: float
    counts: tuple[Count, ...]


class Intervals:
    """Makes them of what was counted from the beginning."""

    def __init__(self, callback: Callable[[Interval], None] | None, events: Sequence[Event]) -> None:
        self._callback = callback
        self._events = events
        self._elapsed_s = 0.0
        self._counts: tuple[Count, ...] = ()

    def add(self, counted: Counted) -> None:
        """One more has passed."""
        self._pass(counted.elapsed_s, tuple(count_of(slot, self._events[slot.event]) for slot in counted.counts))

    def finish(self, result: Result) -> None:
        """The last one ends with the run."""
        self._pass(result.elapsed_s, result.counts)

    def _pass(self, elapsed_s: float, counts: tuple[Count, ...]) -> None:
        if self._callback is None:
            return
        elapsed_s = max(elapsed_s, self._elapsed_s)
        before = self._counts or (None,) * len(counts)
        interval = Interval(elapsed_s, elapsed_s - self._elapsed_s, tuple(map(_since, counts, before)))
        self._elapsed_s, self._counts = elapsed_s, counts
        self._callback(interval)


def _since(count: Count, before: Count | None) -> Count:
    """An end that left no final count leaves none of the last interval either."""
    if before is None:
        return count
    value = None if count.value is None else count.value - (before.value or 0)
    enabled, running = count.enabled_ns - before.enabled_ns, count.running_ns - before.running_ns
    return replace(count, value=value, enabled_ns=max(0, enabled), running_ns=max(0, running))
