# SPDX-License-Identifier: GPL-2.0-only
"""A kernel panic, as the console shows it (kernel/panic.c): a reset follows, or the machine stands still for ever."""

from __future__ import annotations

import re

# Behind the time, and who printed it, if the kernel says so.
_PANIC = re.compile(rb"(?:^|\n)(?:\[[ \d.]+\] ?|\[ *[TC]\d+\] ?)*Kernel panic - not syncing: ([^\r\n]*)[\r\n]")
_LINES_BEFORE, _LINES = 8, 40


class PanicWatch:
    """Reads a console as it is written."""

    def __init__(self) -> None:
        self._line = b""
        self.seen = False

    def look(self, data: bytes) -> bool:
        """More of it. True when the panic has just been said."""
        if self.seen:
            return False
        text = self._line + data
        self.seen = _PANIC.search(text) is not None
        self._line = b"\n" + text.rpartition(b"\n")[2][-512:]
        return self.seen


def panic_of(console: bytes) -> tuple[str, str]:
    """The reason, and the lines around it; empty if there is none. The last one counts."""
    found = None
    for found in _PANIC.finditer(console):  # noqa: B007
        pass
    if not found:
        return "", ""
    before = console[: found.start()].decode(errors="replace").splitlines()[-_LINES_BEFORE:]
    rest = console[found.start() :].decode(errors="replace").strip("\r\n").splitlines()
    return found[1].decode(errors="replace").strip(), "\n".join([*before, *rest][:_LINES])
