# SPDX-License-Identifier: GPL-2.0-only
"""Fills guest RAM before the first instruction: the guest's segments, what it is promised at its entry, the agent.

From gpa 0 up: the ELF's segments where they want to be; behind the highest, each on a page of its own: a GDT, page
tables that map the guest's RAM onto itself, the boot information, the command line. With an agent, the top of RAM
is taken from the guest: blob, configuration, slots, frames, sample rings, a GDT, page tables that map all of RAM, a
stack per vCPU.

`ffi` and `lib` are those of the core; structs are laid out by the C headers alone.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from emulator.errors import Unsupported, UsageError, cannot
from emulator.guest.agent import Attr, Recording
from emulator.guest.elf import Image
from emulator.places import PACKAGE

PAGE_BYTES = 4096
LARGE_PAGE_BYTES = 2 << 20
_TABLE_ENTRIES = 512
_DIRECTORY_SPAN = _TABLE_ENTRIES * LARGE_PAGE_BYTES  # what one page directory maps
MAX_RAM_BYTES = _TABLE_ENTRIES * _DIRECTORY_SPAN  # one page-directory-pointer table

# Page-table entries: present, writable, for CPL 3 too (SDM vol. 3, 4.5).
_PRESENT_WRITE_USER = 0x7
_LARGE = 0x80

# Flat descriptors: null, 64-bit code at CPL 0 (selector 0x08), data (0x10), both already accessed.
_GDT = (0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF)

# Of a vCPU's sample ring: room for a few of the largest samples, and what struct pv_agent_config can say.
MIN_RING_BYTES = 4096
MAX_RING_BYTES = 1 << 31

# In a slot: the agent has not come to this step. No errno has this value.
NOT_YET = -(1 << 31)

AGENT_BLOB = os.path.join(PACKAGE, "data", "agent.bin")


class Jump(NamedTuple):
    """The fields of struct pv_jump."""

    rip: int
    rsp: int
    rdi: int
    rsi: int
    rdx: int
    gdt: int
    page_table: int


class Agent(NamedTuple):
    """Where the agent is: its entries, as vCPU 0 takes them, and what it shares with the host, by gpa.

    `frames` is an array of struct pv_agent_frame by vCPU; `rings` a struct pv_sample_ring per vCPU, `ring_stride`
    bytes apart, with `ring_bytes` of data each. Without a recording these three are 0.
    """

    start: Jump
    finish: Jump
    nmi: Jump
    slots: int
    events: int
    frames: int
    rings: int
    ring_stride: int
    ring_bytes: int


class Boot(NamedTuple):
    """How to enter the guest, what it believes to have of RAM, and the agent, if there is one."""

    entry: Jump
    ram_bytes: int
    agent: Agent | None


class Memory:
    """Guest RAM as the loader sees it: a writable buffer, and an allocator of whole pages that goes up."""

    def __init__(self, buffer: Any, *, ffi: Any, lib: Any) -> None:
        self.ffi = ffi
        self.lib = lib
        self.view = memoryview(buffer)
        self.base = ffi.from_buffer("uint8_t[]", buffer, require_writable=True)
        self.size = len(self.view)
        self.free = 0
        self.limit = self.size

    def pages(self, size: int) -> int:
        """The gpa of `size` bytes from the next page boundary on. UsageError if they end beyond the limit."""
        gpa = _round_up(self.free, PAGE_BYTES)
        self.free = gpa + size
        if self.free > self.limit:
            raise UsageError(f"RAM is too small: {self.size:#x} bytes, and loading the guest takes more; raise -m")
        return gpa

    def write(self, gpa: int, data: bytes | memoryview) -> None:
        """Stores bytes."""
        self.view[gpa : gpa + len(data)] = data

    def at(self, gpa: int, ctype: str) -> Any:
        """A `ctype *` to what is at `gpa`, which ends within RAM."""
        if gpa < 0 or gpa + self.ffi.sizeof(ctype) > self.size:
            raise UsageError(f"gpa {gpa:#x} lies outside RAM")
        return self.ffi.cast(f"{ctype} *", self.base + gpa)


def _round_up(value: int, unit: int) -> int:
    return (value + unit - 1) // unit * unit


def load(
    memory: Memory,
    *,
    guest: int,
    image: Image,
    command_line: bytes,
    vcpus: int,
    attrs: tuple[Attr, ...] = (),
    recording: Recording | None = None,
) -> Boot:
    """Lays out guest RAM, all zeros until now, for the ELF open as descriptor `guest`. UsageError if it is short.

    With `attrs` there is an agent, which opens them; with `recording` as well, it has rings for their samples.
    """
    agent = place_agent(memory, vcpus=vcpus, attrs=attrs, recording=recording) if attrs else None
    ram_bytes = memory.limit
    memory.free = image.end
    if memory.free > memory.limit:
        raise UsageError(f"RAM is too small: {memory.size:#x} bytes, and loading the guest takes more; raise -m")
    _load_segments(memory, guest, image)
    gdt = _place_gdt(memory)
    page_table = _place_page_tables(memory, ram_bytes)
    info = _place_boot_information(memory, command_line, vcpus)
    size = memory.ffi.sizeof("struct pv_boot_info")
    return Boot(Jump(image.entry, 0, 0, info, size, gdt, page_table), ram_bytes, agent)


def _load_segments(memory: Memory, guest: int, image: Image) -> None:
    for segment in image.segments:
        at, left, offset = segment.gpa, segment.file_bytes, segment.offset
        while left:
            done = os.preadv(guest, [memory.view[at : at + left]], offset)
            if done == 0:
                raise UsageError("the guest's ELF file was cut short while it was loaded")
            at, left, offset = at + done, left - done, offset + done


def _place_gdt(memory: Memory) -> int:
    return write_gdt(memory, memory.pages(memory.lib.PV_GDT_BYTES))


def write_gdt(memory: Memory, gpa: int) -> int:
    """The descriptors with which a guest is entered, at `gpa`, which is returned."""
    entries = memory.at(gpa, "uint64_t")
    for index, descriptor in enumerate(_GDT):
        entries[index] = descriptor
    return gpa


def page_table_bytes(ram_bytes: int) -> int:
    """What the tables take that map [0, ram_bytes) onto itself."""
    directories = _round_up(ram_bytes, _DIRECTORY_SPAN) // _DIRECTORY_SPAN
    return (2 + directories + (ram_bytes % LARGE_PAGE_BYTES != 0)) * PAGE_BYTES


def _place_page_tables(memory: Memory, ram_bytes: int) -> int:
    """Maps [0, ram_bytes) and nothing else: 2 MiB pages, and 4 KiB pages where less than 2 MiB are left."""
    root = memory.pages(page_table_bytes(ram_bytes))
    pointers, directories = root + PAGE_BYTES, root + 2 * PAGE_BYTES
    memory.at(root, "uint64_t")[0] = pointers | _PRESENT_WRITE_USER
    for index in range(_round_up(ram_bytes, _DIRECTORY_SPAN) // _DIRECTORY_SPAN):
        memory.at(pointers, "uint64_t")[index] = directories + index * PAGE_BYTES | _PRESENT_WRITE_USER
    entries = memory.at(directories, "uint64_t")  # the directories lie behind each other: one array
    whole, tail = divmod(ram_bytes, LARGE_PAGE_BYTES)
    for index in range(whole):
        entries[index] = index * LARGE_PAGE_BYTES | _PRESENT_WRITE_USER | _LARGE
    if tail:
        table = root + page_table_bytes(ram_bytes) - PAGE_BYTES
        entries[whole] = table | _PRESENT_WRITE_USER
        small = memory.at(table, "uint64_t")
        for index in range(tail // PAGE_BYTES):
            small[index] = whole * LARGE_PAGE_BYTES + index * PAGE_BYTES | _PRESENT_WRITE_USER
    return root


def _place_boot_information(memory: Memory, command_line: bytes, vcpus: int) -> int:
    gpa = memory.pages(memory.ffi.sizeof("struct pv_boot_info"))
    text = memory.pages(len(command_line) + 1)
    memory.write(text, command_line + b"\0")
    info = memory.at(gpa, "struct pv_boot_info")
    memory.ffi.memmove(info.magic, b"PVPERF01", 8)
    info.version = memory.lib.PV_BOOT_VERSION
    info.vcpus = vcpus
    info.ram_size = memory.limit
    info.command_line = text
    info.first_free = _round_up(memory.free, PAGE_BYTES)
    return gpa


def read_agent() -> bytes:
    """The agent's code. UsageError says how to get it when the package was installed without."""
    try:
        with open(AGENT_BLOB, "rb") as file:
            return file.read()
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            raise cannot("read the agent that counts events", error) from None
        raise Unsupported("the agent that counts events is missing: reinstall pvperf") from None


