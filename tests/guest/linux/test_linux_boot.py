# SPDX-License-Identifier: GPL-2.0-only
"""What Linux finds in memory, read back by the offsets of Documentation/x86/boot.rst and of ACPI."""

from __future__ import annotations

import gzip
import mmap
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_kernel import GPA, BzImage, vmlinux

from emulator.errors import UsageError
from emulator.events import parse_events
from emulator.guest import boot
from emulator.guest.linux import boot as linux_boot
from emulator.guest.linux import cpio, initrd, kernel
from emulator.native import load_core
from emulator.vm.machine import event_attrs

MIB = 1 << 20
CODE = bytes(range(48))
PACKED = BzImage(gzip.compress(vmlinux(CODE, memory_bytes=3 * MIB)), initrd_max=0x37FF_FFFF).image()
INITRD = cpio.archive([cpio.file("init", b"#!" * 3000, 0o755)])
ZERO_PAGE = 0x10000


@contextmanager
def loaded(
    ram_bytes: int = 64 * MIB,
    *,
    image: bytes = PACKED,
    archive: bytes = INITRD,
    line: bytes = b"console=ttyS0",
    vcpus: int = 3,
    **more: Any,
) -> Iterator[tuple[Any, boot.Boot]]:
    """RAM and what load_linux() says of it."""
    core = load_core()
    with tempfile.TemporaryFile() as file, tempfile.NamedTemporaryFile() as first, tempfile.TemporaryFile() as sparse:
        sparse.truncate(ram_bytes)
        ram = mmap.mmap(sparse.fileno(), ram_bytes)
        file.write(image)
        file.flush()
        first.write(archive)
        first.flush()
        fds = (initrd.open_initrd(first.name),) if archive else ()
        try:
            what = kernel.find_kernel(file.fileno(), name="k")
            assert what is not None
            linux = linux_boot.LinuxGuest(what, fds)
            memory = boot.Memory(ram, ffi=core.ffi, lib=core.lib)
            guest = file.fileno()
            yield (
                ram,
                linux_boot.load_linux(memory, guest=guest, linux=linux, command_line=line, vcpus=vcpus, **more),
            )
        finally:
            for fd in fds:
                os.close(fd)


def number(ram: Any, at: int, form: str) -> int:
    return int(struct.unpack_from(form, ram, at)[0])


def e820(ram: Any) -> list[tuple[int, int, int]]:
    count = ram[ZERO_PAGE + 0x1E8]
    return [struct.unpack_from("<QQI", ram, ZERO_PAGE + 0x2D0 + 20 * index) for index in range(count)]


def translate(ram: Any, page_table: int, address: int) -> int:
    """By the page tables."""
    table = page_table
    for shift in (39, 30, 21):
        entry = number(ram, table + (address >> shift & 0x1FF) * 8, "<Q")
        assert entry & 1
        if entry & 0x80:
            return (entry & ~0xFFF) + (address & ((1 << shift) - 1))
        table = entry & ~0xFFF
    raise AssertionError("no large page")


def test_a_bzimage_is_entered_as_its_vmlinux() -> None:
    with loaded() as (ram, what):
        assert (what.entry.rip, what.entry.rsi, what.ram_bytes, what.agent) == (GPA, ZERO_PAGE, 64 * MIB, None)
        assert ram[GPA : GPA + len(CODE)] == CODE
        gdt = struct.unpack_from("<3Q", ram, what.entry.gdt)
        assert gdt == (0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF)
        for address in (0, GPA + 5, ZERO_PAGE, 0xFFFF_FFFF):
            assert translate(ram, what.entry.page_table, address) == address


def test_the_zero_page_has_the_setup_header_and_what_a_loader_fills_in() -> None:
    with loaded() as (ram, _):
        page = ram[ZERO_PAGE : ZERO_PAGE + 4096]
        assert page[0x1F1:0x210] == PACKED[0x1F1:0x210]
        assert page[0x22C:0x250] == PACKED[0x22C:0x250]
        assert page[0x210:0x212] == b"\xff\x01"  # no known loader; loaded high, and no KASLR
        line = number(page, 0x228, "<I")
        assert ram[line : line + 14] == b"console=ttyS0\0"
        begin, size = struct.unpack_from("<II", page, 0x218)
        assert ram[begin : begin + size] == INITRD
        assert begin % 4096 == 0
        assert begin + size <= 0x3800_0000
        assert begin + size + 4096 > 64 * MIB  # at the top


def test_a_vmlinux_gets_a_setup_header() -> None:
    with loaded(image=vmlinux(CODE), archive=b"") as (ram, what):
        page = ram[ZERO_PAGE : ZERO_PAGE + 4096]
        assert what.entry.rip == GPA
        assert page[0x1FE:0x200] == b"\x55\xaa"
        assert page[0x202:0x206] == b"HdrS"
        assert number(page, 0x206, "<H") == 0x20F
        assert struct.unpack_from("<II", page, 0x218) == (0, 0)  # no initrd


