# SPDX-License-Identifier: GPL-2.0-only
"""Erlang's loss formula: how often something that cannot wait finds its servers busy.

An NMI is such a customer: its trylock gets the vCPU's event_mutex, or is lost. The formula holds for any distribution
of the hold times, but only for arrivals that are independent of each other and of the server: those of a Poisson
process see time averages, periodic ones need not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.bench.measuring.statistic import Estimate, percentiles, wilson

_RESAMPLES = 500


def loss(offered: float, servers: int = 1) -> float:
    """Erlang B: the share that is lost of a load of `offered` erlangs. With one server, a / (1 + a)."""
    if offered < 0 or servers < 0:
        raise ValueError("an offered load and a number of servers cannot be negative")
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = offered * blocked / (server + offered * blocked)
    return blocked


def offered_by_arrivals(arrivals: int, span: float, holds: Sequence[float], *, seed: int) -> Estimate:
    """The load, in erlangs, of `arrivals` within `span` that hold the server themselves, those that were lost included.

    `holds` are how long it was held, in the unit of `span`. The interval is of both the rate and the mean hold.
    """
    if not holds:
        raise ValueError("no hold was measured")
    draw = random.Random(seed)

    def resample() -> float:
        rate = max(0.0, draw.gauss(arrivals, arrivals**0.5)) / span
        return rate * sum(draw.choices(holds, k=len(holds))) / len(holds)

    return percentiles(arrivals / span * sum(holds) / len(holds), (resample() for _ in range(_RESAMPLES)))


def offered_by_holder(holds: Sequence[float], gaps: Sequence[float], *, seed: int) -> Estimate:
    """The load, in erlangs, of a holder that comes back a `gap` after each hold, and is what the arrivals run into.

    Then the share that is lost is the share of the time that the server is held, which is what the formula gives.
    """
    if not holds or not gaps:
        raise ValueError("no hold, or no gap, was measured")
    draw = random.Random(seed)

    def load(some_holds: Sequence[float], some_gaps: Sequence[float]) -> float:
        return sum(some_holds) / len(some_holds) / (sum(some_gaps) / len(some_gaps))

    resampled = (load(draw.choices(holds, k=len(holds)), draw.choices(gaps, k=len(gaps))) for _ in range(_RESAMPLES))
    return percentiles(load(holds, gaps), resampled)


@dataclass(frozen=True)
class Prediction:
    """What the formula says for a measured load, beside the share that was lost: `predicted` and `measured`."""

    offered: Estimate  # erlangs
    predicted: Estimate
    measured: Estimate

    @property
    def agrees(self) -> bool:
        """Do the two intervals meet?"""
        return self.measured.low <= self.predicted.high and self.predicted.low <= self.measured.high


def predict(offered: Estimate, *, arrivals: int, misses: int) -> Prediction:
    """For `arrivals` at one server, `misses` of which found it busy."""
    return Prediction(offered, Estimate(*map(loss, offered)), wilson(misses, arrivals))
