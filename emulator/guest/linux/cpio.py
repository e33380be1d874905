# SPDX-License-Identifier: GPL-2.0-only
"""cpio archives in the "newc" format, of which Linux makes its first file system (usr/gen_init_cpio.c).

Writing is deterministic: no times, no owners, files numbered as they come.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from typing import NamedTuple

_MAGIC, _MAGIC_CRC = b"070701", b"070702"
_HEADER_BYTES = 110  # the magic, and 13 numbers of 8 hexadecimal digits
_TRAILER = "TRAILER!!!"
_SIZE, _NAME_SIZE = slice(54, 62), slice(94, 102)


class Entry(NamedTuple):
    """A file, or whatever `mode` says, with its `content`: a link's is its target. Of a device, its number."""

    name: str  # without a slash in front
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(name: str) -> Entry:
    """A directory."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, content: bytes, mode: int = 0o644) -> Entry:
    """A regular file."""
    return Entry(name, stat.S_IFREG | mode, content)


def link(name: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def archive(entries: Iterable[Entry]) -> bytes:
    """The whole archive, with directories that nobody named in front of what lies in them."""
    parts: list[bytes] = []
    known: set[str] = set()
    number = 0
    for entry in entries:
        folders = entry.name.split("/")[:-1]
        for depth in range(1, len(folders) + 1):
            if (name := "/".join(folders[:depth])) not in known:
                known.add(name)
                number += 1
                parts.append(_pack(directory(name), number))
        if entry.name not in known:
            known.add(entry.name)
            number += 1
            parts.append(_pack(entry, number))
    parts.append(_pack(Entry(_TRAILER, 0), 0))
    return b"".join(parts)


def _pack(entry: Entry, number: int) -> bytes:
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    numbers = (number, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, *entry.device, len(name), 0)
    header = _MAGIC + b"".join(b"%08x" % value for value in numbers) + name
    return _padded(header) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def is_archive(data: bytes) -> bool:
    """Does it begin as one?"""
    return data[:6] in (_MAGIC, _MAGIC_CRC)


def is_whole(data: memoryview) -> bool:
    """Does the first archive in `data` end with its trailer?"""
    at = 0
    while at + _HEADER_BYTES <= len(data) and is_archive(bytes(data[at : at + 6])):
        header = bytes(data[at : at + _HEADER_BYTES])
        try:
            size, name_size = int(header[_SIZE], 16), int(header[_NAME_SIZE], 16)
        except ValueError:
            return False
        name = at + _HEADER_BYTES
        if bytes(data[name : name + name_size]) == _TRAILER.encode() + b"\0":
            return True
        at = (name + name_size + 3 & -4) + (size + 3 & -4)
    return False
