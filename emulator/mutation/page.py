# SPDX-License-Identifier: GPL-2.0-only
"""docs/mutations.md, from the results in docs/mutations.json."""

from __future__ import annotations

import json
from pathlib import Path

from emulator.mutation.checks import LIMIT_SECONDS
from emulator.mutation.mutations import Mutation

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS, PAGE = ROOT / "docs/mutations.json", ROOT / "docs/mutations.md"

_HEAD = """# Mutations

One line of the C code is broken at a time, in a copy of the tree, and the project's own checks run in the order of
their cost until one of them notices: its tests in C, the explorer and the stress without their canaries, guests that
report, guests beside the oracle and beside the processor. `scripts/mutate` does it; what is broken, and how, is in
`emulator/mutation/rooms/`. Seconds are those that the checks until then took of the processors, without the
build; {limit:.0f} are allowed for all of them together. A star: it passed all checks when they were looked for first.

Of {known}, {all} have been tried on the code as it stands or as it was hours before; {caught} of them were noticed in
time{share}. `scripts/mutate --missing` tries the others.

| mutation | in | what breaks | noticed by | s |
|---|---|---|---|---|
"""


def load() -> dict[str, dict[str, object]]:
    """By the mutation's name; those that were never tried are missing."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def save(results: dict[str, dict[str, object]]) -> None:
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def write(mutations: list[Mutation], results: dict[str, dict[str, object]]) -> None:
    """Of what was tried."""
    tried = [each for each in mutations if each.name in results]
    caught = [each for each in tried if results[each.name]["caught_by"]]
    survivors = [each for each in tried if not results[each.name]["caught_by"]]
    counted = len(tried) - sum(bool(each.survives) for each in survivors)
    share = f", {100 * len(caught) / counted:.1f} % of those that change anything" if counted else ""
    lines = []
    for each in tried:
        result = results[each.name]
        by = str(result["caught_by"]) or "nothing"
        star = " *" if each.known else ""
        where = each.file.removeprefix("native/")
        lines.append(f"| {each.name}{star} | `{where}` | {_cell(each.breaks)} | {by} | {result['seconds']} |")
    text = (
        _HEAD.format(known=len(mutations), limit=LIMIT_SECONDS, caught=len(caught), all=len(tried), share=share)
        + "\n".join(lines)
        + "\n"
    )
    if survivors:
        text += "\n## Survivors\n\n" + "".join(f"- {each.name}: {each.survives or 'a hole.'}\n" for each in survivors)
    PAGE.write_text(text)
