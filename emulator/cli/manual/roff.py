# SPDX-License-Identifier: GPL-2.0-only
"""A manual page of a parser, in the macros of man(7), with the sections that man-pages(7) wants.

By hand: the library for it, argparse-manpage, has no sections for examples and exit statuses.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable

from emulator import __version__
from emulator.cli.options.commands import GROUPS, Root, below
from emulator.terminal.parser import Formatter, Parser

_ESCAPES = str.maketrans(
    {"\\": r"\(rs", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
)
#: What stands for a value, in a synopsis.
_VALUE = re.compile(r"\b[A-Z]{2,}\b")


def page(parser: Parser) -> str:
    """The whole page, to its last newline."""
    name, (about, *_) = page_name(parser), (parser.description or "").split(". ")
    lines = [
        f'.TH {_text(name.upper())} 1 "" "pvperf {__version__}" "pvperf"',
        *_section("NAME", f"{_text(name)} \\- {_text(about[:1].lower() + about[1:].rstrip('.'))}"),
        *_section("SYNOPSIS", *_synopsis(parser)),
        *_section("DESCRIPTION", _text(parser.description or "")),
        *_commands(parser),
        *_options(parser),
    ]
    for heading, text in parser.notes.items():
        lines += _section(_text(heading.upper()), _text(f"{text[0].upper()}{text[1:].rstrip('.')}."))
    if parser.statuses:
        lines += _section("EXIT STATUS", *_rows((_bold(status), meaning) for status, meaning in parser.statuses))
    if parser.examples:
        lines += _section("EXAMPLES", *_examples(parser.examples))
    return "\n".join([*lines, *_see_also(parser)]) + "\n"


def page_name(parser: argparse.ArgumentParser) -> str:
    """pvperf-guests-build, as with git and perf."""
    return parser.prog.replace(" ", "-")


def _text(text: str) -> str:
    """As it is: nothing in it is roff's."""
    escaped = text.translate(_ESCAPES)
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


def _bold(text: str) -> str:
    return rf"\fB{_text(text)}\fR"


def _section(heading: str, *lines: str) -> list[str]:
    return [f".SH {heading}", *lines]


def _rows(rows: Iterable[tuple[str, str]]) -> list[str]:
    lines: list[str] = []
    for tag, meaning in rows:
        lines += [".TP", tag, _text(meaning)]
    return lines


def _synopsis(parser: Parser) -> list[str]:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    rest = _VALUE.sub(lambda found: rf"\fI{found[0]}\fR", _text(usage.removeprefix(parser.prog).strip()))
    return [f"{_bold(parser.prog)} {rest}"]


def _commands(parser: Parser) -> list[str]:
    """Of pvperf by use, as in its help; of others in their order."""
    commands = below(parser)
    if not commands:
        return []
    if not isinstance(parser, Root):
        return _section("COMMANDS", *_references(commands))
    lines = _section("COMMANDS")
    for use, names in GROUPS.items():
        lines += [f".SS {_text(use.capitalize())}", *_references({name: commands[name] for name in names})]
    return lines


def _references(commands: dict[str, Parser]) -> list[str]:
    return _rows((rf"{_bold(page_name(each))}(1)", each.description or "") for each in commands.values())


def _options(parser: Parser) -> list[str]:
    """Groups are subsections, but for arguments and options, which begin."""
    lines = _section("OPTIONS")
    formatter = Formatter(parser.prog)
    for group in parser._action_groups:
        actions = [each for each in group._group_actions if not isinstance(each, argparse._SubParsersAction)]
        if actions and group not in (parser._positionals, parser._optionals):
            lines.append(f".SS {_text((group.title or '').capitalize())}")
        for action in actions:
            lines += [".TP", _invocation(formatter, action), _text(formatter._expand_help(action))]
    return lines


def _invocation(formatter: Formatter, action: argparse.Action) -> str:
    names, _, value = formatter._format_action_invocation(action).rpartition(" ") if action.nargs != 0 else ("", "", "")
    if not action.option_strings:
        return rf"\fI{_text(str(action.metavar or action.dest))}\fR"
    bold = ", ".join(map(_bold, action.option_strings))
    return rf"{bold} \fI{_text(value)}\fR" if names else bold


def _examples(examples: list[tuple[str, str]]) -> list[str]:
    lines: list[str] = []
    for command, what in examples:
        lines += [".PP", f"{_text(what[0].upper() + what[1:])}:", ".PP", ".in +4n", ".EX", _text(command), ".EE", ".in"]
    return lines


def _see_also(parser: Parser) -> list[str]:
    if isinstance(parser, Root):
        return []
    parents = parser.prog.split()[:-1]
    names = ["-".join(parents[: length + 1]) for length in range(len(parents))]
    return _section("SEE ALSO", ",\n".join(rf"{_bold(name)}(1)" for name in names))
