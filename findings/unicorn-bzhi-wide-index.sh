#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Unicorn 2.1.4 executes BZHI with an index of the operand's width or more as if the index were one less
# than the width: bit 63 is lost. The SDM (vol. 2, BZHI) and every processor leave the source as it is. CF, which tells an
# index that is too wide, is already set for the widest one that is none.
# A compiler makes BZHI of `x & ((1ul << n) - 1)`-like code with -mbmi2; no error is reported.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
"$work/venv/bin/python" - <<'PY'
import unicorn
from unicorn.x86_const import UC_X86_REG_EFLAGS, UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX

BZHI_RAX_RCX_RDX = bytes.fromhex("c4e2e8f5c1")


def bzhi(source: int, index: int) -> tuple[int, int]:
    """RAX and CF behind `bzhi rax, rcx, rdx`."""
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(0x1000, 0x1000)
    engine.mem_write(0x1000, BZHI_RAX_RCX_RDX)
    engine.reg_write(UC_X86_REG_RCX, source)
    engine.reg_write(UC_X86_REG_RDX, index)
    engine.emu_start(0x1000, 0x1000 + len(BZHI_RAX_RCX_RDX))
    return engine.reg_read(UC_X86_REG_RAX), engine.reg_read(UC_X86_REG_EFLAGS) & 1


ones = 2**64 - 1
print("unicorn", unicorn.__version__)
seen = {index: bzhi(ones, index) for index in (8, 63, 64, 65)}
for index, (result, carry) in seen.items():
    right = ones & (2**index - 1) if index < 64 else ones
    print(f"index {index:2}: {result:#x}, CF {carry}; right: {right:#x}, CF {int(index > 63)}")
assert seen[8] == (0xFF, 0)
assert seen[63] == seen[64] == seen[65] == (2**63 - 1, 1), "it behaves differently now"
PY
