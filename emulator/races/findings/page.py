# SPDX-License-Identifier: GPL-2.0-only
"""The page: prose from docs/findings/template.md, and in the places of its {{names}} what was found just now."""

from __future__ import annotations

import re
import statistics
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from emulator.races.explore.case import Case
from emulator.races.explore.crew import Crew
from emulator.races.explore.scenarios import SCENARIOS
from emulator.races.explore.search import BLOCK
from emulator.races.findings import matrix, per_vcpu
from emulator.races.findings.cases import (
    FINDINGS,
    PREEMPTIONS,
    ROOT,
    SCHEDULES,
    SEED,
    Found,
    find_case,
    shown_by_replay,
)

PAGE = ROOT / "docs/findings.md"
TEMPLATE = ROOT / "docs/findings/template.md"
_PLACE = re.compile(r"\{\{([\w .-]+)\}\}")


def _wrapped(paragraph: str) -> str:
    """Prose in lines of one width; tables, headings and code as they are."""
    if paragraph.startswith(("|", "#", "```")):
        return paragraph
    wrapped = textwrap.fill(paragraph, 120, break_long_words=False, break_on_hyphens=False)
    return wrapped + "\n" * paragraph.endswith("\n")


def fill(template: str, values: dict[str, str]) -> str:
    """The template with every place filled; ValueError for a place without a value, or a value without a place."""
    unknown = set(_PLACE.findall(template)) ^ set(values)
    if unknown:
        raise ValueError(f"only the template, or only the script, knows {', '.join(sorted(unknown))}")
    return "\n\n".join(map(_wrapped, _PLACE.sub(lambda place: values[place[1]], template).split("\n\n")))


def _summary(cases: list[Found]) -> Iterator[str]:
    yield "| | defect | scenario | oracle | operations | preemptions | found after | `per-vm` |"
    yield "|---|---|---|---|---:|---:|---:|---|"
    for found in cases:
        finding, case = found.finding, found.case
        yield (
            f"| {finding.label} | {finding.defect} | {finding.scenario} | {case.oracle} | {case.program.length} "
            f"| {case.preemptions} | {found.schedules:,} | {finding.answer} |"
        )


def _section(found: Found) -> Iterator[str]:
    """The commands, and what the second one prints."""
    finding = found.finding
    yield "```console"
    yield f"$ {finding.command()}"
    yield f"$ pvperf replay {finding.path}"
    yield from shown_by_replay(ROOT / finding.path).splitlines()
    yield "```"


def _how_held(found: Found) -> str:
    schedules = found.held.schedules
    return f"holds in all {schedules:,} of its schedules" if schedules > 1 else "holds in the one schedule that it has"


def _case_values(cases: list[Found]) -> dict[str, str]:
    values = {"summary": "\n".join(_summary(cases))}
    for found in cases:
        name = found.finding.scenario
        values[name] = "\n".join(_section(found))
        values[f"{name} held"] = _how_held(found)
    small = [found.case for found in cases]
    values["median operations"] = f"{statistics.median(case.program.length for case in small):g}"
    values["median preemptions"] = f"{statistics.median(case.preemptions for case in small):g}"
    return values


def _mutation_values(crew: Crew) -> dict[str, str]:
    found = per_vcpu.mutations(crew)
    values = {"mutations": "\n".join(per_vcpu.mutation_table(found)), "of mutations": str(len(found["per-vm"]))}
    for design, mutations in found.items():
        values[f"{design} mutations"] = str(sum(each.case is not None for each in mutations))
        values[f"{design} races"] = str(sum(each.races for each in mutations))
    values["tried"] = f"{per_vcpu.TRIED:,}"
    values["remaining races"] = ", ".join(each.name for each in found["per-vcpu"] if each.races)
    return values


def _task_values() -> dict[str, str]:
    def played(*lines: list[str]) -> str:
        return "\n".join(("```text", *(line for part in lines for line in part), "```"))

    return {
        "contention": "\n".join(per_vcpu.contention()),
        "sampled": f"{per_vcpu.SAMPLED:,}",
        "migrated": played(*(per_vcpu.played(design, per_vcpu.MIGRATED) for design in per_vcpu.DESIGNS)),
        "reopened": played(per_vcpu.played("per-vcpu", per_vcpu.REOPENED)),
        "left": played(*(per_vcpu.played(design, per_vcpu.LEFT, max_events=2) for design in per_vcpu.DESIGNS)),
        "calls to move": per_vcpu.calls_to_move(per_vcpu.MIGRATED),
        "calls to reopen": per_vcpu.calls_to_move(per_vcpu.REOPENED),
    }


def _kept(case: Case, path: Path) -> bool:
    """Is the file this very case, on whichever build it was recorded?"""
    return path.exists() and _without_build(path.read_text(encoding="utf-8").splitlines()) == _without_build(
        list(case.lines())
    )


def _without_build(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("build ")]


def stale_replays(cases: list[Found]) -> list[Found]:
    """The cases whose file is another one, or not there."""
    return [found for found in cases if not _kept(found.case, ROOT / found.finding.path)]


def find_cases(crew: Crew) -> list[Found]:
    """All findings, in the order of the page."""
    return list(crew.each(partial(find_case, finding) for finding in FINDINGS))


def render(crew: Crew, cases: list[Found], *, quick: bool = False) -> str:
    """The page, from replay files that are up to date. A quick one has LEFT_OUT for the figures of large searches."""
    values = {"seed": str(SEED), "schedules": f"{SCHEDULES:,}", "preemptions": str(PREEMPTIONS), "block": f"{BLOCK:,}"}
    values |= _case_values(cases) | _mutation_values(crew) | _task_values()
    rows = matrix.matrix(crew, matrix.LARGE if quick else ())
    values["matrix"] = "\n".join(matrix.table(rows))
    values["scenarios"] = str(len(SCENARIOS))
    return fill(TEMPLATE.read_text(encoding="utf-8"), values)


def difference(rendered: str, committed: str) -> str:
    """The first line in which they differ, or ''. LEFT_OUT stands for any figure."""
    ours, theirs = rendered.splitlines(), committed.splitlines()
    for number, line in enumerate(ours, 1):
        other = theirs[number - 1] if number <= len(theirs) else ""
        if not re.fullmatch(re.escape(line).replace(matrix.LEFT_OUT, r"[\d,]+"), other):
            return f"line {number} is\n  {other}\nand should be\n  {line}"
    return "" if len(ours) == len(theirs) else f"there is more behind line {len(ours)}"
