# SPDX-License-Identifier: GPL-2.0-only
"""One point of the NMI-miss sweep: a whole VM whose clocks overflow while its syncs hold the lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from emulator.bench.groups.erlang import Prediction, loss, offered_by_holder, predict
from emulator.bench.groups.nmi_trace import KINDS, Seen, watch
from emulator.bench.measuring.case import Absent, Violated
from emulator.bench.measuring.statistic import seed_of
from emulator.bench.measuring.vm import TIMEOUT_SECONDS, check_end, check_ledger, printed_figures, tsc_hz
from emulator.vm.machine import Machine
from emulator.vm.result import Result

GUEST = "clockwork"
_NEVER = 1 << 62  # ns: the period of clocks that do not overflow
_NS = 1e9
_EVENTS_LEAST = 1024  # as many as a VM has by default
#: A guest that is not done by then is not going to be.
STARVED_SECONDS = 4


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where it is measured.

    Attributes:
        spacing: "poisson", or "periodic".
        rate: overflows a second of each vCPU, of all its events together; 0: none.
        hold_us: how long a sync holds the lock beyond what it needs, microseconds.
        vcpus: that do work.
        events: of each vCPU.
        traffic: "none"; "own": each vCPU opens, enables and closes one more event, now and then; "other": one more
            vCPU closes what the others enable.
    """

    spacing: str = "poisson"
    nmi: str = "trylock"
    sync: str = "entry"
    design: str = "per-vm"
    rate: int = 1000
    hold_us: int = 500
    vcpus: int = 1
    events: int = 1
    traffic: str = "none"

    @property
    def name(self) -> str:
        """For tables."""
        counted = f"{self.vcpus} vCPU{'s' * (self.vcpus > 1)} x {self.events} event{'s' * (self.events > 1)}"
        traffic = "" if self.traffic == "none" else f", traffic {self.traffic}"
        where = f"{self.design}, {self.nmi}, {self.sync}"
        return f"{self.spacing} {self.rate}/s, hold {self.hold_us} us, {counted}, {where}{traffic}"

    @property
    def has_trylock(self) -> bool:
        """Can an NMI miss?"""
        return self.nmi != "lockless"

    @property
    def period_ns(self) -> int:
        """Of each event."""
        return round(self.events * _NS / self.rate) if self.rate else _NEVER


@dataclass(frozen=True)
class Outcome:
    """What was measured there.

    `seconds` are those that a vCPU needed for its work, in the mean; or those until it was stopped, if it did not
    finish.
    """

    point: Point
    seen: Seen
    injected: int
    seconds: float
    finished: bool
    prediction: Prediction

    @property
    def late(self) -> float:
        """The share of the overflows that had no NMI of their own, as the timer came too late for that."""
        return 1 - self.seen.arrivals / self.seen.raised if self.seen.raised else 0.0

    @property
    def bound(self) -> float:
        """The share that would be lost if every NMI held the lock for as long as a sync does."""
        rate = self.seen.arrivals / self.seconds / self.point.vcpus
        return loss(rate * sum(self.seen.syncs) / len(self.seen.syncs) / _NS)

    @property
    def coalesced(self) -> float:
        """The share of the NMIs on the host that reached the guest together with another one."""
        return 1 - self.injected / self.seen.arrivals if self.seen.arrivals else 0.0

    def row(self, idle_seconds: float) -> Mapping[str, str | int | float]:
        """Everything, for a table; `idle_seconds` is what the same work takes without overflows. Times in us."""
        seen, prediction = self.seen, self.prediction
        lost = self.seconds - idle_seconds
        speed = {"cost": lost * self.point.vcpus / seen.raised * 1e6, "speed_lost": lost / self.seconds}
        delays = {f"delay_{name}": ns / 1e3 for name, ns in seen.delays.summary().items() if name != "mean"}
        return {
            **asdict(self.point),
            "overflows": seen.raised,
            "nmis": seen.arrivals,
            "misses": seen.misses,
            **_interval("missed", prediction.measured),
            **_interval("predicted", prediction.predicted),
            "bound": self.bound,
            "late": self.late,
            "coalesced": self.coalesced,
            "hold_mean": sum(seen.syncs) / len(seen.syncs) / 1e3,
            "taken_mean": seen.taken.mean,
            "taken_p99": seen.taken.percentile(99),
            "taken_max": seen.taken.high or 0,
            "backlog_mean": seen.backlog.mean,
            "backlog_p99": seen.backlog.percentile(99),
            "backlog_max": seen.backlog.high or 0,
            **delays,
            "finished": int(self.finished),
            **(speed if self.finished else {}),
        }


