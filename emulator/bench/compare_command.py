# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf bench compare`: two results, or two commands that take turns."""

from __future__ import annotations

import argparse
import json
import shlex
import sys

from emulator.bench.compare import (
    ALPHA,
    ENDLESS,
    Change,
    compare_documents,
    compare_rounds,
    differing_machine,
    not_compared,
)
from emulator.bench.measuring.result import Document, GroupResult, load_document, parse_text
from emulator.bench.reporting.number import number
from emulator.errors import UsageError
from emulator.files import Files
from emulator.places import find_program, run_program
from emulator.terminal.progress import Progress


def compare(args: argparse.Namespace) -> int:
    """Prints every case. 1 if one got worse, else 0."""
    if not args.run and (args.suites or args.only):
        raise UsageError("--suite and --only say what --run shall run")
    with Files() as files:
        return _compare(args, files)


def _compare(args: argparse.Namespace, files: Files) -> int:
    if args.run:
        files.reads(*filter(None, (find_program(command[0]) for command in _commands(args))))
    else:
        files.reads(args.old, args.new)
    output = files.output(args.json) if args.json is not None else None
    if args.run:
        rounds = _take_turns(args)
        notes = not_compared([old for old, _ in rounds], [new for _, new in rounds])
        changes = compare_rounds(rounds, min_effect=args.min_effect, seed=args.seed)
    else:
        old, new = load_document(args.old), load_document(args.new)
        notes = _differences(old, new)
        changes = compare_documents(old, new, min_effect=args.min_effect, seed=args.seed)
    if not changes:
        raise UsageError("the two have no figure in common")
    for note in notes:
        print(f"pvperf: {note}", file=sys.stderr)
    worse = any(change.verdict == "worse" for change in changes)
    if output:
        output.write(json.dumps(_as_json(changes, args.min_effect)) + "\n")
    if args.json != "-":
        print(_table(changes))
        if not args.run and old.groups == new.groups:
            print("the two results are the same, value by value")
    return int(worse)


def _differences(old: Document, new: Document) -> list[str]:
    """Why two results may differ without any difference between the builds."""
    said = [
        f"the two machines differ: {key} was {old.machine.get(key)!r} and is {new.machine.get(key)!r}"
        for key in differing_machine(old, new)
    ]
    if old.quick != new.quick:
        said.append("one of the two was a quick look, which does less work in a round")
    said += not_compared(old.groups, new.groups)
    for which, document in (("old", old), ("new", new)):
        said += [f"the {which} result is not to be trusted: {warning}" for warning in document.warnings]
    return said


def _table(changes: list[Change]) -> str:
    """Those that changed first."""
    order = {"worse": 0, "better": 1, "same": 2}
    lines = []
    for change in sorted(changes, key=lambda change: order[change.verdict]):
        span = f"[{_percent(change.effect.low)}, {_percent(change.effect.high)}]"
        values = f"{number(change.old)} -> {number(change.new)} {change.case.unit}"
        lines.append(
            f"{change.verdict:<7}{_percent(change.effect.value):>8} {span:<20} p {change.p:<8.2g} "
            f"{values:<30} {change.group}: {change.case.name}"
        )
    counts = ", ".join(f"{sum(c.verdict == v for c in changes)} {v}" for v in order)
    return "\n".join(
        [*lines, f"{counts} (positive: worse; p is adjusted for {len(changes)} comparisons, below {ALPHA} counts)"]
    )


def _percent(effect: float) -> str:
    """Of what was nothing before, or is nothing now, there is none."""
    if not 1 / ENDLESS < effect < ENDLESS:
        return "more" if effect > 1 else "less"
    return f"{(effect - 1) * 100:+.1f}%"


def _as_json(changes: list[Change], min_effect: float) -> dict[str, object]:
    rows = [
        {
            "group": change.group,
            "case": change.case.name,
            "unit": change.case.unit,
            "old": change.old,
            "new": change.new,
            "effect": change.effect._asdict(),
            "p": change.p,
            "verdict": change.verdict,
        }
        for change in changes
    ]
    return {"schema_version": 1, "alpha": ALPHA, "min_effect": min_effect, "changes": rows}


def _commands(args: argparse.Namespace) -> list[list[str]]:
    """Of --run, split as a shell would."""
    try:
        commands = [shlex.split(command) for command in (args.old, args.new)]
    except ValueError as error:
        raise UsageError(f"a command of --run cannot be understood: {error}") from None
    if not all(commands):
        raise UsageError("a command of --run is empty")
    return commands


def _take_turns(args: argparse.Namespace) -> list[tuple[GroupResult, GroupResult]]:
    """In each round OLD NEW NEW OLD: what the machine does hits both, and neither is always the second.

    Of its two values of a round a case keeps the better one: what disturbs a run never makes it faster.
    """
    commands = _commands(args)
    kept: tuple[list[GroupResult], list[GroupResult]] = ([], [])
    turns = [(turn, suite) for turn in range(args.rounds) for suite in args.suites or ["hypercall"]]
    with Progress() as progress:
        for at, (turn, suite) in enumerate(turns):
            taken: tuple[list[Document], list[Document]] = ([], [])
            for quarter, side in enumerate((0, 1, 1, 0)):
                progress.say(f"{suite}: round {turn + 1} of {args.rounds}", (at + quarter / 4) / len(turns))
                taken[side].append(_one_round(commands[side], suite, args))
            for side in (0, 1):
                _add_round(kept[side], *taken[side])
    return [(old, new) for old in kept[0] for new in kept[1] if old.name == new.name]


def _one_round(command: list[str], suite: str, args: argparse.Namespace) -> Document:
    """One round of a suite by that command; it ends with 7, since one round is too few to be trusted."""
    full = [*command, "bench", suite, "--rounds", "1", "--warm-up", "0", "--json", "-"]
    full += ["--quick"] if args.quick else []
    full += ["--only", args.only] if args.only else []
    try:
        done = run_program(full)
    except OSError as error:
        raise UsageError(f"cannot run {full[0]}: {error.strerror}") from None
    if done.returncode not in (0, 7):
        said = done.stderr.strip().splitlines()
        raise UsageError(f"{shlex.join(full)} failed with {done.returncode}{': ' + said[-1] if said else ''}")
    return parse_text(done.stdout, shlex.join(full))


def _add_round(kept: list[GroupResult], first: Document, second: Document) -> None:
    """Adds the better value of each case to those of the rounds before; a case that one of them lacks has none."""
    known = {group.name: group for group in kept}
    others = {(group.name, result.case.name): result.values for group in second.groups for result in group.cases}
    for one in first.groups:
        for result in one.cases:
            better = max if result.case.higher_is_better else min
            result.values[:] = map(better, result.values, others.get((one.name, result.case.name), ()))
        if one.name not in known:
            kept.append(one)
            continue
        new = {result.case.name: result.values for result in one.cases}
        for result in known[one.name].cases:
            result.values.extend(new.get(result.case.name, ()))
