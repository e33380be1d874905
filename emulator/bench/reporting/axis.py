# SPDX-License-Identifier: GPL-2.0-only
"""From values to places on a plot, and where its ticks are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_MOST = 1e100
_LEAST_SHARE = 1e-12  # of a value: closer ones are drawn as one


@dataclass(frozen=True)
class Axis:
    """Maps values from `low`..`high` to places from `start`..`end`, which may run backwards."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def shows(self, value: float) -> bool:
        """Can this value be drawn at all?"""
        return _can_show(value, log=self.log)

    def place(self, value: float) -> float:
        """Where the value lies; at the edge if it is outside."""
        share = (self._scale(value) - self._scale(self.low)) / (self._scale(self.high) - self._scale(self.low))
        return self.start + (self.end - self.start) * min(1.0, max(0.0, share))

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self, most: int = 7) -> list[float]:
        """Round values within the axis."""
        return _log_ticks(self.low, self.high, most) if self.log else _ticks(self.low, self.high, most)


def _can_show(value: float, *, log: bool) -> bool:
    """Beyond these, what lies between two values may be too large or too small for a float."""
    return 1 / _MOST <= value <= _MOST if log else abs(value) <= _MOST


def fit_axis(values: Iterable[float], start: float, end: float, *, log: bool = False, zero: bool = False) -> Axis:
    """An axis that shows all of these values; from 0 on if `zero` says so."""
    known = [value for value in values if _can_show(value, log=log)]
    if log:
        low, high = (min(known), max(known)) if known else (1.0, 10.0)
        if high - low < high * _LEAST_SHARE:
            low, high = low / 2, high * 2
        room = (high / low) ** 0.04
        return Axis(low / room, high * room, start, end, True)
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    low = min(low, 0.0) if zero else low
    size = max(abs(low), abs(high))
    if high - low < max(size * _LEAST_SHARE, 1 / _MOST):
        half = (size if size > 1 / _MOST else 1.0) / 2
        low, high = low - half, high + half
    room = (high - low) * 0.04
    return Axis(low if zero and low == 0 else low - room, high + room, start, end)


def _ticks(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= raw)
    first = math.ceil(low / step)
    return [step * k for k in range(first, math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten; also 2 and 5 between them, or only every other power, as there is room."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for within in ((1, 2, 3, 4, 5, 6, 7, 8), (1, 2, 5), (1,)):
        ticks = [nice * 10.0**power for power in range(first, last + 1) for nice in within]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            return ticks or [low]
    stride = math.ceil(len(ticks) / most)
    return ticks[::stride]


def number(value: float) -> str:
    """Short, for a tick or a table: 0.25, 12, 3.4k, 1.2M."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if suffix == 'k' else size):.4g}{suffix}"
    return f"{value:.4g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.2e}"
