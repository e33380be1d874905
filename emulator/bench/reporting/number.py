# SPDX-License-Identifier: GPL-2.0-only
"""How figures are written."""

from __future__ import annotations

import math

from emulator.bench.measuring.statistic import Estimate


def number(value: float) -> str:
    """Short, for a tick or a table: 0.25, 12, 3.4k, 1.2M."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if suffix == 'k' else size):.4g}{suffix}"
    return f"{value:.4g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.2e}"


def interval(estimate: Estimate) -> str:
    """`[low, high]`; nothing for a single value, which has none."""
    return f"[{number(estimate.low)}, {number(estimate.high)}]" if math.isfinite(estimate.low) else ""
