# SPDX-License-Identifier: GPL-2.0-only
"""The options of `explore` and `replay`, and what other searches say, too."""

from __future__ import annotations

import argparse

from emulator.terminal.parser import Parser
from emulator.terminal.quantity import duration, positive, preemptions, seed

VERDICTS = [
    ("0", "all held"),
    ("1", "a violation, which is in the replay file"),
    ("2", "usage"),
    ("7", "it proves nothing"),
]
#: The names in emulator/races/explore/scenarios.py, whose import takes too long for a help.
SCENARIOS = (
    "close-enable, close-nmi, close-sync, migrate, follow-task, open-limit, dup-open, read-close, enable-disable, "
    "stop-and-go, nmi-storm, slow-sync, clock-nmi, full-queue, handler-sync, breakpoint, no-memory, errno, halt-kick, "
    "halt-nmi, throttle, failing-write, group-close, group-move, record, churn"
)
SCENARIO_FILE = "has lines such as 'vcpu 0: open 1 period 10; enable 1; run 25; close 1'"
_REPLAY_FILE = "of a violation (default SCENARIO-DESIGN.replay here, and what that is already becomes FILE.old)"


def add_scenarios(parser: Parser) -> None:
    """Which are played, and on which design."""
    add = parser.add_argument
    add("scenarios", nargs="*", metavar="SCENARIO", help="of those below, or a file (default: all)")
    add("--design", default="per-vm", metavar="NAME", help="of the event table (default per-vm)")


def add_policies(group: Parser | argparse._ArgumentGroup) -> None:
    """What else differs between designs."""
    add = group.add_argument
    add("--nmi", default="trylock", metavar="NAME", help="what an NMI does that finds the lock taken (default trylock)")
    add("--sync", default="entry", metavar="NAME", help="when overflows reach guest memory (default entry)")


def add_replay_file(parser: Parser) -> None:
    """Where a violation is written."""
    parser.add_argument("-o", "--output", metavar="FILE", help=_REPLAY_FILE)


def add_explore(parser: Parser) -> None:
    parser.examples = [
        ("pvperf explore", "all scenarios, for ten seconds"),
        ("pvperf explore close-enable --design no-refcount -o race.replay", "find a race (status 1), and keep it"),
        ("pvperf explore migrate --exhaustive 2", "all schedules with two preemptions at most"),
    ]
    parser.notes = {"scenarios": SCENARIOS, "a file": SCENARIO_FILE}
    parser.statuses = VERDICTS
    add_scenarios(parser)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--duration", type=duration, metavar="TIME", help="sample for so long in all (default 10s)")
    amount.add_argument(
        "--schedules", type=positive, metavar="N", help="sample N of each scenario: ends the same each time"
    )
    amount.add_argument(
        "--exhaustive", type=preemptions, metavar="PB", help="only all schedules with at most PB preemptions"
    )
    parser.add_argument(
        "--seed", type=seed, metavar="N", help="of the sampled schedules (default: a fresh one, which is printed)"
    )
    add_replay_file(parser)
    machine = parser.add_argument_group("the machine")
    add_policies(machine)
    add = machine.add_argument
    add("--memory", default="sc", metavar="MODEL", help="tso: stores wait in buffers, as on x86 (default sc)")
    add("--races", action="store_true", help="see data races, too; takes some times as long")
    add = parser.add_argument_group("what is searched and printed").add_argument
    add("--canaries", action="store_true", help="only find, shrink and replay each planted defect: a table")
    add("--shrink", type=duration, default=1.0, metavar="TIME", help="how long to make a case smaller (default 1s)")
    add("-v", "--verbose", action="store_true", help="a line for each canary, and for what met in one order alone")
    add("-j", "--json", action="store_true", help="print a JSON document")


def add_replay(parser: Parser) -> None:
    parser.examples = [
        ("pvperf replay race.replay", "what explore found, step by step (status 1)"),
        ("pvperf replay race.replay --times 100", "the same each time"),
    ]
    parser.statuses = [
        ("0", "nothing is violated any more"),
        ("1", "the violation is there again"),
        ("2", "usage"),
        ("7", "it went another way"),
    ]
    parser.add_argument("file", metavar="FILE", help="what pvperf explore wrote")
    parser.add_argument("--times", type=positive, default=1, metavar="N", help="replay it N times and compare")
    parser.add_argument("-j", "--json", action="store_true", help="print a JSON document")
