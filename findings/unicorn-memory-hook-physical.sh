#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# With paging on, Unicorn 2.1.4 tells hooks of memory accesses (UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE) the physical address, not the
# linear one that the instruction used, and hooks are bounded by it. Without paging both are the same, so it goes
# unnoticed until two linear addresses lead to one page. A debugger's watchpoints, which are linear, cannot be made of them.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
"$work/venv/bin/python" - <<'PY'
import unicorn
from unicorn.x86_const import UC_X86_REG_CR0, UC_X86_REG_CR3, UC_X86_REG_CR4, UC_X86_REG_RDI

CODE, DATA, TABLES, LINEAR = 0x1000, 0x5000, 0x10000, (0x200000, 0x400000)
PRESENT_WRITABLE = 3
STORE = bytes.fromhex("c60701")  # mov byte ptr [rdi], 1

engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
engine.mem_map(0, 0x20000)
engine.mem_write(CODE, STORE)


def entry(table: int, index: int, to: int) -> None:
    engine.mem_write(table + 8 * index, (to | PRESENT_WRITABLE).to_bytes(8, "little"))


pml4, pdpt, directory = TABLES, TABLES + 0x1000, TABLES + 0x2000
entry(pml4, 0, pdpt)
entry(pdpt, 0, directory)
entry(directory, 0, TABLES + 0x3000)
entry(TABLES + 0x3000, CODE >> 12, CODE)  # the code, where it is
for number, linear in enumerate(LINEAR):  # two names of one page
    entry(directory, linear >> 21, TABLES + 0x4000 + 0x1000 * number)
    entry(TABLES + 0x4000 + 0x1000 * number, 0, DATA)
engine.reg_write(UC_X86_REG_CR3, pml4)
engine.reg_write(UC_X86_REG_CR4, engine.reg_read(UC_X86_REG_CR4) | 1 << 5)
engine.reg_write(UC_X86_REG_CR0, engine.reg_read(UC_X86_REG_CR0) | 1 << 31 | 1)

seen = []
engine.hook_add(unicorn.UC_HOOK_MEM_WRITE, lambda _engine, _access, address, *_rest: seen.append(address))
print("unicorn", unicorn.__version__)
for linear in LINEAR:
    engine.reg_write(UC_X86_REG_RDI, linear + 8)
    engine.emu_start(CODE, CODE + len(STORE))
    print(f"a store to linear {linear + 8:#x}: the hook is told {seen[-1]:#x}")
assert engine.mem_read(DATA + 8, 1) == b"\1"
assert seen == [DATA + 8, DATA + 8], "it behaves differently now"
PY
