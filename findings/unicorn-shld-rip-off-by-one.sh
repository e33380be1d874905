#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Unicorn 2.1.4 takes RIP without the immediate's byte when SHLD or SHRD has an operand relative to RIP and a count in an
# immediate: it reads and writes one byte too low. With any other base, and with the count in CL, it is right; so is
# every other instruction of these forms (ADD with an immediate, below). Relative to RIP is how compilers address all globals.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
"$work/venv/bin/python" - <<'PY'
import unicorn
from unicorn.x86_const import UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDI

CODE, DATA = 0x1000, 0x2000
CASES = {  # each adds to, or shifts in nothing at, the eight bytes at DATA
    "shld [rip + x], rax, 8": ("480fa405{}08", 9),
    "shld [rip + x], rax, cl": ("480fa505{}", 8),
    "shld [rdi], rax, 8": ("480fa40708", 5),
    "add [rip + x], 8": ("488305{}08", 8),
}


def execute(code: str, length: int) -> bytes:
    """What is around DATA behind it."""
    distance = (DATA - CODE - length).to_bytes(4, "little").hex()
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(CODE, 0x2000)
    engine.mem_write(CODE, bytes.fromhex(code.format(distance)))
    engine.mem_write(DATA, bytes(range(1, 9)))
    engine.reg_write(UC_X86_REG_RAX, 0)
    engine.reg_write(UC_X86_REG_RCX, 8)
    engine.reg_write(UC_X86_REG_RDI, DATA)
    engine.emu_start(CODE, CODE + length)
    return bytes(engine.mem_read(DATA - 1, 9))


print("unicorn", unicorn.__version__)
seen = {name: execute(*case) for name, case in CASES.items()}
for name, data in seen.items():
    print(f"{name:24} {data.hex(' ', 1)}")
right = bytes([0, 0, 1, 2, 3, 4, 5, 6, 7])
assert seen["shld [rip + x], rax, cl"] == seen["shld [rdi], rax, 8"] == right
assert seen["add [rip + x], 8"] == bytes([0, 9, 2, 3, 4, 5, 6, 7, 8])
assert seen["shld [rip + x], rax, 8"] == bytes([0, 0, 1, 2, 3, 4, 5, 6, 8]), "it behaves differently now"
PY
