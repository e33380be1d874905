# SPDX-License-Identifier: GPL-2.0-only
"""The options of commands that explain the others."""

from __future__ import annotations

from emulator.terminal.parser import Parser

#: What shtab writes scripts for, of those that a Linux has.
SHELLS = ("bash", "zsh", "fish", "tcsh")


def add_completion(parser: Parser) -> None:
    parser.examples = [
        ('eval "$(pvperf completion bash)"', "in ~/.bashrc; likewise with zsh behind its compinit"),
        ("pvperf completion fish > pvperf.fish", "which goes to ~/.config/fish/completions"),
    ]
    parser.statuses = [("0", "printed"), ("2", "usage"), ("126", "the Python package shtab is not there")]
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}")


def add_man(parser: Parser) -> None:
    parser.examples = [
        ("pvperf man stat | man -l -", "the page of stat"),
        ("pvperf man > pvperf.1", "that of pvperf itself"),
    ]
    _add_topic(parser)


def add_help(parser: Parser) -> None:
    parser.examples = [
        ("pvperf help", "the commands"),
        ("pvperf help guests build", "a command of a command"),
    ]
    _add_topic(parser)


def _add_topic(parser: Parser) -> None:
    parser.usage = "%(prog)s [OPTION...] [COMMAND [SUBCOMMAND]]"
    parser.add_argument("topic", nargs="*", metavar="COMMAND", help="and the command below it (default: pvperf)")
