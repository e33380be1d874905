# SPDX-License-Identifier: GPL-2.0-only
"""What commands there are, and the parser that has the options of those that are wanted."""

from __future__ import annotations

import argparse
from importlib import import_module

from emulator.terminal.parser import Formatter, Parser, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_HERE = "emulator.cli.options"
#: By use, as `pvperf help` has them. Each with what it does, and the module whose function add_NAME adds its options.
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "launch and count": {
        "run": ("boot a guest", f"{_HERE}.counting"),
        "stat": ("boot a guest and count events while it runs", f"{_HERE}.counting"),
        "linux": ("boot Debian's kernel, with its perf, to a shell or for a command", f"{_HERE}.linux"),
    },
    "record and report": {
        "record": ("boot a guest and sample events while it runs", f"{_HERE}.recording"),
        "report": ("show where a recording's samples fell", f"{_HERE}.recording"),
        "script": ("print a recording, a line for each sample", f"{_HERE}.recording"),
    },
    "find races": {
        "explore": ("search the interleavings of the host core for violations", f"{_HERE}.exploring"),
        "replay": ("run a recorded interleaving again, and show it", f"{_HERE}.exploring"),
        "campaign": ("explore thousands of seeds on every design, and keep a journal", f"{_HERE}.campaign"),
        "stress": ("let whole VMs race, and compare every ledger", f"{_HERE}.stress"),
        "model": ("search all states of the core's protocol, as a model", f"{_HERE}.model"),
    },
    "measure": {
        "bench": ("measure what the emulator costs", "emulator.bench.options"),
    },
    "environment": {
        "events": ("list the events", f"{_HERE}.environment"),
        "guests": ("list the bundled guests, or build one of your own", f"{_HERE}.environment"),
        "doctor": ("check what this machine can do", f"{_HERE}.environment"),
        "completion": ("print what completes commands and options in a shell", f"{_HERE}.manual"),
        "man": ("print a manual page", f"{_HERE}.manual"),
        "help": ("explain a command", f"{_HERE}.manual"),
    },
}
COMMANDS = {name: command for commands in GROUPS.values() for name, command in commands.items()}


class Root(Parser):
    """`pvperf` itself, whose commands are many."""

    def format_help(self) -> str:
        formatter = Formatter(self.prog)
        formatter.add_usage("%(prog)s [OPTION...] COMMAND ...", [], [])
        formatter.add_text(self.description)
        formatter.add_examples(self.examples)
        for use, commands in GROUPS.items():
            formatter.add_rows(use, [(name, summary) for name, (summary, _) in commands.items()])
        formatter.start_section("options")
        formatter.add_arguments(self._optionals._group_actions)
        formatter.end_section()
        formatter.add_text("'pvperf help COMMAND' says more of a command, with examples.")
        return formatter.format_help()


def build(wanted: Collection[str]) -> Root:
    """The parser. Only these commands have their options, and only their modules are loaded."""
    parser = Root(
        prog="pvperf",
        description="Boots VMs whose guests count themselves through the paravirtual perf interface.",
    )
    parser.examples = [
        ("pvperf stat matmul", "count what a guest retires"),
        ("pvperf explore close-enable --design no-refcount", "find a race, and shrink it"),
    ]
    parser.add_argument("-V", "--version", action=Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name, (summary, where) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name in wanted:
            getattr(import_module(where), f"add_{name}")(command)
    return parser


def below(parser: argparse.ArgumentParser) -> dict[str, Parser]:
    """The commands of a command, by name; none if it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}
