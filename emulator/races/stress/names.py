# SPDX-License-Identifier: GPL-2.0-only
"""The scenarios that whole VMs can play."""

from __future__ import annotations

from emulator.races.explore.scenarios import SCENARIOS, Scenario, find
from emulator.races.stress.playing import playable

#: Random operations, like those of churn, between calls that make no sense.
HOSTILE = Scenario("hostile", "random operations, between calls that make no sense")


def find_playable(name: str) -> Scenario:
    """The scenario of that name or file; UsageError if there is none."""
    return HOSTILE if name == HOSTILE.name else find(name)


def all_playable(*, native: bool = False) -> list[Scenario]:
    """All that come with the package. Arguments that make no sense take a guest that passes them."""
    fixed = [scenario for scenario in SCENARIOS.values() if playable(scenario, native=native)]
    return fixed if native else [*fixed, HOSTILE]
