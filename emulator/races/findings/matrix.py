# SPDX-License-Identifier: GPL-2.0-only
"""Designs against scenarios: what breaks and how soon it is found, and how far the search went of what holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from emulator.races.explore.crew import Crew
from emulator.races.explore.machine import Setup, Totals
from emulator.races.explore.scenarios import SCENARIOS, Scenario
from emulator.races.explore.search import blocks_of, exhaustive_blocks, search
from emulator.races.findings.cases import SCHEDULES, SEED

#: In place of a figure that was left out.
LEFT_OUT = "…"


@dataclass(frozen=True)
class Column:
    """A machine, and the preemptions within which it is searched completely; none: it is sampled."""

    title: str
    setup: Setup
    preemptions: int | None = None


COLUMNS = (
    Column("`posted`", Setup(design="posted")),
    Column("`no-refcount`", Setup(design="no-refcount")),
    Column("`per-vm`, 3 preemptions", Setup(), 3),
    Column("`per-vcpu`, 3", Setup(design="per-vcpu"), 3),
    Column("`per-vm --nmi deferred`, 2", Setup(nmi="deferred"), 2),
    Column("`per-vm --nmi lockless`, 2", Setup(nmi="lockless"), 2),
)
#: Takes most of the time; a quick check leaves them out where a search is complete to 3 preemptions.
LARGE = frozenset({"clock-nmi", "group-close", "group-move", "halt-nmi", "migrate", "nmi-storm", "throttle"})


@dataclass(frozen=True)
class Cell:
    """One design in one scenario; without totals it was left out."""

    totals: Totals | None = None
    oracle: str = ""

    def text(self, column: Column) -> str:
        if not self.totals:
            return LEFT_OUT
        if self.oracle:
            return f"**{self.oracle.split()[0]}** after {self.totals.schedules:,}"
        if column.preemptions is None:
            return ""
        return f"{self.totals.schedules:,}" if self.totals.complete else f"sampled {self.totals.schedules:,}"


def _cell(column: Column, scenario: Scenario) -> Cell:
    if column.preemptions is not None and scenario.programs:
        blocks = exhaustive_blocks(scenario, column.setup, column.preemptions)
    else:
        blocks = blocks_of(scenario, column.setup, SEED, schedules=SCHEDULES, seconds=None)
    found = search(Crew(1), blocks)
    return Cell(found.totals, found.case.oracle if found.case else "")


def matrix(crew: Crew, without: Collection[str] = ()) -> list[list[Cell]]:
    """A row for each scenario. The large searches of the scenarios named are left out."""
    jobs = []
    for scenario in SCENARIOS.values():
        for column in COLUMNS:
            skipped = column.preemptions == 3 and scenario.name in without
            jobs.append(partial(Cell) if skipped else partial(_cell, column, scenario))
    cells = list(crew.each(jobs))
    return [cells[at : at + len(COLUMNS)] for at in range(0, len(cells), len(COLUMNS))]


def _sum(cells: list[Cell], column: Column) -> str:
    if column.preemptions is None:
        return ""
    if any(not cell.totals for cell in cells):
        return LEFT_OUT
    return f"{sum(cell.totals.schedules for cell in cells if cell.totals and cell.totals.complete):,}"


def table(rows: list[list[Cell]]) -> list[str]:
    """Lines of Markdown."""
    lines = ["| scenario | " + " | ".join(column.title for column in COLUMNS) + " |"]
    lines.append("|---|" + "---|" * len(COLUMNS))
    for name, row in zip(SCENARIOS, rows, strict=True):
        lines.append(f"| {name} | " + " | ".join(map(Cell.text, row, COLUMNS)) + " |")
    sums = [_sum([row[at] for row in rows], column) for at, column in enumerate(COLUMNS)]
    lines.append("| all that is complete | " + " | ".join(sums) + " |")
    return lines
