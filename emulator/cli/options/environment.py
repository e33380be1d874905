# SPDX-License-Identifier: GPL-2.0-only
"""The options of commands that look at what there is."""

from __future__ import annotations

import argparse

from emulator.terminal.parser import Parser


def add_events(parser: Parser) -> None:
    parser.examples = [("pvperf events", "what stat -e and record -e take")]
    parser.add_argument("-j", "--json", action="store_true", help="print a JSON document")


def add_guests(parser: Parser) -> None:
    parser.examples = [
        ("pvperf guests", "the bundled guests, and what each does"),
        ("pvperf guests build count.c -o count.elf", "one of your own"),
    ]
    parser.add_argument("-j", "--json", action="store_true", help="print the list as a JSON document")
    actions = parser.add_subparsers(dest="action", title="actions", metavar="ACTION")
    parser.usage = "%(prog)s [OPTION...] [ACTION ...]"
    what = "list the bundled guests, as without an action"
    listing = actions.add_parser("list", help=what, description=f"{what[0].upper()}{what[1:]}.")
    listing.examples = [("pvperf guests list -j", "for a program")]
    listing.add_argument("-j", "--json", action="store_true", default=argparse.SUPPRESS, help="as a JSON document")
    _add_build(
        actions.add_parser(
            "build",
            help="compile a program against the guest runtime",
            description="Compile C and assembly files against the guest runtime (native/guest/runtime/guest.h) into an "
            "ELF file that pvperf run boots. Its guest_main() is called on vCPU 0.",
        )
    )


def _add_build(build: Parser) -> None:
    build.examples = [
        ("pvperf guests build count.c -o count.elf", "which pvperf stat ./count.elf counts"),
        ('pvperf guests build count.c -o count.elf --cflags="-O3 -march=x86-64-v2"', "as a distribution may compile"),
    ]
    build.statuses = [
        ("0", "built"),
        ("2", "it does not compile, or usage"),
        ("125", "FILE cannot be written"),
        ("126", "no C compiler"),
    ]
    build.add_argument("sources", nargs="+", metavar="SOURCE", help="C or assembly files")
    build.add_argument("-o", "--output", required=True, metavar="FILE", help="the ELF file to write")
    build.add_argument("--cc", metavar="COMMAND", help="the compiler (default: $CC, cc, gcc or clang)")
    build.add_argument("--cflags", metavar="FLAGS", default="", help="further flags of the compiler, for SOURCE alone")


def add_doctor(parser: Parser) -> None:
    parser.examples = [("pvperf doctor", "a line for each check")]
    parser.statuses = [("0", "pvperf works here"), ("1", "something is missing that it needs"), ("2", "usage")]
    parser.add_argument("-j", "--json", action="store_true", help="print a JSON document")
