# SPDX-License-Identifier: GPL-2.0-only
"""The plots of the NMI-miss sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from typing import Any

from emulator.bench.groups.nmi_point import Outcome
from emulator.bench.groups.nmi_sweep import NMIS, Swept
from emulator.bench.measuring.panel import Panel, Series
from emulator.bench.measuring.statistic import Estimate

_COURSE_MS = 60  # of the backlog's course that is drawn
_COURSE_POINTS = 600
Figure = Callable[[Outcome], float]


def panels(swept: Swept) -> list[Panel]:
    """Those that there are at least two points for."""
    return [panel for panel in _all(swept) if panel.series]


def _all(swept: Swept) -> Iterator[Panel]:
    for rate in (1000, 3000):
        yield _misses(swept, "hold_us", "hold, us", f"Misses against hold time, {rate:,} overflows/s", rate=rate)
    yield _misses(swept, "rate", "overflows/s of a vCPU", "Misses against rate, hold 200 us", hold_us=200, log_x=True)
    yield _misses(swept, "vcpus", "vCPUs", "Misses against vCPUs, hold 200 us", hold_us=200, log_x=True)
    yield _misses(swept, "events", "events of a vCPU", "Misses against events, hold 500 us", log_x=True)
    for y_label, title, figure in _FIGURES:
        yield _by_policy(swept, y_label, title, figure)
    yield _delays(swept)
    yield from _courses(swept)


_FIGURES: tuple[tuple[str, str, Figure], ...] = (
    ("overflows, p99", "Backlog against hold time", lambda one: one.seen.backlog.percentile(99)),
    ("us, p99", "Delay against hold time", lambda one: one.seen.delays.percentile(99) / 1e3),
    ("share of the NMIs", "NMIs coalesced against hold time", lambda one: one.coalesced),
)


def select(swept: Swept, **wanted: Any) -> list[Outcome]:
    """Outcomes whose points have these parameters, and else the default ones, but for an axis that is None."""
    from emulator.bench.groups.nmi_point import Point

    default = vars(Point()) | wanted
    return [
        outcome
        for point, outcome in swept.outcomes.items()
        if all(value is None or getattr(point, name) == value for name, value in default.items())
    ]


def _along(swept: Swept, axis: str, **wanted: Any) -> list[Outcome]:
    found = select(swept, **wanted, **{axis: None})
    return sorted(found, key=lambda one: getattr(one.point, axis))


def _series(name: str, outcomes: list[Outcome], axis: str, figure: Figure) -> Series:
    return Series(
        name=name, x=[getattr(one.point, axis) for one in outcomes], y=[float(figure(one)) for one in outcomes]
    )


def _bounded(name: str, outcomes: list[Outcome], axis: str, figure: Callable[[Outcome], Estimate]) -> Series:
    value, low, high = zip(*(figure(one) for one in outcomes), strict=True)
    return Series(name=name, x=[getattr(one.point, axis) for one in outcomes], y=value, low=low, high=high)


def _drawable(series: Iterable[Series]) -> list[Series]:
    return [one for one in series if len(one.x) > 1]


def _misses(swept: Swept, axis: str, x_label: str, title: str, log_x: bool = False, **wanted: Any) -> Panel:
    random = _along(swept, axis, **wanted)
    periodic = _along(swept, axis, spacing="periodic", **wanted)
    series = []
    if random:
        series += [
            _bounded("Poisson, measured", random, axis, lambda one: one.prediction.measured),
            _bounded("Poisson, predicted", random, axis, lambda one: one.prediction.predicted),
            _series("if every NMI held the lock", random, axis, lambda one: one.bound),
        ]
    if periodic:
        series.append(_bounded("periodic, measured", periodic, axis, lambda one: one.prediction.measured))
    return Panel(title=title, x_label=x_label, y_label="share missed", series=_drawable(series), log_x=log_x)


def _by_policy(swept: Swept, y_label: str, title: str, figure: Figure) -> Panel:
    lines = [_series(nmi, _along(swept, "hold_us", nmi=nmi), "hold_us", figure) for nmi in NMIS]
    return Panel(title=f"{title}, 1,000 overflows/s", x_label="hold, us", y_label=y_label, series=_drawable(lines))


def _delays(swept: Swept) -> Panel:
    lines = []
    for nmi in NMIS:
        for outcome in select(swept, nmi=nmi, hold_us=1000):
            x, y = zip(*((value / 1e3, share) for value, share in outcome.seen.delays.steps()), strict=True)
            lines.append(Series(name=nmi, x=x, y=y))
    return Panel(
        title="Delay from overflow to the guest's NMI, 1,000 overflows/s, hold 1,000 us",
        x_label="us",
        y_label="share not later",
        series=_drawable(lines),
        log_x=True,
        steps=True,
    )


def _courses(swept: Swept) -> Iterator[Panel]:
    """One for each policy: over each other nobody could tell them apart. Each value holds until the next change."""
    for nmi in NMIS:
        for outcome in select(swept, nmi=nmi, hold_us=1000):
            course = outcome.seen.course
            begin = course[0][0]
            steps = [((behind[0] - begin) / 1e6, float(here[1])) for here, behind in pairwise(course)]
            steps = list(islice((step for step in steps if step[0] <= _COURSE_MS), _COURSE_POINTS))
            line = Series(name=nmi, x=[x for x, _ in steps], y=[y for _, y in steps])
            yield Panel(
                title=f"Backlog over time, {nmi}, 1,000 overflows/s, hold 1,000 us",
                x_label="ms",
                y_label="overflows not delivered",
                series=_drawable([line]),
                steps=True,
            )
