# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel unpacks as its first file system: cpio archives, plain or packed, one behind the other."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence

from emulator.errors import PvperfError, Unsupported, UsageError, cannot
from emulator.guest.elf import open_guest
from emulator.guest.linux.cpio import is_archive, is_whole
from emulator.guest.linux.payload import packer, unpack

_LOOK_BYTES = 1 << 16
_ALIGNED = 4  # where each of several begins, counted from the first one


def open_initrd(path: str | os.PathLike[str]) -> int:
    """A file descriptor of it, which the caller closes. UsageError if it is none."""
    fd = open_guest(path, what="initrd")
    try:
        wrong = _what_is_wrong(fd)
    except OSError as error:
        os.close(fd)
        raise cannot(f"read initrd {os.fspath(path)!r}", error) from None
    if wrong:
        os.close(fd)
        raise UsageError(f"initrd {os.fspath(path)!r} {wrong}")
    return fd


def _what_is_wrong(fd: int) -> str:
    """Nothing, if it is one; else what the kernel would not say so clearly."""
    data = os.pread(fd, _LOOK_BYTES, 0)
    if not data:
        return "is empty"
    if is_archive(data):
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as whole, memoryview(whole) as view:
            return "" if is_whole(view) else "is truncated: its cpio archive has no end"
    name = packer(data)
    if not name:
        return "is no cpio archive in the newc format, plain or packed"
    try:
        begin = unpack(data, most=len(b"070701"))
    except Unsupported:
        return ""  # the kernel may well know how
    except PvperfError as error:
        return str(error)
    return "" if is_archive(begin) else f"is packed by {name}, and what is packed is no cpio archive"


def whole_size(fds: Sequence[int]) -> int:
    """What all of them take as one, bytes."""
    size = 0
    for fd in fds:
        size += -size % _ALIGNED + os.fstat(fd).st_size
    return size


def read_into(memory: memoryview, fds: Sequence[int]) -> None:
    """All of them as one, in this order, into whole_size() bytes: what a later one has replaces what an earlier one
    has. UsageError if one has been changed meanwhile.
    """
    at = 0
    for fd in fds:
        at += -at % _ALIGNED
        begin = at
        while done := os.preadv(fd, [memory[at:]], at - begin):
            at += done
    if at != len(memory):
        raise UsageError("an initrd was changed while it was loaded")
