# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf report`: where a recording's samples fell, as a table or in other programs' formats."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from itertools import chain

from emulator.errors import UsageError
from emulator.files import Files
from emulator.recording.perfdata import reader
from emulator.recording.perfdata.reader import PerfData
from emulator.recording.profile import table
from emulator.recording.profile.remarks import remarks
from emulator.recording.profile.symbolize import Symbolizer
from emulator.terminal.printable import printable


def main(arguments: argparse.Namespace) -> int:
    """Returns 0."""
    keys = table.parse_keys(arguments.sort)
    binary = arguments.format == "perfetto"
    if binary and arguments.output is None and sys.stdout.isatty():
        raise UsageError("a Perfetto trace is not for a terminal: name a file with -o")
    data = reader.read(arguments.input)
    symbolizer = Symbolizer(data)
    with Files() as files:
        code = {mapping.path for mapping in chain.from_iterable(data.mappings.values())}
        files.reads(arguments.input, *code, *(build.path for build in data.build_ids))
        output = files.output(arguments.output or "-")
        output.write(_render(arguments, data, symbolizer, keys))
    if arguments.format != "table":
        warn(remarks(data))
    warn(symbolizer.warnings)
    return 0


def warn(sentences: Iterable[str]) -> None:
    """To stderr, a line each."""
    for sentence in sentences:
        print(f"pvperf: {printable(sentence)}", file=sys.stderr)


def _render(
    arguments: argparse.Namespace, data: PerfData, symbolizer: Symbolizer, keys: tuple[str, ...]
) -> str | bytes:
    if arguments.format == "folded":
        from emulator.recording.export.folded import folded

        return folded(data, symbolizer)
    if arguments.format == "speedscope":
        from emulator.recording.export.speedscope import speedscope

        return json.dumps(speedscope(data, symbolizer)) + "\n"
    if arguments.format == "perfetto":
        from emulator.recording.export.vcpu_tracks import vcpu_tracks

        return vcpu_tracks(data, symbolizer)
    made = table.tables(data, symbolizer, keys)
    if arguments.json:
        return json.dumps(table.as_json(data, made, chains=arguments.call_graph), indent=1) + "\n"
    return table.text(data, made, chains=arguments.call_graph)
