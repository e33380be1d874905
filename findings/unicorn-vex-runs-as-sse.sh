#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Unicorn 2.1.4 offers no AVX in CPUID, but does not raise #UD for 128-bit VEX instructions either: it runs them
# as their two-operand SSE forms. The second source is dropped, and the destination's old value is used in its place.
# A program that was compiled with -mavx runs to its end, and its results are wrong.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'unicorn==2.1.4'
"$work/venv/bin/python" - <<'PY'
import unicorn
from unicorn.x86_const import UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_XMM1, UC_X86_REG_XMM2, UC_X86_REG_XMM3


def run(code: bytes, **registers: int) -> unicorn.Uc:
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    engine.mem_map(0x1000, 0x1000)
    engine.mem_write(0x1000, code)
    for name, value in registers.items():
        engine.reg_write(globals()["UC_X86_REG_" + name], value)
    engine.emu_start(0x1000, 0x1000 + len(code))
    return engine


print("unicorn", unicorn.__version__)
avx = run(bytes.fromhex("0fa2"), EAX=1).reg_read(UC_X86_REG_ECX) >> 28 & 1
print("CPUID.1:ECX.AVX", avx)
vpaddd_xmm3_xmm2_xmm1 = bytes.fromhex("c5e9fed9")
result = run(vpaddd_xmm3_xmm2_xmm1, XMM1=1, XMM2=10, XMM3=100).reg_read(UC_X86_REG_XMM3)
print(f"vpaddd xmm3, xmm2, xmm1 with 1, 10, 100 in xmm1, xmm2, xmm3: {result}; right: #UD, or 11 with AVX")
assert (avx, result) == (0, 101), "it behaves differently now"
PY