def test_memory_is_as_a_pc_has_it() -> None:
    low = [(0, 0x9FC00, 1), (0x9FC00, 0x60400, 2)]
    with loaded() as (ram, _):
        assert e820(ram) == [*low, (MIB, 63 * MIB, 1)]
    with loaded(5 << 30) as (ram, _):
        hole, behind = (0xFEC0_0000, 0x40_0000, 2), 0xFF00_0000
        assert e820(ram) == [*low, (MIB, 0xFEC0_0000 - MIB, 1), hole, (behind, (5 << 30) - behind, 1)]
        begin, size = struct.unpack_from("<II", ram, ZERO_PAGE + 0x218)
        assert begin + size <= 0x3800_0000  # as its header wants it


@pytest.mark.parametrize("vcpus", [1, 64])
def test_acpi_says_how_many_processors_there_are(vcpus: int) -> None:
    with loaded(vcpus=vcpus) as (ram, _):
        rsdp = number(ram, ZERO_PAGE + 0x70, "<Q")
        assert rsdp % 16 == 0
        assert 0xE0000 <= rsdp < 0x100000
        root = ram[rsdp : rsdp + 36]
        assert root[:8] == b"RSD PTR "
        assert (sum(root[:20]) & 0xFF, sum(root) & 0xFF, root[15], number(root, 20, "<I")) == (0, 0, 2, 36)
        xsdt = table(ram, number(root, 24, "<Q"), b"XSDT")
        madt = table(ram, number(xsdt, 36, "<Q"), b"APIC")
        assert len(xsdt) == 44
        assert struct.unpack_from("<II", madt, 36) == (0xFEE00000, 1)
        apics = [struct.unpack_from("<BBBBI", madt, at) for at in range(44, len(madt), 8)]
        assert apics == [(0, 8, index, index, 1) for index in range(vcpus)]


def table(ram: Any, at: int, signature: bytes) -> bytes:
    assert ram[at : at + 4] == signature
    data = bytes(ram[at : at + number(ram, at + 4, "<I")])
    assert sum(data) & 0xFF == 0
    return data


def test_the_agent_takes_the_top_of_what_linux_is_told_of() -> None:
    with loaded(attrs=event_attrs(parse_events("instructions"))) as (ram, what):
        assert what.agent is not None
        assert what.ram_bytes < 64 * MIB
        assert e820(ram)[-1] == (MIB, what.ram_bytes - MIB, 1)
        begin, size = struct.unpack_from("<II", ram, ZERO_PAGE + 0x218)
        assert begin + size <= what.ram_bytes


def test_too_little_memory() -> None:
    for ram_bytes in (17 * MIB, 24 * MIB, 40 * MIB):
        with pytest.raises(UsageError, match=rf"RAM is too small: {ram_bytes // MIB} MiB, .* take \d+ MiB at least"):
            loaded(ram_bytes).__enter__()
    with pytest.raises(UsageError, match="RAM is too small"):
        loaded(64 * MIB, archive=INITRD + bytes(40 * MIB)).__enter__()


def test_a_command_line_that_is_too_long() -> None:
    with loaded(line=b"x" * 255):
        pass
    with pytest.raises(UsageError, match="takes a command line of 255 bytes, and this one has 256"):
        loaded(line=b"x" * 256).__enter__()


def test_a_kernel_that_wants_to_be_where_the_loader_is() -> None:
    with pytest.raises(UsageError, match="the kernel wants to be at 0x20000, below 1 MiB"):
        loaded(image=vmlinux(CODE, gpa=0x20000, entry=0x20000)).__enter__()


def test_defaults_stand_in_front_and_can_be_overridden() -> None:
    line = linux_boot.command_line(b"panic=5 loglevel=3", b"run me")
    assert line.startswith(b"console=ttyS0 ")
    assert line.index(b"panic=-1") < line.index(b"panic=5") < line.index(b" earlycon=") < line.index(b" -- run me")
    assert linux_boot.command_line(b"", b"").endswith(b" earlycon=uart8250,io,0x3f8")


def test_an_initrd_that_shrinks_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "initrd"
    path.write_bytes(INITRD)
    fd = initrd.open_initrd(path)
    size = initrd.whole_size((fd,))
    path.write_bytes(INITRD[:-4])
    try:
        with pytest.raises(UsageError, match="an initrd was changed while it was loaded"):
            initrd.read_into(memoryview(bytearray(size)), (fd,))
    finally:
        os.close(fd)
