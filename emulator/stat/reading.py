# SPDX-License-Identifier: GPL-2.0-only
"""From the counts of one or several runs to the numbers that are printed.

As perf does: over vCPUs, counts and times are added; where an event held a counter for a part of its time, its count
is scaled to the whole; over runs, the mean is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from emulator.vm.result import NOT_SUPPORTED

if TYPE_CHECKING:
    from emulator.events import Event
    from emulator.vm.interval import Interval
    from emulator.vm.result import Count, Result


@dataclass(frozen=True)
class Reading:
    """An event on one vCPU, or, with `vcpu` None, on all; the mean over the runs.

    `value` is scaled, in counts or, for clocks, ns; None if it was not counted, and then `error` says why.
    `enabled_ns` and `running_ns` are the means. `spread`: standard error of the mean in percent, None for one run.
    `group`: what counted at the same times has the same.
    """

    event: Event
    vcpu: int | None
    value: float | None
    error: str | None
    enabled_ns: float
    running_ns: float
    spread: float | None
    group: int = 0

    @property
    def share(self) -> float:
        """The part of its time that the event held a counter, in percent."""
        return 100 * self.running_ns / self.enabled_ns if self.enabled_ns else 100.0

    @property
    def excuse(self) -> str:
        """What is printed in place of a value."""
        return "<not supported>" if self.error in NOT_SUPPORTED else "<not counted>"


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; the value itself, and as exact as it is, if all are equal."""
    return values[0] if len(set(values)) == 1 else math.fsum(values) / len(values)


def standard_error(values: Sequence[float]) -> float:
    """Of the mean, in the values' unit; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1) / len(values))


def spread(values: Sequence[float]) -> float:
    """The standard error of the mean, in percent of the mean."""
    centre = mean(values)
    return 100 * standard_error(values) / centre if centre else 0.0


def read_runs(
    results: Sequence[Result | Interval], events: Sequence[Event], *, vcpus: int, per_vcpu: bool
) -> list[Reading]:
    """A reading for each event, in their order; with `per_vcpu` for each event and vCPU."""
    readings = []
    for index, event in enumerate(events):
        for vcpu in range(vcpus) if per_vcpu else (None,):
            wanted = range(vcpus) if vcpu is None else (vcpu,)
            runs = [[result.counts[k * len(events) + index] for k in wanted] for result in results]
            readings.append(replace(_read(event, vcpu, runs), group=index - event.behind_leader))
    return readings


def _read(event: Event, vcpu: int | None, runs: Sequence[Sequence[Count]]) -> Reading:
    enabled = [sum(count.enabled_ns for count in run) for run in runs]
    running = [sum(count.running_ns for count in run) for run in runs]
    error = next((count.error or "not counted" for run in runs for count in run if count.value is None), None)
    values: list[float] = []
    for run, on, held in zip(runs, enabled, running, strict=True):
        total = sum(count.value or 0 for count in run)
        if on and not held and not error:
            error = "never held a counter"
        values.append(total if on == held or not held else total * on / held)
    return Reading(
        event=event,
        vcpu=vcpu,
        value=None if error else mean(values),
        error=error,
        enabled_ns=mean(enabled),
        running_ns=mean(running),
        spread=spread(values) if len(values) > 1 and not error else None,
    )
