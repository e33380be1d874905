# SPDX-License-Identifier: GPL-2.0-only
"""An oracle that shares no code with the engine: steps a guest one instruction at a time.

Plays loader and host for one vCPU, in Python, on Unicorn's own count=1 stepping and Capstone's
mnemonics. It knows no exceptions, CPL or events: for guests that only compute and print.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import capstone
import unicorn
from elftools.elf.elffile import ELFFile
from unicorn import x86_const as x86

CONSOLE, EXIT = 0x3F8, 0xF4
BRANCHES = {"call", "ret", "retf", "retfq", "loop", "loope", "loopne", "int", "int3", "iretq", "syscall", "sysret"}


@dataclass
class Stepped:
    """What one guest retired, from its entry to the write to the exit port (which is not counted)."""

    instructions: int = 0
    branches: int = 0
    status: int | None = None
    console: bytearray = field(default_factory=bytearray)


def is_branch(mnemonic: str) -> bool:
    """Jumps taken or not, calls, returns, loops and far transfers."""
    name = mnemonic.split()[-1]
    return name.startswith("j") or name in BRANCHES


def load(uc: unicorn.Uc, guest: Path, ram: int, command_line: str) -> None:
    """Places segments, a GDT and the boot information as the guest ABI says."""
    with guest.open("rb") as stream:
        elf = ELFFile(stream)
        top = 0
        for segment in elf.iter_segments("PT_LOAD"):
            uc.mem_write(segment["p_vaddr"], segment.data())
            top = max(top, segment["p_vaddr"] + segment["p_memsz"])
        entry = elf["e_entry"]
    base = (top + 0xFFF) & ~0xFFF
    gdt, info, line = base, base + 0x100, base + 0x200
    uc.mem_write(gdt, struct.pack("<3Q", 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF))
    uc.mem_write(info, struct.pack("<8sIIQQQ", b"PVPERF01", 1, 1, ram, line, base + 0x1000))
    uc.mem_write(line, command_line.encode() + b"\0")
    uc.reg_write(x86.UC_X86_REG_GDTR, (0, gdt, 23, 0))
    uc.reg_write(x86.UC_X86_REG_CS, 0x08)
    for register in (x86.UC_X86_REG_SS, x86.UC_X86_REG_DS, x86.UC_X86_REG_ES):
        uc.reg_write(register, 0x10)
    uc.reg_write(x86.UC_X86_REG_CR4, 0x620)
    for register, value in ((x86.UC_X86_REG_RDI, 0), (x86.UC_X86_REG_RSI, info), (x86.UC_X86_REG_RDX, 40)):
        uc.reg_write(register, value)
    uc.reg_write(x86.UC_X86_REG_RIP, entry)


def step(guest: Path, *, ram: int = 64 << 20, command_line: str = "", limit: int = 2_000_000) -> Stepped:
    """Runs the guest to its exit. AssertionError when it needs more than `limit` instructions."""
    uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    uc.mem_map(0, ram)
    load(uc, guest, ram, command_line)
    result = Stepped()
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    known: dict[int, tuple[bytes, str]] = {}

    def on_out(_uc: unicorn.Uc, port: int, _size: int, value: int, _data: object) -> None:
        if port == CONSOLE:
            result.console.append(value & 0xFF)
        elif port == EXIT:
            result.status = value & 0xFF

    uc.hook_add(unicorn.UC_HOOK_INSN, on_out, None, 1, 0, x86.UC_X86_INS_OUT)

    last = -1
    for _ in range(limit):
        at = uc.reg_read(x86.UC_X86_REG_RIP)
        code = bytes(uc.mem_read(at, 15))
        if at not in known or known[at][0] != code:
            _, _, mnemonic, _ = next(decoder.disasm_lite(code, at, 1))
            known[at] = (code, mnemonic)
        mnemonic = known[at][1]
        again = at == last and mnemonic.startswith("rep")
        uc.emu_start(at, 0, count=1)
        if result.status is not None:
            return result
        if not again:
            result.instructions += 1
            result.branches += is_branch(mnemonic)
        last = at
    raise AssertionError(f"{guest.name} did not end within {limit} instructions")
