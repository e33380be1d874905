# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf script`: a recording, a line for each sample."""

from __future__ import annotations

import argparse
import os
import sys

from emulator.cli.report_command import warn
from emulator.recording.perfdata import reader
from emulator.recording.profile.lines import lines
from emulator.recording.profile.remarks import remarks
from emulator.recording.profile.symbolize import Symbolizer


def main(arguments: argparse.Namespace) -> int:
    """Returns 0."""
    data = reader.read(arguments.input)
    symbolizer = Symbolizer(data)
    for line in lines(data, symbolizer):
        sys.stdout.buffer.write(os.fsencode(line) + b"\n")
    warn([*remarks(data), *symbolizer.warnings])
    return 0
