# SPDX-License-Identifier: GPL-2.0-only
"""The file of a Linux kernel: a bzImage, as distributions have it, or the vmlinux that is packed in one.

What is boot protocol is from Documentation/x86/boot.rst. Sentences about what is wrong are about "the kernel".
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from emulator.errors import PvperfError, UsageError, cannot
from emulator.guest import elf
from emulator.guest.elf import GuestFile, Image, open_guest
from emulator.guest.linux.payload import packer, unpack

# The setup header, at offsets from the beginning of the file, which are those in the zero page, too.
HEADER_AT = 0x1F1
_LOOK_BYTES = 0x1000
_BOOT_FLAG, _HEADER_MAGIC = 0x1FE, 0x202
_SECTOR = 512
_XLF_KERNEL_64 = 1
_PROTOCOL_PAYLOAD, _PROTOCOL_XLOADFLAGS = 0x208, 0x20C
_MOST_UNPACKED = 1 << 30

_ELF = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_PT_LOAD = 1
_MACHINES = {3: "32-bit x86", 40: "32-bit Arm", 62: "x86-64", 183: "arm64", 243: "RISC-V"}
_X86_64 = 62
_KERNEL_HALF = 0xFFFF_FFFF_8000_0000  # where its code is linked: the last 2 GiB
_VERSION = b"Linux version "

# Kernels of others, by what they have where: arch/*/kernel/head.S.
_FOREIGN = (
    (0x38, b"ARM\x64", "is one for arm64, and the guest is x86-64"),
    (0x38, b"RSC\x05", "is one for RISC-V, and the guest is x86-64"),
    (0x24, b"\x18\x28\x6f\x01", "is one for 32-bit Arm, and the guest is x86-64"),
    (0x04, b"zimg", "is a packed EFI program, as those for arm64 are, and no bzImage"),
    (0x00, b"\x27\x05\x19\x56", "is a U-Boot image, and the guest is a PC"),
)


class Kernel(NamedTuple):
    """What is in the file: the setup header of a bzImage, and where its payload is; of a vmlinux, nothing of that."""

    header: bytes = b""  # from HEADER_AT on; empty: a vmlinux
    payload_at: int = 0
    payload_bytes: int = 0

    @property
    def initrd_below(self) -> int:
        """The gpa behind the last byte that an initrd may have."""
        return self._number(0x22C, "<I") + 1 if self.header else 1 << 31

    @property
    def command_line_bytes(self) -> int:
        """The longest command line that it takes."""
        return self._number(0x238, "<I") if self.header else 2047

    def _number(self, at: int, form: str) -> int:
        return int(struct.unpack_from(form, self.header, at - HEADER_AT)[0])


class Segment(NamedTuple):
    """A piece of memory: `data`, and zeros up to `memory_bytes`."""

    gpa: int
    data: memoryview
    memory_bytes: int


class Loadable(NamedTuple):
    """A kernel, unpacked. `entry` is a gpa: it is entered in 64-bit mode, with RSI the gpa of its zero page."""

    entry: int
    segments: tuple[Segment, ...]

    @property
    def end(self) -> int:
        """The gpa behind all of it."""
        return max(segment.gpa + segment.memory_bytes for segment in self.segments)


def read_linux(path: str | os.PathLike[str], *, name: str) -> GuestFile | None:
    """The file, if it is a Linux kernel that can be booted: nothing of what is packed in it is looked at. None for
    something else, UsageError for another kernel.
    """
    whole = os.path.abspath(path)
    fd = open_guest(whole)
    try:
        return GuestFile(whole, Image(0, ()), b"") if find_kernel(fd, name=name) else None
    finally:
        os.close(fd)


def unpacked(path: str | os.PathLike[str]) -> memoryview:
    """The vmlinux in that file, which is a Linux kernel. UsageError if it cannot be had."""
    fd = open_guest(path)
    try:
        kernel = find_kernel(fd, name=os.fspath(path))
        if kernel is None:
            raise UsageError(f"{os.fspath(path)!r} is no Linux kernel")
        return _unpack(fd, kernel)
    finally:
        os.close(fd)


def linked(data: memoryview) -> Iterator[elf.Segment]:
    """Of a vmlinux: its segments, at the addresses at which the kernel has them, and not in guest RAM."""
    fields = _ELF.unpack_from(data)
    for at in range(fields[10]):
        header = _PROGRAM_HEADER.unpack_from(data, fields[5] + at * _PROGRAM_HEADER.size)
        kind, flags, offset, vaddr, _, file_bytes, memory_bytes, _ = header
        if kind == _PT_LOAD and vaddr >= _KERNEL_HALF:
            yield elf.Segment(vaddr, offset, file_bytes, memory_bytes, bool(flags & 1))


def find_kernel(fd: int, *, name: str) -> Kernel | None:
    """The Linux kernel in that file; None if it is something else. UsageError for one that cannot be booted."""
    try:
        data = os.pread(fd, _LOOK_BYTES, 0)
        if data[_HEADER_MAGIC : _HEADER_MAGIC + 4] == b"HdrS" and data[_BOOT_FLAG : _BOOT_FLAG + 2] == b"\x55\xaa":
            return _bzimage(data, os.fstat(fd).st_size)
        if said := next((said for at, magic, said in _FOREIGN if data[at : at + len(magic)] == magic), ""):
            raise UsageError(said)
        return Kernel() if _is_vmlinux(fd, data) else None
    except UsageError as error:
        raise UsageError(f"kernel {name!r} {error}") from None
    except OSError as error:
        raise cannot(f"read guest {name!r}", error) from None


def _bzimage(data: bytes, size: int) -> Kernel:
    end = _HEADER_MAGIC + data[_HEADER_MAGIC - 1]
    header = data[HEADER_AT:end]
    (protocol,) = struct.unpack_from("<H", data, 0x206)
    if protocol < _PROTOCOL_PAYLOAD or end < 0x250:
        raise UsageError(f"has boot protocol {protocol >> 8}.{protocol & 0xFF:02}, and 2.08 is the oldest that works")
    if protocol >= _PROTOCOL_XLOADFLAGS and not data[0x236] & _XLF_KERNEL_64:
        raise UsageError("is a 32-bit one, and the guest is x86-64")
    code = ((data[HEADER_AT] or 4) + 1) * _SECTOR
    whole = code + struct.unpack_from("<I", data, 0x1F4)[0] * 16
    offset, length = struct.unpack_from("<II", data, 0x248)
    if size < whole - 15 or size < code + offset + length:  # the last 16 bytes need not be full
        raise UsageError(f"is truncated: it has {size} bytes of {max(whole, code + offset + length)}")
    if not length:
        raise UsageError("is damaged: its setup header names no payload")
    return Kernel(header, code + offset, length)


def _is_vmlinux(fd: int, data: bytes) -> bool:
    """Is it an ELF file that is linked where kernels are? One that is, and is of another system, is refused."""
    if data[:4] != b"\x7fELF" or len(data) < _ELF.size or data[4] != 2:
        return False
    fields = _ELF.unpack_from(data)
    headers = data[fields[5] : fields[5] + fields[10] * _PROGRAM_HEADER.size]
    if len(headers) % _PROGRAM_HEADER.size or fields[2] != _X86_64:
        return False
    loaded = [header for header in _PROGRAM_HEADER.iter_unpack(headers) if header[0] == _PT_LOAD]
    if not any(header[3] >= _KERNEL_HALF for header in loaded):
        return False
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as whole:
        if whole.find(_VERSION) < 0:
            raise UsageError("is no Linux kernel, though it is linked as one")
    return True


def load_kernel(fd: int, kernel: Kernel) -> Loadable:
    """Unpacks it. UsageError if it is damaged, or of another processor; Unsupported if what unpacks it is missing."""
    data = _unpack(fd, kernel)
    try:
        return _vmlinux(data)
    except UsageError as error:
        raise UsageError(f"the kernel {error}") from None


def _unpack(fd: int, kernel: Kernel) -> memoryview:
    try:
        if not kernel.header:
            return memoryview(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
        data = os.pread(fd, kernel.payload_bytes, kernel.payload_at)
        if data[:4] == b"\x7fELF":
            return memoryview(data)
        if packer(data) != "gzip":
            data = data[:-4]  # how much it is when unpacked: gzip has that in itself
        return memoryview(unpack(data, most=_MOST_UNPACKED))
    except PvperfError as error:
        raise type(error)(f"the kernel {error}") from None
    except OSError as error:
        raise cannot("read the kernel", error) from None


def _vmlinux(data: memoryview) -> Loadable:
    if bytes(data[:4]) != b"\x7fELF" or len(data) < _ELF.size:
        raise UsageError("is damaged: what is packed in it is no ELF file")
    ident, _, machine, _, entry, table, _, _, _, _, entries, *_ = _ELF.unpack_from(data)
    if ident[4] != 2 or machine != _X86_64:
        raise UsageError(f"is one for {_MACHINES.get(machine, f'processor {machine}')}, and the guest is x86-64")
    if table + entries * _PROGRAM_HEADER.size > len(data):
        raise UsageError("is truncated: its program headers lie beyond its end")
    segments = []
    for kind, _, offset, vaddr, gpa, file_bytes, memory_bytes, _ in _PROGRAM_HEADER.iter_unpack(
        data[table : table + entries * _PROGRAM_HEADER.size]
    ):
        if kind != _PT_LOAD or not memory_bytes:
            continue
        if offset + file_bytes > len(data) or file_bytes > memory_bytes:
            raise UsageError(f"is truncated: its segment at {vaddr:#x} lies beyond its end")
        if vaddr <= entry < vaddr + file_bytes:
            entry += gpa - vaddr
        segments.append(Segment(gpa, data[offset : offset + file_bytes], memory_bytes))
    if not any(segment.gpa <= entry < segment.gpa + len(segment.data) for segment in segments):
        raise UsageError(f"is damaged: its entry, {entry:#x}, lies in no segment of it")
    return Loadable(entry, tuple(segments))
