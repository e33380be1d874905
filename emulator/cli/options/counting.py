# SPDX-License-Identifier: GPL-2.0-only
"""The options of `run` and `stat`."""

from __future__ import annotations

from emulator.cli.options.machine import add_first, add_rest
from emulator.terminal.parser import Parser
from emulator.terminal.quantity import positive


def add_run(parser: Parser) -> None:
    parser.examples = [
        ("pvperf run hello -- lines=2", "a bundled guest, with a command line"),
        ("pvperf run --smp 2 --timeout 60s pingpong", "two vCPUs, a minute at most"),
        ("pvperf run --fault trylock=10% sampler", "every tenth NMI finds the lock taken"),
    ]
    add_first(parser)
    add_rest(parser)


def add_stat(parser: Parser) -> None:
    parser.examples = [
        ("pvperf stat matmul", "the default events, on all vCPUs"),
        ("pvperf stat -e instructions:u,instructions:k,cycles user", "user and kernel code apart"),
        ("pvperf stat --counters 2 -e '{instructions,cycles},branches' matmul", "what takes turns, together"),
        ("pvperf stat -I 100 --summary matmul", "what each 100 ms counted, and the whole run"),
        ("pvperf stat -r 5 -j branchy", "five boots, mean and spread, for a program"),
    ]
    add = parser.add_argument
    which = "EVENT[:uk] or {EVENT,...}[:uk], more behind commas, repeatable; see pvperf events"
    add("-e", "--event", action="append", metavar="EVENT", help=which)
    add("-A", "--no-aggr", action="store_true", dest="per_vcpu", help="a count for each vCPU")
    add("-d", "--detailed", action="count", default=0, help="also those of the caches; -dd, -ddd: as perf")
    add("-I", "--interval-print", type=positive, dest="interval", metavar="MS", help="print what each MS ms counted")
    add("--summary", action="store_true", help="with -I: the whole run's counts behind the intervals")
    add("-r", "--repeat", type=positive, default=1, metavar="N", help="boot N times, print mean and spread")
    add_first(parser)
    output = parser.add_argument_group("what is printed")
    form = output.add_mutually_exclusive_group()
    form.add_argument("-j", "--json", action="store_true", help="a JSON object per count and line")
    form.add_argument("-x", "--field-separator", metavar="SEP", help="fields as perf stat -x has them")
    add = output.add_argument
    add("-o", "--output", metavar="FILE", help="write the counts to FILE, whole or not at all; - is stdout")
    add("--append", action="store_true", help="add to the file of -o")
    add_rest(parser, append=False)
