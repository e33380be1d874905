#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Unicorn 2.1.4 takes RIP without the immediate's byte when RORX has an operand relative to RIP: it reads one byte too low. It
# is the same mistake as that of SHLD and SHRD (unicorn-shld-rip-off-by-one.sh), in another place, and without a word.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
"$work/venv/bin/python" - <<'PY'
import unicorn
from unicorn.x86_const import UC_X86_REG_RAX, UC_X86_REG_RDI

CODE, DATA = 0x1000, 0x2000
CASES = {  # each rotates the eight bytes at DATA by nothing
    "rorx rax, [rip + x], 0": ("c4e3fbf005{}00", 10),
    "rorx rax, [rdi], 0": ("c4e3fbf00700", 6),
}


def execute(code: str, length: int) -> int:
    """RAX behind it."""
    distance = (DATA - CODE - length).to_bytes(4, "little").hex()
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(CODE, 0x2000)
    engine.mem_write(CODE, bytes.fromhex(code.format(distance)))
    engine.mem_write(DATA, bytes(range(1, 9)))
    engine.reg_write(UC_X86_REG_RDI, DATA)
    engine.emu_start(CODE, CODE + length)
    return engine.reg_read(UC_X86_REG_RAX)


print("unicorn", unicorn.__version__)
seen = {name: execute(*case) for name, case in CASES.items()}
for name, value in seen.items():
    print(f"{name}: {value:#x}")
assert seen["rorx rax, [rdi], 0"] == 0x0807060504030201
assert seen["rorx rax, [rip + x], 0"] == 0x0706050403020100, "it behaves differently now"
PY
