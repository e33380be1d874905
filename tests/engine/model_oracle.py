# SPDX-License-Identifier: GPL-2.0-only
"""The models of the engine once more, from their description: dictionaries, and a guest stepped in Python.

Shares no code with the engine: Unicorn executes one instruction at a time, Capstone names it, and its accesses are
those that Unicorn's memory hook reported while it was executed. For guests of fake_host.py that do not fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import capstone
import unicorn
from capstone import x86_const as cx86
from fake_host import BEGIN, CODE, END, GDT, RAM, STACK, TABLES, memory_image
from unicorn import x86_const as x86

Geometry = tuple[int, int, int]  # bytes, ways, bytes of a line
Access = tuple[int, int, bool]  # gpa, size, write


class Level:
    """A cache: for each set, the lines in it, oldest use first."""

    def __init__(self, geometry: Geometry) -> None:
        size, self.ways, self.line = geometry
        self.sets = size // (self.ways * self.line)
        self.lines: dict[int, list[int]] = {}

    def hit(self, gpa: int) -> bool:
        number = gpa // self.line
        lines = self.lines.setdefault(number % self.sets, [])
        hit = number in lines
        if hit:
            lines.remove(number)
        elif len(lines) == self.ways:
            lines.pop(0)
        lines.append(number)
        return hit


@dataclass
class Branches:
    """The predictor: gshare, a stack of returns, last targets."""

    bits: int = 12
    counters: dict[int, int] = field(default_factory=dict)
    history: list[bool] = field(default_factory=list)
    returns: list[int] = field(default_factory=list)
    targets: dict[int, tuple[int, int]] = field(default_factory=dict)

    def conditional(self, address: int, taken: bool) -> bool:
        recent = sum(1 << age for age, was in enumerate(reversed(self.history[-self.bits :])) if was)
        index = (address ^ recent) % (1 << self.bits)
        counter = self.counters.get(index, 1)
        self.counters[index] = min(3, counter + 1) if taken else max(0, counter - 1)
        self.history.append(taken)
        return (counter >= 2) != taken

    def call(self, behind: int) -> None:
        self.returns = [*self.returns[-15:], behind]

    def back(self, target: int) -> bool:
        return not self.returns or self.returns.pop() != target

    def indirect(self, address: int, target: int) -> bool:
        before = self.targets.get(address % 512)
        self.targets[address % 512] = (address, target)
        return before != (address, target)

    def missed(self, insn: capstone.CsInsn, target: int) -> bool:
        behind = insn.address + insn.size
        direct = bool(insn.operands) and insn.operands[0].type == cx86.X86_OP_IMM
        name = insn.mnemonic.split()[-1]
        if name == "ret":
            return self.back(target)
        if name == "call":
            self.call(behind)
        if name in ("jmp", "call"):
            return not direct and self.indirect(insn.address, target)
        if name.startswith(("j", "loop")):
            return self.conditional(insn.address, target != behind)
        return False


@dataclass
class Models:
    """Counts by the names of fake_host.FakeHost.names()."""

    l1d: Level
    llc: Level
    branches: Branches
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, number: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + number

    def retire(self, insn: capstone.CsInsn, accesses: list[Access], target: int) -> None:
        """One instruction, or one iteration of a rep."""
        load_missed = False
        for gpa, size, write in accesses:
            for number in range(gpa // self.l1d.line, (gpa + size - 1) // self.l1d.line + 1):
                if not self.l1d.hit(number * self.l1d.line):
                    load_missed |= not write
                    self.add("CACHE_REFERENCES", 1)
                    self.add("CACHE_MISSES", not self.llc.hit(number * self.l1d.line))
        self.add("L1D_LOADS", any(not write for _, _, write in accesses))
        self.add("L1D_STORES", any(write for _, _, write in accesses))
        self.add("L1D_LOAD_MISSES", load_missed)
        self.add("BRANCH_MISSES", self.branches.missed(insn, target))


def boot(code: bytes) -> unicorn.Uc:
    """The guest as FakeHost enters it."""
    uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    uc.mem_map(0, RAM)
    for gpa, data in memory_image(code).items():
        uc.mem_write(gpa, data)
    uc.reg_write(x86.UC_X86_REG_GDTR, (0, GDT, 63, 0))
    for register, value in (
        (x86.UC_X86_REG_CR4, 0x620),
        (x86.UC_X86_REG_CR3, TABLES),
        (x86.UC_X86_REG_CR0, 0x80000033),
        (x86.UC_X86_REG_CS, 0x08),
        (x86.UC_X86_REG_SS, 0x10),
        (x86.UC_X86_REG_DS, 0x10),
        (x86.UC_X86_REG_ES, 0x10),
        (x86.UC_X86_REG_RSP, STACK),
    ):
        uc.reg_write(register, value)
    return uc


def step(code: bytes, l1d: Geometry, llc: Geometry, bits: int, limit: int = 100_000) -> dict[str, int]:
    """Counts between the vmcall with BEGIN and the one with END."""
    uc, models = boot(code), Models(Level(l1d), Level(llc), Branches(bits))
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder.detail = True
    accesses: list[Access] = []

    def on_access(_uc: unicorn.Uc, kind: int, gpa: int, size: int, _value: int, _data: object) -> None:
        accesses.append((gpa, size, kind == unicorn.UC_MEM_WRITE))

    uc.hook_add(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, on_access)
    at, counting = CODE, False
    for _ in range(limit):
        insn = next(decoder.disasm(bytes(uc.mem_read(at, 15)), at, 1))
        if insn.mnemonic == "vmcall":
            number = uc.reg_read(x86.UC_X86_REG_RAX)
            if number == END:
                return models.counts
            counting |= number == BEGIN
            at += insn.size
            continue
        accesses.clear()
        uc.emu_start(at, 0, count=1)
        at = uc.reg_read(x86.UC_X86_REG_RIP)
        if counting:
            models.retire(insn, accesses, at)
    raise AssertionError(f"the guest did not end within {limit} instructions")
