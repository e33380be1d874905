# SPDX-License-Identifier: GPL-2.0-only
"""Plays the host for one engine in this process, through the run page: for what the real host does not ask of it.

A guest is assembly at CODE, in ring 0, with RSP at STACK. It says by `vmcall` where it is: RAX BEGIN sets `wanted`,
RAX END takes it back, and RAX LEAVE ends it. Memory below IDENTITY is mapped to itself, and PAGES are beside it.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.native import load_engine

RAM = IDENTITY = 16 << 20
TABLES, GDT, IDT, TSS = 0x2000, 0x8000, 0x9000, 0xA000
CODE, HANDLER = 0x10000, 0x12000  # every exception goes to HANDLER
STACK, KERNEL_STACK = 0x80000, 0x90000
BEGIN, END, LEAVE = 1, 2, 3
USER_DATA, USER_CODE = 0x18 | 3, 0x20 | 3

#: Virtual pages to gpa and flags: neighbours apart in RAM, the third not present, and another name of the first.
PAGES = {
    0x40000000: 0x300000 | 7,
    0x40001000: 0x350000 | 7,
    0x40002000: 0x360000 | 7,
    0x40003000: 0,
    0x40004000: 0x300000 | 7,
}
PAGE_TABLE = TABLES + 0x4000  # of PAGES
PATIENCE_S = 120.0
POLL_NS = 5_000_000  # of the vCPU: this host does not wake a sleeper

Breakpoint = tuple[int, int, int]  # address, length, PV_BP_*


def assemble(text: str, folder: Path) -> bytes:
    """Assembly at CODE, as a flat binary."""
    source, binary = folder / "guest.S", folder / "guest.bin"
    source.write_text(text + "\n")
    command = [shutil.which("cc") or "gcc", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"]
    command += [f"-Wl,-Ttext={CODE:#x},--oformat=binary,-e,0", str(source), "-o", str(binary)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    return binary.read_bytes()


def exit_call(number: int) -> str:
    """The vmcall that says where the guest is; RAX alone changes."""
    return f"mov ${number}, %eax; vmcall\n"


def gate(handler: int) -> bytes:
    return struct.pack("<HHBBHII", handler & 0xFFFF, 0x08, 0, 0xEE, handler >> 16 & 0xFFFF, handler >> 32, 0)


def memory_image(code: bytes) -> dict[int, bytes]:
    """What lies in guest RAM at the entry, by gpa."""
    pdpt, low, high = TABLES + 0x1000, TABLES + 0x2000, TABLES + 0x3000
    descriptors = [0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0x00CFF3000000FFFF, 0x00AFFB000000FFFF]
    descriptors += [103 | TSS << 16 | 0x89 << 40, 0, 0]
    return {
        TABLES: struct.pack("<Q", pdpt | 7),
        pdpt: struct.pack("<2Q", low | 7, high | 7),
        low: struct.pack("<8Q", *(at | 0x87 for at in range(0, IDENTITY, 2 << 20))),
        high: struct.pack("<Q", PAGE_TABLE | 7),
        PAGE_TABLE: struct.pack(f"<{len(PAGES)}Q", *PAGES.values()),
        GDT: struct.pack("<8Q", *descriptors),
        IDT: gate(HANDLER) * 256,
        IDT + 0x1000 - 16: struct.pack("<HQ", 256 * 16 - 1, IDT),
        TSS: struct.pack("<IQ", 0, KERNEL_STACK),
        CODE: code,
    }


@dataclass
class Counted:
    """Counts between BEGIN and END, by counter and privilege level, and what moved between END and LEAVE."""

    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    afterwards: dict[str, int] = field(default_factory=dict)
    kicks: int = 0


class FakeHost:
    """One run of one engine. `config` are further fields of struct pv_engine_config."""

    def __init__(self, code: bytes, **config: Any) -> None:
        core = load_engine()
        self.ffi, self.lib = core.ffi, core.lib
        self._memory = mmap.mmap(-1, RAM + 2 * mmap.PAGESIZE)
        base = self.ffi.from_buffer("uint8_t[]", self._memory, require_writable=True)
        self.run_page = self.ffi.cast("struct pv_run *", base + RAM)
        self._page = page = self.ffi.cast("struct pv_vm_page *", base + RAM + mmap.PAGESIZE)
        page.vcpus, page.max_events, page.counters, page.pv_perf = 1, 1, 1, 1
        page.poll_ns = self.run_page.vcpu_waits.poll_ns = POLL_NS
        for gpa, data in memory_image(code).items():
            self._memory[gpa : gpa + len(data)] = data
        self.config = self.ffi.new("struct pv_engine_config *")
        self.config.ram, self.config.ram_size = base, RAM
        self.config.run, self.config.page = self.run_page, page
        self.config.hook, self.config.core = self.lib.PV_ENGINE_COUNT, -1
        for name, value in config.items():
            setattr(self.config, name, value)
        self._error: int | None = None

    def names(self) -> list[str]:
        """The hooked counters, in their order."""
        names = ["L1D_LOADS", "L1D_LOAD_MISSES", "L1D_STORES", "CACHE_REFERENCES", "CACHE_MISSES", "BRANCH_MISSES"]
        return [*names, *(f"BREAKPOINT{slot}" for slot in range(self.lib.PV_BREAKPOINTS))]

    def create(self) -> tuple[int, str]:
        """engine_create(), and what it says."""
        self._engine = self.ffi.new("struct pv_engine **")
        why = self.ffi.new("char[256]")
        error = self.lib.engine_create(self.config, self._engine, why, len(why))
        return error, self.ffi.string(why).decode()

    def count(
        self,
        wanted: list[str],
        breakpoints: dict[int, Breakpoint] | None = None,
        *,
        ring: bool = False,
        jump: int | None = None,
    ) -> Counted:
        """Runs the guest to LEAVE, counting from BEGIN to END.

        `ring`: the doorbell is rung at every entry. `jump`: where BEGIN leads instead of behind it.
        """
        names = self.names()
        bits = sum(1 << self.lib.PV_COUNTS_AT_EXIT + names.index(name) for name in wanted)
        for slot, (address, length, kind) in (breakpoints or {}).items():
            self.run_page.breakpoint[slot] = (address, length, kind)
            bits |= 1 << self.lib.PV_COUNT_BREAKPOINT + slot
        error, why = self.create()
        assert error == 0, why
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            result = self._serve(bits, ring, jump)
        finally:
            self._page.ended = 1  # to one that hangs; the others have stopped
            self.run_page.bell.rung = self.lib.PV_BELL_HOST
            thread.join(PATIENCE_S)
        assert not thread.is_alive()
        assert self._error == 0
        self.destroy()
        return result

    def destroy(self) -> None:
        """Frees the engine."""
        self.lib.engine_destroy(self._engine[0])

    def _run(self) -> None:
        self._error = self.lib.engine_run(self._engine[0])

    def _wait(self, seen: int) -> int:
        deadline = time.monotonic() + PATIENCE_S
        while self.run_page.exit_count == seen:
            assert time.monotonic() < deadline, "the engine hangs"
            time.sleep(0.0002)
        return int(self.run_page.exit_count)

    def _enter(self, seen: int) -> None:
        self.run_page.entry_count = seen

    def _snapshot(self) -> dict[str, tuple[int, int]]:
        counts = self.run_page.count
        first = self.lib.PV_COUNTS_AT_EXIT
        return {name: (counts[first + i][0], counts[first + i][1]) for i, name in enumerate(self.names())}

    def _serve(self, bits: int, ring: bool, jump: int | None) -> Counted:
        run, lib, result = self.run_page, self.lib, Counted()
        seen = self._wait(0)
        assert run.exit_reason == lib.PV_EXIT_READY
        run.action = lib.PV_ENTER_JUMP
        run.jump.rip, run.jump.rsp, run.jump.gdt, run.jump.page_table = CODE, STACK, GDT, TABLES
        before: dict[str, tuple[int, int]] = {}
        while True:
            run.bell.rung = lib.PV_BELL_HOST if ring else 0
            self._enter(seen)
            seen = self._wait(seen)
            text = self.ffi.string(run.text).decode()
            assert run.exit_reason in (lib.PV_EXIT_HYPERCALL, lib.PV_EXIT_IO_OUT, lib.PV_EXIT_KICK), (
                hex(run.rip),
                text,
            )
            run.action, run.rax = lib.PV_ENTER_RESUME, 0
            result.kicks += run.exit_reason == lib.PV_EXIT_KICK
            if run.exit_reason != lib.PV_EXIT_HYPERCALL:
                continue
            number, now = int(run.arg[0]), self._snapshot()
            if number == BEGIN:
                run.wanted = bits
                before = now
                if jump is not None:
                    run.action, run.jump.rip = lib.PV_ENTER_JUMP, jump
            elif number == END:
                run.wanted = 0
                result.counts = {name: (k - before[name][0], u - before[name][1]) for name, (k, u) in now.items()}
                before = now
            elif number == LEAVE:
                result.afterwards = {name: sum(now[name]) - sum(before[name]) for name in now}
                run.action = lib.PV_ENTER_STOP
                self._enter(seen)
                return result