def _interval(name: str, estimate: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), estimate, strict=True))


def chunks_for(point: Point, chunks: int) -> int:
    """The work of one vCPU: less where there are many, whatever machine this is."""
    return max(1, chunks // max(1, point.vcpus // 2))


def measure_point(point: Point, *, chunks: int, seed: int) -> Outcome:
    """Runs it. Raises Violated if an overflow was lost or doubled, Absent if there is not enough to see."""
    records: list[Any] = []
    result = _run(point, chunks, seed, trace=records.extend, trace_kinds=KINDS)
    finished = result.ended == "exit"
    if result.statistics["trace_lost"]:
        raise Absent(f"{result.statistics['trace_lost']} records of the trace found no room")
    seen = watch(records, point.vcpus + (point.traffic == "other"))
    check_conserved(seen, result.statistics, printed_figures(result) if finished else None, point.name)
    if not seen.arrivals or not seen.gaps or not seen.syncs or not seen.backlog.total:
        raise Absent("too few overflows came")
    offered = offered_by_holder(seen.holds, seen.gaps, seed=seed)
    prediction = predict(offered, arrivals=seen.arrivals, misses=seen.misses)
    seconds = _seconds(result) if finished else result.elapsed_s
    return Outcome(point, seen, result.statistics["nmi_injected"], seconds, finished, prediction)


def idle_seconds(point: Point, *, chunks: int, seed: int) -> float:
    """What the work of this point takes a vCPU if nothing overflows."""
    result = _run(point, chunks, seed, period_ns=_NEVER, timeout=TIMEOUT_SECONDS)
    check_end(result, GUEST)
    return _seconds(result)


def _run(
    point: Point, chunks: int, seed: int, *, period_ns: int = 0, timeout: float = STARVED_SECONDS, **options: Any
) -> Result:
    """The guest is content, or has been stopped."""
    args = [f"events={point.events}", f"period={period_ns or point.period_ns}", f"traffic={point.traffic}"]
    config = {name: getattr(point, name) for name in ("spacing", "nmi", "sync", "design", "hold_us")}
    smp = point.vcpus + (point.traffic == "other")
    config |= {"max_sample_rate": 0, "max_events": max(_EVENTS_LEAST, smp * (point.events + 1))}
    with Machine(smp=smp, seed=seed_of(seed, point.name), **config) as vm:
        result = vm.run(GUEST, [*args, f"chunks={chunks_for(point, chunks)}"], timeout=timeout, **options)
    if result.ended == "timeout":
        check_ledger(result.statistics, f"{GUEST} ({point.name})")
    else:
        check_end(result, f"{GUEST} ({point.name})")
    return result


def _seconds(result: Result) -> float:
    ticks = [int(line["ticks"]) for line in printed_figures(result) if int(line["ticks"])]
    return sum(ticks) / len(ticks) / tsc_hz()


def check_conserved(
    seen: Seen, statistics: Mapping[str, int], printed: list[dict[str, str]] | None, where: str
) -> None:
    """Host, trace and guest each counted the overflows by themselves. Violated unless all of them agree.

    `printed` is what the guest said in the end; None: it did not come to that.
    """
    delivered = statistics["overflows_delivered"]
    guest = delivered if printed is None else sum(int(line["overflows"]) for line in printed)
    for what, one, other in (
        ("raised in the host's ledger and in its trace", statistics["overflows_raised"], seen.raised),
        ("delivered in the host's ledger and in its trace", delivered, seen.delivered),
        ("delivered by the host and found by the guest", delivered, guest),
        ("lost or doubled by the host's own account, and allowed", statistics["overflows_lost"], 0),
        ("missed in the host's statistics and in its trace", statistics["nmi_misses"], seen.misses),
    ):
        if one != other:
            raise Violated(f"{where}: {what}: {one}, and {other}")
