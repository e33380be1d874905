# SPDX-License-Identifier: GPL-2.0-only
"""Fills guest RAM for Linux: kernel, initrd, and below 1 MiB what the kernel is promised at its 64-bit entry.

| gpa | what |
|---|---|
| 0x10000 | the zero page: what the kernel is told (struct boot_params) |
| 0x20000 | the command line |
| 0x30000 | a GDT |
| 0x40000 | page tables that map the first 4 GiB onto themselves |
| 0xe0000 | ACPI tables |
| as it is linked | the kernel |
| the top of RAM | the initrd |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from emulator.errors import UsageError
from emulator.guest.agent import Attr, Recording
from emulator.guest.boot import LARGE_PAGE_BYTES, PAGE_BYTES, Boot, Jump, Memory, place_agent, write_gdt
from emulator.guest.linux.acpi import tables
from emulator.guest.linux.initrd import read_into, whole_size
from emulator.guest.linux.kernel import HEADER_AT, Kernel, Loadable, load_kernel

_ZERO_PAGE, _COMMAND_LINE, _GDT, _PAGE_TABLES, _ACPI = 0x10000, 0x20000, 0x30000, 0x40000, 0xE0000
_LOW_END, _HIGH = 0x9FC00, 0x100000
_DEVICES, _DEVICES_END = 0xFEC0_0000, 0xFF00_0000  # where a PC has its APICs
_MAPPED = 4 << 30

_E820_AT, _E820_COUNT_AT, _E820 = 0x2D0, 0x1E8, struct.Struct("<QQI")
_USABLE, _RESERVED = 1, 2
_RSDP_AT, _TYPE_OF_LOADER_AT, _LOAD_FLAGS_AT = 0x70, 0x210, 0x211
_INITRD_AT, _COMMAND_LINE_AT = 0x218, 0x228
_LOADED_HIGH = 1
_NO_NUMBER = 0xFF  # of a boot loader that has none
# Of a vmlinux, which has no setup header: the boot flag, "HdrS", boot protocol 2.15, and what a bzImage would say.
_OWN_HEADER = ((0x1FE, b"\x55\xaa"), (0x202, b"HdrS\x0f\x02"), (0x230, struct.pack("<I", LARGE_PAGE_BYTES)))

#: What every command line begins with. There is no I/O APIC to be looked for. The clock ticks once a nanosecond of the
#: guest's, and needs no calibration, nor do short delays have to be spun out (lpj). A panic, and a reboot, reset the
#: machine, which is the VM's end. Two thirds of a boot would be spent in self-tests of the kernel's cryptography.
DEFAULTS = (
    "console=ttyS0 noapic no_timer_check tsc=reliable tsc_early_khz=1000000 lpj=10000 cryptomgr.notests "
    "panic=-1 reboot=k"
)
#: And what it ends with: for a panic that comes before there is any other console. It heeds the log level it finds.
FIRST_CONSOLE = "earlycon=uart8250,io,0x3f8"
#: Beside kernel and initrd, at least: Linux of a distribution needs more to come up.
_LEAST_FREE = 24 << 20


class LinuxGuest(NamedTuple):
    """What shall be booted: what is known of the kernel, and file descriptors of the initrds."""

    kernel: Kernel
    initrds: tuple[int, ...]


def command_line(append: bytes, words: bytes) -> bytes:
    """The kernel's: `append` may override what stands in front of it. Its first program gets `words`."""
    options = b" ".join(filter(None, (DEFAULTS.encode(), append, FIRST_CONSOLE.encode())))
    return options + (b" -- " + words if words else b"")


