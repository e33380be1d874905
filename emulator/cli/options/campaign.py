# SPDX-License-Identifier: GPL-2.0-only
"""The options of `campaign`."""

from __future__ import annotations

import argparse

from emulator.cli.options.quantity import duration, names, positive, whole


def add_campaign(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "exit status: 0 all held; 1 violations, whose replay files are in JOURNAL.replays; 2 usage, or a journal that\n"
        "is damaged, was edited, or is another program's or version's; 7 it proves nothing, or not yet; 125 the\n"
        "journal cannot be written any more. JOURNAL alone goes on where it ended; more seeds, designs or\n"
        "scenarios extend it."
    )
    add = parser.add_argument
    add("journal", metavar="JOURNAL", help="the SQLite file that keeps what is done")
    add(
        "scenarios",
        nargs="*",
        default=[],
        metavar="SCENARIO",
        help="close-enable, migrate, churn, ..., or a file (default: all)",
    )
    add("--design", type=names, dest="designs", metavar="NAME,...", help="(default per-vm,per-vcpu)")
    add("--nmi", type=names, dest="nmis", metavar="NAME,...", help="(default trylock,deferred,lockless)")
    add("--sync", type=names, dest="syncs", metavar="NAME,...", help="entry, every-exit (default entry)")
    add("--races", action="store_true", default=None, help="see data races, too; takes some times as long")
    add("--seed", type=whole, metavar="N", help="the first (default: a fresh one, which is printed)")
    add("--seeds", type=whole, metavar="N", help="on each machine in each scenario (default 100)")
    add("--schedules", type=positive, metavar="N", help="of each seed, 10000 at most (default 10000)")
    add("--twice", action="store_true", default=None, help="run each seed twice, and compare every trace and end state")
    add(
        "--stress",
        type=whole,
        metavar="N",
        help="boot N whole VMs here, too, for each machine and scenario (default 0)",
    )
    add("--smp", type=whole, metavar="N", help="vCPUs of each of these (default 4)")
    add("--duration", type=duration, metavar="TIME", help="end after so long, to go on another time (default: never)")
    add("--report", action="store_true", help="only say what is in JOURNAL")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--workers", type=positive, metavar="N", help="processes (default: one for each core)")
    who.add_argument("--dask", metavar="ADDRESS", help="the workers of the Dask scheduler at tcp://HOST:PORT")
    add("-j", "--json", action="store_true", help="print a JSON object a line")
