# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf help`: what a command's --help prints."""

from __future__ import annotations

import argparse

from emulator.cli.manual.topic import find_topic


def main(arguments: argparse.Namespace) -> int:
    """Prints it. UsageError for what is no command."""
    find_topic(arguments.topic).print_help()
    return 0
