# SPDX-License-Identifier: GPL-2.0-only
"""The options of `explore` and `replay`, and what other searches say, too."""

from __future__ import annotations

import argparse

from emulator.cli.options.quantity import duration, positive, preemptions, seed

VERDICTS = "exit status: 0 all held; 1 a violation, which is in the replay file; 2 usage; 7 it proves nothing"
#: The names in emulator/races/explore/scenarios.py, whose import takes too long for a help.
SCENARIOS = """\
scenarios: close-enable, close-nmi, close-sync, migrate, follow-task, open-limit, dup-open,
read-close, enable-disable, stop-and-go, nmi-storm, slow-sync, clock-nmi, full-queue,
handler-sync, breakpoint, no-memory, errno, halt-kick, halt-nmi, throttle, failing-write,
group-close, group-move, record, churn. A file has lines such as:
vcpu 0: open 1 period 10; enable 1; run 25; close 1"""
REPLAY_FILE = "of a violation (default SCENARIO-DESIGN.replay here, and what that is already becomes FILE.old)"


def add_explore(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{SCENARIOS}\n\n{VERDICTS}"
    add = parser.add_argument
    add("scenarios", nargs="*", metavar="SCENARIO", help="of those below, or a file (default: all)")
    add("--design", default="per-vm", metavar="NAME", help="of the event table (default per-vm)")
    add("--nmi", default="trylock", metavar="NAME", help="what an NMI does that finds the lock taken (default trylock)")
    add("--sync", default="entry", metavar="NAME", help="when overflows reach guest memory (default entry)")
    add("--memory", default="sc", metavar="MODEL", help="tso: stores wait in buffers, as on x86 (default sc)")
    add("--races", action="store_true", help="see data races, too; takes some times as long")
    add("--seed", type=seed, metavar="N", help="of the sampled schedules (default: a fresh one, which is printed)")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "--schedules", type=positive, metavar="N", help="sample N of each scenario: ends the same each time"
    )
    amount.add_argument("--duration", type=duration, metavar="TIME", help="sample for so long in all (default 10s)")
    amount.add_argument(
        "--exhaustive", type=preemptions, metavar="PB", help="only all schedules with at most PB preemptions"
    )
    add("--shrink", type=duration, default=1.0, metavar="TIME", help="how long to make a case smaller (default 1s)")
    add("--canaries", action="store_true", help="only find, shrink and replay each planted defect: a table")
    add("-v", "--verbose", action="store_true", help="a line for each canary, and for what met in one order alone")
    add("-o", "--output", metavar="FILE", help=REPLAY_FILE)
    add("-j", "--json", action="store_true", help="print a JSON document")


def add_replay(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "exit status: 1 the violation is there again; 0 nothing is violated any more; 2 usage; 7 it went another way."
    )
    parser.add_argument("file", metavar="FILE", help="what pvperf explore wrote")
    parser.add_argument("--times", type=positive, default=1, metavar="N", help="replay it N times and compare")
    parser.add_argument("-j", "--json", action="store_true", help="print a JSON document")
