# SPDX-License-Identifier: GPL-2.0-only
"""Medians with bootstrap intervals, and tests of whether two sets of measurements differ.

Nothing here assumes a distribution; what draws random numbers takes a seed, and gives the same result for it.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from statistics import NormalDist, median, quantiles
from typing import NamedTuple

CONFIDENCE = 0.95
RESAMPLES = 2000
# More values than this on either side: the normal approximation is as good, and the exact count slow.
_EXACT_LIMIT = 40


class Estimate(NamedTuple):
    """A value, and the interval that holds the true one with CONFIDENCE."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval as a share of the value; infinite for a value of 0 that is not certain."""
        if self.high == self.low:
            return 0.0
        return (self.high - self.low) / 2 / abs(self.value) if self.value else math.inf


def seed_of(seed: int, *names: str) -> int:
    """A seed of its own for each thing that has a name, the same on every machine."""
    return zlib.crc32("\0".join(names).encode(), seed & 0xFFFFFFFF)


def bootstrap(
    values: Sequence[float], *, seed: int, of: Callable[[Sequence[float]], float] = median, resamples: int = RESAMPLES
) -> Estimate:
    """The percentile bootstrap of `of(values)`. Computed once: table, page and warnings all ask for it."""
    return _bootstrap(tuple(values), seed, of, resamples)


@cache
def _bootstrap(
    values: tuple[float, ...], seed: int, of: Callable[[Sequence[float]], float], resamples: int
) -> Estimate:
    if len(values) == 1:
        return Estimate(of(values), -math.inf, math.inf)
    draw = random.Random(seed)
    return percentiles(of(values), (of(draw.choices(values, k=len(values))) for _ in range(resamples)))


def percentiles(value: float, resampled: Iterable[float]) -> Estimate:
    """What was computed of the data, between the ends of what was of resamples of it."""
    cuts = quantiles(resampled, n=round(2 / (1 - CONFIDENCE)), method="inclusive")
    return Estimate(value, cuts[0], cuts[-1])


def paired_ratios(top: Sequence[float], bottom: Sequence[float]) -> list[float]:
    """The ratio in each round in which there is one: what slowed the machine in a round slowed both sides of it."""
    return [a / b for a, b in zip(top, bottom, strict=True) if b]


def wilson(hits: int, trials: int, confidence: float = CONFIDENCE) -> Estimate:
    """A share of independent trials, by Wilson's score interval."""
    if trials <= 0:
        raise ValueError("a share of no trials is not defined")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = hits / trials
    scale: float = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Estimate(share, middle - half if hits else 0.0, middle + half if hits < trials else 1.0)


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of the hypothesis that both come from one distribution. Exact for few values without ties."""
    n, m = len(first), len(second)
    ranks, ties = _ranks([*first, *second])
    u = sum(ranks[:n]) - n * (n + 1) / 2
    u = min(u, n * m - u)
    if not ties and max(n, m) <= _EXACT_LIMIT:
        return min(1.0, 2 * sum(_orderings(n, m, k) for k in range(int(u) + 1)) / math.comb(n + m, n))
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    return _normal_p(n * m / 2 - u, variance)


def signed_rank(differences: Sequence[float]) -> float:
    """Two-sided p, exact, of the hypothesis that paired differences lie evenly about 0.

    Wilcoxon's test, but that no rank counts for more than the middle one: the largest differences are those of rounds
    that something disturbed, and would drown the others.
    """
    moved = [d for d in differences if d]
    cap = (len(moved) + 1) // 2 * 2
    weights = [min(cap, round(2 * rank)) for rank in _ranks([abs(d) for d in moved])[0]]
    up = sum(weight for weight, d in zip(weights, moved, strict=True) if d > 0)
    least = min(up, sum(weights) - up)
    return min(1.0, 2 * sum(_subsets(weights)[: least + 1]) / (1 << len(moved)))


def holm(ps: Sequence[float]) -> list[float]:
    """The p values adjusted for their number by Holm's method, in the same order."""
    adjusted = [0.0] * len(ps)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = worst
    return adjusted


def _ranks(values: Sequence[float]) -> tuple[list[float], int]:
    """Ranks from 1, the mean among equals; and the sum of t^3 - t over groups of t equal values."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, ties, at = [0.0] * len(values), 0, 0
    while at < len(order):
        end = at
        while end < len(order) and values[order[end]] == values[order[at]]:
            end += 1
        for index in order[at:end]:
            ranks[index] = (at + end + 1) / 2
        ties += (end - at) ** 3 - (end - at)
        at = end
    return ranks, ties


def _normal_p(distance: float, variance: float) -> float:
    """Two-sided, with the correction for continuity."""
    if variance <= 0:
        return 1.0
    return min(1.0, 2 * (1 - NormalDist().cdf(max(0.0, distance - 0.5) / math.sqrt(variance))))


@cache
def _orderings(n: int, m: int, u: int) -> int:
    """In how many orders of n and m different values Mann-Whitney's U is `u`."""
    if u < 0:
        return 0
    if n == 0 or m == 0:
        return int(u == 0)
    return _orderings(n - 1, m, u - m) + _orderings(n, m - 1, u)


def _subsets(weights: Sequence[int]) -> list[int]:
    """How many subsets of the weights have each sum."""
    counts = [1] + [0] * sum(weights)
    for weight in weights:
        for total in range(len(counts) - 1, weight - 1, -1):
            counts[total] += counts[total - weight]
    return counts
