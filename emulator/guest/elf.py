# SPDX-License-Identifier: GPL-2.0-only
"""Reads the headers of a guest's ELF file and refuses, in one sentence, what cannot be booted.

Only the ELF header and the program headers matter to the loader, so they are read with `struct`: that costs
nothing at start-up, and every length is checked here, against the file itself.
"""

from __future__ import annotations

import itertools
import os
import stat
import struct
from typing import NamedTuple

from emulator.errors import UsageError, cannot

# ELF-64, System V ABI chapter 4 and the AMD64 supplement.
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_ET_REL, _ET_EXEC, _ET_DYN = 1, 2, 3
_EM_X86_64 = 62
_PT_LOAD, _PT_INTERP, _PT_NOTE = 1, 3, 4
_PF_EXECUTE = 1

# A note: length of its name, of its body, type.
_NOTE = struct.Struct("<III")
_NT_GNU_ABI_TAG, _NT_GNU_BUILD_ID = 1, 3
_MOST_NOTE_BYTES = 1 << 16

#: What to do with a program that is somebody else's, and no guest yet.
_BUILD = "build its source with pvperf guests build"
_LINK = f"{_BUILD}, or link it with -static -no-pie"


class Segment(NamedTuple):
    """A piece of guest memory: `file_bytes` from `offset` of the file at `gpa`, zeros up to `memory_bytes`."""

    gpa: int
    offset: int
    file_bytes: int
    memory_bytes: int
    executable: bool

    @property
    def end(self) -> int:
        """The gpa behind its last byte."""
        return self.gpa + self.memory_bytes


class Image(NamedTuple):
    """What is loaded of a guest, segments in the order of their addresses."""

    entry: int
    segments: tuple[Segment, ...]

    @property
    def end(self) -> int:
        """The gpa behind the last segment."""
        return self.segments[-1].end


class GuestFile(NamedTuple):
    """What shall be booted: an absolute path, what is loaded of it, and its build id, empty if it has none."""

    path: str
    image: Image
    build_id: bytes


def read_guest(path: str | os.PathLike[str], *, name: str, ram_bytes: int) -> GuestFile:
    """The guest in that file; `name` is for messages. UsageError if it cannot be booted."""
    whole = os.path.abspath(path)
    fd = open_guest(whole)
    try:
        return GuestFile(whole, read_image(fd, name=name, ram_bytes=ram_bytes), read_build_id(fd))
    finally:
        os.close(fd)


