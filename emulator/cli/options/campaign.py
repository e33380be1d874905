# SPDX-License-Identifier: GPL-2.0-only
"""The options of `campaign`."""

from __future__ import annotations

from emulator.terminal.parser import Parser
from emulator.terminal.quantity import duration, names, positive, whole


def add_campaign(parser: Parser) -> None:
    parser.usage = "%(prog)s [OPTION...] JOURNAL [SCENARIO...]"
    parser.examples = [
        ("pvperf campaign night.journal --duration 8h", "until morning, on all cores"),
        ("pvperf campaign night.journal --report", "what was found until now"),
        ("pvperf campaign night.journal --duration 8h", "again: it goes on where it ended"),
    ]
    parser.notes = {"a journal": "alone goes on where it ended; more seeds, designs or scenarios extend it."}
    parser.statuses = [
        ("0", "all held"),
        ("1", "violations, whose replay files are in JOURNAL.replays"),
        ("2", "usage, or a journal that is damaged, was edited, or is another program's or version's"),
        ("7", "it proves nothing, or not yet"),
        ("125", "the journal cannot be written any more"),
    ]
    add = parser.add_argument
    add("journal", metavar="JOURNAL", help="the SQLite file that keeps what is done")
    add(
        "scenarios",
        nargs="*",
        default=[],
        metavar="SCENARIO",
        help="close-enable, migrate, churn, ..., or a file (default: all)",
    )
    add("--duration", type=duration, metavar="TIME", help="end after so long, to go on another time (default: never)")
    add("--report", action="store_true", help="only say what is in JOURNAL")
    add("--seeds", type=whole, metavar="N", help="on each machine in each scenario (default 100)")
    _add_work(parser)
    _add_machines(parser)
    group = parser.add_argument_group("who works, and what is printed")
    who = group.add_mutually_exclusive_group()
    who.add_argument("--workers", type=positive, metavar="N", help="processes (default: one for each core)")
    who.add_argument("--dask", metavar="ADDRESS", help="the workers of the Dask scheduler at tcp://HOST:PORT")
    group.add_argument("-j", "--json", action="store_true", help="print a JSON object a line")


def _add_work(parser: Parser) -> None:
    add = parser.add_argument_group("how much").add_argument
    add("--seed", type=whole, metavar="N", help="the first (default: a fresh one, which is printed)")
    add("--schedules", type=positive, metavar="N", help="of each seed, 10000 at most (default 10000)")
    add("--twice", action="store_true", default=None, help="run each seed twice, and compare every trace and end state")
    add("--races", action="store_true", default=None, help="see data races, too; takes some times as long")
    add(
        "--stress",
        type=whole,
        metavar="N",
        help="boot N whole VMs here, too, for each machine and scenario (default 0)",
    )
    add("--smp", type=whole, metavar="N", help="vCPUs of each of these (default 4)")


def _add_machines(parser: Parser) -> None:
    add = parser.add_argument_group("on which machines").add_argument
    add("--design", type=names, dest="designs", metavar="NAME,...", help="(default per-vm,per-vcpu)")
    add("--nmi", type=names, dest="nmis", metavar="NAME,...", help="(default trylock,deferred,lockless)")
    add("--sync", type=names, dest="syncs", metavar="NAME,...", help="entry, every-exit (default entry)")
