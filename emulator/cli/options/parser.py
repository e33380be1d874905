# SPDX-License-Identifier: GPL-2.0-only
"""An argparse that complains in one sentence, and prints helps as wide as the terminal."""

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
    """Complains in one sentence, and says what may have been meant."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")

    def _print_message(self, message: str, file: Any = None) -> None:
        """What cannot be printed is not passed over, as argparse does it."""
        if message:
            (file or sys.stdout).write(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"there is no '{value}'{_suggestion(value, action.choices)}")


def _suggestion(word: str, choices: Iterable[str]) -> str:
    from difflib import get_close_matches

    names = list(choices)
    close = get_close_matches(word, names, n=2)
    return f"; did you mean {' or '.join(close)}?" if close else f"; there are {', '.join(names)}"


class Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse would ask shutil, whose import takes longer than the help itself."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


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
