# SPDX-License-Identifier: GPL-2.0-only
"""A small file, read or written in one go."""

from __future__ import annotations

import os
import stat

from emulator.errors import UsageError
from emulator.files.command_files import Files


def write_whole(name: str | os.PathLike[str], data: str | bytes, *, keep_old: bool = False) -> None:
    """Makes or replaces a file, which with `keep_old` becomes `name`.old. PvperfError, and then it is as it was."""
    with Files() as files:
        files.output(os.fspath(name), regular=True, keep_old=keep_old).write(data)


def read_whole(name: str | os.PathLike[str]) -> bytes:
    """All of a file or pipe. UsageError if it cannot be read, or has no end."""
    try:
        with open(name, "rb") as file:
            if stat.S_ISCHR(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"cannot read {os.fspath(name)}: it is a device")
            return file.read()
    except OSError as error:
        raise UsageError(f"cannot read {os.fspath(name)}: {error.strerror}") from None
