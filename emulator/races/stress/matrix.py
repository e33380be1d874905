# SPDX-License-Identifier: GPL-2.0-only
"""Which design breaks in which scenario, and how fast that is found: by stress and by the explorer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emulator.races.explore.crew import Crew
from emulator.races.explore.machine import Setup
from emulator.races.explore.scenarios import SCENARIOS, Scenario
from emulator.races.explore.search import blocks_of, search
from emulator.races.stress.scenario_run import Amount, How, Stressed, stress
from emulator.terminal.counted import counted
from emulator.vm.machine import MachineConfig

DESIGNS = ("per-vm", "per-vcpu", "posted", "no-refcount")
_SECONDS = 60.0


def _stress_cell(stressed: Stressed) -> str:
    if not stressed.outcome:
        return stressed.verdict
    return f"{stressed.outcome.oracle.split()[0]} {stressed.seconds:.1f} s, round {stressed.rounds:,}"


def _explore_cell(crew: Crew, scenario: Scenario, setup: Setup, seed: int, seconds: float) -> str:
    if scenario.name not in SCENARIOS:
        return "-"
    found = search(crew, blocks_of(scenario, setup, seed, schedules=None, seconds=seconds))
    if not found.case:
        return "held"
    return (
        f"{found.case.oracle.split()[0]} {found.totals.ns / 1e6:.1f} ms, {counted(found.totals.schedules, 'schedule')}"
    )


def matrix(
    scenarios: list[Scenario],
    config: MachineConfig,
    *,
    seed: int,
    mix: dict[str, int],
    how: How,
    seconds: float | None,
) -> Iterator[str]:
    """Its lines, as they come: two that begin it, and one for each design and scenario."""
    each = (seconds or _SECONDS) / len(DESIGNS) / len(scenarios) / 2
    said = f"nmi {config.nmi}, sync {config.sync}, {counted(config.smp, 'vCPU')}"
    yield f"matrix: {said}, seed {seed}, {each:.1f} s for each cell"
    yield (f"{'design':<12} {'scenario':<16} {'stress':<28} explore")
    for design in DESIGNS:
        for scenario in scenarios:
            machine = replace(config, design=design)
            stressed = stress(scenario, machine, Amount(seconds=each), seed=seed, mix=mix, how=how)
            setup = Setup(design=design, nmi=config.nmi, sync=config.sync)
            with Crew() as crew:
                explored = _explore_cell(crew, scenario, setup, seed, each)
            yield f"{design:<12} {scenario.name:<16} {_stress_cell(stressed):<28} {explored}"
