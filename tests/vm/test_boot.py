# SPDX-License-Identifier: GPL-2.0-only
"""What lies in guest RAM before the first instruction, read back by offset and by walking the page tables."""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tiny_guest import CODE_GPA, Elf, Load

from emulator.errors import Unsupported, UsageError
from emulator.guest import boot, elf
from emulator.guest.agent import Attr, Recording
from emulator.native import load_core

MIB = 1 << 20
PAGE = 4096
CODE = bytes(range(200))
GUEST = Elf(loads=(Load(data=CODE, memory_bytes=0x1801), Load(gpa=0x40000, data=b"data", memory_bytes=0x5000, flags=6)))


@contextmanager
def loaded(
    ram_bytes: int,
    *,
    command_line: bytes = b"a b",
    vcpus: int = 3,
    attrs: tuple[Attr, ...] = (),
    recording: Recording | None = None,
    guest: Elf = GUEST,
) -> Iterator[tuple[Any, boot.Boot]]:
    """RAM and what load() says of it."""
    core = load_core()
    ram = mmap.mmap(-1, ram_bytes)
    with tempfile.TemporaryFile() as file:
        file.write(guest.image())
        file.flush()
        image = elf.read_image(file.fileno(), name="guest", ram_bytes=ram_bytes)
        memory = boot.Memory(ram, ffi=core.ffi, lib=core.lib)
        result = boot.load(
            memory,
            guest=file.fileno(),
            image=image,
            command_line=command_line,
            vcpus=vcpus,
            attrs=attrs,
            recording=recording,
        )
        yield ram, result


def word(ram: Any, gpa: int) -> int:
    return int(struct.unpack_from("<Q", ram, gpa)[0])


def mappings(ram: Any, root: int) -> Iterator[tuple[int, int, int]]:
    """(virtual address, gpa, size) of every page, by the rules of SDM vol. 3, 4.5; write and user must be allowed."""

    def entries(table: int) -> Iterator[tuple[int, int]]:
        for index in range(512):
            entry = word(ram, table + 8 * index)
            if entry & 1:
                assert entry & 6 == 6
                yield index, entry

    for i4, e4 in entries(root):
        for i3, e3 in entries(e4 & ~0xFFF):
            for i2, e2 in entries(e3 & ~0xFFF):
                base = (i4 << 39) | (i3 << 30) | (i2 << 21)
                if e2 & 0x80:
                    yield base, e2 & ~0xFFF, 2 * MIB
                    continue
                for i1, e1 in entries(e2 & ~0xFFF):
                    yield base | (i1 << 12), e1 & ~0xFFF, PAGE


def mapped_bytes(ram: Any, root: int) -> int:
    """How much is mapped, when it is the identity from 0 up without a hole; fails if it is anything else."""
    end = 0
    for virtual, gpa, size in mappings(ram, root):
        assert virtual == gpa == end
        end += size
    return end


SIZES = [MIB, 2 * MIB, 3 * MIB, 2 * MIB + PAGE, 64 * MIB, 1024 * MIB, 1026 * MIB + PAGE, 3 << 30]


@pytest.mark.parametrize("ram_bytes", SIZES)
def test_page_tables_cover_exactly_ram(ram_bytes: int) -> None:
    with loaded(ram_bytes) as (ram, result):
        assert mapped_bytes(ram, result.entry.page_table) == ram_bytes == result.ram_bytes


def test_segments_lie_where_they_belong() -> None:
    with loaded(MIB) as (ram, result):
        assert ram[CODE_GPA : CODE_GPA + 0x2000] == CODE + bytes(0x2000 - len(CODE))
        assert ram[0x40000:0x45000] == b"data" + bytes(0x5000 - 4)
        assert result.entry.rip == CODE_GPA
        assert result.entry.rsp == 0


