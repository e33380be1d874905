# SPDX-License-Identifier: GPL-2.0-only
"""Which points the NMI-miss sweep has: cuts through the middle of the space along each axis, and how they are run."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from emulator.bench.groups.nmi_point import Outcome, Point, idle_seconds, measure_point
from emulator.bench.measuring.case import Absent, Cut, Told, Violated
from emulator.bench.measuring.measure import reason_of

NMIS = ("trylock", "deferred", "lockless")
SPACINGS = ("poisson", "periodic")
SYNCS = ("entry", "every-exit")
DESIGNS = ("per-vm", "per-vcpu", "posted", "no-refcount")
HOLDS = (0, 20, 50, 100, 200, 500, 1000, 2000)  # us
RATES = (300, 1000, 3000, 10_000)  # overflows a second of a vCPU
VCPUS = (1, 2, 4, 8)
EVENTS = (1, 2, 4, 16)
MANY = (1000,)  # clocks of one vCPU
TRAFFIC = ("none", "own", "other")
_SHORT, _LONG = 200, 1000  # us: a hold that is seldom in the way, and one that is often
_IDLE_AGAIN = 24  # points after which the idle guest is timed anew: a machine's speed drifts


def sweep(quick: bool) -> list[Point]:
    """Every point once, in the order of its axis."""
    return list(dict.fromkeys(_quick() if quick else _full()))


def _quick() -> Iterator[Point]:
    yield from _points(nmi=NMIS, hold_us=(100, 1000))
    yield from _points(spacing=("periodic",))
    yield from _points(events=MANY)


def _full() -> Iterator[Point]:
    yield from _points(spacing=SPACINGS, nmi=NMIS, rate=(1000, 3000), hold_us=HOLDS)
    yield from _points(nmi=NMIS, rate=RATES, hold_us=(_SHORT, _LONG))
    yield from _points(nmi=NMIS, sync=SYNCS, hold_us=HOLDS)
    yield from _points(nmi=NMIS, vcpus=VCPUS, hold_us=(_SHORT, _LONG))
    yield from _points(spacing=SPACINGS, nmi=NMIS, events=EVENTS)
    yield from _points(nmi=NMIS, events=MANY)
    yield from _points(nmi=NMIS, traffic=TRAFFIC, hold_us=(_SHORT, _LONG))
    yield from _points(nmi=NMIS, design=DESIGNS, sync=SYNCS, hold_us=(_SHORT, _LONG))


def _points(**axes: Sequence[Any]) -> Iterator[Point]:
    """The product of the axes; where there is none, the default."""
    for values in product(*axes.values()):
        yield Point(**dict(zip(axes, values, strict=True)))


@dataclass
class Swept:
    """`idle` is how long the work takes where nothing overflows: of each point, by `idle_key`, all that was timed."""

    outcomes: dict[Point, Outcome] = field(default_factory=dict)
    absent: dict[Point, str] = field(default_factory=dict)
    idle: dict[Point, list[float]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def idle_of(self, point: Point) -> float:
        """Seconds, the median."""
        from statistics import median

        return median(self.idle[idle_key(point)])


def idle_key(point: Point) -> Point:
    """What the speed of the idle guest depends on."""
    return replace(Point(), vcpus=point.vcpus, traffic=point.traffic)


def run_sweep(points: Sequence[Point], *, chunks: int, seed: int, progress: Told) -> Swept:
    """Measures all of them, in an order that is drawn by the seed: what drifts is spread over the axes. Raises Cut,
    with what there is, for what ends more than a point."""
    order = list(points)
    random.Random(seed).shuffle(order)
    swept = Swept()
    try:
        _measure_all(swept, order, chunks, seed, progress)
    except BaseException as cause:
        raise Cut(swept, cause) from None
    return swept


def _measure_all(swept: Swept, order: list[Point], chunks: int, seed: int, progress: Told) -> None:
    timed: dict[Point, int] = {}
    for at, point in enumerate(order):
        progress(f"point {at + 1} of {len(order)}", at / len(order))
        key = idle_key(point)
        try:
            if key not in timed or at - timed[key] >= _IDLE_AGAIN:
                swept.idle.setdefault(key, []).append(idle_seconds(key, chunks=chunks, seed=seed))
                timed[key] = at
            swept.outcomes[point] = measure_point(point, chunks=chunks, seed=seed)
        except Absent as reason:
            swept.absent[point] = str(reason)
        except Violated as law:
            swept.broken.append(str(law))
        except Exception as error:
            swept.failed.append(f"{point.name}: {reason_of(error)}")
