# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf man`: prints a manual page, as the installation has them in share/man."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from emulator.cli.manual.roff import page, page_name
from emulator.cli.manual.topic import find_topic
from emulator.cli.options.commands import COMMANDS, below, build
from emulator.terminal.parser import Parser


def main(arguments: argparse.Namespace) -> int:
    """Prints it. UsageError for what is no command."""
    sys.stdout.write(page(find_topic(arguments.topic)))
    return 0


def write_pages(directory: Path) -> list[str]:
    """Every page that there is, as files of the names that man(1) looks for."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for parser in _all(build(COMMANDS)):
        path = directory / f"{page_name(parser)}.1"
        path.write_text(page(parser))
        written.append(str(path))
    return written


def _all(parser: Parser) -> list[Parser]:
    return [parser, *(each for command in below(parser).values() for each in _all(command))]