def _ring_stride(memory: Memory, recording: Recording | None) -> int:
    """From one vCPU's ring to the next, bytes; 0 without a recording. UsageError for one that cannot be."""
    if not recording:
        return 0
    size, most = recording.ring_bytes, memory.lib.PV_SAMPLE_MAX_CHAIN
    if size & (size - 1) or not MIN_RING_BYTES <= size <= MAX_RING_BYTES:
        raise UsageError(f"a sample ring has {MIN_RING_BYTES} to {MAX_RING_BYTES} bytes, a power of 2, not {size}")
    if not 0 <= recording.max_chain <= most:
        raise UsageError(f"a sample has 0 to {most} return addresses, not {recording.max_chain}")
    return _round_up(memory.ffi.sizeof("struct pv_sample_ring") + size, PAGE_BYTES)


def place_agent(memory: Memory, *, vcpus: int, attrs: tuple[Attr, ...], recording: Recording | None) -> Agent:
    """Takes the top of RAM for the agent, and lowers the limit to what is left for the guest."""
    ffi, lib = memory.ffi, memory.lib
    blob = read_agent()
    stride = _ring_stride(memory, recording)
    sizes = (
        len(blob),
        ffi.sizeof("struct pv_agent_config"),
        ffi.sizeof("struct pv_agent_slot") * vcpus * len(attrs),
        ffi.sizeof("struct pv_agent_frame") * vcpus,
        stride * vcpus,
        lib.PV_GDT_BYTES,
        page_table_bytes(memory.size),
        lib.PV_AGENT_STACK_BYTES * vcpus,
    )
    base = memory.size - sum(_round_up(size, PAGE_BYTES) for size in sizes)
    if base <= 0:
        raise UsageError(f"RAM is too small: {memory.size:#x} bytes, and counting events takes more; raise -m")
    memory.free = base
    code, config, slots, frames, rings = (memory.pages(size) for size in sizes[:5])
    memory.write(code, blob)
    _reset_slots(memory.at(slots, "struct pv_agent_slot"), vcpus * len(attrs))
    gdt = _place_gdt(memory)
    page_table = _place_page_tables(memory, memory.size)
    stack = memory.pages(sizes[-1]) + lib.PV_AGENT_STACK_BYTES
    header = memory.at(code, "struct pv_agent_header")
    if bytes(ffi.buffer(header.magic)) != b"PVAGENT3":
        raise UsageError("the agent that counts events is damaged: reinstall pvperf")
    memory.limit = base
    start, finish, nmi = (
        Jump(code + offset, stack, 0, config, 0, gdt, page_table)
        for offset in (header.start, header.finish, header.nmi)
    )
    recorded = (rings, stride, recording.ring_bytes) if recording else (0, 0, 0)
    agent = Agent(start, finish, nmi, slots, len(attrs), frames, *recorded)
    _write_agent_config(memory, agent, vcpus, attrs, recording.max_chain if recording else 0)
    return agent


def _reset_slots(array: Any, length: int) -> None:
    for index in range(length):
        array[index].opened = array[index].enabled = array[index].disabled = array[index].closed = NOT_YET


def _write_agent_config(memory: Memory, agent: Agent, vcpus: int, attrs: tuple[Attr, ...], max_chain: int) -> None:
    config = memory.at(agent.start.rsi, "struct pv_agent_config")
    for field in ("events", "slots", "frames", "rings", "ring_stride", "ring_bytes"):
        setattr(config, field, getattr(agent, field))
    config.vcpus = vcpus
    config.max_chain = max_chain
    config.ram_size = memory.limit
    for index, attr in enumerate(attrs):
        fields = attr._asdict()
        config.leader[index] = index - fields.pop("behind_leader")
        for field, value in fields.items():
            setattr(config.attr[index], field, value)
