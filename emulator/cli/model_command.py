# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf model`: searches all states of the protocol's model, in Python or by Spin."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, fields

from emulator.model import search, spin
from emulator.model.bounds import DEFECTS, Bounds, Model, modelled
from emulator.model.search import Searched

HELD, VIOLATED, INCOMPLETE = 0, 1, 7


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 when all held in all states, 1 for a violation, 7 when there were too many states."""
    sizes = {field.name: getattr(arguments, field.name) for field in fields(Bounds)}
    model = modelled(arguments.design, arguments.nmi, arguments.defect or "", sizes)
    by = spin if arguments.spin else search
    searched = by.search(model, most_states=arguments.states)
    if arguments.json:
        _print_json(model, searched, "spin" if arguments.spin else "python")
    else:
        _print(model, searched, "Spin" if arguments.spin else "Python")
    if searched.violates:
        return VIOLATED
    return HELD if searched.complete else INCOMPLETE


def _print(model: Model, searched: Searched, by: str) -> None:
    print(f"model: design {model.design}, nmi {model.nmi}, searched by {by}, breadth first")
    print(f"  bounds: {model.bounds}")
    if model.defect:
        print(f"  planted: {model.defect}: {DEFECTS[model.defect].about}")
    for number, step in enumerate(searched.trail, 1):
        print(f"  {number:>3}  {step}")
    if searched.violates:
        print(f"{searched.states:,} states until one violates an oracle, in {len(searched.trail)} steps")
        print(f"verdict: violated: {searched.violates}")
    elif searched.complete:
        print(f"{searched.states:,} states, complete")
        print("verdict: held")
    else:
        print(f"{searched.states:,} states, not complete: --states allows no more")
        print("verdict: inconclusive")


def _print_json(model: Model, searched: Searched, by: str) -> None:
    verdict = "violated" if searched.violates else "held" if searched.complete else "inconclusive"
    document = {
        "schema_version": 1,
        "verdict": verdict,
        "design": model.design,
        "nmi": model.nmi,
        "defect": model.defect,
        "bounds": asdict(model.bounds),
        "searched_by": by,
        "states": searched.states,
        "complete": searched.complete,
        "violates": searched.violates,
        "trail": searched.trail,
    }
    json.dump(document, sys.stdout)
    print()
