# SPDX-License-Identifier: GPL-2.0-only
"""An argparse that complains in one sentence, and whose helps begin with examples and with what is wanted most."""

from __future__ import annotations

import argparse
import os
import sys

from emulator.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """What a help and a manual page say beside options is in attributes, for those who add options to set.

    examples: shell commands that work, each with what it does.
    notes: more to be said, by heading.
    statuses: exit statuses, each with its meaning.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": Formatter, **options})
        self.examples: list[tuple[str, str]] = []
        self.notes: dict[str, str] = {}
        self.statuses: list[tuple[str, str]] = []
        self._positionals.title = "arguments"

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")

    def format_help(self) -> str:
        formatter = Formatter(self.prog)
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        formatter.add_examples(self.examples)
        for group in self._action_groups:
            formatter.start_section(group.title)
            formatter.add_arguments(group._group_actions)
            formatter.end_section()
        for heading, text in self.notes.items():
            formatter.add_text(f"{heading}: {text}")
        if self.statuses:
            formatter.add_text("exit status: " + "; ".join(f"{status} {text}" for status, text in self.statuses))
        return formatter.format_help()

    def _print_message(self, message: str, file: Any = None) -> None:
        """What cannot be printed is not passed over, as argparse does it."""
        if message:
            (file or sys.stdout).write(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"there is no '{value}'{suggestion(value, action.choices)}")


def suggestion(word: str, choices: Iterable[str]) -> str:
    """What may have been meant by a word that is none of the choices."""
    from difflib import get_close_matches

    names = list(choices)
    close = get_close_matches(word, names, n=2)
    return f"; did you mean {' or '.join(close)}?" if close else f"; there are {', '.join(names)}"


class Formatter(argparse.HelpFormatter):
    """As wide as the terminal. argparse would ask shutil, whose import takes longer than the help itself."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=max(_columns() - 2, 20))

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:
        """Options are listed below: of them, a usage has only what must be given."""
        shown = [action for action in actions if action.required or not action.option_strings]
        if len(shown) < len(actions):
            shown.insert(0, argparse.Action([], dest="", nargs="?", metavar="OPTION..."))
        super().add_usage(usage, shown, [], prefix)

    def add_examples(self, examples: list[tuple[str, str]]) -> None:
        """Each on a line with what it does, if there is room for all of them; else that goes below."""
        longest = max((len(command) for command, _ in examples), default=0)
        beside = all(2 + longest + 3 + len(what) <= self._width for _, what in examples)
        lines = [
            f"  {command:<{longest}}   {what}" if beside else f"  {command}\n      {what}" for command, what in examples
        ]
        self._add_item("\n".join, [["examples:", *lines, "\n"]] if lines else [[]])

    def add_rows(self, heading: str, rows: Iterable[tuple[str, str]]) -> None:
        """A section of words and their meanings, laid out as options are."""
        self.start_section(heading)
        for words, meaning in rows:
            self.add_argument(argparse.Action([], dest="", metavar=words, help=meaning.replace("%", "%%")))
        self.end_section()

    def _split_lines(self, text: str, width: int) -> list[str]:
        """Names with hyphens stay whole, to be copied."""
        from textwrap import wrap

        return wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in self._split_lines(text, width - len(indent)))

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """-o, --output FILE: the value once, as Python 3.13 and later have it, too."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


def _columns() -> int:
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size().columns) or 80
    except (OSError, ValueError):
        return 80


class Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from emulator import __version__

        print(f"pvperf {__version__}")
        parser.exit()
