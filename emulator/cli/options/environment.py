# SPDX-License-Identifier: GPL-2.0-only
"""The options of commands that look at what there is."""

from __future__ import annotations

import argparse

from emulator.cli.options.parser import Formatter


def add_events(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print a JSON document")


def add_guests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print the list as a JSON document")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="the bundled guests, as without an action", allow_abbrev=False)
    listing.add_argument("-j", "--json", action="store_true", default=argparse.SUPPRESS, help="as a JSON document")
    build = actions.add_parser(
        "build",
        help="compile a program against the guest runtime",
        description="Compile C and assembly files against the guest runtime (native/guest/runtime/guest.h) into an "
        "ELF file that pvperf run boots. Its guest_main() is called on vCPU 0.",
        epilog="exit status: 0 built; 2 it does not compile, or usage; 125 FILE cannot be written; 126 no C compiler",
        allow_abbrev=False,
        formatter_class=Formatter,
    )
    build.add_argument("sources", nargs="+", metavar="SOURCE", help="C or assembly files")
    build.add_argument("-o", "--output", required=True, metavar="FILE", help="the ELF file to write")
    build.add_argument("--cc", metavar="COMMAND", help="the compiler (default: $CC, cc, gcc or clang)")


def add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-j", "--json", action="store_true", help="print a JSON document")
