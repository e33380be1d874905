# SPDX-License-Identifier: GPL-2.0-only
"""Hands what was being played when something broke to the explorer, for a case that replays."""

from __future__ import annotations

import time
from dataclasses import replace

from emulator.errors import UsageError
from emulator.explore.case import Case
from emulator.explore.machine import Machine, Setup
from emulator.explore.program import Program
from emulator.explore.shrink import shrink
from emulator.stress.boot import Outcome
from emulator.stress.playing import Playing

_BLOCK = 10_000


def find_case(playing: Playing, outcome: Outcome, *, seconds: float, shrink_seconds: float = 1.0) -> Case | None:
    """The violation, or another one of the same operations, as a small case; None if none was found in `seconds`."""
    setup = replace(playing.setup, strict_errno=int(outcome.oracle.startswith("O8")))
    rounds = max(0, outcome.rounds - 1)
    # The round itself first; then the others, should an earlier one have left the damage.
    programs = [playing.window(rounds), *(playing.window(k) for k in range(len(playing.programs)))]
    ends = time.monotonic() + seconds
    first = 0
    while True:
        for program in programs:
            case = _search(setup, program, first)
            if case:
                return shrink(case, seconds=shrink_seconds)
            if time.monotonic() > ends:
                return None
        first += _BLOCK


def _search(setup: Setup, program: Program, first: int) -> Case | None:
        with Machine(setup, program) as machine:
            _, verdict = machine.run("mix", seed=1, first=first, count=_BLOCK)
    except UsageError:  # too much for the explorer's tables
        return None
    return None if verdict.held else Case.of(setup, program, verdict)
