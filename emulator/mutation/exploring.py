# SPDX-License-Identifier: GPL-2.0-only
"""The explorer over the tree that it lies in, without canaries: ends with 1 at the first violation."""

from __future__ import annotations

import sys

from emulator.races.explore.machine import Setup
from emulator.races.explore.scenarios import SCENARIOS
from emulator.races.explore.search import Block, run_block

_SETUPS = (
    Setup(),
    Setup(nmi="deferred", sync="every-exit"),
    Setup(design="per-vcpu", nmi="lockless"),
)
_FIXED, _RANDOM = 1500, 2000


def _blocks() -> list[Block]:
    """One preemption for every scenario first, which is soon done, then a mix."""
    fixed = [(name, number) for name, each in SCENARIOS.items() for number in range(len(each.programs))]
    found = [Block(name, setup, 0, number, exhaustive=1) for setup in _SETUPS for name, number in fixed]
    found += [Block("churn", setup, seed, number, _RANDOM) for setup in _SETUPS for seed in (3, 4) for number in (0, 1)]
    return found + [Block(name, setup, 5, number, _FIXED) for setup in _SETUPS for name, number in fixed]


def main() -> int:
    """Returns 0 or 1."""
    for block in _blocks():
        found = run_block(block)
        if found.case:
            print(*found.case.lines(), sep="\n", file=sys.stderr)
            return 1
        if not found.agreed:
            print(f"{block.scenario}: a schedule that was run twice did not end the same", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
