# SPDX-License-Identifier: GPL-2.0-only
"""A number of things, as it is said."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """ "1 vCPU", "2 vCPUs", "1,000 schedules"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
