# SPDX-License-Identifier: GPL-2.0-only
"""A file that is readable at any moment while it grows, such as a recording."""

from __future__ import annotations

import os

from emulator.files.command_files import Files, uninterrupted
from emulator.files.draft import Draft
from emulator.files.errors import cannot_open, cannot_write
from emulator.files.output import set_aside


class Growing:
    """Its owner writes to `fd`, so that it is sound whenever place() is called, and from then on. What is no regular
    file is in its place from the beginning. Use close() at the end, whatever happened."""

    def __init__(self, files: Files, name: str, *, mode: int = 0o666, regular: bool = False) -> None:
        """PvperfError if it cannot be written. What is there stays there until place()."""
        self.name = name
        self._target = files.writes(name, regular=regular, keep_old=True)
        self._draft: Draft | None = None
        try:
            if self._target.path:
                self._draft = Draft(self._target.path, mode=mode)
                self.fd = self._draft.fd
            elif self._target.fd is not None:
                self.fd = os.dup(self._target.fd)
            else:
                self.fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC)
        except OSError as error:
            raise cannot_open(name, error) from None
        self.placed = self._draft is None

    def place(self) -> None:
        """Gives it its name, once; what had it before becomes NAME.old. HostError."""
        if self.placed or not self._draft:
            return
        try:
            with uninterrupted():
                set_aside(self._target)
                self._draft.publish()
                self.placed = True
        except OSError as error:
            raise cannot_write(self.name, error) from None

    def close(self) -> None:
        """The end. What was not placed is gone, and what was at its name is as it was."""
        if self._draft:
            self._draft.close()
        else:
            os.close(self.fd)