def open_guest(path: str | os.PathLike[str], *, what: str = "guest") -> int:
    """A file descriptor of the guest, or of `what` it is, which the caller closes. UsageError if it cannot be read as a
    file.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise cannot(f"open {what} {os.fspath(path)!r}", error) from None
    except ValueError as error:
        raise UsageError(f"cannot open {what} {os.fspath(path)!r}: {error}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UsageError(f"{what} {os.fspath(path)!r} is not a regular file")
    return fd


def read_image(fd: int, *, name: str, ram_bytes: int) -> Image:
    """The bootable image in the file `fd`; `name` is for messages. UsageError says what is wrong with it."""
    try:
        return _read_image(fd, ram_bytes)
    except UsageError as error:
        raise UsageError(f"guest {name!r} {error}") from None
    except struct.error:
        raise UsageError(f"guest {name!r} changed while it was read") from None
    except OSError as error:
        raise cannot(f"read guest {name!r}", error) from None


def _read_image(fd: int, ram_bytes: int) -> Image:
    size = os.fstat(fd).st_size
    entry, table, entries = _check_header(os.pread(fd, _HEADER.size, 0), size)
    segments = []
    for number, header in enumerate(_PROGRAM_HEADER.iter_unpack(os.pread(fd, entries * _PROGRAM_HEADER.size, table))):
        kind, flags, offset, vaddr, _paddr, file_bytes, memory_bytes, _align = header
        if kind == _PT_INTERP:
            raise UsageError(f"is dynamically linked, as this system's own programs are: {_LINK}")
        if kind == _PT_NOTE and _find_note(fd, offset, file_bytes, _NT_GNU_ABI_TAG):
            raise UsageError(f"is a program for Linux, by its ABI note, and a guest has no system below it: {_BUILD}")
        if kind != _PT_LOAD or memory_bytes == 0:
            continue
        segment = Segment(vaddr, offset, file_bytes, memory_bytes, bool(flags & _PF_EXECUTE))
        _check_segment(segment, number, size, ram_bytes)
        segments.append(segment)
    segments.sort()
    _check_image(entry, segments)
    return Image(entry, tuple(segments))


def _check_header(data: bytes, size: int) -> tuple[int, int, int]:
    """(entry, offset of the program headers, their number) of an ELF header that is fit to boot."""
    if data[:4] != b"\x7fELF":
        raise UsageError(_what_else(data))
    if len(data) < _HEADER.size:
        raise UsageError("is truncated: its ELF header is incomplete")
    ident, kind, machine, version, entry, table, _, _, _, entry_bytes, entries, _, _, _ = _HEADER.unpack(data)
    if ident[4] != 2:
        raise UsageError("is not a 64-bit ELF file: build it for x86-64 (-m64)")
    if ident[5] != 1 or machine != _EM_X86_64:
        raise UsageError("is not built for x86-64")
    if ident[6] != 1 or version != 1:
        raise UsageError("has an unknown ELF version")
    if kind == _ET_DYN:
        raise UsageError(f"is position-independent or shared, as this system's own programs are: {_LINK}")
    if kind == _ET_REL:
        raise UsageError(f"is an object file, and no guest yet: {_LINK}")
    if kind != _ET_EXEC:
        raise UsageError(f"is not an executable (ELF type {kind})")
    if entries == 0:
        raise UsageError("has no program headers: nothing to load")
    if entry_bytes != _PROGRAM_HEADER.size:
        raise UsageError(f"has program headers of {entry_bytes} bytes instead of {_PROGRAM_HEADER.size}")
    if table + entries * entry_bytes > size:
        raise UsageError("is truncated: its program headers lie beyond the end of the file")
    return entry, table, entries


def _what_else(data: bytes) -> str:
    """What a file is that is no ELF file, by how it begins."""
    if data.startswith(b"#!"):
        return "is a script of this system, and a guest is machine code, with no system below it: see pvperf guests"
    if data.startswith(b"!<arch>\n"):
        return "is an archive of object files, and no guest yet: link them with -static -no-pie"
    return "is not an ELF file: pvperf guests build makes one of C or assembly"


def _check_segment(segment: Segment, number: int, size: int, ram_bytes: int) -> None:
    where = f"program header {number} (gpa {segment.gpa:#x}, {segment.memory_bytes:#x} bytes)"
    if segment.file_bytes > segment.memory_bytes:
        raise UsageError(f"is damaged: {where} has more bytes in the file than in memory")
    if segment.offset + segment.file_bytes > size:
        raise UsageError(f"is truncated: {where} lies beyond the end of the file")
    if segment.end > ram_bytes:
        raise UsageError(f"does not fit: {where} lies outside RAM, which ends at {ram_bytes:#x}")


def _check_image(entry: int, segments: list[Segment]) -> None:
    if not segments:
        raise UsageError("has no loadable segment")
    for lower, upper in itertools.pairwise(segments):
        if upper.gpa < lower.end:
            raise UsageError(f"is damaged: its segments at {lower.gpa:#x} and {upper.gpa:#x} overlap")
    if not any(s.executable and s.gpa <= entry < s.gpa + s.file_bytes for s in segments):
        raise UsageError(f"has its entry, {entry:#x}, outside every executable segment")
    if entry == 0:  # of a struct pv_jump, that it is none
        raise UsageError(
            "has its entry at address 0, where no guest can begin: link it higher, as with -Wl,-Ttext=0x10000"
        )


def read_build_id(fd: int) -> bytes:
    """The GNU build id of an ELF file that read_image() has accepted; empty if it has none."""
    header = _HEADER.unpack(os.pread(fd, _HEADER.size, 0))
    table, entries = header[5], header[10]
    for kind, _, offset, _, _, size, *_ in _PROGRAM_HEADER.iter_unpack(
        os.pread(fd, entries * _PROGRAM_HEADER.size, table)
    ):
        if kind == _PT_NOTE and (found := _find_note(fd, offset, size, _NT_GNU_BUILD_ID)):
            return found
    return b""


def _find_note(fd: int, offset: int, size: int, wanted: int) -> bytes:
    """The body of GNU's note of this kind; empty if there is none among the notes there, or they are not whole."""
    if offset + size > os.fstat(fd).st_size:
        return b""
    notes, at = os.pread(fd, min(size, _MOST_NOTE_BYTES), offset), 0
    while at + _NOTE.size <= len(notes):
        name_bytes, size, kind = _NOTE.unpack_from(notes, at)
        name = at + _NOTE.size
        body = name + (name_bytes + 3 & -4)
        if kind == wanted and notes[name : name + name_bytes] == b"GNU\0" and size <= 20:
            return notes[body : body + size]
        at = body + (size + 3 & -4)
    return b""
