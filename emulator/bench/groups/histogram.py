# SPDX-License-Identifier: GPL-2.0-only
"""A log-linear histogram: counts of whole numbers from 0 on, with a bounded relative error, in little memory.

Up to 2^precision every number has a bucket of its own; above that each power of two is cut into 2^(precision-1)
buckets of the same width. So no number is off by more than its 2^(precision-1)-th part, whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


class Histogram:
    """Adds up what was seen; the maximum, minimum and sum are exact."""

    def __init__(self, precision: int = 7) -> None:
        """`precision` is in bits: 7 keeps 1.6 %."""
        if not 1 <= precision <= 20:
            raise ValueError("the precision is 1 to 20 bits")
        self.precision = precision
        self.counts: dict[int, int] = {}  # bucket -> how many
        self.total = 0
        self.sum = 0
        self.low: int | None = None
        self.high: int | None = None

    def bucket(self, value: int) -> int:
        """The index of the bucket that has `value`: they are in the order of their values."""
        if value < 0:
            raise ValueError("a histogram has no negative values")
        shift = max(0, value.bit_length() - self.precision)
        return (shift << (self.precision - 1)) + (value >> shift)

    def bounds(self, bucket: int) -> tuple[int, int]:
        """The least and the greatest value of a bucket."""
        half = 1 << (self.precision - 1)
        shift = max(0, bucket // half - 1)
        least = (bucket - shift * half) << shift
        return least, least + (1 << shift) - 1

    def add(self, value: int, count: int = 1) -> None:
        """Counts `value`, `count` times."""
        if count <= 0:
            return
        index = self.bucket(value)
        self.counts[index] = self.counts.get(index, 0) + count
        self.total += count
        self.sum += value * count
        self.low = value if self.low is None else min(self.low, value)
        self.high = value if self.high is None else max(self.high, value)

    def update(self, values: Iterable[int]) -> None:
        """Counts all of them."""
        for value in values:
            self.add(value)

    def merge(self, other: Histogram) -> None:
        """Adds all that `other` has seen, which has the same precision."""
        if other.precision != self.precision:
            raise ValueError(f"precisions differ: {self.precision} and {other.precision} bits")
        for index, count in other.counts.items():
            self.counts[index] = self.counts.get(index, 0) + count
        self.total += other.total
        self.sum += other.sum
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        self.low, self.high = min(lows, default=None), max(highs, default=None)

    @property
    def mean(self) -> float:
        """Exact; 0 for nothing."""
        return self.sum / self.total if self.total else 0.0

    def percentile(self, percent: float) -> int:
        """The least value that at least `percent` of what was seen do not exceed: the greatest of its bucket."""
        if not self.total or self.high is None or self.low is None:
            raise ValueError("nothing was seen")
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent} is no percentage")
        wanted = max(1.0, percent / 100 * self.total)
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= wanted - 1e-9 * self.total:
                return max(self.low, min(self.bounds(index)[1], self.high))
        return self.high

    def summary(self) -> Mapping[str, float]:
        """p50, p99, p99.9, max and mean."""
        points = {f"p{percent:g}": float(self.percentile(percent)) for percent in (50, 99, 99.9)}
        return {**points, "max": float(self.high or 0), "mean": self.mean}

    def steps(self) -> Iterator[tuple[float, float]]:
        """(value, share of all that do not exceed it), a point a bucket: for a Panel with steps."""
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            yield float(self.bounds(index)[1]), seen / self.total

    def as_json(self) -> dict[str, object]:
        """All of it, for a result that is kept."""
        counts = {str(index): count for index, count in sorted(self.counts.items())}
        return {"precision": self.precision, "counts": counts, "sum": self.sum, "low": self.low, "high": self.high}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Histogram:
        """The inverse of as_json."""
        precision, counts, total = data["precision"], data["counts"], data["sum"]
        if not isinstance(precision, int) or not isinstance(counts, Mapping) or not isinstance(total, int):
            raise ValueError("this is not a histogram")
        ret = cls(precision)
        ret.counts = {int(index): count for index, count in counts.items()}
        ret.total, ret.sum = sum(ret.counts.values()), total
        low, high = data["low"], data["high"]
        ret.low, ret.high = (low if isinstance(low, int) else None), (high if isinstance(high, int) else None)
        return ret
