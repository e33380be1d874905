# SPDX-License-Identifier: GPL-2.0-only
"""How wide a terminal is."""

from __future__ import annotations

import os


def columns(stream: int, default: int) -> int:
    """How wide the terminal is that a file descriptor leads to; else what COLUMNS says; else `default`."""
    said = os.environ.get("COLUMNS", "")
    default = (int(said) if said.isdecimal() else 0) or default
    try:
        return os.get_terminal_size(stream).columns or default
    except OSError:
        return default
