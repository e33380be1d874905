# SPDX-License-Identifier: GPL-2.0-only
"""The options of `stress`."""

from __future__ import annotations

import argparse

from emulator.cli.options.exploring import REPLAY_FILE, SCENARIOS, VERDICTS
from emulator.cli.options.quantity import duration, positive, seed, whole


def add_stress(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{SCENARIOS}\nhostile: random calls and arguments. Some are for explore alone.\n\n{VERDICTS}"
    add = parser.add_argument
    add("scenarios", nargs="*", metavar="SCENARIO", help="of those below, or a file (default: all)")
    add("--design", default="per-vm", metavar="NAME", help="of the event table (default per-vm)")
    add("--nmi", default="trylock", metavar="NAME", help="what an NMI does that finds the lock taken (default trylock)")
    add("--sync", default="entry", metavar="NAME", help="when overflows reach guest memory (default entry)")
    add("--smp", type=whole, default=4, metavar="N", help="vCPUs, 1 to 64 (default 4); more than cores find more")
    add("--seed", type=seed, metavar="N", help="of programs, noise and faults (default: a fresh one, which is printed)")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--duration", type=duration, metavar="TIME", help="in all (default 10s)")
    amount.add_argument(
        "--ops", type=positive, metavar="N", help="guest operations of each scenario; boots, with --kill"
    )
    add("--mix", default="", metavar="OP=N,...", help="weights of churn's and hostile's operations")
    add(
        "--fault",
        default="",
        metavar="NAME=PERCENT%",
        help="inject faults: trylock, guest-write, alloc, delay; more behind commas (default: the seed draws them)",
    )
    add("--native", action="store_true", help="the host core alone, a thread for each vCPU; no VM")
    add(
        "--noise",
        type=float,
        default=2.0,
        metavar="PERCENT",
        help="of a native thread's points where it loses time (default 2); 0: no faults are drawn either",
    )
    add(
        "--history",
        type=positive,
        default=0,
        metavar="N",
        help="with --native: N operations and more that never come to rest, judged as one history (O8)",
    )
    add("--hold-us", type=whole, default=0, metavar="N", help="a sync holds the lock N microseconds longer (default 0)")
    add("--kill", action="store_true", help="kill a process of each VM at a random moment")
    add(
        "--matrix",
        action="store_true",
        help="a table: which design breaks in which scenario, and how fast that is found",
    )
    add("--search", type=duration, default=20.0, metavar="TIME", help="look so long for a case to replay (default 20s)")
    add("-o", "--output", metavar="FILE", help=REPLAY_FILE)
