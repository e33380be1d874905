# SPDX-License-Identifier: GPL-2.0-only
"""The options of `stress`."""

from __future__ import annotations

from emulator.cli.options.exploring import (
    SCENARIO_FILE,
    SCENARIOS,
    VERDICTS,
    add_policies,
    add_replay_file,
    add_scenarios,
)
from emulator.terminal.parser import Parser
from emulator.terminal.quantity import duration, positive, seed, whole


def add_stress(parser: Parser) -> None:
    parser.examples = [
        ("pvperf stress --duration 60s", "whole VMs, every scenario, for a minute"),
        ("pvperf stress --kill churn --ops 10", "and one process of each VM is killed"),
        ("pvperf stress --native churn --history 10000", "the core alone, judged as one long history"),
    ]
    parser.notes = {
        "scenarios": f"{SCENARIOS}; hostile is random calls and arguments. Some are for explore alone",
        "a file": SCENARIO_FILE,
    }
    parser.statuses = VERDICTS
    add_scenarios(parser)
    add = parser.add_argument
    add("--smp", type=whole, default=4, metavar="N", help="vCPUs, 1 to 64 (default 4); more than cores find more")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--duration", type=duration, metavar="TIME", help="in all (default 10s)")
    amount.add_argument(
        "--ops", type=positive, metavar="N", help="guest operations of each scenario; boots, with --kill"
    )
    add("--seed", type=seed, metavar="N", help="of programs, noise and faults (default: a fresh one, which is printed)")
    add_replay_file(parser)
    _add_ways(parser)
    _add_disturbance(parser)


def _add_ways(parser: Parser) -> None:
    add = parser.add_argument_group("what is stressed, and how it is judged").add_argument
    add("--native", action="store_true", help="the host core alone, a thread for each vCPU; no VM")
    add(
        "--history",
        type=positive,
        default=0,
        metavar="N",
        help="with --native: N operations and more that never come to rest, judged as one history (O8); and another "
        "one until all that is judged had a chance (without --duration: for a minute at most)",
    )
    add("--kill", action="store_true", help="kill a process of each VM at a random moment")
    add(
        "--matrix",
        action="store_true",
        help="a table: which design breaks in which scenario, and how fast that is found",
    )
    add("--search", type=duration, default=20.0, metavar="TIME", help="look so long for a case to replay (default 20s)")


def _add_disturbance(parser: Parser) -> None:
    group = parser.add_argument_group("the machine, and what disturbs it")
    add_policies(group)
    add = group.add_argument
    add("--hold-us", type=whole, default=0, metavar="N", help="a sync holds the lock N microseconds longer (default 0)")
    add(
        "--fault",
        default="",
        metavar="NAME=PERCENT%",
        help="inject faults: trylock, guest-write, alloc, delay; more behind commas (default: the seed draws them)",
    )
    add(
        "--noise",
        type=float,
        default=2.0,
        metavar="PERCENT",
        help="of a native thread's points where it loses time (default 2); 0: no faults are drawn either",
    )
    add("--mix", default="", metavar="OP=N,...", help="weights of churn's and hostile's operations")
