# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf replay FILE`: runs a recorded schedule again, and shows who did what in which order."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from emulator.explore.case import Case, read_case
from emulator.explore.interleaving import interleaving
from emulator.explore.machine import DIVERGED, Verdict, build
from emulator.explore.shrink import same

REPRODUCED, DIFFERS, INCONCLUSIVE = 1, 0, 7


def main(arguments: argparse.Namespace) -> int:
    """Returns 1 when the violation is there again, 0 when the program now holds, 7 when it went another way."""
    case = read_case(Path(arguments.file))
    verdict, log = case.replay()
    agreed = sum(same(case, case.replay()[0]) for _ in range(arguments.times - 1)) + same(case, verdict)
    if arguments.json:
        _print_json(case, verdict, agreed, arguments.times)
    else:
        if case.setup.canary:
            print(f"planted in the core: {case.setup.canary}")
        print("\n".join([*case.program.lines(), *interleaving(case, log)]))
        print(_ending(case, verdict))
        if arguments.times > 1:
            print(f"{agreed} of {arguments.times} replays ended the same")
    if verdict.oracle == DIVERGED:
        return INCONCLUSIVE
    return DIFFERS if verdict.held else REPRODUCED


def _ending(case: Case, verdict: Verdict) -> str:
    other = "" if case.build == build() else " (it was recorded on another build)"
    if verdict.oracle == DIVERGED:
        return f"diverged{other}: {verdict.text}"
    if verdict.held:
        return f"the schedule ran to its end, and nothing was violated{other}; recorded was {case.oracle}: {case.text}"
    if same(case, verdict):
        return f"{verdict.oracle}: {verdict.text}"
    return f"{verdict.oracle}: {verdict.text}{other}; recorded was {case.oracle}: {case.text}"


def _print_json(case: Case, verdict: Verdict, agreed: int, times: int) -> None:
    document = {
        "schema_version": 1,
        "oracle": verdict.oracle,
        "text": verdict.text,
        "recorded": {"oracle": case.oracle, "text": case.text, "build": case.build},
        "build": build(),
        "operations": case.program.length,
        "preemptions": case.preemptions,
        "times": times,
        "agreed": agreed,
    }
    json.dump(document, sys.stdout)
    print()
