# SPDX-License-Identifier: GPL-2.0-only
"""The file of a guest, of whatever kind: for who has to know it before it is booted."""

from __future__ import annotations

import os

from emulator.guest.elf import GuestFile, read_guest
from emulator.guest.linux.kernel import read_linux


def read_guest_file(path: str | os.PathLike[str], *, name: str, ram_bytes: int) -> tuple[GuestFile, bool]:
    """The guest in that file, and whether it is Linux; `name` is for messages. UsageError if it cannot be booted."""
    if linux := read_linux(path, name=name):
        return linux, True
    return read_guest(path, name=name, ram_bytes=ram_bytes), False