def test_boot_information() -> None:
    with loaded(MIB, command_line="key=wért x".encode()) as (ram, result):
        assert result.entry.rdx == 40
        fields = struct.unpack_from("<8sIIQQQ", ram, result.entry.rsi)
        magic, version, vcpus, ram_size, command_line, first_free = fields
        assert (magic, version, vcpus, ram_size) == (b"PVPERF01", 1, 3, MIB)
        text = "key=wért x".encode() + b"\0"
        assert ram[command_line : command_line + len(text)] == text
        assert first_free % PAGE == 0
        assert first_free >= command_line + len(text)
        assert ram[first_free:] == bytes(MIB - first_free)


def test_loader_structures_are_behind_the_guest_and_apart() -> None:
    with loaded(MIB) as (ram, result):
        entry = result.entry
        command_line = word(ram, entry.rsi + 24)
        starts = [0x44FFF, entry.gdt, entry.page_table, entry.rsi, command_line, word(ram, entry.rsi + 32)]
        assert starts == sorted(set(starts))
        assert not any(start % PAGE for start in starts[1:])
        assert entry.rsi - entry.page_table >= boot.page_table_bytes(MIB)


def test_gdt_has_the_promised_selectors() -> None:
    with loaded(MIB) as (ram, result):
        null, code, data = (word(ram, result.entry.gdt + selector) for selector in (0, 8, 0x10))
        assert null == 0
        assert (code >> 40) & 0xFF == 0x9B  # present, CPL 0, code, readable
        assert (code >> 53) & 1 == 1  # 64-bit
        assert (data >> 40) & 0xFF == 0x93  # present, writable data
        assert bytes(ram[result.entry.gdt + 24 : result.entry.gdt + 64]) == bytes(40)


ATTRS = (
    Attr(type=0, config=1, flags=0x10, sample_period=10007, sample_type=0x107, read_format=3),
    Attr(type=4, config=0x1C0, flags=0),
    Attr(5, 0, 0, 3, 0x1234, 8),
)


@pytest.mark.parametrize("ram_bytes", [MIB, 2 * MIB, 5 * MIB + PAGE])
def test_agent_takes_the_top_and_hides_it(ram_bytes: int) -> None:
    with loaded(ram_bytes, attrs=ATTRS) as (ram, result):
        assert result.agent
        entries = result.agent.start, result.agent.finish, result.agent.nmi
        blob = boot.read_agent()
        assert result.ram_bytes % PAGE == 0
        assert ram[result.ram_bytes : result.ram_bytes + len(blob)] == blob
        assert word(ram, result.entry.rsi + 16) == result.ram_bytes < ram_bytes
        assert mapped_bytes(ram, result.entry.page_table) == result.ram_bytes
        assert mapped_bytes(ram, entries[0].page_table) == ram_bytes
        for jump in entries:
            assert result.ram_bytes <= jump.rip < result.ram_bytes + len(blob)
            assert jump.gdt > result.ram_bytes
        assert len({jump.rip for jump in entries}) == 3
        assert len({jump._replace(rip=0) for jump in entries}) == 1


def test_agent_stacks_fit_and_are_apart() -> None:
    with loaded(MIB, vcpus=5, attrs=ATTRS) as (_, result):
        assert result.agent
        lib = load_core().lib
        lowest = result.agent.start.rsp - lib.PV_AGENT_STACK_BYTES
        assert lowest >= result.agent.start.page_table + boot.page_table_bytes(MIB)
        assert lowest + 5 * lib.PV_AGENT_STACK_BYTES == MIB


def test_agent_configuration() -> None:
    with loaded(MIB, vcpus=2, attrs=ATTRS) as (ram, result):
        assert result.agent
        config = result.agent.start.rsi
        events, vcpus, slots, frames, *rest, size = struct.unpack_from("<IIQQQQIIQ", ram, config)
        assert (events, vcpus, slots, frames) == (3, 2, result.agent.slots, result.agent.frames)
        assert (rest, size) == ([0, 0, 0, 0], result.ram_bytes)  # what call chains may be read from
        assert (result.agent.rings, result.agent.ring_stride, result.agent.ring_bytes) == (0, 0, 0)
        for index, attr in enumerate(ATTRS):
            at = config + 56 + 72 * index
            kind, config_, *sampling, flags = struct.unpack_from("<6Q", ram, at)
            breakpoint_ = struct.unpack_from("<IxxxxQQ", ram, at + 48)
            assert Attr(kind, config_, flags, *breakpoint_, *sampling) == attr
        opened = load_core().ffi.offsetof("struct pv_agent_slot", "opened")
        for index in range(6):  # nothing opened yet: no result looks like a success
            results = struct.unpack_from("<4i", ram, slots + 128 * index + opened)
            assert results == (boot.NOT_YET,) * 4


