# SPDX-License-Identifier: GPL-2.0-only
"""A line on a terminal that says how far a command is, as long as the terminal is wide, and gone when it is done."""

from __future__ import annotations

import os
import sys


def columns(stream: int, default: int) -> int:
    """How wide the terminal is that a file descriptor leads to; else what COLUMNS says; else `default`."""
    said = os.environ.get("COLUMNS", "")
    default = (int(said) if said.isdecimal() else 0) or default
    try:
        return os.get_terminal_size(stream).columns or default
    except OSError:
        return default


class ProgressLine:
    """On stderr, if that is a terminal. A context manager."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def __enter__(self) -> ProgressLine:
        return self

    def say(self, text: str) -> None:
        """This, in place of what is there: as much of it as there is room for."""
        if self.shown:
            print(f"\r\033[K{text[: columns(2, 80) - 1]}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leaves nothing of it."""
        self.say("")

    def __exit__(self, *_: object) -> None:
        self.end()
