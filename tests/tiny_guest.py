# SPDX-License-Identifier: GPL-2.0-only
"""Guests of a few bytes of machine code, and the ELF files around them: no compiler, no runtime."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

CODE_GPA = 0x10000

HALT = b"\xf4\xeb\xfd"  # hlt; jmp to it
SPIN = b"\xeb\xfe"  # jmp to itself
UNDEFINED = b"\x0f\x0b"  # ud2; without an IDT, a triple fault


def leave(status: int) -> bytes:
    """mov al, status; out 0xf4, al; then halt."""
    return bytes([0xB0, status, 0xE6, 0xF4]) + HALT


def say(text: bytes) -> bytes:
    """Writes `text` to the console, clobbering AL and DX."""
    return b"\x66\xba\xf8\x03" + b"".join(bytes([0xB0, byte, 0xEE]) for byte in text)


def count_down(turns: int) -> bytes:
    """mov ecx, turns; dec ecx; jnz back: 1 + 2 * turns instructions, `turns` branches."""
    return b"\xb9" + struct.pack("<I", turns) + b"\xff\xc9\x75\xfc"


# mov dx, 0x3f8; mov ecx, edx of the entry; outsb the boot information, ECX bytes of it.
SAY_BOOT_INFORMATION = b"\x89\xd1\x66\xba\xf8\x03\xac\xee\xe2\xfc"  # mov ecx,edx; mov dx; lodsb; out; loop

# mov rsi, [rsi + 24]; mov dx, 0x3f8; then lodsb, test, jz to the end, out, jmp back.
SAY_COMMAND_LINE = b"\x48\x8b\x76\x18\x66\xba\xf8\x03\xac\x84\xc0\x74\x03\xee\xeb\xf8"


@dataclass(frozen=True)
class Load:
    """A program header and the bytes behind it."""

    gpa: int = CODE_GPA
    data: bytes = leave(0)
    memory_bytes: int | None = None
    flags: int = 5
    kind: int = 1
    offset: int | None = None
    file_bytes: int | None = None


@dataclass(frozen=True)
class Elf:
    """An ELF file; every field of the header that the loader looks at can be made wrong."""

    loads: tuple[Load, ...] = (Load(),)
    entry: int = CODE_GPA
    elf_class: int = 2
    byte_order: int = 1
    ident_version: int = 1
    kind: int = 2
    machine: int = 62
    version: int = 1
    table: int = 64
    entry_bytes: int = 56
    entries: int | None = None
    extra: bytes = field(default=b"")

    def with_code(self, code: bytes) -> Elf:
        return replace(self, loads=(Load(data=code),))

    def image(self) -> bytes:
        number = len(self.loads) if self.entries is None else self.entries
        ident = b"\x7fELF" + bytes([self.elf_class, self.byte_order, self.ident_version]) + bytes(9)
        fields = (self.kind, self.machine, self.version, self.entry, self.table, 0, 0, 64, self.entry_bytes, number, 0)
        header = ident + struct.pack("<HHIQQQIHHHHHH", *fields, 0, 0)
        headers, bodies = b"", b""
        start = 64 + 56 * len(self.loads)
        for load in self.loads:
            offset = start + len(bodies) if load.offset is None else load.offset
            in_file = len(load.data) if load.file_bytes is None else load.file_bytes
            in_memory = len(load.data) if load.memory_bytes is None else load.memory_bytes
            headers += struct.pack(
                "<IIQQQQQQ", load.kind, load.flags, offset, load.gpa, load.gpa, in_file, in_memory, 1
            )
            bodies += load.data
        return header + headers + bodies + self.extra

    def write(self, path: Path) -> Path:
        path.write_bytes(self.image())
        return path


def guest(directory: Path, code: bytes, name: str = "guest.elf") -> Path:
    """The ELF file of a guest that runs `code`."""
    return Elf().with_code(code).write(directory / name)
