# SPDX-License-Identifier: GPL-2.0-only
"""The scenarios that whole VMs can play."""

from __future__ import annotations

from emulator.explore.scenarios import SCENARIOS, Scenario, find
from emulator.stress.playing import playable

#: Random operations, like those of churn, between calls that make no sense.
HOSTILE = Scenario("hostile", "random operations, between calls that make no sense")


def find_playable(name: str) -> Scenario:
    """The scenario of that name or file; UsageError if there is none."""
    return HOSTILE if name == HOSTILE.name else find(name)


def all_playable() -> list[Scenario]:
    """All that come with the package."""
    return [*filter(playable, SCENARIOS.values()), HOSTILE]
