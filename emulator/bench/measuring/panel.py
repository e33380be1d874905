# SPDX-License-Identifier: GPL-2.0-only
"""What a plot shows, as data: lines with intervals, or rows of values with intervals. `plot.py` draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line: y against x, and the interval of each y if `low` and `high` are not empty."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.x), len(self.y)} | {len(edge) for edge in (self.low, self.high) if edge}
        if len(lengths) != 1 or bool(self.low) != bool(self.high):
            raise ValueError(f"series {self.name}: x, y, low and high differ in length")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Series over common axes. A logarithmic axis leaves out what is not above 0; `steps` draws a histogram."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_x: bool = False
    log_y: bool = False
    steps: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Panel:
        """The inverse of dataclasses.asdict."""
        series = [Series(**{key: _numbers(value) for key, value in one.items()}) for one in data["series"]]
        return cls(**{**data, "series": series})


def _numbers(value: Any) -> Any:
    """A list as JSON has it: null is what is no number, or no finite one."""
    return [math.nan if each is None else each for each in value] if isinstance(value, list) else value


@dataclass(frozen=True, kw_only=True)
class Row:
    """A value with its interval beside its name; `target` is a line to be above or below of, if there is one."""

    name: str
    value: float
    low: float
    high: float
    target: float | None = None
    verdict: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Values of one unit, one below the other."""

    title: str
    x_label: str
    rows: Sequence[Row]
    log_x: bool = False
