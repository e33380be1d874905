# SPDX-License-Identifier: GPL-2.0-only
"""The smallest case that is still of its kind: as little of a random state as it needs."""

from __future__ import annotations

from collections.abc import Sequence

from processor.differential.kinds import Difference, difference
from processor.differential.runner import Runner

#: The bits of `simplify` (case.h): registers, vectors, flags and the like; then prefixes from there on.
STATE_BITS = 39
PREFIX_BIT = 40
MOST_PREFIXES = 20


def shrink(runner: Runner, found: Difference) -> Difference:
    """What can be left out alone is left out together, if that is still of the kind; else by halves."""
    prefixes = min(int(found.ours.case["prefixes"], 16), MOST_PREFIXES)
    bits = [*range(PREFIX_BIT, PREFIX_BIT + prefixes), *range(STATE_BITS)]
    if found.theirs.end:  # each try costs a VM
        return _together(runner, found, bits) or found
    tried = _try_all(runner, found, [1 << bit for bit in bits])
    alone = [bit for bit, each in zip(bits, tried, strict=True) if each]
    return _together(runner, found, alone) or found


def _try_all(runner: Runner, found: Difference, masks: Sequence[int]) -> list[Difference | None]:
    """Each that is still of the kind; prefixes may go as long as the same is different."""
    pairs = runner.details([(found.number, mask) for mask in masks])
    tried = [difference(ours, theirs) for ours, theirs in pairs]
    return [each if each and each.what == found.what else None for each in tried]


def _try(runner: Runner, found: Difference, masks: Sequence[int]) -> Difference | None:
    return _try_all(runner, found, masks)[0]


def _together(runner: Runner, found: Difference, bits: Sequence[int]) -> Difference | None:
    """The case without all that these bits stand for, or without as many as can go one after the other by halves."""
    best, mask = None, 0
    pending = [list(bits)]
    while pending:
        part = pending.pop(0)
        tried = _try(runner, found, [mask | sum(1 << bit for bit in part)]) if part else None
        if tried:
            best, mask = tried, tried.simplify
        elif len(part) > 1:
            middle = len(part) // 2
            pending[:0] = [part[:middle], part[middle:]]
    return best
