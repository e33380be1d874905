# SPDX-License-Identifier: GPL-2.0-only
"""The options of `linux`."""

from __future__ import annotations

from emulator.cli.options.machine import STATUSES, add_rest, add_usual
from emulator.terminal.parser import Parser


def add_linux(parser: Parser) -> None:
    parser.usage = "%(prog)s [OPTION...] [KERNEL] [-- COMMAND...]"
    parser.examples = [
        ("pvperf linux --fetch", "once: Debian's kernel, busybox and perf, from its packages"),
        ("pvperf linux", "a shell; ^A x ends the VM"),
        ("pvperf linux -- perf stat ls", "a command, whose status is that of the VM"),
        ("pvperf linux --add program -- ./program", "one of your own"),
        ("pvperf linux < script", "its lines are typed, and the shell ends with them"),
    ]
    parser.notes = {
        "on a terminal": "every key goes to the guest, Ctrl-C, too; ^A x ends the VM, ^A ^A sends ^A, ^A h is a help",
    }
    parser.statuses = STATUSES
    parser.add_argument(
        "guest", nargs="?", metavar="KERNEL", help="a bzImage or a vmlinux (default: the one that was fetched)"
    )
    add = parser.add_argument
    add(
        "--fetch", action="store_true", help="get kernel and programs by apt, or newer ones, into ~/.cache/pvperf/linux"
    )
    add("--small", action="store_true", help="without perf: what starts faster, and takes less memory")
    add("--add", action="append", default=[], metavar="FILE", help="a file or directory for /root; repeatable")
    add_usual(parser)
    add_rest(parser)
