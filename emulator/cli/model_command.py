# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf model`: searches all states of the protocol's model, in Python or by Spin."""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import asdict, fields

from emulator.errors import UsageError
from emulator.files import Files, Output
from emulator.races.explore.case import Case
from emulator.races.explore.interleaving import interleaving
from emulator.races.explore.replay_file import replay_command
from emulator.races.model import bridge, search, spin
from emulator.races.model.accept import compare
from emulator.races.model.bounds import DEFECTS, Bounds, Model, modelled
from emulator.races.model.search import Searched
from emulator.terminal.columns import columns
from emulator.terminal.counted import counted
from emulator.terminal.progress import Progress, Stand
from emulator.terminal.unread import to_the_end

HELD, VIOLATED, INCOMPLETE = 0, 1, 7


def main(arguments: argparse.Namespace) -> int:
    """Returns 0 when all held in all states, 1 for a violation, 7 when there were too many states."""
    sizes = {field.name: getattr(arguments, field.name) for field in fields(Bounds)}
    model = modelled(arguments.design, arguments.nmi, arguments.defect or "", sizes)
    if arguments.traces:
        return _compare(model, arguments)
    if arguments.output is not None and arguments.defect:
        bridge.setup_of(model)  # what the core has nothing like is refused before it is searched
    with Files() as files:
        output = files.output(arguments.output, regular=True) if arguments.output is not None else None
        return _search(model, arguments, files, output)


def _search(model: Model, arguments: argparse.Namespace, files: Files, output: Output | None) -> int:
    by = spin if arguments.spin else search
    with Progress(patience=0 if arguments.spin else None) as progress:
        tick = _Ticks("Spin searches", "", progress) if arguments.spin else _Ticks("model", "state", progress)
        searched = by.search(model, most_states=arguments.states, tick=tick)
    with to_the_end():  # the case is looked for and written, whoever has read enough
        return _tell(model, searched, arguments, files, output)


def _tell(model: Model, searched: Searched, arguments: argparse.Namespace, files: Files, output: Output | None) -> int:
    if not arguments.json:
        _print(model, searched, "Spin" if arguments.spin else "Python")
    case, unfound = None, None
    if searched.violates and output:
        try:
            case = bridge.find_case(model, searched.violates, searched.trail)
            output.write(case.as_text())
            files.commit()
        except bridge.NotOnCore as error:
            unfound = error
    if arguments.json:
        _print_json(model, searched, "spin" if arguments.spin else "python", case)
    elif case and output:
        _print_case(case, output.name, searched.violates)
    if unfound:
        raise unfound
    return VIOLATED if searched.violates else HELD if searched.complete else INCOMPLETE


class _Ticks:
    """Takes numbers of what is done, and has them on the terminal now and then."""

    def __init__(self, what: str, unit: str, progress: Progress, *, of: int = 0) -> None:
        self._what, self._unit, self._progress, self._of = what, unit, progress, of
        self._done = 0
        progress.watch(self._stand)

    def __call__(self, done: int) -> None:
        self._done = done
        self._progress.tick()

    def _stand(self) -> Stand:
        return Stand(self._what, self._done, self._unit, self._done / self._of if self._of else None)


def _planted(case: Case) -> str:
    return f"with {case.setup.canary} planted" if case.setup.canary else f"design {case.setup.design}"


def _compare(model: Model, arguments: argparse.Namespace) -> int:
    """Is all that the core does what the model can do?"""
    if arguments.output or arguments.spin:
        raise UsageError("--traces looks for no trail: it goes neither with -o nor with --spin")
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    with Progress() as progress:
        tick = _Ticks("traces", "schedule", progress, of=arguments.traces)
        compared = compare(model, seed=seed, schedules=arguments.traces, tick=tick)
    verdict, status = "accepted", HELD
    if not compared.records:
        verdict, status = "inconclusive: the core did nothing that could be compared", INCOMPLETE
    if compared.refused:
        verdict, status = "refused", VIOLATED
    elif model.defect:
        verdict, status = "inconclusive: what is planted was not seen", INCOMPLETE
    if arguments.json:
        document = {"schema_version": 1, "verdict": verdict}
        program = compared.program.lines() if compared.program else []
        print(json.dumps(document | asdict(compared) | {"seed": seed, "program": program}))
        return status
    print(f"model: design {model.design}, nmi {model.nmi}, {model.bounds}; seed {seed}")
    if model.defect:
        print(f"  planted in the core alone: {model.defect}: {DEFECTS[model.defect].about}")
    print(
        f"{counted(compared.schedules, 'schedule')} of the core, of {counted(compared.programs, 'program')}, "
        f"{counted(compared.records, 'record')}; {counted(compared.places, 'place')} of the model"
    )
    if compared.program:
        print("\n".join(f"  {line}" for line in compared.program.lines()))
    print(f"verdict: {'refused: ' + compared.refused if compared.refused else verdict}")
    return status


def _print_case(case: Case, name: str, violates: str) -> None:
    """What the core violates may be another oracle than the trail's: the same defect shows in several."""
    other = "" if case.oracle == violates else f", and not {violates} as the trail does: another violation"
    print(f"on the core, {_planted(case)}, {case.oracle}: {case.text}{other}")
    for line in [*case.program.lines(), *interleaving(case, case.replay()[1], width=columns(1, 2) - 2)]:
        print(f"  {line}")
    print(f"replay it with: {replay_command(name)}")


def _print(model: Model, searched: Searched, by: str) -> None:
    print(f"model: design {model.design}, nmi {model.nmi}, searched by {by}, breadth first")
    print(f"  bounds: {model.bounds}")
    if model.defect:
        print(f"  planted: {model.defect}: {DEFECTS[model.defect].about}")
    for number, step in enumerate(searched.trail, 1):
        print(f"  {number:>3}  {step}")
    if searched.violates:
        steps = counted(len(searched.trail), "step")
        print(f"{counted(searched.states, 'state')} until one violates an oracle, in {steps}")
        print(f"verdict: violated: {searched.violates}")
    elif searched.complete:
        print(f"{counted(searched.states, 'state')}, complete")
        print("verdict: held")
    else:
        print(f"{counted(searched.states, 'state')}, not complete: --states allows no more")
        print("verdict: inconclusive")


def _print_json(model: Model, searched: Searched, by: str, case: Case | None) -> None:
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
    if case:
        document["core"] = {"oracle": case.oracle, "text": case.text, "as_the_trail": case.oracle == searched.violates}
    json.dump(document, sys.stdout)
    print()
