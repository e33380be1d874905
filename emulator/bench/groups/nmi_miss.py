# SPDX-License-Identifier: GPL-2.0-only
"""How often the NMI path loses the trylock, what piles up meanwhile, how late it arrives, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from emulator.bench.groups.nmi_panels import panels
from emulator.bench.groups.nmi_point import Outcome, Point, measure_point
from emulator.bench.groups.nmi_remarks import remarks
from emulator.bench.groups.nmi_sweep import NMIS, Swept, run_sweep, sweep
from emulator.bench.measuring.case import Case, Contender, Cut, Effort, Findings, Group, Plot, Ratio, Told

#: Of what is drawn: the spacing of overflows, and the order of the points. The guest's work is the same in any case.
SEED = 1
_EVENTS = 4  # of the policies: what one event misses waits for the same event's next overflow


def groups(effort: Effort) -> Iterator[Group]:
    """The policies against each other, round by round; then the sweep."""
    chunks = effort.pick(4000, 1200)
    yield _policies(chunks)
    yield Group(
        name="nmi-miss, sweep",
        about="misses, backlog and delay by rate, hold, vCPUs, events, traffic, policies and designs",
        contenders=(),
        study=lambda progress: _study(effort.quick, chunks, progress),
    )


def _study(quick: bool, chunks: int, progress: Told) -> Findings:
    try:
        return findings(run_sweep(sweep(quick), chunks=chunks, seed=SEED, progress=progress))
    except Cut as cut:
        raise Cut(findings(cut.found), cut.cause) from None


def _policies(chunks: int) -> Group:
    contenders, ratios = [], []
    for nmi in NMIS:
        missed = Case(name=f"{nmi}: NMIs that miss", unit="%")
        delay = Case(name=f"{nmi}: delay, mean", unit="us")
        contenders.append(Contender((missed, delay), _policy(nmi, chunks)))
        if nmi != "lockless":
            ratios.append(Ratio(f"delay, {nmi} / lockless", delay.name, "lockless: delay, mean"))
    point = Point()
    return Group(
        name="nmi-miss, policies",
        about=f"{point.rate:,} overflows/s of {_EVENTS} events at random; a sync holds the lock {point.hold_us} us",
        contenders=contenders,
        ratios=ratios,
        plots=[Plot(title="NMI policies")],
    )


def _policy(nmi: str, chunks: int) -> Callable[[], tuple[float, float]]:
    point = Point(nmi=nmi, events=_EVENTS)

    def once() -> tuple[float, float]:
        seen = measure_point(point, chunks=chunks, seed=SEED).seen
        return 100 * seen.misses / seen.arrivals, seen.delays.mean / 1e3

    return once


def findings(swept: Swept) -> Findings:
    """What a sweep found."""
    points = [
        {"name": point.name, "says": _say(outcome), **outcome.row(swept.idle_of(point))}
        for point, outcome in sorted(swept.outcomes.items(), key=lambda pair: pair[0].name)
    ]
    return Findings(
        panels=panels(swept),
        remarks=remarks(swept) if swept.outcomes else (),
        points=points,
        broken=swept.broken,
        failed=swept.failed,
    )


def _say(outcome: Outcome) -> str:
    """A point in a line of a table."""
    measured, predicted = outcome.prediction.measured, outcome.prediction.predicted
    delays = outcome.seen.delays
    told = "" if not outcome.point.has_trylock or outcome.prediction.agrees else " (!)"
    return (
        f"missed {measured.value:6.1%} [{measured.low:.1%}, {measured.high:.1%}], predicted {predicted.value:6.1%} "
        f"[{predicted.low:.1%}, {predicted.high:.1%}]{told}; delay p50 {delays.percentile(50) / 1e3:.0f}, "
        f"p99 {delays.percentile(99) / 1e3:.0f}, max {(delays.high or 0) / 1e3:.0f} us; "
        f"backlog at most {outcome.seen.backlog.high}{'' if outcome.finished else '; the guest starved'}"
    )
