# SPDX-License-Identifier: GPL-2.0-only
"""The options of `record`, and of what reads its files."""

from __future__ import annotations

from emulator.cli.options.machine import add_first, add_rest
from emulator.terminal.parser import Parser
from emulator.terminal.quantity import period, rate, size, whole

FORMATS = ("table", "folded", "speedscope", "perfetto")
_STATUSES = [
    ("0", "it is printed"),
    ("1", "what is in the file cannot be read"),
    ("2", "usage"),
    ("125", "the output cannot be written"),
]


def add_record(parser: Parser) -> None:
    parser.examples = [
        ("pvperf record matmul", "a sample every 100,000 instructions, in perf.data"),
        ("pvperf record -g -F 1000 -e cycles matmul", "a thousand a second, with call chains"),
    ]
    add = parser.add_argument
    add(
        "-e",
        "--event",
        action="append",
        metavar="EVENT",
        help="EVENT[:uk][,EVENT...], repeatable (default instructions)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("-c", "--count", type=period, metavar="N", help="a sample every N (default 100000: exact)")
    how.add_argument("-F", "--freq", type=rate, metavar="HZ", help="adapt the period to HZ samples a second")
    add("-g", action="store_true", dest="call_graph", help="with call chains, by frame pointer")
    add("-o", "--output", default="perf.data", metavar="FILE", help="(default perf.data); an old one becomes FILE.old")
    add_first(parser)
    add = parser.add_argument_group("samples").add_argument
    add("--max-stack", type=whole, metavar="N", help="return addresses in a call chain, 1 to 127 (default 64)")
    add("--ring", type=size, metavar="SIZE", help="room for samples on each vCPU, in guest RAM (default: up to 1M)")
    add("--guest-mode", action="store_true", help="mark samples as a guest's: for perf kvm --guest report")
    add_rest(parser)


def add_report(parser: Parser) -> None:
    parser.examples = [
        ("pvperf report", "the symbols in perf.data"),
        ("pvperf report -g --sort vcpu,symbol", "on each vCPU, with who called them"),
        ("pvperf report --format speedscope -o speedscope.json", "for speedscope.app"),
    ]
    parser.statuses = _STATUSES
    _add_input(parser)
    add = parser.add_argument
    add("-g", action="store_true", dest="call_graph", help="below each row, the call chains that led there")
    add("--sort", default="symbol", metavar="KEY[,KEY...]", help="of symbol, srcline, dso, vcpu (default symbol)")
    output = parser.add_argument_group("what is printed")
    form = output.add_mutually_exclusive_group()
    form.add_argument("-j", "--json", action="store_true", help="print a JSON document")
    form.add_argument("--format", choices=FORMATS, default="table", metavar="NAME", help="one of " + ", ".join(FORMATS))
    output.add_argument("-o", "--output", metavar="FILE", help="write to FILE, whole or not at all (default: stdout)")


def add_script(parser: Parser) -> None:
    parser.examples = [("pvperf script", "the samples in perf.data")]
    parser.statuses = _STATUSES
    _add_input(parser)


def _add_input(parser: Parser) -> None:
    parser.add_argument(
        "-i", "--input", default="perf.data", metavar="FILE", help="of record, or - for stdin (default perf.data)"
    )