def test_frames_and_rings_are_apart() -> None:
    with loaded(2 * MIB, vcpus=3, attrs=ATTRS, recording=Recording(ring_bytes=8192, max_chain=7)) as (ram, result):
        agent = result.agent
        assert agent
        rings, stride, ring_bytes, max_chain, size = struct.unpack_from("<QQIIQ", ram, agent.start.rsi + 24)
        assert (rings, stride, ring_bytes) == (agent.rings, agent.ring_stride, agent.ring_bytes)
        assert (ring_bytes, max_chain, size) == (8192, 7, result.ram_bytes)
        assert stride >= 128 + 8192
        assert agent.frames >= agent.slots + 3 * 3 * 128
        assert agent.rings >= agent.frames + 3 * 64
        assert agent.start.gdt >= agent.rings + 3 * stride
        assert all(gpa % PAGE == 0 for gpa in (agent.slots, agent.frames, agent.rings, stride))
        assert ram[agent.frames : agent.start.gdt] == bytes(agent.start.gdt - agent.frames)


@pytest.mark.parametrize(
    "recording",
    [Recording(4097), Recording(2048), Recording(0), Recording(1 << 32), Recording(4096, -1), Recording(4096, 128)],
)
def test_recordings_that_cannot_be(recording: Recording) -> None:
    with pytest.raises(UsageError, match="a sample"), loaded(MIB, attrs=ATTRS, recording=recording):
        pass


def test_no_rings_without_events() -> None:
    with loaded(MIB, recording=Recording()) as (_, result):
        assert result.agent is None
        assert result.ram_bytes == MIB


def test_ram_that_is_too_small() -> None:
    with pytest.raises(UsageError, match="RAM is too small"), loaded(MIB, command_line=bytes(MIB)):
        pass
    full = Elf(loads=(Load(memory_bytes=MIB - CODE_GPA),))
    with pytest.raises(UsageError, match="RAM is too small"), loaded(MIB, guest=full):
        pass
    with pytest.raises(UsageError, match="RAM is too small"), loaded(MIB, guest=full, attrs=ATTRS):
        pass
    with pytest.raises(UsageError, match="RAM is too small"), loaded(MIB, vcpus=300, attrs=ATTRS):
        pass
    with pytest.raises(UsageError, match="RAM is too small"), loaded(MIB, vcpus=4, attrs=ATTRS, recording=Recording()):
        pass


def test_agent_that_is_missing_or_damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(boot, "AGENT_BLOB", os.fspath(tmp_path / "agent.bin"))
    with pytest.raises(Unsupported, match="is missing"), loaded(MIB, attrs=ATTRS):
        pass
    (tmp_path / "agent.bin").write_bytes(bytes(100))
    with pytest.raises(UsageError, match="is damaged"), loaded(MIB, attrs=ATTRS):
        pass


def test_guest_cut_short_while_it_is_loaded() -> None:
    core = load_core()
    with tempfile.TemporaryFile() as file:
        file.write(GUEST.image())
        file.flush()
        image = elf.read_image(file.fileno(), name="guest", ram_bytes=MIB)
        file.truncate(100)
        memory = boot.Memory(mmap.mmap(-1, MIB), ffi=core.ffi, lib=core.lib)
        with pytest.raises(UsageError, match="cut short"):
            boot.load(memory, guest=file.fileno(), image=image, command_line=b"", vcpus=1)
