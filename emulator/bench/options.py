# SPDX-License-Identifier: GPL-2.0-only
"""The options of `pvperf bench`. Only argparse is loaded here: `--help` has to be fast."""

from __future__ import annotations

import argparse

from emulator.terminal.parser import Parser
from emulator.terminal.quantity import positive, whole

#: Name, and what it measures; `all` runs them in this order.
SUITES = {
    "hypercall": "a way out of the guest and back, for each operation, against peers",
    "handover": "overflow counters that change hands by exchange and addition",
    "sampling": "what sampling costs: guest speed, an overflow, recording",
    "nmi-miss": "how often the NMI path loses the trylock, what piles up meanwhile, and how late it arrives",
    "engine": "guest speed while counting, by what is counted, and against other emulators",
    "scale": "1 to 64 vCPUs: what they get done together, and fairness between them",
    "memory": "proportional set size of VMs, vCPUs and events",
    "boot": "starting a VM",
}
#: The default of --rounds, and with --quick.
ROUNDS, QUICK_ROUNDS = 10, 3
PAIRED_ROUNDS = 20

_STATUSES = [
    ("0", "measured"),
    ("1", "a law such as conservation was broken"),
    ("2", "usage"),
    ("7", "the figures cannot be trusted, or some are not there, since a run took too long or failed: stderr says why"),
    ("126", "the browser for --png, or the package that draws plots, is not there"),
    ("128+N", "signal N ended it, as a shell has it"),
]
_NOTES = {
    "an end by a signal": "what was measured until then is printed and written, as always",
    "--quick": "a look, not for quoting: status 0 says no more than that it was had",
}


def add_bench(parser: Parser) -> None:
    """Adds the suites, `all`, `compare` and `report`."""
    parser.examples = [
        ("pvperf bench nmi-miss --quick", "a look at one suite"),
        ("pvperf bench all --json now.json --html now.html", "everything, to keep: takes long"),
        ("pvperf bench compare before.json now.json", "did it get worse?"),
    ]
    actions = parser.add_subparsers(dest="suite", title="suites", metavar="SUITE", required=True)
    for name, what in {**SUITES, "all": "everything, side by side with peers"}.items():
        suite = actions.add_parser(name, help=what, description=f"Measure {what}.")
        suite.examples = [
            (f"pvperf bench {name} --quick", "a look"),
            (f"pvperf bench {name} --html {name}.html", "with plots"),
        ]
        suite.notes = _NOTES
        suite.statuses = _STATUSES
        _add_measuring(suite)
        _add_writing(suite)
        where = "every raw value; - or nothing: stdout"
        suite.add_argument("-j", "--json", nargs="?", const="-", metavar="FILE", help=where)
    _add_compare(actions.add_parser("compare", help="tell a change from noise"))
    report = actions.add_parser(
        "report", help="write reports of a result that was kept", description="Write reports of a result that was kept."
    )
    report.examples = [("pvperf bench report now.json --html now.html", "its page with plots")]
    report.add_argument("result", metavar="FILE", help="what --json FILE wrote")
    _add_writing(report)
    report.add_argument("--markdown", metavar="FILE", help="a page such as docs/performance.md")


def _add_measuring(parser: Parser) -> None:
    add = parser.add_argument
    add("--rounds", type=positive, metavar="N", help=f"measure N times (default {ROUNDS})")
    _add_only(parser)
    add("--warm-up", type=whole, default=1, metavar="N", help="rounds before, whose values are dropped (default 1)")
    add("--quick", action="store_true", help=f"less of everything, {QUICK_ROUNDS} rounds: a look in seconds")
    add("--seed", type=whole, default=1, metavar="N", help="of the bootstrap's random numbers (default 1)")


def _add_only(parser: Parser) -> None:
    parser.add_argument("--only", metavar="TEXT", help="measure only groups whose name has TEXT in it")


def _add_writing(parser: Parser) -> None:
    add = parser.add_argument
    add("--html", metavar="FILE", help="a page with plots, and the figures beside it as .csv; needs pvperf[report]")
    add("--csv", metavar="FILE", help="medians, intervals and raw values")
    add("--png", metavar="FILE", help="a picture of the page; needs chromium, too")


def _add_compare(parser: Parser) -> None:
    parser.description = (
        "Tell whether NEW is worse or better than OLD, beyond noise. With two results, a figure has changed only if "
        "both it and its ratio to its reference of the same rounds have. With --run OLD and NEW are commands, such as "
        "two builds' pvperf, that take turns: on a machine that drifts, only that is a fair comparison."
    )
    parser.examples = [
        ("pvperf bench compare before.json now.json", "two results that were kept"),
        ("pvperf bench compare --run --suite boot --quick old/bin/pvperf new/bin/pvperf", "two builds, in turn"),
    ]
    parser.statuses = [("0", "nothing got worse"), ("1", "something did"), ("2", "usage")]
    add = parser.add_argument
    add("old", metavar="OLD", help="a result of --json; with --run, a command")
    add("new", metavar="NEW", help="the same")
    add("--run", action="store_true", help="run both commands in turn, and compare round by round")
    add("--suite", action="append", choices=SUITES, dest="suites", help="with --run: what to run (default hypercall)")
    _add_only(parser)
    add("--rounds", type=positive, default=PAIRED_ROUNDS, metavar="N", help=f"with --run (default {PAIRED_ROUNDS})")
    add("--quick", action="store_true", help="with --run: less in every round")
    add("--min-effect", type=_percent, default=0.02, metavar="PERCENT", help="smaller changes do not count (default 2)")
    add("--seed", type=whole, default=1, metavar="N", help="of the bootstrap's random numbers (default 1)")
    add("-j", "--json", nargs="?", const="-", metavar="FILE", help="the comparison; - or nothing: stdout")


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"'{text}' is not a percentage")
    return value / 100
