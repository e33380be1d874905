# SPDX-License-Identifier: GPL-2.0-only
"""Kernels of a few bytes: a vmlinux that is linked as Linux's is, and a bzImage around it."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass

TEXT = 0xFFFF_FFFF_8100_0000  # where its code is linked
GPA = 0x100_0000  # and loaded
VERSION = b"Linux version 0.0 (made for a test)\0"


def vmlinux(
    code: bytes,
    *,
    entry: int = GPA,
    machine: int = 62,
    elf_class: int = 2,
    text: int = TEXT,
    gpa: int = GPA,
    memory_bytes: int = 0x2000,
    file_bytes: int | None = None,
    version: bytes = VERSION,
) -> bytes:
    """An ELF file with one segment, of `code` and its version."""
    body = code.ljust(64, b"\x90") + version
    ident = b"\x7fELF" + bytes([elf_class, 1, 1]) + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = len(body) if file_bytes is None else file_bytes
    return header + struct.pack("<IIQQQQQQ", 1, 5, 120, text, gpa, size, memory_bytes, 0x1000) + body


@dataclass(frozen=True)
class BzImage:
    """Every field of the setup header that is looked at can be made wrong."""

    payload: bytes
    sectors: int = 2
    protocol: int = 0x20F
    xloadflags: int = 1
    header_bytes: int = 0x6A
    payload_offset: int = 16
    payload_bytes: int | None = None
    paragraphs: int | None = None
    initrd_max: int = 0x7FFF_FFFF
    command_line: int = 255

    def image(self) -> bytes:
        setup = bytearray((self.sectors + 1) * 512)
        body = bytes(self.payload_offset) + self.payload
        body += bytes(-len(body) % 16)
        setup[0x1F1] = self.sectors
        paragraphs = len(body) // 16 if self.paragraphs is None else self.paragraphs
        struct.pack_into("<I", setup, 0x1F4, paragraphs)
        setup[0x1FE:0x200] = b"\x55\xaa"
        setup[0x200:0x202] = bytes([0xEB, self.header_bytes])
        setup[0x202:0x206] = b"HdrS"
        struct.pack_into("<H", setup, 0x206, self.protocol)
        struct.pack_into("<I", setup, 0x22C, self.initrd_max)
        struct.pack_into("<H", setup, 0x236, self.xloadflags)
        struct.pack_into("<I", setup, 0x238, self.command_line)
        length = len(self.payload) if self.payload_bytes is None else self.payload_bytes
        struct.pack_into("<II", setup, 0x248, self.payload_offset, length)
        return bytes(setup) + body


def bzimage(code: bytes) -> bytes:
    """One that runs `code`."""
    return BzImage(gzip.compress(vmlinux(code), mtime=0)).image()


def with_size(packed: bytes, unpacked: bytes) -> bytes:
    """As the kernel's build appends it, but to gzip."""
    return packed + struct.pack("<I", len(unpacked))
