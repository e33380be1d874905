# SPDX-License-Identifier: GPL-2.0-only
"""The options of `record`, and of what reads its files."""

from __future__ import annotations

import argparse

from emulator.cli.options.machine import add_machine
from emulator.cli.options.quantity import period, rate, size, whole

FORMATS = ("table", "folded", "speedscope", "perfetto")
_OF_FILES = "exit status: 1 what is in the file cannot be read; 2 usage; 125 the output cannot be written"


def add_record(parser: argparse.ArgumentParser) -> None:
    add_machine(parser)
    record = parser.add_argument_group("sampling")
    add = record.add_argument
    add(
        "-e",
        "--event",
        action="append",
        metavar="EVENT",
        help="EVENT[:uk][,EVENT...], repeatable (default instructions)",
    )
    how = record.add_mutually_exclusive_group()
    how.add_argument("-c", "--count", type=period, metavar="N", help="a sample every N (default 100000: exact)")
    how.add_argument("-F", "--freq", type=rate, metavar="HZ", help="adapt the period to HZ samples a second")
    add("-g", action="store_true", dest="call_graph", help="with call chains, by frame pointer")
    add("--max-stack", type=whole, metavar="N", help="return addresses in a call chain, 1 to 127 (default 64)")
    add("-o", "--output", default="perf.data", metavar="FILE", help="(default perf.data); an old one becomes FILE.old")
    add("--ring", type=size, metavar="SIZE", help="room for samples on each vCPU, in guest RAM (default: up to 1M)")
    add("--guest-mode", action="store_true", help="mark samples as a guest's: for perf kvm --guest report")


def add_report(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _OF_FILES
    add = parser.add_argument
    add("-i", "--input", default="perf.data", metavar="FILE", help="of record, or - for stdin (default perf.data)")
    add("--sort", default="symbol", metavar="KEY[,KEY...]", help="of symbol, dso, vcpu (default symbol)")
    add("-g", action="store_true", dest="call_graph", help="below each row, the call chains that led there")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("-j", "--json", action="store_true", help="print a JSON document")
    form.add_argument("--format", choices=FORMATS, default="table", metavar="NAME", help="one of " + ", ".join(FORMATS))
    add("-o", "--output", metavar="FILE", help="write to FILE, whole or not at all (default: stdout)")


def add_script(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _OF_FILES
    add = parser.add_argument
    add("-i", "--input", default="perf.data", metavar="FILE", help="of record, or - for stdin (default perf.data)")
