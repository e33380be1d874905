# SPDX-License-Identifier: GPL-2.0-only
"""From the words of a topic, such as `guests build`, to the parser that knows all about it."""

from __future__ import annotations

from emulator.cli.options.commands import COMMANDS, below, build
from emulator.errors import UsageError
from emulator.terminal.parser import Parser, suggestion


def find_topic(words: list[str]) -> Parser:
    """Of no words pvperf's own. UsageError for what is no command."""
    parser: Parser = build([word for word in words[:1] if word in COMMANDS])
    for word in words:
        commands = below(parser)
        if not commands:
            raise UsageError(f"{parser.prog} has no commands of its own, so that there is no '{parser.prog} {word}'")
        if word not in commands:
            raise UsageError(f"there is no '{parser.prog} {word}'{suggestion(word, commands)}")
        parser = commands[word]
    return parser