def load_linux(
    memory: Memory,
    *,
    guest: int,
    linux: LinuxGuest,
    command_line: bytes,
    vcpus: int,
    attrs: tuple[Attr, ...] = (),
    recording: Recording | None = None,
) -> Boot:
    """Lays out guest RAM, all zeros until now, for the kernel open as descriptor `guest`. UsageError if it cannot be
    booted, or RAM is short. `attrs` and `recording` are as bare guests have them.
    """
    if len(command_line) > linux.kernel.command_line_bytes:
        most = linux.kernel.command_line_bytes
        raise UsageError(f"the kernel takes a command line of {most} bytes, and this one has {len(command_line)}")
    agent = place_agent(memory, vcpus=vcpus, attrs=attrs, recording=recording) if attrs else None
    ram_bytes = memory.limit
    loadable = load_kernel(guest, linux.kernel)
    initrd = _place(memory, loadable, linux)
    memory.write(_ZERO_PAGE, _zero_page(linux.kernel, ram_bytes, initrd))
    memory.write(_COMMAND_LINE, command_line + b"\0")
    memory.write(_ACPI, tables(_ACPI, vcpus))
    write_gdt(memory, _GDT)
    _write_page_tables(memory)
    return Boot(Jump(loadable.entry, 0, 0, _ZERO_PAGE, 0, _GDT, _PAGE_TABLES), ram_bytes, agent)


def _place(memory: Memory, kernel: Loadable, linux: LinuxGuest) -> tuple[int, int]:
    """Writes kernel and initrd, and returns where the latter is: gpa and size, 0 without one."""
    size = whole_size(linux.initrds)
    top = min(memory.limit, linux.kernel.initrd_below, _DEVICES)
    initrd_at = (top - size) // PAGE_BYTES * PAGE_BYTES
    least = kernel.end + size + _LEAST_FREE
    if memory.limit < least or initrd_at < kernel.end:
        raise UsageError(
            f"RAM is too small: {memory.limit >> 20} MiB, and this kernel and its initrd take {(least >> 20) + 1} MiB "
            "at least; raise -m"
        )
    for segment in kernel.segments:
        if segment.gpa < _HIGH:
            raise UsageError(f"the kernel wants to be at {segment.gpa:#x}, below 1 MiB")
        memory.write(segment.gpa, segment.data)
    read_into(memory.view[initrd_at : initrd_at + size], linux.initrds)
    return (initrd_at, size) if size else (0, 0)


def _zero_page(kernel: Kernel, ram_bytes: int, initrd: tuple[int, int]) -> bytes:
    page = bytearray(PAGE_BYTES)
    page[HEADER_AT : HEADER_AT + len(kernel.header)] = kernel.header
    if not kernel.header:
        for at, data in _OWN_HEADER:
            page[at : at + len(data)] = data
    page[_TYPE_OF_LOADER_AT] = _NO_NUMBER
    page[_LOAD_FLAGS_AT] = _LOADED_HIGH
    struct.pack_into("<II", page, _INITRD_AT, *initrd)
    struct.pack_into("<I", page, _COMMAND_LINE_AT, _COMMAND_LINE)
    struct.pack_into("<Q", page, _RSDP_AT, _ACPI)
    ranges = list(_e820(ram_bytes))
    page[_E820_COUNT_AT] = len(ranges)
    for index, (begin, end, kind) in enumerate(ranges):
        _E820.pack_into(page, _E820_AT + index * _E820.size, begin, end - begin, kind)
    return bytes(page)


def _e820(ram_bytes: int) -> list[tuple[int, int, int]]:
    """What there is of memory: begin, end, and what kind of it."""
    ranges = [(0, _LOW_END, _USABLE), (_LOW_END, _HIGH, _RESERVED), (_HIGH, min(ram_bytes, _DEVICES), _USABLE)]
    if ram_bytes > _DEVICES:
        ranges.append((_DEVICES, _DEVICES_END, _RESERVED))
    if ram_bytes > _DEVICES_END:
        ranges.append((_DEVICES_END, ram_bytes, _USABLE))
    return ranges


def _write_page_tables(memory: Memory) -> None:
    """Large pages, whether there is RAM or not: the kernel makes tables of its own soon."""
    entries = struct.Struct("<Q")
    pointers, directories = _PAGE_TABLES + PAGE_BYTES, _PAGE_TABLES + 2 * PAGE_BYTES
    memory.write(_PAGE_TABLES, entries.pack(pointers | 0x3))
    count = _MAPPED // LARGE_PAGE_BYTES
    for index in range(count * 8 // PAGE_BYTES):
        memory.write(pointers + index * 8, entries.pack(directories + index * PAGE_BYTES | 0x3))
    memory.write(directories, b"".join(entries.pack(index * LARGE_PAGE_BYTES | 0x83) for index in range(count)))
