# SPDX-License-Identifier: GPL-2.0-only
"""What a recording has no samples for: never hidden, whatever the user asked to be quiet about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from emulator.recording.perfdata.recorder import Shortfall
from emulator.terminal.counted import agreed, counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from emulator.vm.protocol import SlotSamples
    from emulator.vm.result import Count


@dataclass(frozen=True)
class Losses:
    """Sums over all events and vCPUs.

    `accumulated` overflows came together with another one, and its sample has their period too; `left` ones were taken
    at the end, when there was no NMI any more; `no_room` are samples that the vCPU's ring could not take; `dropped`
    overflows were on their way when their event was closed. `misses` of `raised` NMIs lost the trylock.
    """

    overflows: int
    accumulated: int
    left: int
    no_room: int
    dropped: int
    raised: int
    misses: int
    throttled: int

    def __bool__(self) -> bool:
        return bool(self.accumulated or self.left or self.no_room or self.dropped or self.throttled)

    def __str__(self) -> str:
        missing = self.accumulated + self.left + self.no_room + self.dropped
        parts = [
            (self.accumulated, f"came together with another ({self.misses:,} of {counted(self.raised, 'NMI')} missed)"),
            (self.left, "came at the end, without an NMI"),
            (self.no_room, "found no room in a ring"),
            (self.dropped, "were dropped when their event was closed"),
        ]
        text = ", ".join(f"{number:,} ({_percent(number, self.overflows)}) {what}" for number, what in parts if number)
        have = agreed(missing, "has no sample of its", "have no sample of their")
        share = f"{missing:,} of {counted(self.overflows, 'overflow')} ({_percent(missing, self.overflows)})"
        sentences = [f"{share} {have} own: {text}"] if missing else []
        return "; ".join(
            sentences + ([f"events were throttled {counted(self.throttled, 'time')}"] if self.throttled else [])
        )


def _percent(number: int, whole: int) -> str:
    return f"{100 * number / whole:.1f}%" if whole else "all"


def sum_losses(sampled: Sequence[SlotSamples], ring_lost: Sequence[int], statistics: Mapping[str, int]) -> Losses:
    """From what the host reports at the end of a run."""
    taken = sum(slot.taken for slot in sampled)
    left = sum(slot.left for slot in sampled)
    return Losses(
        overflows=taken + statistics.get("overflows_dropped", 0),
        accumulated=taken - left - sum(slot.samples for slot in sampled),
        left=left,
        no_room=sum(ring_lost),
        dropped=statistics.get("overflows_dropped", 0),
        raised=statistics.get("nmi_raised", 0),
        misses=statistics.get("nmi_misses", 0),
        throttled=statistics.get("throttled", 0),
    )


def shortfalls(sampled: Sequence[SlotSamples], counts: Sequence[Count]) -> Iterator[Shortfall]:
    """By event and vCPU: overflows without a sample of their own. Left out: an event that the agent did not end."""
    for slot, count in zip(sampled, counts, strict=True):
        if count.error != "not counted":
            yield Shortfall(slot.vcpu, slot.event, slot.taken - slot.samples)
