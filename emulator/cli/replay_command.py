# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf replay FILE`: runs a recorded schedule again, and shows who did what in which order."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from emulator.races.explore.case import Case, read_case
from emulator.races.explore.interleaving import interleaving
from emulator.races.explore.machine import DIVERGED, Verdict, identity
from emulator.races.explore.shrink import same
from emulator.terminal.columns import columns
from emulator.terminal.counted import counted

REPRODUCED, DIFFERS, INCONCLUSIVE = 1, 0, 7


def main(arguments: argparse.Namespace) -> int:
    """Returns 1 when the violation is there again, 0 when the program now holds, 7 when it went another way, or has
    nothing to run."""
    case = read_case(Path(arguments.file))
    verdict, log = case.replay()
    agreed = sum(same(case, case.replay()[0]) for _ in range(arguments.times - 1)) + same(case, verdict)
    if not case.of_this_build:
        other = case.build or "which it does not name"
        print(f"pvperf: it was recorded by another build, {other}; this is {identity()}", file=sys.stderr)
    if arguments.json:
        _print_json(case, verdict, agreed, arguments.times)
    else:
        if case.setup.canary:
            print(f"planted in the core: {case.setup.canary}")
        print("\n".join([*case.program.lines(), *interleaving(case, log, width=columns(1, 0))]))
        print(_ending(case, verdict))
        if arguments.times > 1:
            print(f"{agreed} of {arguments.times} replays ended the same")
    if verdict.oracle == DIVERGED or not case.program.length:
        return INCONCLUSIVE
    return DIFFERS if verdict.held else REPRODUCED


def _ending(case: Case, verdict: Verdict) -> str:
    recorded = f"recorded was {case.oracle}: {case.text}"
    if not case.program.length:
        return f"nothing was run: the program has no operations; {recorded}"
    if verdict.oracle == DIVERGED:
        return f"diverged: {verdict.text}; {recorded}"
    if verdict.held:
        return f"the schedule ran to its end, and nothing was violated; {recorded}"
    told = f"{verdict.oracle}: {verdict.text}"
    if (verdict.oracle, verdict.text) != (case.oracle, case.text):
        return f"{told}; {recorded}"
    return told if same(case, verdict) else f"{told}; {_difference(case, verdict)}"


def _difference(case: Case, verdict: Verdict) -> str:
    """Of two violations that are told in the same words: the states in which they were found, and where the ways to
    them part."""
    states = f"in another state, {verdict.state_hash:016x}, than the recorded {case.state_hash:016x}"
    for now, then in zip(verdict.switches, case.switches, strict=False):
        if now != then:
            return f"{states}; at step {then.step} it was at {now.where}, and is recorded at {then.where}"
    if len(verdict.switches) != len(case.switches):
        return f"{states}, after {counted(len(verdict.switches), 'switch')}, and not {len(case.switches)}"
    return f"{states}; all that they did, they did at the same places"


def _print_json(case: Case, verdict: Verdict, agreed: int, times: int) -> None:
    recorded = {"oracle": case.oracle, "text": case.text, "state": f"{case.state_hash:016x}", "build": case.build}
    document = {
        "schema_version": 1,
        "oracle": verdict.oracle,
        "text": verdict.text,
        "state": f"{verdict.state_hash:016x}",
        "recorded": recorded,
        "build": identity(),
        "of_this_build": case.of_this_build,
        "operations": case.program.length,
        "preemptions": case.preemptions,
        "times": times,
        "agreed": agreed,
    }
    json.dump(document, sys.stdout)
    print()
