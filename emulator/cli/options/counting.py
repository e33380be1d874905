# SPDX-License-Identifier: GPL-2.0-only
"""The options of `run` and `stat`."""

from __future__ import annotations

import argparse

from emulator.cli.options.machine import add_machine
from emulator.cli.options.quantity import positive


def add_run(parser: argparse.ArgumentParser) -> None:
    add_machine(parser)


def add_stat(parser: argparse.ArgumentParser) -> None:
    add_machine(parser)
    stat = parser.add_argument_group("counting")
    add = stat.add_argument
    add("-e", "--event", action="append", metavar="EVENT", help="EVENT[:uk][,EVENT...], repeatable; see pvperf events")
    add("-A", "--no-aggr", action="store_true", dest="per_vcpu", help="a count for each vCPU")
    add("-d", "--detailed", action="count", default=0, help="also the events of the cache models")
    add("-r", "--repeat", type=positive, default=1, metavar="N", help="boot N times, print mean and spread")
    form = stat.add_mutually_exclusive_group()
    form.add_argument("-j", "--json", action="store_true", help="a JSON object per count and line")
    form.add_argument("-x", "--field-separator", metavar="SEP", help="fields as perf stat -x has them")
    add("-o", "--output", metavar="FILE", help="write the counts to FILE, whole or not at all; - is stdout")
    add("--append", action="store_true", help="add to the file of -o")
