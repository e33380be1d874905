# SPDX-License-Identifier: GPL-2.0-only
"""A number of things, as it is said."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """ "1 vCPU", "2 vCPUs", "1,000 switches", "3 canaries"; of several words the last one is the thing."""
    return f"{number:,} {what if number == 1 else plural(what)}"


def plural(what: str) -> str:
    """Of a thing's name."""
    if what.endswith(("ch", "sh", "s", "x")):
        return f"{what}es"
    if what.endswith("y") and what[-2:-1] not in "aeiou":
        return f"{what[:-1]}ies"
    return f"{what}s"


def agreed(number: int, one: str, many: str) -> str:
    """The verb that goes with a number of things."""
    return one if number == 1 else many
